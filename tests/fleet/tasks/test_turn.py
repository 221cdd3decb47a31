"""Turns at the queue, and what becomes of the lock when one is cut short."""

from __future__ import annotations

import asyncio

import pytest

from missioncontrol.fleet.tasks.turn import Turn

pytestmark = pytest.mark.anyio


async def test_who_waits_has_its_turn_in_between() -> None:
    lock, seen = asyncio.Lock(), []

    async def other() -> None:
        async with lock:
            seen.append("other")

    async with Turn(lock) as turn:
        waiting = asyncio.create_task(other())
        await asyncio.sleep(0)
        await turn.pass_on()
        seen.append("first again")
        assert lock.locked()
    await waiting
    assert seen == ["other", "first again"]
    assert not lock.locked()


async def test_one_that_is_cancelled_in_between_leaves_the_lock_to_whoever_has_it() -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with Turn(lock) as turn:
            await turn.pass_on()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    # Here it waits for its lock again, which is ours.
    await lock.acquire()
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert lock.locked()
    lock.release()
