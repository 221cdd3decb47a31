"""What is said in Codex's rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from missioncontrol.events.decoding import read_float
from missioncontrol.runtimes.lines import decode, fit
from missioncontrol.runtimes.messages import Entry, MessageParser, MessagePart, text_of, written_arguments


class _Payload(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    name: str | None = None
    call_id: str | None = None
    content: Any = None
    summary: Any = None
    arguments: Any = None
    input: Any = None
    action: Any = None
    output: Any = None


_payloads = msgspec.json.Decoder(_Payload, float_hook=read_float)


class CodexMessageParser(MessageParser):
    """Reads what is said in the lines of one rollout."""

    def read_entry(self, entry: Entry) -> Iterator[MessagePart]:
        """Yield what an entry has to read; see `MessageParser`."""
        payload = decode(_payloads, entry.payload) if entry.payload else None
        if payload is None:
            return
        if entry.type == "session_meta":
            self.memory.session = self.memory.session or fit(payload.id) or ""
        if entry.type != "response_item":
            return
        match payload.type:
            case "message" if payload.role in ("user", "assistant"):
                if not text_of(payload.content).startswith("# AGENTS.md"):
                    yield from self.read_items(
                        "user" if payload.role == "user" else "assistant", payload.content
                    )
            case "reasoning":
                yield "thinking", text_of(payload.summary), None
            case "function_call" | "custom_tool_call" | "local_shell_call":
                name = payload.name or "shell"
                self.remember_call(payload.call_id, name)
                yield "call", written_arguments(payload.arguments or payload.input or payload.action), name
            case "function_call_output" | "custom_tool_call_output":
                yield "result", text_of(payload.output), self.tool_of(payload.call_id)
