"""Takes hooks in: counts them, has them entered into the ledger, and does not keep Claude waiting for that.

A hook that the ledger has not taken after `PATIENCE_SECONDS` is answered all the same and entered later; one that
cannot be kept is counted as lost, and whoever sent it is told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from missioncontrol.errors import Unavailable
from missioncontrol.events import now, rfc3339
from missioncontrol.fleet.permissions import Permissions
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.claude.hooks import KNOWN_EVENTS, Hook
from missioncontrol.runtimes.records import Record

PATIENCE_SECONDS = 0.25
MAX_UNKNOWN = 20
"""How many names of events that nobody knows are counted each by itself."""

OTHERS = "other"


class HookIngest:
    """Where hooks come in.

    `events` counts them by the event's name, `unknown` those of which only the name is understood. `late` were
    answered before they were kept, `lost` were not kept. `last` is when the last one came, None before the first.
    """

    def __init__(self, tokens: UsageTracker, permissions: Permissions) -> None:
        self.permissions = permissions
        self.events: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.late = 0
        self.lost = 0
        self.last: str | None = None
        self._tokens = tokens
        self._entering: set[asyncio.Task[None]] = set()

    async def enter(self, hook: Hook) -> None:
        """Count a hook, and have it entered.

        Raises:
            Unavailable: it cannot be kept.
        """
        self._count(hook.event)
        if hook.records:
            await self.report(hook.records)

    async def report(self, records: Sequence[Record]) -> None:
        """Have records entered that a hook has brought about.

        Raises:
            Unavailable: they cannot be kept.
        """
        entering = asyncio.create_task(self._tokens.report(records))
        self._entering.add(entering)
        entering.add_done_callback(self._entered)
        await asyncio.wait({entering}, timeout=PATIENCE_SECONDS)
        if entering.done():
            entering.result()
        else:
            self.late += 1

    def refuse(self, hook: Hook, reason: str) -> Unavailable:
        """Count a hook that cannot be kept, and return the error that says so."""
        self._count(hook.event)
        self.lost += bool(hook.records)
        return Unavailable(f"This hook was not kept: {reason}", retry_after=5)

    def _count(self, event: str) -> None:
        self.last = rfc3339(now()).decode()
        if event in KNOWN_EVENTS:
            self.events[event] += 1
        else:
            self.unknown[event if event in self.unknown or len(self.unknown) < MAX_UNKNOWN else OTHERS] += 1

    def _entered(self, entering: asyncio.Task[None]) -> None:
        self._entering.discard(entering)
        self.lost += entering.cancelled() or entering.exception() is not None
