"""Entries without an id that were edited before their author saw the id that they were given.

In the author's copy such an entry still has no id, and other words than it had when it was given one. It is the task
that has its description, or that was created in the same fraction of a second; unless both say when they were created,
or by whom, and differ in that. A day, or a full second, can be that of several authors.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from missioncontrol.fleet.tasks.ids import MAX_NUMBER
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task, number_of

MAX_COMPARED = 10
"""With how many tasks of the same description, and with how many of the same moment, an entry is compared."""

_Key = tuple[str, str]

_ANOTHER = (False, 0)
_FRACTION = re.compile(r"\.\d*[1-9]")


class KnownTasks(Protocol):
    """The tasks that there are."""

    def get(self, id_: str) -> Task | None:
        """Return one of them."""


class EditedEntries:
    """Tasks that entries without an id can be; each is found once."""

    def __init__(self, past: RevisionHistory, known: KnownTasks, ids: Iterable[str]) -> None:
        """Begin with all of them.

        Args:
            past: what the file has been.
            known: the tasks that there are.
            ids: those of the tasks that can be found.
        """
        self._past = past
        self._known = known
        self._by_key: dict[_Key, OrderedDict[str, None]] = {}
        self._keys: dict[str, set[_Key]] = {}
        for id_ in sorted(ids, key=lambda id_: (number_of(id_) or MAX_NUMBER, id_)):
            keys = {key for task in self._versions(id_) for key in _keys(task)}
            self._keys[id_] = keys
            for key in keys:
                self._by_key.setdefault(key, OrderedDict())[id_] = None

    def take(self, entry: Task) -> str | None:
        """Return the id of the task that an entry is, and find it no more; None where it is none of them."""
        options = (id_ for key in _keys(entry) for id_ in islice(self._by_key.get(key, ()), MAX_COMPARED))
        best: str | None = None
        most = _ANOTHER
        for id_ in options:
            like = max(_likeness(task, entry) for task in self._versions(id_))
            if like > most:
                best, most = id_, like
        if best is not None:
            for key in self._keys.pop(best):
                del self._by_key[key][best]
        return best

    def _versions(self, id_: str) -> Iterator[Task]:
        """Return a task as it is, and as it was in the file."""
        if (task := self._known.get(id_)) is not None:
            yield task
        yield from (version.task for version in self._past.versions.get(id_, ()))


def _keys(task: Task) -> list[_Key]:
    """Return by which of its fields a task is found."""
    found = [("description", task.get("description"))]
    if isinstance(created := task.get("created"), str) and _FRACTION.search(created):
        found.append(("created", created))
    return [(name, value) for name, value in found if isinstance(value, str) and value]


def _likeness(known: Task, entry: Task) -> tuple[bool, int]:
    """Return how like an entry is to a task with its description, or of its moment, whichever they have in common.

    Returns:
        Whether they have the same description, and in how many fields they agree.
    """
    for name in ("created", "createdBy"):
        one, other = known.get(name), entry.get(name)
        if one != other and one is not None and other is not None:
            return _ANOTHER
    words = known.get("description") == entry.get("description") and bool(entry.get("description"))
    born = known.get("created") is not None and known.get("created") == entry.get("created")
    # An author who edits a task leaves most of its fields in it.
    if not words and not (born and 2 * len(known.keys() & entry.keys()) >= len(known)):
        return _ANOTHER
    return words, len([name for name, value in entry.items() if name in known and known[name] == value])
