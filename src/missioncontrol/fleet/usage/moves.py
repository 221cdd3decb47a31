"""Sessions that turn out to be another agent's, and the difference that this makes for each of the two agents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from missioncontrol.fleet.usage.session_uses import SessionUse

MAX_USES = 400
"""How many uses one event may hold, which keeps it far below the limit of an event."""

_FIGURES = ("tokens", "input", "output", "cacheRead", "cacheWrite", "calls", "cost")


class Move(NamedTuple):
    """A session with all that it has used so far, which has been published as another agent's."""

    session: str
    runtime: str
    before: str
    after: str
    uses: list[SessionUse]


class Transfer(NamedTuple):
    """What goes from one agent to another: `uses` as the one that gets it has them in `delta.uses`, `taken` negative.

    `session` is the last of the sessions, `cost` in US dollars.
    """

    before: str
    after: str
    tokens: int
    cost: float
    session: dict[str, Any]
    uses: list[dict[str, Any]]
    taken: list[dict[str, Any]]


def transfers(moves: Iterable[Move]) -> list[Transfer]:
    """Sum moves up by the two agents; more than `MAX_USES` become several transfers."""
    pairs: dict[tuple[str, str], list[tuple[Move, SessionUse]]] = {}
    for move in moves:
        pairs.setdefault((move.before, move.after), []).extend((move, use) for use in move.uses)
    found: list[Transfer] = []
    for (before, after), uses in pairs.items():
        for start in range(0, len(uses), MAX_USES):
            part = uses[start : start + MAX_USES]
            given = [_entry(move, use) for move, use in part]
            last = part[-1][0]
            found.append(
                Transfer(
                    before,
                    after,
                    sum(use.tokens for _, use in part),
                    sum(use.cost for _, use in part),
                    {"id": last.session, "runtime": last.runtime},
                    given,
                    [{**entry, **{name: -entry[name] for name in _FIGURES}} for entry in given],
                )
            )
    return found


def _entry(move: Move, use: SessionUse) -> dict[str, Any]:
    return {
        "session": move.session,
        "runtime": move.runtime,
        "model": use.model,
        "day": use.day or None,
        "tokens": use.tokens,
        "input": use.input,
        "output": use.output,
        "cacheRead": use.cache_read,
        "cacheWrite": use.cache_write,
        "calls": use.calls,
        "cost": use.cost,
        "costSource": use.source,
    }
