"""Rows of the log's tables, written and looked up in few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

KEPT_STATES = 256


def find_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, int]:
    """Return the ids of the events that have these keys."""
    known: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        marks = ", ".join("?" * len(some))
        for key, id_ in connection.execute(
            f"SELECT key, id FROM events WHERE key IN ({marks})",  # noqa: S608
            some,
        ):
            known[key.decode()] = id_
    return known


SIZES = (512, 64, 8, 1)


def insert_rows(
    execute: Callable[[str, Sequence[Any]], object], statement: str, columns: int, values: list[Any]
) -> None:
    """Insert rows given as one flat list, in statements of a few fixed sizes that SQLite compiles once."""
    start = 0
    for size in SIZES:
        step = size * columns
        while len(values) - start >= step:
            execute(_statement(statement, columns, size), values[start : start + step])
            start += step


_statements: dict[tuple[str, int], str] = {}


def _statement(statement: str, columns: int, size: int) -> str:
    text = _statements.get((statement, size))
    if text is None:
        row = f"({', '.join('?' * columns)})"
        text = _statements[statement, size] = f"{statement} {', '.join([row] * size)}"
    return text


def save_state(connection: sqlite3.Connection, id_: int, state: bytes) -> None:
    """Keep a folded state; past 256 of them every second of the older half goes."""
    connection.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (id_, state))
    (count,) = connection.execute("SELECT count(*) FROM states").fetchone()
    if count > KEPT_STATES:
        connection.execute(
            "DELETE FROM states WHERE id IN (SELECT id FROM "
            "(SELECT id, row_number() OVER (ORDER BY id) AS place FROM states) WHERE place <= ? AND place % 2 = 0)",
            (KEPT_STATES // 2,),
        )
