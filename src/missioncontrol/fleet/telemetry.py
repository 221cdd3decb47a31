"""Receives telemetry: reads it in the sender's dialect, reports its records, and counts unknown items.

Metrics without a session report the same use as the sender's spans or events, and as the transcripts of its runtime,
without saying which part of it. So they count only if their sender has reported use in no other way for
`GRACE_SECONDS`, and this machine has no transcripts of its runtime; until then they are held back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import msgspec

from missioncontrol.events import now, rfc3339
from missioncontrol.runtimes.otel.reading import Meaning, sender_session
from missioncontrol.runtimes.otel.signals import Kind, Point, Sender, Signal
from missioncontrol.runtimes.records import Record, Usage
from missioncontrol.runtimes.registry import signal_readers

GRACE_SECONDS = 120.0
MAX_SENDERS = 200
MAX_NAMES = 100
MAX_HELD = 2_000
SLICE = 200
"""How many signals are read in one turn of the event loop."""

MAX_REPORT = 500
"""How many records are passed on at a time."""

_OTHERS = "(others)"


class SenderReport(msgspec.Struct, rename="camel"):
    """What was received from a sender since the server started; `unknown` counts unknown items by name.

    `heldBack` is the reason why its metrics do not count; null if they do, or there are none.
    """

    service: str
    instance: str
    last: str
    traces: int = 0
    metrics: int = 0
    logs: int = 0
    used: int = 0
    noted: int = 0
    unknown: dict[str, int] = {}
    held_back: str | None = None


class _Sender:
    def __init__(self, sender: Sender) -> None:
        self.report = SenderReport(sender.name, sender.instance, "")
        self.unknown: Counter[str] = Counter()
        self.since = monotonic()
        self.reports_use = False
        self.held: list[Record] = []


class Receiver:
    """Receives telemetry.

    `totals` counts items by outcome: `used`, `noted`, `unknown`. `refused` counts exports.
    """

    def __init__(
        self, report: Callable[[Sequence[Record]], Awaitable[None]], reads: Callable[[str], bool]
    ) -> None:
        """Prepare.

        Args:
            report: receives the records; returns when they are durable.
            reads: returns whether this machine has transcripts of a runtime.
        """
        self._report = report
        self._reads = reads
        self._senders: dict[tuple[str, str], _Sender] = {}
        self.totals: Counter[str] = Counter()
        self.refused = 0

    async def take(self, kind: Kind, signals: Sequence[Signal]) -> None:
        """Accept the signals of a request; returns once their records are durable.

        Raises:
            Unavailable: they cannot be stored now, and have to be sent again; records stored before count once.
        """
        outcomes: list[str] = []
        records: list[Record] = []
        for start in range(0, len(signals), SLICE):
            if start:
                await asyncio.sleep(0)
            for signal in signals[start : start + SLICE]:
                meaning = _read(signal)
                outcomes.append("unknown" if meaning is None else "used" if meaning else "noted")
                if meaning:
                    records += self._admitted(signal, meaning)
        for start in range(0, len(records), MAX_REPORT):
            await self._report(records[start : start + MAX_REPORT])
        for at, (signal, outcome) in enumerate(zip(signals, outcomes, strict=True)):
            if at and at % SLICE == 0:
                await asyncio.sleep(0)
            self.totals[outcome] += 1
            self._count(kind, signal, outcome)

    def outcomes(self) -> dict[str, float]:
        """Return how many items were used, were only noted, and are unknown."""
        return {name: float(self.totals[name]) for name in ("used", "noted", "unknown")}

    def senders(self) -> list[SenderReport]:
        """Return the reports of all senders, the most recently active first."""
        for known in self._senders.values():
            known.report.unknown = dict(known.unknown.most_common())
            known.report.held_back = self._held_back(known)
        return sorted(
            (known.report for known in self._senders.values()), key=lambda one: one.last, reverse=True
        )

    def _admitted(self, signal: Signal, meaning: Meaning) -> Meaning:
        """Return the records that count now; metrics without a session count only if nothing else reports the use."""
        sender = self._sender(signal.sender)
        uses = [record for record in meaning if isinstance(record, Usage)]
        if not isinstance(signal, Point):
            if uses:
                sender.reports_use = True
                sender.held.clear()
            return meaning
        if not uses or not uses[0].session.startswith(sender_session(signal.sender)):
            return meaning
        if sender.reports_use or self._reads(uses[0].runtime):
            return []
        if monotonic() - sender.since >= GRACE_SECONDS:
            held, sender.held = sender.held, []
            return [*held, *meaning]
        if len(sender.held) < MAX_HELD:
            sender.held += meaning
        return []

    def _held_back(self, known: _Sender) -> str | None:
        if not known.report.metrics:
            return None
        if known.reports_use:
            return "its spans or events report the same"
        if known.held:
            return "waiting whether its spans or events report the same"
        return None

    def _sender(self, sender: Sender) -> _Sender:
        key = (sender.name[:100], sender.instance[:100])
        known = self._senders.get(key)
        if known is None:
            if len(self._senders) >= MAX_SENDERS:
                oldest = min(self._senders, key=lambda one: self._senders[one].report.last)
                del self._senders[oldest]
            known = self._senders[key] = _Sender(
                Sender({"service.name": key[0], "service.instance.id": key[1]})
            )
        return known

    def _count(self, kind: Kind, signal: Signal, outcome: str) -> None:
        known = self._sender(signal.sender)
        report = known.report
        report.last = rfc3339(now()).decode()
        setattr(report, kind, getattr(report, kind) + 1)
        if outcome == "unknown":
            name = signal.name[:100] or "(without a name)"
            known.unknown[name if name in known.unknown or len(known.unknown) < MAX_NAMES else _OTHERS] += 1
        elif outcome == "used":
            report.used += 1
        else:
            report.noted += 1


def _read(signal: Signal) -> Meaning | None:
    # The first reader that knows a signal: a runtime's own dialect has more than the conventions.
    for read in signal_readers():
        meaning = read(signal)
        if meaning is not None:
            return meaning
    return None
