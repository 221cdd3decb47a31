"""Sums of token use, and what is read into them: typed here once, whatever the log holds.

A sum has only fields of `Sums`, each of its own type; what was read is cleaned by `sums_in` and `Use.read`, so that
nothing behind them has to ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypedDict, cast

from missioncontrol.events import Data, Record
from missioncontrol.state.limits import MAX_HOSTS, MAX_NOTE_BYTES
from missioncontrol.state.values import (
    Number,
    added,
    day_in,
    id_in,
    last_day,
    list_in,
    not_negative,
    number_in,
    object_in,
    size_of,
    word_in,
)

COUNTS = ("input", "output", "cacheRead", "cacheWrite", "calls")
COST_SOURCES = ("transcript", "telemetry", "prices", "subscription")
_FIGURES = ("tokens", "cost", *COUNTS)


class Sums(TypedDict, total=False):
    """Tokens and their cost in US dollars; what was never counted is left out.

    `costs` says where the cost comes from, `unpriced` has what has no price, `hosts` each host's share. An agent's also
    have `session`, `updated` and `days`, a session's `id`, `agent`, `model`, `runtime` and `updated`.
    """

    tokens: Number
    cost: Number
    calls: Number
    input: Number
    output: Number
    cacheRead: Number
    cacheWrite: Number
    costs: dict[str, Number]
    unpriced: dict[str, Number]
    hosts: dict[str, Sums]
    session: Any
    updated: str
    days: dict[str, Sums]
    id: str
    agent: str | None
    model: str | None
    runtime: str | None


class Use(NamedTuple):
    """One entry of `delta.uses`; a figure that is missing or no number is 0."""

    tokens: Number
    cost: Number
    counts: dict[str, Number]
    source: str | None
    day: str | None
    model: str | None
    session: str | None
    runtime: str | None

    @classmethod
    def read(cls, entry: Data, last: str) -> Use:
        """Read an entry, whatever it holds; a day after `last` is none."""
        source = entry.get("costSource")
        return cls(
            number_in(entry, "tokens") or 0,
            number_in(entry, "cost") or 0,
            {name: number_in(entry, name) or 0 for name in COUNTS},
            source if isinstance(source, str) and source in COST_SOURCES else None,
            day_in(entry, "day", last),
            id_in(entry, "model") if isinstance(entry.get("model"), str) else None,
            id_in(entry, "session"),
            word_in(entry, "runtime"),
        )


def uses_in(data: Data, record: Record) -> list[Use]:
    """Return the entries of `delta.uses`."""
    last = last_day(record)
    entries = list_in(object_in(data, "delta"), "uses")
    return [Use.read(entry, last) for entry in entries if isinstance(entry, dict)]


def move_in(data: Data) -> Literal["to", "from"] | None:
    """Return whether `delta` is what went to another agent, or came from one; None where it is what was used.

    Nothing was used by a move, and the fleet's sums stay as they are.
    """
    delta = object_in(data, "delta")
    if id_in(delta, "movedFrom") is not None:
        return "from"
    return None if id_in(delta, "movedTo") is None else "to"


def sums_in(value: Any) -> Sums:
    """Return the sums of a record that anyone may have written, cleaned of everything else."""
    sums: Sums = {}
    if not isinstance(value, dict):
        return sums
    for name in _FIGURES:
        if (number := number_in(value, name)) is not None:
            sums[name] = number  # type: ignore[literal-required]
    if isinstance(costs := value.get("costs"), dict):
        sums["costs"] = {
            source: number for source in COST_SOURCES if (number := number_in(costs, source)) is not None
        }
    if isinstance(unpriced := value.get("unpriced"), dict):
        sums["unpriced"] = {name: number_in(unpriced, name) or 0 for name in ("tokens", "calls")}
    return sums


def shares_in(value: Any) -> Sums:
    """Return the sums of a record along with each host's share."""
    sums = sums_in(value)
    if isinstance(value, dict) and isinstance(hosts := value.get("hosts"), dict):
        names = sorted(name for name in hosts if isinstance(name, str))[:MAX_HOSTS]
        sums["hosts"] = {name: sums_in(hosts[name]) for name in names}
    return sums


def has_totals(value: Any) -> bool:
    """Return whether a record has the numbers that sums are made of."""
    return (
        isinstance(value, dict)
        and number_in(value, "tokens") is not None
        and number_in(value, "cost") is not None
    )


def note_in(value: Any) -> Any:
    """Return what an agent says about its session; null where that is too large to be kept."""
    return value if size_of(value) <= MAX_NOTE_BYTES else None


def with_day(total: Sums, use: Use) -> Sums:
    """Return a day's sums with a use added: tokens, cost and calls."""
    return {
        "tokens": added(total.get("tokens", 0), use.tokens),
        "cost": added(total.get("cost", 0), use.cost),
        "calls": added(total.get("calls", 0), use.counts["calls"]),
    }


def with_use(total: Sums, use: Use) -> Sums:
    """Return sums with a use added."""
    return {**with_day(total, use), **with_counts(total, use)}


def with_moved(total: Sums, use: Use) -> Sums:
    """Return an agent's sums with a use that was moved added, or taken from them: nothing is ever below 0."""
    total = _not_negative({**total, **with_counts(total, use)})
    days = total.get("days", {})
    # A day that is not kept any more has nothing that could be taken from it.
    if use.day is not None and (use.day in days or use.tokens > 0 or use.cost > 0 or use.counts["calls"] > 0):
        day = _not_negative(with_day(days.get(use.day, {}), use))
        days = {**days, use.day: day}
        if not any(cast("dict[str, Number]", day).values()):
            del days[use.day]
        total["days"] = days
    return total


def _not_negative(sums: Sums) -> Sums:
    new = cast("dict[str, Any]", dict(sums))
    for name in _FIGURES:
        if name in new:
            new[name] = not_negative(new[name])
    for name in ("costs", "unpriced"):
        if name in new:
            new[name] = {key: not_negative(value) for key, value in new[name].items()}
    return cast("Sums", new)


def with_counts(total: Sums, use: Use) -> Sums:
    """Return the sums that say what the tokens were, and where their cost comes from, with a use added."""
    known = cast("dict[str, Number]", total)
    counts = {name: added(known.get(name, 0), use.counts[name]) for name in COUNTS}
    costs = total.get("costs", {})
    unpriced = total.get("unpriced", {"tokens": 0, "calls": 0})
    if use.source is not None:
        costs = {**costs, use.source: added(costs.get(use.source, 0), use.cost)}
    else:
        unpriced = {
            "tokens": added(unpriced["tokens"], use.tokens),
            "calls": added(unpriced["calls"], use.counts["calls"]),
        }
    return cast("Sums", {**counts, "costs": costs, "unpriced": unpriced})


def shared(total: Sums, host: str | None, make: Callable[[Sums], Sums]) -> Sums:
    """Change one host's share of a sum; without hosts the sum itself.

    `hosts` has the shares, so that what a host says of all it has used replaces what it said before.
    """
    if host is None:
        return make(total)
    known = total.get("hosts", {})
    if host not in known and len(known) >= MAX_HOSTS:
        return total
    hosts = {**known, host: make(known.get(host, {}))}
    sums: Sums = {}
    for name in sorted(hosts):
        sums = _together(sums, hosts[name])
    return {**sums, "hosts": hosts}


def _together(one: Sums, other: Sums) -> Sums:
    sums = cast("dict[str, Any]", dict(one))
    for name, value in other.items():
        if isinstance(value, dict):
            known = sums.get(name, {})
            sums[name] = {**known, **{key: added(known.get(key, 0), value[key]) for key in value}}
        else:
            sums[name] = added(sums.get(name, 0), cast("Number", value))
    return cast("Sums", sums)
