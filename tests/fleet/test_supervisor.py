"""The frame around the sources: failing, coming back, polling, and being seen."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fleet.world import World

from missioncontrol.config import Config, SourcesConfig
from missioncontrol.errors import ConfigError
from missioncontrol.fleet.agents import Agents
from missioncontrol.fleet.files import Files
from missioncontrol.fleet.source import Feed, Step, Workspace
from missioncontrol.fleet.supervisor import Supervisor
from missioncontrol.state import FleetState
from missioncontrol.store.memory import MemoryLog
from missioncontrol.watch.ignore import Ignore
from missioncontrol.watch.notifications import FileSystemEvents, Inotify, InotifyNotices, WatchfilesNotices

pytestmark = pytest.mark.anyio


class Stumbling:
    """A source that fails a few times before it tells something."""

    name = "stumbling"
    failures = 2

    def __init__(self, workspace: Workspace) -> None:
        self.runs = 0

    async def run(self, feed: Feed) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise RuntimeError("no footing")
        feed.running()
        await feed.publish([Step([feed.draft("custom:walked", {"runs": self.runs})], {})])
        await asyncio.Event().wait()


class Ending(Stumbling):
    """A source that just returns."""

    name = "ending"

    async def run(self, feed: Feed) -> None:
        return


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("missioncontrol.fleet.supervisor.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("missioncontrol.fleet.watcher.POLL_SECONDS", 0.1)


async def test_a_source_that_fails_is_run_again_and_told_once(world: World) -> None:
    world.kinds = (Stumbling, Ending, Files)
    await world.start()
    world.write("a.txt", "x")
    await world.until(lambda: world.told("custom:walked") and world.files() and len(world.alerts()) == 2)
    assert sorted(world.alerts()) == [
        "The source ending failed and is started again: it ended by itself.",
        "The source stumbling failed and is started again: RuntimeError: no footing.",
    ]
    assert world.supervisor is not None
    health = world.supervisor.health()
    assert (health["stumbling"].status, health["stumbling"].restarts) == ("running", 2)
    assert health["stumbling"].error is None
    assert health["ending"].status == "failed"
    assert health["ending"].error == "it ended by itself"
    assert health["files"].status == "running"


async def test_health_says_when_something_was_last_told_and_how_late(world: World) -> None:
    await world.start()
    assert world.supervisor is not None
    names = {
        *("workspace", "agents", "tasks", "leads", "tokens", "messages", "gateway", "questions"),
        *("host", "files"),
    }
    assert set(world.supervisor.health()) == names
    assert world.supervisor.health()["files"].last_event is None
    world.write("a.txt", "x")
    await world.until(world.files)
    await asyncio.sleep(0)
    health = world.supervisor.health()["files"]
    assert health.last_event is not None
    assert health.events == 1
    assert health.lag is not None
    assert 0 < health.lag < 1


async def test_an_event_that_the_log_refuses_does_not_hold_up_the_others(world: World) -> None:
    class Boasting(Stumbling):
        name = "boasting"

        async def run(self, feed: Feed) -> None:
            feed.running()
            large = feed.draft("custom:large", {"text": "x" * 300_000})
            await feed.publish([Step([large], {"large": b"1"}), Step([feed.draft("custom:small", {})], {})])
            await asyncio.Event().wait()

    world.kinds = (Boasting,)
    await world.start()
    await world.until(lambda: world.told("custom:small"))
    assert [record.type for record in world.records] == ["system:alert", "custom:small"]
    assert "custom:large" in world.alerts()[0]
    assert await world.log.recall("boasting") == {"large": b"1"}


async def test_an_attempt_whose_answer_was_lost_is_not_told_twice(world: World) -> None:
    await world.start()
    append = world.log.append

    async def forgetful(*arguments: object, **named: object) -> list[int]:
        world.log.append = append  # type: ignore[method-assign]
        await append(*arguments, **named)  # type: ignore[arg-type]
        world.log.trouble = "Nobody knows whether it was written."
        world.log.tried.set()
        return await append(*arguments, **named)  # type: ignore[arg-type]

    world.log.append = forgetful  # type: ignore[method-assign]
    world.write("a.txt", "x")
    await world.log.tried.wait()
    world.log.trouble = None
    world.write("b.txt", "x")
    await world.until(lambda: ("created", "b.txt") in world.files())
    assert world.files() == [("created", "a.txt"), ("created", "b.txt")]


async def test_a_pattern_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    config = Config(sources=SourcesConfig(ignore=["a", "!"]))
    with pytest.raises(ConfigError, match=r"sources\.ignore"):
        Supervisor(tmp_path, MemoryLog(), config, FleetState())


class LimitedInotify(Inotify):
    """A kernel that gives three watches and no more."""

    given = 0

    def add(self, path: Path) -> int:
        if self.given >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.given += 1
        return super().add(path)


def no_inotify() -> Inotify:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (LimitedInotify, "limit of inotify watches"),
        (no_inotify, "no file notifications: Too many open files"),
    ],
    ids=["the limit of watches is reached", "there are no notifications at all"],
)
async def test_where_notifications_do_not_reach_the_workspace_is_polled_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Inotify], reason: str
) -> None:
    monkeypatch.setattr(
        "missioncontrol.fleet.watcher.open_notices", lambda root, ignore: InotifyNotices(root, ignore, make)
    )
    for number in range(8):
        world.write(f"d{number}/old.txt", "x")
    world.write("mission-control/agents/scout/state.json", {"status": "idle"})
    await world.start()
    await world.until(world.alerts)
    for number in range(8):
        world.write(f"d{number}/old.txt", "more")
        world.write(f"d{number}/new/new.txt", "x")
    world.write("mission-control/agents/scout/state.json", {"status": "busy"})
    await world.until(lambda: len(world.files()) >= 16 and world.told("agent:statusChange"))
    await world.silence()
    assert len(world.files()) == len(set(world.files())) == 16
    (alert,) = world.alerts()
    assert reason in alert
    assert world.supervisor is not None
    health = world.supervisor.health()["workspace"]
    assert health.status == "running"
    assert reason in (health.note or "")


async def test_a_notification_that_was_lost_is_made_good_by_the_next_look_at_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.watcher.RESCAN_SECONDS", 0.2)
    monkeypatch.setattr(InotifyNotices, "_take", lambda *_: None)
    world.write("mission-control/agents/scout/state.json", {"status": "idle"})
    await world.start()
    world.write("a.txt", "x")
    world.write("mission-control/agents/scout/state.json", {"status": "busy"})
    await world.until(lambda: world.files() and world.told("agent:statusChange"))


async def test_a_queue_of_the_kernel_that_has_run_over_is_made_good_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    take = InotifyNotices._take
    monkeypatch.setattr(InotifyNotices, "_take", lambda self, watch, mask, name: take(self, -1, 0x4000, ""))
    world.write("deep/er/a.txt", "x")
    await world.until(world.files)
    assert world.files() == [("created", "deep/er/a.txt")]


@pytest.fixture(params=[InotifyNotices, WatchfilesNotices])
async def notices(request: pytest.FixtureRequest, tmp_path: Path) -> FileSystemEvents:
    (tmp_path / "there").mkdir()
    (tmp_path / "node_modules").mkdir()
    made: FileSystemEvents = request.param(tmp_path, Ignore())
    return made


async def test_notices_say_where_to_look(notices: FileSystemEvents, tmp_path: Path) -> None:
    await notices.place()
    try:
        async with asyncio.timeout(5):
            (tmp_path / "node_modules" / "x.js").write_text("x")
            (tmp_path / "there" / "a.txt").write_text("x")
            notice = await notices.next()
            assert "there/a.txt" in notice.paths
            assert not any(path.startswith("node_modules/") for path in notice.paths)
            (tmp_path / "new" / "er").mkdir(parents=True)
            (tmp_path / "new" / "er" / "b.txt").write_text("x")
            trees: set[str] = set()
            while "new" not in trees:
                trees |= (await notices.next()).trees
            (tmp_path / "new" / "er").rename(tmp_path / "away")
            while not {"new/er", "away"} <= trees:
                trees |= (await notices.next()).trees
            (tmp_path / "away" / "b.txt").write_text("more")
            while "away/b.txt" not in (await notices.next()).paths:
                pass
    finally:
        await notices.close()


async def test_sources_can_be_stopped_at_any_moment(world: World) -> None:
    world.kinds = (Agents, Files)
    for number in range(300):
        world.write(f"d{number % 30}/e/{number}.txt", "x")
    for pause in (0.0, 0.001, 0.005, 0.02, 0.05):
        supervisor = Supervisor(world.root, world.log, world.config, world.folded)
        world.log.listen(supervisor.committed)
        starting = asyncio.create_task(supervisor.start())
        world.write(f"d1/{pause}.txt", "x")
        await asyncio.sleep(pause)
        await supervisor.stop()
        await starting
    await world.start()
    await world.silence()
    assert len(world.files()) == len(set(world.files()))
