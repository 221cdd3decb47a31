"""Merges the usage figures of transcripts and telemetry, so that each use counts once.

A session may be reported by several voices: its transcript, events or spans, and metrics. Each reports the same use,
sooner or later, completely or in part. So the published use of a session and of the sessions that it started is the
maximum of the voices for each kind of figure: in any order of arrival nothing counts twice, and one voice fills the
gaps of another.

- Telemetry names the session that a person began; its sub-agents have transcripts of their own. So sums are compared
  for the whole tree of sessions.
- The published use never decreases: a voice with lower figures adds nothing until they are higher.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from missioncontrol.runtimes.records import Growth, Voice

MAX_SERIES = 64
"""How many cumulative series of a session are tracked; there are a few for each model and kind of token."""


class Figures(NamedTuple):
    """The figures that are compared: US dollars, calls, and tokens by kind."""

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
        """Return the difference for each kind, at least 0."""
        return Figures(*(max(0, one - two) for one, two in zip(self, other, strict=True)))


NOTHING = Figures()


class Series(msgspec.Struct):
    """A cumulative series: the start of its count, in nanoseconds since 1970, and its last value."""

    start: int
    value: float


class Reconciled(msgspec.Struct):
    """The figures of a tree of sessions by voice, and those that were published."""

    published: Figures = msgspec.field(name="told")
    received: dict[str, Figures] = msgspec.field(name="heard")
    series: dict[str, Series] = {}

    def add(self, voice: Voice, figures: Figures) -> Figures:
        """Add new figures of a voice, and return the part that was not published yet.

        The caller publishes the tokens and calls; it passes the cost that it publishes to `spend`.
        """
        received = self.received[voice] = self.received.get(voice, NOTHING).plus(figures)
        new = received.beyond(self.published)
        self.published = self.published.plus(new._replace(cost=0.0))
        return new

    def spend(self, cost: float) -> None:
        """Note a cost in US dollars as published."""
        self.published = self.published._replace(cost=self.published.cost + cost)

    def grown(self, growth: Growth, value: float) -> float:
        """Return the increase of a cumulative series since it was last received; `value` is its current value."""
        known = self.series.get(growth.series)
        if known is not None and known.start != growth.start:
            # Another start: the series was restarted, or two processes use the same name.
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
