"""The state's tasks and a copy of the file that somebody has written, made into one: pure functions.

Field by field: what one side has changed since the copy was read is taken from that side. What both have changed to
different values is a conflict: the side whose task has the later `updated` wins, the state where that is equal or
cannot be read, and the conflict is reported with both values. Tags are added and taken away one by one, metadata merges
by key, subtasks by their ids and then field by field. A task that one side has changed and the other deleted stays.
Two tasks that were given the same id are told apart by `created` and description: the file's gets a new id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from missioncontrol.sources.tasks.past import Past, Span
from missioncontrol.sources.tasks.task import Task

_MISSING: Any = object()


class ConflictReport(NamedTuple):
    """One field that both sides have changed: what was kept, and what was not."""

    task: str
    field: str
    kept: Any
    dropped: Any


class Merged(NamedTuple):
    """What both sides are to have: all tasks by id, and what was decided between two edits.

    `renumbered` are tasks of the file that need another id, by their position in the file.
    """

    tasks: dict[str, Task]
    conflicts: list[ConflictReport]
    renumbered: list[int]


def merge(
    past: Past, ours: Mapping[str, Task], theirs: Mapping[str, tuple[int, Task]], next_id: int | None
) -> Merged:
    """Merge a copy of the file into the tasks of the state.

    Args:
        past: what the file has been.
        ours: the tasks of the state by id.
        theirs: the tasks of the copy by id, each with its position in the file.
        next_id: the copy's `nextId`.
    """
    copies = [task for _, task in theirs.values()]
    span = past.span(copies, next_id)
    tasks: dict[str, Task] = {}
    conflicts: list[ConflictReport] = []
    renumbered: list[int] = []
    for id_, (index, copy) in theirs.items():
        mine = ours.get(id_)
        if mine is not None and _is_another(mine, copy):
            renumbered.append(index)
            tasks[id_] = mine
        elif mine is None:
            kept = _come_or_gone(past, copy, span, conflicts)
            if kept is not None:
                tasks[id_] = kept
        elif mine == copy:
            tasks[id_] = mine
        else:
            tasks[id_] = _merge_task(past, mine, copy, span, conflicts)
    for id_, mine in ours.items():
        if id_ not in theirs and _stays(past, id_, mine, span, copies, next_id, conflicts):
            tasks[id_] = mine
    return Merged(tasks, conflicts, renumbered)


def _is_another(mine: Task, copy: Task) -> bool:
    """Say whether two tasks have come to the same id independently of one another."""
    return (
        bool(mine.get("created"))
        and bool(copy.get("created"))
        and mine["created"] != copy["created"]
        and mine.get("description") != copy.get("description")
    )


def _come_or_gone(past: Past, copy: Task, span: Span, conflicts: list[ConflictReport]) -> Task | None:
    """Decide about a task that only the copy has: it is new, or was deleted on our side since."""
    known = past.versions.get(copy["id"])
    if not known or span.since >= known[-1].until:
        # It never was, or it was gone when the copy was read, and somebody wants it back.
        return copy
    if any(version.task == copy for version in known):
        return None
    base = past.base(copy, span)
    if base is None or base.task == copy:
        return None
    conflicts.append(ConflictReport(copy["id"], "deleted", False, True))
    return copy


def _stays(
    past: Past,
    id_: str,
    mine: Task,
    span: Span,
    copies: list[Task],
    next_id: int | None,
    conflicts: list[ConflictReport],
) -> bool:
    """Decide about a task that only the state has: it was deleted in the copy, or the copy never had it."""
    if past.unseen(id_, span, copies, next_id):
        return True
    seen = [version for version in past.versions[id_] if span.meets(version)]
    if seen and seen[-1].task == mine:
        return False
    conflicts.append(ConflictReport(id_, "deleted", False, True))
    return True


def _merge_task(past: Past, mine: Task, copy: Task, span: Span, conflicts: list[ConflictReport]) -> Task:
    version = past.base(copy, span)
    base: Mapping[str, Any] = {} if version is None else version.task
    theirs_later = _later(copy.get("updated"), mine.get("updated"))
    merged: Task = {}
    for name in [*mine, *(name for name in copy if name not in mine)]:
        one, other = mine.get(name, _MISSING), copy.get(name, _MISSING)
        before = base.get(name, _MISSING)
        if name == "updated":
            value = other if theirs_later else one
        else:
            found: list[tuple[str, Any, Any]] = []
            value = _merge_value(name, before, one, other, theirs_later, found)
            conflicts += [ConflictReport(mine["id"], *conflict) for conflict in found]
        if value is not _MISSING:
            merged[name] = value
    return merged


def _merge_value(
    name: str, before: Any, one: Any, other: Any, theirs_later: bool, found: list[tuple[str, Any, Any]]
) -> Any:
    if one == other or other == before:
        return one
    if one == before:
        return other
    if isinstance(one, list) and isinstance(other, list):
        known = before if isinstance(before, list) else []
        if name == "tags":
            return _merge_tags(known, one, other)
        if _have_ids(one) and _have_ids(other) and _have_ids(known):
            return _merge_by_id(name, known, one, other, theirs_later, found)
    if isinstance(one, dict) and isinstance(other, dict):
        keys = before if isinstance(before, dict) else {}
        return _merge_keys(name, keys, one, other, theirs_later, found)
    if one is _MISSING or other is _MISSING:
        # An edit beats a deletion.
        kept, dropped = (other, one) if one is _MISSING else (one, other)
    else:
        kept, dropped = (other, one) if theirs_later else (one, other)
    found.append((name, _shown(kept), _shown(dropped)))
    return kept


def _merge_tags(before: list[Any], one: list[Any], other: list[Any]) -> list[Any]:
    gone = [tag for tag in before if tag not in one or tag not in other]
    tags = [tag for tag in one if tag not in gone]
    return tags + [tag for tag in other if tag not in gone and tag not in tags]


def _merge_keys(
    name: str,
    before: Mapping[str, Any],
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    theirs_later: bool,
    found: list[tuple[str, Any, Any]],
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in [*one, *(key for key in other if key not in one)]:
        known = before.get(key, _MISSING)
        value = _merge_value(
            f"{name}.{key}", known, one.get(key, _MISSING), other.get(key, _MISSING), theirs_later, found
        )
        if value is not _MISSING:
            merged[key] = value
    return merged


def _merge_by_id(
    name: str,
    before: list[Any],
    one: list[Any],
    other: list[Any],
    theirs_later: bool,
    found: list[tuple[str, Any, Any]],
) -> list[Any]:
    known = {item["id"]: item for item in before}
    ours = {item["id"]: item for item in one}
    theirs = {item["id"]: item for item in other}
    merged: list[Any] = []
    for id_ in [*ours, *(id_ for id_ in theirs if id_ not in ours)]:
        value = _merge_value(
            f"{name}.{id_}",
            known.get(id_, _MISSING),
            ours.get(id_, _MISSING),
            theirs.get(id_, _MISSING),
            theirs_later,
            found,
        )
        if value is not _MISSING:
            merged.append(value)
    return merged


def _have_ids(items: list[Any]) -> bool:
    ids = [item.get("id") if isinstance(item, dict) else None for item in items]
    return all(isinstance(id_, str) for id_ in ids) and len(set(ids)) == len(ids)


def _later(theirs: Any, ours: Any) -> bool:
    """Say whether the copy's time of change is later than ours."""
    try:
        one, other = datetime.fromisoformat(str(theirs)), datetime.fromisoformat(str(ours))
        return one.timestamp() > other.timestamp()
    except (ValueError, OverflowError, OSError):
        return False


def _shown(value: Any) -> Any:
    return None if value is _MISSING else value
