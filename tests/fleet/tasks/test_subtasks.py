"""Subtasks: what adding and completing one makes of a task."""

from __future__ import annotations

import pytest
from tests.fleet.tasks.desk import task

from missioncontrol.errors import BadTask, NotFound
from missioncontrol.fleet.tasks.subtasks import check_subtask, new_subtask, with_completed_subtask


def test_a_new_subtask_takes_the_next_free_number() -> None:
    known = [{"id": "TASK-0001-SUB-2"}, {"id": "x"}, "none"]
    added = new_subtask(task(1, subtasks=known), {"description": "Step", "id": "mine"}, "TASK-0001")
    assert (added["id"], added["description"]) == ("TASK-0001-SUB-3", "Step")
    assert (added["status"], added["completed"]) == ("pending", False)


def test_the_last_subtask_that_is_completed_sends_the_task_into_review_unless_it_is_over() -> None:
    subtasks = [{"id": "a", "completed": True}, {"id": "b"}]
    new, found = with_completed_subtask(task(1, subtasks=subtasks), "b")
    assert (new["status"], found["status"]) == ("review", "completed")
    assert new["subtasks"] == [subtasks[0], found]
    new, _ = with_completed_subtask(task(1, subtasks=subtasks, status="cancelled"), "b")
    assert new["status"] == "cancelled"
    # One that is completed already stays as it is.
    assert with_completed_subtask(task(1, subtasks=subtasks), "a") == (
        task(1, subtasks=subtasks),
        subtasks[0],
    )


def test_what_is_no_subtask_is_refused() -> None:
    with pytest.raises(BadTask, match="description"):
        check_subtask({"description": 7})
    with pytest.raises(NotFound, match="TASK-0001 has no subtask 'z'"):
        with_completed_subtask(task(1), "z")
