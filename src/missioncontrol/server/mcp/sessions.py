"""Who is there over MCP: the sessions, and the agents that have reported themselves in them.

An agent is said to be offline when the session ends in which it has reported itself, or when nothing has been heard
of it for the idle time. A stop of the server says nothing of its agents: they come back, and those that the state
still has from before are waited for as long as any other.

Invariant: what is kept here is bounded by the sessions that the protocol keeps, and by the agents that were heard of
within the idle time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from missioncontrol.backoff import Backoff
from missioncontrol.errors import InputError, Unavailable
from missioncontrol.events import Data, Draft, now, rfc3339
from missioncontrol.events.hosts import id_at_home
from missioncontrol.server.service import Service

SOURCE = "mcp"
"""What stands as `statusSource` of an agent that reports itself, and as the source of all that is told over MCP."""

OWN = "x:"
"""What the keys of sessions begin with that are a client's own, and none of the protocol's."""

MAX_LOOK_SECONDS = 30.0
MAX_RETRY_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass
class _Session:
    heard: float
    requests: int = 0
    agents: set[str] = field(default_factory=set)


class Sessions:
    """The sessions by their keys. `ended` is called with the key of each one that is over."""

    def __init__(self, service: Service, idle: float) -> None:
        """Begin with none.

        Args:
            service: the running parts.
            idle: seconds of silence after which a session is over.
        """
        self._service = service
        self._idle = idle
        self._sessions: dict[str, _Session] = {}
        self._looking: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self.ended: Callable[[str], None] = lambda key: None

    def __len__(self) -> int:
        return len(self._sessions)

    def resume(self) -> None:
        """Wait for the agents of this host that had reported themselves before the server was started."""
        host = self._service.host_name
        for id_, agent in self._service.state.table("agents").items():
            own = host is None or id_at_home(id_, host) is not None
            if own and agent.get("statusSource") == SOURCE and agent.get("kind") != "offline":
                self.reported(None, id_)

    @contextmanager
    def request(self, key: str | None) -> Iterator[None]:
        """Keep a session while one of its requests is answered."""
        if key is None:
            yield
            return
        session = self._session(key)
        session.requests += 1
        try:
            yield
        finally:
            session.requests -= 1
            session.heard = monotonic()
            if key.startswith(OWN) and not session.requests and not session.agents:
                # Of a client's own making, so there is no end to them.
                self._sessions.pop(key, None)

    def reported(self, key: str | None, agent: str) -> None:
        """Note that an agent is there; without a session it is by itself."""
        session = self._session(_alone(agent) if key is None else key)
        session.agents.add(agent)
        session.heard = monotonic()
        if key is not None:
            self._sessions.pop(_alone(agent), None)

    def heard(self, key: str | None, agent: str) -> None:
        """Note that an agent that was by itself is heard of, perhaps in a session now."""
        if _alone(agent) in self._sessions:
            self.reported(key, agent)

    def left(self, agent: str) -> None:
        """Note that an agent has said by itself that it is offline."""
        self._sessions.pop(_alone(agent), None)
        for session in self._sessions.values():
            session.agents.discard(agent)

    def end(self, key: str) -> None:
        """End a session, and say that its agents are offline that are in no other one."""
        session = self._sessions.pop(key, None)
        if session is None:
            return
        self.ended(key)
        for agent in session.agents:
            if not self._is_there(agent):
                task = self._service.background.begin("mcp agents", self._say_offline(agent))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    async def stop(self) -> None:
        """Let go of all; what is being told is told first, if that is possible at once."""
        if self._looking is not None:
            self._looking.cancel()
        if self._telling:
            await asyncio.wait(self._telling, timeout=1.0)
        tasks = [*self._telling, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._looking = None
        self._sessions.clear()

    def _session(self, key: str) -> _Session:
        if self._looking is None:
            self._looking = self._service.background.keep("mcp sessions", self._look)
        return self._sessions.setdefault(key, _Session(monotonic()))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(min(MAX_LOOK_SECONDS, self._idle / 4))
            due = monotonic() - self._idle
            for key, session in list(self._sessions.items()):
                if not session.requests and session.heard <= due:
                    try:
                        self.end(key)
                    except Exception:
                        # It is forgotten by now; the others are looked at all the same.
                        logger.exception("mcp.session_not_ended")

    def _is_there(self, agent: str) -> bool:
        return any(agent in session.agents for session in self._sessions.values())

    async def _say_offline(self, agent: str) -> None:
        backoff = Backoff(0.1, MAX_RETRY_SECONDS)
        while not self._is_there(agent) and not self._service.draining:
            known = self._service.state.table("agents").get(agent)
            if known is None or known.get("statusSource") != SOURCE or known.get("kind") == "offline":
                return
            try:
                await self._service.publish([status_draft(agent, "offline", known)], by=None)
            except Unavailable:
                await asyncio.sleep(backoff.next())
            except InputError as error:
                logger.error("mcp.agent_not_told", extra={"agent": agent, "reason": str(error)})
                return
            else:
                return


def status_draft(agent: str, status: str, known: Data | None, whole: Data | None = None) -> Draft:
    """Make the event that says what an agent does now.

    Args:
        agent: its id.
        status: in its own words.
        known: its record before; None for a new one.
        whole: its record after, where more of it changes.
    """
    time = rfc3339(now()).decode()
    data: Data = {
        "agentId": agent,
        "status": status,
        "previousStatus": None if known is None else known.get("status"),
        "statusSource": SOURCE,
        "confirmed": time,
        "timestamp": time,
    }
    if status != "offline":
        data["lastActive"] = time
    if whole is not None:
        data["agent"] = whole
    return Draft("agent:statusChange", data, source=SOURCE)


def _alone(agent: str) -> str:
    """Return the key of an agent that is in no session; no key of a session begins so."""
    return f" {agent}"
