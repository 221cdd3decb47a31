"""The versions of a task in the file, the file's `nextId`, and which contents a copy can have been made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from missioncontrol.fleet.tasks.task import Task, is_over

FOREVER = 2**53
_FEW_VALUES = frozenset({"status", "priority"})


class Version(msgspec.Struct, omit_defaults=True):
    """A version of a task that was in the file from the content numbered `since` to the one before `until`.

    `noted` is when it was first seen, in milliseconds since 1970; 0 if that is not known. `let_go`, of a task's first
    version, means that the state has removed the task, which is in the file's history alone. If a copy lacks the task,
    it stays until that copy is merged: the task is either put back into the file, or was deleted by hand.
    """

    task: Task
    since: int
    until: int = FOREVER
    noted: int = 0
    let_go: bool = False


class NextId(msgspec.Struct):
    """The file's `nextId`, from the content numbered `since` to the one before `until`."""

    value: int
    since: int
    until: int = FOREVER


class Counter(msgspec.Struct):
    """The number of the newest content, and the file's `nextId` in the contents so far.

    `reached` is the newest content that is known to have been in the file; `mended` are contents that were another
    program's copy and were merged at once. `emptied` is the last one that lacked all tasks of the content before it.
    """

    content: int = 0
    reached: int = 0
    next_ids: list[NextId] = []
    mended: list[int] = []
    emptied: int = 0


class RevisionWindow(NamedTuple):
    """The contents that a copy can have been made of: those from `since` to the one before `until`.

    `known` is whether anything in it shows that it was made of this file; `restored`, whether it is an old content as a
    whole; `counted`, whether the file has had its `nextId`. Numbers from `new_from` on were new to its author; `newest`
    returns the latest time in it.
    """

    since: int = 0
    until: int = FOREVER
    known: bool = True
    restored: bool = False
    counted: bool = False
    new_from: int | None = None
    newest: Callable[[], datetime | None] = lambda: None

    def meets(self, version: Version) -> bool:
        """Return whether a version was in the file in this window."""
        return version.since < self.until and self.since < version.until


def thin(known: list[Version]) -> None:
    """Forget the second version of a task. The first one stays, since it has the time when the task was added."""
    first, second = known[0], known.pop(1)
    if first.until == second.since:
        first.until = second.until


def nearest(task: Task, bases: Sequence[Task]) -> Task:
    """Return the version that differs least from a task, the last of equals; its time alone does not count."""
    best, least = bases[-1], _distance(bases[-1], task)
    for base in reversed(bases[:-1]):
        distance = _distance(base, task)
        if 0 < distance < least:
            best, least = base, distance
    return best


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Return in how many fields two tasks differ, without `updated`; fields with few values count half."""
    names = (one.keys() | other.keys()) - {"updated"}
    differing = [name for name in names if name not in one or name not in other or one[name] != other[name]]
    return sum(1 if name in _FEW_VALUES else 2 for name in differing)


def over_since(known: Sequence[Version]) -> int | None:
    """Return since when a task is over, in milliseconds since 1970; None if its newest version is not over."""
    since: int | None = None
    for version in reversed(known):
        if not is_over(version.task):
            break
        since = version.noted
    return since
