"""`kill -9` in mid-burst: what was acknowledged is there once, and every reader is handed every event once."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Literal

import aiohttp
import pytest
from tests.promise.history import History, publish_over_http, read, whole_log

from missioncontrol.client import Transport
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.anyio, pytest.mark.process]

READERS: list[tuple[str, list[str], Transport | Literal["auto"]]] = [
    ("all over WebSocket", ["*"], "websocket"),
    ("agents over SSE", ["agent"], "sse"),
    ("tasks over long-poll", ["task:step"], "poll"),
    ("all over whatever comes", ["*"], "auto"),
    ("two kinds over whatever comes", ["agent:*", "custom:step"], "auto"),
]


async def rounds(server: ServerProcess, count: int, seed: int) -> History:
    history = History()
    chance = random.Random(seed)
    stop = asyncio.Event()
    since = (await whole_cursor(server.url)).split(":")[0] + ":0"
    readers = [
        asyncio.create_task(read(history, server.url, name, patterns, transport, since))
        for name, patterns, transport in READERS
    ]
    publishers = [
        asyncio.create_task(publish_over_http(history, server.url, f"publisher {n}", stop)) for n in range(3)
    ]
    for _ in range(count):
        target = len(history.acknowledged) + chance.randint(200, 1_500)
        await until(partial(history.has_acknowledged, target), [*readers, *publishers])
        server.kill()
        await asyncio.to_thread(server.start)
    stop.set()
    await asyncio.gather(*publishers)
    log = await whole_log(server.url)
    newest = {
        name: max(
            (e["id"] for e in log if "key" in e["data"] and history.patterns[name].matches(e["type"])),
            default=0,
        )
        for name in history.read
    }
    await until(
        lambda: all(got and got[-1][0] >= newest[name] for name, got in history.read.items()),
        readers,
        seconds=60,
    )
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    history.check(log)
    return history


async def whole_cursor(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/snapshot") as answer:
        return str((await answer.json())["cursor"])


async def until(
    condition: Callable[[], bool], tasks: Sequence[asyncio.Task[None]], seconds: float = 60.0
) -> None:
    """Wait for a condition, and for nothing to have failed meanwhile."""
    deadline = monotonic() + seconds
    while not condition():
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        assert monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_five_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        history = await rounds(server, 5, seed=1)
    assert len(history.acknowledged) > 1_000


@pytest.mark.stress
@pytest.mark.timeout(3_000)
async def test_fifty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("MISSION_CONTROL_SEED", "0")) or random.randrange(2**32)
    print(f"seed {seed}")
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        await rounds(server, 50, seed)
