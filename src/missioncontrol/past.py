"""The state of the fleet at an earlier moment: the newest kept state before it, and the events in between."""

from __future__ import annotations

import asyncio

from missioncontrol.errors import Damaged, NotFound
from missioncontrol.events import EVERYTHING, read_record
from missioncontrol.state import FleetState
from missioncontrol.store import Log

PAGE_EVENTS = 200
"""How many events are folded in one turn of the event loop."""


async def state_at(log: Log, id_: int) -> FleetState:
    """Fold the state as it was after an event; the work is done in threads, a page of events at a time.

    Args:
        log: the log that the events are in.
        id_: the id of the last event that is folded in.

    Raises:
        NotFound: events that it would need are no longer in the log.
        StoreError: the log cannot be read.
    """
    state, after = await _newest_kept(log, id_)
    while after < id_:
        page = await log.read(after, EVERYTHING, limit=min(PAGE_EVENTS, id_ - after))
        if page.first > after + 1:
            raise gone(log)
        await asyncio.to_thread(_fold, state, page.bodies)
        after = page.last
        await asyncio.sleep(0)
    return state


def gone(log: Log) -> NotFound:
    """Make the error for a moment that the log does not reach back to."""
    return NotFound(
        f"That moment is before the oldest event that the log still holds, {log.epoch}:{log.first}."
    )


def _fold(state: FleetState, bodies: list[bytes]) -> None:
    # A page at a time: one call for each event would cost three times as much as the fold itself.
    state.apply(map(read_record, bodies))


async def _newest_kept(log: Log, id_: int) -> tuple[FleetState, int]:
    """Load the newest kept state at or before an id that can be read, and the id it is at."""
    kept = await log.load_state(id_)
    while kept is not None:
        try:
            return await asyncio.to_thread(FleetState.load, kept.state), kept.id
        except Damaged:
            kept = await log.load_state(kept.id - 1)
    return FleetState(), 0
