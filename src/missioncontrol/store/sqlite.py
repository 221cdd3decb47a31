"""The log in SQLite: the default, with nothing to install.

One thread writes (`missioncontrol.store.writer`), two read (`missioncontrol.store.reader`), and this class is
what the event loop's thread talks to. What the loop has not heard of does not exist for anybody: `head` moves
when listeners are told, and no page goes past it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

from missioncontrol.errors import (
    Damaged,
    DamagedFile,
    Draining,
    MissionControlError,
    OpenError,
    Overloaded,
    StoreError,
    TooLarge,
)
from missioncontrol.events import Cursor, Draft, Patterns, Record, encode_data
from missioncontrol.private_files import close_database
from missioncontrol.store.clock import Clock
from missioncontrol.store.damage import check_whole, drop_database
from missioncontrol.store.log import (
    MAX_APPEND_EVENTS,
    Checkpoint,
    Listener,
    LogFigures,
    Page,
    Retention,
    StateCheckpoint,
    check_keys,
)
from missioncontrol.store.reader import find_id_at, read_memory, read_newest, read_page, read_state
from missioncontrol.store.readers import Answer, ReaderPool
from missioncontrol.store.rows import find_keys, save_state
from missioncontrol.store.schema import (
    DATABASE_NAME,
    NEW_LOG,
    CopyOf,
    FolderLock,
    Opened,
    TailGuard,
    open_database,
)
from missioncontrol.store.trouble import damaged, explain
from missioncontrol.store.work import Append, Call, Committed, Copied, Copy
from missioncontrol.store.writer import Writer

MAX_QUEUED_EVENTS = 500_000
MAX_QUEUED_BYTES = 128 * 1024 * 1024
ENCODE_HERE_BELOW = 2_000

SLICE_EVENTS = 200
SLICE_BYTES = 128 * 1024
"""With how much of a commit the listeners are called at once."""

DELIVER_SECONDS = 0.01
"""After so long others have a turn of the event loop before the rest of a commit."""

logger = logging.getLogger(__name__)


class SqliteLog:
    """A log in `FOLDER/events.sqlite`. Made by `open`; belongs to the event loop that opened it."""

    def __init__(
        self,
        folder: Path,
        opened: Opened,
        guard: TailGuard,
        lock: FolderLock,
        retention: Retention,
        clock: Clock | None = None,
    ) -> None:
        self.figures = LogFigures()
        self.new_epoch_reason = opened.new_epoch_reason
        self.alert: Callable[[Draft], None] = self._append_alert
        self._alerting: set[asyncio.Task[None]] = set()
        self._folder = folder
        self._epoch = opened.epoch
        self._head = opened.head
        self._lock = lock
        self._listeners: list[Listener] = []
        # What the listeners are still to be called with, and how much of the first they were.
        self._deliveries: deque[tuple[list[Record], Callable[[], None]]] = deque()
        self._delivered = 0
        self._queued_bytes = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._readers = ReaderPool(folder / DATABASE_NAME)
        self._writer = Writer(
            folder,
            opened,
            guard,
            retention,
            self.figures,
            self._loop,
            self._committed,
            self._failed,
            self._readers.closed,
            lambda draft: self.alert(draft),
            clock or Clock(),
        )
        if opened.new_epoch_reason not in (None, NEW_LOG) and not opened.copied:
            self.alert(_loss(opened))

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        retention: Retention | None = None,
        synchronous: str = "normal",
        copy_of: CopyOf | None = None,
        clock: Clock | None = None,
    ) -> SqliteLog:
        """Open or create the log in a data folder.

        Args:
            folder: made where it is missing; belongs to one process at a time.
            retention: how much of the past is kept.
            synchronous: `normal` survives the death of the process; `full` also a power cut, for an fsync a commit.
            copy_of: the log that this is a copy of, whose records come by `copy`; nobody appends then.
            clock: what gives the time; the machine's, where there is none.

        Raises:
            OpenError: the folder is in use or cannot be written, or the file is foreign, damaged or too new.
        """

        def open_files() -> tuple[Opened, TailGuard, FolderLock]:
            lock = FolderLock(folder)
            close_database(folder / DATABASE_NAME)
            try:
                guard = TailGuard(folder)
                try:
                    return _open_whole(folder, guard, synchronous, copy_of), guard, lock
                except BaseException:
                    guard.close()
                    raise
            except BaseException:
                lock.release()
                raise

        opened, guard, lock = await asyncio.to_thread(open_files)
        return cls(folder, opened, guard, lock, retention or Retention(), clock)

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
        error = self._writer.damage or self._writer.trouble
        return None if error is None else str(error)

    @property
    def damage(self) -> Damaged | None:
        """What was found damaged; nothing is accepted any more."""
        return self._writer.damage

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
        check_keys(checkpoint)
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

    def _append_alert(self, draft: Draft) -> None:
        """Append what the log itself has to report; where that fails, the log's trouble is reported anyhow."""
        task = self._loop.create_task(self._try_to_append(draft))
        self._alerting.add(task)
        task.add_done_callback(self._alerting.discard)

    async def _try_to_append(self, draft: Draft) -> None:
        with suppress(MissionControlError):
            await self.append([draft])

    def _committed(self, commit: Committed) -> None:
        self._deliver_later(partial(self._deliver, commit), commit.records)

    def _deliver_later(self, finish: Callable[[], None], records: list[Record]) -> None:
        """Call listeners with records and then `finish`, after everything that came before."""
        self._deliveries.append((records, finish))
        if len(self._deliveries) == 1:
            self._deliver_slices()

    def _deliver_slices(self) -> None:
        """Call the listeners slice by slice; when that has taken its time, others have a turn of the loop."""
        until = self._loop.time() + DELIVER_SECONDS
        while self._deliveries:
            records, finish = self._deliveries[0]
            count = _slice_length(records, self._delivered)
            slice_ = records if count == len(records) else records[self._delivered : self._delivered + count]
            self._delivered += count
            if slice_:
                self._head = slice_[-1].id
                for listener in self._listeners:
                    try:
                        listener(slice_)
                    except Exception:
                        logger.exception("a listener of the log failed")
            if self._delivered == len(records):
                finish()
                self._deliveries.popleft()
                self._delivered = 0
            if self._deliveries and self._loop.time() >= until:
                self._loop.call_soon(self._deliver_slices)
                return

    def _deliver(self, commit: Committed) -> None:
        for done, ids in commit.answers:
            if not done.done():
                done.set_result(ids)
        if commit.done is not None and not commit.done.done():
            commit.done.set_result(None)

    def _failed(self, waiting: Iterable[asyncio.Future[Any]], error: MissionControlError) -> None:
        # What it is about, such as an event that came before, listeners are to know by then.
        self._deliver_later(partial(self._fail, list(waiting), error), [])

    def _fail(self, waiting: Iterable[asyncio.Future[Any]], error: MissionControlError) -> None:
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
        page = await self._ask(
            partial(
                read_page, after=after, head=self._head, patterns=patterns, limit=limit, max_bytes=max_bytes
            )
        )
        if page.illegible:
            self.figures.unreadable += len(page.illegible)
            ids = ", ".join(map(str, page.illegible[:5]))
            await self._note_damage(damaged(self._folder, f"events cannot be read ({ids})"))
        return page

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
        """Keep a folded state next to the events."""
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
        self._writer.queue.put(None)
        await asyncio.to_thread(self._writer.join)
        # What the writer's last commit has to report is queued on this loop.
        await asyncio.sleep(0)
        while self._deliveries:
            self._deliver_slices()
        self._lock.release()

    async def _note_damage(self, error: Damaged) -> None:
        # It writes a file, on a disk of which little is known now.
        await asyncio.to_thread(self._writer.note_damage, error)

    async def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if self._closed:
            raise Draining("The log is closing.")
        try:
            return await self._readers.ask(question)
        except sqlite3.Error as error:
            explained = await asyncio.to_thread(explain, error, self._folder)
            if isinstance(explained, Damaged):
                await self._note_damage(explained)
            raise explained from error
        except UnicodeDecodeError as error:
            # A name, a key or a type that is no text: nobody has written that.
            harmed = damaged(self._folder, f"a row cannot be read ({error})")
            await self._note_damage(harmed)
            raise harmed from error


def _slice_length(records: list[Record], start: int) -> int:
    """Return how many records from `start` on listeners are called with at once."""
    end = min(start + SLICE_EVENTS, len(records))
    size = 0
    for index in range(start, end):
        size += len(records[index].body)
        if size > SLICE_BYTES:
            return index - start + 1
    return end - start


def _loss(opened: Opened) -> Draft:
    text = f"The log has begun a new epoch: {opened.new_epoch_reason}. Clients are told so by a gap."
    data = {"level": "critical", "message": text, "details": {"epoch": opened.epoch}}
    return Draft("system:alert", data, source="log")


def _open_whole(folder: Path, guard: TailGuard, synchronous: str, copy_of: CopyOf | None) -> Opened:
    """Open a database that is not damaged; a damaged copy is made again.

    Raises:
        OpenError: it is damaged and no copy, or cannot be opened.
    """
    try:
        check_whole(folder, guard)
        return open_database(folder, guard, synchronous, copy_of)
    except OpenError as error:
        if copy_of is None or not isinstance(error, DamagedFile):
            raise
        logger.warning("copy.damaged", extra={"reason": str(error)})
    try:
        drop_database(folder)
    except OSError as error:
        raise OpenError(
            f"The copy in {folder} is damaged and cannot be removed ({error.strerror})."
        ) from None
    return open_database(folder, guard, synchronous, copy_of)
