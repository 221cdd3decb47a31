"""The index: a database of its own beside the log, made anew whenever it cannot be used.

It holds exactly the events up to its position: rows and position are committed together.

Events are indexed in parts of `PART` ids. What is looked for is looked for in the newest part first, so that the newest
finds of a common word cost little; and what the log has trimmed goes away part by part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from missioncontrol.store.derived import DerivedDatabase

NAME = "search.sqlite"
VERSION = 2
PART = 262_144


class Row(NamedTuple):
    """An event as it is indexed."""

    id: int
    text: str
    about: str


class SearchIndex:
    """The index file; it may be used from threads."""

    def __init__(self, folder: Path) -> None:
        """Prepare; the file is opened by `open`."""
        self._database = DerivedDatabase(folder / NAME, VERSION)
        self.position = 0

    def open(self, epoch: str) -> None:
        """Open the index of a log, and see how far it has come.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        known = self._database.open(epoch)
        self.position = int(self._database.meta("position") or 0) if known else 0

    def end(self) -> None:
        """Close the file for good, whatever a thread was about to do with it."""
        self._database.end()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, rows: Sequence[Row], position: int) -> None:
        """Index events in the order of their ids; `position` is the id up to which the log was read."""
        with self._database.writing() as writer:
            for part in sorted({row.id // PART for row in rows}):
                writer.execute(
                    f"CREATE VIRTUAL TABLE IF NOT EXISTS part_{part} USING fts5("
                    "text, about, content='', tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
                )
                writer.executemany(
                    f"INSERT INTO part_{part} (rowid, text, about) VALUES (?, ?, ?)",  # noqa: S608
                    [row for row in rows if row.id // PART == part],
                )
            writer.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (str(position),))
        self.position = position

    def forget(self, first: int) -> None:
        """Drop the parts in which everything is older than the id `first`."""
        with self._database.writing() as writer:
            for part in list(_parts(writer)):
                if (part + 1) * PART <= first:
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


def _parts(connection: sqlite3.Connection) -> Iterator[int]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'part_[0-9]*'").fetchall()
    for (name,) in names:
        number = str(name).removeprefix("part_")
        if number.isdigit():
            yield int(number)
