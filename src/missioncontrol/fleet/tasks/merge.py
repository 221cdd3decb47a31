"""Merges the state's tasks with a copy of the file that another program has written: pure functions.

Field by field: what one side has changed since the copy was made is taken from that side. What both have changed to
different values is a conflict: the side whose task has the later `updated` wins, the state where that is equal or
cannot be read, and the conflict is reported with both values. Tags are added and taken away one by one, metadata merges
by key, subtasks by their ids and then field by field; everything else is whole. What one side has changed and the other
deleted stays, be it a task or a field, and is reported, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from typing import Any, NamedTuple

from missioncontrol.events import rfc3339
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task, later, moment

_MISSING: Any = object()


class Conflict(NamedTuple):
    """A field that both sides have changed: the value that was kept, and the one that was not. None: no value."""

    field: str
    kept: Any
    dropped: Any


class Merged(NamedTuple):
    """What both sides are to have: all tasks by id; and by id what was decided between two edits."""

    tasks: dict[str, Task]
    conflicts: dict[str, list[Conflict]]


def merge(
    past: RevisionHistory,
    ours: Mapping[str, Task],
    copy: Mapping[str, Task],
    next_id: int | None = None,
    left: Container[str] = (),
    new_from: int | None = None,
    among: Collection[str] | None = None,
    own: Collection[int] = (),
) -> Merged:
    """Merge a copy of the file into the tasks of the state.

    Args:
        past: what the file has been.
        ours: the tasks of the state by id.
        copy: those of the copy by id.
        next_id: the copy's `nextId`.
        left: ids that the copy has in a form that cannot be read, or for another task.
        new_from: the lowest number that was new to the author of the copy, if it is below its `nextId`.
        among: the ids that `ours` and `copy` are about; all other tasks are the same on both sides, and in the newest
            content. None: they are about all.
        own: the contents that only the copy's author can have made it of, the oldest first, where that is known.
    """
    origin = past.origin(copy, next_id, new_from, among, own)
    tasks: dict[str, Task] = {}
    conflicts: dict[str, list[Conflict]] = {}
    put_back = past.put_back(copy)
    for id_, theirs in copy.items():
        mine = ours.get(id_)
        if mine is None:
            known = past.versions.get(id_)
            base = past.base(id_, theirs, origin)
            if known is None or known[-1].until <= origin.since or id_ in put_back:
                # It is new; or it was gone when the copy was made, and its author restores it; or it is in a backup.
                tasks[id_] = theirs
            elif theirs != base:
                tasks[id_] = theirs
                conflicts[id_] = [Conflict("deleted", False, True)]
        elif mine == theirs:
            tasks[id_] = mine
        else:
            found: list[Conflict] = []
            tasks[id_] = merge_task(past.base(id_, theirs, origin) or {}, mine, theirs, found)
            if found:
                conflicts[id_] = found
    for id_, mine in ours.items():
        if id_ in copy:
            continue
        if id_ in left or past.unseen(id_, origin):
            tasks[id_] = mine
        elif past.seen(id_, origin) != mine:
            tasks[id_] = mine
            conflicts[id_] = [Conflict("deleted", False, True)]
    return Merged(tasks, conflicts)


def merge_task(base: Mapping[str, Any], mine: Task, theirs: Task, conflicts: list[Conflict]) -> Task:
    """Merge two edits of one task; what cannot be merged is added to the conflicts.

    Args:
        base: the task that both were made of; empty where there is none.
        mine: the task of the state.
        theirs: the task of the copy.
        conflicts: where to report.
    """
    merged = _Sides(theirs_later=later(theirs, mine), conflicts=conflicts).task(base, mine, theirs)
    time = moment(merged.get("updated"))
    if time is not None and all(_differ(merged, side) for side in (mine, theirs)):
        # Neither side has this version: it needs its own time, so that a copy of a side differs from a copy of it.
        merged["updated"] = rfc3339(round(time.timestamp() * 1000) + 1).decode()
    return merged


def _differ(one: Task, other: Task) -> bool:
    return {**one, "updated": None} != {**other, "updated": None}


class _Sides(NamedTuple):
    """Which side wins a conflict, and where it is reported."""

    theirs_later: bool
    conflicts: list[Conflict]

    def task(self, base: Mapping[str, Any], mine: Task, theirs: Task) -> Task:
        def value(name: str, before: Any, one: Any, other: Any) -> Any:
            if name == "updated":
                return self._time(before, one, other)
            if name == "tags" and all(isinstance(value, list) for value in (one, other)):
                return _tags(before if isinstance(before, list) else [], one, other)
            if name == "metadata" and isinstance(one, dict) and isinstance(other, dict):
                return self._by_key("metadata.", before, one, other, self._whole)
            if name == "subtasks" and _have_ids(one) and _have_ids(other):
                return self._subtasks(before, one, other)
            return self._whole(name, before, one, other)

        merged: Task = self._by_key("", base, mine, theirs, value)
        return merged

    def _by_key(
        self,
        above: str,
        base: Any,
        mine: Mapping[str, Any],
        theirs: Mapping[str, Any],
        both: Callable[[str, Any, Any, Any], Any],
    ) -> dict[str, Any]:
        """Merge two objects; `both` decides about what both sides have changed."""
        known = base if isinstance(base, Mapping) else {}
        merged: dict[str, Any] = {}
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            before, one, other = (side.get(name, _MISSING) for side in (known, mine, theirs))
            if one == other or other == before:
                value = one
            elif one == before:
                value = other
            else:
                value = both(f"{above}{name}", before, one, other)
            if value is not _MISSING:
                merged[name] = value
        return merged

    def _whole(self, name: str, _before: Any, one: Any, other: Any) -> Any:
        if _MISSING in (one, other):
            # An edit beats a deletion.
            kept, dropped = (other, one) if one is _MISSING else (one, other)
        else:
            kept, dropped = (other, one) if self.theirs_later else (one, other)
        self.conflicts.append(Conflict(name, _shown(kept), _shown(dropped)))
        return kept

    def _time(self, _before: Any, one: Any, other: Any) -> Any:
        if _MISSING in (one, other):
            return other if one is _MISSING else one
        return other if self.theirs_later else one

    def _subtasks(self, before: Any, one: list[Any], other: list[Any]) -> list[Any]:
        def both(name: str, before: Any, mine: Any, theirs: Any) -> Any:
            if _MISSING in (mine, theirs):
                return self._whole(name, before, mine, theirs)
            return self._by_key(f"{name}.", before, mine, theirs, self._whole)

        known, mine, theirs = ({item["id"]: item for item in _items(side)} for side in (before, one, other))
        return list(self._by_key("subtasks.", known, mine, theirs, both).values())


def _tags(before: list[Any], one: list[Any], other: list[Any]) -> list[Any]:
    gone = [tag for tag in before if tag not in one or tag not in other]
    tags = [tag for tag in one if tag not in gone]
    return tags + [tag for tag in other if tag not in gone and tag not in tags]


def _have_ids(items: Any) -> bool:
    return isinstance(items, list) and len(_items(items)) == len(items)


def _items(items: Any) -> list[dict[str, Any]]:
    """Return the objects of a list that have an id of their own."""
    seen: dict[str, dict[str, Any]] = {}
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            seen.setdefault(item["id"], item)
    return list(seen.values())


def _shown(value: Any) -> Any:
    return None if value is _MISSING else value
