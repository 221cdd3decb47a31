"""How late the event loop is: the time that callbacks wait while another one runs.

A timer that is due every quarter of a second notes by how much it comes too late. That is the time for which the loop
was held, or for which the machine gave the process no turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

TICK_SECONDS = 0.25
STALL_SECONDS = 0.05
"""From which lag on a tick counts as a stall: nothing may hold the loop for longer."""

WARN_SECONDS = 1.0
REMEMBERED_TICKS = 240

logger = logging.getLogger(__name__)


class LoopLag:
    """Measures the lag of the running loop. `last` is that of the last tick, in seconds; `stalls` counts late ticks."""

    def __init__(self) -> None:
        self.last = 0.0
        self.stalls = 0
        self._recent: deque[float] = deque(maxlen=REMEMBERED_TICKS)
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def longest(self) -> float:
        """The longest lag of the last minute, in seconds."""
        return max(self._recent, default=0.0)

    def start(self) -> None:
        """Begin to measure the running loop."""
        self._next(asyncio.get_running_loop())

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + TICK_SECONDS
        self._timer = loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.last = max(0.0, loop.time() - self._due)
        self._recent.append(self.last)
        self.stalls += self.last >= STALL_SECONDS
        if self.last >= WARN_SECONDS:
            logger.warning("loop.held", extra={"seconds": round(self.last, 3)})
        self._next(loop)
