"""Many files, and how soon a write is an event that lasts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest
from tests.sources.world import World

from missioncontrol.config import Config
from missioncontrol.sources import Supervisor
from missioncontrol.sources.ignore import Ignore
from missioncontrol.sources.notices import InotifyNotices
from missioncontrol.state import FleetState
from missioncontrol.store import SqliteLog

pytestmark = pytest.mark.anyio


async def test_five_thousand_files_are_a_baseline_in_a_moment(world: World) -> None:
    for number in range(5_000):
        folder = world.root / f"d{number % 200}"
        if number < 200:
            folder.mkdir()
        (folder / f"{number}.txt").touch()
    started = monotonic()
    await world.start()
    assert world.supervisor is not None
    assert world.supervisor.health()["files"].status == "running"
    assert monotonic() - started < 1
    assert len(await world.log.recall("files")) == 5_001
    world.write("d7/new.txt", "x")
    await world.until(world.files)
    assert world.files() == [("created", "d7/new.txt")]


async def test_a_write_is_durable_within_a_fraction_of_a_second(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    log = await SqliteLog.open(tmp_path / "data")
    heard: dict[str, float] = {}
    log.listen(lambda records: heard.update((record.data["path"], monotonic()) for record in records))
    supervisor = Supervisor(workspace, log, Config(data=str(tmp_path / "data")), FleetState())
    await supervisor.start()
    written: dict[str, float] = {}
    for number in range(100):
        (workspace / f"{number}.txt").write_text("x")
        written[f"{number}.txt"] = monotonic()
        await asyncio.sleep(0.005)
    async with asyncio.timeout(5):
        while len(heard) < len(written):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await supervisor.stop()
    await log.close()
    delays = sorted(heard[path] - at for path, at in written.items())
    # 25 ms are usual; the margin is for a busy machine.
    assert delays[98] < 0.15


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
