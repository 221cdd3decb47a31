"""Token use: what the runtimes' transcripts say was spent, by whom, and what their agents do.

Transcripts are read on from where they were read last. What one reading brings is told in one transaction with the
positions, so that a response is told once however often the process ends. From the same lines come the agents'
statuses, their activity, and the warnings about agents that run away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

from missioncontrol.events import Draft, now
from missioncontrol.sources.activity import Activity
from missioncontrol.sources.source import MARK, Feed, Step, Workspace
from missioncontrol.sources.usage.book import Page, moment, use_of
from missioncontrol.sources.usage.budgets import Budgets
from missioncontrol.sources.usage.hearing import Hearing
from missioncontrol.sources.usage.reading import Reading
from missioncontrol.sources.usage.sessions import doings
from missioncontrol.state import FleetState
from missioncontrol.state.tokens import Tokens as TokenState

MAX_USES = 400
"""How many uses one event may hold, which keeps it far below the limit of an event."""

RETRY_SECONDS = 1.0
DOUBT_SECONDS = 15.0
"""How often is looked whether a busy agent has fallen silent, and whether a budget's day has begun anew."""


class Tokens:
    """Tells token use, budgets, runaways and activity; what agents do it leaves to the source of agents to tell."""

    name = "tokens"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._state = workspace.state
        self._activity = Activity()

    async def run(self, feed: Feed) -> None:
        """Read and tell until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        if first:
            # A first reading that was cut short is done anew.
            await feed.tell([Step([], dict.fromkeys(memory))])
            memory = {}
        self._budgets = Budgets(self._workspace.config.budgets)
        self._budgets.recall(memory)
        reading = self._reading = Reading(self._workspace)
        reading.recall(memory)
        hearing = Hearing(feed)
        try:
            await asyncio.to_thread(reading.find)
            await hearing.attend(reading.roots())
            if first:
                await self._baseline(feed)
            else:
                await self._read(feed, None, found_at_start=True)
            self._show()
            feed.running()
            while True:
                batch = await hearing.inbox.take(self._patience())
                if await asyncio.to_thread(reading.find):
                    batch.trees.add("")
                await hearing.attend(reading.roots())
                await self._read(feed, None if batch.trees else batch.paths, noticed=batch.noticed)
                await asyncio.to_thread(reading.look_at_gateway)
                self._show()
                if active := self._activity.drafts(feed):
                    await feed.tell([Step(active, {})])
        finally:
            await hearing.close()
            await asyncio.to_thread(reading.close)

    def _patience(self) -> float:
        """Return the seconds after which is looked again though nothing was heard."""
        if self._reading.doubtful:
            return RETRY_SECONDS
        due = self._activity.due()
        return DOUBT_SECONDS if due is None else min(DOUBT_SECONDS, max(0.0, due - monotonic()))

    async def _baseline(self, feed: Feed) -> None:
        """Read everything there is, and tell it as the state that it makes, not as what has happened."""
        found = TokenState()
        remembered: dict[str, bytes | None] = {}
        paths: set[str] | None = None
        more = True
        while more:
            more = await asyncio.to_thread(self._reading.read, paths)
            paths = set()
            page, changes = self._reading.turn_page()
            remembered |= changes
            _enter(found, page)
        parts = _parts(found)
        drafts = [feed.draft("state:baseline", {"source": self.name, "tokens": part}) for part in parts]
        # One transaction: a baseline is taken whole, or anew.
        await feed.tell([Step(drafts, {**remembered, MARK: b"1"})])
        await self._tell_crossings(feed)

    async def _read(
        self,
        feed: Feed,
        paths: set[str] | None,
        *,
        noticed: float | None = None,
        found_at_start: bool = False,
    ) -> None:
        """Read what has changed, page by page, and tell each."""
        more = True
        while more:
            more = await asyncio.to_thread(self._reading.read, paths)
            paths = set()
            page, changes = self._reading.turn_page()
            drafts = _usage_drafts(feed, self._state, page, found_at_start=found_at_start)
            drafts += [feed.alert("warning", warning.message, **warning.details) for warning in page.warnings]
            drafts += [feed.alert("warning", told, path=path) for path, told in self._reading.complaints()]
            if drafts or changes:
                await feed.tell([Step(drafts, changes)], noticed=noticed)
            agents = self._state.table("agents")
            for agent, (at, summary) in page.activity.items():
                count = agents.get(agent, {}).get("fileCount", 0)
                self._activity.saw(agent, lastActivity=moment(at), activity=summary, fileCount=count)
        await self._tell_crossings(feed)

    async def _tell_crossings(self, feed: Feed) -> None:
        for crossing in self._budgets.crossings(self._state):
            draft = feed.draft("token:threshold", crossing.data)
            await feed.tell([Step([draft], {crossing.key: crossing.memory})])

    def _show(self) -> None:
        alive = self._reading.gateway_alive
        agents = doings(self._reading.book.sessions.values(), now(), gateway_alive=alive)
        self._workspace.runtimes.replace({**self._reading.roster(), **agents})


def _usage_drafts(feed: Feed, state: FleetState, page: Page, *, found_at_start: bool) -> list[Draft]:
    """Make an agent's new uses into its event, with its totals so far."""
    drafts: list[Draft] = []
    for agent, uses in page.agents().items():
        totals = state.tokens.of(agent)
        tokens, cost = totals.get("tokens", 0), totals.get("cost", 0.0)
        for start in range(0, len(uses), MAX_USES):
            part = uses[start : start + MAX_USES]
            new_tokens, new_cost = sum(sums.tokens for _, sums in part), sum(sums.cost for _, sums in part)
            tokens, cost = tokens + new_tokens, cost + new_cost
            last = part[-1][0]
            data: dict[str, Any] = {
                "agent": agent,
                "tokens": tokens,
                "cost": cost,
                "session": {"id": last.session, "runtime": last.runtime},
                "delta": {
                    "tokens": new_tokens,
                    "cost": new_cost,
                    "uses": [use_of(line, sums) for line, sums in part],
                },
            }
            if found_at_start:
                data["foundAtStart"] = True
            drafts.append(feed.draft("token:usage", data))
    return drafts


def _enter(found: TokenState, page: Page) -> None:
    """Add a page to the state that a baseline will tell."""
    for agent, uses in page.agents().items():
        found.add_uses(agent, [use_of(line, sums) for line, sums in uses], moment(now()))


def _parts(found: TokenState) -> list[Mapping[str, Any]]:
    """Cut the state into what fits into one event each."""
    value = found.value()
    parts: list[Mapping[str, Any]] = []
    for name in ("agents", "models", "days"):
        items = list(value[name].items())
        parts += [{name: dict(items[start : start + 20])} for start in range(0, len(items), 20)]
    sessions = value["sessions"]
    # The newest are told last, as they were used last.
    parts += [{"sessions": sessions[start : start + 100]} for start in range(0, len(sessions), 100)][::-1]
    return parts
