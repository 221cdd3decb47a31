"""What is asked about all tasks at once, kept as they change: their order, their numbers, what is open, what is due.

A change costs what one task costs, and an answer what is answered. The index reads the tasks of the state; `touch` says
which of them may have changed, and what was touched is read when something is asked, or when it has become much.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice, takewhile
from typing import Any, Generic, NamedTuple, TypeVar

from missioncontrol.fleet.tasks.task import (
    PRIORITIES,
    STATUSES,
    UNASSIGNED,
    Task,
    is_over,
    is_unassigned,
    moment,
    urgency,
)

Place = tuple[int, str, str]
"""Where a task is in the order of urgency: see `task.urgency`."""

MAX_TOUCHED = 2_000
_CHUNK = 1_000

_K = TypeVar("_K", bound=Any)


UNSAID = "unknown"
"""The key under which tasks without a status or priority are counted."""


class Sorted(Generic[_K]):
    """Keys in their order, each once; kept in chunks, so that one more moves few."""

    def __init__(self) -> None:
        self._chunks: list[list[_K]] = []
        self._last: list[_K] = []

    def change(self, gone: list[_K], new: list[_K]) -> None:
        """Take some out, which are there, and put some in."""
        for key in gone:
            self._remove(key)
        if not self._chunks:
            keys = sorted(new)
            self._chunks = [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]
            self._last = [chunk[-1] for chunk in self._chunks]
            return
        for key in new:
            self._add(key)

    def _add(self, key: _K) -> None:
        number = min(bisect_left(self._last, key), len(self._chunks) - 1)
        chunk = self._chunks[number]
        insort(chunk, key)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[number : number + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._last[number : number + 1] = [chunk[_CHUNK - 1], chunk[-1]]
        else:
            self._last[number] = chunk[-1]

    def _remove(self, key: _K) -> None:
        number = bisect_left(self._last, key)
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._last[number] = chunk[-1]
        else:
            del self._chunks[number], self._last[number]

    def __iter__(self) -> Iterator[_K]:
        """Go through the keys."""
        return chain.from_iterable(self._chunks)

    def after(self, key: _K) -> Iterator[_K]:
        """Go through the keys that come after one, which need not be there."""
        number = bisect_right(self._last, key)
        if number == len(self._chunks):
            return iter(())
        chunk = self._chunks[number]
        first = chunk[bisect_right(chunk, key) :]
        return chain(first, chain.from_iterable(islice(self._chunks, number + 1, None)))


class _Indexed(NamedTuple):
    """A task as the index has it."""

    place: Place
    status: str
    priority: str
    assignee: str
    due: datetime | None
    is_open: bool
    is_closed: bool


class TaskIndex:
    """The index of a table of tasks."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = tasks
        self._touched: set[str] = set(tasks)
        self._indexed: dict[str, _Indexed] = {}
        self._order: Sorted[Place] = Sorted()
        self._open: Sorted[Place] = Sorted()
        self._due: Sorted[tuple[datetime, str]] = Sorted()
        self._statuses: Counter[str] = Counter()
        self._priorities: Counter[str] = Counter()
        self._assignees: Counter[str] = Counter()
        self._urgent: Counter[str] = Counter()
        self.refresh()

    def touch(self, ids: Iterable[str]) -> bool:
        """Note that tasks may have changed; True where so many wait that they should be read."""
        self._touched.update(ids)
        return len(self._touched) > MAX_TOUCHED

    def refresh(self) -> None:
        """Read the tasks that were touched."""
        if not self._touched:
            return
        touched, self._touched = self._touched, set()
        gone: list[_Indexed] = []
        new: list[_Indexed] = []
        for id_ in touched:
            task = self._tasks.get(id_)
            old = self._indexed.pop(id_, None)
            if old is not None:
                gone.append(old)
            if task is not None:
                self._indexed[id_] = entry = _indexed(task)
                new.append(entry)
        self._count(gone, -1)
        self._count(new, 1)
        self._order.change([one.place for one in gone], [one.place for one in new])
        self._open.change(
            [one.place for one in gone if one.is_open], [one.place for one in new if one.is_open]
        )
        self._due.change(
            [(one.due, one.place[2]) for one in gone if one.due],
            [(one.due, one.place[2]) for one in new if one.due],
        )

    def _count(self, entries: list[_Indexed], step: int) -> None:
        for entry in entries:
            for counter, key in (
                (self._statuses, entry.status),
                (self._priorities, entry.priority),
                (self._assignees, entry.assignee),
            ):
                counter[key] += step
                if not counter[key]:
                    del counter[key]
            if not entry.is_closed and entry.priority in PRIORITIES:
                self._urgent[entry.priority] += step

    # What is asked.

    def ids(self) -> list[str]:
        """Return the ids of all tasks, the most urgent first."""
        self.refresh()
        return [place[2] for place in self._order]

    def places(self) -> list[Place]:
        """Return the places of all tasks, in their order, as they are now."""
        self.refresh()
        return list(self._order)

    def page(self, after: Place | None, limit: int) -> list[str]:
        """Return the ids of the tasks after a place, at most so many."""
        self.refresh()
        places = iter(self._order) if after is None else self._order.after(after)
        return [place[2] for place in islice(places, limit)]

    def first_open(self, fits: Callable[[Task], bool]) -> Task | None:
        """Return the most urgent task that is pending and that no agent has, and that fits."""
        self.refresh()
        for place in self._open:
            task = self._tasks.get(place[2])
            if task is not None and fits(task):
                return task
        return None

    def due(self, until: datetime) -> Iterator[str]:
        """Return the ids of the tasks that are not over and due until then, the soonest first."""
        self.refresh()
        return iter([id_ for _, id_ in takewhile(lambda one: one[0] <= until, self._due)])

    def by_status(self) -> dict[str, int]:
        """Count the tasks by status; the statuses there can be come first, the others as they are."""
        self.refresh()
        return {**dict.fromkeys(STATUSES, 0), **self._statuses}

    def by_priority(self) -> dict[str, int]:
        """Count the tasks by priority."""
        self.refresh()
        return {**dict.fromkeys(PRIORITIES, 0), **self._priorities}

    def by_assignee(self) -> dict[str, int]:
        """Count the tasks by who has them."""
        self.refresh()
        return dict(self._assignees)

    def urgent(self, priority: str) -> int:
        """Count the tasks of a priority that are not over."""
        self.refresh()
        return self._urgent[priority]


def _indexed(task: Task) -> _Indexed:
    status = task.get("status")
    closed = is_over(task)
    return _Indexed(
        urgency(task),
        UNSAID if status is None else str(status),
        UNSAID if task.get("priority") is None else str(task["priority"]),
        str(task.get("assignedTo") or UNASSIGNED),
        None if closed else moment(task.get("due")),
        status == "pending" and is_unassigned(task),
        closed,
    )
