"""Which columns a table has, and what stands in them.

Columns are stable: those of events follow from the patterns alone, and never from what happens to be in the log;
those of records begin with the fields that every record has, in a fixed order. What has no column of its own is
not lost: each event's whole data stands in its last column, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import inspect

from missioncontrol.events import CATALOGUE, Data, Patterns, read_event

Kind = Literal["text", "integer", "number", "flag", "time"]

Row = list[Any]


class Column(NamedTuple):
    """A column: its heading and what its cells are; an empty cell is None."""

    name: str
    kind: Kind


ENVELOPE = (
    Column("id", "integer"),
    Column("time", "time"),
    Column("type", "text"),
    Column("source", "text"),
    Column("host", "text"),
)

FIRST_FIELDS = {
    "tasks": (
        "id description status priority assignedTo createdBy created updated due tags parentId notes result"
    ),
    "agents": "id name role status kind statusSource confirmed lastActive currentTask currentTask.id "
    "currentTask.description activity lastActivity model runtime",
    "leads": "id leadId company name score stage email",
}
"""The fields that a table of records begins with, whether or not a record has them."""

_PREFIX = "data."
_encode = msgspec.json.Encoder().encode


def event_columns(patterns: Patterns) -> list[Column]:
    """Return the columns for the events of these patterns: the event's own, its type's plain fields, all data."""
    found: dict[str, Kind] = {}
    for type_, shape in CATALOGUE.items():
        if patterns.matches(type_):
            for field in inspect.type_info(shape).fields:  # type: ignore[attr-defined]
                kind = _kind_of(field.type)
                if kind is not None:
                    known = found.setdefault(field.encode_name, kind)
                    found[field.encode_name] = kind if known == kind else "text"
    return [
        *ENVELOPE,
        *(Column(_PREFIX + name, kind) for name, kind in found.items()),
        Column("data", "text"),
    ]


def _kind_of(told: inspect.Type) -> Kind | None:
    match told:
        case inspect.UnionType(types=types):
            kinds = {_kind_of(one) for one in types if not isinstance(one, inspect.NoneType)}
            return kinds.pop() if len(kinds) == 1 else None
        case inspect.StrType() | inspect.LiteralType():
            return "text"
        case inspect.BoolType():
            return "flag"
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "number"
        case _:
            return None


def event_rows(columns: list[Column], bodies: Iterable[bytes]) -> Iterator[Row]:
    """Write events as rows; a value that is not of its column's kind leaves the cell empty."""
    plain = [(column.name.removeprefix(_PREFIX), column.kind) for column in columns[len(ENVELOPE) : -1]]
    for body in bodies:
        event = read_event(body)
        data = event.data
        cells = [_cell(data.get(name), kind) for name, kind in plain]
        yield [
            event.id,
            event.time,
            event.type,
            event.source,
            event.host,
            *cells,
            _encode(data).decode(),
        ]


def _cell(value: Any, kind: Kind) -> Any:
    if kind == "text":
        return value if isinstance(value, str) else None
    if kind == "flag":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "number":
        return float(value)
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def record_table(records: list[Data], first: Iterable[str]) -> tuple[list[Column], list[Row]]:
    """Write records as a table: nested objects become columns with a dot in their names, lists are JSON."""
    flat = [dict(_flattened(record)) for record in records]
    names = list(dict.fromkeys(first))
    names += sorted({name for record in flat for name in record} - set(names))
    columns = [Column(name, _common_kind(record.get(name) for record in flat)) for name in names]
    rows = [
        [_as_text(record.get(name)) if kind == "text" else record.get(name) for name, kind in columns]
        for record in flat
    ]
    return columns, rows


def _flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | dict):
            yield prefix + name, _encode(value).decode() if value else None
        else:
            yield prefix + name, value


def _common_kind(values: Iterable[Any]) -> Kind:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "flag"
    if kinds == {int}:
        return "integer"
    return "number" if kinds and kinds <= {int, float} else "text"


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _encode(value).decode()


def token_table(tokens: Data, since: str | None) -> tuple[list[Column], list[Row]]:
    """Write token use as a row for each agent and day; `since` is the first day, as in 2026-11-23."""
    columns = [
        Column("agent", "text"),
        Column("day", "text"),
        Column("tokens", "number"),
        Column("cost", "number"),
        Column("calls", "number"),
    ]
    rows = [
        [agent, day, *(_cell(used.get(name), "number") for name in ("tokens", "cost", "calls"))]
        for agent, use in sorted(tokens.get("agents", {}).items())
        for day, used in sorted(use.get("days", {}).items())
        if since is None or day >= since
    ]
    return columns, rows
