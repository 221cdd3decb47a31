"""An `OwnerThread` runs one piece of work after the other, and a stop waits for none that hangs."""

from __future__ import annotations

import asyncio
from threading import Event, current_thread, get_ident

import pytest

from missioncontrol.threads import OwnerThread, WorkStopped

pytestmark = pytest.mark.anyio


def hang(began: Event, go_on: Event) -> None:
    began.set()
    go_on.wait(30)


async def test_all_work_runs_on_one_thread_in_its_order() -> None:
    thread = OwnerThread("owner")
    order: list[int] = []

    def work(number: int) -> int:
        order.append(number)
        return get_ident()

    idents = await asyncio.gather(*(thread.run(work, number) for number in range(50)))
    assert order == list(range(50))
    assert len(set(idents)) == 1
    assert await thread.run(lambda: current_thread().name) == "owner"
    assert await thread.close()


async def test_what_work_raises_reaches_its_caller_and_the_thread_goes_on() -> None:
    thread = OwnerThread("owner")

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await thread.run(fail)
    assert await thread.run(lambda: 5) == 5
    assert await thread.close()


async def test_closing_runs_behind_the_work_of_a_caller_that_was_cancelled() -> None:
    thread = OwnerThread("owner")
    began, go_on = Event(), Event()
    order: list[str] = []

    def work() -> None:
        began.set()
        go_on.wait(10)
        order.append("work")

    caller = asyncio.create_task(thread.run(work))
    await asyncio.to_thread(began.wait, 10)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    closing = asyncio.create_task(thread.close(lambda: order.append("close")))
    await asyncio.sleep(0.02)
    assert order == []
    go_on.set()
    assert await closing
    assert order == ["work", "close"]


async def test_work_that_was_not_begun_when_its_caller_was_cancelled_never_runs() -> None:
    thread = OwnerThread("owner")
    began, go_on = Event(), Event()
    ran: list[str] = []
    first = asyncio.create_task(thread.run(hang, began, go_on))
    await asyncio.to_thread(began.wait, 10)
    second = asyncio.create_task(thread.run(lambda: ran.append("second")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go_on.set()
    await first
    assert await thread.close()
    assert ran == []


async def test_work_that_passes_checkpoints_ends_when_the_thread_closes() -> None:
    thread = OwnerThread("owner")
    began = Event()

    def work() -> None:
        while True:
            thread.checkpoint("counting")
            began.set()

    caller = asyncio.create_task(thread.run(work))
    await asyncio.to_thread(began.wait, 10)
    assert thread.doing == "counting"
    assert await thread.close(seconds=10)
    with pytest.raises(WorkStopped):
        await caller


async def test_work_that_hangs_is_left_behind_after_the_time_given() -> None:
    thread = OwnerThread("owner")
    began, go_on = Event(), Event()
    closed: list[str] = []
    caller = asyncio.create_task(thread.run(hang, began, go_on))
    await asyncio.to_thread(began.wait, 10)
    assert thread.still_seconds > 0
    assert not await thread.close(lambda: closed.append("closed"), seconds=0.05)
    # What it owns is closed by itself alone, and only once it is done with it.
    assert closed == []
    go_on.set()
    await caller
    assert await thread.close(seconds=10)
    assert closed == ["closed"]


async def test_a_closed_thread_takes_no_more_work_and_may_be_closed_again() -> None:
    thread = OwnerThread("owner")
    assert await thread.close()
    assert await thread.close()
    with pytest.raises(RuntimeError, match="closed"):
        await thread.run(lambda: 1)


async def test_closing_a_thread_that_never_ran_still_closes_what_it_owns() -> None:
    thread = OwnerThread("owner")
    closed: list[str] = []
    assert await thread.close(lambda: closed.append("closed"))
    assert closed == ["closed"]
