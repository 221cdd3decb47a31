"""The one writer: a thread that takes what is queued and commits it in groups.

Invariants:

- whatever waits when a commit begins goes into it, so that a flood pays one commit for many appends;
- ids are given here, at the commit, so that a commit that fails leaves no hole;
- a commit is one SQL statement where it can be, and a few where it cannot: Python's lock is let go of for each,
  and must be waited for after each;
- after a failure the database is asked where it stands, and what it holds is told; nothing is assumed.
"""

from __future__ import annotations

import os
import sqlite3
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from missioncontrol.errors import Damaged, DiskFull, InputError, MissionControlError, ReadOnly, StoreError
from missioncontrol.events import Draft, Record, encode_body, encode_data, now, subject_of
from missioncontrol.store.log import Checkpoint, LogFigures, Retention, outdated
from missioncontrol.store.schema import DATABASE_NAME, Opened, TailGuard

GROUP_EVENTS = 8_192
TRIM_STEP = 2_000
TRIM_SECONDS = 10.0
PROBE_SECONDS = 0.5
KEPT_STATES = 256


class Append(NamedTuple):
    """Drafts that wait, with their data encoded, or None where that is left to the writer."""

    drafts: Sequence[Draft]
    encoded: Sequence[bytes] | None
    checkpoint: Checkpoint | None
    done: Future[list[int]]
    after: int | None = None


class Copied(NamedTuple):
    """A record that has its id already, with its key."""

    record: Record
    key: str | None


class Copy(NamedTuple):
    """Records of another log, in their order, and what is to be remembered with them."""

    copied: Sequence[Copied]
    checkpoints: Sequence[Checkpoint]
    done: Future[None]


class Call(NamedTuple):
    """Anything else to be done on the writer's connection, in a transaction of its own."""

    work: Callable[[sqlite3.Connection], None]
    done: Future[None]


class Committed(NamedTuple):
    """What a commit has made true: records in order, and what each waiting append gets."""

    records: list[Record]
    answers: list[tuple[Future[list[int]], list[int]]]


class Writer:
    """The thread and its queue. `on_commit` and `on_failure` are called on the event loop's thread, in order."""

    def __init__(
        self,
        folder: Path,
        opened: Opened,
        guard: TailGuard,
        retention: Retention,
        figures: LogFigures,
        loop: AbstractEventLoop,
        on_commit: Callable[[Committed], None],
        on_failure: Callable[[Iterable[Future[Any]], MissionControlError], None],
    ) -> None:
        self.queue: SimpleQueue[Append | Copy | Call | None] = SimpleQueue()
        self.first = opened.first
        self.trouble: StoreError | None = None
        self._path = folder / DATABASE_NAME
        self._inode = self._path.stat().st_ino
        self._connection = opened.connection
        self._epoch = opened.epoch
        self._head = opened.head
        self._time = opened.time
        self._end = opened.end
        self._guard = guard
        self._retention = retention
        self._figures = figures
        self._loop = loop
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._checked = 0.0
        self._trim_at = monotonic() + 1.0
        self._thread = Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread to end, after None was queued."""
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            group, other, ending = self._take()
            if group:
                self._guarded([append.done for append in group], partial(self._commit, group))
            if other is not None:
                work = partial(self._copy, other) if isinstance(other, Copy) else partial(self._call, other)
                self._guarded([other.done], work)
            if self.trouble is not None and not (group or other):
                self._probe()
            elif monotonic() >= self._trim_at and self.trouble is None:
                self._guarded([], self._trim)
        self._finish()

    def _take(self) -> tuple[list[Append], Copy | Call | None, bool]:
        """Wait for work, then take all that is there, up to a bound; whatever is no Append ends the group before it."""
        group: list[Append] = []
        events = 0
        wait = PROBE_SECONDS if self.trouble is not None else max(0.0, self._trim_at - monotonic())
        try:
            item = self.queue.get(timeout=wait) if wait > 0 else self.queue.get_nowait()
            while True:
                if item is None:
                    return group, None, True
                if not isinstance(item, Append):
                    return group, item, False
                events += len(item.drafts)
                if (append := self._encoded(item)) is not None:
                    group.append(append)
                if events >= GROUP_EVENTS:
                    return group, None, False
                item = self.queue.get_nowait()
        except Empty:
            return group, None, False

    def _encoded(self, append: Append) -> Append | None:
        """Encode what was left to be encoded; what cannot be is refused alone, whatever it waits beside."""
        if append.encoded is not None:
            return append
        try:
            return append._replace(encoded=[encode_data(draft) for draft in append.drafts])
        except InputError as error:
            self._loop.call_soon_threadsafe(self._on_failure, [append.done], error)
            return None

    def _guarded(self, waiting: Sequence[Future[Any]], work: Callable[[], None]) -> None:
        """Do the work; whatever goes wrong is told to those who wait, and the thread goes on."""
        try:
            work()
        except (sqlite3.Error, StoreError) as error:
            trouble = error if isinstance(error, StoreError) else explain(error)
        except Exception as error:
            trouble = StoreError(f"The log failed unexpectedly: {error!r}.")
        else:
            return
        self.trouble = trouble
        self._figures.failures += 1
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._tell_what_is_there()
        except sqlite3.Error:
            # The database cannot even be asked; the next commit or probe asks again.
            pass
        self._loop.call_soon_threadsafe(self._on_failure, waiting, trouble)

    def _commit(self, group: list[Append]) -> None:
        started = perf_counter()
        self._check_file()
        keys = [draft.key for append in group for draft in append.drafts if draft.key is not None]
        known = find_keys(self._connection, keys)
        time = self._time = max(now(), self._time)
        id_, end = self._head, self._end
        values: list[Any] = []
        records: list[Record] = []
        answers: list[tuple[Future[list[int]], list[int]]] = []
        refused: list[tuple[Future[list[int]], int]] = []
        duplicates = 0
        for append in group:
            if append.after is not None and (newer := self._newer(append, append.after, records)):
                refused.append((append.done, newer))
                continue
            ids: list[int] = []
            for draft, data in zip(append.drafts, append.encoded or (), strict=True):
                key = draft.key
                if key is not None:
                    earlier = known.get(key)
                    if earlier is not None:
                        ids.append(earlier)
                        duplicates += 1
                        continue
                    known[key] = id_ + 1
                id_ += 1
                body = encode_body(draft, id_, time, data)
                end += len(body)
                values += (id_, time, end, draft.type, key, body)
                records.append(Record(id_, draft.type, time, body, draft.data))
                ids.append(id_)
            answers.append((append.done, ids))
        taken = {id(done) for done, _ in answers}
        checkpoints = [
            append.checkpoint
            for append in group
            if append.checkpoint is not None and id(append.done) in taken
        ]
        self._keep(values, records, end, checkpoints)
        self._figures.duplicates += duplicates
        self._count_commit(len(records), started)
        self._loop.call_soon_threadsafe(self._on_commit, Committed(records, answers))
        for done, newer in refused:
            # After the commit: whoever is refused has heard of what it did not know.
            self._loop.call_soon_threadsafe(self._on_failure, [done], outdated(newer))

    def _newer(self, append: Append, after: int, uncommitted: Sequence[Record]) -> int:
        """Return the newest event after an id that is about what an append is about; 0 where there is none."""
        subjects = {subject_of(draft.type, draft.data) for draft in append.drafts} - {None}
        rows = self._connection.execute(
            "SELECT id, type, time, body FROM events WHERE id > ? ORDER BY id", (after,)
        )
        newer = (
            [Record(id_, type_.decode(), time, body) for id_, type_, time, body in rows]
            if after < self._head
            else []
        )
        found = (one.id for one in (*newer, *uncommitted) if subject_of(one.type, one.data) in subjects)
        return max(found, default=0)

    def _copy(self, copy: Copy) -> None:
        started = perf_counter()
        self._check_file()
        keys = [copied.key for copied in copy.copied if copied.key is not None]
        known = find_keys(self._connection, keys)
        id_, end = self._head, self._end
        values: list[Any] = []
        records: list[Record] = []
        for record, key in copy.copied:
            if record.id <= id_:
                continue
            if record.id != id_ + 1:
                raise StoreError(f"The event {id_ + 1} is missing before {record.id}.")
            id_ = record.id
            end += len(record.body)
            # Machines' clocks differ a little: in the column time never goes back, in the body it is as it was told.
            self._time = max(record.time, self._time)
            if key is not None and known.setdefault(key, id_) != id_:
                key = None
            values += (id_, self._time, end, record.type, key, record.body)
            records.append(record)
        self._keep(values, records, end, copy.checkpoints)
        self._count_commit(len(records), started)
        self._loop.call_soon_threadsafe(self._on_commit, Committed(records, []))
        self._loop.call_soon_threadsafe(_resolve, copy.done)

    def _keep(
        self, values: list[Any], records: list[Record], end: int, checkpoints: Sequence[Checkpoint]
    ) -> None:
        head = records[-1].id if records else self._head
        if values or checkpoints:
            self._write(values, len(records), checkpoints)
            self._guard.write(self._epoch, head)
        self._figures.bytes += end - self._end
        self._head, self._end = head, end
        self.trouble = None

    def _count_commit(self, events: int, started: float) -> None:
        seconds = perf_counter() - started
        figures = self._figures
        figures.events += events
        figures.commits += 1
        figures.commit_seconds += seconds
        figures.last_commit_seconds = seconds

    def _write(self, values: list[Any], count: int, checkpoints: Sequence[Checkpoint]) -> None:
        execute = self._connection.execute
        # A lone statement is a transaction of its own: one step, one wait for Python's lock.
        alone = not checkpoints and count in _SIZES
        if not alone:
            execute("BEGIN IMMEDIATE")
        insert_rows(execute, "INSERT INTO events VALUES", 6, values)
        for source, changes in checkpoints:
            kept: list[Any] = []
            for key, value in changes.items():
                if value is None:
                    execute("DELETE FROM source_memory WHERE source = ? AND key = ?", (source, key))
                else:
                    kept += (source, key, value)
            insert_rows(execute, "INSERT OR REPLACE INTO source_memory VALUES", 3, kept)
        if not alone:
            execute("COMMIT")

    def _call(self, call: Call) -> None:
        self._check_file()
        self._connection.execute("BEGIN IMMEDIATE")
        call.work(self._connection)
        self._connection.execute("COMMIT")
        self._loop.call_soon_threadsafe(_resolve, call.done)

    def _tell_what_is_there(self) -> None:
        """After a failure: whatever the database holds beyond what was told is durable, so it is told."""
        rows = self._connection.execute(
            "SELECT id, type, time, end, body FROM events WHERE id > ? ORDER BY id", (self._head,)
        ).fetchall()
        if rows:
            records = [Record(id_, type_.decode(), time, body) for id_, type_, time, _, body in rows]
            self._head, self._time, self._end = rows[-1][0], rows[-1][2], rows[-1][3]
            self._loop.call_soon_threadsafe(self._on_commit, Committed(records, []))

    def _check_file(self) -> None:
        """Refuse to write into a file that nobody will find again; looked at once a second."""
        if monotonic() - self._checked < 1.0 and self.trouble is None:
            return
        try:
            there = os.stat(self._path).st_ino == self._inode  # noqa: PTH116
        except OSError:
            there = False
        if not there:
            raise Damaged(
                f"The database {self._path} was removed or replaced while in use; "
                f"put it back, or restart mission-control to begin a new log."
            )
        self._checked = monotonic()

    def _probe(self) -> None:
        """See whether writing works again, so that health recovers without anybody publishing."""
        if isinstance(self.trouble, Damaged):
            return
        try:
            self._check_file()
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (str(now()),))
            self.trouble = None
        except (sqlite3.Error, StoreError) as error:
            self.trouble = error if isinstance(error, StoreError) else explain(error)

    def _trim(self) -> None:
        """Take away one small step of what is too old or too much; the newest event always stays."""
        last = min(self._too_old(), self.first + TRIM_STEP - 1, self._head - 1)
        if last >= self.first:
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            execute("DELETE FROM events WHERE id <= ?", (last,))
            execute(
                "DELETE FROM states WHERE id < (SELECT coalesce(max(id), 0) FROM states WHERE id <= ?)",
                (last,),
            )
            execute("COMMIT")
            self._figures.trimmed += last - self.first + 1
            self.first = last + 1
            # More may be due: whoever waits comes first, then the next step.
            self._trim_at = monotonic() + 0.005
        else:
            self._trim_at = monotonic() + TRIM_SECONDS

    def _too_old(self) -> int:
        """Find the last id that is beyond either limit, by halving: `time` and `end` only ever grow."""
        oldest_time = now() - int(self._retention.seconds * 1000)
        oldest_end = self._end - self._retention.bytes
        low, high = self.first - 1, min(self.first + TRIM_STEP, self._head)
        while low < high:
            middle = (low + high + 1) // 2
            row = self._connection.execute(
                "SELECT time, end - length(body) FROM events WHERE id = ?", (middle,)
            ).fetchone()
            if row is None or row[0] < oldest_time or row[1] < oldest_end:
                low = middle
            else:
                high = middle - 1
        return low

    def _finish(self) -> None:
        try:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('clean', '1')")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
        except sqlite3.Error:
            # Not closed cleanly is what the next start will find, and that is the truth.
            pass
        self._guard.close()


def find_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, int]:
    """Return the ids of the events that have these keys."""
    known: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        marks = ", ".join("?" * len(some))
        for key, id_ in connection.execute(
            f"SELECT key, id FROM events WHERE key IN ({marks})",  # noqa: S608
            some,
        ):
            known[key.decode()] = id_
    return known


_SIZES = (512, 64, 8, 1)


def insert_rows(
    execute: Callable[[str, Sequence[Any]], object], statement: str, columns: int, values: list[Any]
) -> None:
    """Insert rows given as one flat list, in statements of a few fixed sizes that SQLite compiles once."""
    start = 0
    for size in _SIZES:
        step = size * columns
        while len(values) - start >= step:
            execute(_statement(statement, columns, size), values[start : start + step])
            start += step


_statements: dict[tuple[str, int], str] = {}


def _statement(statement: str, columns: int, size: int) -> str:
    text = _statements.get((statement, size))
    if text is None:
        row = f"({', '.join('?' * columns)})"
        text = _statements[statement, size] = f"{statement} {', '.join([row] * size)}"
    return text


def _resolve(done: Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def explain(error: sqlite3.Error) -> StoreError:
    """Turn what SQLite says into what a person can act on."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or name in {"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}:
        return DiskFull(
            "The disk that holds the log is full; make room, and it goes on by itself.", retry_after=5.0
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return ReadOnly(
            f"The log cannot be written: {error}. Make the data folder writable again.", retry_after=5.0
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Damaged(
            f"The log's database is damaged: {error}. Restore or move it away, then restart.",
            retry_after=60.0,
        )
    return StoreError(f"The log cannot be written: {error}.", retry_after=5.0)


def save_state(connection: sqlite3.Connection, id_: int, state: bytes) -> None:
    """Keep a folded state; past 256 of them every second of the older half goes."""
    connection.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (id_, state))
    (count,) = connection.execute("SELECT count(*) FROM states").fetchone()
    if count > KEPT_STATES:
        connection.execute(
            "DELETE FROM states WHERE id IN (SELECT id FROM "
            "(SELECT id, row_number() OVER (ORDER BY id) AS place FROM states) WHERE place <= ? AND place % 2 = 0)",
            (KEPT_STATES // 2,),
        )
