"""The log in SQLite: the default, with nothing to install.

One thread writes (`missioncontrol.store.writer`), two read (`missioncontrol.store.reader`), and this class is
what the event loop's thread talks to. What the loop has not heard of does not exist for anybody: `head` moves
when listeners are told, and no page goes past it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from missioncontrol.errors import Draining, MissionControlError, Overloaded, StoreError, TooLarge
from missioncontrol.events import Cursor, Draft, Patterns, Record, encode_data
from missioncontrol.store.log import (
    MAX_APPEND_EVENTS,
    Checkpoint,
    Listener,
    LogFigures,
    Page,
    Retention,
    StateCheckpoint,
)
from missioncontrol.store.reader import find_id_at, read_memory, read_newest, read_page, read_state
from missioncontrol.store.schema import (
    DATABASE_NAME,
    CopyOf,
    FolderLock,
    Opened,
    TailGuard,
    connect,
    open_database,
)
from missioncontrol.store.writer import (
    Append,
    Call,
    Committed,
    Copied,
    Copy,
    Writer,
    explain,
    find_keys,
    save_state,
)

MAX_QUEUED_EVENTS = 500_000
MAX_QUEUED_BYTES = 128 * 1024 * 1024
ENCODE_HERE_BELOW = 2_000
READERS = 2

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class SqliteLog:
    """A log in `FOLDER/events.sqlite`. Made by `open`; belongs to the event loop that opened it."""

    def __init__(
        self,
        folder: Path,
        opened: Opened,
        guard: TailGuard,
        lock: FolderLock,
        retention: Retention,
    ) -> None:
        self.figures = LogFigures()
        self.new_epoch_reason = opened.new_epoch_reason
        self._folder = folder
        self._epoch = opened.epoch
        self._head = opened.head
        self._lock = lock
        self._listeners: list[Listener] = []
        self._queued_bytes = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="log-reader")
        self._connections = threading.local()
        self._open_connections: list[sqlite3.Connection] = []
        self._writer = Writer(
            folder, opened, guard, retention, self.figures, self._loop, self._committed, self._failed
        )

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        retention: Retention | None = None,
        synchronous: str = "normal",
        copy_of: CopyOf | None = None,
    ) -> SqliteLog:
        """Open or create the log in a data folder.

        Args:
            folder: made where it is missing; belongs to one process at a time.
            retention: how much of the past is kept.
            synchronous: `normal` survives the death of the process; `full` also a power cut, for an fsync a commit.
            copy_of: the log that this is a copy of, whose records come by `copy`; nobody appends then.

        Raises:
            OpenError: the folder is in use or cannot be written, or the file is foreign, damaged or too new.
        """

        def open_files() -> tuple[Opened, TailGuard, FolderLock]:
            lock = FolderLock(folder)
            try:
                guard = TailGuard(folder)
                try:
                    return open_database(folder, guard, synchronous, copy_of), guard, lock
                except BaseException:
                    guard.close()
                    raise
            except BaseException:
                lock.release()
                raise

        opened, guard, lock = await asyncio.to_thread(open_files)
        return cls(folder, opened, guard, lock, retention or Retention())

    @property
    def epoch(self) -> str:
        """The name of this life of the log."""
        return self._epoch

    @property
    def first(self) -> int:
        """The oldest id that can be read; `head` + 1 while there is none."""
        return min(self._writer.first, self._head + 1)

    @property
    def head(self) -> int:
        """The newest id that listeners have heard of."""
        return self._head

    @property
    def trouble(self) -> str | None:
        """Why nothing can be appended at the moment; None when all is well."""
        error = self._writer.trouble
        return None if error is None else str(error)

    def cursor(self) -> Cursor:
        """The cursor that stands at the head."""
        return Cursor(self._epoch, self._head)

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the records of each commit, before whoever appended them goes on."""
        self._listeners.append(listener)

    async def append(
        self, drafts: Sequence[Draft], checkpoint: Checkpoint | None = None, *, after: int | None = None
    ) -> list[int]:
        """Append all drafts or none, in one transaction with the checkpoint; see `Log.append`."""
        if len(drafts) > MAX_APPEND_EVENTS:
            raise TooLarge(
                f"{len(drafts):,} events at once; the limit is {MAX_APPEND_EVENTS:,}. Send fewer at a time."
            )
        # A long list is encoded by the writer's thread, so that the loop goes on; the order is the queue's.
        encoded = [encode_data(draft) for draft in drafts] if len(drafts) < ENCODE_HERE_BELOW else None
        if self._closed:
            raise Draining("The log is closing.")
        size = sum(map(len, encoded)) if encoded is not None else len(drafts) * 256
        figures = self.figures
        if figures.queued + len(drafts) > MAX_QUEUED_EVENTS or self._queued_bytes + size > MAX_QUEUED_BYTES:
            raise Overloaded("Too many events wait to be written; slow down and try again.")
        figures.queued += len(drafts)
        self._queued_bytes += size
        done: asyncio.Future[list[int]] = self._loop.create_future()
        self._writer.queue.put(Append(drafts, encoded, checkpoint, done, after))
        try:
            # A caller that goes away must not take back what may be on its way to the disk.
            return await asyncio.shield(done)
        finally:
            figures.queued -= len(drafts)
            self._queued_bytes -= size

    async def copy(self, copied: Sequence[Copied], checkpoints: Sequence[Checkpoint] = ()) -> None:
        """Keep records of the log that this is a copy of, and tell listeners of those that are new.

        Raises:
            StoreError: they could not be kept, or there is one missing before them.
        """
        if self._closed:
            raise Draining("The log is closing.")
        done: asyncio.Future[None] = self._loop.create_future()
        self._writer.queue.put(Copy(copied, checkpoints, done))
        await asyncio.shield(done)

    async def find_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the ids of the events that have these keys."""
        return await self._ask(partial(find_keys, keys=keys)) if keys else {}

    def _committed(self, commit: Committed) -> None:
        if commit.records:
            self._head = commit.records[-1].id
            for listener in self._listeners:
                try:
                    listener(commit.records)
                except Exception:
                    logger.exception("a listener of the log failed")
        for done, ids in commit.answers:
            if not done.done():
                done.set_result(ids)

    def _failed(self, waiting: Iterable[asyncio.Future[Any]], error: MissionControlError) -> None:
        if isinstance(error, StoreError):
            logger.error("log.failed", extra={"reason": str(error)})
        for done in waiting:
            if not done.done():
                # One error, many waiters: each gets one of its own, since raising it adds a traceback to it.
                done.set_exception(copy(error))
                # Whoever has gone away no longer asks; asyncio is not to complain about it.
                done.exception()

    async def reach(self, id_: int) -> bool:
        """Say whether the log has an id; nobody else tells events."""
        return self._head >= id_

    async def read(
        self, after: int, patterns: Patterns, *, limit: int = 1000, max_bytes: int = 262_144
    ) -> Page:
        """Read one page of events after an id; see `Log.read`."""
        return await self._ask(
            partial(
                read_page, after=after, head=self._head, patterns=patterns, limit=limit, max_bytes=max_bytes
            )
        )

    async def newest(self, patterns: Patterns, *, limit: int, before: int | None = None) -> list[Record]:
        """Read the newest events, newest first; see `Log.newest`."""
        bound = self._head + 1 if before is None else min(before, self._head + 1)
        return await self._ask(partial(read_newest, before=bound, patterns=patterns, limit=limit))

    async def id_at(self, time: int) -> int:
        """Return the id of the last event told at or before `time`; see `Log.id_at`."""
        return await self._ask(partial(find_id_at, time=time, first=self.first, head=self._head))

    async def recall(self, source: str) -> dict[str, bytes]:
        """Return everything that a source has remembered."""
        return await self._ask(partial(read_memory, source=source))

    async def load_state(self, at: int) -> StateCheckpoint | None:
        """Return the newest kept state at or before the id `at`."""
        return await self._ask(partial(read_state, at=at))

    async def save_state(self, checkpoint: StateCheckpoint) -> None:
        """Keep a folded state beside the events."""
        if self._closed:
            raise Draining("The log is closing.")
        done: asyncio.Future[None] = self._loop.create_future()
        self._writer.queue.put(Call(partial(save_state, id_=checkpoint.id, state=checkpoint.state), done))
        await asyncio.shield(done)

    async def close(self) -> None:
        """Write what is queued, then let go of everything."""
        if self._closed:
            return
        self._closed = True
        # Readers first: a connection that is left open would keep the write-ahead log from being folded in.
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._open_connections:
            connection.close()
        self._writer.queue.put(None)
        await asyncio.to_thread(self._writer.join)
        # What the writer's last commit has to say is queued on this loop; let it be heard.
        await asyncio.sleep(0)
        self._lock.release()

    async def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if self._closed:
            raise Draining("The log is closing.")
        try:
            return await self._loop.run_in_executor(self._readers, self._answer, question)
        except sqlite3.Error as error:
            raise explain(error) from error

    def _answer(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection: sqlite3.Connection | None = getattr(self._connections, "own", None)
        if connection is None:
            connection = connect(self._folder / DATABASE_NAME, query_only=True)
            self._connections.own = connection
            self._open_connections.append(connection)
        return question(connection)
