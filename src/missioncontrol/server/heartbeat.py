"""One clock for all connections: no timer, task or closure for each of them.

Connections sit in slots of a ring; one slot is due per tick, so that over one interval every connection is
called once, at a moment that chance has given it. One that has not answered by its next turn is in doubt and is looked
at with every tick, so that it is ended two intervals after its last sign of life and not a turn later.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

from missioncontrol.hub import HubFigures
from missioncontrol.protocol.codes import CloseCode

SLOTS = 30
PROGRESS_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Member(Protocol):
    """A connection on the ring. Times are the loop's, in seconds."""

    def beat(self) -> bool:
        """Send a ping where that is due; return whether the peer is in doubt."""

    def check_peer(self, now: float, limit: float) -> CloseCode | bool:
        """End the connection if its peer has shown no sign of life for `limit` seconds.

        Returns:
            Why it was ended, else whether the peer is still in doubt.
        """

    def check_progress(self, now: float) -> CloseCode | None:
        """End the connection if its peer has taken nothing for too long, and return why."""


class Heartbeats:
    """Calls `beat` of every connection once an interval, and looks after those that are silent or stuck."""

    def __init__(self, interval: float, figures: HubFigures) -> None:
        """Set the interval in seconds; nothing happens before `start`."""
        self.interval = interval
        self._figures = figures
        self._slots: list[set[Member]] = [set() for _ in range(SLOTS)]
        self._home: dict[Member, int] = {}
        self._doubtful: set[Member] = set()
        self._due = 0
        self._progress_at = 0.0
        self._expected = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick on the running loop."""
        loop = asyncio.get_running_loop()
        self._expected = loop.time() + self.interval / SLOTS
        self._timer = loop.call_later(self.interval / SLOTS, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, wire: Member) -> None:
        """Give a connection its moment."""
        slot = random.randrange(SLOTS)  # noqa: S311 - spreads load, guards nothing
        self._home[wire] = slot
        self._slots[slot].add(wire)

    def remove(self, wire: Member) -> None:
        """Forget a connection."""
        slot = self._home.pop(wire, None)
        if slot is not None:
            self._slots[slot].discard(wire)
            self._doubtful.discard(wire)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.interval / SLOTS, self._tick)
        now = loop.time()
        # After a standstill of this process, what has come meanwhile is read first.
        late = now - self._expected > self.interval / SLOTS
        self._expected = now + self.interval / SLOTS
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_SECONDS
            for wire in list(self._home):
                self._count(wire.check_progress(now))
        for wire in () if late else list(self._doubtful):
            verdict = wire.check_peer(now, 2 * self.interval)
            if verdict is not True:
                self._doubtful.discard(wire)
                self._count(verdict or None)
        self._due = (self._due + 1) % SLOTS
        for wire in list(self._slots[self._due]):
            try:
                if wire.beat():
                    self._doubtful.add(wire)
            except Exception:
                logger.exception("a heartbeat failed")

    def _count(self, code: CloseCode | None) -> None:
        if code is CloseCode.NO_HEARTBEAT:
            self._figures.no_heartbeat += 1
        elif code is CloseCode.TOO_SLOW:
            self._figures.too_slow += 1
