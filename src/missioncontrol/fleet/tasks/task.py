"""What a task is: its fields, its words, and which event says how it changed.

Statuses and priorities are written by people and models in many ways; what can be understood is folded to the words
below, and any other word is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.events import Data
from missioncontrol.state import deeper_than
from missioncontrol.watch.tree import fingerprint

Task = dict[str, Any]

STATUSES = ("pending", "in_progress", "review", "completed", "failed", "delegated", "blocked", "cancelled")
PRIORITIES = ("P0", "P1", "P2", "P3")
CLOSED = frozenset({"completed", "cancelled"})

UNASSIGNED = "Unassigned"
MAX_TASK_BYTES = 63 * 1024
"""How large a task may be as JSON: a record of the state has 64 KiB, and room for what a fleet adds."""

MAX_TASK_DEPTH = 64

_STATUS_WORDS = {status.replace("_", ""): status for status in STATUSES} | {
    "done": "completed",
    "complete": "completed",
    "finished": "completed",
    "todo": "pending",
    "open": "pending",
    "new": "pending",
    "queued": "pending",
    "doing": "in_progress",
    "active": "in_progress",
    "started": "in_progress",
    "running": "in_progress",
    "wip": "in_progress",
    "inreview": "review",
    "reviewing": "review",
    "canceled": "cancelled",
    "error": "failed",
}
_PRIORITY_WORDS = {
    "CRITICAL": "P0",
    "URGENT": "P0",
    "HIGH": "P1",
    "MEDIUM": "P2",
    "NORMAL": "P2",
    "LOW": "P3",
} | {str(number): f"P{number}" for number in range(4)}
_NO_LETTER = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"TASK-(\d{1,9})")

_TEXTS = ("description", "assignedTo", "createdBy", "notes")
_SHAPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_TEXTS, (str, "a text")),
    "due": ((str, type(None)), "a time such as 2026-11-23T18:00:00Z, or null"),
    "parentId": ((str, type(None)), "the id of another task, or null"),
    "tags": (list, "a list of texts"),
    "metadata": (dict, "an object"),
    "subtasks": (list, "a list of objects"),
}

DEFAULTS: Mapping[str, Any] = {
    "description": "Untitled Task",
    "status": "pending",
    "priority": "P2",
    "assignedTo": UNASSIGNED,
    "due": None,
    "tags": [],
    "metadata": {},
    "notes": "",
    "parentId": None,
    "subtasks": [],
}
"""The default fields of a task, without its id and times."""

_CHECKED = frozenset({*_SHAPES, "status", "priority"})
_NONE: Mapping[str, Any] = {
    **{name: value for name, value in DEFAULTS.items() if name not in ("description", "status")},
    "createdBy": "System",
}
"""What null makes of a field of a task that is there. It has a description and a status always."""


def status_of(word: object) -> str | None:
    """Fold a status into one of `STATUSES`, whatever its case, signs and spaces; None for an unknown one."""
    return _STATUS_WORDS.get(_NO_LETTER.sub("", word.lower())) if isinstance(word, str) else None


def priority_of(word: object) -> str | None:
    """Fold a priority into one of `PRIORITIES`; None for an unknown one."""
    if isinstance(word, int) and not isinstance(word, bool):
        word = str(word)
    if not isinstance(word, str):
        return None
    plain = _NO_LETTER.sub("", word.upper())
    return plain if plain in PRIORITIES else _PRIORITY_WORDS.get(plain)


def folded(raw: Data) -> Task:
    """Return a task as the state keeps it: its own fields, with the words for status and priority that all know."""
    task = dict(raw)
    for name, words, fold in (("status", STATUSES, status_of), ("priority", PRIORITIES, priority_of)):
        if name in task and task[name] not in words and (known := fold(task[name])) is not None:
            task[name] = known
    return task


def number_of(id_: str) -> int | None:
    """Return the number in an id such as `TASK-0042`."""
    found = _NUMBER.fullmatch(id_)
    return int(found[1]) if found else None


def checked(fields: Any, old: Task | None = None) -> Data:
    """Return the valid fields of a task, with status and priority normalized.

    Null means that there is no value: the default of a new task (`DEFAULTS`), no agent, no tags, no notes. A field
    that is the same as in `old` is left out without a check, since an agent may have written anything into the file,
    and a page sends back what it has read.

    Args:
        fields: what it is to be made of, or what is to change in it.
        old: the task that is there; None for a new one.

    Raises:
        BadTask: something in it is of the wrong kind; the message says what it must be.
    """
    if not isinstance(fields, dict):
        raise BadTask('A task is a JSON object, as in {"description": "Read the report"}.')
    task: Data = {}
    for name, value in fields.items():
        if name in ("created", "updated") or (
            old is not None and name in _CHECKED and name in old and old[name] == value
        ):
            continue
        if value is None and name in _CHECKED:
            if old is None:
                continue
            value = _NONE.get(name)
        task[name] = value
    for name, (kind, wanted) in _SHAPES.items():
        if name in task and not isinstance(task[name], kind):
            raise BadTask(f"{name} must be {wanted}.")
    if any(not isinstance(tag, str) for tag in task.get("tags", ())):
        raise BadTask("tags must be a list of texts.")
    if any(not isinstance(subtask, dict) for subtask in task.get("subtasks", ())):
        raise BadTask("subtasks must be a list of objects.")
    if task.get("due") is not None and moment(task["due"]) is None:
        raise BadTask(
            f"due {task['due'][:40]!r} is no time; write one such as 2026-11-23T18:00:00Z, or null."
        )
    if "status" in task:
        task["status"] = checked_status(task["status"])
    if "priority" in task:
        task["priority"] = checked_priority(task["priority"])
    return fitting(task)


def fitting(task: Data) -> Data:
    """Return a task, or fields of one, if it may be kept.

    Raises:
        BadTask: it is too large, or nested too deep.
    """
    if deeper_than(task, MAX_TASK_DEPTH):
        raise BadTask(f"A task may be nested {MAX_TASK_DEPTH} levels deep.")
    if len(msgspec.json.encode(task)) > MAX_TASK_BYTES:
        raise BadTask(
            f"A task may have {MAX_TASK_BYTES // 1024} KiB; put the rest into a file and name that."
        )
    return task


def checked_status(word: object) -> str:
    """Fold a status.

    Raises:
        BadTask: it is none.
    """
    status = status_of(word)
    if status is None:
        raise BadTask(f"status {str(word)[:40]!r} is none of {', '.join(STATUSES)}.")
    return status


def checked_priority(word: object) -> str:
    """Fold a priority.

    Raises:
        BadTask: it is none.
    """
    priority = priority_of(word)
    if priority is None:
        raise BadTask(f"priority {str(word)[:40]!r} is none of {', '.join(PRIORITIES)}.")
    return priority


def task_ids(type_: str, data: Data) -> list[str]:
    """Return the ids of the tasks that an event may have changed."""
    if type_ == "state:baseline":
        tasks: Any = data.get("tasks")
        found = (
            [task.get("id") for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
        )
    elif type_.startswith("task:"):
        task = data.get("task")
        found = [data.get("taskId"), task.get("id") if isinstance(task, dict) else None]
    else:
        return []
    return [str(id_) for id_ in found if isinstance(id_, (str, int))]


class TaskEvent(NamedTuple):
    """An event that says how a task changed."""

    type: str
    data: Data


def created(task: Task) -> TaskEvent:
    """Return the event of a task that was added."""
    return TaskEvent("task:created", {"task": task})


def deleted(id_: str) -> TaskEvent:
    """Return the event of a task that was removed."""
    return TaskEvent("task:deleted", {"taskId": id_})


def changed(old: Task, new: Task, *, given: bool = False, by: str | None = None) -> TaskEvent | None:
    """Return the event type and data for a change of a task; None if it did not change.

    Args:
        old: the task before.
        new: the task after.
        given: it was given to its agent, and whatever else changed came with that.
        by: who gave it.
    """
    updates = {name: value for name, value in new.items() if name not in old or old[name] != value}
    removed = sorted(old.keys() - new.keys())
    if not updates and not removed:
        return None
    data: Data = {"taskId": old["id"], "updates": updates}
    if removed:
        data["removed"] = removed
    if updates.get("status") == "completed":
        result = new.get("result")
        return TaskEvent("task:completed", data if result is None else {**data, "result": result})
    agent = updates.get("assignedTo")
    if (
        isinstance(agent, str)
        and agent
        and (given or (not removed and updates.keys() <= {"assignedTo", "updated"}))
    ):
        return TaskEvent(
            "task:assigned", {**data, "agentId": agent, **({} if by is None else {"assignedBy": by})}
        )
    return TaskEvent("task:updated", data)


def moment(time: Any) -> datetime | None:
    """Read a time as people and models write it; one without a zone is taken as UTC. None where it is none."""
    try:
        read = datetime.fromisoformat(time) if isinstance(time, str) else None
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read is not None and read.tzinfo is None else read


def later(one: Task, other: Task) -> bool:
    """Return whether a task was changed later than another; False if one has no valid time."""
    time, than = moment(one.get("updated")), moment(other.get("updated"))
    return time is not None and than is not None and time > than


def tag_of(task: Task) -> str:
    """Return a strong entity tag (RFC 9110, section 8.8.3) that changes with any field."""
    return f'"{fingerprint(msgspec.json.encode(task, order="sorted"))}"'


def is_over(task: Task | None) -> bool:
    """Report whether a task is there and over: completed or cancelled."""
    status = None if task is None else task.get("status")
    return isinstance(status, str) and status in CLOSED


def is_unassigned(task: Task) -> bool:
    """Return whether no agent has a task."""
    holder = task.get("assignedTo")
    return not holder or str(holder).casefold() == UNASSIGNED.casefold()


def urgency(task: Task) -> tuple[int, str, str]:
    """Return what tasks are sorted by: priority, then age, then id."""
    priority = task.get("priority")
    rank = PRIORITIES.index(priority) if priority in PRIORITIES else len(PRIORITIES)
    return rank, str(task.get("created") or ""), str(task["id"])
