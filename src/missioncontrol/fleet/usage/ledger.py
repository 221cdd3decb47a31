"""The usage ledger: sessions and usage from the records of runtimes.

It is used on one thread only. The results of one reading are a batch, which is passed on complete, and published and
stored whole or not at all. A record that cannot be entered is skipped, counted and logged, and does not affect others.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Data, rfc3339
from missioncontrol.fleet.agent_status import OPEN, RuntimeAgent
from missioncontrol.fleet.usage.agent_sessions import AgentSessions
from missioncontrol.fleet.usage.budgets import day_of
from missioncontrol.fleet.usage.counted import Amount, Counted
from missioncontrol.fleet.usage.known import KnownSessions, encode_session
from missioncontrol.fleet.usage.lines import UsageKey, UsageTotals
from missioncontrol.fleet.usage.moves import Move, Transfer, transfers
from missioncontrol.fleet.usage.prices import price, stated_cost
from missioncontrol.fleet.usage.reconciled import NOTHING, Figures, Reconciled
from missioncontrol.fleet.usage.runaways import Baseline, Calls
from missioncontrol.fleet.usage.session_uses import enter
from missioncontrol.fleet.usage.sessions import Owners, Session
from missioncontrol.runtimes.lines import MAX_NAME
from missioncontrol.runtimes.records import Record, SessionInfo, ToolCall, Turn, Usage

logger = logging.getLogger(__name__)

FRESH_SECONDS = 600
"""How old a call or a response may be to be warned about: what is read long afterwards is history."""

MAX_CALLINGSESSIONS = 2_000
MAX_HABITS = 10_000
"""Of how many agents it is known what they usually spend in a minute."""

MAX_DEPTH = 8
"""How many sessions may have started each other, one after the other, and still be known as one tree."""

MAX_MOVED_USES = 800
"""How many uses are moved on one page, about: what is published in one transaction has room for a thousand events."""

SESSION, _HABIT = "session:", "habit:"


class UsageWarning(NamedTuple):
    """A warning that is to be published."""

    message: str
    details: dict[str, Any]


class UsageBatch:
    """What one reading has brought.

    `moved` are sessions that have become another agent's on this page, with the one before; `transfers` is what that
    makes of use that was published on earlier pages. The uses of the page itself are the new agent's.
    """

    def __init__(self) -> None:
        self.uses: dict[UsageKey, UsageTotals] = {}
        self.activity: dict[str, tuple[int, str]] = {}
        self.warnings: list[UsageWarning] = []
        self.sessions: set[str] = set()
        self.habits: set[str] = set()
        self.moved: dict[str, str] = {}
        self.moved_uses = 0
        self.transfers: list[Transfer] = []

    def agents(self) -> dict[str, list[tuple[UsageKey, UsageTotals]]]:
        """Return the uses by agent."""
        found: dict[str, list[tuple[UsageKey, UsageTotals]]] = {}
        for line, sums in self.uses.items():
            found.setdefault(line.agent, []).append((line, sums))
        return found


_habits = msgspec.json.Decoder(Baseline)


class UsageLedger:
    """All that is known of the runtimes' sessions. `refused` counts the records that could not be entered."""

    def __init__(self, owners: Owners, sessions: KnownSessions | None = None) -> None:
        self.sessions = KnownSessions() if sessions is None else sessions
        self.page = UsageBatch()
        self.refused = 0
        self._owners = owners
        self._counted = Counted()
        self._habits: dict[str, Baseline] = {}
        self._calls: dict[str, Calls] = {}
        self._standings = AgentSessions(self.sessions)
        self._forgotten: list[str] = []
        self._unsettled: dict[str, None] = {}
        self._by: str | None = None

    def recall(self, memory: Mapping[str, bytes], now: int) -> None:
        """Take over what was remembered; `now` in milliseconds since 1970."""
        self._counted.recall(memory, now)
        for key, kept in memory.items():
            if key.startswith(_HABIT):
                self._habits[key.removeprefix(_HABIT)] = _habits.decode(kept)
        self._forgotten = self.sessions.recall(
            (key.removeprefix(SESSION), kept) for key, kept in memory.items() if key.startswith(SESSION)
        )
        for id_, session in self.sessions.items():
            self._standings.changed(id_, session)
        # Agents may have changed while nothing was running.
        self._unsettled = dict.fromkeys(self.sessions.related())

    def know(self, agents: Mapping[str, Data]) -> None:
        """Take these as the agents that are known; with the next page sessions are those agents'."""
        for name in self._owners.know(agents):
            self._unsettled.update(dict.fromkeys(self.sessions.addressed(name)))

    @property
    def unsettled(self) -> bool:
        """Whether there are sessions of which it is to be found out on a next page whose they are now."""
        return bool(self._unsettled)

    def take(self, records: Iterable[Record], now: int, by: str | None = None) -> None:
        """Enter what was read onto the page; `now` in milliseconds since 1970, `by` is who has passed it on."""
        self._by = by
        for record in records:
            if len(record.session) > MAX_NAME:
                # It would become a key of stored sums.
                self.refused += 1
                if self.refused == 1:
                    reason = f"the id of a session has {len(record.session):,} characters"
                    logger.warning("usage.refused", extra={"record": type(record).__name__, "reason": reason})
                continue
            try:
                self._enter(record, now)
            except Exception:
                self.refused += 1
                if self.refused == 1:
                    logger.exception("usage.refused", extra={"record": type(record).__name__})

    def _enter(self, record: Record, now: int) -> None:
        if isinstance(record, Usage) and len(record.model) > MAX_NAME:
            record = msgspec.structs.replace(record, model=record.model[:MAX_NAME])
        if isinstance(record, SessionInfo):
            self._introduce(record)
        elif isinstance(record, Usage):
            self._use(record, now)
        elif isinstance(record, ToolCall):
            self._call(record, now)
        elif isinstance(record, Turn):
            self._turn(record, now)

    def take_batch(self) -> tuple[UsageBatch, dict[str, bytes | None]]:
        """Return the page with what is to be remembered, or with None to be forgotten, and begin a new one."""
        self._settle()
        page, self.page = self.page, UsageBatch()
        changes: dict[str, bytes | None] = {**self._counted.changes()}
        self._move(page)
        for line, sums in page.uses.items():
            if (session := self.sessions[line.session]).movable:
                enter(session.uses, line, sums)
        for id_ in page.sessions:
            changes[SESSION + id_] = encode_session(self.sessions[id_])
        for agent in page.habits:
            changes[_HABIT + agent] = msgspec.json.encode(self._habits[agent])
        while len(self._habits) > MAX_HABITS:
            agent = next(iter(self._habits))
            del self._habits[agent]
            changes[_HABIT + agent] = None
        forgotten = [*self._forgotten, *self.sessions.forget()]
        self._forgotten = []
        self._standings.forget(forgotten)
        changes |= dict.fromkeys((SESSION + id_ for id_ in forgotten), None)
        return page, changes

    def uses_of(self, agents: Collection[str]) -> dict[UsageKey, UsageTotals]:
        """Return all that the sessions of these agents have used so far, as far as it is kept; it goes through all."""
        found: dict[UsageKey, UsageTotals] = {}
        for id_, session in self.sessions.all():
            if session.agent in agents and session.movable:
                for use in session.uses:
                    line = UsageKey(session.agent, session.runtime, id_, use.model, use.day, use.source)
                    found.setdefault(line, UsageTotals()).add(use.sums())
        return found

    def doings(self, now: int, *, alive: Mapping[str, bool | None]) -> dict[str, RuntimeAgent]:
        """Return what each agent does, by its sessions; see `AgentSessions.doings`."""
        return self._standings.doings(now, alive=alive)

    def check_processes(self, living: Collection[str], over: Collection[str], now: int) -> None:
        """Note which sessions have a process.

        Args:
            living: the sessions whose process runs.
            over: those whose process has ended.
            now: the time in milliseconds since 1970.
        """
        self._standings.set_living(living)
        for id_ in over:
            if (session := self.sessions.peek(id_)) is not None and session.doing != "offline":
                # The time of its end is not known, so its last activity stays its own.
                self._turn(Turn(id_, session.at, "offline", evidence=session.evidence), now)

    def _changed(self, id_: str, session: Session) -> None:
        self.page.sessions.add(id_)
        self._standings.changed(id_, session)

    def _settle(self) -> None:
        """Find out again whose sessions are, where that may have changed."""
        while self._unsettled and self.page.moved_uses < MAX_MOVED_USES:
            id_, _ = self._unsettled.popitem()
            session = self.sessions.peek(id_)
            if session is not None and session.movable:
                owner = self._owner(session)
                if owner != (session.agent, session.name):
                    self._assign(id_, self.sessions[id_], owner)

    def _move(self, page: UsageBatch) -> None:
        """Let sessions that have become another agent's take along what they have used."""
        if not page.moved:
            return
        uses: dict[UsageKey, UsageTotals] = {}
        for line, sums in page.uses.items():
            if line.session in page.moved:
                line = line._replace(agent=self.sessions[line.session].agent)
            if line in uses:
                uses[line].add(sums)
            else:
                uses[line] = sums
        page.uses = uses
        moves: list[Move] = []
        for id_, before in page.moved.items():
            session = self.sessions[id_]
            if session.agent != before:
                moves.append(Move(id_, session.runtime, before, session.agent, session.uses))
        page.transfers = transfers(moves)

    def _introduce(self, info: SessionInfo) -> None:
        known = self.sessions.get(info.session)
        persona = info.persona
        if persona is not None and (len(persona) > MAX_NAME or (known is not None and known.addressed)):
            # A name in a later message does not say whose the session is, so its owner stays.
            persona = None
        is_home_known = info.agent is not None or info.cwd is not None
        if known is None:
            agent, name = self._owners.home(info)
            known = self.sessions[info.session] = Session(
                *(agent, name, info.runtime),
                parent=info.parent,
                placed=is_home_known,
                persona=persona,
                home=agent,
                home_name=name,
                movable=True,
            )
            known.agent, known.name = self._owner(known)
            known.called = self._is_called(known)
            # What it has started may have been read before.
            self._unsettled.update(dict.fromkeys(self.sessions.children(info.session)))
        elif (
            persona is not None
            or (known.parent is None and info.parent is not None)
            or (is_home_known and not known.placed)
        ):
            if persona is not None:
                known.persona = persona
                self.sessions.address(info.session, persona)
            if known.parent is None:
                known.parent = info.parent
                self.sessions.relate(info.session, known.parent)
            if is_home_known and not known.placed:
                at_home = known.agent == known.home
                known.home, known.home_name = home = self._owners.home(info)
                known.placed = True
                if at_home:
                    self._assign(info.session, known, home)
            self._assign(info.session, known, self._owner(known))
        elif known.addressed or info.first_user_message is None:
            return
        known.addressed |= info.first_user_message is not None
        self._changed(info.session, known)

    def _owner(self, session: Session) -> tuple[str, str]:
        """Return the id of the agent that a session belongs to, and a name for it where it has none of its own."""
        if session.persona is not None and (agent := self._owners.named(session.persona)) is not None:
            return agent, agent
        if session.parent is not None and (parent := self.sessions.peek(session.parent)) is not None:
            return parent.agent, parent.name
        # A parent that is not known any more has left it where it is; one that is not known yet finds it at home.
        is_left = session.parent is not None and not session.called
        if session.home is not None and not is_left:
            return session.home, session.home_name or session.home
        return session.agent, session.name

    def _is_called(self, session: Session) -> bool:
        return session.persona is not None and self._owners.named(session.persona) == session.agent

    def _assign(self, id_: str, session: Session, owner: tuple[str, str]) -> None:
        """Make a session an agent's, which is that of all it has started too."""
        agent, name = owner
        if (agent, name) != (session.agent, session.name):
            if agent != session.agent and session.movable:
                self.page.moved.setdefault(id_, session.agent)
                self.page.moved_uses += len(session.uses) + 1
            session.agent, session.name = agent, name
            session.called = self._is_called(session)
            self._unsettled.update(dict.fromkeys(self.sessions.children(id_)))
        self._changed(id_, session)

    def _session(self, id_: str, runtime: str) -> Session:
        session = self.sessions.get(id_)
        if session is None:
            self._introduce(SessionInfo(session=id_, runtime=runtime))
            session = self.sessions[id_]
        self._changed(id_, session)
        return session

    def _use(self, usage: Usage, now: int) -> None:
        whole = Amount(
            stated_cost(usage),
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            usage.cache_write_1h,
            usage.extra,
        )
        # A meter may be read as often as one likes; a response must be counted once.
        new: Amount | None = whole
        if usage.growth is None:
            new = self._counted.add(usage.key, usage.session, whole, former=usage.former_key, at=usage.at)
        if new is None:
            return
        session = self._session(usage.session, usage.runtime)
        if session.runtime == "unknown":
            session.runtime = usage.runtime
        session.model = usage.model or session.model
        calls = int(new is whole and usage.voice != "metrics")
        figures = Figures(new.cost or 0.0, calls, *new[1:5])
        if usage.voice == "transcript":
            session.firsthand = True
            session.written = session.written.plus(figures)
        reconciled = self._reconciled(usage)
        if reconciled is not None:
            if usage.growth is not None:
                figures = Figures(*(reconciled.grown(usage.growth, one) if one else 0 for one in figures))
            figures = reconciled.add(usage.voice, figures)
            stated = None if new.cost is None else figures.cost
            input_, output, read, written = (round(figure) for figure in figures[2:])
            new = Amount(stated, input_, output, read, written, min(new.cache_write_1h, written), new.extra)
            calls = round(figures.calls)
            if not any(figures):
                return
        cost, found = price(msgspec.structs.replace(usage, **new._asdict()))
        if reconciled is not None:
            reconciled.spend(cost)
        source = "telemetry" if found == "transcript" != usage.voice else found
        line = UsageKey(
            session.agent, usage.runtime, usage.session, usage.model or "unknown", day_of(usage.at), source
        )
        sums = self.page.uses.setdefault(line, UsageTotals())
        sums.input += new.input
        sums.output += new.output
        sums.cache_read += new.cache_read
        sums.cache_write += new.cache_write
        sums.calls += calls
        sums.cost += cost
        session.cost += cost
        if cost:
            self._spend(session, usage.at, cost, now)

    def _reconciled(self, usage: Usage) -> Reconciled | None:
        """Return the reconciled use of a tree of sessions; None while only its transcripts report it."""
        root_id = self._root(usage.session)
        root = self.sessions[root_id]
        if root.reconciled is None:
            if usage.voice == "transcript":
                return None
            tree = self.sessions.tree(root_id, MAX_DEPTH)
            written = NOTHING
            for session in tree:
                written = written.plus(session.written)
            reported = written._replace(cost=sum(session.cost for session in tree))
            root.reconciled = Reconciled(reported, {"transcript": written})
        self.page.sessions.add(root_id)
        return root.reconciled

    def _root(self, id_: str) -> str:
        """Return the root of the tree of sessions that this one belongs to."""
        for _ in range(MAX_DEPTH):
            parent = self.sessions[id_].parent
            if parent is None or parent not in self.sessions:
                break
            id_ = parent
        return id_

    def _spend(self, session: Session, at: int, cost: float, now: int) -> None:
        habit = self._habits.setdefault(session.agent, Baseline())
        self.page.habits.add(session.agent)
        usual = habit.add(at, cost)
        if usual is not None and now - at < FRESH_SECONDS * 1000:
            message = (
                f"{session.agent} has spent ${habit.spent:.2f} in one minute; ${usual:.2f} is usual. "
                f"This session has cost ${session.cost:.2f} so far."
            )
            details = {
                "agentId": session.agent,
                "runaway": "spending",
                "spentInMinute": round(habit.spent, 6),
                "usualInMinute": round(usual, 6),
                "costSoFar": round(session.cost, 6),
            }
            self.page.warnings.append(UsageWarning(message, details))

    def _call(self, call: ToolCall, now: int) -> None:
        session = self._session(call.session, "unknown")
        if not _counts(call, session):
            return
        calls = self._calls.get(call.session)
        if calls is None:
            if len(self._calls) >= MAX_CALLINGSESSIONS:
                del self._calls[next(iter(self._calls))]
            calls = self._calls[call.session] = Calls()
        if not calls.new(call.call_id, call.evidence):
            return
        known = self.page.activity.get(session.agent)
        if known is None or known[0] <= call.at:
            self.page.activity[session.agent] = (call.at, f"{call.name} {call.summary}".strip())
        loop = calls.add(call.name, call.arguments_digest, call.summary)
        if loop is not None and now - call.at < FRESH_SECONDS * 1000:
            message = (
                f"{session.agent} makes the same call again and again, {loop.count} times so far: "
                f"{loop.tool} {loop.summary}. This session has cost ${session.cost:.2f} so far."
            )
            details = {
                "agentId": session.agent,
                "runaway": "calls",
                "session": call.session,
                "tool": loop.tool,
                "call": loop.summary,
                "count": loop.count,
                "costSoFar": round(session.cost, 6),
            }
            self.page.warnings.append(UsageWarning(message, details))

    def _turn(self, turn: Turn, now: int) -> None:
        session = self._session(turn.session, "unknown")
        if not _counts(turn, session):
            return
        # Clocks differ: no turn is later than now, and the turns of one source count in the order of its reports.
        at = min(turn.at, now)
        if at < session.at and not (turn.in_order and session.in_order):
            return
        if session.holds and turn.status == "idle" and turn.evidence != session.evidence:
            return
        if turn.parallel and session.doing == "waiting" and session.evidence:
            # The source that reported the waiting also reports its end.
            return
        session.doing, session.at, session.detail = turn.status, at, turn.detail
        session.in_order, session.holds = turn.in_order, turn.holds
        session.evidence, session.by = turn.evidence, self._by
        if turn.status == "offline":
            for id_ in self.sessions.children(turn.session):
                child = self.sessions[id_]
                if child.doing in OPEN:
                    child.doing, child.at = "offline", turn.at
                    child.evidence, child.by = turn.evidence, self._by
                    self._changed(id_, child)


def _counts(record: ToolCall | Turn, session: Session) -> bool:
    """Return whether a record is news: what telemetry repeats of what is known first-hand is not."""
    if record.voice == "transcript":
        session.firsthand = True
    return record.voice == "transcript" or not session.firsthand


def moment(at: int) -> str:
    """Write a time in milliseconds since 1970."""
    return rfc3339(at).decode()
