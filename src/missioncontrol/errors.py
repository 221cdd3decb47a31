"""Everything that Mission Control raises on purpose, as one tree.

Each error carries the fields that a caller needs to act on it, and a sentence that says what to change.
`code` is the word that travels in `error` messages and problem details; `status` is the HTTP status that the
server answers with.
"""

from __future__ import annotations

from typing import ClassVar


class MissionControlError(Exception):
    """The root of the tree."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500


class ConfigError(MissionControlError):
    """A setting, option or start-up condition is wrong; the process ends with exit status 2."""

    code = "config"


class InputError(MissionControlError):
    """What a client sent cannot be accepted; nothing of it was kept."""

    code = "bad_request"
    status = 400


class BadMessage(InputError):
    """A message is not JSON, or not of the shape that its type asks for."""

    code = "bad_message"


class BadEvent(InputError):
    """An event to be published has a wrong type, shape or key."""

    code = "bad_event"


class ReservedType(InputError):
    """An event to be published is of a type that the server alone publishes."""

    code = "reserved_type"
    status = 403


class ReservedKind(InputError):
    """A question is of a kind that the server alone asks."""

    code = "reserved_kind"
    status = 403


class QuotaExceeded(InputError):
    """The state holds as many records of a kind as it may; nothing of what was sent was kept."""

    code = "quota_exceeded"
    status = 429


class BadCursor(InputError):
    """A cursor is not of the form EPOCH:ID."""

    code = "bad_cursor"


class BadPattern(InputError):
    """A subscription pattern is neither a type, nor a category, nor `*`."""

    code = "bad_pattern"


class BadQuery(InputError):
    """What is looked for says too much, or nothing that is wanted."""

    code = "bad_query"


class QueryTooSlow(InputError):
    """What is looked for takes too long to find."""

    code = "query_too_slow"


class BadTask(InputError):
    """A task, or what is to be done with one, has a wrong shape or a word that nobody knows."""

    code = "bad_task"


class BadQuestion(InputError):
    """A question, or its answer, is not as it should be."""

    code = "bad_question"


class BadTelemetry(InputError):
    """An export is not the OTLP that it says it is; sending it again is of no use."""

    code = "bad_telemetry"


class UnsupportedMediaType(InputError):
    """The body is of a kind, or packed in a way, that this path does not take."""

    code = "unsupported_media_type"
    status = 415


class Conflict(InputError):
    """It is somebody else's, or over, or there already."""

    code = "conflict"
    status = 409


class NotShown(Conflict):
    """An answer to a question that was not shown as it is: its digest is missing, or is another one."""

    code = "not_shown"


class Outdated(Conflict):
    """Somebody else was first; `newer` is the id of the event that was not known."""

    code = "outdated"

    def __init__(self, message: str, newer: int) -> None:
        super().__init__(message, newer)
        self.newer = newer

    def __str__(self) -> str:
        return str(self.args[0])


class PreconditionFailed(InputError):
    """What `If-Match` names is not what is there any more."""

    code = "precondition_failed"
    status = 412


class TooLarge(InputError):
    """A message, a request or an event's data is over its limit, in bytes or in elements."""

    code = "too_large"
    status = 413


class TooDeep(InputError):
    """A request or a message has more levels of arrays and objects inside each other than its limit."""

    code = "too_deep"


class NotFound(InputError):
    """There is no such thing under this name."""

    code = "not_found"
    status = 404


class Unauthorized(InputError):
    """No token was given, or it is not known.

    `delay` is how many seconds the answer is to wait, so that tokens cannot be guessed quickly.
    """

    code = "unauthorized"
    status = 401

    def __init__(self, message: str, *, delay: float = 0.0) -> None:
        super().__init__(message)
        self.delay = delay


class Forbidden(InputError):
    """The token lacks the scope, or the page's origin is not allowed."""

    code = "forbidden"
    status = 403


class Misdirected(InputError):
    """The request names a host that this server does not answer for."""

    code = "misdirected"
    status = 421


class Unavailable(MissionControlError):
    """Not now: the reason is said, and trying again later is right.

    `retry_after` is in seconds.
    """

    code = "unavailable"
    status = 503

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """More is waiting to be written than the limit allows."""

    code = "overloaded"


class Draining(Unavailable):
    """The server is about to stop and takes nothing more."""

    code = "draining"


class StoreError(Unavailable):
    """The log cannot be written or read at the moment; nothing was accepted."""

    code = "store"


class PartlyTaken(StoreError):
    """The log was lost in the middle of many events; `ids` are those of the first ones, which it has."""

    code = "partly_taken"

    def __init__(self, message: str, ids: list[int], *, retry_after: float = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)
        self.ids = ids


class DiskFull(StoreError):
    """There is no room for the log; it goes on by itself when there is."""

    code = "disk_full"


class ReadOnly(StoreError):
    """The data folder or its files cannot be written."""

    code = "read_only"


class Damaged(StoreError):
    """The database file is damaged."""

    code = "damaged"


class OpenError(ConfigError):
    """The log cannot be opened: locked by another process, foreign, damaged, of a newer version, unwritable."""

    code = "open"


class DamagedFile(OpenError):
    """The log's database is damaged, and was left as it is."""
