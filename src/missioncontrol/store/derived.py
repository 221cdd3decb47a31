"""A database next to the log that is made of what stands elsewhere, and made again whenever it cannot be used.

Invariants:

- it can be thrown away at any time: nothing in it is known only here;
- one writes at a time, and one looks; closing waits for both, which may be in threads;
- a look that takes too long ends with `QueryTooSlow`, and holds nobody up.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from time import monotonic

from missioncontrol.errors import QueryTooSlow
from missioncontrol.private_files import create_private_database, make_private_folder

QUERY_SECONDS = 1.0
"""How long one query may take."""

_STEPS = 20_000
_DAMAGE = ("no such table", "no such column", "vtable constructor failed", "Could not decode")
_SUFFIXES = ("", "-wal", "-shm", "-journal")

logger = logging.getLogger(__name__)


class DerivedDatabase:
    """The file, with one connection that writes and one that looks."""

    def __init__(self, path: Path, version: int, schema: str = "") -> None:
        """Prepare; the file is opened by `open`.

        Args:
            path: the file.
            version: which form the tables have; a file of another one is made again.
            schema: the tables, next to `meta`, which every such file has.
        """
        self.path = path
        self._version = str(version)
        self._schema = schema
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._writing = RLock()
        self._looking = Lock()
        self._ended = self._damaged = False
        self._deadline = 0.0

    def open(self, origin: str) -> bool:
        """Open the file that was made of `origin`, and say whether it is as it was.

        One that is damaged, of another version or of another origin is made again.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        with self._writing:
            if self._ended:
                raise sqlite3.ProgrammingError("nobody needs the database any more")
            try:
                self._connect()
                if (
                    not self._damaged
                    and self.meta("version") == self._version
                    and self.meta("epoch") == origin
                ):
                    return True
            except sqlite3.DatabaseError as error:
                logger.warning("derived.made_anew", extra={"file": self.path.name, "reason": str(error)})
            self.close()
            for suffix in _SUFFIXES:
                self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)
            self._connect()
            self._damaged = False
            with self.writing() as writer:
                writer.executescript(self._schema)
                writer.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [("version", self._version), ("epoch", origin)]
                )
            return False

    def end(self) -> None:
        """Close the file for good, whatever a thread was about to do with it."""
        with self._writing:
            self._ended = True
            self.close()

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._looking:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write within this: all of it is kept, or nothing.

        Raises:
            sqlite3.Error: it cannot be written, or is not open.
        """
        with self._writing:
            if self._writer is None:
                raise sqlite3.ProgrammingError("the database is not open")
            with self._noting_damage(), self._writer:
                yield self._writer

    @contextmanager
    def looking(self) -> Iterator[sqlite3.Connection | None]:
        """Look within this; None where the file is not open.

        Raises:
            QueryTooSlow: it takes longer than `QUERY_SECONDS`.
        """
        with self._looking:
            self._deadline = monotonic() + QUERY_SECONDS
            try:
                with self._noting_damage():
                    yield self._reader
            except sqlite3.OperationalError as error:
                if "interrupted" in str(error):
                    raise QueryTooSlow("This takes too long; look for more words, or in less time.") from None
                raise

    def meta(self, name: str) -> str | None:
        """Return what is noted of the whole under a name."""
        with self.writing() as writer:
            row = writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._damaged |= _is_damage(error)
            raise

    def _connect(self) -> None:
        make_private_folder(self.path.parent)
        # It holds what others wrote, some of which is private.
        create_private_database(self.path)
        self._writer = sqlite3.connect(self.path, check_same_thread=False, isolation_level="IMMEDIATE")
        # What a power cut takes back is made again.
        for setting in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -4000"):
            self._writer.execute(f"PRAGMA {setting}")
        with self._writer:
            self._writer.execute(
                "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )
        self._reader = sqlite3.connect(self.path, check_same_thread=False)
        self._reader.execute("PRAGMA query_only = ON")
        self._reader.set_progress_handler(lambda: int(monotonic() > self._deadline), _STEPS)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # Those of a class of their own are about something else, such as full, locked or interrupted; or they say that what
    # has to be there is not.
    return type(error) is sqlite3.DatabaseError or str(error).startswith(_DAMAGE)
