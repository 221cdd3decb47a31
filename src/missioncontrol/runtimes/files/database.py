"""An SQLite database of another program: read while it is written, and never changed.

The connection is kept. If a write-ahead log and its index are next to the database, a program may be writing it: it is
opened read-only, and SQLite reads along. Without an index no program has it open, and opening it read-only would
create an index in a folder that is not ours. Then the database is opened as immutable; if it has a log without an
index, which has the newest content, a copy is opened. It is opened again when the files have changed.

The program that writes the file is not trusted. Invariants:

- only tables are read: never a view, a virtual table or a computed column, whose definitions may be programs;
- a reading takes a limited time in SQLite, and a query returns a limited number of rows of limited length;
- a column may hold a value of any type: values are read with `text_of`, `number_of` and `time_of`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, time_ns
from typing import Any
from urllib.parse import quote

from missioncontrol.private_files import open_private
from missioncontrol.runtimes.files.regular import open_regular
from missioncontrol.runtimes.files.shared_files import Identity, shared_files
from missioncontrol.runtimes.lines import MAX_NAME
from missioncontrol.runtimes.records import UnreadableError
from missioncontrol.threads import WorkStopped

Row = tuple[Any, ...]

_BLOCK = 1 << 20
_HEADER = 20
_WAL_VERSION = 2
"""The value of bytes 18 and 19 of a database that is written through a write-ahead log."""

_BUSY_SECONDS = 1.0
_SETTLED_SECONDS = 0.1
"""Far longer than the time resolution of a file system."""

READING_SECONDS = 10.0
"""How long SQLite may work for one reading."""

MAX_VALUE = 64 << 20
"""The longest text or BLOB that is read, in bytes; a row with a longer one is skipped."""

MAX_ROWS = 100_000
"""How many rows a query may return that is read whole."""

MAX_COPY = 4 << 30
"""The largest database that is copied to be read, in bytes."""

_END_OF_TIME = 100_000_000_000_000
"""In milliseconds since 1970: in the year 5138."""

_STEPS = 10_000
"""After how many instructions SQLite checks whether it has to stop: several times in a millisecond."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
_SIDE_FILES = ("-wal", "-shm", "-journal")


class Database:
    """A kept connection to one database, to be used on one thread."""

    def __init__(self, path: Path, stop: Callable[[], bool] = lambda: False) -> None:
        """Prepare; nothing is opened before it is read.

        Args:
            path: the database.
            stop: returns whether the reading is to be stopped; called during queries.
        """
        self.path = path
        self._stop = stop
        self._deadline = 0.0
        self._left = 0.0
        self._connection: sqlite3.Connection | None = None
        self._copy: TemporaryDirectory[str] | None = None
        self._joined: Identity | None = None
        self._frozen = False
        self._seen: Row = ()
        # A file that was written a moment ago may be written again with the same size and time.
        self._settled = False
        self._opened = 0
        self._cuts = 0
        # The columns by table, for a version of the schema: a database exists before its tables do.
        self._columns: dict[str, frozenset[str]] = {}
        self._schema: Row = ()

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        self._leave()
        if self._copy is not None:
            self._copy.cleanup()
        self._copy = None

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if self._joined is not None:
            shared_files.leave(self._joined, connection)
        self._joined = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Open the database for the queries in this context; an error closes the connection.

        Raises:
            FileNotFoundError: the database does not exist.
            UnreadableError: it is locked, damaged, takes too long, or is no database; the message has the reason.
            WorkStopped: the reading was stopped.
        """
        self._left = READING_SECONDS
        try:
            self._open()
            self._note_schema()
            yield
            if self._cuts != shared_files.cuts:
                raise UnreadableError("its -shm was cut off while it was read")
            if self._frozen and self._seen != self._look():
                raise UnreadableError("it was changed while it was read")
        except FileNotFoundError:
            self.close()
            raise
        except (sqlite3.Error, OSError, UnreadableError, UnicodeError) as error:
            # SQLite's message may quote bytes of a damaged file that are not text.
            self.close()
            if self._stop():
                raise WorkStopped(f"{self.path} is not read any more") from None
            if isinstance(error, UnreadableError):
                raise
            if self._left <= 0:
                raise UnreadableError(f"it takes longer than {READING_SECONDS:g} seconds to read") from None
            raise UnreadableError(str(error)) from None

    def _note_schema(self) -> None:
        schema = self.rows("PRAGMA schema_version")[0]
        if schema != self._schema:
            self._schema, self._columns = schema, {}

    def version(self) -> Row:
        """Return a value that differs after each change by other programs."""
        return (*self._seen, self._opened, *self.rows("PRAGMA data_version")[0])

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query.

        Raises:
            UnreadableError: there are more than `MAX_ROWS`.
        """
        rows = list(islice(self.each(sql, *values), MAX_ROWS + 1))
        if len(rows) > MAX_ROWS:
            raise UnreadableError(f"it has more than {MAX_ROWS:,} rows where a few are expected")
        return rows

    def each(self, sql: str, *values: object) -> Iterator[Row]:
        """Return the rows of a query one by one. Until the last one the writer cannot checkpoint its log."""
        if self._connection is None:
            raise UnreadableError("it is not open")
        connection = self._connection
        self._check_index()
        with self._counting():
            cursor = connection.execute(sql, values)
        try:
            while True:
                # The same as `_counting`, which would take longer than most rows.
                began = monotonic()
                self._deadline = began + self._left
                try:
                    row = cursor.fetchone()
                finally:
                    self._left -= monotonic() - began
                if row is None:
                    return
                yield row
        finally:
            cursor.close()

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Limit SQLite to the time that the reading has left; the time that callers spend on rows does not count."""
        began = monotonic()
        self._deadline = began + self._left
        try:
            yield
        finally:
            self._left -= monotonic() - began

    def _is_over(self) -> int:
        return int(self._stop() or monotonic() > self._deadline)

    def select(self, table: str, columns: str, rest: str = "") -> str:
        """Write a query; a column that this database does not have is NULL.

        Args:
            table: the table, which must be there; see `has`.
            columns: the names of the columns, separated by blanks.
            rest: what follows, with the table's own name as it is.
        """
        known = self._columns_of(table)
        named = ", ".join(name if name in known else f"NULL AS {name}" for name in columns.split())
        return f"SELECT {named} FROM {table} {rest}"  # noqa: S608

    def has(self, table: str, *columns: str) -> bool:
        """Return whether there is such a table, with these columns."""
        known = self._columns_of(table)
        return bool(known) and known.issuperset(columns)

    def signature(self) -> str:
        """Return a value that distinguishes this database from another one that replaces it."""
        created = 0
        if self.has("schema_meta", "created_at"):
            created = number_of(self.rows("SELECT min(created_at) FROM schema_meta")[0][0]) or 0
        return f"{self.path.stat(follow_symlinks=False).st_ino}:{created}"

    def _columns_of(self, table: str) -> frozenset[str]:
        if table not in self._columns:
            found = self.rows("SELECT type, rootpage FROM sqlite_master WHERE lower(name) = ?", table)
            # Views and virtual tables have no pages of their own, and computed columns are not listed.
            if found and not (
                len(found) == 1 and found[0][0] == "table" and (number_of(found[0][1]) or 0) > 0
            ):
                raise UnreadableError(f"its {table} is not a table")
            rows = self.rows("SELECT name FROM pragma_table_info(?)", table) if found else []
            self._columns[table] = frozenset(name for (name,) in rows)
        return self._columns[table]

    def _open(self) -> None:
        whole = self._settled and self._cuts == shared_files.cuts
        if self._connection is not None and whole and self._seen == self._look():
            return
        self.close()
        self._opened += 1
        self._cuts = shared_files.cuts
        self._schema, self._columns = (), {}
        log, index = self._has_side_file("-wal"), self._has_side_file("-shm")
        logged = _is_logged(self.path)
        self._frozen = logged and not index
        self._seen = self._look()
        self._settled = not self._frozen or self._age_seconds() > _SETTLED_SECONDS
        if self._frozen and log:
            self._connect(self._copied(), "mode=ro")
        else:
            self._connect(self.path, "immutable=1" if self._frozen else "mode=ro")

    def _copied(self) -> Path:
        self._copy = TemporaryDirectory(prefix="mission-control-")
        copy = Path(self._copy.name) / self.path.name
        if sum(Path(f"{self.path}{suffix}").stat().st_size for suffix in ("", "-wal")) > MAX_COPY:
            raise UnreadableError(f"it is larger than {MAX_COPY >> 30} GiB, and would have to be copied")
        with shared_files.open(self.path) as descriptor:
            self._copy_to(descriptor, copy)
        with open_regular(Path(f"{self.path}-wal")) as log:
            self._copy_to(log.fileno(), Path(f"{copy}-wal"))
        return copy

    def _copy_to(self, descriptor: int, path: Path) -> None:
        place = 0
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT), "wb", buffering=0) as target:
            while block := os.pread(descriptor, _BLOCK, place):
                if self._stop():
                    raise UnreadableError("the copy was not finished")
                target.write(block)
                place += len(block)

    def _connect(self, path: Path, how: str) -> None:
        uri = f"file:{quote(str(path.absolute()))}?{how}"
        # Before the connection has any lock that closing a descriptor could drop.
        self._joined = shared_files.join(path)
        try:
            self._check_index()
            connection = self._connection = sqlite3.connect(
                uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.text_factory = _text
            for limit, value in _LIMITS.items():
                connection.setlimit(limit, value)
            connection.set_progress_handler(self._is_over, _STEPS)
            with self._counting():
                for setting in ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1"):
                    connection.execute(f"PRAGMA {setting}")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            self._leave()
            raise

    def _look(self) -> Row:
        """Return the status of the files; if it differs, the database has to be opened again."""
        status = self.path.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("it is no regular file")
        for suffix in _SIDE_FILES:
            # SQLite would open any file, follow a link, and wait for the writer of a pipe.
            with suppress(FileNotFoundError):
                side = self.path.with_name(f"{self.path.name}{suffix}").stat(follow_symlinks=False)
                if not stat.S_ISREG(side.st_mode):
                    raise UnreadableError(f"its {suffix} is no regular file")
        if not self._frozen:
            return (status.st_ino, self._inode_of("-shm"))
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            logged = log.stat(follow_symlinks=False)
        except FileNotFoundError:
            logged = None
        written = (0, 0) if logged is None else (logged.st_size, logged.st_mtime_ns)
        return (status.st_ino, self._inode_of("-shm"), status.st_size, status.st_mtime_ns, *written)

    def _check_index(self) -> None:
        """Refuse an index that was cut off: SQLite has it mapped, and access to the missing part ends the process."""
        if self._frozen or self._joined is None:
            return
        with suppress(FileNotFoundError):
            index = self.path.with_name(f"{self.path.name}-shm").stat(follow_symlinks=False)
            if not shared_files.has_grown(self._joined, (index.st_dev, index.st_ino), index.st_size):
                raise UnreadableError("its -shm was cut off while it was in use")

    def _age_seconds(self) -> float:
        """Return the seconds since the database or its log was written, by the clock of this machine."""
        written = [self.path.stat(follow_symlinks=False).st_mtime_ns]
        with suppress(FileNotFoundError):
            written.append(
                self.path.with_name(f"{self.path.name}-wal").stat(follow_symlinks=False).st_mtime_ns
            )
        return (time_ns() - max(written)) / 1e9

    def _inode_of(self, suffix: str) -> int:
        try:
            return self.path.with_name(f"{self.path.name}{suffix}").stat(follow_symlinks=False).st_ino
        except FileNotFoundError:
            return 0

    def _has_side_file(self, suffix: str) -> bool:
        return self.path.with_name(f"{self.path.name}{suffix}").exists()


def _is_logged(path: Path) -> bool:
    with shared_files.open(path) as descriptor:
        header = os.pread(descriptor, _HEADER, 0)
    return header[18:20] == bytes((_WAL_VERSION, _WAL_VERSION))


def text_of(value: object, limit: int = MAX_NAME) -> str | None:
    """Return a column's value if it is a text of at most so many characters that is not empty; else None."""
    return value if isinstance(value, str) and 0 < len(value) <= limit else None


def number_of(value: object) -> int | None:
    """Return a column's value if it is a whole number; else None."""
    return value if isinstance(value, int) else None


def time_of(value: object) -> int | None:
    """Return a column's value if it is a time in milliseconds since 1970 that a calendar has; else None."""
    return value if isinstance(value, int) and 0 <= value < _END_OF_TIME else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
