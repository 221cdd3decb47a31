"""First starts of a real server over a workspace whose agents' sessions all lie in one folder of OpenClaw."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from missioncontrol.testing import start_server

AGENTS, SESSIONS, TOKENS = 20, 400, 12
PATIENCE = 90.0
"""Seconds in which everything must have been read, on a machine that is busy with other things."""

_BUSY = "while True: pass"


def make_installation(folder: Path) -> Path:
    """Make a state folder of OpenClaw with the agents' workspace in it, and return that."""
    state = folder / "openclaw"
    sessions = state / "agents" / "main" / "sessions"
    sessions.mkdir(parents=True)
    (state / "openclaw.json").write_text('{"agents": {"list": [{"id": "main"}]}}', encoding="utf-8")
    for number in range(AGENTS):
        agent = state / "workspace" / "agents" / f"a{number:02}"
        agent.mkdir(parents=True)
        (agent / "SOUL.md").write_text(f"**Name:** Nova{number:02}\n**Role:** Research\n", encoding="utf-8")
        (agent / "state.json").write_text('{"status": "idle"}', encoding="utf-8")
    for number in range(SESSIONS):
        (sessions / f"s{number:03}.jsonl").write_text(_transcript(number), encoding="utf-8")
    return state / "workspace"


def _transcript(number: int) -> str:
    at = "2026-11-23T10:15:00.000Z"
    asked = {"role": "user", "content": f"You are Nova{number % AGENTS:02}. Go on."}
    usage = {
        "input": 7,
        "output": 5,
        "cacheRead": 0,
        "cacheWrite": 0,
        "totalTokens": TOKENS,
        "cost": {"total": 0.25},
    }
    answered = {
        "role": "assistant",
        "content": [{"type": "text", "text": "Done."}],
        "provider": "fake",
        "model": "fake-1",
        "usage": usage,
        "stopReason": "stop",
    }
    lines: list[dict[str, Any]] = [
        {"type": "session", "version": 3, "id": f"s{number:03}", "cwd": "/home/user"}
    ]
    for part, message in enumerate((asked, answered)):
        lines.append({"type": "message", "id": f"e{number}-{part}", "timestamp": at, "message": message})
    return "".join(json.dumps(line) + "\n" for line in lines)


@contextmanager
def load() -> Iterator[None]:
    """Keep every processor busy within this."""
    busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def start_first(folder: Path, rounds: int) -> None:
    """Start a server on an empty data folder so many times, and hold it to each token being its agent's."""
    workspace = make_installation(folder)
    right = {f"a{number:02}": SESSIONS // AGENTS * TOKENS for number in range(AGENTS)}
    with load():
        for number in range(rounds):
            data = folder / f"data-{number}"
            with start_server(workspace, data, timeout=PATIENCE) as server:
                found = _tokens(server.url)
                until = monotonic() + PATIENCE
                while sum(found.values()) < SESSIONS * TOKENS and monotonic() < until:
                    sleep(0.05)
                    found = _tokens(server.url)
                assert found == right, f"first start {number}: {found}\n{server.log}"
            shutil.rmtree(data)


def _tokens(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/api/snapshot", timeout=60) as answer:
        agents = json.load(answer)["state"]["tokens"]["agents"]
    return {agent: use["tokens"] for agent, use in sorted(agents.items()) if use["tokens"]}
