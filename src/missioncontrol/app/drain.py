"""When clients come back after a drain: spread evenly, so that whoever takes them in is never asked by all at once."""

from __future__ import annotations

import random

SOONEST = 0.1
CLIENTS_PER_SECOND = 500
SHORTEST, LONGEST = 1.0, 10.0
RESTART_SECONDS = 3.0
"""How long a server with many clients is away that stops and starts again at once."""


def drain_window(clients: int) -> float:
    """Return over how many seconds so many clients are spread where the settings do not say."""
    return min(LONGEST, max(SHORTEST, clients / CLIENTS_PER_SECOND))


def first_return(clients: int, *, alone: bool) -> float:
    """Return after how many seconds the first of so many clients is to come back.

    Whoever comes to a server that is still away tries again with all the others that did, and they come as one crowd. A
    few may; of many nobody comes before the server can be back. Where there are other nodes they come to those.

    Args:
        clients: how many there are.
        alone: whether they can come back to this server only.
    """
    return max(SOONEST, min(RESTART_SECONDS, clients / CLIENTS_PER_SECOND)) if alone else SOONEST


def spread(clients: int, window: float, first: float = SOONEST) -> list[float]:
    """Return for each client after how many seconds it is to come back.

    Each one has a slot of its own, and comes at any moment of it: as even as a ruler, without a common beat.

    Args:
        clients: how many there are.
        window: the seconds over which they come.
        first: the seconds that pass before that.
    """
    slots = list(range(clients))
    random.shuffle(slots)
    return [first + (slot + random.random()) * window / clients for slot in slots]  # noqa: S311
