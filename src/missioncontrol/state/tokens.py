"""Token use: totals by agent, model, day and session, and the budget thresholds that were crossed.

An event tells an agent's totals so far, so the newest one stands for all before it. What is new since the one before
stands in `delta.uses`, one entry for each session, model and day; models, days and sessions are the sums of those.
Costs are US dollars, and each sum says where it comes from: `costs` by source, and `unpriced` what has no price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.system import LEVELS
from missioncontrol.state.tables import Noun, id_in, number_in, text_in, time_of

MAX_SESSIONS = 200
MAX_DAYS = 400
MAX_AGENT_DAYS = 100
"""How many sessions, and days, the state keeps, the newest; sums over all time lose nothing by that."""

COUNTS = ("input", "output", "cacheRead", "cacheWrite", "calls")
COST_SOURCES = ("transcript", "telemetry", "prices")


class Tokens(Noun):
    """Each agent's token use so far, sums by model, day and session, and the last threshold that each has crossed."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, Data] = {}
        self._models: dict[str, Data] = {}
        self._days: dict[str, Data] = {}
        self._sessions: dict[str, Data] = {}
        self._thresholds: dict[str, Data] = {}
        self.folds = {
            "token:usage": self._usage,
            "token:threshold": self._threshold,
            "state:baseline": self._baseline,
        }

    def of(self, agent: str) -> Data:
        """Return an agent's use so far; it has no fields where there is none."""
        return self._agents.get(agent, {})

    def agents(self) -> Iterable[str]:
        """Return the agents that have used something."""
        return self._agents

    def day(self, day: str, agent: str | None = None) -> Data:
        """Return what an agent, or the fleet, has used on a day; it has no fields where that is nothing."""
        days = self._days if agent is None else self.of(agent).get("days", {})
        used: Data = days.get(day, {})
        return used

    def spent(self, day: str, agent: str | None = None) -> float:
        """Return what an agent, or the fleet, has cost on a day, in US dollars."""
        return float(number_in(self.day(day, agent), "cost") or 0)

    def unpriced(self) -> list[str]:
        """Return the models of which some responses have no price."""
        return sorted(name for name, use in self._models.items() if use.get("unpriced", {}).get("calls"))

    def _usage(self, data: Data, record: Record) -> None:
        agent, tokens, cost = id_in(data, "agent"), number_in(data, "tokens"), number_in(data, "cost")
        if agent is None or (tokens is None and cost is None):
            return
        time = time_of(data, record)
        old = self._agents.get(agent, {})
        new = {
            **old,
            "tokens": old.get("tokens", 0) if tokens is None else tokens,
            "cost": old.get("cost", 0) if cost is None else cost,
            "session": data["session"] if "session" in data else old.get("session"),
            "updated": time,
        }
        for use in _uses(data):
            self._add(agent, new, use, time, record.host)
        self._agents[agent] = new
        self.changed()

    def add_uses(self, agent: str, uses: list[Data], time: str) -> None:
        """Add entries as `delta.uses` has them, to sums that are made before any event tells them."""
        old = self._agents.get(agent, {"tokens": 0, "cost": 0, "session": None})
        new = {**old, "updated": time}
        for use in uses:
            new["tokens"] += use["tokens"]
            new["cost"] += use["cost"]
            self._add(agent, new, use, time)
        self._agents[agent] = new
        self.changed()

    def _add(self, agent: str, total: Data, use: Data, time: str, host: str | None = None) -> None:
        """Add one entry of `delta.uses` to every sum that it belongs to; `total` is the agent's new record."""
        total.update(_counted(total, use))
        if (day := text_in(use, "day")) is not None:
            total["days"] = _newest_days(
                {**total.get("days", {}), day: _day(total.get("days", {}).get(day, {}), use)}, MAX_AGENT_DAYS
            )
            self._days[day] = _shared(self._days.get(day, {}), host, lambda share: _day(share, use))
            self._days = _newest_days(self._days, MAX_DAYS)
        if (model := text_in(use, "model")) is not None:
            self._models[model] = _shared(
                self._models.get(model, {}), host, lambda share: _summed(share, use)
            )
        if (session := id_in(use, "session")) is not None:
            # The one that was used last stands last, and the first goes when there are too many.
            self._sessions[session] = {
                **_summed(self._sessions.pop(session, {}), use),
                "id": session,
                "agent": agent,
                "model": model,
                "runtime": text_in(use, "runtime"),
                "updated": time,
            }
            if len(self._sessions) > MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    def _threshold(self, data: Data, record: Record) -> None:
        agent, level = id_in(data, "agent"), data.get("alert")
        if agent is None or level not in LEVELS:
            return
        crossed = {
            "alert": level,
            "currentCost": number_in(data, "currentCost"),
            "threshold": number_in(data, "threshold"),
            "percentUsed": number_in(data, "percentUsed"),
            "updated": time_of(data, record),
        }
        if (period := text_in(data, "period")) is not None:
            crossed["period"] = period
        self._thresholds[agent] = crossed
        self.changed()

    def _baseline(self, data: Data, record: Record) -> None:
        told = data.get("tokens")
        if isinstance(told, dict):
            self._agents.update(_records(told.get("agents"), "tokens", "cost"))
            _replace(self._models, _records(told.get("models"), "tokens", "cost"), record.host)
            _replace(self._days, _records(told.get("days"), "tokens", "cost"), record.host)
            sessions = told.get("sessions")
            for session in reversed(sessions) if isinstance(sessions, list) else ():
                if isinstance(session, dict) and (id_ := id_in(session, "id")) is not None:
                    self._sessions[id_] = {**session, "id": id_}
            for id_ in list(self._sessions)[:-MAX_SESSIONS]:
                del self._sessions[id_]
            self.changed()

    def value(self) -> Data:
        """Return use by agent, model, day and session (newest first), the sum, and thresholds by agent."""
        # Summed in the order of names: the same numbers then give the same sum, in whatever order they were told.
        agents = {name: self._agents[name] for name in sorted(self._agents)}
        return {
            "agents": agents,
            "models": {name: self._models[name] for name in sorted(self._models)},
            "days": {day: self._days[day] for day in sorted(self._days)},
            "sessions": list(reversed(self._sessions.values())),
            "thresholds": {name: self._thresholds[name] for name in sorted(self._thresholds)},
            "total": {
                "tokens": sum(use["tokens"] for use in agents.values()),
                "cost": sum(use["cost"] for use in agents.values()),
            },
        }

    def restore(self, value: Data) -> None:
        """Take over what `value` returned; the sum is made anew."""
        self._agents = dict(value["agents"])
        self._models = dict(value["models"])
        self._days = dict(value["days"])
        self._sessions = {session["id"]: session for session in reversed(value["sessions"])}
        self._thresholds = dict(value["thresholds"])
        self.changed()


def _uses(data: Data) -> list[Data]:
    delta = data.get("delta")
    uses = delta.get("uses") if isinstance(delta, dict) else None
    return [use for use in uses if isinstance(use, dict)] if isinstance(uses, list) else []


def _summed(total: Data, use: Data) -> Data:
    return {**_day(total, use), **_counted(total, use)}


def _replace(sums: dict[str, Data], told: dict[str, Data], host: str | None) -> None:
    for name, share in told.items():
        sums[name] = _shared(sums.get(name, {}), host, partial(_in_place_of, share))


def _in_place_of(share: Data, _: Data) -> Data:
    return share


def _shared(total: Data, host: str | None, make: Callable[[Data], Data]) -> Data:
    """Change one host's share of a sum; without hosts the sum itself.

    `hosts` has the shares, so that what a host tells of all it has used replaces what it told before.
    """
    if host is None:
        return make(total)
    hosts = {**total.get("hosts", {}), host: make(total.get("hosts", {}).get(host, {}))}
    sums: Data = {}
    for name in sorted(hosts):
        sums = _together(sums, hosts[name])
    return {**sums, "hosts": hosts}


def _together(one: Data, other: Data) -> Data:
    sums = dict(one)
    for name, value in other.items():
        known = one.get(name)
        if isinstance(value, dict):
            sums[name] = _together(known if isinstance(known, dict) else {}, value)
        elif (number := number_in(other, name)) is not None:
            sums[name] = (number_in(one, name) or 0) + number
        else:
            sums[name] = value
    return sums


def _day(total: Data, use: Data) -> Data:
    return {
        "tokens": total.get("tokens", 0) + (number_in(use, "tokens") or 0),
        "cost": total.get("cost", 0) + (number_in(use, "cost") or 0),
        "calls": total.get("calls", 0) + (number_in(use, "calls") or 0),
    }


def _counted(total: Data, use: Data) -> Data:
    """Return the sums that say what the tokens were, and where their cost comes from."""
    sums: Data = {name: total.get(name, 0) + (number_in(use, name) or 0) for name in COUNTS}
    source, costs = use.get("costSource"), total.get("costs", {})
    unpriced = total.get("unpriced", {"tokens": 0, "calls": 0})
    if source in COST_SOURCES:
        costs = {**costs, source: costs.get(source, 0) + (number_in(use, "cost") or 0)}
    else:
        unpriced = {name: unpriced[name] + (number_in(use, name) or 0) for name in ("tokens", "calls")}
    return {**sums, "costs": costs, "unpriced": unpriced}


def _newest_days(days: dict[str, Data], most: int) -> dict[str, Data]:
    if len(days) <= most:
        return days
    return {day: days[day] for day in sorted(days)[-most:]}


def _records(told: Any, *numbers: str) -> dict[str, Data]:
    """Return the records of a baseline that have the numbers which sums are made of."""
    return {
        name: record
        for name, record in (told.items() if isinstance(told, dict) else ())
        if isinstance(record, dict) and all(number_in(record, number) is not None for number in numbers)
    }
