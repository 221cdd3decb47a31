"""Assigns ids to tasks.

Numbers only increase: the next one is above all that the state, the file, its history or its `nextId` have ever had.
An entry of the file without an id is recognized by its content, since it may be read several times before its id is in
the file, and return in a copy that was read before. Once the file has had the id, and the task is gone, the same
content is a new task. An entry that its author has edited before reading the id is recognized by similarity
(`edited_entries.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping

import msgspec

from missioncontrol.fleet.tasks.aliases import Aliases
from missioncontrol.fleet.tasks.task import Task, number_of
from missioncontrol.watch.tree import fingerprint

MAX_REMEMBERED = 10_000
"""How many entries without an id are known again."""

MAX_NUMBER = 10**9
_KEY = "ids"


Candidates = dict[str, Iterator[tuple[str, bool]]]
"""The ids that entries with the same words were given before, and that are still to be tried."""

_given = msgspec.json.Decoder(dict[str, dict[str, bool]])


class Ids:
    """The next number, and the ids that were given to entries of the file."""

    def __init__(self, taken: Collection[str]) -> None:
        """Begin at 1.

        Args:
            taken: the ids of the state, as they come and go.
        """
        self._taken = taken
        self.aliases = Aliases()
        self._given: dict[str, dict[str, bool]] = {}
        # Those of them that the file has not had yet, with what is in the entry.
        self._unseen: dict[str, set[str]] = {}
        self._changed = False
        self.next = 1

    def new(self) -> str:
        """Return the id for a task that is new."""
        while True:
            id_ = f"TASK-{self.next:04}"
            self.next += 1
            if id_ not in self._taken:
                return id_

    def above(self, ids: Iterable[str], next_id: int | None = None) -> None:
        """Go above these ids, and the number that the file gives as the next."""
        numbers = [number + 1 for id_ in ids if (number := number_of(id_)) is not None]
        if next_id is not None and next_id < MAX_NUMBER:
            numbers.append(next_id)
        self.next = max([self.next, 1, *numbers])

    def seen(self, ids: Collection[str]) -> None:
        """Note that the file has these ids in it."""
        for id_ in [id_ for id_ in self._unseen if id_ in ids]:
            for mark in self._unseen.pop(id_):
                if id_ in self._given.get(mark, ()):
                    self._given[mark][id_] = self._changed = True

    @property
    def given(self) -> set[str]:
        """The ids that were given to entries which had none, and that tasks have."""
        return {id_ for given in self._given.values() for id_ in given if id_ in self._taken}

    def for_entry(self, entry: Task, used: Container[str], candidates: Candidates) -> str:
        """Return the id for an entry that has none: the one that it was given before, else a new one.

        The arguments are those of `before`.
        """
        return self.before(entry, used, candidates) or self.give(entry)

    def before(self, entry: Task, used: Container[str], candidates: Candidates) -> str | None:
        """Return the id that an entry with these words was given before, unless another has it.

        Args:
            entry: what is in it.
            used: the ids that other entries of the file have.
            candidates: the same for all entries of a file, empty for the first: of entries with the same words each
                goes on where the one before has found its id.
        """
        mark = _mark(entry)
        if mark not in candidates:
            candidates[mark] = iter(list(self._given.get(mark, {}).items()))
        for id_, seen in candidates[mark]:
            if id_ not in used and (id_ in self._taken or not seen):
                return id_
        return None

    def give(self, entry: Task, id_: str | None = None) -> str:
        """Note that an entry that has no id of its own is given one, and return it.

        Args:
            entry: what is in it.
            id_: that of the task that it is; None for a new one.
        """
        given = self._given.setdefault(_mark(entry), {})
        if id_ is None:
            id_ = self.new()
        given[id_] = False
        self._unseen.setdefault(id_, set()).add(_mark(entry))
        self._changed = True
        while len(self._given) > MAX_REMEMBERED:
            del self._given[next(iter(self._given))]
        return id_

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be remembered, and take it as remembered."""
        changes = self.aliases.changes()
        if self._changed:
            self._changed = False
            changes[_KEY] = msgspec.json.encode(self._given)
        return changes

    def recall(self, memory: Mapping[str, bytes], content: int) -> None:
        """Take over what was remembered.

        Args:
            memory: what it was.
            content: the number of the newest content of the file that was remembered in full.
        """
        self.aliases.recall(memory, content)
        if _KEY in memory:
            self._given = _given.decode(memory[_KEY])
            self._unseen = {}
            for mark, given in self._given.items():
                for id_ in (id_ for id_, seen in given.items() if not seen):
                    self._unseen.setdefault(id_, set()).add(mark)


def _mark(entry: Task) -> str:
    return fingerprint(msgspec.json.encode(entry, order="sorted"))
