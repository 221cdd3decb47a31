"""Follows the log into the index, and answers what is looked for.

The index is a reader of the log like everybody: it comes after what is told, says how far behind it is, and holds
nobody up. Without it everything else goes on.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from missioncontrol.errors import StoreError, Unavailable
from missioncontrol.events import EVERYTHING, Cursor, Event, Record, decode_event
from missioncontrol.search.index import Row, SearchIndex
from missioncontrol.search.query import Query
from missioncontrol.search.text import agents_of, snippet, tags_of, text_of
from missioncontrol.store.log import Log

PAGE_EVENTS = 2_000
PAGE_BYTES = 1024 * 1024
GATHER_SECONDS = 0.2
LONGEST_GATHER_SECONDS = 2.0
RETRY_SECONDS = 5.0
COUNT_UP_TO = 1_000

logger = logging.getLogger(__name__)


class Hit(NamedTuple):
    """An event that was found; `matches` are where in the snippet what was looked for stands."""

    event: Event
    body: bytes
    agent: str | None
    snippet: str
    matches: list[tuple[int, int]]


class Found(NamedTuple):
    """What was found, newest first; `total` of all is exact where `exact` says so, and `next` is the id to go on below.

    `indexed` is the id up to which was looked, `lag` how many events came after it.
    """

    hits: list[Hit]
    total: int
    exact: bool
    next: int | None
    indexed: Cursor
    lag: int


class Search:
    """The index of a log, kept up to date while it runs. `trouble` says why it is not, in a sentence."""

    def __init__(self, log: Log, folder: Path) -> None:
        """Prepare; `folder` is the data folder."""
        self._log = log
        self._index = SearchIndex(folder)
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = "the index is being opened"

    @property
    def lag(self) -> int:
        """How many events are not indexed yet."""
        return max(0, self._log.head - max(self._index.position, self._log.first - 1))

    def start(self) -> None:
        """Begin to follow the log."""
        self._log.listen(self._committed)
        self._task = asyncio.create_task(self._keep_running(), name="search")

    async def stop(self) -> None:
        """End; the next start goes on where this one was."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await asyncio.to_thread(self._index.end)

    async def find(
        self, query: Query, *, first: int = 0, before: int | None = None, limit: int = 20
    ) -> Found:
        """Look for something.

        Args:
            query: what.
            first: only events from this id on.
            before: only events older than this id: the `next` of the page before.
            limit: how many at most.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: there is no index at the moment.
        """
        if self.trouble is not None:
            raise Unavailable(f"Nothing can be looked for at the moment: {self.trouble}.", retry_after=2.0)
        position = self._index.position
        last = position if before is None else min(position, before - 1)
        ids, count = await asyncio.to_thread(
            self._index.find,
            query.match(),
            first=max(first, self._log.first),
            last=last,
            limit=limit,
            most=COUNT_UP_TO + 1,
        )
        hits = [hit for id_ in ids if (hit := await self._hit(id_, query)) is not None]
        return Found(
            hits,
            min(count, COUNT_UP_TO),
            count <= COUNT_UP_TO,
            ids[-1] if len(ids) == limit and count > limit else None,
            Cursor(self._log.epoch, position),
            max(0, self._log.head - position),
        )

    async def _hit(self, id_: int, query: Query) -> Hit | None:
        page = await self._log.read(id_ - 1, EVERYTHING, limit=1)
        if not page.bodies:
            return None
        event = decode_event(page.bodies[0])
        if event.id != id_:
            # Trimmed since.
            return None
        part, matches = snippet(text_of(event), query.terms)
        return Hit(event, page.bodies[0], next(iter(agents_of(event)), None), part, matches)

    def _committed(self, records: Sequence[Record]) -> None:
        self._more.set()

    async def _keep_running(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._index.open, self._log.epoch)
                self.trouble = None
                await self._follow()
            except (sqlite3.Error, OSError) as error:
                self.trouble = f"the index cannot be written ({error})"
                logger.warning("search.failed", extra={"reason": str(error)})
                await asyncio.to_thread(self._index.close)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        first = 0
        while True:
            self._more.clear()
            if self._log.first != first:
                first = self._log.first
                await asyncio.to_thread(self._index.forget, first)
            if self._index.position >= self._log.head:
                await self._more.wait()
                await self._quiet()
            with suppress(StoreError):
                page = await self._log.read(
                    self._index.position, EVERYTHING, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES
                )
                if page.last > self._index.position:
                    began = monotonic()
                    await asyncio.to_thread(self._enter, page.bodies, page.last)
                    # Half of the time at most, also where there is much to catch up with.
                    await asyncio.sleep(monotonic() - began)
                continue
            await asyncio.sleep(RETRY_SECONDS)

    async def _quiet(self) -> None:
        """Wait until nothing more comes for a moment: telling goes first, and what comes together is cheaper."""
        until = monotonic() + LONGEST_GATHER_SECONDS
        while monotonic() < until:
            self._more.clear()
            try:
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._more.wait()
            except TimeoutError:
                return

    def _enter(self, bodies: Sequence[bytes], last: int) -> None:
        events = [decode_event(body) for body in bodies]
        self._index.add([Row(event.id, text_of(event), tags_of(event)) for event in events], last)
