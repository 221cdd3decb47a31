"""Daily budgets: a threshold is told when it is crossed, once for each agent, level and day.

A day is one of the user's: of the time zone in which the server runs (`TZ`). The level that was told is kept in the
same transaction as its event, so that nothing is told twice and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from time import localtime, strftime
from typing import Any, Literal

import msgspec

from missioncontrol.config import BudgetConfig
from missioncontrol.events import Data, now
from missioncontrol.fleet.questions import question
from missioncontrol.state import FleetState

FLEET = "fleet"
CONTINUE, STOP = "continue", "stop"
PREFIX = "budget:"

Level = Literal["warning", "critical"]
Scope = Literal["agent", "fleet"]

_ORDER: dict[Level, int] = {"warning": 1, "critical": 2}


class Told(msgspec.Struct, frozen=True):
    """The level of a budget that was last reported, if one was, and the day that it was for.

    `held` says that the agent got sessions of another one, and has used nothing since: only then it is judged again.
    """

    day: str
    level: Level | None
    held: bool = False


class Crossing(msgspec.Struct, frozen=True):
    """A threshold that was crossed: the event's data, and what is to be remembered with it."""

    data: dict[str, Any]
    key: str
    memory: bytes


@lru_cache(maxsize=4096)
def _day_of(quarter_hour: int) -> str:
    return strftime("%Y-%m-%d", localtime(quarter_hour * 900))


def day_of(at: int) -> str:
    """Return the user's day, as in `2026-11-23`, of a time in milliseconds since 1970."""
    # Every time zone there is differs from UTC by a multiple of a quarter of an hour.
    return _day_of(at // 900_000)


_told = msgspec.json.Decoder(Told)


class Budgets:
    """What may be spent in a day, and which levels have been told."""

    def __init__(self, config: BudgetConfig) -> None:
        self._config = config
        self._told: dict[str, Told] = {}

    def recall(self, memory: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        self._told = {key: _told.decode(kept) for key, kept in memory.items() if key.startswith(PREFIX)}

    def moved(self, agents: Iterable[str], used: Iterable[str]) -> dict[str, bytes]:
        """Hold agents back that got sessions of others, and judge those again that have used something.

        Nothing was spent by a move: a threshold that it brings about is reported with the agent's next use.

        Args:
            agents: who got sessions, and has used nothing itself meanwhile.
            used: who has used something.

        Returns:
            What is to be remembered along with it.
        """
        day = day_of(now())
        changes: dict[str, bytes] = {}
        for names, held in ((agents, True), (used, False)):
            for key in [f"{PREFIX}agent:{name}" for name in names if self._config.agents.get(name, 0) > 0]:
                told = self._told.get(key)
                if held or (told is not None and told.held):
                    level = told.level if told is not None and told.day == day else None
                    self._told[key] = new = Told(day, level, held)
                    changes[key] = msgspec.json.encode(new)
        return changes

    def crossings(self, state: FleetState) -> list[Crossing]:
        """Return the thresholds that are crossed today and have not been told, and take them as told."""
        day = day_of(now())
        found = [
            self._crossing(f"{PREFIX}agent:{agent}", "agent", agent, budget, state.tokens.spent(day, agent))
            for agent, budget in self._config.agents.items()
        ]
        found.append(
            self._crossing(f"{PREFIX}fleet", "fleet", FLEET, self._config.daily, state.tokens.spent(day))
        )
        return [crossing for crossing in found if crossing is not None]

    def _crossing(self, key: str, scope: Scope, agent: str, budget: float, spent: float) -> Crossing | None:
        if budget <= 0:
            return None
        percent = spent / budget * 100
        level: Level | None = None
        if percent >= 100:
            level = "critical"
        elif percent >= self._config.warn_at:
            level = "warning"
        day = day_of(now())
        told = self._told.get(key)
        if told is not None and told.day != day:
            told = None
        before = 0 if told is None or told.level is None else _ORDER[told.level]
        if level is None or _ORDER[level] <= before or (told is not None and told.held):
            return None
        self._told[key] = new = Told(day, level)
        data = {
            "agent": agent,
            "currentCost": round(spent, 6),
            "threshold": budget,
            "percentUsed": round(percent, 2),
            "alert": level,
            "period": day,
            "scope": scope,
        }
        return Crossing(data, key, msgspec.json.encode(new))


def budget_question(crossed: Data) -> Data:
    """Write the question whether to go on, for the data of a `token:threshold`; it is over when the day is."""
    whole = crossed["scope"] == FLEET
    who = "The fleet" if whole else crossed["agent"]
    return question(
        f"{who} has spent ${crossed['currentCost']:,.2f} of ${crossed['threshold']:,.2f} for today. Go on?",
        key=f"budget:{crossed['scope']}:{crossed['agent']}:{crossed['period']}",
        kind="budget",
        agent_id=None if whole else crossed["agent"],
        options=[CONTINUE, STOP],
        details={
            name: crossed[name] for name in ("scope", "period", "currentCost", "threshold", "percentUsed")
        },
        expires_at=_end_of_day(),
    )


def stopped(questions: Iterable[Data], agent_id: str) -> str | None:
    """Return the sentence why an agent is to stop for today; None where nobody has said that it is."""
    day = day_of(now())
    for asked in questions:
        if asked["kind"] != "budget" or asked.get("answer") != STOP:
            continue
        details = asked.get("details")
        if not isinstance(details, dict) or details.get("period") != day:
            continue
        if details.get("scope") == FLEET or asked["agentId"] == agent_id:
            by = asked.get("answeredBy") or "The person in charge"
            return (
                f"{by} has said stop: the budget of ${details.get('threshold', 0):,.2f} for {day} is spent."
            )
    return None


def _end_of_day() -> int:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return round((midnight + timedelta(days=1)).timestamp() * 1000)
