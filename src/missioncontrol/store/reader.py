"""Reading the log, on connections of its own that never wait for the writer.

Each question is one SQL statement that hands back few rows, because Python's lock is taken again for every row: a
page is joined inside SQLite, with the lock released, and split here.
"""

from __future__ import annotations

import sqlite3

from missioncontrol.events import Patterns, Record, write_body
from missioncontrol.store.clock import last_id_at, read_segments
from missioncontrol.store.log import NEWEST_BYTES, Page, StateCheckpoint

_YEAR_10000 = 253_402_300_800_000


def where_type(patterns: Patterns) -> tuple[str, list[str]]:
    """Write patterns as an SQL condition on `type`, with its parameters; empty for everything."""
    if patterns.everything:
        return "", []
    parts: list[str] = []
    values: list[str] = []
    if patterns.types:
        parts.append(f"type IN ({', '.join('?' * len(patterns.types))})")
        values += sorted(patterns.types)
    for category in sorted(patterns.categories):
        # ';' is the character after ':', so the range holds every name of the category.
        parts.append("(type >= ? AND type < ?)")
        values += [f"{category}:", f"{category};"]
    return " AND (" + (" OR ".join(parts) or "0") + ")", values


def read_page(
    connection: sqlite3.Connection, after: int, head: int, patterns: Patterns, limit: int, max_bytes: int
) -> Page:
    """Read one page of bodies, never past `head`: what listeners have not heard of is nobody's business yet."""
    execute = connection.execute
    execute("BEGIN")
    try:
        oldest = execute("SELECT id, end - length(body) FROM events ORDER BY id LIMIT 1").fetchone()
        first, base = oldest if oldest is not None else (head + 1, 0)
        start = max(after, first - 1)
        known = execute("SELECT end FROM events WHERE id = ?", (start,)).fetchone()
        upto = (known[0] if known is not None else base) + max_bytes
        (last,) = execute(
            "SELECT max(id) FROM events WHERE id > ? AND id <= ? AND (end <= ? OR id = ?)",
            (start, min(start + limit, head), upto, start + 1),
        ).fetchone()
        if last is None:
            return Page(after, max(start, after), first, [])
        condition, values = where_type(patterns)
        (joined,) = execute(
            f"SELECT group_concat(body, x'0A') FROM (SELECT body FROM events WHERE id > ? AND id <= ?{condition} ORDER BY id)",  # noqa: S608, E501
            (start, last, *values),
        ).fetchone()
        if joined is None or is_legible(joined):
            return Page(after, last, first, joined.split(b"\n") if joined is not None else [])
        rows = execute(
            f"SELECT id, time, body FROM events WHERE id > ? AND id <= ?{condition} ORDER BY id",  # noqa: S608
            (start, last, *values),
        ).fetchall()
        bad = tuple(id_ for id_, _, body in rows if b"\n" in body or not is_legible(body))
        bodies = [body if id_ not in bad else _unreadable(id_, time, len(body)) for id_, time, body in rows]
        return Page(after, last, first, bodies, bad)
    finally:
        execute("COMMIT")


def is_legible(bodies: bytes) -> bool:
    """Say whether bodies, one a line, look as they were written: cheap, and enough to see overwritten pages."""
    try:
        if not bodies.isascii():
            bodies.decode()
    except UnicodeDecodeError:
        return False
    return (
        b"\0" not in bodies
        and bodies.startswith(b'{"type":"')
        and bodies.endswith(b"}")
        and bodies.count(b'}\n{"type":"') == bodies.count(b"\n")
    )


def _unreadable(id_: int, time: object, size: int) -> bytes:
    """Write the body of the event that stands for one whose body is damaged."""
    data = b'{"size":%d,"reason":"its body is damaged"}' % size
    # The time may be damaged too.
    moment = time if isinstance(time, int) and 0 <= time < _YEAR_10000 else 0
    return write_body("log:unreadable", id_, moment, b'"log"', data)


def read_newest(connection: sqlite3.Connection, before: int, patterns: Patterns, limit: int) -> list[Record]:
    """Read the newest events with an id below `before`, newest first; see `Log.newest`."""
    condition, values = where_type(patterns)
    rows = connection.execute(
        f"SELECT id, type, time, body FROM events WHERE id < ?{condition} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (before, *values, limit),
    )
    records = []
    size = 0
    for id_, type_, time, body in rows:
        if b"\n" not in body and is_legible(body):
            records.append(Record(id_, type_.decode("utf-8", "replace"), time, body))
        else:
            records.append(Record(id_, "log:unreadable", time, _unreadable(id_, time, len(body))))
        size += len(records[-1].body)
        if size >= NEWEST_BYTES:
            # What is left would be read at the next statement.
            rows.close()
            break
    return records


def find_id_at(connection: sqlite3.Connection, time: int, first: int, head: int) -> int:
    """Find the last id told at or before `time` by halving: the column needs no index; see `clock`."""
    return last_id_at(connection, time, first, head, read_segments(connection))


def read_memory(connection: sqlite3.Connection, source: str) -> dict[str, bytes]:
    """Read everything that a source has remembered."""
    rows = connection.execute("SELECT key, value FROM source_memory WHERE source = ?", (source,))
    return {key.decode(): value for key, value in rows}


def read_state(connection: sqlite3.Connection, at: int) -> StateCheckpoint | None:
    """Read the newest folded state at or before the id `at`."""
    row = connection.execute(
        "SELECT id, state FROM states WHERE id <= ? ORDER BY id DESC LIMIT 1", (at,)
    ).fetchone()
    return None if row is None else StateCheckpoint(*row)
