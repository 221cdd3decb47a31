"""A minute of claiming over MCP, by two agents in several sessions each, with the file edited, and at two nodes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlencode

import pytest

from missioncontrol.testing import start_server
from tests.mcp.callers import bridged, connect, get
from tests.mcp.claims import Shift, edited_by_hand, in_time
from tests.nats_process import NatsProcess
from tests.process.nodes import Campus

pytestmark = [pytest.mark.anyio, pytest.mark.stress, pytest.mark.timeout(300)]

SECONDS = float(os.environ.get("MISSION_CONTROL_CLAIM_SECONDS", "60"))


def tasks_of(url: str) -> dict[str, object]:
    found: dict[str, object] = {}
    after = ""
    while True:
        page = get(url, f"/api/tasks?limit=1000{after}")
        found |= {task["id"]: task for task in page["tasks"]}
        if "next" not in page:
            return found
        after = f"&{urlencode({'after': page['next']})}"


async def test_a_minute_of_claiming_while_the_queues_file_is_edited(tmp_path: Path) -> None:
    shift = Shift()
    with start_server(tmp_path / "workspace") as server, edited_by_hand(server.workspace, shift, SECONDS):
        async with in_time(SECONDS + 60) as tasks:
            tasks.start_soon(shift.add, connect(server.url), SECONDS, 100_000)
            for agent in ("scout", "forge"):
                tasks.start_soon(shift.work, connect(server.url), agent)
                tasks.start_soon(shift.work, bridged(server.url, mode="legacy"), agent)
        shift.check(tasks_of(server.url))
    print(f"{len(shift.claimed):,} tasks in {SECONDS:g} seconds")


@pytest.mark.nats
async def test_a_minute_of_claiming_at_two_nodes(tmp_path: Path, nats: NatsProcess) -> None:
    shift = Shift()
    campus = Campus(tmp_path, nats.url)
    try:
        alpha, beta = (
            await asyncio.to_thread(campus.add, "alpha"),
            await asyncio.to_thread(campus.add, "beta"),
        )
        async with in_time(SECONDS + 60) as tasks:
            for node, agent in ((alpha, "scout"), (beta, "forge")):
                tasks.start_soon(shift.add, connect(node.url), SECONDS, 100_000)
                tasks.start_soon(shift.work, connect(node.url), agent)
                tasks.start_soon(shift.work, connect(node.url, mode="legacy"), agent)
        await campus.in_step()
        for node in (alpha, beta):
            shift.check(tasks_of(node.url))
    finally:
        campus.close()
    print(f"{len(shift.claimed):,} tasks in {SECONDS:g} seconds")
