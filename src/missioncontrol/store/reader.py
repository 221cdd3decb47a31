"""Reading the log, on connections of its own that never wait for the writer.

Each question is one SQL statement that hands back few rows, because Python's lock is taken anew for every row: a
page is joined inside SQLite, with the lock released, and split here.
"""

from __future__ import annotations

import sqlite3

from missioncontrol.events import Patterns, Record
from missioncontrol.store.log import Page, StateCheckpoint


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
        return Page(after, last, first, joined.split(b"\n") if joined is not None else [])
    finally:
        execute("COMMIT")


def read_newest(connection: sqlite3.Connection, before: int, patterns: Patterns, limit: int) -> list[Record]:
    """Read the newest events with an id below `before`, newest first."""
    condition, values = where_type(patterns)
    rows = connection.execute(
        f"SELECT id, type, time, body FROM events WHERE id < ?{condition} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (before, *values, limit),
    )
    return [Record(id_, type_.decode(), time, body) for id_, type_, time, body in rows]


def find_id_at(connection: sqlite3.Connection, time: int, first: int, head: int) -> int:
    """Find the last id told at or before `time` by halving: times never go back, and need no index."""
    low, high = first - 1, head
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute("SELECT time FROM events WHERE id = ?", (middle,)).fetchone()
        if row is None or row[0] <= time:
            low = middle
        else:
            high = middle - 1
    return low


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
