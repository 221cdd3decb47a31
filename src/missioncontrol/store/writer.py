"""The one writer: a thread that takes what is queued and commits it in groups.

Invariants:

- whatever waits when a commit begins goes into it, so that a flood pays one commit for many appends;
- ids are given here, at the commit, so that a commit that fails leaves no hole;
- a commit is one SQL statement where it can be, and a few where it cannot: Python's lock is let go of for each,
  and must be waited for after each;
- after a failure the database is asked where it stands, and what it holds is told; nothing is assumed.
"""

from __future__ import annotations

import logging
import sqlite3
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, perf_counter
from typing import Any

from missioncontrol.errors import Damaged, InputError, MissionControlError, StoreError
from missioncontrol.events import Draft, Record, encode_body, encode_data, now, rfc3339, subject_of
from missioncontrol.store.clock import META_KEY, Clock, ClockDoubt, Timeline, age_of, read_segments
from missioncontrol.store.damage import note_damage
from missioncontrol.store.file_watch import FULL_SECONDS, Detached, FileWatch, Misplaced
from missioncontrol.store.log import Checkpoint, LogFigures, Retention, outdated
from missioncontrol.store.rows import SIZES, find_keys, insert_rows
from missioncontrol.store.schema import DATABASE_NAME, Opened, TailGuard, connect
from missioncontrol.store.trouble import damaged, explain
from missioncontrol.store.work import Append, Call, Committed, Copy

GROUP_EVENTS = 8_192
TRIM_STEP = 2_000
TRIM_SECONDS = 10.0
PROBE_SECONDS = 0.5
CLOCK_ALERTS_AN_HOUR = 10
"""How many jumps of the clock become events; the log of the process has all."""

logger = logging.getLogger(__name__)


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
        readers_closed: Callable[[], AbstractContextManager[object]],
        on_alert: Callable[[Draft], None],
        clock: Clock,
    ) -> None:
        self.queue: SimpleQueue[Append | Copy | Call | None] = SimpleQueue()
        self.first = opened.first
        self.trouble: StoreError | None = None
        self.damage: Damaged | None = None
        self._folder = folder
        self._readers_closed = readers_closed
        self._watch = FileWatch(folder)
        self._back: sqlite3.Connection | None = None
        self._synchronous = opened.synchronous
        self._connection = opened.connection
        self._epoch = opened.epoch
        self._head = opened.head
        self._clock = clock
        self._timeline = Timeline(read_segments(opened.connection), opened.time)
        self._doubt = ClockDoubt(clock, opened.time, opened.doubt)
        self._on_alert = on_alert
        self._clock_alerts: list[float] = []
        self._end = opened.end
        self._guard = guard
        self._retention = retention
        self._figures = figures
        self._loop = loop
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._trim_at = monotonic() + 1.0
        if self._doubt.gap:
            self._report_clock("at the start the system clock is behind the newest event", self._doubt.gap)
        self._thread = Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread to end, after None was queued."""
        self._thread.join()

    def note_damage(self, error: Damaged) -> None:
        """Accept nothing more: something that was written cannot be read back. May be called from any thread."""
        if self.damage is None:
            self.damage = error
            note_damage(self._folder, str(error))
            logger.error("log.damaged", extra={"reason": str(error)})

    def _run(self) -> None:
        ending = False
        while not ending:
            group, other, ending = self._take()
            if group:
                self._guarded([append.done for append in group], partial(self._commit, group))
            if other is not None:
                work = partial(self._copy, other) if isinstance(other, Copy) else partial(self._call, other)
                self._guarded([other.done], work)
            if self.damage is not None:
                continue
            if self.trouble is not None and not (group or other):
                self._probe()
            elif self.trouble is None:
                if monotonic() - self._watch.checked_fully >= FULL_SECONDS:
                    self._guarded([], partial(self._check_files, fully=True))
                    self._check_clock()
                if monotonic() >= self._trim_at and self.trouble is None:
                    self._guarded([], self._trim)
        self._finish()

    def _take(self) -> tuple[list[Append], Copy | Call | None, bool]:
        """Wait for work, then take all that is there, up to a bound; whatever is no Append ends the group before it."""
        group: list[Append] = []
        events = 0
        wait = PROBE_SECONDS if self.trouble is not None else max(0.0, self._trim_at - monotonic())
        wait = min(wait, FULL_SECONDS)
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
        """Encode what was left to be encoded; what cannot be is refused alone, whatever else waits."""
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
            if self.damage is not None:
                raise self.damage
            work()
        except (sqlite3.Error, StoreError) as error:
            trouble = error if isinstance(error, StoreError) else explain(error, self._folder)
        except UnicodeDecodeError as error:
            trouble = damaged(self._folder, f"a row cannot be read ({error})")
        except Exception as error:
            logger.exception("log.failed_unexpectedly")
            trouble = StoreError(f"The log failed unexpectedly: {error!r}.")
        else:
            return
        self.trouble = trouble
        self._figures.failures += 1
        if isinstance(trouble, Damaged) and not isinstance(trouble, Misplaced):
            self.note_damage(trouble)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if not isinstance(trouble, Damaged):
                self._tell_what_is_there()
        except sqlite3.Error:
            # The database cannot even be asked; the next commit or probe asks again.
            pass
        self._loop.call_soon_threadsafe(self._on_failure, waiting, trouble)

    def _commit(self, group: list[Append]) -> None:
        started = perf_counter()
        keys = [draft.key for append in group for draft in append.drafts if draft.key is not None]
        known = find_keys(self._connection, keys)
        self._check_clock()
        wall = self._clock.wall()
        time = self._timeline.place(self._head + 1, wall)
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
                body = encode_body(draft, id_, wall, data)
                end += len(body)
                values += (id_, time, end, draft.type, key, body)
                records.append(Record(id_, draft.type, wall, body, draft.data))
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
            # Machines' clocks differ a little: in the column time only grows, in the body it is as it was told.
            time = self._timeline.place(id_, record.time)
            if key is not None and known.setdefault(key, id_) != id_:
                key = None
            values += (id_, time, end, record.type, key, record.body)
            records.append(record)
        self._keep(values, records, end, copy.checkpoints)
        self._count_commit(len(records), started)
        self._loop.call_soon_threadsafe(self._on_commit, Committed(records, [], copy.done))

    def _keep(
        self, values: list[Any], records: list[Record], end: int, checkpoints: Sequence[Checkpoint]
    ) -> None:
        head = records[-1].id if records else self._head
        if values or checkpoints:
            self._write(values, len(records), checkpoints)
            # After the commit, and before anybody is told of it.
            self._check_files(fully=self.trouble is not None)
            self._guard.write(self._epoch, head, self._watch.size)
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
        alone = not checkpoints and count in SIZES and not self._timeline.changed
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
        if self._timeline.changed and count:
            execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (META_KEY, self._timeline.encoded()))
        if not alone:
            execute("COMMIT")
        self._timeline.changed = self._timeline.changed and not count

    def _call(self, call: Call) -> None:
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
            self._head, self._end = rows[-1][0], rows[-1][3]
            self._loop.call_soon_threadsafe(self._on_commit, Committed(records, []))

    def _check_files(self, *, fully: bool) -> None:
        """Refuse to write into files that will not be found again, or not be read back.

        Raises:
            Damaged: they would not.
        """
        try:
            self._watch.check(fully=True) if fully else self._watch.glance()
        except Detached as error:
            self._attach_again(str(error))
        if fully:
            self._read_back()

    def _read_back(self) -> None:
        """Read the newest event on a connection of its own, which has nothing of it in memory."""
        if self._back is None:
            try:
                self._back = connect(self._folder / DATABASE_NAME, query_only=True)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname.startswith("SQLITE_CANTOPEN"):
                    # As where too many files are open: that says nothing about what was written.
                    return
                raise
        row = self._back.execute("SELECT id, end FROM events ORDER BY id DESC LIMIT 1").fetchone()
        if row is not None and row[0] < self._head:
            raise damaged(self._folder, f"the events after {row[0]} are gone, up to {self._head}")
        if row is None and self._end:
            raise damaged(self._folder, "all events are gone")

    def _attach_again(self, reason: str) -> None:
        """Save what the removed write-ahead log holds into the database, and begin another one.

        The removed files are still open, so nothing is lost. All connections are closed, since those that stay open
        would go on in the old files.

        Raises:
            Damaged: it cannot be saved.
        """
        with self._readers_closed():
            if self._back is not None:
                self._back.close()
                self._back = None
            try:
                busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if busy:
                    raise damaged(self._folder, f"{reason} Another program holds the database")
                self._connection.close()
                self._watch.detach()
                self._connection = connect(self._folder / DATABASE_NAME, synchronous=self._synchronous)
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (str(now()),))
                self._watch.attach()
            except sqlite3.Error as error:
                raise damaged(self._folder, f"{reason} What it held cannot be saved ({error})") from error
        self._read_back()
        logger.warning("log.files_restored", extra={"reason": reason})

    def _probe(self) -> None:
        """See whether writing works again, so that health recovers without anybody publishing."""
        self._guarded([], self._try_again)

    def _try_again(self) -> None:
        self._check_files(fully=True)
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (str(now()),))
        self.trouble = None
        self._tell_what_is_there()

    def _check_clock(self) -> None:
        """Report where the wall clock has jumped; nothing is trimmed by age until it is believed again."""
        jump = self._doubt.jump()
        if jump is not None:
            self._report_clock("the system clock has jumped", jump)

    def _report_clock(self, what: str, seconds: float) -> None:
        where = "forward" if seconds > 0 else "back"
        logger.warning("clock.jumped", extra={"reason": what, "seconds": round(seconds, 3)})
        count = self._clock.steady()
        self._clock_alerts = [one for one in self._clock_alerts if one > count - 3600.0]
        if len(self._clock_alerts) >= CLOCK_ALERTS_AN_HOUR:
            return
        self._clock_alerts.append(count)
        text = f"{what[0].upper()}{what[1:]}, by {abs(seconds):,.0f} seconds ({where})."
        if self._doubt.left:
            text += " No event is trimmed by age for an hour. Check the clock of this machine."
        details = {"seconds": round(seconds, 3), "time": rfc3339(self._clock.wall()).decode()}
        data = {"level": "warning", "message": text, "details": details}
        self._loop.call_soon_threadsafe(self._on_alert, Draft("system:alert", data, source="log"))

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
            self._timeline.forget(last + 1)
            if self._timeline.changed:
                execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (META_KEY, self._timeline.encoded()))
                self._timeline.changed = False
            execute("COMMIT")
            self._figures.trimmed += last - self.first + 1
            self.first = last + 1
            # More may be due: whoever waits comes first, then the next step.
            self._trim_at = monotonic() + 0.005
        else:
            self._trim_at = monotonic() + TRIM_SECONDS

    def _too_old(self) -> int:
        """Find the last id that is beyond either limit, by halving: age and `end` only ever grow."""
        oldest_time = self._clock.wall() - int(self._retention.seconds * 1000)
        if self._doubt.left:
            # A clock that is wrong by a week would take everything at once; what is too much goes all the same.
            oldest_time = -1
        oldest_end = self._end - self._retention.bytes
        low, high = self.first - 1, min(self.first + TRIM_STEP, self._head)
        while low < high:
            middle = (low + high + 1) // 2
            row = self._connection.execute(
                "SELECT time, end - length(body) FROM events WHERE id = ?", (middle,)
            ).fetchone()
            if (
                row is None
                or age_of(middle, row[0], self._timeline.segments) < oldest_time
                or row[1] < oldest_end
            ):
                low = middle
            else:
                high = middle - 1
        return low

    def _finish(self) -> None:
        with suppress(sqlite3.Error):
            if self._back is not None:
                self._back.close()
        try:
            if self.damage is None:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                    [("clean", "1"), ("doubt", f"{self._doubt.left:.0f}")],
                )
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
        except sqlite3.Error:
            # Not closed cleanly is what the next start will find, and that is the truth.
            pass
        self._watch.close()
        self._guard.close()


def _resolve(done: Future[None]) -> None:
    if not done.done():
        done.set_result(None)
