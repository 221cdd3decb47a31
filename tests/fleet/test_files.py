"""The files source, over real files."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest
from tests.fleet.world import World

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.files import Files

pytestmark = pytest.mark.anyio


async def test_the_first_start_takes_what_is_there_as_the_baseline(world: World) -> None:
    world.write("notes/a.md", "a")
    await world.start()
    world.write("notes/b.md", "b")
    await world.until(lambda: world.files())
    assert world.files() == [("created", "notes/b.md")]


async def test_a_change_says_what_and_where_and_whose(world: World) -> None:
    await world.start()
    world.write("mission-control/agents/scout/reports/market.tar.gz", "1234")
    await world.until(lambda: world.files())
    assert world.told("file:change") == [
        {
            "action": "created",
            "path": "mission-control/agents/scout/reports/market.tar.gz",
            "agentId": "scout",
            "size": 4,
            "extension": ".gz",
            "foundAtStart": None,
        }
    ]
    assert world.records[0].data["timestamp"].endswith("Z")


async def test_a_time_of_another_century_keeps_no_other_file_from_being_seen(world: World) -> None:
    world.write("before.md", "a")
    os.utime(world.root / "before.md", (2**34, 2**34))
    await world.start()
    world.write("after.md", "b")
    os.utime(world.root / "after.md", (2**34, 2**34))
    await world.until(lambda: len(world.files()) == 1)
    world.write("c.md", "c")
    await world.until(lambda: len(world.files()) == 2)
    assert world.files() == [("created", "after.md"), ("created", "c.md")]


async def test_a_file_is_created_modified_and_deleted(world: World) -> None:
    await world.start()
    path = world.root / "Makefile"
    path.write_text("all:")
    await world.until(lambda: len(world.files()) == 1)
    path.write_text("all: test")
    await world.until(lambda: len(world.files()) == 2)
    path.unlink()
    await world.until(lambda: len(world.files()) == 3)
    assert [(data["action"], data["size"]) for data in world.told()] == [
        ("created", 4),
        ("modified", 9),
        ("deleted", None),
    ]


async def test_one_write_is_one_event(world: World) -> None:
    world.write("old.txt", "old")
    await world.start()
    world.write("new.txt", "new")
    world.write("old.txt", "newer")
    with (world.root / "slow.txt").open("w") as slow:
        slow.flush()
        await asyncio.sleep(0.03)
        slow.write("content")
    await world.until(lambda: len(world.files()) >= 3)
    await world.silence()
    assert sorted(world.files()) == [("created", "new.txt"), ("created", "slow.txt"), ("modified", "old.txt")]
    assert {data["path"]: data["size"] for data in world.told()}["slow.txt"] == 7


async def test_a_temporary_file_that_is_renamed_shows_as_its_target_alone(world: World) -> None:
    world.write("report.md", "one")
    await world.start()
    for beside, target in (("report.md.tmp", "report.md"), ("tmpx8k2", "fresh.md")):
        world.write(beside, "two!")
        os.replace(world.root / beside, world.root / target)  # noqa: PTH105
    await world.until(lambda: len(world.files()) >= 2)
    await world.silence()
    assert sorted(world.files()) == [("created", "fresh.md"), ("modified", "report.md")]


async def test_a_file_that_is_away_for_an_instant_is_not_deleted(world: World) -> None:
    world.write("config.yml", "one")
    await world.start()
    (world.root / "config.yml").rename(world.root / "config.yml~")
    await asyncio.sleep(0.03)
    world.write("config.yml", "three")
    await world.until(lambda: world.files())
    await world.silence()
    assert world.files() == [("modified", "config.yml")]


async def test_a_file_that_is_written_all_the_time_tells_a_few_times_a_second_and_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.files.QUIET_SECONDS", 0.3)
    await world.start()
    with (world.root / "output.log").open("w") as log:
        for _ in range(100):
            log.write("x" * 10)
            log.flush()
            await asyncio.sleep(0.01)
    await world.until(lambda: world.told() and world.told()[-1]["size"] == 1000)
    assert 3 <= len(world.files()) <= 7


async def test_writing_the_same_length_again_is_a_modification(world: World) -> None:
    world.write("a.txt", "same")
    await world.start()
    world.write("a.txt", "size")
    await world.until(lambda: world.files())
    assert world.files() == [("modified", "a.txt")]


async def test_what_is_ignored_is_not_told(world: World) -> None:
    await world.start()
    for path in (
        ".git/HEAD",
        "sub/.git/objects/ab/cdef",
        "node_modules/x/index.js",
        "pkg/node_modules/y.js",
        ".hidden",
        ".cache/deep/file.txt",
        "a.tmp",
        "state.json.tmp.1234",
        "b.swp",
        "c~",
        ".#lock",
        "#autosave#",
        "4913",
        "video.mp4.part",
        "setup.exe.crdownload",
        "lib/__pycache__/m.cpython-311.pyc",
        "data.sqlite-wal",
    ):
        world.write(path, "x")
    world.write("told.txt", "x")
    await world.until(lambda: world.files())
    await world.silence()
    assert world.files() == [("created", "told.txt")]


async def test_what_other_sources_tell_is_left_to_them(world: World) -> None:
    await world.start()
    for path in (
        "mission-control/agents/scout/state.json",
        "mission-control/agents/sentry/state.json",
        "mission-control/agents/scout/SOUL.md",
        "mission-control/TASK_QUEUE.json",
        "mission-control/TASK_QUEUE.md",
        "mission-control/data/leads.json",
        "mission-control/dashboard/data/scored-leads-v2.json",
    ):
        world.write(path, "{}")
    world.write("mission-control/agents/scout/notes/state.json", "{}")
    await world.until(lambda: world.files())
    await world.silence()
    assert world.files() == [("created", "mission-control/agents/scout/notes/state.json")]


async def test_the_user_ignores_more_and_less(world: World) -> None:
    world.config.sources = SourcesConfig(ignore=["*.log", "/build/", "!wanted.part"])
    await world.start()
    for path in ("a.log", "build/x.txt", "deep/b.log", "wanted.part"):
        world.write(path, "x")
    world.write("deep/build/y.txt", "x")
    await world.until(lambda: len(world.files()) >= 2)
    await world.silence()
    assert sorted(world.files()) == [("created", "deep/build/y.txt"), ("created", "wanted.part")]


async def test_what_is_ignored_since_the_last_start_is_not_called_deleted(world: World) -> None:
    world.write("a.log", "x")
    await world.start()
    await world.stop()
    world.config.sources = SourcesConfig(ignore=["*.log"])
    await world.start()
    world.write("b.txt", "x")
    await world.until(lambda: world.files())
    assert world.files() == [("created", "b.txt")]
    assert "a.log" not in await world.log.recall("files")


async def test_our_own_data_folder_in_the_workspace_is_not_told(world: World) -> None:
    world.config.data = str(world.root / "own" / "data")
    await world.start()
    world.write("own/data/events.sqlite", "x")
    world.write("own/told.txt", "x")
    await world.until(lambda: world.files())
    await world.silence()
    assert world.files() == [("created", "own/told.txt")]


async def test_symbolic_links_are_neither_told_nor_followed(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    world.write("inside/real.txt", "x")
    (world.root / "early").symlink_to(outside)
    await world.start()
    (world.root / "late").symlink_to(outside)
    (world.root / "link.txt").symlink_to(outside / "secret.txt")
    (world.root / "loop").symlink_to(world.root)
    (world.root / "again").symlink_to(world.root / "inside")
    (outside / "secret.txt").write_text("more")
    (outside / "new.txt").write_text("x")
    world.write("inside/real.txt", "more")
    await world.until(lambda: world.files())
    await world.silence()
    assert world.files() == [("modified", "inside/real.txt")]


async def test_a_folder_that_becomes_a_link_takes_its_files_with_it(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    world.write("docs/a.txt", "x")
    shutil.copytree(world.root / "docs", outside)
    await world.start()
    shutil.rmtree(world.root / "docs")
    (world.root / "docs").symlink_to(outside)
    await world.until(lambda: world.files())
    assert world.files() == [("deleted", "docs/a.txt")]


async def test_files_in_folders_that_were_just_made_are_found(world: World) -> None:
    await world.start()
    expected = set()
    for number in range(30):
        path = f"new-{number}/deep/er/file.txt"
        world.write(path, "x")
        expected.add(("created", path))
    await world.until(lambda: len(world.files()) >= 30)
    world.write("new-7/deep/er/later.txt", "x")
    await world.until(lambda: len(world.files()) >= 31)
    await world.silence()
    assert sorted(world.files()) == sorted([*expected, ("created", "new-7/deep/er/later.txt")])


async def test_a_folder_that_is_renamed_moves_its_files_and_goes_on_being_watched(world: World) -> None:
    world.write("old/a/x.txt", "x")
    world.write("old/y.txt", "y")
    await world.start()
    (world.root / "old").rename(world.root / "new")
    await world.until(lambda: len(world.files()) >= 4)
    assert sorted(world.files()) == [
        ("created", "new/a/x.txt"),
        ("created", "new/y.txt"),
        ("deleted", "old/a/x.txt"),
        ("deleted", "old/y.txt"),
    ]
    world.write("new/a/x.txt", "more")
    world.write("old/z.txt", "z")
    await world.until(lambda: len(world.files()) >= 6)
    assert sorted(world.files()[4:]) == [("created", "old/z.txt"), ("modified", "new/a/x.txt")]


async def test_folders_that_change_places_are_told_apart(world: World) -> None:
    world.write("a/one.txt", "1")
    world.write("b/two.txt", "2")
    await world.start()
    (world.root / "a").rename(world.root / "c")
    (world.root / "b").rename(world.root / "a")
    (world.root / "c").rename(world.root / "b")
    await world.until(lambda: len(world.files()) >= 4)
    world.write("a/two.txt", "22")
    await world.until(lambda: len(world.files()) >= 5)
    await world.silence()
    assert sorted(world.files()[:4]) == [
        ("created", "a/two.txt"),
        ("created", "b/one.txt"),
        ("deleted", "a/one.txt"),
        ("deleted", "b/two.txt"),
    ]
    assert world.files()[4:] == [("modified", "a/two.txt")]


async def test_what_changed_while_nobody_watched_is_told_at_the_next_start(world: World) -> None:
    for name in ("same", "changed", "gone"):
        world.write(f"{name}.txt", "x")
    await world.start()
    await world.stop()
    world.write("changed.txt", "more")
    (world.root / "gone.txt").unlink()
    world.write("new.txt", "new")
    await world.start()
    await world.until(lambda: len(world.files()) >= 3)
    assert sorted(world.files()) == [
        ("created", "new.txt"),
        ("deleted", "gone.txt"),
        ("modified", "changed.txt"),
    ]
    assert all(data["foundAtStart"] for data in world.told())
    await world.restart()
    await world.silence()
    assert len(world.files()) == 3


async def test_an_empty_workspace_has_a_baseline_too(world: World) -> None:
    await world.start()
    await world.stop()
    world.write("first.txt", "x")
    await world.start()
    await world.until(lambda: world.files())
    assert world.told()[0]["foundAtStart"] is True


async def test_nothing_is_lost_or_repeated_while_the_log_is_in_trouble(world: World) -> None:
    await world.start()
    world.log.trouble = "There is no room for the log."
    world.write("a.txt", "x")
    await world.log.tried.wait()
    world.write("b.txt", "x")
    world.write("a.txt", "more")
    assert world.supervisor is not None
    assert world.supervisor.health()["files"].error == "There is no room for the log."
    world.log.trouble = None
    await world.until(lambda: len(world.files()) >= 3)
    await world.silence()
    assert sorted(world.files()) == [("created", "a.txt"), ("created", "b.txt"), ("modified", "a.txt")]
    assert world.files()[0] == ("created", "a.txt")
    assert world.supervisor.health()["files"].error is None


async def test_thousands_of_files_at_once_are_each_told_once(world: World) -> None:
    await world.start()
    for number in range(3000):
        world.write(f"bulk/{number % 20}/{number}.txt", "x")
    await world.until(lambda: len(world.files()) >= 3000)
    await world.silence()
    assert len(world.files()) == len(set(world.files())) == 3000


async def test_names_that_are_not_utf8_are_told_readably(world: World) -> None:
    await world.start()
    odd = os.fsencode(world.root) + b"/caf\xe9.txt"
    os.close(os.open(odd, os.O_CREAT | os.O_WRONLY))
    world.write("naïve ☕.txt", "x")
    await world.until(lambda: len(world.files()) == 2)
    os.unlink(odd)  # noqa: PTH108
    await world.until(lambda: len(world.files()) == 3)
    await world.restart()
    assert sorted(world.files()) == [
        ("created", "caf\\xe9.txt"),
        ("created", "naïve ☕.txt"),
        ("deleted", "caf\\xe9.txt"),
    ]


async def test_a_workspace_that_vanishes_is_not_taken_for_deleted_files(world: World) -> None:
    world.write("a.txt", "x")
    await world.start()
    away = world.root.with_name("away")
    world.root.rename(away)
    await world.until(lambda: world.alerts())
    assert "workspace" in world.alerts()[0]
    assert world.supervisor is not None
    assert world.supervisor.health()["workspace"].status == "failed"
    away.rename(world.root)
    world.write("b.txt", "x")
    await world.until(lambda: world.files())
    assert world.files() == [("created", "b.txt")]
    assert len(world.alerts()) == 1
    assert world.supervisor.health()["workspace"].status == "running"


async def test_the_events_tell_the_files_that_are_there_after_any_churn(world: World) -> None:
    choose = random.Random(7)
    for number in range(20):
        world.write(f"d{number % 4}/f{number}.txt", "x")
    await world.start()
    there = {path.relative_to(world.root).as_posix() for path in world.root.rglob("*.txt")}

    def somewhere() -> Path:
        return world.root / f"d{choose.randrange(6)}"

    for _ in range(400):
        folder, file = somewhere(), f"f{choose.randrange(20)}.txt"
        action = choose.randrange(10)
        if action < 5:
            folder.mkdir(exist_ok=True)
            (folder / file).write_text("x" * choose.randrange(50))
        elif action < 8:
            (folder / file).unlink(missing_ok=True)
        elif action == 8 and folder.exists() and not (target := somewhere()).exists():
            folder.rename(target)
        elif action == 9 and choose.random() < 0.2:
            shutil.rmtree(folder, ignore_errors=True)
        if choose.random() < 0.1:
            await asyncio.sleep(0.01)
        if choose.random() < 0.01:
            await world.restart()

    def folded() -> set[str]:
        files = set(there)
        for action, path in world.files():
            # A path is created only where it was not, and changed or deleted only where it was.
            assert (path in files) == (action != "created")
            files.discard(path) if action == "deleted" else files.add(path)
        return files

    await world.silence()
    assert folded() == {path.relative_to(world.root).as_posix() for path in world.root.rglob("*.txt")}


async def test_an_agents_files_are_its_activity(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("missioncontrol.fleet.activity.EVERY_SECONDS", 0.3)
    world.write("agents/scout/state.json", {"status": "busy"})
    world.write("agents/scout/old.md", "old")
    await world.start()
    world.write("agents/scout/new.md", "new")
    await world.until(lambda: world.told("agent:activity"))
    first = world.told("agent:activity")[0]
    assert (first["agentId"], first["fileCount"]) == ("scout", 2)
    for number in range(5):
        world.write(f"agents/scout/{number}.md", "more")
    await world.until(lambda: world.told("agent:activity")[-1]["fileCount"] == 7)
    # What follows at once is told together.
    assert len(world.told("agent:activity")) <= 3
    assert (await world.agent("scout"))["lastActivity"] == world.told("agent:activity")[-1]["lastActivity"]


async def test_what_no_source_reads_is_a_file_like_any_other(world: World) -> None:
    for path in (
        "mission-control/agents/scout/state.json",
        "agents/left/state.json",
        "mission-control/TASK_QUEUE.json",
        "mission-control/TASK_QUEUE.md",
        "mission-control/data/leads.json",
        "mission-control/data/scored-leads-v2.json",
        "mission-control/dashboard/data/leads.json",
    ):
        world.write(path, '{"tasks": [], "leads": []}')
    await world.start()
    for path in ("agents/left/state.json", "mission-control/TASK_QUEUE.md"):
        world.write(path, "# changed, and no JSON")
    world.write("mission-control/dashboard/data/leads.json", '{"leads": [{"id": "a"}]}')
    world.write("mission-control/dashboard/data/scored-leads-v2.json", '{"leads": []}')
    world.write("agents/left/SOUL.md", "**Name:** Left")
    await world.until(lambda: len(world.files()) >= 5)
    await world.silence()
    assert sorted(world.files()) == [
        ("created", "agents/left/SOUL.md"),
        ("created", "mission-control/dashboard/data/scored-leads-v2.json"),
        ("modified", "agents/left/state.json"),
        ("modified", "mission-control/TASK_QUEUE.md"),
        ("modified", "mission-control/dashboard/data/leads.json"),
    ]
    assert not world.told("lead:added")
    assert not world.alerts()


async def test_what_a_source_stops_reading_is_known_without_an_event_and_changes_from_then_on(
    world: World,
) -> None:
    table = "mission-control/TASK_QUEUE.md"
    world.write(table, "| ID | Description |\n|---|---|\n| TASK-0001 | Read |\n")
    world.write("agents/left/state.json", {"status": "idle"})
    await world.start()
    assert world.supervisor is not None
    files, queue = world.supervisor.source(Files), world.supervisor.workspace.queue
    assert not files.index
    assert queue.path == table
    world.write("mission-control/TASK_QUEUE.json", {"tasks": []})
    world.write("mission-control/agents/scout/state.json", {"status": "idle"})
    await world.eventually(lambda: sorted(files.index) == ["agents/left/state.json", table])
    await world.eventually(lambda: queue.json_seen)
    assert not world.files()
    world.write(table, "more")
    await world.until(world.files)
    (world.root / "mission-control/TASK_QUEUE.json").unlink()
    shutil.rmtree(world.root / "mission-control/agents")
    await world.eventually(lambda: list(files.index) == [table])
    world.write("agents/left/state.json", {"status": "busy"})
    world.write(table, "still no queue: that has been the JSON")
    await world.until(lambda: len(world.files()) == 2)
    await world.restart()
    await world.silence()
    assert world.files() == [("modified", table), ("modified", table)]
