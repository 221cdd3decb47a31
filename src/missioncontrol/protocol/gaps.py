"""Where a cursor is in the log, and which events after it can no longer be had: the same for every transport."""

from __future__ import annotations

from typing import NamedTuple

from missioncontrol.events import Cursor
from missioncontrol.protocol.codes import GapReason
from missioncontrol.protocol.messages import Gap


class LogRange(NamedTuple):
    """What a log holds at the moment: its epoch, its oldest id (or the next one, where it is empty), and its newest."""

    epoch: str
    first: int
    head: int


def locate(cursor: Cursor, log: LogRange) -> tuple[int, Gap | None]:
    """Return the id after which a client with this cursor goes on, and what it misses where that is not its own id."""
    if cursor.epoch != log.epoch:
        # Ids of another epoch say nothing about this one. A gap names one id at least.
        return log.head, _gap(
            cursor.id + 1, max(log.head, cursor.id + 1), GapReason.EPOCH, log.epoch, log.head
        )
    if cursor.id > log.head:
        return log.head, _gap(log.head + 1, cursor.id, GapReason.AHEAD, log.epoch, log.head)
    if cursor.id + 1 < log.first:
        return log.first - 1, trimmed_gap(log.epoch, cursor.id, log.first)
    return cursor.id, None


def trimmed_gap(epoch: str, after: int, first: int) -> Gap:
    """Return the gap between the id `after` and the id `first`, which is the oldest that the log still holds."""
    return _gap(after + 1, first - 1, GapReason.TRIMMED, epoch, first - 1)


def _gap(start: int, end: int, reason: GapReason, epoch: str, continues_after: int) -> Gap:
    return Gap(from_=start, to=end, reason=reason.value, cursor=str(Cursor(epoch, continues_after)))
