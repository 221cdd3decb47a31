"""An SQLite database of somebody else's: read while it is written, and never touched.

The connection is kept. Where a write-ahead log and its index lie beside the database somebody may be writing: it is
opened read-only, and SQLite reads along. Where there is no index nobody has it open, and to open it in that way would
create one in a folder that is not ours. Then the database is opened as a file that does not change; where it has a log
without an index, which holds the newest of it, that is done with a copy. It is opened anew when it looks different.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from missioncontrol.sources.transcripts.records import UnreadableError
from missioncontrol.sources.transcripts.regular import open_regular

Row = tuple[Any, ...]

_HEADER = 20
_WAL_VERSION = 2
"""What stands in bytes 18 and 19 of a database that is written through a write-ahead log."""

_BUSY_SECONDS = 1.0


class Database:
    """A kept connection to one database; not for two threads at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._copy: TemporaryDirectory[str] | None = None
        self._frozen = False
        self._seen: Row = ()
        self._columns: dict[str, frozenset[str]] = {}

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
        self._copy = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read within this; whatever goes wrong closes the connection.

        Raises:
            FileNotFoundError: the database is not there.
            UnreadableError: it is locked, damaged, or none; the message says what.
        """
        try:
            self._open()
            yield
            if self._frozen and self._seen != self._look():
                raise UnreadableError("it was changed while it was read")
        except FileNotFoundError:
            self.close()
            raise
        except (sqlite3.Error, OSError, UnreadableError) as error:
            self.close()
            if isinstance(error, UnreadableError):
                raise
            raise UnreadableError(str(error)) from None

    def version(self) -> Row:
        """Return something that is different after each change that others make."""
        return self._seen if self._frozen else (*self._seen, *self.rows("PRAGMA data_version")[0])

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query."""
        return list(self.each(sql, *values))

    def each(self, sql: str, *values: object) -> Iterator[Row]:
        """Return the rows of a query one by one. While they are taken, the writer cannot tidy up its log."""
        if self._connection is None:
            raise UnreadableError("it is not open")
        cursor = self._connection.execute(sql, values)
        try:
            yield from cursor
        finally:
            cursor.close()

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
        """Say whether there is such a table, with these columns."""
        known = self._columns_of(table)
        return bool(known) and known.issuperset(columns)

    def signature(self) -> str:
        """Return what tells this database from another one that was put in its place."""
        created = 0
        if self.has("schema_meta", "created_at"):
            created = self.rows("SELECT min(created_at) FROM schema_meta")[0][0] or 0
        return f"{self.path.stat(follow_symlinks=False).st_ino}:{created}"

    def _columns_of(self, table: str) -> frozenset[str]:
        if table not in self._columns:
            rows = self.rows("SELECT name FROM pragma_table_info(?)", table)
            self._columns[table] = frozenset(name for (name,) in rows)
        return self._columns[table]

    def _open(self) -> None:
        if self._connection is not None and self._seen == self._look():
            return
        self.close()
        self._columns = {}
        log, index = self._beside("-wal"), self._beside("-shm")
        logged = _is_logged(self.path)
        self._frozen = logged and not index
        self._seen = self._look()
        if self._frozen and log:
            self._connect(self._copied(), "mode=ro")
        else:
            self._connect(self.path, "immutable=1" if self._frozen else "mode=ro")

    def _copied(self) -> Path:
        self._copy = TemporaryDirectory(prefix="mission-control-")
        copy = Path(self._copy.name) / self.path.name
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.path}{suffix}", f"{copy}{suffix}", follow_symlinks=False)
        return copy

    def _connect(self, path: Path, how: str) -> None:
        uri = f"file:{quote(str(path.absolute()))}?{how}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = _text
            connection.execute("PRAGMA query_only = 1")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection

    def _look(self) -> Row:
        """Return what shows from outside that the database has to be opened anew."""
        status = self.path.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("it is no regular file")
        if not self._frozen:
            return (status.st_ino, self._beside("-shm"))
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            logged = log.stat(follow_symlinks=False)
        except FileNotFoundError:
            logged = None
        written = (0, 0) if logged is None else (logged.st_size, logged.st_mtime_ns)
        return (status.st_ino, self._beside("-shm"), status.st_size, status.st_mtime_ns, *written)

    def _beside(self, suffix: str) -> bool:
        return self.path.with_name(f"{self.path.name}{suffix}").exists()


def _is_logged(path: Path) -> bool:
    with open_regular(path) as file:
        header = file.read(_HEADER)
    return header[18:20] == bytes((_WAL_VERSION, _WAL_VERSION))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
