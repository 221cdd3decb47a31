"""The index: a database of its own beside the log, made anew whenever it cannot be used.

Invariants:

- it holds exactly the events up to its position: rows and position are committed together;
- it can be thrown away at any time: everything in it comes from the log.

Events are indexed in parts of `PART` ids. What is looked for is looked for in the newest part first, so that the newest
finds of a common word cost little; and what the log has trimmed goes away part by part.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock, RLock
from time import monotonic
from typing import NamedTuple

from missioncontrol.errors import QueryTooSlow

NAME = "search.sqlite"
VERSION = 1
PART = 262_144
QUERY_SECONDS = 1.0
"""How long one query may take."""

_STEPS = 20_000
_SUFFIXES = ("", "-wal", "-shm", "-journal")

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """An event as it is indexed."""

    id: int
    text: str
    about: str


class SearchIndex:
    """The index file. One writes at a time, and one looks; closing waits for both, which may be in threads."""

    def __init__(self, folder: Path) -> None:
        """Prepare; the file is opened by `open`."""
        self._path = folder / NAME
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._writing = RLock()
        self._looking = Lock()
        self._ended = False
        self._deadline = 0.0
        self.position = 0

    def open(self, epoch: str) -> None:
        """Open the index of a log, and see how far it has come.

        One that is damaged, of another version or of another log is made anew.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        with self._writing:
            if self._ended:
                raise sqlite3.ProgrammingError("nobody needs the index any more")
            self._open_for(epoch)

    def _open_for(self, epoch: str) -> None:
        try:
            self._open()
            if self._meta("version") == str(VERSION) and self._meta("epoch") == epoch:
                self.position = int(self._meta("position") or 0)
                return
        except (sqlite3.DatabaseError, ValueError) as error:
            logger.warning("search.made_anew", extra={"reason": str(error)})
        self.close()
        for suffix in _SUFFIXES:
            self._path.with_name(f"{NAME}{suffix}").unlink(missing_ok=True)
        self._open()
        writer = self._write()
        with writer:
            writer.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [("version", str(VERSION)), ("epoch", epoch), ("position", "0")],
            )
        self.position = 0

    def _open(self) -> None:
        self._writer = sqlite3.connect(self._path, check_same_thread=False, isolation_level="IMMEDIATE")
        # What a power cut takes back is indexed again.
        for setting in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -16000"):
            self._writer.execute(f"PRAGMA {setting}")
        with self._writer:
            self._writer.execute(
                "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )
        self._reader = sqlite3.connect(self._path, check_same_thread=False)
        self._reader.execute("PRAGMA query_only = ON")
        self._reader.set_progress_handler(self._late, _STEPS)

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

    def add(self, rows: Sequence[Row], position: int) -> None:
        """Index events in the order of their ids; `position` is the id up to which the log was read."""
        with self._writing, self._write() as writer:
            for part in sorted({row.id // PART for row in rows}):
                writer.execute(
                    f"CREATE VIRTUAL TABLE IF NOT EXISTS part_{part} USING fts5("
                    "text, about, content='', tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
                )
                writer.executemany(
                    f"INSERT INTO part_{part} (rowid, text, about) VALUES (?, ?, ?)",  # noqa: S608
                    [row for row in rows if row.id // PART == part],
                )
            writer.execute("UPDATE meta SET value = ? WHERE name = 'position'", (str(position),))
        self.position = position

    def forget(self, first: int) -> None:
        """Drop the parts in which everything is older than the id `first`."""
        with self._writing:
            for part in list(self._parts(self._write())):
                if (part + 1) * PART <= first:
                    with self._write() as writer:
                        writer.execute(f"DROP TABLE part_{part}")

    def find(self, match: str, *, first: int, last: int, limit: int, most: int) -> tuple[list[int], int]:
        """Look for something.

        Args:
            match: what, as FTS5 reads it.
            first: the oldest id that is wanted.
            last: the newest one.
            limit: how many ids are wanted.
            most: up to where they are counted.

        Returns:
            the newest ids, newest first; and how many there are, counted up to `most`.

        Raises:
            QueryTooSlow: it takes too long.
        """
        ids: list[int] = []
        count = 0
        with self._looking:
            reader = self._reader
            if reader is None:
                return [], 0
            self._deadline = monotonic() + QUERY_SECONDS
            try:
                for part in sorted(self._parts(reader), reverse=True):
                    if count >= most or part * PART > last or (part + 1) * PART <= first:
                        continue
                    found = [
                        id_
                        for (id_,) in reader.execute(
                            f"SELECT rowid FROM part_{part} WHERE part_{part} MATCH ? "  # noqa: S608
                            "AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?",
                            (match, first, last, most - count),
                        )
                    ]
                    ids += found[: limit - len(ids)]
                    count += len(found)
            except sqlite3.OperationalError as error:
                if "interrupted" in str(error):
                    raise QueryTooSlow("This takes too long; look for more words, or in less time.") from None
                raise
        return ids, count

    def _late(self) -> int:
        return int(monotonic() > self._deadline)

    def _parts(self, connection: sqlite3.Connection) -> Iterator[int]:
        self._deadline = max(self._deadline, monotonic() + QUERY_SECONDS)
        names = connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'part_[0-9]*'").fetchall()
        for (name,) in names:
            number = str(name).removeprefix("part_")
            if number.isdigit():
                yield int(number)

    def _meta(self, name: str) -> str | None:
        row = self._write().execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _write(self) -> sqlite3.Connection:
        if self._writer is None:
            raise sqlite3.ProgrammingError("the index is not open")
        return self._writer
