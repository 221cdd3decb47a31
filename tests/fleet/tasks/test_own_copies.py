"""Agents who go on with copies of their own, whose tasks have other ids in the file: each stays one task."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.tasks.desk import QUEUE, Desk, Root, task

from missioncontrol.fleet.tasks import queue_file

pytestmark = pytest.mark.anyio

EARLIER, LATER = "2020-01-01T00:00:00.000Z", "2126-01-01T00:00:00.000Z"


def own(number: int, description: str, created: str | None) -> dict[str, Any]:
    """A task as an agent writes it who knows few of its fields."""
    task = {"id": f"TASK-{number:04}", "description": description, "status": "pending"}
    return task if created is None else {**task, "created": created}


class Agent:
    """Somebody with a copy of his own, who does not read the file again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.root: Root = copy.deepcopy(desk.read())

    def adds(self, description: str, created: str | None) -> dict[str, Any]:
        task = own(self.root["nextId"], description, created)
        self.root["tasks"].append(task)
        self.root["nextId"] += 1
        return task

    async def writes(self) -> None:
        self._desk.world.replace(QUEUE, copy.deepcopy(self.root))
        await self._desk.queue.fresh()
        await self._desk.in_step()


def described(desk: Desk) -> dict[str, str]:
    """Return the ids of the state's tasks by their descriptions, of which there is one each."""
    found = {str(one["description"]): id_ for id_, one in desk.state.items()}
    assert len(found) == len(desk.state)
    return found


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("created", [EARLIER, LATER, None])
async def test_a_task_that_got_another_id_stays_one_task(
    desk: Desk, created: str | None, restarts: bool
) -> None:
    await desk.started()
    agent = Agent(desk)
    made = await desk.queue.create({"description": "P"})
    assert made["id"] == "TASK-0001"
    first = agent.adds("A", created)
    await agent.writes()
    second = agent.adds("B", created and created.replace("00:00:00", "00:00:01"))
    await agent.writes()
    assert described(desk) == {"P": "TASK-0001", "A": "TASK-0002", "B": "TASK-0003"}
    for status in ("in_progress", "review"):
        if restarts:
            await desk.world.restart()
        second["status"] = status
        await agent.writes()
        first["notes"] = f"A in {status}"
        await agent.writes()
        assert described(desk) == {"P": "TASK-0001", "A": "TASK-0002", "B": "TASK-0003"}
        assert desk.state["TASK-0003"]["status"] == status
        assert desk.state["TASK-0002"]["notes"] == f"A in {status}"
        assert desk.state["TASK-0001"] == made
    assert not desk.told("task:deleted")


async def test_what_others_have_changed_in_it_survives_and_its_deletion_counts(desk: Desk) -> None:
    await desk.started()
    agent = Agent(desk)
    await desk.queue.create({"description": "P"})
    first, second = agent.adds("A", EARLIER), agent.adds("B", LATER)
    await agent.writes()
    assert described(desk) == {"P": "TASK-0001", "A": "TASK-0003", "B": "TASK-0002"}
    await desk.queue.update("TASK-0003", {"priority": "P0"})
    first["status"] = "review"
    await agent.writes()
    assert (desk.state["TASK-0003"]["priority"], desk.state["TASK-0003"]["status"]) == ("P0", "review")
    await desk.queue.delete("TASK-0002")
    await agent.writes()
    assert described(desk) == {"P": "TASK-0001", "A": "TASK-0003"}
    agent.root["tasks"].remove(second)
    third = agent.adds("C", None)
    await agent.writes()
    assert described(desk).keys() == {"P", "A", "C"}
    agent.root["tasks"].remove(third)
    await agent.writes()
    assert described(desk).keys() == {"P", "A"}
    # What was changed here since, and not seen by the agent, is not deleted.
    agent.root["tasks"].remove(first)
    await agent.writes()
    assert described(desk).keys() == {"P", "A"}


async def test_it_can_be_moved_into_the_history_under_its_own_id(desk: Desk) -> None:
    await desk.started()
    agent = Agent(desk)
    await desk.queue.create({"description": "P"})
    first = agent.adds("A", EARLIER)
    agent.adds("B", EARLIER.replace("01-01", "01-02"))
    await agent.writes()
    agent.root["tasks"].remove(first)
    agent.root["history"].append({**first, "status": "completed"})
    await agent.writes()
    assert described(desk) == {"P": "TASK-0001", "A": "TASK-0003", "B": "TASK-0002"}
    assert desk.state["TASK-0003"]["status"] == "completed"
    assert [one["id"] for one in desk.read()["history"]] == ["TASK-0003"]


async def test_two_tasks_of_the_same_moment_are_two(desk: Desk) -> None:
    await desk.started(task(1))
    agent = Agent(desk)
    made = await desk.queue.create({"description": "P"})
    agent.adds("A", made["created"])
    await agent.writes()
    assert described(desk) == {"Task 1": "TASK-0001", "P": "TASK-0002", "A": "TASK-0003"}


async def test_an_answer_after_a_collision_is_what_the_file_has(desk: Desk) -> None:
    await desk.started(task(1))
    for number in range(5):
        agent = Agent(desk)
        made = await desk.queue.create({"description": f"P {number}"})
        added = agent.adds(f"A {number}", None)
        assert added["id"] == made["id"]
        desk.world.replace(QUEUE, agent.root)
        await desk.queue.fresh()
        assert {one["id"]: one for one in desk.read()["tasks"]} == desk.state


@pytest.mark.parametrize("over_ours", [True, False])
async def test_a_write_that_meets_ours_is_not_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, over_ours: bool
) -> None:
    """While the file is replaced an agent writes it; another reads ours, and writes over ours or over his."""
    await desk.started(task(1))
    exchange, calls = queue_file.exchange, 0

    def write(description: str) -> None:
        agent = Agent(desk)
        agent.adds(description, EARLIER)
        desk.world.replace(QUEUE, agent.root)

    def exchanged(one: Path, other: Path) -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            write("first")
        if calls == 2:
            agent = Agent(desk)
            agent.adds("second", LATER)
            if over_ours:
                desk.world.replace(QUEUE, agent.root)
        done = exchange(one, other)
        if calls == 2 and not over_ours:
            desk.world.replace(QUEUE, agent.root)
        return done

    monkeypatch.setattr(queue_file, "exchange", exchanged)
    made = await desk.queue.create({"description": "made"})
    await desk.queue.fresh()
    assert calls >= 2
    await desk.in_step()
    assert described(desk).keys() == {"Task 1", "made", "first", "second"}
    assert desk.state[made["id"]]["description"] == "made"
    assert not desk.told("task:deleted")


# Entries that have no id yet in the copy of their author.


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("fields", [{}, {"created": EARLIER, "createdBy": "scout"}])
async def test_a_task_without_an_id_stays_one_while_its_author_edits_it(
    desk: Desk, fields: dict[str, str], restarts: bool
) -> None:
    await desk.started(task(1))
    agent = Agent(desk)
    first, second = {"description": "A", "status": "pending", **fields}, {"description": "B", **fields}
    agent.root["tasks"] += [first, second]
    await agent.writes()
    ids = described(desk)
    assert ids == {"Task 1": "TASK-0001", "A": "TASK-0002", "B": "TASK-0003"}
    for status in ("in_progress", "review"):
        if restarts:
            await desk.world.restart()
        await desk.queue.update("TASK-0002", {"priority": "P0" if status == "review" else "P1"})
        first["status"] = status
        second["notes"] = f"A is in {status}"
        await agent.writes()
        assert described(desk) == ids
        assert (desk.state["TASK-0002"]["status"], desk.state["TASK-0003"]["notes"]) == (
            status,
            second["notes"],
        )
    assert desk.state["TASK-0002"]["priority"] == "P0"
    assert not desk.told("task:deleted")


async def test_tasks_without_ids_and_with_the_same_words_stay_as_many(desk: Desk) -> None:
    await desk.started()
    agent = Agent(desk)
    entries = [{"description": "Report", "assignedTo": f"agent-{number}"} for number in range(30)]
    agent.root["tasks"] += entries
    await agent.writes()
    ids = {one["assignedTo"]: id_ for id_, one in desk.state.items()}
    assert len(ids) == 30
    for entry in entries:
        entry["status"] = "in_progress"
    await agent.writes()
    assert {one["assignedTo"]: id_ for id_, one in desk.state.items()} == ids
    assert {one["status"] for one in desk.state.values()} == {"in_progress"}


async def test_the_moment_of_a_task_without_an_id_tells_it_when_its_words_change(desk: Desk) -> None:
    await desk.started()
    agent = Agent(desk)
    entry = {"description": "A", "created": "2026-11-30T10:15:00.123Z", "notes": ""}
    agent.root["tasks"].append(entry)
    await agent.writes()
    entry["description"] = "A, in other words"
    await agent.writes()
    assert described(desk) == {"A, in other words": "TASK-0001"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"description": "A", "created": "2026-11-30"}, {"description": "B", "created": "2026-11-30"}),
        ({"description": "A", "createdBy": "scout"}, {"description": "A", "createdBy": "forge"}),
        ({"description": "A", "created": EARLIER}, {"description": "A", "created": LATER}),
        ({"title": "A"}, {"title": "B"}),
    ],
)
async def test_tasks_without_ids_of_two_authors_are_two(
    desk: Desk, first: dict[str, str], second: dict[str, str]
) -> None:
    await desk.started(task(1))
    agents = [Agent(desk), Agent(desk)]
    for agent, entry in zip(agents, (first, second), strict=True):
        agent.root["tasks"].append(entry)
        await agent.writes()
    assert len(desk.state) == 3
    for entry in (first, second):
        assert any(entry.items() <= one.items() for one in desk.state.values())


async def test_a_task_without_an_id_is_new_where_the_copy_has_the_one_with_its_words(desk: Desk) -> None:
    await desk.started()
    agent = Agent(desk)
    agent.root["tasks"].append({"description": "Daily report"})
    await agent.writes()
    agent = Agent(desk)
    agent.root["tasks"].append({"description": "Daily report", "notes": "The next one"})
    await agent.writes()
    assert sorted(desk.state) == ["TASK-0001", "TASK-0002"]
    await desk.queue.update("TASK-0001", {"status": "completed"})
    await desk.queue.update("TASK-0002", {"status": "completed"})
    agent = Agent(desk)
    agent.root["tasks"].append({"description": "Daily report", "notes": "The third"})
    await agent.writes()
    assert sorted(desk.state) == ["TASK-0001", "TASK-0002", "TASK-0003"]


# What is emptied, and put back.


@pytest.mark.parametrize("empty", ['{"tasks":[],"history":[],"nextId":6}', "[]"])
@pytest.mark.parametrize("restarts", [False, True])
async def test_a_queue_that_is_put_back_after_it_was_emptied_is_there_again(
    desk: Desk, empty: str, restarts: bool
) -> None:
    await desk.started(*(task(number) for number in range(1, 6)))
    backup = desk.path.read_text()
    await desk.queue.create({"description": "Later than the backup"})
    desk.write(empty.replace("6", "7"))
    await desk.queue.fresh()
    assert not desk.state
    made = await desk.queue.create({"description": "Made meanwhile"})
    if restarts:
        await desk.world.restart()
    desk.write(backup)
    await desk.queue.fresh()
    await desk.in_step()
    assert described(desk) == {**{f"Task {number}": f"TASK-{number:04}" for number in range(1, 6)}} | {
        "Made meanwhile": made["id"]
    }


async def test_an_old_copy_brings_back_nothing_that_was_deleted_one_by_one(desk: Desk) -> None:
    await desk.started(*(task(number) for number in range(1, 4)))
    backup = desk.path.read_text()
    for number in range(1, 4):
        whole = desk.read()
        desk.write({**whole, "tasks": whole["tasks"][1:]})
        await desk.queue.fresh()
        assert len(desk.state) == 3 - number
    desk.write(backup)
    await desk.queue.fresh()
    await desk.in_step()
    assert not desk.state


async def test_a_task_completed_by_hand_and_cancelled_here_moves_into_the_history(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    with desk.edited() as tasks:
        tasks["TASK-0001"]["status"] = "completed"
    await desk.queue.fresh()
    assert [one["id"] for one in desk.read()["tasks"]] == ["TASK-0001", "TASK-0002"]
    await desk.queue.update("TASK-0001", {"status": "cancelled"})
    whole = desk.read()
    assert [one["id"] for one in whole["tasks"]] == ["TASK-0002"]
    assert [(one["id"], one["status"]) for one in whole["history"]] == [("TASK-0001", "cancelled")]
    assert json.dumps(whole).count("TASK-0001") == 1
