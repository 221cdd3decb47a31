"""Clients with many different subscriptions: a burst is handed over in turns, so that the loop goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from missioncontrol.events import Draft, Patterns
from missioncontrol.hub import Hub
from missioncontrol.hub import hub as hub_module
from missioncontrol.protocol.encoding import Encoding
from missioncontrol.store import MemoryLog

pytestmark = pytest.mark.anyio

AUDIENCES, EVENTS = 600, 500


class Taker:
    """A member that counts what it is handed."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns
        self.encoding = Encoding.SSE
        self.taken = bytearray()

    def direct(self) -> None: ...

    def describe(self) -> dict[str, Any]:
        return {}

    def fall_behind(self) -> None:
        raise AssertionError("nothing was missed")


async def test_each_turn_of_the_loop_has_a_bounded_part_of_a_burst() -> None:
    log = MemoryLog()
    hub = Hub(epoch=log.epoch, head=0, flush_window=0.0)
    takers = [Taker(Patterns([f"x{number}:*", "custom:*"])) for number in range(AUDIENCES)]
    for taker in takers:
        hub.join(taker, taker.taken.extend)
    log.listen(hub.publish)
    await log.append([Draft("custom:step", {"n": number}) for number in range(EVENTS)])
    turns = 0
    while hub.flushed < hub.head:
        turns += 1
        await asyncio.sleep(0)
    assert turns >= AUDIENCES * EVENTS / hub_module.FLUSH_PAIRS - 2
    assert {taker.taken.count(b"\ndata: ") + taker.taken.startswith(b"data: ") for taker in takers} == {
        EVENTS
    }
    hub.close()
