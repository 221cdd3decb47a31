"""Subtasks: what adding and completing one makes of a task."""

from __future__ import annotations

from typing import Any

from missioncontrol.errors import BadTask, NotFound
from missioncontrol.events import Data
from missioncontrol.fleet.tasks.decisions import time_now
from missioncontrol.fleet.tasks.task import Task, is_over

_SHOWN = 100
"""How much of an id an error shows, in characters."""


def subtasks_of(task: Task) -> list[Data]:
    """Return the subtasks of a task, without what is none."""
    subtasks = task.get("subtasks")
    return [one for one in subtasks if isinstance(one, dict)] if isinstance(subtasks, list) else []


def check_subtask(fields: Any) -> None:
    """Check what a subtask is made of.

    Raises:
        BadTask: it is no object, or has no description.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("description"), str):
        raise BadTask(
            'A subtask is an object with a text as its description, as in {"description": "Step 1"}.'
        )


def new_subtask(task: Task, fields: Data, prefix: str) -> Data:
    """Return the next subtask of a task.

    Args:
        task: the task.
        fields: what the subtask is made of.
        prefix: what its id begins with: the id of the task, without its host.
    """
    subtasks = subtasks_of(task)
    taken = {subtask.get("id") for subtask in subtasks}
    number = len(subtasks) + 1
    while f"{prefix}-SUB-{number}" in taken:
        number += 1
    return {
        **fields,
        "id": f"{prefix}-SUB-{number}",
        "status": "pending",
        "completed": False,
        "created": time_now(),
    }


def with_completed_subtask(task: Task, subtask_id: str) -> tuple[Task, Data]:
    """Return a task with one of its subtasks completed, and that; when all are, the task goes into review.

    Raises:
        NotFound: it has no such subtask.
    """
    subtasks = subtasks_of(task)
    index = next((index for index, one in enumerate(subtasks) if one.get("id") == subtask_id), None)
    if index is None:
        raise NotFound(f"{task['id']} has no subtask {subtask_id[:_SHOWN]!r}.")
    found = subtasks[index]
    if not found.get("completed"):
        found = {**found, "completed": True, "status": "completed", "completedAt": time_now()}
    subtasks = [*subtasks[:index], found, *subtasks[index + 1 :]]
    new = {**task, "subtasks": subtasks}
    if all(subtask.get("completed") for subtask in subtasks) and not is_over(task):
        new["status"] = "review"
    return new, found
