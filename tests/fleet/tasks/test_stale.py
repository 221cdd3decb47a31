"""Copies of the queue that were read earlier: what was edited in them counts, and what others did since survives."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.fleet.tasks.desk import Desk, Root, eventually, root, task

pytestmark = pytest.mark.anyio

LATER = "2126-11-30T10:00:00.000Z"
"""Later than whatever is done here."""


class Agent:
    """Somebody who has read the file, and writes it back some time later."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.root: Root = copy.deepcopy(desk.read())

    def task(self, id_: str) -> dict[str, Any]:
        return next(task for task in self.root["tasks"] if task["id"] == id_)

    def drop(self, id_: str) -> None:
        self.root["tasks"].remove(self.task(id_))

    async def writes(self) -> None:
        """Write the copy, and wait until both sides have agreed about it."""
        self._desk.write(self.root)
        await self._desk.in_step()


async def test_an_edit_here_survives_an_old_copy_with_another_edit(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    await desk.queue.update("TASK-0001", {"status": "review", "tags": ["new"]})
    await desk.in_step()
    agent.task("TASK-0001")["notes"] = "by hand"
    agent.task("TASK-0002")["status"] = "blocked"
    await agent.writes()
    one, two = desk.state["TASK-0001"], desk.state["TASK-0002"]
    assert (one["status"], one["tags"], one["notes"]) == ("review", ["new"], "by hand")
    assert two["status"] == "blocked"
    assert not desk.world.alerts()
    assert [(type_, sorted(data["updates"])) for type_, data in desk.told()[1:]] == [
        ("task:updated", ["notes", "updated"]),
        ("task:updated", ["status"]),
    ]


@pytest.mark.parametrize("updated", ["2026-11-20T10:00:00.000Z", LATER])
async def test_a_task_that_an_old_copy_cannot_have_seen_is_not_deleted_by_its_absence(
    desk: Desk, updated: str
) -> None:
    await desk.started(task(1))
    agent = Agent(desk)
    created = await desk.queue.create({"description": "New"})
    await desk.in_step()
    agent.task("TASK-0001").update(status="in_progress", updated=updated)
    await agent.writes()
    assert desk.state[created["id"]] == created
    assert desk.state["TASK-0001"]["status"] == "in_progress"
    assert not desk.told("task:deleted")


async def test_a_task_with_a_name_of_its_own_that_an_old_copy_lacks_stays(desk: Desk) -> None:
    await desk.started(task(1))
    agent = Agent(desk)
    await desk.queue.create({"id": "deploy", "description": "Deploy"})
    await desk.in_step()
    agent.task("TASK-0001")["status"] = "in_progress"
    await agent.writes()
    assert desk.state.keys() == {"TASK-0001", "deploy"}


async def test_what_an_old_copy_says_of_a_task_that_was_deleted_here_is_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    await desk.queue.delete("TASK-0002")
    await desk.in_step()
    agent.task("TASK-0001")["status"] = "in_progress"
    await agent.writes()
    assert desk.state.keys() == {"TASK-0001"}
    assert [type_ for type_, _ in desk.told()] == ["task:deleted", "task:updated"]


async def test_an_edit_in_an_old_copy_beats_a_deletion_here(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    await desk.queue.delete("TASK-0002")
    await desk.in_step()
    agent.task("TASK-0002").update(status="in_progress", updated=LATER)
    await agent.writes()
    assert desk.state["TASK-0002"]["status"] == "in_progress"
    ((_, created),) = desk.told("task:created")
    assert created["conflicts"] == [{"field": "deleted", "kept": False, "dropped": True}]


async def test_a_deletion_in_an_old_copy_does_not_beat_an_edit_here(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    agent = Agent(desk)
    await desk.queue.update("TASK-0003", {"notes": "first"})
    await desk.queue.update("TASK-0002", {"notes": "here"})
    await desk.in_step()
    agent.drop("TASK-0002")
    await agent.writes()
    assert desk.state["TASK-0002"]["notes"] == "here"
    (alert,) = desk.told("system:alert")
    assert alert[1]["level"] == "info"
    assert "TASK-0002 deleted" in alert[1]["message"]


async def test_a_simple_deletion_deletes(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    agent = Agent(desk)
    agent.drop("TASK-0002")
    await agent.writes()
    agent.drop("TASK-0003")
    await agent.writes()
    agent.drop("TASK-0001")
    await agent.writes()
    assert [data["taskId"] for _, data in desk.told("task:deleted")] == [
        "TASK-0002",
        "TASK-0003",
        "TASK-0001",
    ]
    assert not desk.state


async def test_a_task_that_was_made_here_and_read_since_is_deleted_by_its_absence(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.queue.create({"description": "New"})
    await desk.in_step()
    agent = Agent(desk)
    agent.drop("TASK-0002")
    agent.task("TASK-0001")["notes"] = "on with it"
    await agent.writes()
    assert desk.state.keys() == {"TASK-0001"}


@pytest.mark.parametrize("without", [(), ("nextId",), ("nextId", "history")])
async def test_a_deletion_in_a_file_without_a_next_number_deletes(
    desk: Desk, without: tuple[str, ...]
) -> None:
    whole = root(task(1), task(2, created=LATER, updated=LATER))
    desk.write({key: value for key, value in whole.items() if key not in without})
    await desk.world.start()
    agent = Agent(desk)
    agent.drop("TASK-0002")
    await agent.writes()
    assert desk.state.keys() == {"TASK-0001"}


@pytest.mark.parametrize("updated", [{}, {"updated": LATER}])
async def test_a_change_that_is_taken_back_by_hand_is_taken_back(desk: Desk, updated: dict[str, str]) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    agent.task("TASK-0001")["status"] = "review"
    await agent.writes()
    agent.task("TASK-0001").update(status="pending", **updated)
    await agent.writes()
    assert desk.state["TASK-0001"]["status"] == "pending"
    assert [data["updates"]["status"] for _, data in desk.told()] == ["review", "pending"]


@pytest.mark.parametrize("updated", [{}, {"updated": LATER}])
async def test_what_was_changed_here_is_taken_back_by_hand(desk: Desk, updated: dict[str, str]) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.update("TASK-0001", {"status": "review"})
    await desk.in_step()
    agent = Agent(desk)
    agent.task("TASK-0001").update(status="pending", **updated)
    await agent.writes()
    assert desk.state["TASK-0001"]["status"] == "pending"


async def test_somebody_who_writes_the_same_copy_again_and_again_undoes_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    agent.task("TASK-0001")["status"] = "in_progress"
    await agent.writes()
    await desk.queue.update("TASK-0001", {"assignedTo": "scout"})
    await desk.queue.update("TASK-0002", {"assignedTo": "scout"})
    await desk.in_step()
    for number in range(3):
        await agent.writes()
        agent.task("TASK-0002")["notes"] = f"round {number}"
    await agent.writes()
    assert desk.state["TASK-0001"]["assignedTo"] == "scout"
    assert desk.state["TASK-0002"]["assignedTo"] == "scout"
    assert desk.state["TASK-0002"]["notes"] == "round 2"
    assert [type_ for type_, _ in desk.told()].count("task:assigned") == 2


async def test_a_copy_that_was_merged_undoes_nothing_when_it_is_written_again(desk: Desk) -> None:
    await desk.started(task(1))
    copy = desk.read()
    await desk.queue.update("TASK-0001", {"description": "ours"})
    await desk.in_step()
    copy["tasks"][0] |= {"notes": "theirs", "updated": LATER}
    for _ in range(3):
        desk.write(copy)
        await eventually(lambda: desk.state["TASK-0001"]["notes"] == "theirs")
        await desk.in_step()
        await desk.world.silence()
        assert desk.state["TASK-0001"]["description"] == "ours"


async def test_two_agents_with_copies_of_their_own_lose_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    forge, scout = Agent(desk), Agent(desk)
    for step in range(5):
        forge.task("TASK-0001")["notes"] = f"forge {step}"
        await forge.writes()
        scout.task("TASK-0002")["notes"] = f"scout {step}"
        await scout.writes()
        await desk.queue.update("TASK-0003", {"notes": f"here {step}"})
        await desk.in_step()
        assert [one["notes"] for one in desk.read()["tasks"]] == [
            f"forge {step}",
            f"scout {step}",
            f"here {step}",
        ]


@pytest.mark.parametrize(
    ("updated", "wins"), [(LATER, "by hand"), ("2026-11-20T11:00:00Z", "here"), (None, "here")]
)
async def test_of_two_edits_of_one_field_the_later_is_kept_and_both_are_reported(
    desk: Desk, updated: str | None, wins: str
) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    await desk.queue.update("TASK-0001", {"notes": "here", "tags": ["a"], "priority": "P0"})
    await desk.in_step()
    agent.task("TASK-0001").update(notes="by hand", tags=["b"], **({"updated": updated} if updated else {}))
    await agent.writes()
    one = desk.state["TASK-0001"]
    assert (one["notes"], one["tags"], one["priority"]) == (wins, ["a", "b"], "P0")
    kept, dropped = ("by hand", "here") if wins == "by hand" else ("here", "by hand")
    conflict = {"field": "notes", "kept": kept, "dropped": dropped}
    assert desk.told("task:updated")[-1][1]["conflicts"] == [conflict]
    ((_, alert),) = desk.told("system:alert")
    assert (alert["level"], alert["details"]["conflicts"]) == ("info", [{"task": "TASK-0001", **conflict}])
    assert "TASK-0001 notes" in alert["message"]


async def test_a_new_task_in_an_old_copy_whose_number_is_taken_gets_another(desk: Desk) -> None:
    await desk.started(task(1))
    agent = Agent(desk)
    ours = await desk.queue.create({"description": "Ours"})
    await desk.in_step()
    theirs = task(2, description="Theirs", created=LATER)
    agent.root["tasks"].append(theirs)
    agent.root["nextId"] = 3
    await agent.writes()
    assert desk.state["TASK-0002"] == ours
    assert desk.state["TASK-0003"] == {**theirs, "id": "TASK-0003"}
    assert desk.read()["nextId"] == 4
    # And so it does when the copy comes once more, with a restart in between.
    await desk.world.restart()
    await agent.writes()
    assert desk.state.keys() == {"TASK-0001", "TASK-0002", "TASK-0003"}


async def test_a_queue_that_somebody_wrote_from_scratch_deletes_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    desk.write({"tasks": [{"id": "TASK-0001", "description": "Something else altogether"}]})
    await desk.in_step()
    assert [one["description"] for one in desk.state.values()] == [
        "Task 1",
        "Task 2",
        "Something else altogether",
    ]


async def test_the_age_of_a_copy_is_known_after_a_restart(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    agent = Agent(desk)
    await desk.queue.update("TASK-0001", {"status": "review"})
    await desk.in_step()
    await desk.world.stop()
    agent.task("TASK-0002")["status"] = "blocked"
    desk.write(agent.root)
    await desk.world.start()
    await eventually(lambda: desk.state["TASK-0002"]["status"] == "blocked")
    await desk.in_step()
    assert desk.state["TASK-0001"]["status"] == "review"


async def test_subtasks_and_metadata_of_both_sides_are_kept(desk: Desk) -> None:
    subtasks = [{"id": "a", "description": "A", "completed": False}, {"id": "b", "description": "B"}]
    await desk.started(task(1, subtasks=subtasks, metadata={"x": 1, "y": 1}), task(2))
    agent = Agent(desk)
    await desk.queue.complete_subtask("TASK-0001", "a")
    await desk.queue.update("TASK-0001", {"metadata": {"x": 2}})
    await desk.in_step()
    one = agent.task("TASK-0001")
    one["subtasks"][0]["description"] = "A, renamed"
    one["subtasks"] = [one["subtasks"][0], {"id": "c", "description": "C"}]
    one["metadata"] |= {"y": 2, "z": 3}
    await agent.writes()
    merged = desk.state["TASK-0001"]
    assert merged["metadata"] == {"x": 2, "y": 2, "z": 3}
    assert [(sub["id"], sub["description"]) for sub in merged["subtasks"]] == [
        ("a", "A, renamed"),
        ("c", "C"),
    ]
    assert merged["subtasks"][0]["completed"] is True
    assert not desk.world.alerts()
