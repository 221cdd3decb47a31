"""What is said in transcripts, word for word: by people, by models, and by the tools that models call.

A message is known by its session and its key, which stay the same however often and under whichever name its file is
read: where a runtime gives an entry no id, the number of its line stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from missioncontrol.redaction import LONGEST_SECRET
from missioncontrol.runtimes.lines import Time, decode, fit, milliseconds
from missioncontrol.runtimes.places import Kind
from missioncontrol.runtimes.records import Message, Record, Role

MAX_SAID = 16_000
"""How many characters of what a person or a model says are kept."""

MAX_TOLD = 4_000
"""How many of what a model thinks, of a call's arguments, and of what a tool answers."""

_NOT_SAID = (
    "<command-",
    "<local-command-",
    "<bash-",
    "<system-reminder",
    "<environment_context",
    "<user_inst",
)
"""How a user's message begins that the runtime itself has put in."""

_JITTER_MS = 1_000
"""By how much an entry may be earlier than the one in front of it without that the clock was turned back."""

_ABSENT = msgspec.Raw(b"")
_MAX_DEPTH = 4


class Memory(msgspec.Struct, tag="messages", omit_defaults=True):
    """What has to be remembered between two lines.

    `told` is the time that the last message was given, `tools` are the names of the newest calls, by their ids.
    """

    session: str = ""
    at: int = 0
    told: int = 0
    line: int = 0
    tools: dict[str, str] = {}


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    text: Any = None
    thinking: Any = None
    name: str | None = None
    input: Any = None
    arguments: Any = None
    tool_use_id: str | None = None
    content: Any = None


class _Message(msgspec.Struct, rename={"tool_call_id": "toolCallId", "tool_name": "toolName"}):
    role: str | None = None
    content: Any = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    timestamp: Time = None


class _Entry(msgspec.Struct, rename={"is_meta": "isMeta"}):
    type: str | None = None
    id: str | None = None
    uuid: str | None = None
    timestamp: Time = None
    is_meta: bool | None = None
    message: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT


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


_entries = msgspec.json.Decoder(_Entry)
_messages = msgspec.json.Decoder(_Message)
_payloads = msgspec.json.Decoder(_Payload)
# Also what prepares `_Item` for `msgspec.convert`, before any thread needs it.
_items = msgspec.json.Decoder(_Item)
_MAX_TOOLS = 32


class MessageParser:
    """Reads what is said in the lines of one session, whatever runtime wrote them."""

    def __init__(
        self, kind: Kind, memory: Memory, since: int = 0, redact: Callable[[str], str] = str
    ) -> None:
        """Prepare.

        Args:
            kind: what the transcript is.
            memory: where the last reading ended; `session` is set, in case the transcript does not name itself.
            since: what was said before is passed over, in milliseconds since 1970.
            redact: masks the secrets of a text; without it they stay.
        """
        self.memory = memory
        self._redact = redact
        self._kind = kind
        self._since = since

    def parse(self, line: bytes | str) -> list[Record]:
        """Return what is said in a line.

        Raises:
            BrokenLineError: it is not JSON.
        """
        self.memory.line += 1
        entry = decode(_entries, line)
        if entry is None:
            return []
        self.memory.at = milliseconds(entry.timestamp) or self.memory.at
        if self._kind == "codex":
            said = self._codex(entry)
        elif entry.type == "session" and entry.id:
            self.memory.session = fit(entry.id) or self.memory.session
            return []
        else:
            said = self._message(entry)
        key = entry.uuid or entry.id or str(self.memory.line)
        records: list[Record] = []
        if 0 < self.memory.at < self._since:
            return records
        for place, (role, text, tool) in enumerate(said):
            text = text.strip()
            most = MAX_SAID if role in ("user", "assistant") else MAX_TOLD
            if text or role == "call":
                cut = max(0, len(text) - most)
                at = self._time()
                # Masked before it is cut: the beginning of a secret has no form.
                shown = self._redact(text[: most + LONGEST_SECRET])[:most]
                records.append(Message(self.memory.session, f"{key}:{place}", at, role, shown, tool, cut))
        return records

    def _time(self) -> int:
        """Return a time for the next message: that of its entry, but after the message before it, which it follows."""
        at, told = self.memory.at, self.memory.told
        self.memory.told = told + 1 if told - _JITTER_MS < at <= told else at
        return self.memory.told

    def _message(self, entry: _Entry) -> Iterator[tuple[Role, str, str | None]]:
        if not entry.message or entry.is_meta:
            return
        message = decode(_messages, entry.message)
        if message is None:
            return
        self.memory.at = milliseconds(entry.timestamp) or milliseconds(message.timestamp) or self.memory.at
        match message.role:
            case "user" | "assistant":
                yield from self._items(message.role, message.content)
            case "toolResult":
                yield "result", _text(message.content), message.tool_name or self._tool(message.tool_call_id)

    def _items(
        self, role: Literal["user", "assistant"], content: Any
    ) -> Iterator[tuple[Role, str, str | None]]:
        for item in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if isinstance(item, str):
                item = {"type": "text", "text": item}
            try:
                part = msgspec.convert(item, _Item)
            except msgspec.ValidationError:
                continue
            match part.type:
                case "text" | "input_text" | "output_text" if isinstance(part.text, str):
                    if role == "assistant" or not part.text.lstrip().startswith(_NOT_SAID):
                        yield role, part.text, None
                case "thinking" if isinstance(part.thinking, str):
                    yield "thinking", part.thinking, None
                case "tool_use" | "toolCall" if part.name:
                    self._called(part.id, part.name)
                    yield "call", _arguments(part.input or part.arguments), part.name
                case "tool_result":
                    yield "result", _text(part.content), self._tool(part.tool_use_id)

    def _codex(self, entry: _Entry) -> Iterator[tuple[Role, str, str | None]]:
        payload = decode(_payloads, entry.payload) if entry.payload else None
        if payload is None:
            return
        if entry.type == "session_meta":
            self.memory.session = self.memory.session or fit(payload.id) or ""
        if entry.type != "response_item":
            return
        match payload.type:
            case "message" if payload.role in ("user", "assistant"):
                if not _text(payload.content).startswith("# AGENTS.md"):
                    yield from self._items("user" if payload.role == "user" else "assistant", payload.content)
            case "reasoning":
                yield "thinking", _text(payload.summary), None
            case "function_call" | "custom_tool_call" | "local_shell_call":
                name = payload.name or "shell"
                self._called(payload.call_id, name)
                yield "call", _arguments(payload.arguments or payload.input or payload.action), name
            case "function_call_output" | "custom_tool_call_output":
                yield "result", _text(payload.output), self._tool(payload.call_id)

    def _called(self, id_: str | None, name: str) -> None:
        tools = self.memory.tools
        if id_:
            tools[id_] = name
        while len(tools) > _MAX_TOOLS:
            del tools[next(iter(tools))]

    def _tool(self, call_id: str | None) -> str | None:
        return self.memory.tools.get(call_id or "")


def _arguments(arguments: Any) -> str:
    """Write a call's arguments as lines of names and values."""
    if isinstance(arguments, str):
        text = arguments
        try:
            arguments = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return text
    if not isinstance(arguments, dict):
        return "" if arguments is None else _value(arguments)
    if len(arguments) == 1:
        return _value(next(iter(arguments.values())))
    return "\n".join(f"{name}: {_value(value)}" for name, value in arguments.items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return msgspec.json.encode(value).decode("utf-8", "replace")


def _text(content: Any, depth: int = _MAX_DEPTH) -> str:
    """Return the texts of a content, however they are wrapped."""
    if isinstance(content, str):
        return content
    if depth and isinstance(content, list):
        return "\n".join(filter(None, (_text(part, depth - 1) for part in content)))
    if depth and isinstance(content, dict):
        return _text(content.get("text") or content.get("content") or content.get("output"), depth - 1)
    return ""
