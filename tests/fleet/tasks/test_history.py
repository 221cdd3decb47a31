"""Tasks that are over: they move into the `history` of the file, and leave the state some time later."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fleet.tasks.desk import Desk, Root, eventually, root, task

from missioncontrol.errors import Conflict, NotFound
from missioncontrol.fleet.tasks.retention import Retention
from missioncontrol.fleet.tasks.revisions import RevisionHistory

pytestmark = pytest.mark.anyio


def without_time(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the history as the state has it; it must say when it was archived, and that is now."""
    archived = datetime.fromisoformat(entry["archived"])
    assert abs((datetime.now(UTC) - archived).total_seconds()) < 60
    return {name: value for name, value in entry.items() if name != "archived"}


def ids(root: Root) -> tuple[list[str], list[str]]:
    """Return the ids in both lists of a file."""
    return [one["id"] for one in root["tasks"]], [one["id"] for one in root["history"]]


async def let_go_at_once(desk: Desk) -> None:
    desk.world.config.tasks.keep_completed_hours = 0
    await desk.world.restart()


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_a_task_that_is_over_is_in_the_history_when_that_is_answered(desk: Desk, status: str) -> None:
    await desk.started(task(1), task(2))
    over = await desk.queue.update("TASK-0001", {"status": status})
    assert ids(desk.read()) == (["TASK-0002"], ["TASK-0001"])
    assert without_time(desk.read()["history"][0]) == over
    # The state has it still: in lists, on the board and in the past nothing is different.
    await desk.in_step()
    assert desk.state["TASK-0001"] == over
    assert desk.queue.find("TASK-0001") == over
    assert [type_ for type_, _ in desk.told()] == [
        f"task:{'completed' if status == 'completed' else 'updated'}"
    ]


async def test_a_task_that_is_created_as_completed_is_in_the_history_at_once(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.queue.create({"status": "completed"})
    assert ids(desk.read()) == (["TASK-0001"], ["TASK-0002"])


async def test_what_an_agent_completes_in_the_file_stays_where_it_is(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    with desk.edited() as tasks:
        tasks["TASK-0001"]["status"] = "done"
    text = desk.path.read_bytes()
    await desk.world.until(lambda: desk.told("task:completed"))
    await desk.queue.fresh()
    assert desk.path.read_bytes() == text
    await desk.queue.update("TASK-0001", {"notes": "seen"})
    assert ids(desk.read()) == (["TASK-0001", "TASK-0002"], [])
    assert desk.read()["tasks"][0]["status"] == "done"


async def test_moving_a_task_into_the_history_by_hand_completes_it(desk: Desk) -> None:
    await desk.started(task(1), task(2, status="completed"), task(3))
    done = task(1, completedAt="2026-11-23T09:00:00Z")
    del done["status"]
    old = task(2, status="completed")
    desk.write(root(task(3), history=[done, old, task(9)], nextId=10))
    await desk.world.until(lambda: desk.told("task:completed"))
    await desk.in_step()
    assert desk.told() == [
        (
            "task:completed",
            {
                "taskId": "TASK-0001",
                "updates": {"status": "completed", "completedAt": "2026-11-23T09:00:00Z"},
            },
        )
    ]
    # The file's author has written the entries, and they stay as they are.
    assert desk.queue.history() == [done, old, task(9)]
    # An entry that was never a task here is found, and is no task of the state.
    assert desk.queue.find("TASK-0009") == task(9)
    assert desk.state.keys() == {"TASK-0001", "TASK-0002", "TASK-0003"}
    assert (await desk.queue.create({}))["id"] == "TASK-0010"


@pytest.mark.parametrize("status", [["completed"], {"completed": True}, 7, None])
async def test_a_status_that_is_no_text_is_not_over(desk: Desk, status: Any) -> None:
    await desk.started(task(1, status=status), task(2), history=[task(3, status=status)])
    await desk.queue.update("TASK-0002", {"status": "completed"})
    assert ids(desk.read()) == (["TASK-0001"], ["TASK-0003", "TASK-0002"])
    assert desk.state["TASK-0001"]["status"] == status
    with desk.edited() as tasks:
        del tasks["TASK-0001"]["status"]
    await desk.world.until(lambda: "status" not in desk.state["TASK-0001"])
    assert desk.queue.stats()["completed"] == 2


@pytest.mark.parametrize("content", [[task(1)], root(task(1), history={"TASK-0000": {}})])
async def test_a_file_without_a_history_keeps_its_tasks(desk: Desk, content: Any) -> None:
    desk.write(content)
    await desk.world.start()
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await let_go_at_once(desk)
    await desk.queue.update("TASK-0001", {"notes": "n"})
    read: Any = desk.read()
    (kept,) = read if isinstance(read, list) else read["tasks"]
    assert (kept["status"], kept["notes"]) == ("completed", "n")
    assert "archived" not in kept
    assert desk.state.keys() == {"TASK-0001"}


async def test_a_file_without_the_member_gets_a_history(desk: Desk) -> None:
    desk.write('{\n "tasks": [\n  {"id": "TASK-0001", "description": "One"}\n ],\n "nextId": 2\n}\n')
    await desk.world.start()
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert ids(desk.read()) == ([], ["TASK-0001"])


async def test_a_history_that_is_null_becomes_one(desk: Desk) -> None:
    desk.write('{\n "tasks": [\n  {"id": "TASK-0001"}\n ],\n "history": null,\n "nextId": 2\n}\n')
    await desk.world.start()
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert ids(desk.read()) == ([], ["TASK-0001"])
    assert desk.path.read_text().count('"history"') == 1


async def test_a_member_archived_of_a_task_stays_its_own(desk: Desk) -> None:
    await desk.started(task(1, archived="in the attic"))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.in_step()
    assert desk.read()["history"][0]["archived"] == "in the attic"
    assert desk.state["TASK-0001"]["archived"] == "in the attic"


# What agents do with the history, and what is done here.


async def test_an_edit_of_an_entry_is_an_edit_of_the_task(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    whole = desk.read()
    whole["history"][0]["notes"] = "late note"
    desk.write(whole)
    await desk.world.until(lambda: desk.state["TASK-0001"]["notes"] == "late note")
    await desk.queue.update("TASK-0001", {"tags": ["x"]})
    assert (desk.read()["history"][0]["notes"], desk.read()["history"][0]["tags"]) == ("late note", ["x"])
    assert desk.read()["history"][0]["archived"] == whole["history"][0]["archived"]


async def test_a_task_is_reopened_here(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    reopened = await desk.queue.update("TASK-0001", {"status": "pending"})
    assert desk.read()["history"] == []
    assert desk.read()["tasks"][1] == reopened
    await desk.in_step()


@pytest.mark.parametrize("leaves_a_copy", [False, True])
async def test_a_task_is_reopened_by_moving_its_entry_back(desk: Desk, leaves_a_copy: bool) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    whole = desk.read()
    entry = whole["history"][0] if leaves_a_copy else whole["history"].pop()
    whole["tasks"].append({**without_time(entry), "status": "review"})
    desk.write(whole)
    await desk.world.until(lambda: desk.state["TASK-0001"]["status"] == "review")
    await desk.queue.fresh()
    await eventually(lambda: ids(desk.read()) == (["TASK-0002", "TASK-0001"], []))
    await desk.in_step()


@pytest.mark.parametrize("rounds", [1, 3])
async def test_an_old_copy_does_not_open_a_task_again(desk: Desk, rounds: int) -> None:
    await desk.started(task(1), task(2))
    old = desk.read()
    over = await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.update("TASK-0002", {"notes": "n"})
    for number in range(rounds):
        old["tasks"][1]["x"] = number
        desk.write(old)
        await desk.world.until(lambda: desk.state["TASK-0002"].get("x") == old["tasks"][1]["x"])
        await desk.queue.fresh()
        await eventually(lambda: ids(desk.read()) == (["TASK-0002"], ["TASK-0001"]))
        assert without_time(desk.read()["history"][0]) == over == desk.state["TASK-0001"]
    assert len(desk.told("task:completed")) == 1
    assert not desk.told("task:deleted", "task:created")


async def test_an_entry_that_is_removed_by_hand_is_a_deletion(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    whole = desk.read()
    whole["history"] = []
    desk.write(whole)
    await desk.world.until(lambda: desk.told("task:deleted"))
    assert desk.told("task:deleted") == [("task:deleted", {"taskId": "TASK-0001"})]
    with pytest.raises(NotFound):
        desk.queue.find("TASK-0001")


async def test_a_task_that_is_deleted_leaves_the_history_too(desk: Desk) -> None:
    others = [{"id": "TASK-0100", "description": "Of old", "x": 1.50}, "no object", {"description": "no id"}]
    await desk.started(task(1), history=others)
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.delete("TASK-0001")
    assert desk.read()["history"] == others
    with pytest.raises(NotFound):
        desk.queue.find("TASK-0001")
    # The id is free again.
    assert (await desk.queue.create({"id": "TASK-0001"}))["id"] == "TASK-0001"


async def test_a_deleted_task_is_not_found_while_the_file_cannot_be_written(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    desk.write("half {")
    await desk.queue.delete("TASK-0001")
    with pytest.raises(NotFound):
        desk.queue.find("TASK-0001")


async def test_entries_that_the_state_does_not_have_keep_their_bytes(desk: Desk) -> None:
    one = '{ "id":"OLD-1",  "x": [1,2 ,3], "big": 1.50e2 }'
    two = '{"id": "TASK-0007", "description": "Two", "status": "pending"}'
    desk.write(f'{{"tasks": [{json.dumps(task(8))}], "history": [{one},\t{two}], "nextId": 9}}')
    await desk.world.start()
    await desk.queue.update("TASK-0008", {"status": "completed"})
    await desk.queue.create({})
    assert f'"history": [{one},\t{two}' in desk.path.read_text()
    assert ids(desk.read()) == (["TASK-0009"], ["OLD-1", "TASK-0007", "TASK-0008"])
    assert desk.state.keys() == {"TASK-0008", "TASK-0009"}


async def test_another_task_with_the_id_of_an_old_entry_takes_nothing_from_it(desk: Desk) -> None:
    old = {"id": "TASK-0001", "description": "Of the year before", "created": "2025-01-01T00:00:00Z"}
    await desk.started(task(1), history=[old])
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert desk.read()["history"][0] == old
    assert [one["description"] for one in desk.read()["history"]] == ["Of the year before", "Task 1"]
    assert desk.queue.find("TASK-0001")["description"] == "Task 1"


# Letting go.


async def test_the_state_lets_go_of_what_is_over_for_long_enough(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.update("TASK-0002", {"status": "cancelled"})
    with desk.edited() as tasks:
        tasks["TASK-0003"]["status"] = "completed"
    await desk.world.until(lambda: len(desk.told("task:completed")) == 2)
    await let_go_at_once(desk)
    await desk.world.until(lambda: not desk.state)
    # Each is named once, and is in the history, also the one that was completed by hand.
    assert sorted(desk.told("task:deleted"), key=lambda told: str(told[1])) == [
        ("task:deleted", {"taskId": f"TASK-000{number}", "archived": True}) for number in (1, 2, 3)
    ]
    assert ids(desk.read()) == ([], ["TASK-0001", "TASK-0002", "TASK-0003"])
    for number in (1, 2, 3):
        without_time(desk.queue.find(f"TASK-000{number}"))
    with pytest.raises(Conflict, match="history"):
        await desk.queue.update("TASK-0001", {"notes": "n"})
    # Nothing of it happens again, and no id is given twice.
    await desk.world.restart()
    assert (await desk.queue.create({}))["id"] == "TASK-0004"
    assert len(desk.told("task:deleted")) == 3


async def test_what_is_over_is_let_go_of_while_the_server_runs(desk: Desk) -> None:
    desk.world.config.tasks.keep_completed_hours = 0.3 / 3600
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert "TASK-0001" in desk.state
    await desk.world.until(lambda: "TASK-0001" not in desk.state)


async def test_a_task_that_is_reopened_in_time_is_kept(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.update("TASK-0001", {"status": "review"})
    await let_go_at_once(desk)
    await desk.queue.update("TASK-0001", {"notes": "n"})
    assert desk.state.keys() == {"TASK-0001"}


async def test_an_old_copy_brings_back_nothing_that_was_let_go_of(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    old = desk.read()
    over = await desk.queue.update("TASK-0001", {"status": "completed"})
    new = await desk.queue.create({"status": "completed"})
    await let_go_at_once(desk)
    await desk.world.until(lambda: desk.state.keys() == {"TASK-0002", "TASK-0003"})
    for x in range(2):
        # What the agent has changed is taken; what it did not know about stays in the history.
        old["tasks"][1]["x"] = x
        desk.write(old)
        await desk.world.until(lambda: desk.state["TASK-0002"].get("x") == old["tasks"][1]["x"])
        await desk.queue.fresh()
        await eventually(lambda: ids(desk.read()) == (["TASK-0002", "TASK-0003"], ["TASK-0001", "TASK-0004"]))
        assert list(map(without_time, desk.read()["history"])) == [over, new]
        await desk.world.restart()
    assert len(desk.told("task:deleted")) == 2
    assert desk.state.keys() == {"TASK-0002", "TASK-0003"}


async def test_an_entry_of_a_task_that_was_let_go_of_comes_back_when_it_is_moved_back(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await let_go_at_once(desk)
    await desk.world.until(lambda: desk.state.keys() == {"TASK-0002"})
    whole = desk.read()
    whole["tasks"].append({**without_time(whole["history"].pop()), "status": "pending"})
    desk.write(whole)
    await desk.world.until(lambda: desk.state.keys() == {"TASK-0001", "TASK-0002"})
    await desk.in_step()
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.world.until(lambda: desk.state.keys() == {"TASK-0002"})
    assert ids(desk.read()) == (["TASK-0002"], ["TASK-0001"])


async def test_an_edit_of_an_entry_that_was_let_go_of_stays_in_the_file_alone(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await let_go_at_once(desk)
    await desk.world.until(lambda: desk.state.keys() == {"TASK-0002"})
    whole = desk.read()
    whole["history"][0]["notes"] = "found later"
    desk.write(whole)
    await desk.queue.fresh()
    assert desk.queue.find("TASK-0001")["notes"] == "found later"
    assert desk.read() == whole
    whole["history"] = []
    desk.write(whole)
    await desk.queue.fresh()
    assert desk.read() == whole
    assert len(desk.told("task:deleted")) == 1


async def test_a_file_that_is_gone_is_written_with_what_was_let_go_of(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await let_go_at_once(desk)
    await desk.world.until(lambda: len(desk.state) == 2)
    desk.path.unlink()
    await desk.world.until(lambda: any("gone" in alert for alert in desk.world.alerts()))
    await desk.queue.update("TASK-0002", {"notes": "n"})
    await eventually(lambda: desk.path.exists() and ids(desk.read())[1] == ["TASK-0001"])
    await desk.in_step()
    await desk.queue.update("TASK-0003", {"status": "completed"})
    await eventually(lambda: ids(desk.read()) == (["TASK-0002"], ["TASK-0001", "TASK-0003"]))


async def test_each_completed_task_is_counted_once(desk: Desk) -> None:
    await desk.started(*(task(number) for number in range(1, 5)), history=[{"id": "OLD-1"}])
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.update("TASK-0002", {"status": "cancelled"})
    with desk.edited() as tasks:
        tasks["TASK-0003"]["status"] = "completed"
    await desk.world.until(lambda: len(desk.told("task:completed")) == 2)
    assert desk.queue.stats()["completed"] == desk.queue.summary()["completed"] == 3
    await let_go_at_once(desk)
    await desk.world.until(lambda: len(desk.state) == 1)
    assert desk.queue.stats()["completed"] == desk.queue.summary()["completed"] == 3


async def test_the_export_has_each_task_once(desk: Desk) -> None:
    await desk.started(task(1), task(2), history=[task(number) for number in range(10, 21)])
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert [one["id"] for one in desk.queue.in_queue()] == ["TASK-0002"]
    text = await desk.queue.markdown()
    active, _, history = text.partition("## Task History")
    assert "TASK-0002" in active
    assert "TASK-0001" not in active
    rows = [line.split("|")[1].strip() for line in history.splitlines() if "TASK-" in line]
    # The newest first.
    assert rows == ["TASK-0001", *(f"TASK-00{number}" for number in range(20, 11, -1))]


async def test_a_table_becomes_a_file_with_its_history(desk: Desk) -> None:
    table = """## Active Task Queue
| ID | Task | Status |
|----|------|--------|
| TASK-0001 | One | PENDING |

## Task History
| ID | Task | Status |
|----|------|--------|
| TASK-0005 | Five | COMPLETED |
"""
    desk.world.write("mission-control/TASK_QUEUE.md", table)
    await desk.world.start()
    await desk.queue.update("TASK-0001", {"status": "completed"})
    assert ids(desk.read()) == ([], ["TASK-0005", "TASK-0001"])
    assert desk.state.keys() == {"TASK-0001"}


async def test_thousands_of_completed_tasks_are_let_go_of_in_portions(desk: Desk) -> None:
    many = 4_000
    await desk.started(*(task(number, status="completed") for number in range(1, many + 1)), task(many + 1))
    await let_go_at_once(desk)
    await eventually(lambda: len(desk.state) == 1, patience=120)
    assert len(desk.read()["history"]) == many
    assert len(desk.told("task:deleted")) == many
    # A change meanwhile and afterwards is one like any other.
    await desk.queue.update(f"TASK-{many + 1}", {"status": "completed"})
    await eventually(lambda: not desk.state)
    await desk.world.restart()
    await eventually(lambda: desk.queue.stats()["completed"] == many + 1)


# Parts.


def test_tasks_are_due_in_the_order_in_which_they_were_over() -> None:
    retention = Retention()
    for number, id_ in enumerate("abcd"):
        retention.put(id_, number * 10)
    retention.put("b", None)
    retention.put("c", 40)
    assert (retention.first, set(retention.due(20))) == (0, {"a"})
    assert (retention.first, set(retention.due(35))) == (30, {"a", "d"})
    retention.put("a", None)
    retention.put("d", 50)
    assert (retention.first, set(retention.due(40))) == (40, {"c"})
    assert retention.first == 50


def test_of_many_tasks_that_were_let_go_of_the_newest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("missioncontrol.fleet.tasks.revisions.MAX_GONE", 3)
    past = RevisionHistory()
    past.note({f"T{number}": task(number, status="completed") for number in range(6)}, 7, at=5)
    memory = {**past.changes(), **past.counter()}
    for number in range(6):
        past.let_go([f"T{number}"])
    assert list(past.let_go_tasks()) == ["T3", "T4", "T5"]
    assert past.agreed("T5") is None
    assert past.newest("T5") == task(5, status="completed")
    # After a restart the same is known.
    memory.update(past.changes())
    again = RevisionHistory()
    again.recall({key: value for key, value in memory.items() if value is not None})
    assert sorted(again.let_go_tasks()) == ["T3", "T4", "T5"]
    assert again.present == past.present == {"T3", "T4", "T5"}
