"""An OpenClaw state folder for tests, and what is written into its transcripts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class Runtime:
    """An OpenClaw state folder, with transcripts to be written on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = 0
        folder.mkdir()
        (folder / "openclaw.json").write_text('{"agents": {"list": [{"id": "main"}, {"id": "scout"}]}}')

    def path(self, agent: str, session: str) -> Path:
        return self.folder / "agents" / agent / "sessions" / f"{session}.jsonl"

    def write(self, agent: str, *messages: dict[str, Any], session: str | None = None) -> None:
        path = self.path(agent, session or f"{agent}-1")
        path.parent.mkdir(parents=True, exist_ok=True)
        lines: list[dict[str, Any]] = []
        if not path.exists():
            lines.append({"type": "session", "version": 3, "id": path.stem, "cwd": "/home/user"})
        for message in messages:
            self._entries += 1
            entry = {"type": "message", "id": f"entry-{self._entries}", "timestamp": iso(time.time())}
            lines.append({**entry, "message": {"timestamp": round(time.time() * 1000), **message}})
        with path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


def said(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answered(cost: float | None = 0.25, reason: str = "stop", **fields: Any) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "input": 100,
        "output": 20,
        "cacheRead": 300,
        "cacheWrite": 0,
        "totalTokens": 420,
    }
    if cost is not None:
        usage["cost"] = {"total": cost}
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": "Done."}],
        "provider": "fake",
        "model": "fake-1",
        "usage": usage,
        "stopReason": reason,
        **fields,
    }


def called(command: str) -> dict[str, Any]:
    call = {"type": "toolCall", "id": "c", "name": "exec", "arguments": {"command": command}}
    return answered(reason="toolUse", content=[call])
