"""What transcripts and telemetry say of the same use, told once.

A session may be heard of in several ways: from its transcript, from events or spans, from metrics. Each voice tells the
same use again, sooner or later, whole or in part. So what is told of a session, and of all that it has started, is the
largest of what the voices say, kind by kind; whichever comes first, nothing counts twice, and what one voice lacks
another one fills.

- Telemetry names the session that a person began; its sub-agents write transcripts of their own. So sums are compared
  for the whole tree of sessions.
- What is told never shrinks: a voice that says less than what was told adds nothing until it says more.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from missioncontrol.runtimes.records import Growth, Voice

MAX_SERIES = 64
"""How many cumulative series of a session are followed; there are a few for each model and kind of token."""


class Figures(NamedTuple):
    """What is compared: US dollars, calls, and tokens by kind."""

    cost: float = 0.0
    calls: float = 0
    input: float = 0
    output: float = 0
    cache_read: float = 0
    cache_write: float = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sums."""
        return Figures(*(one + two for one, two in zip(self, other, strict=True)))

    def beyond(self, other: Figures) -> Figures:
        """Return by how much these are larger, kind by kind; never less than nothing."""
        return Figures(*(max(0, one - two) for one, two in zip(self, other, strict=True)))


NOTHING = Figures()


class Series(msgspec.Struct):
    """A cumulative series: since when it counts, in nanoseconds since 1970, and how far it has come."""

    start: int
    value: float


class Reconciled(msgspec.Struct):
    """What was heard of a tree of sessions, by voice, and what of it has been told."""

    told: Figures
    heard: dict[str, Figures]
    series: dict[str, Series] = {}

    def hear(self, voice: Voice, figures: Figures) -> Figures:
        """Take in what a voice says more, and return what of it nobody has told yet.

        Whoever asks tells the tokens and calls; what it tells of the cost it says to `spend`.
        """
        heard = self.heard[voice] = self.heard.get(voice, NOTHING).plus(figures)
        new = heard.beyond(self.told)
        self.told = self.told.plus(new._replace(cost=0.0))
        return new

    def spend(self, cost: float) -> None:
        """Note what was told of the cost, in US dollars."""
        self.told = self.told._replace(cost=self.told.cost + cost)

    def grown(self, growth: Growth, value: float) -> float:
        """Return by how much a cumulative series has grown since it was last heard of; `value` is what it says."""
        known = self.series.get(growth.series)
        if known is not None and known.start != growth.start:
            # Of another start: it has begun again, or two processes count by the same name.
            known = self.series.get(key := f"{growth.series}@{growth.start}")
        else:
            key = growth.series
        if known is None:
            if len(self.series) >= MAX_SERIES:
                del self.series[next(iter(self.series))]
            self.series[key] = Series(growth.start, value)
            return value
        grown = max(0.0, value - known.value)
        known.value += grown
        return grown
