"""What a session has used so far, as far as it is needed to move it to another agent: sums by model, day and source.

Invariants:

- the sums over all entries are the session's, whatever was merged;
- there are at most `MAX_ENTRIES`. Of the oldest days first the models are merged, and once each day has one entry for
  each source of its costs, the oldest days lose their date: an agent's days are not kept for longer either.
"""

from __future__ import annotations

import msgspec

from missioncontrol.fleet.usage.lines import UsageKey, UsageTotals
from missioncontrol.state.limits import MAX_AGENT_DAYS, OTHER

MAX_ENTRIES = MAX_AGENT_DAYS


class SessionUse(msgspec.Struct, array_like=True):
    """A sum of a session; `cost` in US dollars, `day` is "" where it is not known any more."""

    model: str
    day: str
    source: str
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    calls: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """The sum of all four kinds."""
        return self.input + self.output + self.cache_read + self.cache_write

    def sums(self) -> UsageTotals:
        """Return it without what it is summed by."""
        sums = UsageTotals()
        sums.input, sums.output = self.input, self.output
        sums.cache_read, sums.cache_write = self.cache_read, self.cache_write
        sums.calls, sums.cost = self.calls, self.cost
        return sums

    def add(self, other: UsageTotals | SessionUse) -> None:
        """Add another sum to this one."""
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.calls += other.calls
        self.cost += other.cost


def enter(uses: list[SessionUse], line: UsageKey, sums: UsageTotals) -> None:
    """Add what a session has used to its entries."""
    # The newest entry is the last one, and nearly always the one that grows.
    for use in reversed(uses):
        if use.day == line.day and use.model == line.model and use.source == line.source:
            use.add(sums)
            return
    new = SessionUse(line.model, line.day, line.source)
    new.add(sums)
    uses.append(new)
    while len(uses) > MAX_ENTRIES:
        # The first that loses its date takes no entry away: the next one is merged into it.
        uses[:] = _merged(uses)


def _merged(uses: list[SessionUse]) -> list[SessionUse]:
    """Return the same sums in fewer entries."""
    days: dict[str, int] = {}
    sources: dict[str, set[str]] = {}
    for use in uses:
        days[use.day] = days.get(use.day, 0) + 1
        sources.setdefault(use.day, set()).add(use.source)
    # "" comes first, and is merged already unless it is the only one that there is.
    oldest = sorted(days)
    day = next((one for one in oldest if days[one] > len(sources[one])), None)
    undated = day is None
    if day is None:
        day = next(one for one in oldest if one)
    kept: list[SessionUse] = []
    for use in uses:
        if use.day != day:
            kept.append(use)
            continue
        target = "" if undated else day
        merged = next((one for one in kept if one.day == target and one.source == use.source), None)
        if merged is None:
            use.day = target
            use.model = OTHER
            kept.append(use)
        else:
            merged.model = OTHER
            merged.add(use)
    return kept
