"""Token use: what the runtimes' transcripts say was spent, by whom, and what their agents do.

Transcripts are read on from where they were read last. What one reading brings is told in one transaction with the
positions, so that a response is told once however often the process ends. From the same lines come the agents'
statuses, their activity, and the warnings about agents that run away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple

from missioncontrol.errors import Overloaded, Unavailable
from missioncontrol.events import Draft, now
from missioncontrol.events.hosts import find_id
from missioncontrol.sources.activity import Activity
from missioncontrol.sources.source import MARK, Feed, Step, Workspace
from missioncontrol.sources.transcripts.records import Record
from missioncontrol.sources.usage.book import Page, moment, use_of
from missioncontrol.sources.usage.budgets import Budgets, budget_question, stopped
from missioncontrol.sources.usage.hearing import Hearing
from missioncontrol.sources.usage.reading import Reading
from missioncontrol.sources.usage.sessions import Session, doings
from missioncontrol.state import FleetState
from missioncontrol.state.tokens import Tokens as TokenState

MAX_USES = 400
"""How many uses one event may hold, which keeps it far below the limit of an event."""

MAX_REPORTS = 1_000
"""How many reports of runtimes may wait to be entered."""

SHOW_SECONDS = 0.02
"""How soon a report shows in its agent's status: whoever reports waits for the log alone, and many show at once."""

RETRY_SECONDS = 1.0
DOUBT_SECONDS = 15.0
"""How often is looked whether a busy agent has fallen silent, and whether a budget's day has begun anew."""


class Report(NamedTuple):
    """What a runtime has reported, and the future of whoever passed it on."""

    records: list[Record]
    taken: asyncio.Future[None]

    def succeed(self) -> None:
        """Say that it is kept."""
        if not self.taken.done():
            self.taken.set_result(None)

    def fail(self, error: Unavailable) -> None:
        """Say that it is not."""
        if not self.taken.done():
            self.taken.set_exception(error)


class Tokens:
    """Tells token use, budgets, runaways and activity; what agents do it leaves to the source of agents to tell."""

    name = "tokens"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._state = workspace.state
        self._activity = Activity()
        self._reports: list[Report] = []
        self._wake: Callable[[], None] | None = None
        self._reading = Reading(workspace)
        self._show_at: float | None = None

    async def report(self, records: Sequence[Record]) -> None:
        """Take in what a runtime says itself, as if it stood in a transcript; returns when it is durable.

        Raises:
            Overloaded: too much of it is waiting already.
            Unavailable: nobody keeps the book at the moment, or the log cannot be written.
        """
        if self._wake is None:
            raise Unavailable("Nobody reads the runtimes at the moment; send it again in a moment.")
        if len(self._reports) >= MAX_REPORTS:
            raise Overloaded("More reports of runtimes wait than can be taken in; send it again in a moment.")
        report = Report(list(records), asyncio.get_running_loop().create_future())
        self._reports.append(report)
        self._wake()
        await report.taken

    def reads(self, runtime: str) -> bool:
        """Say whether this machine has transcripts of a runtime."""
        return self._reading.has(runtime)

    @property
    def keeps_book(self) -> bool:
        """Whether reports are taken in here at the moment."""
        return self._wake is not None

    def session(self, id_: str) -> Session | None:
        """Return a session as the book has it; None where it is not known, or nobody keeps the book."""
        return None if self._wake is None else self._reading.book.sessions.get(id_)

    def agents_of_sessions(self) -> dict[str, str]:
        """Return whose each session is that the book knows, under the agent's full id; empty where nobody keeps it."""
        sessions = {} if self._wake is None else self._reading.book.sessions
        full = {agent: self._state_id(agent) for agent in {session.agent for session in sessions.values()}}
        return {id_: full[session.agent] for id_, session in sessions.items()}

    def stopped(self, agent_id: str) -> str | None:
        """Return why an agent is to stop for today: a person has said so when a budget was spent. None if it is not."""
        return stopped(self._workspace.fleet.table("questions").values(), self._state_id(agent_id))

    def _state_id(self, agent_id: str) -> str:
        agents = self._workspace.fleet.table("agents").keys()
        return find_id(agent_id, agents, self._workspace.host) or agent_id

    async def run(self, feed: Feed) -> None:
        """Read and tell until cancelled."""
        try:
            await self._run(feed)
        finally:
            self._wake = None
            for report in self._take_reports():
                report.fail(Unavailable("The runtimes are being looked at anew; send it again in a moment."))

    async def _run(self, feed: Feed) -> None:
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
        # What is reported while everything is read for the first time waits.
        self._wake = hearing.inbox.put
        try:
            await asyncio.to_thread(reading.find)
            await hearing.attend(reading.roots())
            if first:
                await self._baseline(feed)
            else:
                await self._read(feed, None, found_at_start=True)
            self._show()
            feed.running()
            look_at = monotonic() + DOUBT_SECONDS
            while True:
                batch = await hearing.inbox.take(self._patience())
                if self._reports:
                    await self._enter_reports(feed)
                    self._show_at = self._show_at or monotonic() + SHOW_SECONDS
                if self._show_at is not None and not (batch.paths or batch.trees) and monotonic() < look_at:
                    if monotonic() >= self._show_at:
                        self._show()
                    await self._tell_activity(feed)
                    continue
                look_at = monotonic() + DOUBT_SECONDS
                if await asyncio.to_thread(reading.find):
                    batch.trees.add("")
                await hearing.attend(reading.roots())
                await self._read(feed, None if batch.trees else batch.paths, noticed=batch.noticed)
                await asyncio.to_thread(reading.look_at_gateway)
                self._show()
                await self._tell_activity(feed)
        finally:
            await hearing.close()
            await asyncio.to_thread(reading.close)

    def _patience(self) -> float:
        """Return the seconds after which is looked again though nothing was heard."""
        longest = RETRY_SECONDS if self._reading.doubtful else DOUBT_SECONDS
        due = [at for at in (self._activity.due(), self._show_at) if at is not None]
        return max(0.0, min([longest, *(at - monotonic() for at in due)]))

    async def _baseline(self, feed: Feed) -> None:
        """Read everything there is, and tell it as the state that it makes, not as what has happened."""
        found = TokenState()
        remembered: dict[str, bytes | None] = {}
        paths: set[str] | None = None
        more = True
        while more:
            more = await self._read_page(paths)
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
            more = await self._read_page(paths)
            paths = set()
            await self._turn_page(feed, noticed=noticed, found_at_start=found_at_start)
        await self._tell_crossings(feed)

    async def _read_page(self, paths: set[str] | None) -> bool:
        """Read one page, and say what was written to; returns whether there is more."""
        more = await asyncio.to_thread(self._reading.read, paths)
        self._workspace.written.put(self._reading.written())
        return more

    async def _turn_page(
        self, feed: Feed, *, noticed: float | None = None, found_at_start: bool = False
    ) -> None:
        """Tell what stands on the page, with what is to be remembered of it."""
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

    async def _enter_reports(self, feed: Feed) -> None:
        """Enter what was reported, and tell it; who reported it hears when it is kept."""
        reports = self._take_reports()
        try:
            for report in reports:
                self._reading.book.take(report.records, now())
            await self._turn_page(feed)
            await self._tell_crossings(feed)
        except BaseException as error:
            for report in reports:
                report.fail(Unavailable(f"It could not be kept: {error}"))
            raise
        for report in reports:
            report.succeed()

    def _take_reports(self) -> list[Report]:
        reports, self._reports = self._reports, []
        return reports

    async def _tell_activity(self, feed: Feed) -> None:
        if active := self._activity.drafts(feed, self._state.table("agents")):
            await feed.tell([Step(active, {})])

    async def _tell_crossings(self, feed: Feed) -> None:
        config = self._workspace.config.budgets
        for crossing in self._budgets.crossings(self._state):
            drafts = [feed.draft("token:threshold", crossing.data)]
            if config.on_exceed == "ask" and crossing.data["alert"] == "critical":
                # In one transaction with the threshold: a crossing is asked about once, whatever ends the process.
                drafts.append(feed.draft("question:asked", {"question": budget_question(crossing.data)}))
            await feed.tell([Step(drafts, {crossing.key: crossing.memory})])

    def _show(self) -> None:
        self._show_at = None
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
