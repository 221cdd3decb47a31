"""Which tasks are over, and since when: the state lets go of each some time later."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from heapq import heappop, heappush

from missioncontrol.events import now

LONGEST_WAIT_SECONDS = 3600.0
"""The longest wait for a task to have been over for long enough, since the clock may be set meanwhile."""


class Retention:
    """The tasks of the state that are over, the one that has been for the longest first.

    A change costs the logarithm of their number.
    """

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        # What is out of date in it is found when it comes to the top.
        self._heap: list[tuple[int, str]] = []
        self._due: set[str] = set()

    def put(self, id_: str, since: int | None) -> None:
        """Note since when a task is over, in milliseconds since 1970; None where it is not, or is not there."""
        if since is None:
            self._since.pop(id_, None)
            self._due.discard(id_)
        elif self._since.get(id_) != since:
            self._since[id_] = since
            self._due.discard(id_)
            heappush(self._heap, (since, id_))

    @property
    def first(self) -> int | None:
        """Since when the first of the tasks is over that `due` has not returned; None where there is none."""
        while self._heap:
            since, id_ = self._heap[0]
            if self._since.get(id_) == since and id_ not in self._due:
                return since
            heappop(self._heap)
        return None

    def due(self, until: int) -> Collection[str]:
        """Return the tasks that have been over since a time or longer, in milliseconds since 1970."""
        while (since := self.first) is not None and since <= until:
            self._due.add(heappop(self._heap)[1])
        return self._due


class RetentionPolicy:
    """For how long the state keeps a task that is over."""

    def __init__(self, hours: float) -> None:
        self._milliseconds = round(hours * 3_600_000)

    async def due(self, retention: Retention) -> Collection[str]:
        """Return the tasks that have been over for long enough."""
        until, first = now() - self._milliseconds, retention.first
        if first is None or first > until:
            return retention.due(-1)
        # In a thread: after a first start there may be many.
        return await asyncio.to_thread(retention.due, until)

    def wait(self, retention: Retention) -> float | None:
        """Return in how many seconds the next task has been over for long enough; None where none is over."""
        first = retention.first
        if first is None:
            return None
        return min((first + self._milliseconds - now()) / 1000, LONGEST_WAIT_SECONDS)
