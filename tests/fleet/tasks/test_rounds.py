"""Callers of the queue wait for what a round has done, and share rounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Coroutine
from time import monotonic, sleep

import pytest

from missioncontrol.fleet.tasks.rounds import DOUBT_SECONDS, Rounds, SharedCheck

pytestmark = pytest.mark.anyio


class Desk:
    """Rounds that are begun and ended by the test, over a file that has the tasks in `has`."""

    def __init__(self) -> None:
        self.rounds = Rounds()
        self.requests = 0
        self.has: set[str] = set()
        self.rounds.open(self._request)

    def _request(self) -> None:
        self.requests += 1

    def end(self, *, merged: bool = True, tried: bool = True, doubtful: bool = False) -> None:
        self.rounds.end(merged=merged, tried=tried, doubtful=doubtful, has=self._has)

    def _has(self, ids: Collection[str]) -> bool:
        return self.has.issuperset(ids)

    async def reading(self) -> asyncio.Task[None]:
        return await begun(self.rounds.merged(10))

    async def writing(self, id_: str) -> asyncio.Task[None]:
        return await begun(self.rounds.written([id_], 10))


async def begun(waiting: Coroutine[None, None, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0)
    return task


async def ended(task: asyncio.Task[None]) -> bool:
    for _ in range(3):
        await asyncio.sleep(0)
    return task.done()


async def test_a_reader_waits_for_a_round_that_begins_after_it_asked() -> None:
    desk = Desk()
    desk.rounds.begin()
    reading = await desk.reading()
    assert desk.requests == 0
    desk.rounds.merge()
    desk.end()
    assert not await ended(reading)
    assert desk.rounds.is_read_wanted
    desk.rounds.begin()
    desk.end(merged=False)
    assert not await ended(reading)
    desk.rounds.begin()
    desk.rounds.merge()
    assert await ended(reading)
    assert not desk.rounds.is_wanted


async def test_a_writer_goes_on_after_any_round_that_has_written_its_task() -> None:
    desk = Desk()
    desk.rounds.begin()
    first, second = await desk.writing("a"), await desk.writing("b")
    desk.has = {"a"}
    desk.end()
    assert (await ended(first), await ended(second)) == (True, False)
    assert desk.rounds.is_write_wanted


async def test_a_writer_goes_on_after_one_attempt_of_its_own() -> None:
    desk = Desk()
    writing = await desk.writing("a")
    assert desk.requests == 1
    desk.rounds.begin()
    desk.end(tried=False)
    assert not await ended(writing)
    desk.rounds.begin()
    desk.end()
    assert await ended(writing)


async def test_a_writer_waits_a_moment_for_a_file_in_doubt() -> None:
    desk = Desk()
    writing = await desk.writing("a")
    desk.rounds.begin()
    desk.end(doubtful=True)
    assert not await ended(writing)
    await asyncio.sleep(DOUBT_SECONDS)
    desk.rounds.begin()
    desk.end(doubtful=True)
    assert await ended(writing)


async def test_no_caller_waits_longer_than_agreed_or_after_the_end() -> None:
    desk = Desk()
    began = monotonic()
    await desk.rounds.written(["a"], 0.05)
    assert 0.04 < monotonic() - began < 5
    assert not desk.rounds.is_wanted
    reading, writing = await desk.reading(), await desk.writing("a")
    desk.rounds.close()
    assert await ended(reading)
    assert await ended(writing)
    await desk.rounds.merged(10)
    await desk.rounds.written(["a"], 10)


async def test_a_caller_who_is_cancelled_is_forgotten() -> None:
    desk = Desk()
    writing = await desk.writing("a")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert not desk.rounds.is_wanted


async def test_several_changes_end_in_one_request() -> None:
    desk = Desk()
    with desk.rounds.busy(), desk.rounds.hold():
        assert (desk.rounds.is_busy, desk.rounds.is_held, desk.requests) == (True, True, 0)
    assert (desk.rounds.is_busy, desk.rounds.is_held, desk.requests) == (False, False, 1)


async def test_a_check_is_shared_by_those_who_asked_before_it_began_and_runs_alone() -> None:
    lock = threading.Lock()
    checks: list[bool] = []

    def check() -> bool:
        assert lock.acquire(blocking=False)
        sleep(0.02)
        checks.append(True)
        lock.release()
        return len(checks) > 1

    shared = SharedCheck(check)
    first = asyncio.create_task(shared())
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared()) for _ in range(50)]
    assert await first is False
    assert await asyncio.gather(*later) == [True] * 50
    assert len(checks) == 2
