"""How many connections there may be, so that file descriptors are left for the log, for files and for `/health`.

Invariants:

- the process keeps `RESERVED` descriptors that no connection takes, and `SPARE` for connections that are refused;
- a new connection that finds no room takes the place of the one that has been idle for longest: without a request, kept
  alive after one, or waiting for the answer to a close. So connections that ask for nothing keep out none that do;
- where none is idle, a request is answered with 503 and the reason, but for `/health` and `/metrics`.
"""

from __future__ import annotations

import logging
import os
import resource
from time import monotonic
from typing import Protocol

from missioncontrol.errors import ConfigError

RESERVED = 64
"""Descriptors for the log, files that are read, notifications of the file system, and what libraries need."""

SPARE = 16
"""Descriptors for connections over the limit, that are answered with the reason."""

MAX_BACKLOG = 4096
LEAST_CONNECTIONS = 16
HTTP_CONNECTIONS = 1_024
"""What may be open besides clients that are live or poll."""

LOG_SECONDS = 60.0
COUNT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Guest(Protocol):
    """A connection that can be ended while it is idle."""

    def evict(self) -> None:
        """End it at once."""


class Room:
    """Counts the open connections of a server, and knows which are idle.

    Args:
        max_clients: the setting; live clients, and polls, each may be as many.
        descriptors: the limit of the process, or None where there is none.
        used: how many it uses without connections.

    Raises:
        ConfigError: there are too few descriptors for a server.
    """

    def __init__(self, max_clients: int, descriptors: int | None, used: int) -> None:
        self.open = 0
        self.evicted = 0
        self.limit = 2 * max_clients + HTTP_CONNECTIONS
        self.max_clients = max_clients
        self.backlog = MAX_BACKLOG
        self._idle: dict[Guest, None] = {}
        self._log_at = 0.0
        if descriptors is None:
            return
        left = descriptors - used - RESERVED - SPARE
        # What waits in the backlog is accepted in one go, before any of it can be refused.
        self.backlog = max(LEAST_CONNECTIONS, min(MAX_BACKLOG, left // 4))
        left -= self.backlog
        if left < LEAST_CONNECTIONS:
            least = used + RESERVED + SPARE + 2 * LEAST_CONNECTIONS
            raise ConfigError(
                f"{descriptors} file descriptors are too few for a server; allow at least {least} (ulimit -n)."
            )
        self.limit = min(self.limit, left)
        # Live clients leave some connections to requests.
        self.max_clients = min(max_clients, left - LEAST_CONNECTIONS // 2)
        if self.max_clients < max_clients:
            logger.warning(
                "descriptors.few",
                extra={
                    "limit": descriptors,
                    "clients": self.max_clients,
                    "hint": "raise the limit (ulimit -n)",
                },
            )

    @property
    def waiting(self) -> int:
        """How many connections are idle."""
        return len(self._idle)

    @property
    def full(self) -> bool:
        """Whether requests are refused."""
        return self.open > self.limit

    def enter(self, guest: Guest) -> None:
        """Count a new connection, which is idle; another idle one gives way where there is no room."""
        self.open += 1
        self._idle[guest] = None
        if self.open <= self.limit:
            return
        oldest = next(iter(self._idle))
        if oldest is not guest or self.open > self.limit + SPARE:
            self.evicted += 1
            del self._idle[oldest]
            oldest.evict()
        if monotonic() >= self._log_at:
            self._log_at = monotonic() + LOG_SECONDS
            logger.warning(
                "connections.full",
                extra={
                    "open": self.open,
                    "limit": self.limit,
                    "idle": len(self._idle),
                    "evicted": self.evicted,
                },
            )

    def leave(self, guest: Guest) -> None:
        """Count a connection no more."""
        self.open -= 1
        self._idle.pop(guest, None)

    def busy(self, guest: Guest) -> None:
        """Keep a connection: it has asked for something."""
        self._idle.pop(guest, None)

    def idle(self, guest: Guest) -> None:
        """Let a connection give way again: what it asked for is answered."""
        self._idle[guest] = None


class Descriptors:
    """The file descriptors of this process; counted at most once a second, as that takes longer the more there are."""

    def __init__(self) -> None:
        self._count = 0
        self._due = 0.0

    @property
    def limit(self) -> int | None:
        """How many there may be; None where there is no limit."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft

    @property
    def used(self) -> int:
        """How many are open; 0 where the system does not say."""
        if (now := monotonic()) >= self._due:
            self._due = now + COUNT_SECONDS
            for folder in ("/proc/self/fd", "/dev/fd"):
                try:
                    # Without the one that this takes.
                    self._count = len(os.listdir(folder)) - 1  # noqa: PTH208
                    break
                except OSError:
                    continue
        return self._count
