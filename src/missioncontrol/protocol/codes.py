"""Every close code, error code and gap reason that a client can meet, in one place."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class CloseCode(IntEnum):
    """Why the server closes a WebSocket (RFC 6455, section 7.4; 4000 and up are this protocol's own)."""

    DRAINING = 1001
    """The server stops or restarts: come back after `reconnectAfter`."""
    POLICY = 1008
    """The origin or the token is not accepted: coming back the same way is of no use."""
    TOO_BIG = 1009
    """A message over 1 MiB."""
    FULL = 1013
    """As many clients as are allowed: try again later."""
    TOO_SLOW = 4008
    """Nothing was taken for 60 seconds: resume with the cursor."""
    NO_HEARTBEAT = 4009
    """Nothing was heard for two heartbeats: resume with the cursor."""


class GapReason(StrEnum):
    """Why a range of ids can no longer be had."""

    TRIMMED = "trimmed"
    """The events are older than what the log keeps."""
    EPOCH = "epoch"
    """The cursor is of another life of the log."""
    AHEAD = "ahead"
    """The cursor is ahead of the log, which must have lost its tail."""


class SessionState(StrEnum):
    """Where one connection is; the machine is in `missioncontrol.protocol.session`."""

    CATCHING_UP = "catching_up"
    LIVE = "live"
    DRAINING = "draining"
    CLOSED = "closed"
