"""The messages of transcripts, in a separate database: for reading by session, and for full-text search.

It is a copy of the runtimes' transcripts. Messages are kept as long as configured, even if a runtime deletes its own.

Invariants:

- a message's id carries its time in the upper bits, and a digest of its session and key in the lower ones: the order of
  ids is that of time, and a message that is read again is the same row;
- messages and the position of the file that they come from are kept in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from missioncontrol.runtimes.records import Message, Role
from missioncontrol.store.derived import DerivedDatabase

NAME = "transcripts.sqlite"
VERSION = 1
ORIGIN = "transcripts"
TRIM_ROWS = 2_000
"""How many messages are deleted in one step."""

REDACT_ROWS = 200
"""How many messages are masked in one step."""

MERGE_PAGES = 500
"""How many pages of the index of words are merged in one step."""

OPENING_MESSAGES = 20
"""How many messages at the beginning of a session are searched for the first one of the user."""

_DIGEST_BITS = 22
END = (1 << 63) - 1
"""An id above all ids."""

_SCHEMA = """
CREATE TABLE file (path TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE session (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL,
    role TEXT NOT NULL, tool TEXT, text TEXT NOT NULL, cut INTEGER NOT NULL
);
CREATE INDEX message_session ON message (session, id);
CREATE VIRTUAL TABLE words USING fts5(
    text, content='message', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
);
"""
_COLUMNS = "message.id, session.id, role, tool, text, cut"


class Utterance(NamedTuple):
    """A message as it is kept. `at` is in milliseconds since 1970."""

    id: int
    session: str
    role: Role
    tool: str | None
    text: str
    cut: int

    @property
    def at(self) -> int:
        """When it was said, in milliseconds since 1970."""
        return self.id >> _DIGEST_BITS


def first_id(at: int) -> int:
    """Return the smallest id that a message of a time may have; `at` in milliseconds since 1970."""
    return min(max(at, 0) << _DIGEST_BITS, END)


class SessionSpan(NamedTuple):
    """A session of which something is kept, with the times of its first and last message, in ms since 1970."""

    id: str
    first: int
    last: int


class MessageIndex:
    """The file; it may be used from threads."""

    def __init__(self, folder: Path) -> None:
        """Prepare; the file is opened by `open`."""
        self._database = DerivedDatabase(folder / NAME, VERSION, _SCHEMA)

    def open(self) -> None:
        """Open the file; one that is damaged or of another release is made again.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        if self._database.open(ORIGIN):
            with self._database.writing() as writer:
                paths = [str(path) for (path,) in writer.execute("SELECT path FROM file")]
            for path in paths:
                if not Path(path).exists():
                    self.forget_file(path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def newest(self) -> int:
        """Return the time of the newest message, in milliseconds since 1970; 0 where there is none."""
        with self._database.writing() as writer:
            (id_,) = writer.execute("SELECT max(id) FROM message").fetchone()
        return 0 if id_ is None else int(id_) >> _DIGEST_BITS

    def position(self, path: str) -> bytes | None:
        """Return how far a file has been read."""
        with self._database.writing() as writer:
            row = writer.execute("SELECT position FROM file WHERE path = ?", (path,)).fetchone()
        return None if row is None else bytes(row[0])

    def enter(self, messages: Iterable[Message], path: str, position: bytes, since: int) -> int:
        """Keep messages, and how far their file has been read with them.

        Args:
            messages: what was read; those that are here already stay as they are.
            path: the file.
            position: how far it was read.
            since: what was said before is not kept, in milliseconds since 1970.

        Returns:
            how many are new.
        """
        # In their order: FTS5 writes what it holds whenever an id is smaller than the one before.
        rows = {_id_of(message): message for message in messages if message.at >= since}
        with self._database.writing() as writer:
            entered = 0
            for id_, message in sorted(rows.items(), key=itemgetter(0)):
                number = _number(writer, message.session)
                kept = writer.execute(
                    "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?)",
                    (id_, number, message.role, message.tool, message.text, message.cut),
                )
                if kept.rowcount == 1:
                    entered += 1
                    writer.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (id_, message.text))
            writer.execute("INSERT OR REPLACE INTO file VALUES (?, ?)", (path, position))
        return entered

    def forget_file(self, path: str) -> None:
        """Forget the position of a file that is gone; its messages stay until they are too old."""
        with self._database.writing() as writer:
            writer.execute("DELETE FROM file WHERE path = ?", (path,))

    def begin_redaction(self, revision: str) -> bool:
        """Return whether there are messages to which these rules were not applied yet; `redact_some` applies them.

        Args:
            revision: the name of the rules, which is stored.
        """
        if self._database.meta("redaction") != revision:
            with self._database.writing() as writer:
                # Messages that are entered from now on are masked: the newest id is the last one to be masked again.
                (last,) = writer.execute("SELECT max(id) FROM message").fetchone()
                _note(writer, redaction=revision, unmasked="" if last is None else f"0 {last} 0")
        return bool(self._database.meta("unmasked"))

    def redact_some(self, redact: Callable[[str], str]) -> bool:
        """Mask the secrets in some of the messages that were stored before; return whether there is more to do.

        The old text is overwritten in the file as well; in the index of words, by merging its segments at the end.

        Args:
            redact: masks the secrets of a text.
        """
        done, last, masked = (int(part) for part in (self._database.meta("unmasked") or "0 0 0").split())
        with self._database.writing() as writer:
            writer.execute("PRAGMA secure_delete = ON")
            rows = writer.execute(
                "SELECT id, text FROM message WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                (done, last, REDACT_ROWS),
            ).fetchall()
            for id_, text in rows:
                without = redact(text)
                if without != text:
                    masked += 1
                    writer.execute(
                        "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (id_, text)
                    )
                    writer.execute("UPDATE message SET text = ? WHERE id = ?", (without, id_))
                    writer.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (id_, without))
            more = bool(rows)
            if not rows and masked:
                # https://www.sqlite.org/fts5.html, section 6.8: a negative number begins, fewer than two changes end.
                before = writer.total_changes
                pages = -MERGE_PAGES if done != END else MERGE_PAGES
                writer.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
                more = writer.total_changes - before >= 2
                done = END
            place = rows[-1][0] if rows else done
            _note(writer, unmasked=f"{place} {last} {masked}" if more else "")
        return more

    def trim(self, since: int, most_bytes: int) -> bool:
        """Delete some of the messages that are too old or too many; return whether there may be more.

        Args:
            since: messages before this time, in milliseconds since 1970, are deleted.
            most_bytes: how large the file may be.
        """
        with self._database.writing() as writer:
            pages, free, size = (
                int(writer.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            too_large = (pages - free) * size > most_bytes
            rows = writer.execute(
                "SELECT id, text FROM message WHERE id < ? ORDER BY id LIMIT ?",
                (END if too_large else first_id(since), TRIM_ROWS),
            ).fetchall()
            writer.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", rows)
            writer.executemany("DELETE FROM message WHERE id = ?", ((id_,) for id_, _ in rows))
        return len(rows) == TRIM_ROWS

    def find(
        self, match: str, *, first: int, before: int, sessions: Sequence[str] | None, limit: int, most: int
    ) -> tuple[list[Utterance], int]:
        """Search for messages.

        Args:
            match: the query in the syntax of FTS5.
            first: the smallest id to return.
            before: only ids below this one.
            sessions: only messages of these sessions; None for all.
            limit: how many to return at most.
            most: where counting ends.

        Returns:
            the newest messages, newest first; and how many there are, counted up to `most`.

        Raises:
            QueryTooSlow: it takes too long.
        """
        with self._database.looking() as reader:
            if reader is None:
                return [], 0
            table, of = "words", ""
            if sessions is not None:
                # In this order, so that the newest come first without sorting all.
                table = "words CROSS JOIN message ON message.id = words.rowid"
                of = f"AND message.session IN ({','.join(map(str, _numbers(reader, sessions)))})"
            ids = [
                id_
                for (id_,) in reader.execute(
                    f"SELECT words.rowid FROM {table} WHERE words MATCH ? "  # noqa: S608
                    f"AND words.rowid >= ? AND words.rowid < ? {of} ORDER BY words.rowid DESC LIMIT ?",
                    (match, first, before, most),
                )
            ]
            return [said for id_ in ids[:limit] if (said := _said(reader, id_)) is not None], len(ids)

    def page(self, session: str, *, after: int, before: int, limit: int, newest: bool) -> list[Utterance]:
        """Return the messages of a session between two ids, in their order.

        Args:
            session: the session.
            after: only messages after this id.
            before: only messages before this id.
            limit: how many to return at most.
            newest: whether to return the last ones if there are more, else the first ones.
        """
        with self._database.looking() as reader:
            if reader is None:
                return []
            rows = reader.execute(
                f"SELECT {_COLUMNS} FROM message JOIN session ON session.number = message.session "  # noqa: S608
                "WHERE message.session = (SELECT number FROM session WHERE id = ?) "
                f"AND message.id > ? AND message.id < ? ORDER BY message.id {'DESC' if newest else 'ASC'} LIMIT ?",
                (session, after, before, limit),
            ).fetchall()
        page = [Utterance(*row) for row in rows]
        return page[::-1] if newest else page

    def sessions(self) -> list[SessionSpan]:
        """Return all sessions that have stored messages."""
        with self._database.looking() as reader:
            if reader is None:
                return []
            # Two look-ups in the index for each session, instead of all of its messages.
            rows = reader.execute(
                "SELECT id, (SELECT min(id) FROM message WHERE message.session = number), "
                "(SELECT max(id) FROM message WHERE message.session = number) FROM session"
            ).fetchall()
        return [
            SessionSpan(id_, first >> _DIGEST_BITS, last >> _DIGEST_BITS)
            for id_, first, last in rows
            if last is not None
        ]

    def first_texts(self, sessions: Sequence[str], length: int) -> dict[str, str]:
        """Return the first user message of sessions, else their first message; cut to `length` characters."""
        texts: dict[str, str] = {}
        with self._database.looking() as reader:
            if reader is None:
                return texts
            for id_ in sessions:
                row = reader.execute(
                    "SELECT substr(text, 1, ?) FROM (SELECT id, role, text FROM message "
                    "WHERE session = (SELECT number FROM session WHERE id = ?) ORDER BY id LIMIT ?) "
                    "ORDER BY role <> 'user', id LIMIT 1",
                    (length, id_, OPENING_MESSAGES),
                ).fetchone()
                if row is not None:
                    texts[id_] = str(row[0])
        return texts

    def knows(self, session: str) -> bool:
        """Return whether messages of a session were ever stored."""
        with self._database.looking() as reader:
            return reader is not None and bool(_numbers(reader, [session]))


def _id_of(message: Message) -> int:
    digest = blake2b(f"{message.session}\0{message.key}".encode("utf-8", "replace"), digest_size=4).digest()
    return first_id(message.at) | int.from_bytes(digest) >> (32 - _DIGEST_BITS)


def _note(writer: sqlite3.Connection, **notes: str) -> None:
    writer.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())


def _number(writer: sqlite3.Connection, session: str) -> int:
    row = writer.execute("SELECT number FROM session WHERE id = ?", (session,)).fetchone()
    if row is None:
        return writer.execute("INSERT INTO session (id) VALUES (?)", (session,)).lastrowid or 0
    return int(row[0])


def _numbers(reader: sqlite3.Connection, sessions: Iterable[str]) -> list[int]:
    found = (reader.execute("SELECT number FROM session WHERE id = ?", (id_,)).fetchone() for id_ in sessions)
    return [int(row[0]) for row in found if row is not None]


def _said(reader: sqlite3.Connection, id_: int) -> Utterance | None:
    row = reader.execute(
        f"SELECT {_COLUMNS} FROM message JOIN session ON session.number = message.session "  # noqa: S608
        "WHERE message.id = ?",
        (id_,),
    ).fetchone()
    return None if row is None else Utterance(*row)
