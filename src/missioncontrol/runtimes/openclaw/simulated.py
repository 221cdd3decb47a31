"""The transcripts of the simulated fleet, as OpenClaw's releases up to 2026.7 write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from missioncontrol.runtimes.openclaw.transcript import RUNTIME as RUNTIME

KEPT_BYTES = 256 * 1024
"""How long a transcript may become before its session is reset and a new one begins."""

_MODEL, _PROVIDER = "claude-sonnet-4-5", "anthropic"
_DOLLARS_PER_TOKEN = {"input": 3e-6, "output": 15e-6, "cacheRead": 0.3e-6, "cacheWrite": 3.75e-6}


class Transcripts:
    """An OpenClaw state folder in which every agent has one session."""

    def __init__(self, folder: Path, chance: Random, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._chance = chance
        self._clock = clock
        self._entries = 0
        self._context: dict[str, int] = {}

    def prepare(self, agents: list[str]) -> None:
        """Write the roster."""
        self._folder.mkdir(parents=True, exist_ok=True)
        roster = {"agents": {"list": [{"id": agent} for agent in agents]}}
        path = self._folder / "openclaw.json"
        if not path.exists():
            # Afterwards it belongs to the people who try things with it.
            path.write_text(json.dumps(roster, indent=2) + "\n", encoding="utf-8")

    def asked(self, agent: str, text: str) -> None:
        """Write that an agent is given its work."""
        self._write(agent, {"role": "user", "content": text})

    def called(self, agent: str, path: str, content: str, remark: str) -> None:
        """Write that an agent writes a file, with a remark."""
        call = f"call_{self._entries}"
        arguments = {"path": path, "content": content}
        items = [
            {"type": "text", "text": remark},
            {"type": "toolCall", "id": call, "name": "write", "arguments": arguments},
        ]
        self._write(agent, self._answer(agent, items, "toolUse"))
        result = [{"type": "text", "text": f"Successfully wrote {path}"}]
        self._write(
            agent,
            {
                "role": "toolResult",
                "toolCallId": call,
                "toolName": "write",
                "content": result,
                "isError": False,
            },
        )

    def answered(self, agent: str, text: str, *, failed: bool = False) -> None:
        """Write that an agent ends its turn."""
        message = self._answer(agent, [{"type": "text", "text": text}], "error" if failed else "stop")
        if failed:
            message["errorMessage"] = text
            message["usage"] = _usage(0, 0, 0, 0)
        self._write(agent, message)

    def _answer(self, agent: str, content: list[Any], reason: str) -> dict[str, Any]:
        known = self._context.get(agent, 0)
        new = self._chance.randint(300, 2_500)
        output = self._chance.randint(40, 500)
        self._context[agent] = (known + new + output) % 60_000
        return {
            "role": "assistant",
            "content": content,
            "api": "anthropic-messages",
            "provider": _PROVIDER,
            "model": _MODEL,
            "usage": _usage(12, output, known, new),
            "stopReason": reason,
            "responseId": f"msg_{self._entries}",
        }

    def _write(self, agent: str, message: dict[str, Any]) -> None:
        self._entries += 1
        sessions = self._folder / "agents" / agent / "sessions"
        sessions.mkdir(parents=True, exist_ok=True)
        path = sessions / f"{agent}-main.jsonl"
        time = self._clock()
        if path.exists() and path.stat().st_size > KEPT_BYTES:
            for old in sessions.glob("*.reset.*"):
                old.unlink(missing_ok=True)
            path.rename(path.with_name(f"{path.name}.reset.{time:%Y-%m-%dT%H-%M-%S}.000Z"))
        stamp = time.isoformat(timespec="milliseconds")
        lines: list[dict[str, Any]] = []
        if not path.exists():
            lines.append({"type": "session", "version": 3, "id": f"{agent}-main", "timestamp": stamp})
        entry = {"type": "message", "id": f"{time.timestamp():.6f}-{self._entries}", "timestamp": stamp}
        lines.append({**entry, "message": {**message, "timestamp": round(time.timestamp() * 1000)}})
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _usage(input_: int, output: int, cache_read: int, cache_write: int) -> dict[str, Any]:
    tokens = {"input": input_, "output": output, "cacheRead": cache_read, "cacheWrite": cache_write}
    cost = {name: tokens[name] * _DOLLARS_PER_TOKEN[name] for name in tokens}
    return {
        **tokens,
        "reasoningTokens": 0,
        "totalTokens": sum(tokens.values()),
        "cost": {**cost, "total": sum(cost.values())},
    }
