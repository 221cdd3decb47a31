"""From a copy of the file and the state's tasks to what is to be told and written: no files, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.events import Data
from missioncontrol.sources.tasks.document import Edit, Edits
from missioncontrol.sources.tasks.ids import Ids
from missioncontrol.sources.tasks.merge import Conflict, merge
from missioncontrol.sources.tasks.past import Past
from missioncontrol.sources.tasks.reading import Copy, Entry, id_in, task_in
from missioncontrol.sources.tasks.task import Task, Told, changed, created, deleted, number_of

MAX_CONFLICTS = 40
MAX_SHOWN_BYTES = 1024
"""How many conflicts an event reports, and how much of each value."""


class Plan(NamedTuple):
    """What is to be done about a copy.

    `tasks` are what both sides are to have, `told` the events by task, `conflicts` what was decided between two edits
    by task, `edits` what the file lacks.
    """

    tasks: dict[str, Task]
    told: dict[str, list[Told]]
    conflicts: dict[str, list[Conflict]]
    edits: Edits


def agree(past: Past, ids: Ids, ours: Mapping[str, Task], copy: Copy, *, heal: bool = True) -> Plan:
    """Merge a copy into the state, and note in the past what the file has and will have in it.

    Args:
        past: what the file has been.
        ids: gives ids to entries that have none of their own.
        ours: the state's tasks by id.
        copy: what somebody has written.
        heal: have the file's `nextId` raised where it is in use already, also if there is nothing else to write.
    """
    there = [entry.id for entry in copy.entries] + [id_in(entry) for entry in copy.history]
    used = (id_ for id_ in there if id_ is not None)
    ids.above([*ours, *past.versions, *copy.left, *used], copy.next_id)
    entries = _named(past, ids, ours, copy)
    theirs = {id_: entry.task for id_, entry in entries.items()}
    past.settle(theirs, copy.next_id)
    numbers = [
        number_of(entry.id) for entry in copy.entries if entry.id and _is_new(past, entry.id, entry.task)
    ]
    new_from = min((number for number in numbers if number is not None), default=None)
    tasks, conflicts = merge(past, ours, theirs, copy.next_id, copy.left, new_from)
    edits = _edits(ids, copy, entries, tasks, heal=heal)
    new = past.note(theirs, copy.next_id, copy.left)
    if edits:
        if new:
            past.mend()
        # Before it is written: nobody is to come with a copy of it that is not known.
        past.note(tasks, copy.next_id if edits.next_id is None else edits.next_id, copy.left, ahead=True)
    return Plan(tasks, _told(ours, tasks, conflicts, copy.history), conflicts, edits)


def edits_for(ids: Ids, copy: Copy, tasks: Mapping[str, Task]) -> Edits:
    """Return what makes a file, whose entries all have ids, one that has these tasks."""
    entries = {entry.id: entry for entry in copy.entries if entry.id is not None}
    return _edits(ids, copy, entries, tasks, heal=True)


def _named(past: Past, ids: Ids, ours: Mapping[str, Task], copy: Copy) -> dict[str, Entry]:
    """Return the entries by id; one that has none, or another task's, is given one."""
    own: dict[str, Entry] = {}
    rest: list[Entry] = []
    for entry in copy.entries:
        if entry.id is None or entry.id in own or _is_another(past, ours.get(entry.id), entry):
            rest.append(entry)
        else:
            own[entry.id] = entry._replace(task={**entry.task, "id": entry.id})
    ids.seen(own.keys())
    used = {*own, *copy.left}
    for entry in rest:
        id_ = ids.for_entry(entry.task, used)
        used.add(id_)
        own[id_] = entry._replace(task={**entry.task, "id": id_})
    return own


def _is_another(past: Past, mine: Task | None, entry: Entry) -> bool:
    """Say whether an entry has come to its id independently of the task that we have under it."""
    if mine is None or entry.id is None or mine.get("description") == entry.task.get("description"):
        return False
    return entry.id not in past.versions or mine.get("created") != entry.task.get("created")


def _is_new(past: Past, id_: str, task: Task) -> bool:
    """Say whether a task has never stood in the file, though another may have had its id."""
    return all(
        version.task.get("created") != task.get("created")
        and version.task.get("description") != task.get("description")
        for version in past.versions.get(id_, ())
    )


def _edits(
    ids: Ids, copy: Copy, entries: Mapping[str, Entry], tasks: Mapping[str, Task], *, heal: bool
) -> Edits:
    if copy.document is None:
        there = {id_: entry.task for id_, entry in entries.items()}
        return Edits() if there == tasks else Edits(added=list(tasks.values()), next_id=ids.next)
    edits = Edits()
    for id_, entry in entries.items():
        wanted = tasks.get(id_)
        if wanted is None:
            edits.dropped.add(entry.place)
            continue
        task = entry.task
        updates = {name: value for name, value in wanted.items() if name not in task or task[name] != value}
        if entry.id != id_:
            updates["id"] = id_
        removed = sorted(task.keys() - wanted.keys())
        if updates or removed:
            edits.changed[entry.place] = Edit(updates, removed)
    edits.added = [task for id_, task in tasks.items() if id_ not in entries and id_ not in copy.left]
    low = copy.next_id is None or copy.next_id < ids.next
    if copy.document.takes_next_id and low and (edits or (heal and copy.next_id is not None)):
        edits.next_id = ids.next
    return edits


def _told(
    ours: Mapping[str, Task],
    tasks: Mapping[str, Task],
    conflicts: Mapping[str, list[Conflict]],
    history: list[Any],
) -> dict[str, list[Told]]:
    told: dict[str, list[Told]] = {}
    gone = ours.keys() - tasks.keys()
    over = {id_: entry for entry in history if gone and (id_ := id_in(entry)) in gone}
    for id_ in sorted(gone):
        told[id_] = _archived(ours[id_], over[id_]) if id_ in over else [deleted(id_)]
    for id_, task in tasks.items():
        old = ours.get(id_)
        event = created(task) if old is None else None if old is task else changed(old, task)
        if event is not None:
            found = conflicts.get(id_, ())
            told[id_] = [Told(event.type, {**event.data, **_reported(found)})]
    return told


def _archived(old: Task, entry: Any) -> list[Told]:
    """Say that a task was moved into the history: completed by that, where it was not before."""
    told = [Told("task:deleted", {**deleted(old["id"]).data, "archived": True})]
    try:
        task: Task = {**old, "status": "completed", **task_in(entry), "id": old["id"]}
    except BadTask:
        return told
    event = changed(old, task)
    if event is not None and event.type == "task:completed":
        told.insert(0, event)
    return told


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
