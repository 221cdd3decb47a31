"""The lag of the event loop is measured while the server runs."""

from __future__ import annotations

import asyncio
import time

import pytest

from missioncontrol.server.loop_lag import TICK_SECONDS, LoopLag

pytestmark = pytest.mark.anyio


async def test_a_loop_that_is_held_is_late_and_is_counted() -> None:
    lag = LoopLag()
    lag.start()
    try:
        time.sleep(TICK_SECONDS + 0.2)  # noqa: ASYNC251 - it is to be held
        await asyncio.sleep(0.01)
        assert lag.longest >= lag.last > 0.15
        assert lag.stalls >= 1
    finally:
        lag.stop()
    seen = lag.stalls
    time.sleep(TICK_SECONDS + 0.1)  # noqa: ASYNC251 - it is to be held
    await asyncio.sleep(0.01)
    assert lag.stalls == seen
