"""What a change makes of a task, and which changes a task allows: without the queue, the file or the log."""

from __future__ import annotations

from collections.abc import Collection

from missioncontrol.errors import BadTask, Conflict
from missioncontrol.events import Data, now, rfc3339
from missioncontrol.fleet.tasks.task import UNASSIGNED, Task, is_over, is_unassigned, moment

MAX_AHEAD = 60_000
"""Milliseconds by which another program's clock may be ahead of ours for its times to count."""


def time_now() -> str:
    """Return the current time in the form of events."""
    return rfc3339(now()).decode()


def time_after(task: Task) -> str:
    """Return the time that it is, or a millisecond after the task's last change, whichever is later."""
    time, last = now(), moment(task.get("updated"))
    if last is not None and 0 <= round(last.timestamp() * 1000) - time < MAX_AHEAD:
        time = round(last.timestamp() * 1000) + 1
    return rfc3339(time).decode()


def words_of(task: Task) -> str:
    """Return the text in which a task is searched for."""
    tags = task.get("tags")
    words = [task.get(name) for name in ("id", "description", "assignedTo", "notes")]
    return "\n".join(str(word) for word in [*words, *(tags if isinstance(tags, list) else [])] if word)


def check_id(given: Data, id_: str, task: Task) -> None:
    """Take the id out of what is given for the task that was named `id_`.

    Raises:
        BadTask: it is another one.
    """
    if given.pop("id", id_) not in (id_, task["id"]):
        raise BadTask("The id of a task cannot be changed.")


def check_free(task: Task, agent: str) -> None:
    """Check that an agent can have a task.

    Raises:
        Conflict: it is over, or another agent has it.
    """
    holder = task.get("assignedTo")
    if is_over(task):
        raise Conflict(f"The task {task['id']} is {task['status']}.")
    if holder and str(holder).casefold() not in (agent.casefold(), UNASSIGNED.casefold()):
        raise Conflict(f"The task {task['id']} is {holder}'s.")


def is_open(task: Task, tags: Collection[str]) -> bool:
    """Return whether a task can be claimed, and has one of the tags; any without."""
    if task.get("status") != "pending" or not is_unassigned(task):
        return False
    own = task.get("tags")
    return not tags or (isinstance(own, list) and any(tag in tags for tag in own))


def in_its_status(new: Task, old: Task, time: str) -> Task:
    """Note when a task was begun, and when it was completed."""
    if new.get("status") == old.get("status"):
        return new
    if new.get("status") == "in_progress" and not new.get("startedAt"):
        return {**new, "startedAt": time}
    if new.get("status") == "completed":
        return {**new, "completedAt": time}
    return new


def tags_in(if_match: str) -> set[str]:
    """Return the entity tags in an `If-Match`."""
    return {tag.strip() for tag in if_match.split(",")}
