"""Runaway agents: the same call again and again, or spending far above the agent's usual rate.

A test that runs after every edit is not a runaway, but a poll that returns the same every time is. So the criterion is
not the number of calls but that nothing else happens in between: the last `IN_A_ROW` calls of a session are the same,
or the last `AMONG` are only two different ones. It is published at that moment, and again at ten times as many calls.
"""

from __future__ import annotations

from collections import deque
from statistics import median

import msgspec

IN_A_ROW = 10
AMONG = 20
"""Calls of one session: so many the same in a row, or so many that are only two different ones, are a loop."""

RECENT_IDS = 100
"""By how many of its newest calls' ids a session's calls are known."""

HABIT_MINUTES = 60
"""How many minutes in which an agent spent something make its habit: the median of them."""

KNOWN_MINUTES = 10
"""How many of them must be known before anything is unusual."""

UNUSUAL_FACTOR = 5.0
UNUSUAL_DOLLARS = 0.5
"""A minute is unusual that costs so many times the habit, and at least so much."""

QUIET_MINUTES = 30
"""How long after a warning about an agent's spending there is no other."""


class Loop(msgspec.Struct, frozen=True):
    """A session in which the same call is made again and again; `count` is how often so far."""

    tool: str
    summary: str
    count: int


class Calls:
    """The newest calls of one session."""

    def __init__(self) -> None:
        self._recent: deque[str] = deque(maxlen=AMONG)
        self._ids: dict[str, str | None] = {}
        self._looping: str | None = None
        self._count = 0
        self._next = IN_A_ROW

    def new(self, id_: str, evidence: str | None) -> bool:
        """Return whether a call is not known yet; a transcript and a hook may report the same one, in either order.

        A transcript alone may use an id twice: some models number their calls from the start in each response.
        """
        known = self._ids.get(id_, "")
        if known == "" or (known is None and evidence is None):
            self._ids[id_] = evidence
            if len(self._ids) > RECENT_IDS:
                del self._ids[next(iter(self._ids))]
            return True
        self._ids[id_] = known or evidence
        return False

    def add(self, tool: str, digest: str, summary: str) -> Loop | None:
        """Note a call; return the loop that is to be published, if there is one."""
        call = f"{tool}:{digest}"
        self._recent.append(call)
        last = list(self._recent)
        repeated = len(last) >= IN_A_ROW and len(set(last[-IN_A_ROW:])) == 1
        among_two = len(last) == AMONG and len(set(last)) <= 2
        if not repeated and not among_two:
            if call != self._looping and len(set(last[-IN_A_ROW:])) > 2:
                self._looping, self._count, self._next = None, 0, IN_A_ROW
            return None
        if self._looping is None:
            self._looping, self._count = call, last.count(call)
        elif call == self._looping:
            self._count += 1
        if call == self._looping and self._count >= self._next:
            while self._next <= self._count:
                self._next *= 10
            return Loop(tool, summary, self._count)
        return None


class Baseline(msgspec.Struct):
    """What an agent spends in a minute: US dollars of the newest minutes in which it spent anything."""

    minutes: list[float] = []
    minute: int = 0
    spent: float = 0.0
    warned: int = -QUIET_MINUTES

    def add(self, at: int, cost: float) -> float | None:
        """Note what was spent at a time in milliseconds since 1970; return the habit if this minute is unusual.

        The figure returned is the usual US dollars in a minute.
        """
        minute = at // 60_000
        if minute > self.minute:
            if self.spent > 0:
                self.minutes = [*self.minutes[-(HABIT_MINUTES - 1) :], self.spent]
            self.minute, self.spent = minute, 0.0
        self.spent += cost
        if len(self.minutes) < KNOWN_MINUTES or minute - self.warned < QUIET_MINUTES:
            return None
        usual = median(self.minutes)
        if self.spent < max(UNUSUAL_DOLLARS, UNUSUAL_FACTOR * usual):
            return None
        self.warned = minute
        return usual
