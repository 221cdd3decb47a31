"""What a client hands to its consumer, the states it is in, and what it raises."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from missioncontrol.errors import MissionControlError
from missioncontrol.events import Event

Transport = Literal["websocket", "sse", "poll"]
"""The ways an event can come: WebSocket, Server-Sent Events, long-poll."""


class ClientState(StrEnum):
    """Where a client is."""

    CONNECTING = "connecting"
    """Not connected so far."""
    CONNECTED = "connected"
    """Events come as they happen, or what was missed is on its way."""
    RECONNECTING = "reconnecting"
    """The connection was lost; the client goes on from its cursor as soon as it can."""
    CLOSED = "closed"
    """Closed by its owner, or refused by the server."""


class Gap(msgspec.Struct, frozen=True):
    """The ids `from_` to `to` can no longer be had; events go on after `cursor`.

    `reason` is one of `missioncontrol.protocol.codes.GapReason`, or what a newer server calls it.
    """

    from_: int = msgspec.field(name="from")
    to: int
    reason: str
    cursor: str


class Snapshot(msgspec.Struct, frozen=True):
    """The whole state as it stood at `cursor`.

    It does not stand in for events: those up to `cursor` that the consumer has not had still follow, and are
    contained in the state already.
    """

    state: dict[str, Any]
    cursor: str


Item = Event | Gap | Snapshot
"""What iterating over a client yields."""


class ClientError(MissionControlError):
    """What a client raises because of the server or the way to it."""

    code = "client"


class Refused(ClientError):
    """The server has said no, and asking the same again is of no use.

    `http_status` is the status of the answer, or None where a WebSocket was closed with `close_code`. `ids` are
    those of the events that had been appended before, where several were to be published.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        close_code: int | None = None,
        ids: Sequence[int] = (),
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.close_code = close_code
        self.ids = list(ids)


class Unreachable(ClientError):
    """No acknowledgement came in time: what was asked for may have been done or not.

    After a publish `keys` are those of the events without an acknowledgement, and `ids` those of the events with
    one: publishing again under the same keys is safe. `retry_after` is what the server asked for, in seconds, and
    `body` what it answered, if it did.
    """

    code = "unreachable"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        body: bytes = b"",
        keys: Sequence[str] = (),
        ids: Sequence[int] = (),
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.body = body
        self.keys = list(keys)
        self.ids = list(ids)


class Restarting(Unreachable):
    """The server stops, and has told this client alone when to come back: its `retry_after`, to be kept exactly."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("The server stops or restarts.", retry_after=retry_after)


class Unsuitable(Unreachable):
    """This transport does not get through to the server; another one may."""
