"""The index: a separate database next to the log, rebuilt whenever it cannot be used.

It holds exactly the events up to its position: rows and position are committed together.

Events are indexed in parts of `PART` ids. The newest part is searched first, so that the newest matches of a common
word cost little. Trimmed events are removed part by part, and the part with the oldest event is refilled without
them: rows of such a table cannot be deleted one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from missioncontrol.store.derived import DerivedDatabase

NAME = "search.sqlite"
VERSION = 3
PART = 16_384


class Row(NamedTuple):
    """An event as it is indexed."""

    id: int
    text: str
    about: str


class SearchIndex:
    """The index file; it may be used from any thread."""

    def __init__(self, folder: Path) -> None:
        """Prepare; the file is opened by `open`."""
        self._database = DerivedDatabase(folder / NAME, VERSION)
        self.position = 0

    def open(self, origin: str) -> None:
        """Open the index of a log, and read its position.

        Args:
            origin: identifies the log and the rules for its texts; an index of another origin is rebuilt.

        Raises:
            sqlite3.Error, OSError: the index cannot be created.
        """
        known = self._database.open(origin)
        self.position = int(self._database.meta("position") or 0) if known else 0

    def end(self) -> None:
        """Close the file for good, even if a thread still uses it."""
        self._database.end()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, rows: Sequence[Row], position: int) -> None:
        """Index events in the order of their ids; `position` is the id up to which the log was read."""
        with self._database.writing() as writer:
            for part in sorted({row.id // PART for row in rows}):
                _insert(writer, f"part_{part}", [row for row in rows if row.id // PART == part])
            writer.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (str(position),))
        self.position = position

    def forget(self, first: int) -> None:
        """Drop the parts that have only events older than the id `first`."""
        with self._database.writing() as writer:
            for part in list(_parts(writer)):
                if (part + 1) * PART <= first:
                    writer.execute(f"DROP TABLE part_{part}")

    def stale_part(self, first: int) -> range | None:
        """Return the ids of the part that has events older than the id `first`, as far as they are indexed.

        None where there is no such part. `forget` was called before.
        """
        part = first // PART
        with self._database.writing() as writer:
            if part not in _parts(writer):
                return None
            (oldest,) = writer.execute(f"SELECT min(id) FROM part_{part}_docsize").fetchone()  # noqa: S608
        if oldest is None or oldest >= first:
            return None
        return range(first, min((part + 1) * PART - 1, self.position) + 1)

    def refill(self, ids: range, rows: Sequence[Row], *, begin: bool, end: bool) -> None:
        """Refill a part in steps; searches use the old rows until the last step.

        Args:
            ids: the ids that `stale_part` returned.
            rows: the next events.
            begin: this is the first step.
            end: it is the last one.
        """
        part = ids.start // PART
        with self._database.writing() as writer:
            if begin:
                writer.execute("DROP TABLE IF EXISTS refilled")
            _insert(writer, "refilled", rows)
            if end:
                writer.execute(f"DROP TABLE part_{part}")
                writer.execute(f"ALTER TABLE refilled RENAME TO part_{part}")

    def find(self, match: str, *, first: int, last: int, limit: int, most: int) -> tuple[list[int], int]:
        """Search for events.

        Args:
            match: the query in the syntax of FTS5.
            first: the oldest id to search.
            last: the newest one.
            limit: how many ids to return at most.
            most: where counting ends.

        Returns:
            the newest ids, newest first; and how many there are, counted up to `most`.

        Raises:
            QueryTooSlow: it takes too long.
        """
        ids: list[int] = []
        count = 0
        with self._database.looking() as reader:
            if reader is None:
                return [], 0
            for part in sorted(_parts(reader), reverse=True):
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
        return ids, count


def _insert(writer: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    writer.execute(
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5("
        "text, about, content='', tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    )
    writer.executemany(
        f"INSERT INTO {table} (rowid, text, about) VALUES (?, ?, ?)",  # noqa: S608
        rows,
    )


def _parts(connection: sqlite3.Connection) -> Iterator[int]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'part_[0-9]*'").fetchall()
    for (name,) in names:
        number = str(name).removeprefix("part_")
        if number.isdigit():
            yield int(number)
