"""Plans what is to be published and written, from a copy of the file and the state's tasks: no files, no clock."""

from __future__ import annotations

import sys
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.events import Data, rfc3339
from missioncontrol.fleet.tasks.document import ArrayName, Edit, Edits
from missioncontrol.fleet.tasks.entries import Entry, archived_entry, is_about, task_over
from missioncontrol.fleet.tasks.ids import MAX_NUMBER, Ids
from missioncontrol.fleet.tasks.merge import Conflict, merge
from missioncontrol.fleet.tasks.naming import Named, is_another, is_like, named
from missioncontrol.fleet.tasks.reading import Copy
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task, TaskEvent, changed, created, deleted, is_over, number_of

MAX_CONFLICTS = 40
MAX_SHOWN_BYTES = 1024
"""How many conflicts an event reports, and how much of each value."""


class Plan(NamedTuple):
    """What is to be done about a copy.

    `tasks` are the tasks of both sides afterwards, `events` the events by task, `conflicts` the conflicts between two
    edits by task, `edits` the changes for the file; `refused` is the number of tasks of the file for which there is no
    room. `about_all` is whether it is about all tasks, not only about those that may have changed. `renamed` are ids
    that other tasks have in the copy than in the file: until that is written, they have to be checked again.
    """

    tasks: dict[str, Task]
    events: dict[str, list[TaskEvent]]
    conflicts: dict[str, list[Conflict]]
    edits: Edits
    refused: int = 0
    about_all: bool = False
    renamed: Collection[str] = ()


def agree(
    past: RevisionHistory,
    ids: Ids,
    ours: Mapping[str, Task],
    copy: Copy,
    *,
    heal: bool = True,
    among: Collection[str] | None = None,
    room: int = sys.maxsize,
    at: int = 0,
    moves: Collection[str] = (),
) -> Plan:
    """Merge a copy into the state, and note in the past what the file has and will have in it.

    Args:
        past: the earlier contents of the file.
        ids: gives ids to entries without one.
        ours: the state's tasks by id.
        copy: the content that another program has written.
        heal: raise the file's `nextId` if it is in use already, even if there is nothing else to write.
        among: the ids that may differ between the state, the copy and the newest content of the past; the plan is
            about them and about entries without an id alone. None: all may.
        room: how many more tasks the state can have; None for no limit.
        at: the current time in milliseconds since 1970.
        moves: tasks that move into the history if they are over, even if the file's author has completed them.
    """
    if among is None:
        ids.above([*ours, *past.versions, *copy.left, *copy.by_id, *copy.history.by_id], copy.next_id)
    else:
        ids.above([*among, *copy.left, *copy.archived], copy.next_id)
    if among is not None:
        among = ids.aliases.with_tasks([*among, *(entry.id for entry in copy.rest if entry.id is not None)])
    mine = _Mine(past, ours)
    names = named(past, ids, mine, copy, among, at=at)
    entries = names.entries
    refused = _refuse(past, mine, entries, room)
    kept_out = _over(past, ids, mine, copy, names, among)
    ids.seen(entries.keys())
    left = _Any(copy.kept_out, refused, kept_out) if refused or kept_out else copy.kept_out
    if among is not None:
        among = {*among, *entries}
        # New tasks are added to the file in the order of their numbers.
        about: Iterable[str] = sorted(among, key=lambda id_: (number_of(id_) or MAX_NUMBER, id_))
        ours = {id_: task for id_ in about if (task := ours.get(id_)) is not None}
    else:
        about = mine.ids()
    sides = {id_: task for id_ in about if (task := mine.get(id_)) is not None}
    theirs = {id_: entry.task for id_, entry in entries.items()}
    past.settle(theirs, copy.next_id, among)
    numbers = [
        number_of(entry.id)
        for id_, entry in entries.items()
        if entry.id and (entry.id == id_ or id_ in names.new) and _is_new(past, entry.id, entry.task)
    ]
    new_from = min((number for number in numbers if number is not None), default=None)
    own = _own_contents(ids, names)
    unknown = _Any(left, names.unknown(ids.aliases)) if names.aliases else left
    tasks, conflicts = merge(past, sides, theirs, copy.next_id, unknown, new_from, among, own)
    archived: Collection[str] = ()
    if _takes_history(copy):
        archived = {
            id_ for id_, task in tasks.items() if id_ not in ours and past.is_let_go(id_) and is_over(task)
        }
    time = rfc3339(at).decode()
    edits = edits_for(past, ids, copy, entries, tasks, left, heal=heal, time=time, moves={*moves, *archived})
    past.take_back(id_ for id_ in {*tasks, *sides, *theirs} if id_ not in archived)
    new = past.note(theirs, copy.next_id, left, among=among, at=at)
    if new and is_emptied(copy) and len(sides.keys() - tasks.keys()) > 1:
        past.was_emptied()
    for id_, alias in names.aliases.items():
        ids.aliases.stood(alias, id_, past.content)
    if edits:
        if new:
            past.mend()
        # Before it is written, so that every copy that is made of it is known.
        next_id = copy.next_id if edits.next_id is None else edits.next_id
        past.note(tasks, next_id, left, ahead=True, among=among, at=at)
    if archived:
        tasks = {id_: task for id_, task in tasks.items() if id_ not in archived}
    return Plan(
        tasks,
        _events(ours, tasks, conflicts),
        conflicts,
        edits,
        len(refused),
        among is None,
        {*names.aliases.values()},
    )


def rewrite(past: RevisionHistory, ids: Ids, copy: Copy, ours: Mapping[str, Task], *, at: int) -> Edits:
    """Return what makes a file that is gone one that has all tasks again, and note it in the past.

    Args:
        past: what the file has been.
        ids: gives its `nextId`.
        copy: the file as it was known last, or an empty one.
        ours: the state's tasks by id.
        at: the time that it is, in milliseconds since 1970.
    """
    ids.above([*ours, *copy.history.by_id])
    mine = _Mine(past, ours)
    tasks = {id_: task for id_ in mine.ids() if (task := mine.get(id_)) is not None}
    entries = dict(copy.by_id)
    kept_out = _over(past, ids, mine, copy, Named(entries, set(), {}), None)
    left = _Any(copy.kept_out, kept_out)
    time = rfc3339(at).decode()
    edits = edits_for(past, ids, copy, entries, tasks, left, time=time, moves=past.let_go_tasks().keys())
    past.note(tasks, edits.next_id or copy.next_id, left, ahead=True, at=at)
    return edits


class _Mine:
    """The tasks of the state, and those that it let go of, which are in the file's history."""

    def __init__(self, past: RevisionHistory, ours: Mapping[str, Task]) -> None:
        self._past = past
        self._ours = ours

    def get(self, id_: str) -> Task | None:
        task = self._ours.get(id_)
        return self._past.versions[id_][-1].task if task is None and self._past.is_let_go(id_) else task

    def ids(self) -> Iterable[str]:
        return [*(id_ for id_ in self._past.let_go_tasks() if id_ not in self._ours), *self._ours]


class _Any(Container[str]):
    """What is in any of some containers."""

    def __init__(self, *parts: Container[str]) -> None:
        self._parts = parts

    def __contains__(self, id_: object) -> bool:
        return any(id_ in part for part in self._parts)


def _refuse(past: RevisionHistory, mine: _Mine, entries: dict[str, Entry], room: int) -> Collection[str]:
    """Take out the tasks that are new and for which there is no room; return their ids."""
    if len(entries) <= room:
        return ()
    new = [id_ for id_ in entries if mine.get(id_) is None and id_ not in past.versions]
    refused = set(new[max(0, room) :])
    for id_ in refused:
        del entries[id_]
    return refused


def _own_contents(ids: Ids, names: Named) -> Collection[int]:
    """Return the contents in which tasks stood under the aliases that they have in a copy, the oldest first."""
    found: set[int] | None = None
    for id_, alias in names.aliases.items():
        contents = ids.aliases.contents(alias, id_)
        if contents:
            found = {*contents} if found is None else found.intersection(contents)
    return sorted(found or ())


def _over(
    past: RevisionHistory, ids: Ids, mine: _Mine, copy: Copy, names: Named, among: Collection[str] | None
) -> Collection[str]:
    """Add the entries of the history that are about tasks which the state has or the past knows, and no others.

    Where a task is in both arrays, that among the tasks counts.

    Returns:
        The ids of those that cannot be kept as tasks.
    """
    kept_out: list[str] = []
    if not copy.history.by_id:
        return kept_out
    entries = names.entries
    for id_ in {*mine.ids(), *past.versions} if among is None else among:
        kept = copy.history.get(id_)
        if kept is None or id_ in entries or id_ in copy.left:
            continue
        task, versions = mine.get(id_), past.versions.get(id_)
        known = task or (versions[-1].task if versions else None)
        if known is None:
            continue
        try:
            entry = Entry(kept.block, kept.place, id_, task_over(kept.value, id_, known), "history")
        except BadTask:
            kept_out.append(id_)
            continue
        if not is_another(past, task, entry):
            entries[id_] = entry
            continue
        for other in ids.aliases.of(id_):
            if other not in entries and is_like(past, mine.get(other), other, entry.task):
                entries[other] = entry._replace(task={**entry.task, "id": other})
                names.aliases[other] = id_
                break
    return kept_out


def _is_new(past: RevisionHistory, id_: str, task: Task) -> bool:
    """Return whether a task has never been in the file, although another one may have had its id."""
    return all(
        version.task.get("created") != task.get("created")
        and version.task.get("description") != task.get("description")
        for version in past.versions.get(id_, ())
    )


def edits_for(
    past: RevisionHistory,
    ids: Ids,
    copy: Copy,
    entries: Mapping[str, Entry],
    tasks: Mapping[str, Task],
    left: Container[str],
    *,
    time: str,
    heal: bool = True,
    moves: Collection[str] = (),
) -> Edits:
    """Return what makes a file with these entries one that has these tasks."""
    is_table = copy.document is None
    edits = Edits()
    if is_table and {id_: entry.task for id_, entry in entries.items()} == tasks:
        return edits
    takes_history = _takes_history(copy)
    bases = copy.bases()
    for id_, entry in entries.items():
        if is_table and entry.array == "tasks":
            continue
        wanted, task = tasks.get(id_), entry.task
        is_same = entry.id == id_ and (wanted is task or wanted == task)
        target = _array_for(entry, wanted, move=id_ in moves) if takes_history else entry.array
        if entry.array == "tasks" and (kept := copy.history.get(id_)) is not None:
            reopened = target == "tasks" and is_over(past.newest(id_)) and not is_over(wanted)
            if (wanted is None or target == "history" or reopened) and is_about(kept.value, wanted or task):
                edits.history.dropped.add(bases.get(id(kept.block), 0) + kept.place)
        if is_same and target == entry.array:
            continue
        index = bases.get(id(entry.block), 0) + entry.place
        array = edits.of(entry.array)
        if wanted is None or target != entry.array:
            array.dropped.add(index)
            if wanted is not None:
                _add(edits, target, wanted, time)
            continue
        updates = {name: value for name, value in wanted.items() if name not in task or task[name] != value}
        if entry.id != id_:
            updates["id"] = id_
        removed = sorted(task.keys() - wanted.keys())
        if updates or removed:
            array.changed[index] = Edit(updates, removed)
    for id_, wanted in tasks.items():
        entry_there = entries.get(id_)
        is_new = entry_there is None or (is_table and entry_there.array == "tasks")
        if is_new and (is_table or id_ not in left):
            _add(edits, "history" if takes_history and is_over(wanted) else "tasks", wanted, time)
    if is_table:
        edits.next_id = ids.next
        return edits
    low = copy.next_id is None or copy.next_id < ids.next
    takes_next_id = copy.document is not None and copy.document.takes_next_id
    if takes_next_id and low and (edits or (heal and copy.next_id is not None)):
        edits.next_id = ids.next
    return edits


def is_emptied(copy: Copy) -> bool:
    """Return whether a copy has no tasks."""
    return not (copy.by_id or copy.rest or copy.left or copy.over)


def _takes_history(copy: Copy) -> bool:
    return copy.document is None or copy.document.takes_history


def _array_for(entry: Entry, wanted: Task | None, *, move: bool) -> ArrayName:
    """Return where a task is to be: what the file's author completed stays where it is, unless it is to move."""
    if wanted is None or not is_over(wanted):
        return "tasks"
    stays = entry.array == "tasks" and not move and wanted.get("status") == entry.task.get("status")
    return "tasks" if stays else "history"


def _add(edits: Edits, array: ArrayName, task: Task, time: str) -> None:
    edits.of(array).added.append(archived_entry(task, time) if array == "history" else task)


def _events(
    ours: Mapping[str, Task], tasks: Mapping[str, Task], conflicts: Mapping[str, list[Conflict]]
) -> dict[str, list[TaskEvent]]:
    events = {id_: [deleted(id_)] for id_ in sorted(ours.keys() - tasks.keys())}
    for id_, task in tasks.items():
        old = ours.get(id_)
        event = created(task) if old is None else None if old is task else changed(old, task)
        if event is not None:
            found = conflicts.get(id_, ())
            events[id_] = [TaskEvent(event.type, {**event.data, **_reported(found)})]
    return events


def _reported(conflicts: Collection[Conflict]) -> Data:
    if not conflicts:
        return {}
    return {
        "conflicts": [
            {"field": one.field, "kept": shortened(one.kept), "dropped": shortened(one.dropped)}
            for one in list(conflicts)[:MAX_CONFLICTS]
        ]
    }


def shortened(value: Any) -> Any:
    """Return a value as it is, or the beginning of its text where that is long."""
    text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return value if len(text) <= MAX_SHOWN_BYTES else text[:MAX_SHOWN_BYTES].decode(errors="ignore") + "…"
