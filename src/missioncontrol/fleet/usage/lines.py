"""What the uses of a page are summed by, the sums, and how an event has them."""

from __future__ import annotations

from typing import Any, NamedTuple


class UsageKey(NamedTuple):
    """What the uses are summed by."""

    agent: str
    runtime: str
    session: str
    model: str
    day: str
    source: str


class UsageTotals:
    """Tokens, calls and US dollars."""

    __slots__ = ("cache_read", "cache_write", "calls", "cost", "input", "output")

    def __init__(self) -> None:
        self.input = self.output = self.cache_read = self.cache_write = self.calls = 0
        self.cost = 0.0

    @property
    def tokens(self) -> int:
        """The sum of all four kinds."""
        return self.input + self.output + self.cache_read + self.cache_write

    def add(self, other: UsageTotals) -> None:
        """Add another sum to this one."""
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.calls += other.calls
        self.cost += other.cost


def use_of(line: UsageKey, sums: UsageTotals) -> dict[str, Any]:
    """Write one entry of an event's `delta.uses`."""
    return {
        "session": line.session,
        "runtime": line.runtime,
        "model": line.model,
        "day": line.day or None,
        "tokens": sums.tokens,
        "input": sums.input,
        "output": sums.output,
        "cacheRead": sums.cache_read,
        "cacheWrite": sums.cache_write,
        "calls": sums.calls,
        "cost": sums.cost,
        "costSource": line.source,
    }
