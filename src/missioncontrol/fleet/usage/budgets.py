"""Daily budgets: a threshold is told when it is crossed, once for each agent, level and day.

A day is one of the user's: of the time zone in which the server runs (`TZ`). The level that was told is kept in the
same transaction as its event, so that nothing is told twice and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
STOPS = "stop:"
SOURCE = "tokens"
"""The source that asks about budgets: what events show as `by`."""


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


class Stop(msgspec.Struct, frozen=True):
    """That a person has said stop: for which day, of which budget, and who it was."""

    day: str
    threshold: float
    by: str | None


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
_stop = msgspec.json.Decoder(Stop)


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
    """Write the question whether to go on, for the data of a `token:threshold`; it is over when the day is.

    Its id is a random one: what others can guess, they can ask first. A crossing is asked about once all the same,
    since it is remembered in one transaction with this.
    """
    whole = crossed["scope"] == FLEET
    who = "The fleet" if whole else crossed["agent"]
    return question(
        f"{who} has spent ${crossed['currentCost']:,.2f} of ${crossed['threshold']:,.2f} for today. Go on?",
        kind="budget",
        agent_id=None if whole else crossed["agent"],
        options=[CONTINUE, STOP],
        details={
            name: crossed[name] for name in ("scope", "period", "currentCost", "threshold", "percentUsed")
        },
        expires_at=_end_of_day(),
    )


class Stops:
    """Who was told to stop for a day by a person's answer to a budget question.

    The state keeps only so many questions that are over; what a person has decided for a day counts for all of it. So
    it is taken from the question as soon as the answer is in the state, and remembered with the source that asks.
    """

    def __init__(self) -> None:
        self._stops: dict[str, Stop] = {}
        self._remembered: set[str] = set()

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered, and keep what was heard meanwhile."""
        kept = {key: _stop.decode(value) for key, value in memory.items() if key.startswith(STOPS)}
        self._stops = kept | self._stops
        self._remembered = set(kept)

    def hear(self, questions: Iterable[Data]) -> None:
        """Take over what the state has of today's answers."""
        day = day_of(now())
        for asked in questions:
            if asked["kind"] == "budget" and asked.get("answer") == STOP and _is_own(asked):
                key, stop = _stop_in(asked)
                if stop.day == day and (key not in self._stops or self._stops[key].day != day):
                    self._stops[key] = stop
                    self._remembered.discard(key)

    @property
    def has_news(self) -> bool:
        """Whether there is something to be remembered."""
        return len(self._remembered) < len(self._stops)

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be remembered now, and what of it to be forgotten, and take it as remembered."""
        day = day_of(now())
        over = [key for key, stop in self._stops.items() if stop.day != day]
        changes: dict[str, bytes | None] = {key: None for key in over if key in self._remembered}
        for key in over:
            del self._stops[key]
        changes |= {
            key: msgspec.json.encode(stop) for key, stop in self._stops.items() if key not in self._remembered
        }
        self._remembered = set(self._stops)
        return changes

    def of(self, agent_id: str) -> str | None:
        """Return the sentence why an agent is to stop for today; None where nobody has said that it is."""
        day = day_of(now())
        for key in (f"{STOPS}{FLEET}", f"{STOPS}agent:{agent_id}"):
            stop = self._stops.get(key)
            if stop is not None and stop.day == day:
                by = stop.by or "The person in charge"
                return f"{by} has said stop: the budget of ${stop.threshold:,.2f} for {day} is spent."
        return None


def _is_own(asked: Data) -> bool:
    """Return whether a budget question is one of a server's own; of earlier releases' questions nobody knows."""
    return asked.get("askedBy") in (None, SOURCE)


def _stop_in(asked: Data) -> tuple[str, Stop]:
    details = asked.get("details")
    details = details if isinstance(details, dict) else {}
    day, threshold = details.get("period"), details.get("threshold")
    stop = Stop(
        day if isinstance(day, str) else "",
        threshold if isinstance(threshold, (int, float)) else 0.0,
        asked.get("answeredBy"),
    )
    whole = details.get("scope") == FLEET
    return f"{STOPS}{FLEET}" if whole else f"{STOPS}agent:{asked['agentId']}", stop


def _end_of_day() -> int:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return round((midnight + timedelta(days=1)).timestamp() * 1000)
