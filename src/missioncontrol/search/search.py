"""Keeps the search index up to date with the log, and answers queries.

The index is a reader of the log like any other. It is filled after events are published, reports how far behind it
is, and delays no other reader. The server works without it.
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

from missioncontrol.background import BackgroundTasks
from missioncontrol.errors import BadQuery, StoreError, Unavailable
from missioncontrol.events import EVERYTHING, Cursor, Event, Record, read_event
from missioncontrol.redaction import revision
from missioncontrol.search.index import Row, SearchIndex
from missioncontrol.search.query import Query
from missioncontrol.search.text import agents_of, snippet, tags_of, text_of
from missioncontrol.store.log import Log
from missioncontrol.threads import OwnerThread

PAGE_EVENTS = 2_000
PAGE_BYTES = 1024 * 1024
GATHER_SECONDS = 0.2
LONGEST_GATHER_SECONDS = 2.0
RETRY_SECONDS = 5.0
RETENTION_SECONDS = 30.0
"""Seconds for which the words of a trimmed event may stay in the index, although the event is no longer found."""
COUNT_UP_TO = 1_000

logger = logging.getLogger(__name__)


class Hit(NamedTuple):
    """An event that was found; `matches` are the positions of the terms in the snippet."""

    event: Event
    body: bytes
    agent: str | None
    snippet: str
    matches: list[tuple[int, int]]


class SearchHit(NamedTuple):
    """The events that were found, newest first.

    `total` is the number of all matches if `exact`, else a lower bound. `next` is the `before` of the next page.
    `indexed` is the cursor up to which events were searched, `lag` the number of events after it.
    """

    hits: list[Hit]
    total: int
    exact: bool
    next: int | None
    indexed: Cursor
    lag: int


class Search:
    """The index of a log, kept up to date while it runs. `trouble` is the reason why it is not, as a sentence."""

    def __init__(
        self, log: Log, folder: Path, background: BackgroundTasks | None = None, *, redacts: bool = True
    ) -> None:
        """Prepare; `start` opens the index.

        Args:
            log: the log that is indexed.
            folder: the data folder.
            background: where failures of the index are reported; it is opened again after them.
            redacts: whether secrets are masked, in the index and in results.
        """
        self._redacts = redacts
        self._log = log
        self._background = background or BackgroundTasks()
        # All writes to the index happen on this thread; searches have a connection with a lock of its own.
        self._thread = OwnerThread("search")
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
        self._task = asyncio.create_task(self._keep_running(), name="search")

    async def stop(self) -> None:
        """Stop; the next start continues at the same position."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._thread.close(self._index.end)

    async def find(
        self, query: Query, *, first: int = 0, before: int | None = None, limit: int = 20
    ) -> SearchHit:
        """Search for events.

        Args:
            query: the query.
            first: only events from this id on.
            before: only events older than this id: the `next` of the page before.
            limit: how many events to return at most.

        Raises:
            BadQuery: the index cannot read the query.
            QueryTooSlow: it takes too long.
            Unavailable: there is no index at the moment.
        """
        if self.trouble is not None:
            raise Unavailable(f"Search is not available at the moment: {self.trouble}.", retry_after=2.0)
        position = self._index.position
        last = position if before is None else min(position, before - 1)
        try:
            ids, count = await asyncio.to_thread(
                self._index.find,
                query.match(),
                first=max(first, self._log.first),
                last=last,
                limit=limit,
                most=COUNT_UP_TO + 1,
            )
        except sqlite3.Error as error:
            if str(error).startswith("fts5:"):
                # The query is wrong, not the index.
                raise BadQuery(f"The query cannot be read: {error}.") from None
            self.trouble = f"the index cannot be read ({error})"
            self._background.report("search", self.trouble)
            self._more.set()
            raise Unavailable(
                f"Search is not available at the moment: {self.trouble}.", retry_after=RETRY_SECONDS
            ) from None
        hits = [hit for id_ in ids if (hit := await self._hit(id_, query)) is not None]
        return SearchHit(
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
        event = read_event(page.bodies[0])
        if event.id != id_:
            # Trimmed since.
            return None
        part, matches = snippet(text_of(event, redacts=self._redacts), query.terms)
        return Hit(event, page.bodies[0], next(iter(agents_of(event)), None), part, matches)

    def committed(self, records: Sequence[Record]) -> None:
        """Wake up for records that were committed; called by the pipeline after each commit."""
        self._more.set()

    async def _keep_running(self) -> None:
        while True:
            try:
                await self._thread.run(self._index.open, self._origin())
                self.trouble = None
                self._background.report("search", None)
                await self._follow()
            except (sqlite3.Error, OSError) as error:
                self.trouble = f"the index cannot be written ({error})"
                logger.warning("search.failed", extra={"reason": str(error)})
                self._background.report("search", self.trouble)
            except Exception as error:
                self.trouble = f"the index has failed ({type(error).__name__})"
                logger.exception("search.failed", extra={"reason": str(error)})
                self._background.report("search", error)
            with suppress(sqlite3.Error, OSError):
                await self._thread.run(self._index.close)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        trim_at = 0.0
        first = 0
        while True:
            self._more.clear()
            if self.trouble is not None:
                # A search could not read the index: it is opened again, or rebuilt.
                raise sqlite3.OperationalError(self.trouble)
            if self._log.first != first and monotonic() >= trim_at:
                first = self._log.first
                await self._thread.run(self._index.forget, first)
                await self._refill(first)
                trim_at = monotonic() + RETENTION_SECONDS
            if self._index.position >= self._log.head:
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETENTION_SECONDS):
                        await self._more.wait()
                    await self._quiet()
            with suppress(StoreError):
                page = await self._log.read(
                    self._index.position, EVERYTHING, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES
                )
                if page.last > self._index.position:
                    began = monotonic()
                    await self._thread.run(self._enter, page.bodies, page.last)
                    # Use at most half of the time, even with much to catch up with.
                    await asyncio.sleep(monotonic() - began)
                continue
            await asyncio.sleep(RETRY_SECONDS)

    async def _refill(self, first: int) -> None:
        """Remove trimmed events from the part of the index that has the oldest event of the log."""
        ids = await self._thread.run(self._index.stale_part, first)
        if ids is None:
            return
        after, begin = ids.start - 1, True
        while after < ids.stop - 1:
            try:
                limit = min(PAGE_EVENTS, ids.stop - 1 - after)
                page = await self._log.read(after, EVERYTHING, limit=limit, max_bytes=PAGE_BYTES)
            except StoreError:
                # The part stays unchanged, and is refilled later.
                return
            rows = [row for row in map(self._row, page.bodies) if row.id < ids.stop]
            began = monotonic()
            end = page.last >= ids.stop - 1
            await self._thread.run(self._index.refill, ids, rows, begin=begin, end=end)
            await asyncio.sleep(monotonic() - began)
            after, begin = max(page.last, after + 1), False

    async def _quiet(self) -> None:
        """Wait for a pause in the commits: delivery has priority, and indexing events in groups is cheaper."""
        until = monotonic() + LONGEST_GATHER_SECONDS
        while monotonic() < until:
            self._more.clear()
            try:
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._more.wait()
            except TimeoutError:
                return

    def _enter(self, bodies: Sequence[bytes], last: int) -> None:
        self._index.add([self._row(body) for body in bodies], last)

    def _row(self, body: bytes) -> Row:
        event = read_event(body)
        return Row(event.id, text_of(event, redacts=self._redacts), tags_of(event))

    def _origin(self) -> str:
        """Return the origin of the index: the log's epoch and the rules for masking. A change rebuilds the index."""
        return f"{self._log.epoch} {revision()}" if self._redacts else self._log.epoch
