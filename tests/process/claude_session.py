"""A session of Claude Code, as far as others see it: its hooks, and the transcript that grows next to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from missioncontrol.testing import ServerProcess

Object = dict[str, Any]


class ClaudeSession:
    """One session that works in `cwd`; `parent` where it is a sub-agent's.

    With `transcript` its lines are written, with `hooks` its hooks are sent: both tell of the same.
    """

    def __init__(
        self,
        server: ServerProcess,
        home: Path,
        *,
        id_: str = "00893aaf-19fa-41d2-8238-13269b9b3ca0",
        cwd: str = "/home/anna/shop",
        parent: str | None = None,
        transcript: bool = True,
        hooks: bool = True,
    ) -> None:
        self.id = id_
        self._server = server
        self._cwd = cwd
        self._parent = parent
        self._hooks = hooks
        self._count = self._message = 0
        project = home / "projects" / "-home-anna-shop"
        folder = project if parent is None else project / parent / "subagents"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{id_}.jsonl" if transcript else None

    def hook(self, event: str, query: str = "", **fields: Any) -> httpx.Response:
        """Send a hook, if this session sends any."""
        payload = {
            "session_id": self._parent or self.id,
            "transcript_path": str(self._file),
            "cwd": self._cwd,
            "permission_mode": "default",
            "hook_event_name": event,
            **(
                {}
                if self._parent is None
                else {"agent_id": self.id.removeprefix("agent-"), "agent_type": "Explore"}
            ),
            **fields,
        }
        url = f"{self._server.url}/api/hooks/claude{query}"
        return httpx.post(url, json=payload, timeout=30) if self._hooks else httpx.Response(204)

    def prompt(self, text: str, query: str = "") -> httpx.Response:
        """Say something to it."""
        answer = self.hook("UserPromptSubmit", query, prompt=text)
        self.write({"type": "user", "message": {"role": "user", "content": text}})
        return answer

    def call(self, tool: str, arguments: Object, *, beside: bool = False) -> str:
        """Have it call a tool, or one more `beside` the one before; returns the call's id."""
        self._count += 1
        if not beside:
            self._message += 1
        id_ = f"toolu_{self.id[:8]}_{self._count}"
        item = {"type": "tool_use", "id": id_, "name": tool, "input": arguments}
        self.write(self._answer([item], "tool_use"))
        answer = self.hook("PreToolUse", tool_name=tool, tool_input=arguments, tool_use_id=id_)
        assert answer.status_code == 204
        return id_

    def returned(self, tool: str, arguments: Object, id_: str) -> None:
        """Have the tool come back."""
        fields: Object = {
            "tool_name": tool,
            "tool_input": arguments,
            "tool_use_id": id_,
            "tool_response": {"stdout": "ok"},
        }
        assert self.hook("PostToolUse", **fields).status_code == 204
        result = {"type": "tool_result", "tool_use_id": id_, "content": "ok"}
        self.write({"type": "user", "message": {"role": "user", "content": [result]}})

    def end_turn(self) -> None:
        """Have it answer."""
        self._message += 1
        self.write(self._answer([{"type": "text", "text": "Done."}], "end_turn"))
        assert self.hook("Stop", stop_hook_active=False, last_assistant_message="Done.").status_code == 204

    def write(self, line: Object) -> None:
        """Write a line of the transcript, if this session has one."""
        if self._file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._count += 1
        common = {
            "uuid": f"{self.id}-{self._count}",
            "sessionId": self._parent or self.id,
            "timestamp": now,
            "cwd": self._cwd,
            "version": "2.1.90",
            "isSidechain": self._parent is not None,
        }
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**common, **line}) + "\n")

    def _answer(self, content: list[Object], stop_reason: str) -> Object:
        usage = {"input_tokens": 10, "output_tokens": 5}
        message = {
            "id": f"msg_{self.id[:8]}_{self._message}",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": content,
            "stop_reason": stop_reason,
            "usage": usage,
        }
        return {"type": "assistant", "message": message}


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < deadline, "it does not become so"
        sleep(0.02)
    return found
