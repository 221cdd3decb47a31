"""Daily budgets: a threshold is published when it is crossed, once for each agent, level and day.

Days are those of the time zone in which the server runs (`TZ`). The published level is stored in the same transaction
as its event, so that no event is lost or repeated.
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
"""The source that asks about budgets: the `by` of its events."""


Level = Literal["warning", "critical"]
Scope = Literal["agent", "fleet"]

_ORDER: dict[Level, int] = {"warning": 1, "critical": 2}


class PublishedLevel(msgspec.Struct, frozen=True):
    """The level of a budget that was last published, if one was, and its day.

    `held` is whether the agent got sessions of another one and has used nothing since. Until it has, no crossing is
    published.
    """

    day: str
    level: Level | None
    held: bool = False


class Stop(msgspec.Struct, frozen=True):
    """A person's decision to stop: the day, the budget, and the person."""

    day: str
    threshold: float
    by: str | None


class Crossing(msgspec.Struct, frozen=True):
    """A threshold that was crossed: the event's data, and what is to be stored with it."""

    data: dict[str, Any]
    key: str
    memory: bytes


@lru_cache(maxsize=4096)
def _day_of(quarter_hour: int) -> str:
    return strftime("%Y-%m-%d", localtime(quarter_hour * 900))


def day_of(at: int) -> str:
    """Return the user's day, as in `2026-11-23`, of a time in milliseconds since 1970."""
    # Every time zone differs from UTC by a multiple of a quarter of an hour.
    return _day_of(at // 900_000)


_levels = msgspec.json.Decoder(PublishedLevel)
_stop = msgspec.json.Decoder(Stop)


class Budgets:
    """The budgets of a day, and the levels that have been published."""

    def __init__(self, config: BudgetConfig) -> None:
        self._config = config
        self._published: dict[str, PublishedLevel] = {}

    def recall(self, memory: dict[str, bytes]) -> None:
        """Restore what was stored."""
        self._published = {
            key: _levels.decode(kept) for key, kept in memory.items() if key.startswith(PREFIX)
        }

    def moved(self, agents: Iterable[str], used: Iterable[str]) -> dict[str, bytes]:
        """Hold back the thresholds of agents that got sessions of others, and release those of agents with new use.

        A move spends nothing: a threshold that is crossed by it is published with the agent's next use.

        Args:
            agents: the agents that got sessions, and have no use of their own meanwhile.
            used: the agents with new use.

        Returns:
            What is to be stored along with the move.
        """
        day = day_of(now())
        changes: dict[str, bytes] = {}
        for names, held in ((agents, True), (used, False)):
            for key in [f"{PREFIX}agent:{name}" for name in names if self._config.agents.get(name, 0) > 0]:
                last = self._published.get(key)
                if held or (last is not None and last.held):
                    level = last.level if last is not None and last.day == day else None
                    self._published[key] = new = PublishedLevel(day, level, held)
                    changes[key] = msgspec.json.encode(new)
        return changes

    def crossings(self, state: FleetState) -> list[Crossing]:
        """Return the thresholds that are crossed today and not published yet, and treat them as published."""
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
        last = self._published.get(key)
        if last is not None and last.day != day:
            last = None
        before = 0 if last is None or last.level is None else _ORDER[last.level]
        if level is None or _ORDER[level] <= before or (last is not None and last.held):
            return None
        self._published[key] = new = PublishedLevel(day, level)
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
    """Return the question whether to continue, for the data of a `token:threshold`; it expires at the end of the day.

    Its id is random, so that no other client can ask a question with this id first. Each crossing is still asked about
    only once, since it is stored in one transaction with the question.
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
    """The agents that a person has stopped for a day by an answer to a budget question.

    The state keeps a limited number of answered questions, but a decision counts for the whole day. So it is read from
    the question as soon as the answer is in the state, and stored with the source that asks.
    """

    def __init__(self) -> None:
        self._stops: dict[str, Stop] = {}
        self._remembered: set[str] = set()

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Restore what was stored, and keep the answers that were noted meanwhile."""
        kept = {key: _stop.decode(value) for key, value in memory.items() if key.startswith(STOPS)}
        self._stops = kept | self._stops
        self._remembered = set(kept)

    def note_answers(self, questions: Iterable[Data]) -> None:
        """Note today's decisions to stop among the questions of the state."""
        day = day_of(now())
        for asked in questions:
            if asked["kind"] == "budget" and asked.get("answer") == STOP and _is_own(asked):
                key, stop = _stop_in(asked)
                if stop.day == day and (key not in self._stops or self._stops[key].day != day):
                    self._stops[key] = stop
                    self._remembered.discard(key)

    @property
    def has_news(self) -> bool:
        """Whether there is something to be stored."""
        return len(self._remembered) < len(self._stops)

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be stored (None: removed), and treat it as stored."""
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
        """Return the reason why an agent is stopped for today, as a sentence; None if it is not stopped."""
        day = day_of(now())
        for key in (f"{STOPS}{FLEET}", f"{STOPS}agent:{agent_id}"):
            stop = self._stops.get(key)
            if stop is not None and stop.day == day:
                by = stop.by or "The person in charge"
                return f"{by} has said stop: the budget of ${stop.threshold:,.2f} for {day} is spent."
        return None


def _is_own(asked: Data) -> bool:
    """Return whether a server has asked a budget question; questions of earlier releases have no author, and count."""
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
