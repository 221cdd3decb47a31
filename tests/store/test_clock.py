"""A clock that is wrong for a while: nothing is trimmed for it, and everything is found under its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from missioncontrol.events import EVERYTHING, Draft, Event, decode_event, rfc3339
from missioncontrol.store import Retention, SqliteLog
from missioncontrol.store.clock import DOUBT_SECONDS, MAX_SEGMENTS, Clock
from missioncontrol.store.file import LogFile
from missioncontrol.store.writer import CLOCK_ALERTS_AN_HOUR

pytestmark = pytest.mark.anyio

DAY = 86_400
BEGAN = 1_795_000_000_000
WEEK = Retention(seconds=7 * DAY)


class HandClock(Clock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = BEGAN
        self.count = 1_000.0

    def wall(self) -> int:
        return self.time

    def steady(self) -> float:
        return self.count

    def pass_by(self, seconds: float) -> None:
        self.time += round(seconds * 1000)
        self.count += seconds

    def jump(self, seconds: float) -> None:
        self.time += round(seconds * 1000)


@asynccontextmanager
async def opened(folder: Path, clock: HandClock, retention: Retention = WEEK) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(folder, retention=retention, clock=clock)
    try:
        yield log
    finally:
        await log.close()


async def tell(log: SqliteLog, clock: HandClock, count: int = 1) -> int:
    """Append events a second apart; returns the newest id."""
    ids = [0]
    for _ in range(count):
        clock.pass_by(1)
        ids = await log.append([Draft("custom:event")])
    return ids[-1]


async def trimmed(log: SqliteLog) -> int:
    """Let the writer trim all that is due, and return the oldest id that is left."""
    first = -1
    while first != log.first:
        first = log.first
        log._writer._trim_at = 0.0
        await log.append([])
        await until(lambda: log._writer._trim_at > monotonic() + 1.0)
    return log.first


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it is another thread
            await asyncio.sleep(0.01)


async def events(log: SqliteLog) -> list[Event]:
    page = await log.read(0, EVERYTHING, limit=100_000, max_bytes=2**30)
    return [decode_event(body) for body in page.bodies]


async def alerts(log: SqliteLog) -> list[str]:
    return [event.data["message"] for event in await events(log) if event.type == "system:alert"]


async def test_ten_days_ahead_for_33_seconds_trim_nothing_and_are_reported(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 50)
        clock.jump(10 * DAY)
        await tell(log, clock, 33)
        assert await trimmed(log) == 1
        clock.jump(-10 * DAY)
        await tell(log, clock, 5)
        assert await trimmed(log) == 1
        await until(lambda: log.head == 90)
        forward, back = await alerts(log)
        assert "jumped, by 864,000 seconds (forward)" in forward
        assert "No event is trimmed by age for an hour" in forward
        # It is again what it was: that is the second sign.
        assert "jumped, by 864,000 seconds (back)" in back
        assert "No event is trimmed" not in back


async def test_an_event_has_the_wall_clock_s_time_and_is_found_under_it(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 10)
        clock.jump(10 * DAY)
        await tell(log, clock, 10)
        clock.jump(-10 * DAY)
        after = await tell(log, clock, 10)
        await until(lambda: log.head == 32)
        plain = [event for event in await events(log) if event.type == "custom:event"]
        moments = [BEGAN + 1000 * (n + 1) + (10 * DAY * 1000 if 10 <= n < 20 else 0) for n in range(30)]
        assert [event.time for event in plain] == [rfc3339(moment).decode() for moment in moments]
        assert await log.id_at(clock.wall()) == log.head
        assert await log.id_at(moments[-2]) == after - 1
        for place in range(9):
            assert await log.id_at(moments[place]) == plain[place].id
        assert await log.id_at(BEGAN) == 0
        # Today as the ledger reads it: from the last event before it to the last one in it.
        assert await log.id_at(clock.wall() + DAY * 1000) == log.head


async def test_a_clock_that_goes_back_and_returns_leaves_the_past_where_it_was(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 100)
        clock.jump(-10 * DAY)
        await tell(log, clock, 10)
        assert await log.id_at(clock.wall()) == log.head
        clock.jump(10 * DAY)
        await tell(log, clock, 10)
        await until(lambda: log.head == 122)
        assert await log.id_at(BEGAN + 50_000) == 50
        assert await log.id_at(clock.wall()) == log.head
        assert await log.id_at(BEGAN - 1) == 0
        assert await trimmed(log) == 1


async def test_segments_are_kept_over_a_restart_and_in_the_file_that_is_read_without_a_server(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 10)
        clock.jump(10 * DAY)
        await tell(log, clock, 10)
    clock.jump(-10 * DAY)
    async with opened(tmp_path, clock) as log:
        await until(lambda: log.head >= 22)
        assert any("behind the newest event, by" in alert for alert in await alerts(log))
        await tell(log, clock, 10)
        assert await log.id_at(clock.wall()) == log.head
        assert await log.id_at(BEGAN + 5_000) == 5
        head = log.head
    async with opened(tmp_path, clock) as log:
        assert await log.id_at(clock.wall()) == head
    with LogFile(tmp_path) as file:
        assert file.id_at(clock.wall()) == head
        assert file.id_at(BEGAN + 5_000) == 5


async def test_a_gap_between_two_runs_is_doubted_for_an_hour_of_the_steady_clock(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 20)
    clock.jump(30 * DAY)
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 2)
        assert await trimmed(log) == 1
        clock.pass_by(DOUBT_SECONDS / 2)
        assert await trimmed(log) == 1
    # What is left of the hour goes on in the next run, so that a machine that is seldom on trims too.
    clock.pass_by(2 * 3600)
    async with opened(tmp_path, clock) as log:
        assert await trimmed(log) == 1
        clock.pass_by(DOUBT_SECONDS / 2 + 1)
        assert await trimmed(log) == 21


async def test_a_clock_that_stays_ahead_for_an_hour_is_believed(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        await tell(log, clock, 20)
        clock.jump(10 * DAY)
        await tell(log, clock, 2)
        assert await trimmed(log) == 1
        clock.pass_by(DOUBT_SECONDS + 1)
        assert await trimmed(log) == 21


async def test_what_is_too_much_is_trimmed_also_while_the_clock_is_doubted(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock, Retention(seconds=7 * DAY, bytes=20_000)) as log:
        clock.jump(10 * DAY)
        await log.append([Draft("custom:event", {"pad": "x" * 100}) for _ in range(500)])
        assert await trimmed(log) > 300


async def test_events_of_a_wrong_time_leave_with_their_neighbours(tmp_path: Path) -> None:
    for jump in (10 * DAY, -10 * DAY):
        folder = tmp_path / str(jump)
        clock = HandClock()
        async with opened(folder, clock) as log:
            await tell(log, clock, 10)
            clock.jump(jump)
            await tell(log, clock, 10)
            clock.jump(-jump)
            await tell(log, clock, 10)
            await until(lambda log=log: log.head == 32)  # type: ignore[misc]
            clock.pass_by(6 * DAY)
            assert await trimmed(log) == 1
            clock.pass_by(DAY)
            newest = await tell(log, clock)
            assert await trimmed(log) == newest


async def test_small_steps_back_are_no_jump(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        for _ in range(20):
            await tell(log, clock, 3)
            clock.jump(-2)
        assert await alerts(log) == []
        assert await log.id_at(clock.wall() + 3_000) == log.head


async def test_a_clock_that_never_rests_costs_little(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as log:
        for _ in range(200):
            await tell(log, clock)
            clock.jump(-3600)
        assert len(log._writer._timeline.segments) <= MAX_SEGMENTS
        await until(lambda: log.head >= 210)
        assert [event.id for event in await events(log)] == list(range(1, 211))
        assert len(await alerts(log)) == CLOCK_ALERTS_AN_HOUR
        assert 0 <= await log.id_at(clock.wall()) <= log.head
