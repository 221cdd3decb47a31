"""When clients come back after a drain: spread evenly, so that whoever takes them in is never asked by all at once."""

from __future__ import annotations

import random

SOONEST = 0.1
CLIENTS_PER_SECOND = 500
SHORTEST, LONGEST = 1.0, 10.0


def drain_window(clients: int) -> float:
    """Return over how many seconds so many clients are spread where the settings do not say."""
    return min(LONGEST, max(SHORTEST, clients / CLIENTS_PER_SECOND))


def spread(clients: int, window: float) -> list[float]:
    """Return for each client after how many seconds it is to come back.

    Each one has a slot of its own, and comes at any moment of it: as even as a ruler, without a common beat.

    Args:
        clients: how many there are.
        window: the seconds over which they come; the first one not before a tenth of a second has passed.
    """
    slots = list(range(clients))
    random.shuffle(slots)
    return [SOONEST + (slot + random.random()) * window / clients for slot in slots]  # noqa: S311
