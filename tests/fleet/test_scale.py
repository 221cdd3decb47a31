"""Many files, and that each write is an event that lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.fleet.world import World

from missioncontrol.config import Config
from missioncontrol.events import Record
from missioncontrol.fleet.supervisor import Supervisor
from missioncontrol.state import FleetState
from missioncontrol.store import SqliteLog
from missioncontrol.watch.ignore import Ignore
from missioncontrol.watch.notifications import InotifyNotices

pytestmark = pytest.mark.anyio


async def test_five_thousand_files_are_a_baseline(world: World) -> None:
    for number in range(5_000):
        folder = world.root / f"d{number % 200}"
        if number < 200:
            folder.mkdir()
        (folder / f"{number}.txt").touch()
    await world.start()
    supervisor = world.supervisor
    assert supervisor is not None
    await world.until(lambda: supervisor.health()["files"].status == "running")
    assert len(await world.log.recall("files")) == 5_001
    world.write("d7/new.txt", "x")
    await world.until(world.files)
    assert world.files() == [("created", "d7/new.txt")]


async def test_each_of_many_files_that_are_written_is_durable(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    log = await SqliteLog.open(tmp_path / "data")
    published: set[str] = set()
    done = asyncio.Event()

    def listener(records: Sequence[Record]) -> None:
        published.update(record.data["path"] for record in records)
        if len(published) >= 100:
            done.set()

    log.listen(listener)
    supervisor = Supervisor(workspace, log, Config(data=str(tmp_path / "data")), FleetState())
    log.listen(supervisor.committed)
    await supervisor.start()
    for number in range(100):
        (workspace / f"{number}.txt").write_text("x")
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await done.wait()
    await supervisor.stop()
    await log.close()
    assert published == {f"{number}.txt" for number in range(100)}


async def test_links_and_ignored_folders_cost_no_watches(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    for number in range(50):
        (outside / f"{number}").mkdir(parents=True)
        (world.root / "node_modules" / f"{number}").mkdir(parents=True)
    (world.root / "link").symlink_to(outside)
    (world.root / "src").mkdir()
    notices = InotifyNotices(world.root, Ignore())
    try:
        await notices.place()
        assert set(notices._watches) == {"", "src"}
    finally:
        await notices.close()
