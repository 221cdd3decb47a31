"""Which transport is tried next and after how long; without sockets and without a clock.

`auto` is a ladder: WebSocket, Server-Sent Events, long-poll. A transport that does not get through gives way to
the next one; from a lower rung the client looks upward again now and then.
"""

from __future__ import annotations

import random
from typing import Literal

from missioncontrol.backoff import Backoff
from missioncontrol.client.items import Restarting, Transport, Unreachable, Unsuitable
from missioncontrol.errors import ConfigError

Choice = Literal["auto", "websocket", "sse", "poll"]

LADDER: tuple[Transport, ...] = ("websocket", "sse", "poll")

FIRST_DELAY = 0.2
LEAST_DELAY = 0.1
LONGEST_DELAY = 15.0
UNSUITABLE_TIMES = 2
"""Once may be a server that stopped in the middle of a handshake; twice is something on the way."""
FIRST_CLIMB = 30.0
LONGEST_CLIMB = 600.0


def reconnect_backoff(chance: random.Random | None = None) -> Backoff:
    """Return delays of 0.1 to 15 seconds with full jitter, so that clients of one lost server do not return at once."""
    return Backoff(FIRST_DELAY, LONGEST_DELAY, spread=(0.0, 1.0), least=LEAST_DELAY, chance=chance)


class Route:
    """The way to the server that a client is on."""

    def __init__(self, choice: Choice, chance: random.Random | None = None) -> None:
        self._backoff = reconnect_backoff(chance)
        self._climb = FIRST_CLIMB
        self._rung = 0
        self._unsuitable = 0
        self._auto = True
        self.choose(choice)

    def choose(self, choice: Choice) -> None:
        """Use this transport, or with `auto` the best that gets through.

        Raises:
            ConfigError: there is no such transport.
        """
        if choice != "auto" and choice not in LADDER:
            raise ConfigError(
                f"There is no transport {choice!r}; choose 'auto', {', '.join(map(repr, LADDER))}."
            )
        self._auto = choice == "auto"
        self._rung = 0 if choice == "auto" else LADDER.index(choice)
        self._unsuitable = 0
        self._backoff.reset()

    @property
    def transport(self) -> Transport:
        """The transport that is in use, or tried next."""
        return LADDER[self._rung]

    @property
    def fixed(self) -> bool:
        """Whether no other transport may take over."""
        return not self._auto

    def failed(self, failure: Unreachable) -> float:
        """Take note that no connection came about; return the seconds until the next attempt."""
        if self._auto and isinstance(failure, Unsuitable):
            self._unsuitable += 1
            if self._unsuitable >= UNSUITABLE_TIMES:
                self._unsuitable = 0
                self._rung = (self._rung + 1) % len(LADDER)
                if self._rung:
                    return 0.0
        elif self._auto and failure.retry_after is None:
            # Nobody is there: whoever comes back is asked for the best transport first.
            self._rung = self._unsuitable = 0
        return self._backoff.next(failure.retry_after)

    def opened(self) -> None:
        """Take note that a connection came about."""
        self._unsuitable = 0

    def lost(self, loss: Unreachable, *, worked: bool) -> float:
        """Take note that a connection ended; return the seconds until the next attempt.

        `worked` says that it had been good for something: then the delays start short again.
        """
        if worked:
            self._backoff.reset()
        if isinstance(loss, Restarting) and loss.retry_after is not None:
            # The server has spread its clients already, more evenly than each of them could by itself.
            return max(0.0, loss.retry_after)
        return self._backoff.next(loss.retry_after)

    @property
    def higher(self) -> tuple[Transport, ...]:
        """The transports that would be better than the present one."""
        return LADDER[: self._rung] if self._auto else ()

    def climb_delay(self) -> float:
        """Return the seconds until the next look upward; longer each time."""
        delay, self._climb = self._climb, min(LONGEST_CLIMB, self._climb * 2)
        return delay

    def climbed(self, transport: Transport) -> None:
        """Take note that a better transport has taken over."""
        self._rung = LADDER.index(transport)
        self._climb = FIRST_CLIMB
