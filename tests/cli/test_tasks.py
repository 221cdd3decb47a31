"""`tasks`, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from missioncontrol.cli import main
from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("tasks") / "workspace") as server:
        yield server


def run(server: ServerProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["tasks", *arguments, "--url", server.url])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_tasks_life_from_the_terminal(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    status, id_, _ = run(server, capsys, "add", "Read the report", "--priority", "high", "--tag", "reading")
    assert status == 0
    id_ = id_.strip()
    assert run(server, capsys, "claim", id_, "scout")[:2] == (0, f"{id_}: pending, P1, scout\n")
    status, _, wrong = run(server, capsys, "claim", id_, "forge")
    assert status != 0
    assert "scout's" in wrong
    assert run(server, capsys, "start", id_)[0] == 0
    assert run(server, capsys, "set", id_, "priority=P0", 'tags=["a", "b"]', "due=null", "owner=me")[0] == 0
    assert run(server, capsys, "done", id_, "--result", "All read")[1].startswith(f"{id_}: completed, P0")
    task = json.loads(run(server, capsys, "show", id_)[1])
    assert (task["tags"], task["due"], task["owner"], task["result"]) == (["a", "b"], None, "me", "All read")
    listed = run(server, capsys, "list", "--agent", "scout")[1]
    assert "Read the report" in listed
    assert json.loads(run(server, capsys, "list", "--status", "pending", "--json")[1]) == []
    assert json.loads(run(server, capsys, "list", "--search", "REPORT", "--json")[1])[0]["id"] == id_
    assert f"| {id_} | Read the report |" in run(server, capsys, "export", "markdown")[1]
    assert run(server, capsys, "assign", id_, "forge", "--start", "--notes", "again")[0] == 0
    assert run(server, capsys, "delete", id_)[0] == 0
    assert run(server, capsys, "list")[1] == "no tasks\n"


def test_a_task_is_moved_found_and_listed_when_it_is_due(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    id_ = run(server, capsys, "add", "Water the plants", "--due", soon, "--agent", "scout")[1].strip()
    other = run(server, capsys, "add", "Paint the plants")[1].strip()
    assert run(server, capsys, "move", id_, "review")[:2] == (0, f"{id_}: review, P2, scout\n")
    assert run(server, capsys, "move", id_, "nowhere")[0] == 2
    due = json.loads(run(server, capsys, "due", "--hours", "3", "--json")[1])
    assert [task["id"] for task in due] == [id_]
    assert run(server, capsys, "due", "--hours", "1")[1] == "no tasks\n"
    assert "Water the plants" in run(server, capsys, "due")[1]
    found = json.loads(run(server, capsys, "search", "PLANTS", "--json")[1])
    assert sorted(task["id"] for task in found) == [id_, other]
    listed = json.loads(run(server, capsys, "list", "--search", "plants", "--status", "review", "--json")[1])
    assert [task["id"] for task in listed] == [id_]
    assert "and 1 more" in run(server, capsys, "search", "plants", "--limit", "1")[1]
    for each in (id_, other):
        assert run(server, capsys, "delete", each)[0] == 0


def test_every_change_prints_the_task_as_json_where_that_is_asked_for(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    id_ = json.loads(run(server, capsys, "add", "For programs", "--json")[1])["id"]
    for arguments in (
        ("show", id_),
        ("assign", id_, "scout"),
        ("claim", id_, "scout"),
        ("start", id_),
        ("move", id_, "review"),
        ("set", id_, "priority=P1"),
        ("done", id_),
        ("delete", id_),
    ):
        status, out, err = run(server, capsys, *arguments, "--json")
        assert (status, json.loads(out)["id"]) == (0, id_), err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("set", "TASK-0001", "priority"), "FIELD=VALUE"),
        (("show", "none"), "There is no task"),
        (("add", "x", "--priority", "P9"), "P0, P1, P2, P3"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    server: ServerProcess, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], wrong: str
) -> None:
    status, out, err = run(server, capsys, *arguments)
    assert status != 0
    assert out == ""
    assert wrong in err
    assert err.count("\n") == 1


def test_the_queues_file_follows(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    id_ = run(server, capsys, "add", "Into the file")[1].strip()
    file = Path(server.workspace) / "mission-control" / "TASK_QUEUE.json"
    for _ in range(200):
        if file.exists() and id_ in file.read_text():
            break
        run(server, capsys, "list")
    assert [task["description"] for task in json.loads(file.read_text())["tasks"]] == ["Into the file"]


def test_a_task_of_the_file_whose_id_has_a_slash_is_changed_and_deleted(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(
        server.url, "task:created", {"task": {"id": "team/7", "description": "Paint", "status": "pending"}}
    )
    assert json.loads(run(server, capsys, "show", "team/7")[1])["description"] == "Paint"
    assert run(server, capsys, "set", "team/7", "notes=blue")[0] == 0
    file = server.workspace / "mission-control" / "TASK_QUEUE.json"
    assert ("team/7", "blue") in [
        (task["id"], task.get("notes")) for task in json.loads(file.read_text())["tasks"]
    ]
    assert run(server, capsys, "delete", "team/7")[0] == 0
    assert "team/7" not in file.read_text()
