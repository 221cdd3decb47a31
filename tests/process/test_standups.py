"""Scheduled standups of real servers: one for each time, through restarts and at several nodes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import publish
from missioncontrol.testing import start_server
from tests.nats_process import NatsProcess
from tests.process.nodes import Campus, get
from tests.process.server_probe import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]

SECONDS = 6
"""How soon a standup is due. A server that takes longer to start holds it late, which is the same to these tests."""


def soon(seconds: int) -> tuple[str, str]:
    """Return a time of day, and a time zone in which it is in so many seconds: a schedule knows of minutes alone."""
    due = time() + seconds
    shift = 60 - int(due) % 60
    local = datetime.fromtimestamp(due, UTC) + timedelta(seconds=shift)
    return f"{local:%H:%M}", f"TST-00:00:{shift % 60:02}" if shift < 60 else "TST-00:01:00"


def write_config(folder: Path, at: str) -> Path:
    file = folder / "mission-control.toml"
    file.write_text(f'[standup]\nat = "{at}"\n')
    return file


async def held(url: str) -> list[str]:
    standups: list[dict[str, Any]] = await get(url, "/api/standups")
    return [str(one.get("scheduled", ""))[11:] for one in standups]


async def begin_log(folder: Path) -> tuple[Path, Path]:
    """Make a workspace and a data folder whose log has an event: before its log began no standup is due."""
    workspace, data = folder / "workspace", folder / "data"
    workspace.mkdir()
    with start_server(workspace, data) as server:
        await asyncio.to_thread(publish, server.url, "custom:event", {})
    return workspace, data


async def test_a_standup_is_held_at_its_time_and_not_again_after_a_kill(tmp_path: Path) -> None:
    workspace, data = await begin_log(tmp_path)
    at, zone = soon(SECONDS)
    options = ["--config", str(write_config(tmp_path, at))]
    with start_server(workspace, data, options=options, env={"TZ": zone}) as server:

        async def is_held() -> bool:
            return await held(server.url) == [at]

        await eventually(is_held, 40.0)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.sleep(1.5)
        assert await held(server.url) == [at]


async def test_one_that_was_missed_is_held_once_at_the_next_start(tmp_path: Path) -> None:
    workspace, data = await begin_log(tmp_path)
    at, zone = soon(1)
    options = ["--config", str(write_config(tmp_path, at))]
    await asyncio.sleep(2)
    with start_server(workspace, data, options=options, env={"TZ": zone}) as server:

        async def is_held() -> bool:
            return await held(server.url) == [at]

        await eventually(is_held, 40.0)


@pytest.mark.nats
async def test_of_two_nodes_one_holds_it_and_under_one_key_there_is_one(
    nats: NatsProcess, tmp_path: Path
) -> None:
    # Late enough that both nodes run when it is due, on a busy machine too.
    at, zone = soon(30)
    campus = Campus(tmp_path, nats.url, "--config", str(write_config(tmp_path, at)), TZ=zone)
    try:
        urls = [(await asyncio.to_thread(campus.add, name)).url for name in ("alpha", "beta")]
        await asyncio.to_thread(publish, urls[0], "custom:event", {})

        async def are_held() -> bool:
            return [await held(url) for url in urls] == [[at], [at]]

        await eventually(are_held, 60.0)

        async def ask(url: str) -> Any:
            async with aiohttp.ClientSession(url) as session:
                response = await session.post("/api/standups", json={"key": "both"})
                return await response.json()

        one, other = await asyncio.gather(*(ask(url) for url in urls))
        assert one == other
        await campus.in_step()
        assert [await held(url) for url in urls] == [["", at], ["", at]]
    finally:
        await asyncio.to_thread(campus.close)
