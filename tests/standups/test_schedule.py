"""Scheduled standups: at which times, and once for each, through restarts and at several nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from missioncontrol.background import BackgroundTasks
from missioncontrol.config import StandupConfig
from missioncontrol.errors import ConfigError
from missioncontrol.events import Draft, Record
from missioncontrol.standups import Schedule, Standups, StandupSchedule, read_schedule
from missioncontrol.standups import schedule as schedule_module
from missioncontrol.standups import standups as standups_module
from missioncontrol.state import FleetState
from missioncontrol.store import MemoryLog, memory

pytestmark = pytest.mark.anyio


class Clock:
    """The local time, as the log, the standups and the schedule see it."""

    def __init__(self, text: str) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.moment = datetime.fromisoformat(text)

    def seconds(self) -> float:
        return self.moment.timestamp()

    def milliseconds(self) -> int:
        return round(self.seconds() * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    # A Monday.
    clock = Clock("2026-11-23T08:00:00")
    monkeypatch.setattr(memory, "now", clock.milliseconds)
    monkeypatch.setattr(standups_module, "now", clock.milliseconds)
    return clock


class Fleet:
    """A log with its state; a node is what a server makes of them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log = MemoryLog()
        self.state = FleetState()
        self.log.listen(self._committed)

    def _committed(self, records: Sequence[Record]) -> None:
        self.state.apply(records)

    def node(self, at: str = "09:00", *weekdays: str) -> StandupSchedule:
        schedule = read_schedule(StandupConfig(at=at, weekdays=list(weekdays)))  # type: ignore[arg-type]
        assert schedule is not None
        standups = Standups(self.log, self.state)
        return StandupSchedule(schedule, standups, self.log, BackgroundTasks(), self.clock.seconds)

    def held(self) -> list[str]:
        return [str(one["scheduled"]) for one in self.state.standups]


def schedule_of(at: str, *weekdays: str) -> Schedule:
    made = read_schedule(StandupConfig(at=at, weekdays=list(weekdays)))  # type: ignore[arg-type]
    assert made is not None
    return made


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_times_follow_the_clock_and_the_days_of_the_week() -> None:
    daily, weekly = schedule_of("09:00"), schedule_of("09:00", "mon", "fri")
    assert daily.last(moment("2026-11-23T09:00:00")) == moment("2026-11-23T09:00:00")
    assert daily.last(moment("2026-11-23T08:59:59")) == moment("2026-11-22T09:00:00")
    assert daily.following(moment("2026-11-23T09:00:00")) == moment("2026-11-24T09:00:00")
    assert weekly.last(moment("2026-11-23T08:00:00")) == moment("2026-11-20T09:00:00")
    assert weekly.following(moment("2026-11-23T10:00:00")) == moment("2026-11-27T09:00:00")


def test_a_time_of_another_form_is_refused() -> None:
    assert read_schedule(StandupConfig()) is None
    for wrong in ("9", "24:00", "09:60", "", "9am"):
        with pytest.raises(ConfigError, match=r"standup\.at"):
            read_schedule(StandupConfig(at=wrong))
    with pytest.raises(ConfigError, match=r"standup\.at"):
        read_schedule(StandupConfig(weekdays=["mon"]))


async def test_it_is_held_once_for_each_time_whoever_checks_and_however_often(clock: Clock) -> None:
    fleet = Fleet(clock)
    await fleet.log.append([Draft("custom:event", {})])
    first, second = fleet.node(), fleet.node()
    await first.check()
    assert fleet.held() == []
    clock.set("2026-11-23T09:00:01")
    await asyncio.gather(first.check(), second.check())
    await first.check()
    assert fleet.held() == ["2026-11-23T09:00"]
    # A node that is started later knows from the state that it was held.
    await fleet.node().check()
    clock.set("2026-11-24T09:00:00")
    await second.check()
    await first.check()
    assert fleet.held() == ["2026-11-24T09:00", "2026-11-23T09:00"]
    assert fleet.state.standups[0]["trigger"] == "schedule"


async def test_two_nodes_that_make_it_at_the_same_moment_record_one(clock: Clock) -> None:
    fleet = Fleet(clock)
    await fleet.log.append([Draft("custom:event", {})])
    one, other = Standups(fleet.log, fleet.state), Standups(fleet.log, fleet.state)
    made = await asyncio.gather(*(each.hold(scheduled="2026-11-23T09:00") for each in (one, other)))
    assert made[0] == made[1]
    assert len(fleet.state.standups) == 1


async def test_one_that_was_missed_is_held_late_but_not_half_a_day_later(clock: Clock) -> None:
    fleet = Fleet(clock)
    await fleet.log.append([Draft("custom:event", {})])
    clock.set("2026-11-23T21:00:01")
    await fleet.node().check()
    assert fleet.held() == []
    clock.set("2026-11-24T20:59:00")
    await fleet.node().check()
    assert fleet.held() == ["2026-11-24T09:00"]


async def test_a_log_that_began_later_has_none(clock: Clock) -> None:
    fleet = Fleet(clock)
    clock.set("2026-11-23T10:00:00")
    await fleet.log.append([Draft("custom:event", {})])
    await fleet.node().check()
    assert fleet.held() == []


async def test_it_runs_by_itself_from_start_to_stop(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "LONGEST_SLEEP", 0.01)
    fleet = Fleet(clock)
    await fleet.log.append([Draft("custom:event", {})])
    node = fleet.node()
    await node.start()
    assert node.active
    clock.set("2026-11-23T09:00:00")
    async with asyncio.timeout(5):
        while not fleet.state.standups:  # noqa: ASYNC110 - the schedule knows of no test
            await asyncio.sleep(0.01)
    await node.stop()
    clock.set("2026-11-24T09:00:00")
    await asyncio.sleep(0.05)
    assert fleet.held() == ["2026-11-23T09:00"]
