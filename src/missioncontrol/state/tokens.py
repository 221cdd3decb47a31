"""Token use: totals by agent, model, day and session, and the budget thresholds that were crossed.

An event has an agent's totals so far, so the newest one replaces all before it. The use since the previous event is
in `delta.uses`, one entry for each session, model and day; models, days and sessions are the sums of those.
Where sessions turn out to belong to another agent, one event for each agent moves their use: see `move_in`.
Costs are in US dollars. Each sum has them by source in `costs`, and the use without a price in `unpriced`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from missioncontrol.events import Data, Record
from missioncontrol.events.decoding import decode_json
from missioncontrol.state.limits import (
    MAX_AGENT_DAYS,
    MAX_AGENTS,
    MAX_DAYS,
    MAX_MODELS,
    MAX_SESSIONS,
    OTHER,
)
from missioncontrol.state.system import LEVELS
from missioncontrol.state.tables import Rows, StatePart, encode_json
from missioncontrol.state.usage import (
    Sums,
    Use,
    has_totals,
    move_in,
    note_in,
    shared,
    shares_in,
    sums_in,
    uses_in,
    with_counts,
    with_day,
    with_moved,
    with_use,
)
from missioncontrol.state.values import (
    added,
    id_in,
    is_day,
    is_id,
    last_day,
    list_in,
    not_negative,
    number_in,
    object_in,
    time_of,
    word_in,
)

ANY_DAY = "9999-12-31"


class Tokens(StatePart):
    """Each agent's token use so far, sums by model, day and session, and the last threshold that each has crossed."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: Rows[Sums] = Rows(MAX_AGENTS)
        self._thresholds: Rows[Data] = Rows(MAX_AGENTS)
        self._models: dict[str, Sums] = {}
        self._days: dict[str, Sums] = {}
        self._sessions: dict[str, Sums] = {}
        self.folds = {
            "token:usage": self._usage,
            "token:threshold": self._threshold,
            "state:baseline": self._baseline,
        }

    @property
    def left_out(self) -> int:
        """How many changes were left out because they were too many or too large."""
        return self._agents.left_out + self._thresholds.left_out

    def of(self, agent: str) -> Data:
        """Return an agent's use so far; it has no fields where there is none."""
        return cast("Data", self._of(agent))

    def _of(self, agent: str) -> Sums:
        return self._agents.records.get(agent, {})

    def count(self) -> int:
        """Return how many agents have used something."""
        return len(self._agents.records)

    def agents(self) -> Iterable[str]:
        """Return the agents that have used something."""
        return self._agents.records

    def day(self, day: str, agent: str | None = None) -> Data:
        """Return what an agent, or the fleet, has used on a day; it has no fields where that is nothing."""
        days = self._days if agent is None else self._of(agent).get("days", {})
        return cast("Data", days.get(day, {}))

    def spent(self, day: str, agent: str | None = None) -> float:
        """Return what an agent, or the fleet, has cost on a day, in US dollars."""
        return float(self.day(day, agent).get("cost", 0))

    def sessions(self) -> list[Data]:
        """Return the sessions used last, the newest first; none of them may be changed."""
        return cast("list[Data]", list(reversed(self._sessions.values())))

    def unpriced(self) -> list[str]:
        """Return the models of which some responses have no price."""
        return sorted(name for name, use in self._models.items() if use.get("unpriced", {}).get("calls"))

    def _usage(self, data: Data, record: Record) -> None:
        agent, tokens, cost = id_in(data, "agent"), number_in(data, "tokens"), number_in(data, "cost")
        if agent is None or (tokens is None and cost is None):
            return
        old = self._of(agent)
        new: Sums = {
            **old,
            "tokens": old.get("tokens", 0) if tokens is None else tokens,
            "cost": old.get("cost", 0) if cost is None else cost,
            "session": old.get("session") if data.get("session") is None else note_in(data["session"]),
            "updated": time_of(data, record),
        }
        if (move := move_in(data)) is not None:
            self._move(agent, new, uses_in(data, record), is_owner=move == "from")
        else:
            self._add(agent, new, uses_in(data, record), record.host)

    def add_uses(self, agent: str, uses: list[Data], time: str) -> None:
        """Add entries as `delta.uses` has them, to sums that are made before any event has them."""
        old = self._of(agent) or {"tokens": 0, "cost": 0, "session": None}
        new: Sums = {**old, "updated": time}
        entries = [Use.read(use, ANY_DAY) for use in uses]
        for use in entries:
            new["tokens"] = added(new["tokens"], use.tokens)
            new["cost"] = added(new["cost"], use.cost)
        self._add(agent, new, entries, None)

    def move_uses(self, before: str, after: str, given: list[Data], taken: list[Data], time: str) -> None:
        """Move entries to another agent, in sums that are made before any event has them.

        Args:
            before: whose they were.
            after: whose they are.
            given: entries as `delta.uses` has them.
            taken: the same, negative.
            time: when that was found out.
        """
        for agent, entries in ((before, taken), (after, given)):
            old = self._of(agent) or {"tokens": 0, "cost": 0, "session": None}
            new: Sums = {**old, "updated": time}
            uses = [Use.read(entry, ANY_DAY) for entry in entries]
            for use in uses:
                new["tokens"] = added(new["tokens"], use.tokens)
                new["cost"] = added(new["cost"], use.cost)
            self._move(agent, new, uses, is_owner=entries is given)

    def _move(self, agent: str, total: Sums, uses: list[Use], *, is_owner: bool) -> None:
        """Put an agent's new record, with entries moved to it, or taken from it where they are negative.

        Sessions stay where they are among those that were used last; `is_owner` says that they are this agent's now.
        """
        total["tokens"] = not_negative(total["tokens"])
        total["cost"] = not_negative(total["cost"])
        for use in uses:
            total = with_moved(total, use)
        if "days" in total:
            total["days"] = _newest_days(total["days"], MAX_AGENT_DAYS)
        if not self._agents.put(agent, total):
            return
        for use in uses:
            if is_owner and use.session in self._sessions:
                self._sessions[use.session] = {**self._sessions[use.session], "agent": agent}
        self.changed()

    def _add(self, agent: str, total: Sums, uses: list[Use], host: str | None) -> None:
        """Put an agent's new record, and add entries to every sum that they belong to."""
        if any(use.day is not None for use in uses):
            # A copy once, however many entries there are.
            total["days"] = dict(total.get("days", {}))
        for use in uses:
            total.update(with_counts(total, use))
            if use.day is not None:
                days = total["days"]
                days[use.day] = with_day(days.get(use.day, {}), use)
                if len(days) > MAX_AGENT_DAYS:
                    del days[min(days)]
        if not self._agents.put(agent, total):
            return
        for use in uses:
            self._add_to_fleet(agent, use, total["updated"], host)
        self.changed()

    def _add_to_fleet(self, agent: str, use: Use, time: str, host: str | None) -> None:
        if use.day is not None:
            day = self._days.get(use.day, {})
            self._days[use.day] = shared(day, host, lambda share: with_day(share, use))
            if len(self._days) > MAX_DAYS:
                del self._days[min(self._days)]
        if use.model is not None:
            name = use.model if use.model in self._models or len(self._models) < MAX_MODELS else OTHER
            self._models[name] = shared(self._models.get(name, {}), host, lambda share: with_use(share, use))
        if use.session is not None:
            # In the order of their last use: the least recent session is removed when there are too many.
            self._sessions[use.session] = {
                **with_use(self._sessions.pop(use.session, {}), use),
                "id": use.session,
                "agent": agent,
                "model": use.model,
                "runtime": use.runtime,
                "updated": time,
            }
            if len(self._sessions) > MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    def _threshold(self, data: Data, record: Record) -> None:
        agent, level = id_in(data, "agent"), data.get("alert")
        if agent is None or not isinstance(level, str) or level not in LEVELS:
            return
        crossed: Data = {
            "alert": level,
            "currentCost": number_in(data, "currentCost"),
            "threshold": number_in(data, "threshold"),
            "percentUsed": number_in(data, "percentUsed"),
            "updated": time_of(data, record),
        }
        if (period := word_in(data, "period")) is not None:
            crossed["period"] = period
        if self._thresholds.put(agent, crossed):
            self.changed()

    def _baseline(self, data: Data, record: Record) -> None:
        found = data.get("tokens")
        if isinstance(found, dict):
            last = last_day(record)
            self._replace_agents(object_in(found, "agents"), last)
            _replace(self._models, object_in(found, "models"), record.host, MAX_MODELS)
            days = object_in(found, "days")
            _replace(self._days, {day: days[day] for day in days if is_day(day, last)}, record.host, None)
            self._days = _newest_days(self._days, MAX_DAYS)
            for session in reversed(list_in(found, "sessions")):
                if (read := _session_in(session)) is not None:
                    self._sessions.pop(read["id"], None)
                    self._sessions[read["id"]] = read
            for id_ in list(self._sessions)[:-MAX_SESSIONS]:
                del self._sessions[id_]
            self.changed()

    def _replace_agents(self, found: Data, last: str) -> None:
        for name, record in found.items():
            if is_id(name) and has_totals(record):
                self._agents.put(name, _agent_in(record, last))

    def value(self) -> Data:
        """Return use by agent, model, day and session (newest first), the sum, and thresholds by agent."""
        value: Data = decode_json(self.encoded())
        return value

    def encode(self) -> bytes:
        """Return the same as JSON."""
        agents = self._agents
        tokens: int | float = 0
        cost: int | float = 0
        # Summed in the order of names: the same numbers then give the same sum, in whatever order they came.
        for name in agents.ids():
            use = agents.records[name]
            tokens = added(tokens, use["tokens"])
            cost = added(cost, use["cost"])
        return b'{"agents":%b,"models":%b,"days":%b,"sessions":%b,"thresholds":%b,"total":%b}' % (
            agents.keyed(),
            encode_json({name: self._models[name] for name in sorted(self._models)}),
            encode_json({day: self._days[day] for day in sorted(self._days)}),
            encode_json(list(reversed(self._sessions.values()))),
            self._thresholds.keyed(),
            encode_json({"tokens": tokens, "cost": cost}),
        )

    def restore(self, value: Any) -> None:
        """Take over what `encode` has written; the sum is made again."""
        self._agents.clear()
        self._replace_agents(dict(value["agents"]), ANY_DAY)
        models = dict(value["models"])
        self._models = {name: shares_in(models[name]) for name in sorted(models)[: MAX_MODELS + 1]}
        days = {day: shares_in(sums) for day, sums in value["days"].items() if is_day(day, ANY_DAY)}
        self._days = _newest_days(days, MAX_DAYS)
        sessions = [read for one in reversed(value["sessions"]) if (read := _session_in(one)) is not None]
        self._sessions = {session["id"]: session for session in sessions[-MAX_SESSIONS:]}
        self._thresholds.clear()
        for name, crossed in value["thresholds"].items():
            if isinstance(crossed, dict):
                self._thresholds.put(name, crossed)
        self.changed()


def _agent_in(record: Data, last: str) -> Sums:
    sums = sums_in(record)
    if "session" in record:
        sums["session"] = note_in(record["session"])
    if (updated := word_in(record, "updated")) is not None:
        sums["updated"] = updated
    if isinstance(days := record.get("days"), dict):
        known = {day: sums_in(days[day]) for day in days if is_day(day, last)}
        sums["days"] = _newest_days(known, MAX_AGENT_DAYS)
    return sums


def _session_in(value: Any) -> Sums | None:
    if not isinstance(value, dict) or (id_ := id_in(value, "id")) is None:
        return None
    sums = sums_in(value)
    sums["id"] = id_
    for name in ("agent", "model"):
        if name in value:
            sums[name] = id_in(value, name)
    if "runtime" in value:
        sums["runtime"] = word_in(value, "runtime")
    if (updated := word_in(value, "updated")) is not None:
        sums["updated"] = updated
    return sums


def _replace(sums: dict[str, Sums], found: Data, host: str | None, most: int | None) -> None:
    for name, record in found.items():
        if not is_id(name) or not has_totals(record):
            continue
        if most is None or name in sums or len(sums) < most:
            sums[name] = shared(sums.get(name, {}), host, partial(_in_place_of, sums_in(record)))


def _in_place_of(share: Sums, _: Sums) -> Sums:
    return share


def _newest_days(days: dict[str, Sums], most: int) -> dict[str, Sums]:
    if len(days) <= most:
        return days
    return {day: days[day] for day in sorted(days)[-most:]}
