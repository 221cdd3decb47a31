"""Looking at files of a workspace: links are never followed, and what cannot be read is never taken for gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from missioncontrol.events import rfc3339
from missioncontrol.fleet.layout import agent_named, agent_of, owned
from missioncontrol.watch.paths import readable
from missioncontrol.watch.tree import (
    Content,
    folders_to,
    look,
    modified_ns,
    only_renumbered,
    read_file,
    size_of,
    walk,
)

NEVER = lambda path: False  # noqa: E731


def test_a_file_is_read_with_the_time_of_its_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    os.utime(tmp_path / "a", ns=(1_000_000_001, 1_000_000_001))
    assert read_file(tmp_path, "a", 3) == Content(b"abc", 1_000_000_001)


@pytest.mark.parametrize("seconds", [-(2**40), -1, 2**33, 2**34, 2**40, 2**55])
def test_a_file_may_have_any_time(tmp_path: Path, seconds: int) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    os.utime(tmp_path / "a", ns=(seconds * 10**9, seconds * 10**9))
    signature = look(tmp_path, ["a"])["a"]
    assert signature is not None
    assert size_of(signature) == 3
    assert walk(tmp_path, "", NEVER, NEVER).files == {"a": signature}
    content = read_file(tmp_path, "a", 3)
    assert isinstance(content, Content)
    assert content.mtime_ns == modified_ns(signature)
    assert rfc3339(max(0, content.mtime_ns // 1_000_000)) < b"2263"


def test_a_file_that_is_larger_than_the_limit_is_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcd")
    assert read_file(tmp_path, "a", 3) == "it is larger than 3 bytes"


def test_a_sparse_file_of_a_terabyte_costs_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    assert read_file(tmp_path, "a", 1_000) == "it is larger than 1,000 bytes"


@pytest.mark.parametrize("kind", ["link", "folder link", "missing", "loop"])
def test_what_is_no_file_of_its_own_is_not_there(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a").write_bytes(b"abc")
    root = tmp_path / "root"
    root.mkdir()
    match kind:
        case "link":
            (root / "a").symlink_to(elsewhere / "a")
        case "folder link":
            (root / "folder").symlink_to(elsewhere)
        case "loop":
            (root / "a").symlink_to("a")
    path = "folder/a" if kind == "folder link" else "a"
    assert read_file(root, path, 100) is None
    assert look(root, [path]) == {path: None}


def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    assert read_file(tmp_path, "a", 100) == "it is not a regular file"
    assert look(tmp_path, ["a"]) == {"a": None}


def test_a_walk_finds_files_but_neither_links_nor_what_is_passed_over(tmp_path: Path) -> None:
    for path in ("a", "b/c", "b/d/e", "skipped/f"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "b/link").symlink_to(tmp_path / "a")
    found = walk(tmp_path, "", lambda path: path == "skipped", lambda path: path.endswith("/e"))
    assert sorted(found.files) == ["a", "b/c"]
    assert found.unreadable == []
    assert size_of(found.files["b/c"]) == 3


def test_a_walk_from_a_file_finds_that_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert list(walk(tmp_path, "a", NEVER, NEVER).files) == ["a"]
    assert walk(tmp_path, "gone", NEVER, NEVER).files == {}
    assert walk(tmp_path, "a", NEVER, lambda path: True).files == {}


def test_a_file_that_was_copied_over_itself_is_only_renumbered(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    before = look(tmp_path, ["a"])["a"]
    status = (tmp_path / "a").stat()
    (tmp_path / "b").write_bytes(b"xyz")
    os.utime(tmp_path / "b", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "b").replace(tmp_path / "a")
    after = look(tmp_path, ["a"])["a"]
    assert before is not None
    assert after is not None
    assert before != after
    assert only_renumbered(before, after)


def test_folders_on_the_way_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    known: dict[str, bool] = {}
    assert folders_to(tmp_path, "a/b/c", known)
    assert known == {"a": True, "a/b": True}
    assert not folders_to(tmp_path, "a/x/c", known)


def test_a_path_says_whose_it_is() -> None:
    assert agent_named("agents/scout/SOUL.md") == "scout"
    assert agent_named("mission-control/agents/scout") == "scout"
    assert agent_named("agents/scout/notes/SOUL.md") is None
    assert agent_of("x/agents/scout/notes/a.txt") == "scout"
    assert agent_of("agents") is None
    assert owned("mission-control/TASK_QUEUE.json")
    assert owned("mission-control/dashboard/data/scored-leads-v2.json")
    assert not owned("agents/scout/state.json.tmp")


def test_a_name_that_is_not_utf_8_can_be_sent() -> None:
    assert readable("caf\udce9") == "caf\\xe9"
    assert readable("café") == "café"
