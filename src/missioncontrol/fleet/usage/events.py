"""What a page of the ledger becomes: the data of `token:usage`, or of the baseline that a first start begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from missioncontrol.events import Data, now
from missioncontrol.fleet.usage.ledger import UsageBatch, moment
from missioncontrol.fleet.usage.lines import use_of
from missioncontrol.fleet.usage.moves import MAX_USES
from missioncontrol.state.tokens import Tokens
from missioncontrol.state.values import Number, not_negative


def usage_events(known: Tokens, page: UsageBatch) -> list[Data]:
    """Return the data of the events of a page, each with its agent's totals so far.

    What has moved to another agent comes first, an event for each of the two; then what is new, one for each agent.

    Args:
        known: the sums by now.
        page: what one reading has brought.
    """
    events: list[Data] = []
    totals: dict[str, tuple[Number, Number]] = {}

    def add(agent: str, delta: Data, session: Data | None) -> None:
        sums = known.of(agent)
        tokens, cost = totals.get(agent) or (sums.get("tokens", 0), sums.get("cost", 0.0))
        tokens, cost = tokens + delta["tokens"], cost + delta["cost"]
        if "movedTo" in delta:
            tokens, cost = not_negative(tokens), not_negative(cost)
        totals[agent] = (tokens, cost)
        events.append({"agent": agent, "tokens": tokens, "cost": cost, "session": session, "delta": delta})

    for move in page.transfers:
        taken = {"tokens": -move.tokens, "cost": -move.cost, "movedTo": move.after, "uses": move.taken}
        given = {"tokens": move.tokens, "cost": move.cost, "movedFrom": move.before, "uses": move.uses}
        add(move.before, taken, None)
        add(move.after, given, move.session)
    for agent, uses in page.agents().items():
        for start in range(0, len(uses), MAX_USES):
            part = uses[start : start + MAX_USES]
            last = part[-1][0]
            delta = {
                "tokens": sum(sums.tokens for _, sums in part),
                "cost": sum(sums.cost for _, sums in part),
                "uses": [use_of(line, sums) for line, sums in part],
            }
            add(agent, delta, {"id": last.session, "runtime": last.runtime})
    return events


def enter_page(found: Tokens, page: UsageBatch) -> None:
    """Add a page to the sums that a baseline will have."""
    time = moment(now())
    for move in page.transfers:
        found.move_uses(move.before, move.after, move.uses, move.taken, time)
    for agent, uses in page.agents().items():
        found.add_uses(agent, [use_of(line, sums) for line, sums in uses], time)


def baseline_parts(found: Tokens) -> list[Mapping[str, Any]]:
    """Cut the sums into what fits into one event each."""
    value = found.value()
    parts: list[Mapping[str, Any]] = []
    for name in ("agents", "models", "days"):
        items = list(value[name].items())
        parts += [{name: dict(items[start : start + 20])} for start in range(0, len(items), 20)]
    sessions = value["sessions"]
    # The newest come last, as they were used last.
    parts += [{"sessions": sessions[start : start + 100]} for start in range(0, len(sessions), 100)][::-1]
    return parts
