"""Which of several places for the same thing is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.fleet.source_files import (
    SourceFiles,
    decides,
    find_agents,
    find_source_files,
    unread_files,
)
from missioncontrol.watch.ignore import Ignore

QUEUE, TABLE = "mission-control/TASK_QUEUE.json", "mission-control/TASK_QUEUE.md"
LEADS, OTHER_LEADS = "mission-control/data/leads.json", "mission-control/dashboard/data/leads.json"


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("{}")


def read(root: Path, *, json_seen: bool = False) -> SourceFiles:
    return find_source_files(root, Ignore(), json_seen=json_seen)


def test_in_an_empty_workspace_whichever_comes_first_is_read(tmp_path: Path) -> None:
    files = read(tmp_path)
    assert files == SourceFiles()
    for path in (QUEUE, TABLE, LEADS, OTHER_LEADS, "agents/scout/state.json"):
        assert files.owns(path)
    assert not files.owns("agents/scout/notes.md")
    assert not files.owns("../workspace-scout/SOUL.md")


def test_the_first_place_that_exists_is_read_and_the_others_are_files(tmp_path: Path) -> None:
    write(tmp_path, TABLE, OTHER_LEADS, "agents/scout/state.json")
    assert read(tmp_path) == SourceFiles("agents", frozenset(), table=True)
    assert unread_files(tmp_path, Ignore(), read(tmp_path)) == {}
    write(tmp_path, QUEUE, LEADS, "mission-control/agents/forge/notes.md")
    files = read(tmp_path)
    assert files == SourceFiles("mission-control/agents", frozenset({OTHER_LEADS}), table=False)
    assert find_agents(tmp_path, Ignore()) == ("mission-control/agents", ["forge"])
    assert sorted(unread_files(tmp_path, Ignore(), files)) == [
        "agents/scout/state.json",
        TABLE,
        OTHER_LEADS,
    ]
    # Where it is ignored, the other one is read.
    assert find_agents(tmp_path, Ignore(["/mission-control/agents/"])) == ("agents", ["scout"])


def test_each_file_of_leads_is_read_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    scored, other_scored = (
        path.replace("leads.json", "scored-leads-v2.json") for path in (LEADS, OTHER_LEADS)
    )
    write(tmp_path, OTHER_LEADS, scored, other_scored)
    files = read(tmp_path)
    assert [files.owns(path) for path in (LEADS, OTHER_LEADS, scored, other_scored)] == [
        True,
        True,
        True,
        False,
    ]


def test_a_queue_that_has_been_json_stays_it_while_it_is_missing(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    assert not read(tmp_path, json_seen=True).owns(TABLE)
    assert read(tmp_path, json_seen=True).owns(QUEUE)


@pytest.mark.parametrize(
    ("path", "decisive"),
    [
        ("", True),
        ("mission-control", True),
        ("mission-control/agents", True),
        ("mission-control/agents/scout", True),
        (QUEUE, True),
        (OTHER_LEADS, True),
        ("mission-control/agents/scout/state.json", False),
        ("mission-control/notes.md", False),
        ("../workspace-scout", False),
    ],
)
def test_only_some_changes_can_change_what_is_read(path: str, decisive: bool) -> None:
    assert decides([path]) is decisive
