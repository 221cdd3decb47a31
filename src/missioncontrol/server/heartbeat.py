"""One clock for all connections: no timer, task or closure for each of them.

Connections sit in slots of a ring; one slot is due per tick, so that over one interval every connection is
called once, at a moment that chance has given it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from missioncontrol.hub import HubFigures
from missioncontrol.protocol.codes import CloseCode

if TYPE_CHECKING:
    from missioncontrol.server.websocket import WebSocketProtocol

SLOTS = 30
PROGRESS_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Heartbeats:
    """Calls `beat` of every connection once an interval, and looks after those that are stuck."""

    def __init__(self, interval: float, figures: HubFigures) -> None:
        """Set the interval in seconds; nothing happens before `start`."""
        self.interval = interval
        self._figures = figures
        self._slots: list[set[WebSocketProtocol]] = [set() for _ in range(SLOTS)]
        self._home: dict[WebSocketProtocol, int] = {}
        self._due = 0
        self._progress_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick on the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.interval / SLOTS, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, wire: WebSocketProtocol) -> None:
        """Give a connection its moment."""
        slot = random.randrange(SLOTS)  # noqa: S311 - spreads load, guards nothing
        self._home[wire] = slot
        self._slots[slot].add(wire)

    def remove(self, wire: WebSocketProtocol) -> None:
        """Forget a connection."""
        slot = self._home.pop(wire, None)
        if slot is not None:
            self._slots[slot].discard(wire)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.interval / SLOTS, self._tick)
        now = loop.time()
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_SECONDS
            for wire in list(self._home):
                self._count(wire.check_progress(now))
        self._due = (self._due + 1) % SLOTS
        for wire in list(self._slots[self._due]):
            try:
                self._count(wire.beat())
            except Exception:
                logger.exception("a heartbeat failed")

    def _count(self, code: CloseCode | None) -> None:
        if code is CloseCode.NO_HEARTBEAT:
            self._figures.no_heartbeat += 1
        elif code is CloseCode.TOO_SLOW:
            self._figures.too_slow += 1
