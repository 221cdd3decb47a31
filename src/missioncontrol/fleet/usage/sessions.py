"""Sessions: whose each is, and what it does."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Literal, NamedTuple

import msgspec

from missioncontrol.events import Data
from missioncontrol.fleet.usage.prices import UNPRICED
from missioncontrol.fleet.usage.reconciled import NOTHING, Figures, Reconciled
from missioncontrol.fleet.usage.session_uses import SessionUse
from missioncontrol.runtimes.persona import Names, folded, without_signs
from missioncontrol.runtimes.records import SessionInfo
from missioncontrol.runtimes.registry import title_of

Doing = Literal["busy", "idle", "waiting", "error", "offline", "unknown"]

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Session(msgspec.Struct, omit_defaults=True):
    """A session as it is stored; times in milliseconds since 1970, `cost` in US dollars.

    `by` is who reported its activity, if that was not read in its transcript; `in_order` is whether it was, so that
    turns are in order whatever the clock shows. `holds` is whether its status stays until its source reports again.
    `placed` is whether its owner is known, `firsthand` whether it is reported by more than telemetry. `written` is the
    use that its transcript has counted, `reconciled` the use of it and of the sessions that it started, if telemetry
    reports it. `addressed` is whether its first user message is known, `persona` the text after "You are" in it, and
    `called` whether that names its agent. `home` is its agent if no agent has that name and no session has started it.
    `uses` is its use so far, which moves with it to another agent; it is complete only if `movable`, which sessions of
    earlier releases are not.
    """

    agent: str
    name: str
    runtime: str
    parent: str | None = None
    doing: Doing = "unknown"
    at: int = 0
    detail: str | None = None
    evidence: str | None = None
    in_order: bool = False
    holds: bool = False
    by: str | None = None
    model: str | None = None
    cost: float = 0.0
    placed: bool = False
    firsthand: bool = False
    written: Figures = NOTHING
    reconciled: Reconciled | None = None
    addressed: bool = False
    persona: str | None = None
    called: bool = False
    home: str | None = None
    home_name: str | None = None
    movable: bool = False
    uses: list[SessionUse] = []

    def known(self) -> KnownSession:
        """Return the current values that are shown of it."""
        return KnownSession(self.agent, self.runtime, self.doing, self.at, self._totals())

    def _totals(self) -> SessionTotals | None:
        if not self.movable:
            return None
        return SessionTotals(
            tokens=sum(use.tokens for use in self.uses),
            unpriced=sum(use.tokens for use in self.uses if use.source == UNPRICED.source),
            cost=sum(use.cost for use in self.uses),
            days=tuple(sorted({sys.intern(use.day) for use in self.uses if use.day})),
        )


class SessionTotals(NamedTuple):
    """What a session has used so far; `cost` in US dollars, `unpriced` are the tokens that have no price.

    `days` are those on which it has used anything, as far back as its days are kept.
    """

    tokens: int
    unpriced: int
    cost: float
    days: tuple[str, ...]


class KnownSession(NamedTuple):
    """What of a session is shown outside the ledger: a value, which does not change with the ledger.

    `totals` is None where not all of its use is known.
    """

    agent: str
    runtime: str
    doing: Doing
    at: int
    totals: SessionTotals | None = None


class Owners:
    """Finds out whose a session is.

    - A session whose first user message says "You are NAME" belongs to NAME where the workspace knows an agent by that
      name, codename or id; see `Names.called`.
    - A sub-agent's session belongs to whom its parent belongs.
    - A runtime may keep its sessions by agent.
    - Else it is the agent in whose folder it works; and where there is none, the runtime in that folder is an agent.

    The first may change at any time, as agents appear, are renamed and go; so each is a question of its own.
    """

    def __init__(self, workspace: Path, agents: Mapping[str, Data], homes: Mapping[Path, str]) -> None:
        """Prepare.

        Args:
            workspace: the workspace that is watched.
            agents: the agents that are known, by id; see `know`.
            homes: the folders in which agents of a runtime work, with the agents' ids.
        """
        self._workspace = workspace
        self._homes = homes
        self._folders: dict[str, str] = {}
        self._names = Names()
        self.know(agents)

    def know(self, agents: Mapping[str, Data]) -> list[str]:
        """Take these as the agents that are known, and return the names that mean another agent than before.

        An id goes before another agent's name, and a name before a codename; of several with one name the first by id
        has it. Last come the names without emoji around them, and the ids with blanks between their words.
        """
        named = {folded(id_): id_ for id_ in sorted(agents, reverse=True)}
        for field in ("name", "codename"):
            for id_ in sorted(agents):
                if isinstance(name := agents[id_].get(field), str) and (name := folded(name)):
                    named.setdefault(name, id_)
        for name, id_ in list(named.items()):
            if plain := without_signs(name):
                named.setdefault(plain, id_)
        for id_ in sorted(agents):
            if words := folded(id_.replace("-", " ").replace("_", " ")):
                named.setdefault(words, id_)
        before, self._names = self._names.owners, Names(named)
        return [name for name in before.keys() | named.keys() if before.get(name) != named.get(name)]

    def named(self, persona: str) -> str | None:
        """Return the id of the agent that a first user message means; None where there is none of that name."""
        return self._names.called(persona)

    def home(self, info: SessionInfo) -> tuple[str, str]:
        """Return whose a session is by where it is kept or works: the agent's id, and a name where it has none."""
        if info.agent is not None:
            return info.agent, info.agent
        if info.cwd is not None and (home := self._at_home(Path(info.cwd))) is not None:
            return home, home
        folder = info.cwd or ""
        # Runtimes run on Windows too, and a folder may be synced from there.
        last = (PureWindowsPath(folder) if _WINDOWS.match(folder) else Path(folder)).name or "home"
        return self._named_after(info.runtime, folder, last), f"{title_of(info.runtime)} · {last}"

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
        # Another folder of the same name: the path distinguishes them, in the same way after every restart.
        return f"{id_}-{_UNFIT.sub('-', folder).strip('-')[-40:]}"
