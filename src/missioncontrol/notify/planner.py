"""When which events are told: storms, quiet hours, so many messages an hour. Without I/O, and without a clock.

Invariants:

- every event that a rule wants is in exactly one batch of that rule, or in a message that was made of one;
- a batch that is not told yet is kept, whatever delays it, and everything that comes meanwhile goes into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from missioncontrol.events import Event
from missioncontrol.notify.batch import Batch, level_of
from missioncontrol.notify.rules import Rule

HOUR = 3600.0
_OVER = ("question:answered", "question:closed")


class RuleState(msgspec.Struct, omit_defaults=True):
    """What is remembered of a rule: what is not told yet, and when its last messages were.

    `urgent` is what passes the quiet hours.
    """

    usual: Batch | None = None
    urgent: Batch | None = None
    sent: list[float] = []


class Due(NamedTuple):
    """When a batch is told, and what keeps it until then."""

    at: float
    held: Literal["", "quiet", "limit"]


class Planner:
    """The rules, with what each has yet to tell."""

    def __init__(self, rules: Sequence[Rule], states: dict[str, RuleState] | None = None) -> None:
        """Go on from what was remembered; of rules that are no more nothing is."""
        known = states or {}
        self.rules = rules
        self.states = {rule.name: known.get(rule.name) or RuleState() for rule in rules}

    def add(self, event: Event, now: float) -> bool:
        """Take in an event; says whether any rule has something to do with it."""
        if event.type in _OVER:
            return self._withdraw(str(event.data.get("questionId")))
        wanted = False
        for rule in self.rules:
            if rule.wants(event):
                wanted = True
                self._add(rule, event, now)
        return wanted

    def _add(self, rule: Rule, event: Event, now: float) -> None:
        state = self.states[rule.name]
        quiet = rule.quiet is not None and rule.quiet.ends(now) is not None
        if quiet and rule.passes_quiet and level_of(event) == "critical":
            state.urgent = state.urgent or Batch(now)
            state.urgent.add(event, now)
        else:
            state.usual = state.usual or Batch(now)
            state.usual.add(event, now)

    def _withdraw(self, question: str) -> bool:
        found = False
        for rule in self.rules:
            state = self.states[rule.name]
            for batch in filter(None, (state.usual, state.urgent)):
                if question in batch.questions:
                    found = True
                    batch.withdraw(question)
            if state.usual is not None and not state.usual.count:
                state.usual = None
        return found

    def take(self, now: float) -> Iterator[tuple[Rule, Batch]]:
        """Hand out what is due; each counts as a message of its rule."""
        for rule in self.rules:
            state = self.states[rule.name]
            for urgent in (True, False):
                batch = state.urgent if urgent else state.usual
                if batch is None or self._due(rule, batch, now, urgent=urgent).at > now:
                    continue
                if urgent:
                    state.urgent = None
                else:
                    state.usual = None
                state.sent.append(now)
                yield rule, batch

    def due(self, rule: Rule, now: float) -> Due | None:
        """Return when the rule's next message is; None while it has nothing to tell."""
        state = self.states[rule.name]
        due = [
            self._due(rule, batch, now, urgent=urgent)
            for batch, urgent in ((state.urgent, True), (state.usual, False))
            if batch is not None
        ]
        return min(due, default=None)

    def next_due(self, now: float) -> float | None:
        """Return when there is something to take; None while there is nothing to tell."""
        return min((due.at for rule in self.rules if (due := self.due(rule, now)) is not None), default=None)

    def _due(self, rule: Rule, batch: Batch, now: float, *, urgent: bool) -> Due:
        state = self.states[rule.name]
        # A clock that was set back is not to hold anything up.
        batch.begun = min(batch.begun, now)
        sent = state.sent = [min(at, now) for at in state.sent if now - at < HOUR]
        at = batch.begun + rule.storm_seconds
        held: Literal["", "quiet", "limit"] = ""
        if len(sent) >= rule.per_hour and (free := sent[-rule.per_hour] + HOUR) > at:
            at, held = free, "limit"
        if rule.quiet is not None and not urgent and (end := rule.quiet.ends(max(at, now))) is not None:
            at, held = end, "quiet"
        batch.held = held or batch.held
        return Due(at, held)
