"""Entries of a queue's file, and the tasks that the state keeps of them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.events import MAX_ID_LENGTH
from missioncontrol.events.decoding import decode_json
from missioncontrol.fleet.tasks.document import ArrayName
from missioncontrol.fleet.tasks.task import Task, fitting, folded, is_over
from missioncontrol.json_text.blocks import Block, Passed

ARCHIVED = "archived"
"""The member of an entry of the history that says when it was moved there. It is no part of the task."""


class Entry(NamedTuple):
    """A task in the file: its block and its position in that, its id where it has one, and the task as we keep it.

    `array` is where it is: among the tasks, or in the history.
    """

    block: Block | None
    place: int
    id: str | None
    task: Task
    array: ArrayName = "tasks"


def task_in(value: Any) -> Task:
    """Return a value of a file as the state keeps a task: as JSON can be sent and stored everywhere.

    Raises:
        BadTask: it is none that can be kept.
    """
    if isinstance(value, Passed):
        raise BadTask(f"It cannot be read: {value.reason}.")
    if not isinstance(value, dict):
        raise BadTask("It is no object.")
    return named(folded(fitting(plain(value))))


def named(task: Task) -> Task:
    """Return a task, if its id is no longer than one may be.

    Raises:
        BadTask: it is longer.
    """
    if isinstance(id_ := task.get("id"), str) and len(id_) > MAX_ID_LENGTH:
        raise BadTask(f"Its id has {len(id_):,} characters; it may have {MAX_ID_LENGTH}.")
    return task


def id_in(value: Any) -> str | None:
    """Return the id of an entry; a whole number is one, too."""
    id_ = value.get("id") if isinstance(value, dict) else value.id if isinstance(value, Passed) else None
    if isinstance(id_, int) and not isinstance(id_, bool):
        return str(id_)
    return id_ if isinstance(id_, str) and id_ else None


def task_over(value: Any, id_: str, known: Task | None) -> Task:
    """Return an entry of the history as the state keeps a task that is over.

    An agent that moves a task into the history completes it by that, whatever status the entry has.

    Args:
        value: the entry.
        id_: the id that it has.
        known: the task as it was known before. A member `archived` that it has is the task's own.

    Raises:
        BadTask: it is none that can be kept.
    """
    if not isinstance(value, dict):
        raise BadTask("It is no object.")
    own = known is not None and ARCHIVED in known
    task = folded(fitting({key: field for key, field in value.items() if own or key != ARCHIVED}))
    task["id"] = id_
    if not is_over(task):
        task["status"] = "completed"
    return task


def archived_entry(task: Task, time: str) -> Task:
    """Return a task that is over as an entry of the history; `time` is when it is moved there."""
    return {ARCHIVED: time, **task} if ARCHIVED in task else {**task, ARCHIVED: time}


def is_about(value: Any, task: Task) -> bool:
    """Report whether an entry of the history is about this task, and not about another one with its id."""
    return isinstance(value, dict) and any(
        value.get(name) is not None and value.get(name) == task.get(name)
        for name in ("created", "description")
    )


def plain(value: Any) -> Any:
    """Return a value without what only Python's reader takes: halves of characters, numbers beyond all bounds."""
    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:
        whole = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        text = msgspec.json.encode(whole)
    except RecursionError:
        raise BadTask("It is nested too deep.") from None
    try:
        return decode_json(text)
    except msgspec.DecodeError:
        raise BadTask("It has a number that is too large.") from None
