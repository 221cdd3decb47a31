"""Which task each entry of a copy is.

An entry is the task that has its id, unless it is plainly another: an author has given a new task an id that was taken
meanwhile. Then it is given an id of its own, and known again in every later copy of its author, who goes on with his
own id for it (`aliases.py`), also when he has edited it. Of several tasks that an entry can be by its id, it is the one
that it is most like; and no task is two entries. An entry without an id that is none of those that are known by their
words may be one of them that its author has edited (`edited_entries.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import NamedTuple, Protocol

from missioncontrol.fleet.tasks.aliases import Aliases
from missioncontrol.fleet.tasks.edited_entries import EditedEntries
from missioncontrol.fleet.tasks.entries import Entry
from missioncontrol.fleet.tasks.ids import Candidates, Ids
from missioncontrol.fleet.tasks.reading import Copy
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task

_SAME, _ALIKE, _WORDS, _BORN, _PERHAPS, _ANOTHER = 5, 4, 3, 2, 1, 0
"""How like a task is to another, if both have the same id: equal; of the same words and time; of the same words alone;
of the same time alone; nothing speaks for it or against it; another one."""


YOUNG_MILLISECONDS = 5_000
"""For how long an entry without a time, and with other words, is taken for another task than one that was given its id
to settle a collision: as a rule its author has not seen that."""


class Mine(Protocol):
    """The tasks that there are."""

    def get(self, id_: str) -> Task | None:
        """Return one of them."""


class Named(NamedTuple):
    """The entries of a copy by the id of the task that each is.

    `new` are the ids that were given now, or that no task has had. `aliases` has the tasks that are in the copy under
    another id, by their own.
    """

    entries: dict[str, Entry]
    new: set[str]
    aliases: dict[str, str]

    def unknown(self, aliases: Aliases) -> set[str]:
        """Return the ids of tasks in whose place the copy has others: its author does not know them.

        Where they have aliases of their own, he may know them by those.
        """
        places = self.aliases.values()
        return {id_ for id_ in places if id_ not in self.entries and not aliases.has_names(id_)}


class _Used(Container[str]):
    """The ids that no entry without one of its own may be given.

    An id that the copy has for another task is free: the task that has it may be in the copy without it.
    """

    def __init__(self, copy: Copy, found: Named, unnamed: Iterable[Entry]) -> None:
        self._copy = copy
        self._named = found.entries.keys()
        self._free = {*found.aliases.values(), *(entry.id for entry in unnamed)}

    def __contains__(self, id_: object) -> bool:
        return (
            id_ in self._named
            or (id_ in self._copy.by_id and id_ not in self._free)
            or id_ in self._copy.left
            or id_ in self._copy.history.by_id
        )


def named(
    past: RevisionHistory, ids: Ids, mine: Mine, copy: Copy, among: Collection[str] | None, *, at: int = 0
) -> Named:
    """Return which task each entry of a copy is; one that is none of those that are known is given an id.

    Args:
        past: what the file has been.
        ids: gives ids, and knows under which other ones tasks have stood.
        mine: the tasks that there are.
        copy: what an author has written.
        among: the ids to look at; those that may be in their place are among them.
        at: the time that it is, in milliseconds since 1970.
    """
    found = Named({}, set(), {})
    # Of entries with the same id each can be the task.
    doubled = [entry for entry in copy.rest if entry.id is not None]
    twice = {entry.id for entry in doubled}
    contested: list[Entry] = []
    rest: list[Entry] = []
    for entry in _entries(copy, among):
        if entry.id is None:
            continue
        if entry.id in twice or ids.aliases.concern(entry.id):
            contested.append(entry)
        elif is_another(past, mine.get(entry.id), entry):
            rest.append(entry)
        else:
            found.entries[entry.id] = _with_id(entry, entry.id)
    nameless = [entry for entry in copy.rest if entry.id is None]
    # Of equal ones the first has the id.
    rest += _matched(past, ids, mine, contested + doubled, found, at)
    used = _Used(copy, found, rest)
    candidates: Candidates = {}
    unknown: list[Entry] = []
    for entry in [*nameless, *rest]:
        if (before := ids.before(entry.task, used, candidates)) is None:
            unknown.append(entry)
        else:
            _enter(found, ids, entry, before)
    edited: EditedEntries | None = None
    for entry in unknown:
        known = None
        if entry.id is None:
            if edited is None:
                # A task whose id the copy does not have can be in it without one, as its author has edited it.
                edited = EditedEntries(past, mine, (id_ for id_ in ids.given if id_ not in used))
            known = edited.take(entry.task)
        _enter(found, ids, entry, ids.give(entry.task, known))
    return found


def _enter(found: Named, ids: Ids, entry: Entry, id_: str) -> None:
    """Enter an entry that has no id of its own, or that of another task, under the id that it was given."""
    found.entries[id_] = _with_id(entry, id_)
    found.new.add(id_)
    if entry.id is not None:
        found.aliases[id_] = entry.id
        ids.aliases.give(entry.id, id_)


def _entries(copy: Copy, among: Collection[str] | None) -> Iterable[Entry]:
    if among is None:
        return copy.by_id.values()
    found = [entry for id_ in among if (entry := copy.by_id.get(id_)) is not None]
    if len(found) < 2:
        return found
    # In the order of the file.
    bases = copy.bases()
    return sorted(found, key=lambda entry: bases.get(id(entry.block), 0) + entry.place)


def _matched(
    past: RevisionHistory, ids: Ids, mine: Mine, contested: list[Entry], found: Named, at: int
) -> list[Entry]:
    """Find the tasks of entries whose ids have been others' too; return those that are none of them."""
    options: list[tuple[int, int, int, str]] = []
    for number, entry in enumerate(contested):
        if entry.id is None:
            continue
        task = mine.get(entry.id)
        if not is_another(past, task, entry):
            like = max(_PERHAPS, likeness(past, task, entry.id, entry.task))
            given = task is not None and ids.aliases.has_names(entry.id) and entry.id in past.versions
            if like > _PERHAPS or not given or at - past.versions[entry.id][0].noted > YOUNG_MILLISECONDS:
                options.append((-like, 0, number, entry.id))
        for order, other in enumerate(ids.aliases.of(entry.id), 1):
            if (like := likeness(past, mine.get(other), other, entry.task)) > _PERHAPS:
                options.append((-like, order, number, other))
    done: set[int] = set()
    for _, _, number, id_ in sorted(options):
        entry = contested[number]
        if number not in done and id_ not in found.entries:
            done.add(number)
            found.entries[id_] = _with_id(entry, id_)
            if entry.id is not None and entry.id != id_:
                found.aliases[id_] = entry.id
                if id_ not in past.versions:
                    # It was given its id by one who did not come to write it.
                    found.new.add(id_)
    return [entry for number, entry in enumerate(contested) if number not in done]


def _with_id(entry: Entry, id_: str) -> Entry:
    if "id" in entry.task and entry.task["id"] == id_:
        return entry
    return entry._replace(task={**entry.task, "id": id_})


def is_another(past: RevisionHistory, mine: Task | None, entry: Entry) -> bool:
    """Report whether an entry has come to its id independently of the task that we have under it."""
    if mine is None or entry.id is None or mine.get("description") == entry.task.get("description"):
        return False
    return not past.was_in_file(entry.id) or not _is_born_with(mine, entry.task)


def likeness(past: RevisionHistory, mine: Task | None, id_: str, task: Task) -> int:
    """Say how like an entry is to a task that it can be, as that is or was."""
    known = [version.task for version in past.versions.get(id_, ())]
    return max(
        (_likeness(one, task) for one in (known if mine is None else [*known, mine])), default=_ANOTHER
    )


def is_like(past: RevisionHistory, mine: Task | None, id_: str, task: Task) -> bool:
    """Report whether an entry is a task that had another id in it."""
    return likeness(past, mine, id_, task) > _PERHAPS


def _likeness(known: Task, task: Task) -> int:
    if known.get("description") == task.get("description"):
        if known.get("created") != task.get("created"):
            return _WORDS
        return _SAME if {**known, "id": None} == {**task, "id": None} else _ALIKE
    if not _is_born_with(known, task):
        return _ANOTHER
    return _PERHAPS if known.get("created") is None else _BORN


def _is_born_with(known: Task, task: Task) -> bool:
    """Report whether two tasks of different words are one by their time; two can have been made in the same moment."""
    if known.get("created") != task.get("created"):
        return False
    # An author who edits a task leaves most of it as it is.
    return known.get("created") is None or 2 * len(known.keys() & task.keys()) >= len(known)
