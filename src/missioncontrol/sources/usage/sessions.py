"""Sessions: whose each is, what it does, and what that makes of its agent's status.

An agent may have many. It is busy if one of them is, waiting if one of them waits for somebody, else it is as its last
one ended. A busy session that has shown no sign for `SILENT_SECONDS` may have died without a word: it is called silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from missioncontrol.events import Data
from missioncontrol.sources.runtimes import RuntimeAgent
from missioncontrol.sources.transcripts.records import SessionInfo
from missioncontrol.sources.usage.reconciled import NOTHING, Figures, Reconciled

SILENT_SECONDS = 900

Doing = Literal["busy", "idle", "waiting", "error", "offline", "unknown"]

_NAMES = {"openclaw": "OpenClaw", "claude": "Claude Code", "codex": "Codex"}
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Session(msgspec.Struct, omit_defaults=True):
    """A session as it is remembered; times in milliseconds since 1970, `cost` in US dollars.

    `placed` says that it is known whose it is, `firsthand` that more than telemetry tells of it. `written` is what its
    transcript has counted, `reconciled` what was heard of it and of all that it started, where telemetry tells of it.
    `addressed` says that its first user message is known, by which it was found out whose it is.
    """

    agent: str
    name: str
    runtime: str
    parent: str | None = None
    doing: Doing = "unknown"
    at: int = 0
    detail: str | None = None
    evidence: str | None = None
    model: str | None = None
    cost: float = 0.0
    placed: bool = False
    firsthand: bool = False
    written: Figures = NOTHING
    reconciled: Reconciled | None = None
    addressed: bool = False


class Owners:
    """Finds out whose a session is.

    - A session whose first user message says "You are NAME" belongs to NAME where the workspace knows that agent.
    - A sub-agent's session belongs to whom its parent belongs.
    - OpenClaw keeps an agent's sessions in a folder of its name.
    - Else it is the agent in whose folder it works; and where there is none, the runtime in that folder is an agent.
    """

    def __init__(self, workspace: Path, agents: Mapping[str, Data], homes: Mapping[Path, str]) -> None:
        """Prepare.

        Args:
            workspace: the workspace that is watched.
            agents: the agents that are known, by id; looked at anew for each session.
            homes: the folders in which agents of a runtime work, with the agents' ids.
        """
        self._workspace = workspace
        self._agents = agents
        self._homes = homes
        self._folders: dict[str, str] = {}

    def owner(self, info: SessionInfo, parent: Session | None) -> tuple[str, str]:
        """Return the id of the agent that a session belongs to, and a name for it where it has none of its own."""
        if info.persona is not None and (known := self._known(info.persona)) is not None:
            return known, info.persona
        if parent is not None:
            return parent.agent, parent.name
        if info.agent is not None:
            return info.agent, info.agent
        if info.cwd is not None and (home := self._at_home(Path(info.cwd))) is not None:
            return home, home
        folder = info.cwd or ""
        last = Path(folder).name or "home"
        return self._named_after(
            info.runtime, folder, last
        ), f"{_NAMES.get(info.runtime, info.runtime)} · {last}"

    def _known(self, persona: str) -> str | None:
        wanted = persona.casefold()
        for id_, agent in self._agents.items():
            if wanted in (id_.casefold(), str(agent.get("name", "")).casefold()):
                return id_
        return None

    def _at_home(self, cwd: Path) -> str | None:
        for folder in (cwd, *cwd.parents):
            if folder in self._homes:
                return self._homes[folder]
            if folder.parent.name == "agents" and folder.is_relative_to(self._workspace):
                return folder.name
        return None

    def _named_after(self, runtime: str, folder: str, last: str) -> str:
        id_ = f"{runtime}-{_UNFIT.sub('-', last)}"
        if self._folders.setdefault(id_, folder) == folder:
            return id_
        # Another folder of the same name: its path tells them apart, in the same way after every restart.
        return f"{id_}-{_UNFIT.sub('-', folder).strip('-')[-40:]}"


def doings(sessions: Iterable[Session], now: int, *, gateway_alive: bool | None) -> dict[str, RuntimeAgent]:
    """Say what each agent does, by its sessions.

    Args:
        sessions: all that are known.
        now: the time in milliseconds since 1970.
        gateway_alive: whether OpenClaw's gateway runs; None where nobody knows.
    """
    by_agent: dict[str, list[Session]] = {}
    for session in sessions:
        by_agent.setdefault(session.agent, []).append(session)
    return {agent: _doing(of_agent, now, gateway_alive) for agent, of_agent in by_agent.items()}


def _doing(sessions: list[Session], now: int, gateway_alive: bool | None) -> RuntimeAgent:
    newest = max(sessions, key=lambda session: session.at)
    open_ = [session for session in sessions if session.doing in ("busy", "waiting")]
    live = [session for session in open_ if now - session.at < SILENT_SECONDS * 1000]
    shown, status = newest, str(newest.doing)
    for doing in ("waiting", "busy"):
        if found := [session for session in live if session.doing == doing]:
            shown, status = max(found, key=lambda session: session.at), doing
    if status in ("busy", "waiting"):
        if shown.runtime == "openclaw" and gateway_alive is False:
            status = "offline"
        elif shown not in live:
            status = "silent"
    # The status stands in the agent's own words elsewhere; here in those that every reader knows.
    return RuntimeAgent(
        runtime=shown.runtime,
        name=newest.name,
        status=status,
        at=shown.at,
        evidence=shown.evidence or f"{_NAMES.get(shown.runtime, shown.runtime)} transcript",
        detail=shown.detail if status in ("error", "waiting") else None,
        model=newest.model,
    )
