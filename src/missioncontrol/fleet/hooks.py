"""Takes hooks in: counts them, has them entered into the ledger, and does not keep the runtime waiting for that.

A hook that the ledger has not taken after `PATIENCE_SECONDS` is answered all the same and entered later; one that
cannot be kept is counted as lost, and its sender gets an error.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial

from missioncontrol.errors import Unavailable
from missioncontrol.events import now, rfc3339
from missioncontrol.fleet.permissions import Permissions
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.hooks import Hook
from missioncontrol.runtimes.records import Record
from missioncontrol.runtimes.registry import hook_readers

PATIENCE_SECONDS = 0.25
MAX_UNKNOWN = 20
"""How many unknown event names are counted individually."""

OTHERS = "other"


class HookCounts:
    """The hooks of one runtime since the start.

    `events` counts them by the event's name, `unknown` those of which only the name is understood. `late` were
    answered before they were kept, `lost` were not kept. `last` is when the last one came, None before the first.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.late = 0
        self.lost = 0
        self.last: str | None = None


class HookIngest:
    """Where hooks come in. `counts` has those of each runtime that has hooks, by its name."""

    def __init__(self, tokens: UsageTracker, permissions: Permissions) -> None:
        self.permissions = permissions
        self.counts = {runtime: HookCounts() for runtime in hook_readers()}
        self._tokens = tokens
        self._entering: set[asyncio.Task[None]] = set()

    async def enter(self, runtime: str, hook: Hook) -> None:
        """Count a hook, and have it entered.

        Raises:
            Unavailable: it cannot be kept.
        """
        self._count(runtime, hook.event)
        if hook.records:
            await self.report(runtime, hook.records)

    async def report(self, runtime: str, records: Sequence[Record]) -> None:
        """Report the records of a hook to the usage ledger.

        Raises:
            Unavailable: they cannot be stored.
        """
        entering = asyncio.create_task(self._tokens.report(records))
        self._entering.add(entering)
        entering.add_done_callback(partial(self._entered, self.counts[runtime]))
        await asyncio.wait({entering}, timeout=PATIENCE_SECONDS)
        if entering.done():
            entering.result()
        else:
            self.counts[runtime].late += 1

    def refuse(self, runtime: str, hook: Hook, reason: str) -> Unavailable:
        """Count a hook that cannot be stored, and return the error for its sender."""
        self._count(runtime, hook.event)
        self.counts[runtime].lost += bool(hook.records)
        return Unavailable(f"This hook was not kept: {reason}", retry_after=5)

    def _count(self, runtime: str, event: str) -> None:
        counts = self.counts[runtime]
        counts.last = rfc3339(now()).decode()
        if event in hook_readers()[runtime].events:
            counts.events[event] += 1
            return
        unknown = counts.unknown
        unknown[event if event in unknown or len(unknown) < MAX_UNKNOWN else OTHERS] += 1

    def _entered(self, counts: HookCounts, entering: asyncio.Task[None]) -> None:
        self._entering.discard(entering)
        counts.lost += entering.cancelled() or entering.exception() is not None
