"""A budget's threshold is told when it is crossed, once for each level and day."""

from __future__ import annotations

import json

import pytest

from missioncontrol.config import BudgetConfig
from missioncontrol.events import Record
from missioncontrol.fleet.usage import budgets
from missioncontrol.fleet.usage.budgets import Budgets, Crossing, day_of
from missioncontrol.state import FleetState

NOON = 1_795_435_200_000


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time that it is, to be changed at will."""
    time = [NOON]
    monkeypatch.setattr(budgets, "now", lambda: time[0])
    return time


def spend(state: FleetState, agent: str, cost: float, at: int = NOON) -> None:
    use = {"model": "m", "session": "s", "day": day_of(at), "tokens": 1, "cost": cost, "costSource": "prices"}
    before = state.tokens.of(agent).get("cost", 0)
    data = {"agent": agent, "tokens": 1, "cost": before + cost, "delta": {"uses": [use]}}
    body = json.dumps({"data": data}).encode()
    state.apply([Record(state.id + 1, "token:usage", at, body, data)])


def told(found: list[Crossing]) -> list[tuple[str, str, float]]:
    return [(one.data["agent"], one.data["alert"], one.data["percentUsed"]) for one in found]


def test_each_level_is_told_once_a_day(clock: list[int]) -> None:
    state, judge = FleetState(), Budgets(BudgetConfig(daily=10, agents={"scout": 5}))
    spend(state, "scout", 3.9)
    assert told(judge.crossings(state)) == []
    spend(state, "scout", 0.1)
    assert told(judge.crossings(state)) == [("scout", "warning", 80.0)]
    spend(state, "scout", 0.5)
    assert told(judge.crossings(state)) == []
    spend(state, "forge", 8.0)
    assert told(judge.crossings(state)) == [("fleet", "critical", 125.0)]
    spend(state, "scout", 0.5)
    assert told(judge.crossings(state)) == [("scout", "critical", 100.0)]
    clock[0] += 86_400_000
    assert told(judge.crossings(state)) == []
    spend(state, "scout", 4.0, clock[0])
    assert told(judge.crossings(state)) == [("scout", "warning", 80.0)]


def test_what_was_told_is_not_told_again_after_a_restart() -> None:
    state, config = FleetState(), BudgetConfig(daily=1)
    spend(state, "scout", 0.9)
    (crossing,) = Budgets(config).crossings(state)
    judge = Budgets(config)
    judge.recall({crossing.key: crossing.memory, "session:x": b"{}"})
    assert judge.crossings(state) == []


def test_a_budget_of_nothing_is_none() -> None:
    state = FleetState()
    spend(state, "scout", 100)
    assert Budgets(BudgetConfig(daily=0)).crossings(state) == []


def test_a_day_is_one_of_the_users_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    try:
        for zone, day in (("Asia/Kathmandu", "2026-11-24"), ("America/Los_Angeles", "2026-11-23")):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            budgets._day_of.cache_clear()
            # 18:20 UTC: in Nepal, 5:45 ahead, the next day has begun five minutes ago.
            assert day_of(1_795_458_000_000) == day
    finally:
        monkeypatch.undo()
        time.tzset()
        budgets._day_of.cache_clear()
