"""Long bodies are decoded a few at a time, on threads that a stop does not wait for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from missioncontrol.errors import Draining, Overloaded
from missioncontrol.server.decoding import Decoders

pytestmark = pytest.mark.anyio


async def test_results_and_errors_come_back() -> None:
    decoders = Decoders()
    assert await decoders.run(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ValueError, match="invalid literal"):
        await decoders.run(int, "x")


async def test_so_many_run_at_a_time_so_many_wait_and_one_more_is_refused() -> None:
    decoders, go, running = Decoders(2, 3), threading.Event(), threading.Semaphore(0)
    most = count = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most, count
        with lock:
            count += 1
            most = max(most, count)
        running.release()
        go.wait()
        with lock:
            count -= 1

    tasks = [asyncio.create_task(decoders.run(work)) for _ in range(5)]
    for _ in range(2):
        await asyncio.to_thread(running.acquire)
    with pytest.raises(Overloaded):
        await decoders.run(work)
    # One that does not wait any more takes no turn, and one whose caller is gone keeps its thread.
    tasks[3].cancel()
    tasks[0].cancel()
    await asyncio.sleep(0)
    go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [
        asyncio.CancelledError,
        type(None),
        type(None),
        asyncio.CancelledError,
        type(None),
    ]
    assert most == 2
    assert await decoders.run(max, 1, 2) == 2


async def test_a_stop_answers_all_callers_at_once() -> None:
    decoders, go = Decoders(1), threading.Event()
    tasks = [asyncio.create_task(decoders.run(go.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    decoders.close()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, Draining)
    with pytest.raises(Draining):
        await decoders.run(go.wait)
    go.set()
