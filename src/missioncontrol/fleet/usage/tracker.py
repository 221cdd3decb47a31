"""Token use: the use and the activity of agents, from the runtimes' transcripts.

Transcripts are read from the last position. The events of a page are published in one transaction with the positions,
so that each response is published once, even if the process ends at any moment. The agents' statuses, their activity,
and the warnings about runaway agents come from the same lines.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from missioncontrol.errors import Overloaded, Unavailable
from missioncontrol.events import Data, Draft
from missioncontrol.events import Record as Event
from missioncontrol.events.author import author
from missioncontrol.events.hosts import find_id, id_at_home
from missioncontrol.fleet.activity import Activity
from missioncontrol.fleet.source import MARK, Feed, Step, Workspace
from missioncontrol.fleet.usage.budgets import SOURCE, STOPS, Budgets, Stops, budget_question
from missioncontrol.fleet.usage.events import baseline_parts, enter_page, usage_events
from missioncontrol.fleet.usage.ledger import UsageBatch, moment
from missioncontrol.fleet.usage.session_index import SessionIndex
from missioncontrol.fleet.usage.sessions import KnownSession
from missioncontrol.fleet.usage.transcript_scanner import ScanResult, TranscriptScanner
from missioncontrol.fleet.usage.transcript_watcher import TranscriptWatcher
from missioncontrol.runtimes.records import Record
from missioncontrol.state.tokens import Tokens as TokenState

MAX_REPORTS = 1_000
"""How many reports of runtimes may wait to be entered."""

SHOW_SECONDS = 0.02
"""Seconds until a report shows in its agent's status: callers wait only for the log, and reports show together."""

AGENTS_SECONDS = 10.0
"""Seconds for which the first reading waits for the first scan of agents, which determines the sessions' owners."""

PROCESS_SECONDS = 2.0
"""How often it is checked whether processes still run, where there are any: one that is killed reports nothing."""

RETRY_SECONDS = 1.0
DOUBT_SECONDS = 15.0
"""Seconds between two checks whether a busy agent is silent, and whether a budget's day has begun."""


class Report(NamedTuple):
    """Records that a runtime has reported, the future of the caller, and the `by` of the events."""

    records: list[Record]
    taken: asyncio.Future[None]
    by: str | None

    def succeed(self) -> None:
        """Notify the caller that the records are durable."""
        if not self.taken.done():
            self.taken.set_result(None)

    def fail(self, error: Unavailable) -> None:
        """Notify the caller that the records were not stored."""
        if not self.taken.done():
            self.taken.set_exception(error)


_NO_SESSIONS = SessionIndex()


class UsageTracker:
    """Publishes token use, budgets, runaways and activity; the source of agents publishes agents' statuses."""

    name = SOURCE

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._state = workspace.state
        self._activity = Activity()
        self._reports: list[Report] = []
        self._wake: Callable[[], None] | None = None
        self._sessions = SessionIndex()
        self._runtimes: frozenset[str] = frozenset()
        self._show_at: float | None = None
        self._doubtful = False
        self._stops = Stops()
        self._again_at = math.inf
        # The agents that the owners of sessions were last determined from; None if that has to be done again.
        self._agents: Mapping[str, Data] | None = None
        # Agents whose use is not published because a quota leaves them out; and those of them that appeared since.
        self._left_out: set[str] = set()
        self._appeared: set[str] = set()

    def committed(self, records: Sequence[Event]) -> None:
        """Note agents that were added, renamed or removed, since the owners of sessions then have to be found again.

        Also note a person's answers, since a decision to stop has to be stored.
        """
        if any(record.type == "question:answered" for record in records):
            # At once: the state may no longer have the question after the next commit.
            self._note_stops()
            if self._stops.has_news and self._wake is not None:
                self._wake()
        for record in records:
            if record.type == "agent:statusChange" and (id_ := self._left_out_in(record)) is not None:
                self._appeared.add(id_)
                if self._wake is not None:
                    self._wake()
            if self._agents is not None and self._alters(record, self._agents):
                self._forget_agents()

    def _left_out_in(self, record: Event) -> str | None:
        host = self._workspace.host
        id_ = str(record.data.get("agentId"))
        own = id_ if host is None else id_at_home(id_, host)
        return own if own in self._left_out else None

    def _alters(self, record: Event, known: Mapping[str, Data]) -> bool:
        if record.type == "state:baseline":
            return isinstance(record.data.get("agents"), list)
        if record.type not in ("agent:statusChange", "agent:updated", "agent:removed"):
            return False
        data, host = record.data, self._workspace.host
        id_ = str(data.get("agentId"))
        if host is not None:
            own = id_at_home(id_, host)
            if own is None:
                return False
            id_ = own
        if id_ not in known:
            # Agents without a folder are not among the known ones, but the table may still have them.
            return record.type == "agent:statusChange" and id_ not in self._workspace.runtimes.without_folder
        if record.type == "agent:removed":
            return True
        updates = data.get("updates" if record.type == "agent:updated" else "agent")
        return isinstance(updates, dict) and any(
            updates.get(field, kept) != kept for field, kept in known[id_].items()
        )

    def _forget_agents(self) -> None:
        self._agents = None
        if self._wake is not None:
            self._wake()

    def _known_agents(self) -> Mapping[str, Data]:
        """Return the agents that sessions may name; the same mapping object as long as they do not change."""
        if self._agents is None:
            gone = self._workspace.runtimes.without_folder
            table = self._state.table("agents")
            self._agents = {
                id_: {"name": agent.get("name"), "codename": agent.get("codename")}
                for id_, agent in table.items()
                if id_ not in gone
            }
        return self._agents

    async def report(self, records: Sequence[Record]) -> None:
        """Enter records that a runtime reports itself, as if they were in a transcript; return when they are durable.

        Raises:
            Overloaded: too many reports are waiting.
            Unavailable: the ledger is not kept at the moment, or the log cannot be written.
        """
        if self._wake is None:
            raise Unavailable("The runtimes are not read at the moment; send it again in a moment.")
        if len(self._reports) >= MAX_REPORTS:
            raise Overloaded("Too many reports of runtimes are waiting; send it again in a moment.")
        report = Report(list(records), asyncio.get_running_loop().create_future(), author())
        self._reports.append(report)
        self._wake()
        await report.taken

    def reads(self, runtime: str) -> bool:
        """Return whether this machine has transcripts of a runtime."""
        return runtime in self._runtimes

    @property
    def keeps_book(self) -> bool:
        """Whether reports are accepted at the moment."""
        return self._wake is not None

    def session(self, id_: str) -> KnownSession | None:
        """Return a session as the ledger had it last; None if it is not known, or the ledger is not kept."""
        return self.sessions.get(id_)

    def agents_of_sessions(self) -> dict[str, str]:
        """Return the agents of the sessions that the ledger knows, under their full ids; empty while it is not kept."""
        sessions = self.sessions
        full = {agent: self._state_id(agent) for agent in {session.agent for session in sessions.values()}}
        return {id_: full[session.agent] for id_, session in sessions.items()}

    @property
    def sessions(self) -> SessionIndex:
        """The sessions that the ledger knows; empty while no ledger is kept."""
        return _NO_SESSIONS if self._wake is None else self._sessions

    def stopped(self, agent_id: str) -> str | None:
        """Return why a person has stopped an agent for today when a budget was spent; None if it is not stopped."""
        self._note_stops()
        return self._stops.of(self._state_id(agent_id))

    def _note_stops(self) -> None:
        self._stops.note_answers(self._workspace.fleet.table("questions").values())

    def _state_id(self, agent_id: str) -> str:
        agents = self._workspace.fleet.table("agents").keys()
        return find_id(agent_id, agents, self._workspace.host) or agent_id

    async def run(self, feed: Feed) -> None:
        """Read and publish until cancelled."""
        try:
            await self._run(feed)
        finally:
            self._wake = None
            for report in self._take_reports():
                report.fail(Unavailable("The runtimes are being read again; send it again in a moment."))

    async def _run(self, feed: Feed) -> None:
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        if first:
            # A first reading that was interrupted is done again.
            stops = {key: kept for key, kept in memory.items() if key.startswith(STOPS)}
            await feed.publish([Step([], dict.fromkeys(memory.keys() - stops.keys()))])
            memory = stops
        self._stops.recall(memory)
        memory = {key: kept for key, kept in memory.items() if not key.startswith(STOPS)}
        await self._remember_stops(feed)
        self._budgets = Budgets(self._workspace.config.budgets)
        self._budgets.recall(memory)
        # It belongs to the feed's thread from here on; its results belong to the event loop.
        reading = self._reading = TranscriptScanner(self._workspace, feed.thread)
        watcher = TranscriptWatcher(feed)
        try:
            self._sessions = await feed.in_thread(lambda: SessionIndex(reading.recall(memory)))
            # Reports wait until the first reading is done.
            self._wake = watcher.inbox.put
            self._agents = None
            self._workspace.runtimes.follow_folders(self._forget_agents)
            await self._find(feed, watcher)
            await feed.others_looked("agents", AGENTS_SECONDS)
            if first:
                await self._baseline(feed)
            else:
                await self._read(feed, None, found_at_start=True)
            self._left_out = {
                one.agent for one in self._sessions.values() if not self._state.tokens.of(one.agent)
            }
            self._appeared = set(self._left_out)
            feed.await_room(watcher.inbox.put)
            await self._publish_left_out(feed)
            await self._show(feed)
            feed.running()
            look_at = monotonic() + DOUBT_SECONDS
            while True:
                batch = await watcher.inbox.take(self._patience())
                if self._stops.has_news:
                    await self._remember_stops(feed)
                await self._publish_left_out(feed)
                if self._reports:
                    await self._enter_reports(feed)
                    self._show_at = self._show_at or monotonic() + SHOW_SECONDS
                due = min(look_at, self._again_at)
                nothing_new = not (batch.paths or batch.trees) and self._agents is not None
                if self._show_at is not None and nothing_new and monotonic() < due:
                    if monotonic() >= self._show_at:
                        await self._show(feed)
                    await self._publish_activity(feed)
                    continue
                look_at = monotonic() + DOUBT_SECONDS
                if await self._find(feed, watcher):
                    batch.trees.add("")
                await self._read(feed, None if batch.trees else batch.paths, noticed=batch.noticed)
                await feed.in_thread(reading.check_alive)
                await self._show(feed)
                await self._publish_activity(feed)
        finally:
            await watcher.close()
            # On their own thread, and so after the last read from the databases.
            await feed.thread.close(reading.close)

    async def _find(self, feed: Feed, watcher: TranscriptWatcher) -> bool:
        """Find the runtimes' folders, and watch them; return whether anything has changed."""
        places = await feed.in_thread(self._reading.find)
        self._runtimes = frozenset(places.runtimes)
        await watcher.attend(places.roots)
        return places.changed

    def _patience(self) -> float:
        """Return the seconds after which to check again without a notification."""
        longest = RETRY_SECONDS if self._doubtful else DOUBT_SECONDS
        if self._reading.watches_processes:
            longest = min(longest, PROCESS_SECONDS)
        due = [at for at in (self._activity.due(), self._show_at, self._again_at) if at is not None]
        return max(0.0, min([longest, *(at - monotonic() for at in due)]))

    async def _baseline(self, feed: Feed) -> None:
        """Read everything that exists, and publish it as a baseline of the state, not as events."""
        found = TokenState()
        remembered: dict[str, bytes | None] = {}
        alerts: list[Draft] = []
        paths: set[str] | None = None
        more = True
        while more:
            brought = await self._read_page(feed, paths)
            more, paths = brought.more, set()
            remembered |= brought.changes
            alerts += self._alerts(feed, brought)
            enter_page(found, brought.page)
        parts = baseline_parts(found)
        drafts = [feed.draft("state:baseline", {"source": self.name, "tokens": part}) for part in parts]
        # One transaction: a baseline is published whole, or again.
        await feed.publish([Step([*drafts, *alerts], {**remembered, MARK: b"1"})])
        await self._publish_crossings(feed)

    async def _read(
        self,
        feed: Feed,
        paths: set[str] | None,
        *,
        noticed: float | None = None,
        found_at_start: bool = False,
    ) -> None:
        """Read the changed files page by page, and publish each page."""
        more = True
        while more:
            brought = await self._read_page(feed, paths)
            more, paths = brought.more, set()
            await self._publish_page(feed, brought, noticed=noticed, found_at_start=found_at_start)
        await self._publish_crossings(feed)

    async def _read_page(self, feed: Feed, paths: set[str] | None) -> ScanResult:
        """Read one page, and pass on the transcripts that were written to."""
        brought = await feed.in_thread(self._reading.read, paths, self._known_agents())
        self._know(brought)
        self._doubtful = brought.doubtful
        self._again_at = monotonic() + brought.again
        self._workspace.written.put(brought.written)
        feed.skipping(brought.unreadable)
        return brought

    def _know(self, brought: ScanResult) -> None:
        self._sessions.put(brought.sessions)
        self._sessions.forget(brought.forgotten)

    def _alerts(self, feed: Feed, brought: ScanResult) -> list[Draft]:
        return [feed.alert("warning", reason, path=path) for path, reason in brought.complaints]

    async def _publish_page(
        self,
        feed: Feed,
        brought: ScanResult,
        *,
        noticed: float | None = None,
        found_at_start: bool = False,
        by: str | None = None,
    ) -> None:
        """Publish a page, and store what is to be remembered with it; `by` is who has reported all of it."""
        page = brought.page
        left_out = {line.agent for line in page.uses} & self._left_out
        if complete := self._with_room(left_out):
            await self._complete(feed, page, complete)
        marked = {"foundAtStart": True} if found_at_start else {}
        figures = usage_events(self._state.tokens, page)
        drafts = [feed.draft("token:usage", {**data, **marked}) for data in figures]
        used = {line.agent for line in page.uses}
        changes = brought.changes | self._budgets.moved({one.after for one in page.transfers} - used, used)
        drafts += [feed.alert("warning", warning.message, **warning.details) for warning in page.warnings]
        drafts += self._alerts(feed, brought)
        for draft in drafts:
            draft.by = by
        if drafts or changes:
            refused = await feed.publish([Step(drafts, changes)], noticed=noticed)
            # A move to an agent is published in any case.
            given = {one.after for one in page.transfers}
            self._left_out = (self._left_out - (complete - refused) | refused) - given
        agents = self._state.table("agents")
        for agent, (at, summary) in page.activity.items():
            count = agents.get(agent, {}).get("fileCount", 0)
            self._activity.saw(agent, by=by, lastActivity=moment(at), activity=summary, fileCount=count)

    def _with_room(self, agents: Iterable[str]) -> set[str]:
        """Return those of these agents that are known, and as many others as there is room for."""
        known = self._state.table("agents")
        found = {agent for agent in agents if agent in known}
        rest = sorted(set(agents) - found)
        return found.union(rest[: self._workspace.quotas.room("agents")])

    async def _complete(self, feed: Feed, page: UsageBatch, agents: set[str]) -> None:
        """Add to a page all use of these agents, none of which has been published yet."""
        uses = await feed.in_thread(self._reading.uses_of, agents)
        whole = {line.session for line in uses}
        kept = {line: sums for line, sums in page.uses.items() if line.session not in whole}
        page.uses = {**kept, **uses}

    async def _publish_left_out(self, feed: Feed) -> None:
        """Publish the use of agents that a quota has left out, as far as there is room for them now."""
        due = (feed.take_left_out() | self._appeared) & self._left_out
        self._appeared = set()
        if agents := self._with_room(due):
            page = UsageBatch()
            await self._complete(feed, page, agents)
            await self._publish_uses(feed, page, agents)

    async def _publish_uses(self, feed: Feed, page: UsageBatch, agents: set[str]) -> None:
        drafts = [feed.draft("token:usage", data) for data in usage_events(self._state.tokens, page)]
        refused = await feed.publish([Step(drafts, self._budgets.moved(set(), agents))])
        self._left_out = self._left_out - agents | refused
        await self._publish_crossings(feed)

    async def _enter_reports(self, feed: Feed) -> None:
        """Enter the reports, publish them, and notify their callers when they are durable."""
        reports = self._take_reports()
        by_author: dict[str | None, list[Report]] = {}
        for report in reports:
            by_author.setdefault(report.by, []).append(report)
        more = False
        try:
            # A page for each author, since its events show it as `by`.
            for by, own in by_author.items():
                records = [report.records for report in own]
                brought = await feed.in_thread(self._reading.enter, records, self._known_agents(), by)
                self._know(brought)
                await self._publish_page(feed, brought, by=by)
                await self._publish_crossings(feed, by=by)
                for report in own:
                    report.succeed()
                more = more or brought.more
        except BaseException as error:
            for report in reports:
                report.fail(Unavailable(f"It could not be kept: {error}"))
            raise
        if more:
            await self._read(feed, set())

    def _take_reports(self) -> list[Report]:
        reports, self._reports = self._reports, []
        return reports

    async def _remember_stops(self, feed: Feed) -> None:
        self._note_stops()
        if changes := self._stops.changes():
            await feed.publish([Step([], changes)])

    async def _publish_activity(self, feed: Feed) -> None:
        if active := self._activity.drafts(feed, self._state.table("agents")):
            await feed.publish([Step(active, {})])

    async def _publish_crossings(self, feed: Feed, *, by: str | None = None) -> None:
        config = self._workspace.config.budgets
        for crossing in self._budgets.crossings(self._state):
            drafts = [feed.draft("token:threshold", crossing.data)]
            if config.on_exceed == "ask" and crossing.data["alert"] == "critical":
                # In one transaction with the threshold, so that a crossing is asked about once.
                drafts.append(feed.draft("question:asked", {"question": budget_question(crossing.data)}))
            # The question is asked by the server, not by the client that reported the use.
            drafts[0].by = by
            await feed.publish([Step(drafts, {crossing.key: crossing.memory})])

    async def _show(self, feed: Feed) -> None:
        self._show_at = None
        self._workspace.runtimes.replace(await feed.in_thread(self._reading.show))
