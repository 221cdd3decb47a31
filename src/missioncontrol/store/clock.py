"""Time in the log, with a clock that may be wrong.

An event's `time` is the wall clock's, whatever that says. The column of the same name serves look-ups by time and
retention by age, which halve: it only grows within a *segment*. Where the clock has gone back, another segment begins,
so that what is written then is found under its own time and not under the one that was wrong.

Invariants:

- segments follow from the times of the events alone, so that each node makes the same of a stream;
- there are at most `MAX_SEGMENTS`; beyond them time in the column stands still until the clock is past it;
- a clock that has jumped, against the clock that only counts or against the newest event at a start, is doubted for an
  hour: nothing is trimmed by age meanwhile. Where it returns to what it was, the doubt is over.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from missioncontrol.events import now

JUMP_SECONDS = 60.0
"""By how much the wall clock may differ from the steady one before that is a jump."""

DOUBT_SECONDS = 3600.0
"""How long a clock that has jumped is doubted, in seconds of the steady clock."""

GAP_SECONDS = 3600.0
"""How old the newest event may be at a start without the clock being doubted."""

MAX_SEGMENTS = 64
META_KEY = "clock"

_JUMP = int(JUMP_SECONDS * 1000)


class Clock:
    """The two clocks of the machine: `wall` in milliseconds since 1970, `steady` in seconds, which only counts."""

    def wall(self) -> int:
        """Return the time of day."""
        return now()

    def steady(self) -> float:
        """Return a count of seconds that goes on while the machine sleeps, where the system has one."""
        return time.clock_gettime(_STEADY)


# Linux's CLOCK_MONOTONIC stops while the machine sleeps, macOS's goes on.
_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ClockDoubt:
    """Whether the wall clock is to be believed."""

    def __init__(self, clock: Clock, newest: int, left: float = 0.0) -> None:
        """Begin.

        Args:
            clock: the machine's.
            newest: the time of the newest event, in milliseconds; 0 where there is none.
            left: how many seconds of doubt were left when the log was closed.
        """
        self._clock = clock
        self._offset = self._trusted = self._now()
        gap = (clock.wall() - newest) / 1000 if newest else 0.0
        self.gap = gap if gap < -JUMP_SECONDS else 0.0
        if left <= 0 and not -JUMP_SECONDS <= gap <= GAP_SECONDS:
            left = DOUBT_SECONDS
        self._until = clock.steady() + min(left, DOUBT_SECONDS) if left > 0 else 0.0

    @property
    def left(self) -> float:
        """For how many more seconds of the steady clock the wall clock is doubted; 0 when it is believed."""
        return max(0.0, self._until - self._clock.steady()) if self._until else 0.0

    def jump(self) -> float | None:
        """Return by how many seconds the wall clock has jumped since the last call; None where it has not."""
        offset = self._now()
        jump = (offset - self._offset) / 1000
        self._offset = offset
        if abs(jump) <= JUMP_SECONDS:
            if self._until and not self.left:
                self._until, self._trusted = 0.0, offset
            return None
        back = abs(offset - self._trusted) <= _JUMP
        self._until = 0.0 if back else self._clock.steady() + DOUBT_SECONDS
        return jump

    def _now(self) -> int:
        """Return what the wall clock has beyond the steady one, in milliseconds."""
        return self._clock.wall() - round(self._clock.steady() * 1000)


class Segment(NamedTuple):
    """Events from the id `first` on, whose times only grow, beginning with `time`.

    `before` is the time from which the clock went back when the segment began, 0 where it went forward. `wrong` says
    that the clock returned afterwards: times in this segment say nothing.
    """

    first: int
    time: int
    before: int
    wrong: bool = False


_segments_decoder = msgspec.json.Decoder(list[Segment])


class Timeline:
    """The segments of a log and the newest time in its column. `changed` says that they are to be written."""

    def __init__(self, segments: Iterable[Segment], time: int) -> None:
        self.segments = tuple(segments)
        self.time = time
        self.changed = False

    def place(self, id_: int, wall: int) -> int:
        """Return the time in the column of the next event, and begin a segment with it where the clock has gone back.

        Args:
            id_: the event's.
            wall: what the clock says, in milliseconds.
        """
        current = self.segments[-1] if self.segments else None
        if wall < self.time - _JUMP and len(self.segments) < MAX_SEGMENTS:
            self._begin(Segment(id_, wall, self.time))
        elif current is not None and current.before and self._returned(current, wall):
            self.segments = (*self.segments[:-1], current._replace(wrong=True))
            self._begin(Segment(id_, max(wall, current.before), 0))
        else:
            self.time = max(self.time, wall)
        return self.time

    def forget(self, first: int) -> None:
        """Drop segments that end before the id `first`."""
        while len(self.segments) > 1 and self.segments[1].first <= first:
            self.segments = self.segments[1:]
            self.changed = True

    def encoded(self) -> str:
        """Return the segments as they are kept."""
        return msgspec.json.encode(self.segments).decode()

    def _returned(self, current: Segment, wall: int) -> bool:
        """Say whether the clock leapt to where it would be, had it not gone back: then it was wrong in between."""
        leap = wall - self.time
        return wall >= current.before - _JUMP and leap > max(_JUMP, (current.before - current.time) / 2)

    def _begin(self, segment: Segment) -> None:
        # An empty one, as after a commit that failed, is replaced.
        self.segments = (*(one for one in self.segments if one.first < segment.first), segment)
        self.time = segment.time
        self.changed = True


def read_segments(connection: sqlite3.Connection) -> list[Segment]:
    """Read the segments of a database; none where the clock has never gone back."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META_KEY,)).fetchone()
    if row is None:
        return []
    try:
        return _segments_decoder.decode(row[0])
    except msgspec.MsgspecError:
        return []


def last_id_at(
    connection: sqlite3.Connection, time: int, first: int, head: int, segments: Sequence[Segment]
) -> int:
    """Find the last id told at or before `time`, the newest segment first; `first` - 1 if there is none."""
    end = head
    for start, wrong in [(one.first, one.wrong) for one in reversed(segments)] + [(first, False)]:
        start = max(start, first)
        if start > end:
            continue
        if not wrong and (found := _halve(connection, time, start - 1, end)) >= start:
            return found
        end = start - 1
    return first - 1


def _halve(connection: sqlite3.Connection, time: int, low: int, high: int) -> int:
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute("SELECT time FROM events WHERE id = ?", (middle,)).fetchone()
        if row is None or row[0] <= time:
            low = middle
        else:
            high = middle - 1
    return low


def age_of(id_: int, time: int, segments: Sequence[Segment]) -> int:
    """Return the time that counts for an event's age: where the clock was wrong, that of what came after it."""
    later = [one.time for one in segments if one.first > id_ and not one.wrong]
    own = next((one for one in reversed(segments) if one.first <= id_), None)
    if own is not None and own.wrong and later:
        return min(later)
    return min([time, *later])
