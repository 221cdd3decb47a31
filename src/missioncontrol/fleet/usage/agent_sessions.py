"""The sessions that decide what each agent does: a change costs the same however many sessions there are.

An agent is as its newest session is, or as one of those that are open. Only agents whose sessions have changed, or
that have open ones, which may have fallen silent, are judged again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from missioncontrol.fleet.agent_status import OPEN, RuntimeAgent, by_sessions, is_silent
from missioncontrol.fleet.usage.sessions import Session

MAX_AGENTS = 10_000
"""How many agents are kept; those that are known for longest, and have no open session, go first."""


class _Agent:
    __slots__ = ("newest", "newest_id", "open")

    def __init__(self, id_: str, session: Session) -> None:
        self.newest_id = id_
        self.newest = session
        self.open: dict[str, Session] = {}


class AgentSessions:
    """The agents, by what their sessions show."""

    def __init__(self, sessions: Mapping[str, Session], max_agents: int = MAX_AGENTS) -> None:
        """Prepare; `sessions` are searched only when a session turns out to be another agent's."""
        self._sessions = sessions
        self._max_agents = max_agents
        self._agents: dict[str, _Agent] = {}
        self._made: dict[str, RuntimeAgent] = {}
        self._open: set[str] = set()
        self._changed: dict[str, Session] = {}
        self._owners: dict[str, str] = {}
        self._alive: dict[str, bool | None] = {}
        self._living: frozenset[str] = frozenset()

    def changed(self, id_: str, session: Session) -> None:
        """Note that a session is new, or another than it was."""
        self._changed[id_] = session

    def set_living(self, ids: Collection[str]) -> None:
        """Note which sessions have a process that runs: these, and no others."""
        living = frozenset(ids)
        for id_ in living ^ self._living:
            if (session := self._sessions.get(id_)) is not None:
                self._changed[id_] = session
        self._living = living

    def forget(self, ids: Iterable[str]) -> None:
        """Sessions are not known any more; their agents stay as they were last."""
        for id_ in ids:
            self._owners.pop(id_, None)

    def doings(self, now: int, *, alive: Mapping[str, bool | None]) -> dict[str, RuntimeAgent]:
        """Return what each agent does.

        Args:
            now: the time in milliseconds since 1970.
            alive: whether the process runs that runs a runtime's sessions, by the runtime's name, where that is known.
        """
        judged = set(self._agents) if alive != self._alive else set(self._open)
        self._alive = dict(alive)
        lacking: set[str] = set()
        for id_, session in self._changed.items():
            judged.update(self._place(id_, session, lacking))
        self._changed.clear()
        self._find_newest(lacking)
        for agent in judged:
            if (known := self._agents.get(agent)) is None:
                self._made.pop(agent, None)
                self._open.discard(agent)
                continue
            living = [one for id_, one in known.open.items() if id_ in self._living]
            self._made[agent] = by_sessions([known.newest, *known.open.values()], now, alive, living)
            silent = [
                id_ for id_, one in known.open.items() if is_silent(one, now) and id_ not in self._living
            ]
            for id_ in silent:
                del known.open[id_]
            (self._open.add if known.open else self._open.discard)(agent)
        if len(self._agents) > self._max_agents:
            for agent in [one for one in self._agents if one not in self._open]:
                if len(self._agents) <= self._max_agents:
                    break
                del self._agents[agent], self._made[agent]
        return dict(self._made)

    def _place(self, id_: str, session: Session, lacking: set[str]) -> set[str]:
        """Put a session to its agent, and return the agents that this changes; `lacking` are those without a newest."""
        touched = {session.agent}
        before = self._owners.get(id_)
        self._owners[id_] = session.agent
        if before is not None and before != session.agent and (old := self._agents.get(before)) is not None:
            touched.add(before)
            old.open.pop(id_, None)
            if old.newest_id == id_:
                lacking.add(before)
        known = self._agents.get(session.agent)
        if known is None:
            known = self._agents[session.agent] = _Agent(id_, session)
        elif known.newest_id == id_ or session.at > known.newest.at:
            known.newest_id, known.newest = id_, session
        if session.doing in OPEN or id_ in self._living:
            known.open[id_] = session
        else:
            known.open.pop(id_, None)
        return touched

    def _find_newest(self, agents: set[str]) -> None:
        """Let the newest of the sessions that are left to these agents take the place of one that is not theirs."""
        if not agents:
            return
        # In one pass for all of them: many sessions may move at once.
        newest: dict[str, tuple[str, Session]] = {}
        for id_, session in self._sessions.items():
            if session.agent in agents:
                known = newest.get(session.agent)
                if known is None or session.at > known[1].at:
                    newest[session.agent] = (id_, session)
        for agent in agents:
            if agent in newest:
                self._agents[agent].newest_id, self._agents[agent].newest = newest[agent]
            else:
                del self._agents[agent]
