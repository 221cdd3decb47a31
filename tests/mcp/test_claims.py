"""Two agents that claim from one queue: each task is done once, and all of them are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.testing import start_server
from tests.mcp.callers import bridged, connect, get
from tests.mcp.claims import Shift, edited_by_hand, in_time
from tests.nats_process import NatsProcess
from tests.process.nodes import Campus

pytestmark = [pytest.mark.anyio, pytest.mark.process]


def tasks_of(url: str) -> dict[str, object]:
    return {task["id"]: task for task in get(url, "/api/tasks?limit=1000")["tasks"]}


async def test_two_agents_work_off_a_queue_without_doing_anything_twice(tmp_path: Path) -> None:
    shift = Shift()
    with start_server(tmp_path / "workspace") as server:
        async with in_time(60) as tasks:
            tasks.start_soon(shift.add, connect(server.url), 60.0, 250)
            tasks.start_soon(shift.work, connect(server.url), "scout")
            tasks.start_soon(shift.work, bridged(server.url, mode="legacy"), "forge")
        assert len(shift.added) == 250
        assert set(shift.holders.values()) == {"scout", "forge"}
        shift.check(tasks_of(server.url))


async def test_they_do_so_while_the_queues_file_is_edited(tmp_path: Path) -> None:
    shift = Shift()
    with start_server(tmp_path / "workspace") as server, edited_by_hand(server.workspace, shift, 3.0):
        async with in_time(60) as tasks:
            tasks.start_soon(shift.add, connect(server.url), 3.0, 150)
            tasks.start_soon(shift.work, connect(server.url), "scout")
            tasks.start_soon(shift.work, connect(server.url, mode="legacy"), "forge")
        assert any(id_.startswith("HAND-") for id_ in shift.added)
        shift.check(tasks_of(server.url))


@pytest.mark.nats
async def test_they_do_so_at_two_nodes_of_a_fleet(tmp_path: Path, nats: NatsProcess) -> None:
    shift = Shift()
    campus = Campus(tmp_path, nats.url)
    try:
        alpha, beta = (
            await asyncio.to_thread(campus.add, "alpha"),
            await asyncio.to_thread(campus.add, "beta"),
        )
        async with in_time(60) as tasks:
            tasks.start_soon(shift.add, connect(alpha.url), 60.0, 60)
            tasks.start_soon(shift.add, connect(beta.url), 60.0, 60)
            tasks.start_soon(shift.work, connect(alpha.url), "scout")
            tasks.start_soon(shift.work, connect(beta.url), "forge")
        await campus.in_step()
        assert set(shift.holders.values()) == {"scout@alpha", "forge@beta"}
        for node in (alpha, beta):
            shift.check(tasks_of(node.url))
    finally:
        campus.close()
