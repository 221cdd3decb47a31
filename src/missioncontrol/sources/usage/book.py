"""The book that is kept of what runtimes leave behind: positions, sessions, what was counted.

It is kept in a thread, page by page. A page is what one reading has brought; it is told, and remembered, whole or not
at all, and while that lasts nothing more is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import rfc3339
from missioncontrol.sources.transcripts.records import Record, SessionInfo, ToolCall, Turn, Usage
from missioncontrol.sources.usage.budgets import day_of
from missioncontrol.sources.usage.counted import Amount, Counted
from missioncontrol.sources.usage.prices import price
from missioncontrol.sources.usage.reconciled import NOTHING, Figures, Reconciled
from missioncontrol.sources.usage.runaways import Calls, Habit
from missioncontrol.sources.usage.sessions import Owners, Session

FRESH_SECONDS = 600
"""How old a call or a response may be to be warned about: what is read long afterwards is history."""

MAX_CALLING_SESSIONS = 2_000
MAX_DEPTH = 8
"""How many sessions may have started each other, one after the other, and still be known as one tree."""


class Line(NamedTuple):
    """What the uses are summed by."""

    agent: str
    runtime: str
    session: str
    model: str
    day: str
    source: str


class Sums:
    """Tokens, calls and US dollars."""

    __slots__ = ("cache_read", "cache_write", "calls", "cost", "input", "output")

    def __init__(self) -> None:
        self.input = self.output = self.cache_read = self.cache_write = self.calls = 0
        self.cost = 0.0

    @property
    def tokens(self) -> int:
        """The sum of all four kinds."""
        return self.input + self.output + self.cache_read + self.cache_write


class Concern(NamedTuple):
    """Something that is to be told as a warning."""

    message: str
    details: dict[str, Any]


class Page:
    """What one reading has brought."""

    def __init__(self) -> None:
        self.uses: dict[Line, Sums] = {}
        self.activity: dict[str, tuple[int, str]] = {}
        self.warnings: list[Concern] = []
        self.sessions: set[str] = set()
        self.habits: set[str] = set()

    def agents(self) -> dict[str, list[tuple[Line, Sums]]]:
        """Return the uses by agent."""
        found: dict[str, list[tuple[Line, Sums]]] = {}
        for line, sums in self.uses.items():
            found.setdefault(line.agent, []).append((line, sums))
        return found


class Book:
    """All that is known of the runtimes' sessions."""

    def __init__(self, owners: Owners) -> None:
        self.sessions: dict[str, Session] = {}
        self.page = Page()
        self._owners = owners
        self._counted = Counted()
        self._habits: dict[str, Habit] = {}
        self._calls: dict[str, Calls] = {}

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered."""
        self._counted.recall(memory)
        for key, kept in memory.items():
            kind, _, name = key.partition(":")
            if kind == "session":
                self.sessions[name] = msgspec.json.decode(kept, type=Session)
            elif kind == "habit":
                self._habits[name] = msgspec.json.decode(kept, type=Habit)

    def take(self, records: Iterable[Record], now: int) -> None:
        """Enter what was read onto the page; `now` in milliseconds since 1970."""
        for record in records:
            if isinstance(record, SessionInfo):
                self._introduce(record)
            elif isinstance(record, Usage):
                self._use(record, now)
            elif isinstance(record, ToolCall):
                self._call(record, now)
            elif isinstance(record, Turn):
                self._turn(record)

    def turn_page(self) -> tuple[Page, dict[str, bytes]]:
        """Return the page, with what is to be remembered along with it, and begin a new one."""
        page, self.page = self.page, Page()
        changes = self._counted.changes()
        for id_ in page.sessions:
            changes[f"session:{id_}"] = msgspec.json.encode(self.sessions[id_])
        for agent in page.habits:
            changes[f"habit:{agent}"] = msgspec.json.encode(self._habits[agent])
        return page, changes

    def _introduce(self, info: SessionInfo) -> None:
        known = self.sessions.get(info.session)
        if known is not None and known.addressed and info.persona is not None:
            # Whoever is named in a later message is spoken of; the session is still whose it was.
            info = msgspec.structs.replace(info, persona=None)
        parent = self.sessions.get(info.parent) if info.parent is not None else None
        agent, name = self._owners.owner(info, parent)
        placed = parent is not None or not (info.agent is None and info.cwd is None and info.persona is None)
        if known is None:
            known = self.sessions[info.session] = Session(
                agent, name, info.runtime, parent=info.parent, placed=placed
            )
        elif (
            info.persona is not None
            or (known.parent is None and info.parent is not None)
            or (placed and not known.placed)
        ):
            # What was spent before this was known stays where it was told.
            known.agent, known.name, known.parent = agent, name, info.parent or known.parent
            known.placed = placed
        elif known.addressed or info.first_user_message is None:
            return
        known.addressed |= info.first_user_message is not None
        self.page.sessions.add(info.session)

    def _session(self, id_: str, runtime: str) -> Session:
        session = self.sessions.get(id_)
        if session is None:
            self._introduce(SessionInfo(session=id_, runtime=runtime))
            session = self.sessions[id_]
        self.page.sessions.add(id_)
        return session

    def _use(self, usage: Usage, now: int) -> None:
        told = Amount(
            usage.cost, usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h
        )
        # A meter may be read as often as one likes; a response must be told once.
        new = told if usage.growth is not None else self._counted.add(usage.key, told)
        if new is None:
            return
        session = self._session(usage.session, usage.runtime)
        session.model = usage.model or session.model
        calls = int(new is told and usage.voice != "metrics")
        figures = Figures(new.cost or 0.0, calls, *new[1:5])
        if usage.voice == "transcript":
            session.firsthand = True
            session.written = session.written.plus(figures)
        reconciled = self._reconciled(usage)
        if reconciled is not None:
            if usage.growth is not None:
                figures = Figures(*(reconciled.grown(usage.growth, one) if one else 0 for one in figures))
            figures = reconciled.hear(usage.voice, figures)
            stated = None if new.cost is None else figures.cost
            input_, output, read, written = (round(figure) for figure in figures[2:])
            new = Amount(stated, input_, output, read, written, min(new.cache_write_1h, written))
            calls = round(figures.calls)
            if not any(figures):
                return
        cost, found = price(msgspec.structs.replace(usage, **new._asdict()))
        if reconciled is not None:
            reconciled.spend(cost)
        source = "telemetry" if found == "transcript" != usage.voice else found
        line = Line(
            session.agent, usage.runtime, usage.session, usage.model or "unknown", day_of(usage.at), source
        )
        sums = self.page.uses.setdefault(line, Sums())
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
        """Return what is known of a use's tree of sessions; None while its transcripts are all that tells of it."""
        root_id = self._root(usage.session)
        root = self.sessions[root_id]
        if root.reconciled is None:
            if usage.voice == "transcript":
                return None
            tree = [
                session
                for id_, session in self.sessions.items()
                if id_ == root_id or (session.parent is not None and self._root(id_) == root_id)
            ]
            written = NOTHING
            for session in tree:
                written = written.plus(session.written)
            told = written._replace(cost=sum(session.cost for session in tree))
            root.reconciled = Reconciled(told, {"transcript": written})
        self.page.sessions.add(root_id)
        return root.reconciled

    def _root(self, id_: str) -> str:
        """Return the session that began all that this one belongs to."""
        for _ in range(MAX_DEPTH):
            parent = self.sessions[id_].parent
            if parent is None or parent not in self.sessions:
                break
            id_ = parent
        return id_

    def _spend(self, session: Session, at: int, cost: float, now: int) -> None:
        habit = self._habits.setdefault(session.agent, Habit())
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
            self.page.warnings.append(Concern(message, details))

    def _call(self, call: ToolCall, now: int) -> None:
        session = self._session(call.session, "unknown")
        if not _counts(call, session):
            return
        calls = self._calls.get(call.session)
        if calls is None:
            if len(self._calls) >= MAX_CALLING_SESSIONS:
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
            self.page.warnings.append(Concern(message, details))

    def _turn(self, turn: Turn) -> None:
        session = self._session(turn.session, "unknown")
        if not _counts(turn, session):
            return
        if turn.at < session.at or (turn.beside and session.doing == "waiting" and session.evidence):
            # What a session waits for, whoever asked for it says when that is over.
            return
        session.doing, session.at, session.detail = turn.status, turn.at, turn.detail
        session.evidence = turn.evidence
        if turn.status == "offline":
            for id_, child in self.sessions.items():
                if child.parent == turn.session and child.doing in ("busy", "waiting"):
                    child.doing, child.at, child.evidence = "offline", turn.at, turn.evidence
                    self.page.sessions.add(id_)


def _counts(record: ToolCall | Turn, session: Session) -> bool:
    """Say whether a record is news: what telemetry repeats of what is known first-hand is not."""
    if record.voice == "transcript":
        session.firsthand = True
    return record.voice == "transcript" or not session.firsthand


def use_of(line: Line, sums: Sums) -> dict[str, Any]:
    """Write one entry of an event's `delta.uses`."""
    return {
        "session": line.session,
        "runtime": line.runtime,
        "model": line.model,
        "day": line.day,
        "tokens": sums.tokens,
        "input": sums.input,
        "output": sums.output,
        "cacheRead": sums.cache_read,
        "cacheWrite": sums.cache_write,
        "calls": sums.calls,
        "cost": sums.cost,
        "costSource": line.source,
    }


def moment(at: int) -> str:
    """Write a time in milliseconds since 1970."""
    return rfc3339(at).decode()
