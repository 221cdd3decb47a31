"""A server may be started and stopped at any moment, whatever its sources read."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import aiohttp
import psutil
import pytest

import tests
from missioncontrol.testing import ServerProcess, start_server
from tests.process.restarts import START_SECONDS, make_installation, survive_restarts, switching, writing
from tests.runtimes.installs import answer

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(600)]

STOPS = """
import asyncio
import random
import sys
from pathlib import Path

sys.setswitchinterval(1e-6)
from missioncontrol.fleet.gateway import Gateway
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.usage.tracker import UsageTracker
from tests.fleet.world import World


async def main():
    chance = random.Random(1)
    for number in range(60):
        folder = Path(sys.argv[1]) / f"world-{number}"
        folder.mkdir()
        world = World(folder)
        world.config.sources.places = {"openclaw": sys.argv[2], "claude": "off", "codex": "off"}
        world.kinds = [UsageTracker, Messages, Gateway]
        starting = asyncio.create_task(world.start())
        await asyncio.sleep(chance.random() * 0.15)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await world.stop()


asyncio.run(main())
"""


def test_sources_may_be_stopped_at_any_moment_of_their_reading(tmp_path: Path) -> None:
    workspace = make_installation(tmp_path, sessions=600)
    root = Path(tests.__file__).parents[1]
    command = [sys.executable, "-X", "faulthandler", "-c", STOPS, str(tmp_path), str(workspace.parent)]
    with writing(workspace):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=root)
    assert ended.returncode == 0, ended.stderr[-4_000:]


def test_a_server_ends_with_0_however_early_it_is_stopped(tmp_path: Path) -> None:
    survive_restarts(tmp_path, 6)


def test_no_stop_waits_for_a_price_table_that_hangs(tmp_path: Path) -> None:
    sessions = tmp_path / ".openclaw/agents/scout/sessions"
    sessions.mkdir(parents=True)
    (tmp_path / ".openclaw/workspace").mkdir()
    unpriced = {"usage": {"input": 100, "output": 7}, "model": "claude-opus-4-5", "provider": "anthropic"}
    # Each day has a price of its own, and each price is asked for several times.
    lines = [answer(number, **unpriced) | {"timestamp": number * 86_400_000} for number in range(5_000)]
    (sessions / "one.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with start_server(tmp_path / ".openclaw/workspace", tmp_path / "data", timeout=START_SECONDS) as server:
        table = price_table_of(server)
        table.suspend()
        try:
            assert get_health(server)["services"]["tokens"]["status"] == "starting"
            began = monotonic()
            assert server.stop() == 0
            assert monotonic() - began < 10
        finally:
            with suppress(psutil.NoSuchProcess):
                table.kill()


def get_health(server: ServerProcess) -> dict[str, Any]:
    with urlopen(f"{server.url}/health", timeout=30) as answer:
        health: dict[str, Any] = json.load(answer)
        return health


def price_table_of(server: ServerProcess) -> psutil.Process:
    """Wait for the process that the server asks for prices."""
    deadline = monotonic() + 60
    while monotonic() < deadline:
        for child in psutil.Process(server.pid).children():
            with suppress(psutil.NoSuchProcess):
                if any("price_table" in part for part in child.cmdline()):
                    return child
        sleep(0.01)
    raise AssertionError(f"it asks for no price\n{server.log}")


async def test_no_request_fails_while_everything_is_read_for_the_first_time(tmp_path: Path) -> None:
    workspace = make_installation(tmp_path, sessions=10)
    folder = workspace.parent / "agents/scout/sessions"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(2_000):
        lines = [{"type": "session", "id": f"file-{number}", "cwd": "/home"}, answer(1_000_000 + number)]
        (folder / f"file-{number}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    paths = [
        "/api/search?q=Go&in=transcripts",
        "/api/search?q=Go&agent=scout",
        "/api/system/status",
        "/metrics",
    ]
    answers: Counter[tuple[str, int]] = Counter()
    read = asyncio.Event()
    with start_server(workspace, tmp_path / "data", env=switching(tmp_path), timeout=START_SECONDS) as server:

        async def ask(session: aiohttp.ClientSession, path: str) -> None:
            while not read.is_set():
                async with session.get(path) as answer:
                    await answer.read()
                    answers[path, answer.status] += 1

        async def wait_until_read(session: aiohttp.ClientSession) -> None:
            while True:
                async with session.get("/health") as answer:
                    health = await answer.json()
                    answers["/health", answer.status] += 1
                    if health["services"]["tokens"]["status"] != "starting":
                        break
            read.set()

        async with aiohttp.ClientSession(server.url) as session, asyncio.TaskGroup() as group:
            for path in paths * 3:
                group.create_task(ask(session, path))
            group.create_task(wait_until_read(session))
        failed = {key: count for key, count in answers.items() if key[1] == 500}
        assert failed == {}, server.log[-4_000:]
        assert {path for path, _ in answers} == {*paths, "/health"}
