"""Files in the workspaces that agents have of their own, outside of the watched one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.world import World

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.files import Files
from missioncontrol.watch.notifications import FileSystemEvents, InotifyNotices, WatchfilesNotices

pytestmark = pytest.mark.anyio

SCOUT = "../workspace-scout"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("missioncontrol.fleet.watcher.FIND_SECONDS", 0.05)


def configure(world: World, **workspaces: str | None) -> None:
    """Write an `openclaw.json` with these agents; None for the place that OpenClaw gives an agent by itself."""
    entries = {
        id_: {} if folder is None else {"workspace": os.path.normpath(world.root / folder)}
        for id_, folder in {"main": "", **workspaces}.items()
    }
    beside = world.root.parent / "openclaw.json.new"
    beside.write_text(json.dumps({"agents": {"entries": entries}}))
    beside.replace(world.root.parent / "openclaw.json")


def changes(world: World) -> list[tuple[Any, ...]]:
    return [(data["action"], data["path"], data["agentId"]) for data in world.told("file:change")]


async def test_a_file_in_an_agents_workspace_is_told_as_its_own(world: World, tmp_path: Path) -> None:
    configure(world, scout=None, forge="../elsewhere/forge")
    world.write(f"{SCOUT}/notes/old.md", "old")
    world.write("../elsewhere/forge/old.md", "old")
    world.write("../elsewhere/other.md", "nobody's")
    await world.start()
    world.write(f"{SCOUT}/notes/old.md", "changed")
    world.write(f"{SCOUT}/memory/2026-11-30.md", "new")
    world.write("../elsewhere/forge/deep/new.md", "new")
    (world.root / "../elsewhere/forge/old.md").unlink()
    world.write("../elsewhere/other.md", "still nobody's")
    world.write("../openclaw.json.bak", "{}")
    world.write("shared.md", "of all")
    await world.until(lambda: len(world.files()) >= 5)
    await world.silence()
    assert sorted(changes(world), key=str) == [
        ("created", "../elsewhere/forge/deep/new.md", "forge"),
        ("created", f"{SCOUT}/memory/2026-11-30.md", "scout"),
        ("created", "shared.md", None),
        ("deleted", "../elsewhere/forge/old.md", "forge"),
        ("modified", f"{SCOUT}/notes/old.md", "scout"),
    ]
    await world.until(lambda: len(world.told("agent:activity")) >= 2)
    assert {data["agentId"] for data in world.told("agent:activity")} == {"forge", "scout"}


async def test_what_is_ignored_stays_ignored_and_links_are_not_followed(world: World, tmp_path: Path) -> None:
    world.config.sources = SourcesConfig(ignore=["/build/", "*.log"])
    world.config.data = str(tmp_path / "workspace-scout/own")
    configure(world, scout=None, spy="../workspace-spy")
    secret = tmp_path / "secret"
    secret.mkdir()
    world.write(f"{SCOUT}/here.md", "x")
    (tmp_path / "workspace-spy").symlink_to(secret)
    await world.start()
    (tmp_path / "workspace-scout/out").symlink_to(secret)
    (tmp_path / "workspace-scout/out.md").symlink_to(secret / "key.md")
    (secret / "key.md").write_text("secret")
    for path in ("build/a.md", "a.log", ".git/HEAD", "node_modules/a.js", "a.tmp", "own/events.sqlite"):
        world.write(f"{SCOUT}/{path}", "x")
    world.write(f"{SCOUT}/told.md", "x")
    await world.until(world.files)
    await world.silence()
    assert changes(world) == [("created", f"{SCOUT}/told.md", "scout")]


async def test_a_workspace_that_is_made_later_is_watched_from_its_first_file_on(world: World) -> None:
    configure(world, scout=None)
    await world.start()
    world.write(f"{SCOUT}/AGENTS.md", "x")
    world.write(f"{SCOUT}/memory/a.md", "x")
    await world.until(lambda: len(world.files()) >= 2)
    world.write(f"{SCOUT}/memory/a.md", "more")
    await world.until(lambda: len(world.files()) >= 3)
    await world.silence()
    assert sorted(changes(world)) == [
        ("created", f"{SCOUT}/AGENTS.md", "scout"),
        ("created", f"{SCOUT}/memory/a.md", "scout"),
        ("modified", f"{SCOUT}/memory/a.md", "scout"),
    ]


async def test_a_workspace_that_vanishes_takes_its_files_with_it_and_may_come_back(world: World) -> None:
    configure(world, scout=None)
    world.write(f"{SCOUT}/notes/a.md", "x")
    await world.start()
    (world.root / SCOUT).rename(world.root / "../away")
    await world.until(world.files)
    world.write("../away/notes/b.md", "not watched")
    await world.silence()
    assert changes(world) == [("deleted", f"{SCOUT}/notes/a.md", "scout")]
    world.write(f"{SCOUT}/notes/c.md", "x")
    await world.until(lambda: len(world.files()) >= 2)
    shutil.rmtree(world.root / SCOUT)
    world.write(f"{SCOUT}/notes/d.md", "in another folder of the same name")
    await world.until(lambda: len(world.files()) >= 4)
    world.write(f"{SCOUT}/notes/d.md", "which is watched, too")
    await world.until(lambda: len(world.files()) >= 5)
    assert sorted(changes(world)[1:]) == [
        ("created", f"{SCOUT}/notes/c.md", "scout"),
        ("created", f"{SCOUT}/notes/d.md", "scout"),
        ("deleted", f"{SCOUT}/notes/c.md", "scout"),
        ("modified", f"{SCOUT}/notes/d.md", "scout"),
    ]


async def test_a_folder_that_is_configured_later_is_state_and_no_news(world: World) -> None:
    configure(world)
    for number in range(20):
        world.write(f"../projects/forge/{number}.md", "old")
        os.utime(world.root / f"../projects/forge/{number}.md", (1_700_000_000, 1_700_000_000))
    await world.start()
    assert world.supervisor is not None
    files = world.supervisor.source(Files)
    configure(world, forge="../projects/forge")
    await world.eventually(lambda: len(files.index) == 20)
    world.write("../projects/forge/3.md", "changed")
    await world.until(world.files)
    assert changes(world) == [("modified", "../projects/forge/3.md", "forge")]
    # And what is configured no longer is neither deleted nor watched any more.
    configure(world)
    await world.eventually(lambda: not files.index)
    world.write("../projects/forge/3.md", "changed again")
    await world.silence()
    assert len(world.files()) == 1
    assert await world.log.recall("files") == {"": b"1"}


async def test_over_a_restart_nothing_is_missed_or_repeated(world: World) -> None:
    configure(world, scout=None, forge=None)
    for name in ("same", "changed", "gone"):
        world.write(f"{SCOUT}/{name}.md", "x")
    world.write("../workspace-forge/a.md", "x")
    await world.start()
    await world.restart()
    await world.stop()
    assert not world.files()
    world.write(f"{SCOUT}/changed.md", "more")
    (world.root / SCOUT / "gone.md").unlink()
    world.write(f"{SCOUT}/new.md", "x")
    shutil.rmtree(world.root / "../workspace-forge")
    configure(world, scout=None, forge=None, quill=None)
    world.write(
        "../workspace-quill/found.md", "of an agent that was made meanwhile: state, as at a first start"
    )
    await world.start()
    await world.until(lambda: len(world.files()) >= 4)
    await world.restart()
    world.write("../workspace-quill/found.md", "changed")
    await world.until(lambda: len(world.files()) >= 5)
    await world.silence()
    assert sorted(changes(world)) == [
        ("created", f"{SCOUT}/new.md", "scout"),
        ("deleted", "../workspace-forge/a.md", "forge"),
        ("deleted", f"{SCOUT}/gone.md", "scout"),
        ("modified", "../workspace-quill/found.md", "quill"),
        ("modified", f"{SCOUT}/changed.md", "scout"),
    ]


async def test_an_agents_workspace_inside_the_watched_one_is_watched_once(world: World) -> None:
    configure(world, scout="homes/scout", forge=".homes/forge", above="..")
    world.write("homes/scout/a.md", "x")
    world.write(".homes/forge/a.md", "x")
    await world.start()
    world.write("homes/scout/a.md", "more")
    world.write(".homes/forge/a.md", "more")
    world.write(".homes/other.md", "hidden")
    world.write("../other.md", "above")
    await world.until(lambda: len(world.files()) >= 2)
    await world.silence()
    assert sorted(changes(world)) == [
        ("modified", ".homes/forge/a.md", "forge"),
        ("modified", "homes/scout/a.md", "scout"),
    ]


async def test_more_files_than_are_known_are_said_to_be_too_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.files.MAX_OUTSIDE_FILES", 10)
    configure(world, scout=None)
    for number in range(8):
        world.write(f"{SCOUT}/{number}.md", "x")
    await world.start()
    for number in range(8, 20):
        world.write(f"{SCOUT}/{number}.md", "x")
    world.write("in-the-workspace.md", "x")
    world.write(f"{SCOUT}/3.md", "changed")
    await world.until(lambda: len(world.files()) >= 4)
    await world.silence()
    assert len(world.files()) == 4
    assert world.supervisor is not None
    assert "more than 10 files" in (world.supervisor.health()["files"].note or "")
    assert len(world.supervisor.source(Files).index) == 11


async def test_without_notifications_the_workspaces_of_agents_are_polled_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> FileSystemEvents:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("missioncontrol.fleet.watcher.open_notices", none)
    monkeypatch.setattr("missioncontrol.fleet.watcher.POLL_SECONDS", 0.1)
    configure(world, scout=None, forge=None)
    world.write(f"{SCOUT}/a.md", "x")
    await world.start()
    world.write(f"{SCOUT}/a.md", "more")
    world.write("../workspace-forge/b.md", "new")
    await world.until(lambda: len(world.files()) >= 2)
    shutil.rmtree(world.root / SCOUT)
    await world.until(lambda: len(world.files()) >= 3)
    assert sorted(changes(world)) == [
        ("created", "../workspace-forge/b.md", "forge"),
        ("deleted", f"{SCOUT}/a.md", "scout"),
        ("modified", f"{SCOUT}/a.md", "scout"),
    ]


@pytest.mark.parametrize("kind", [InotifyNotices, WatchfilesNotices])
async def test_the_folders_that_are_followed_may_change_at_any_time(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[FileSystemEvents]
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.watcher.open_notices", kind)
    configure(world, scout=None)
    world.write(f"{SCOUT}/a.md", "x")
    await world.start()
    world.write(f"{SCOUT}/a.md", "more")
    await world.until(lambda: len(world.files()) == 1)
    world.write("../workspace-forge/b.md", "x")
    configure(world, scout=None, forge=None)
    await world.until(lambda: len(world.files()) == 2)
    world.write("../workspace-forge/b.md", "more")
    world.write("inside.md", "x")
    world.write(f"{SCOUT}/a.md", "and more")
    await world.until(lambda: len(world.files()) == 5)
    assert not world.alerts()


async def test_a_large_workspace_that_is_configured_later_does_not_hold_up_the_rest(world: World) -> None:
    configure(world)
    old = (1_700_000_000, 1_700_000_000)
    for number in range(12_000):
        path = world.root.parent / f"large/{number % 40}/{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, old)
    await world.start()
    assert world.supervisor is not None
    files = world.supervisor.source(Files)
    # The watch on the event loop fails the test where anything of this holds it.
    configure(world, forge="../large")
    world.write("meanwhile.md", "x")
    await world.until(world.files)
    await world.eventually(lambda: len(files.index) == 12_001)
    world.write("../large/3/new.md", "x")
    await world.until(lambda: len(world.files()) == 2)
    configure(world)
    await world.eventually(lambda: len(files.index) == 1)
    await world.silence()
    assert changes(world) == [
        ("created", "meanwhile.md", None),
        ("created", "../large/3/new.md", "forge"),
    ]
