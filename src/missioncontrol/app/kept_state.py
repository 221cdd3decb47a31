"""The state as it is kept next to the log, so that a start folds only the events after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from missioncontrol.background import BackgroundTasks
from missioncontrol.errors import Damaged, MissionControlError
from missioncontrol.events import EVERYTHING, Record, read_record
from missioncontrol.state import FleetState
from missioncontrol.store import Log, StateCheckpoint

EVENTS = 10_000
"""After so many events the state is kept."""
SHARE = 0.05
"""At most so much of the time goes into keeping states, however fast events come."""
SECONDS = 900.0
"""How often it is kept in a cluster, also where little happens."""

logger = logging.getLogger(__name__)


class KeptState:
    """Keeps the state of a running server."""

    def __init__(self, log: Log, state: FleetState, background: BackgroundTasks) -> None:
        """Begin with nothing to keep.

        Args:
            log: where it is kept.
            state: what is kept.
            background: runs the writing.
        """
        self._log = log
        self._state = state
        self._background = background
        self._events = 0
        self._not_before = 0.0

    def committed(self, records: Sequence[Record]) -> None:
        """Keep the state once there are enough events."""
        self._events += len(records)
        if self._events >= EVENTS and (began := monotonic()) >= self._not_before:
            self._events = 0
            checkpoint = self._checkpoint()
            self._background.begin("saved state", self._save(checkpoint))
            self._not_before = began + (monotonic() - began) / SHARE

    async def keep(self) -> None:
        """Keep the state now."""
        await self._save(self._checkpoint())

    async def run(self) -> None:
        """Keep the state from time to time also where little happens, for a node that loses its copy."""
        while True:
            await asyncio.sleep(SECONDS)
            await self.keep()

    def _checkpoint(self) -> StateCheckpoint:
        return StateCheckpoint(self._state.id, self._state.dump())

    async def _save(self, checkpoint: StateCheckpoint) -> None:
        # Without it the next start only has more to fold.
        with suppress(MissionControlError):
            await self._log.save_state(checkpoint)


async def fold(log: Log) -> FleetState:
    """Fold the state of the fleet at the head of a log, from the newest kept state on."""
    state, after = FleetState(), 0
    kept = await log.load_state(log.head)
    if kept is not None:
        try:
            state, after = FleetState.load(kept.state), kept.id
        except Damaged as error:
            # Of another release, or damaged: the events themselves say what it was made of.
            logger.warning("state.refolded", extra={"id": kept.id, "reason": str(error)})
    while after < log.head:
        page = await log.read(after, EVERYTHING, limit=5_000, max_bytes=4 * 1024 * 1024)
        state.apply(map(read_record, page.bodies))
        after = page.last
        # Records are encoded as they are folded; a turn for everything else on this loop.
        await asyncio.sleep(0)
    return state
