"""The agents' own workspaces, next to the watched workspace or anywhere else.

Their paths are relative to the watched workspace like all others, so most begin with `../`. Each folder has exactly
one path.

The event loop replaces all data at once, so that any thread may read it meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from missioncontrol.fleet.layout import IDENTITY_FILE, SOUL_FILE, agent_of
from missioncontrol.watch.ignore import Ignore
from missioncontrol.watch.paths import parent_of

MAX_FORMER = 1_000
"""For how many workspaces that are gone the agent is remembered."""


class Owned(NamedTuple):
    """A workspace as it was found: its agent, and its inode, by which a replaced folder is recognized."""

    agent: str
    inode: int


class FoundWorkspaces(NamedTuple):
    """The workspaces by path, the agent whose workspace is the watched one, and when they were found.

    `at` is in nanoseconds since 1970.
    """

    owned: Mapping[str, Owned]
    of_root: str | None
    at: int


class AgentWorkspaces:
    """The agents' workspaces, the agent of each file, and which of the watched files are ignored."""

    def __init__(self, root: Path, rules: Ignore) -> None:
        """Prepare; nothing is known before `replace`.

        Args:
            root: the watched workspace, with all links resolved.
            rules: the ignore rules of it. Their patterns also apply in each agent's workspace, relative to that.
        """
        self._root = root
        self._rules = rules
        self._outside = rules.without_own()
        self._owned: Mapping[str, Owned] = MappingProxyType({})
        self._homes: Mapping[str, str] = MappingProxyType({})
        self._tops: tuple[str, ...] = ()
        self._separated: frozenset[str] = frozenset()
        self._new_since: Mapping[str, int | None] = MappingProxyType({})
        self._former: dict[str, str] = {}
        self._looked_at: int | None = None
        self._of_root: str | None = None
        self.version = 0
        """Increases whenever a workspace is added, removed or becomes another agent's."""

    @property
    def tops(self) -> tuple[str, ...]:
        """The folders that are watched in addition to the workspace, each with everything below it."""
        return self._tops

    def agents(self) -> Collection[str]:
        """Return the ids of the agents that have a workspace other than the watched one."""
        return {owned.agent for owned in self._owned.values()}

    def home_of(self, agent: str) -> str | None:
        """Return the path of an agent's workspace, "" for the watched one; None if it has none."""
        home = self._homes.get(agent)
        return "" if home is None and agent == self._of_root else home

    def folders_of(self, agent: str) -> list[str]:
        """Return the paths of an agent's workspaces, without the watched one."""
        return [path for path, owned in self._owned.items() if owned.agent == agent]

    def named_by(self, path: str) -> str | None:
        """Return the agent that a path is about: the path is its workspace, or a file in it that names the agent."""
        owned = self._owned.get(path)
        if owned is not None:
            return owned.agent
        if path in self._former:
            return self._former[path]
        folder, _, name = path.rpartition("/")
        if name not in (IDENTITY_FILE, SOUL_FILE):
            return None
        if not folder:
            return self._of_root
        owned = self._owned.get(folder)
        return owned.agent if owned is not None else self._former.get(folder)

    def agent_of(self, path: str) -> str | None:
        """Return the agent whose workspace, or else whose folder, contains a file; None if it belongs to no agent."""
        for folder in _upwards(path):
            if (owned := self._owned.get(folder)) is not None:
                return owned.agent
        if not path.startswith("../"):
            return agent_of(path)
        return next((self._former[folder] for folder in _upwards(path) if folder in self._former), None)

    def top_of(self, path: str) -> str:
        """Return which of `tops` a path lies in; "" for the watched workspace."""
        if not self._tops:
            return ""
        return next((folder for folder in _upwards(path) if folder in self._separated), "")

    def new_since(self, top: str) -> int | None:
        """Return the time until which a workspace was not known, in nanoseconds; None if it was there at the start."""
        return self._new_since.get(top)

    def folder(self, path: str) -> bool:
        """Report whether a folder, or one that it lies in, is ignored."""
        if not self._tops and not path.startswith(".."):
            return self._rules.folder(path)
        top = self.top_of(path)
        if top:
            return self._rules.is_own(path) or self._outside.folder(path[len(top) + 1 :])
        return path.startswith("..") or self._rules.folder(path)

    def file(self, path: str) -> bool:
        """Report whether a file, or a folder that it lies in, is ignored."""
        if not self._tops and not path.startswith(".."):
            return self._rules.file(path)
        top = self.top_of(path)
        if top:
            return self._rules.is_own(path) or self._outside.file(path[len(top) + 1 :])
        return path.startswith("..") or self._rules.file(path)

    def replace(self, found: FoundWorkspaces) -> list[str]:
        """Take over what was found, and return the paths of the workspaces that came, went or changed."""
        before = self._owned
        changed = sorted(
            path for path in found.owned.keys() | before.keys() if found.owned.get(path) != before.get(path)
        )
        since, self._looked_at = self._looked_at, found.at
        if found.of_root != self._of_root:
            self._of_root = found.of_root
            self.version += 1
        if not changed:
            return []
        for path in changed:
            if path in before and path not in found.owned:
                self.remember(path, before[path].agent)
            elif path in found.owned:
                self._former.pop(path, None)
        self._owned = MappingProxyType(dict(found.owned))
        homes: dict[str, str] = {}
        for path, owned in found.owned.items():
            homes.setdefault(owned.agent, path)
        self._homes = MappingProxyType(homes)
        self._new_since = MappingProxyType(
            {path: self._new_since[path] if path in before else since for path in found.owned}
        )
        self._tops = tuple(self._separate(found.owned))
        self._separated = frozenset(self._tops)
        self.version += 1
        return changed

    def remember(self, path: str, agent: str) -> None:
        """Keep in mind whose a workspace was that is not there any more."""
        self._former[path] = agent
        while len(self._former) > MAX_FORMER:
            del self._former[next(iter(self._former))]

    def _separate(self, paths: Mapping[str, Owned]) -> Iterator[str]:
        """Yield the workspaces that the watch over another folder does not reach."""
        reached: dict[str, Ignore] = {}
        # A folder comes before those in it.
        for path in sorted(paths):
            outer = next((folder for folder in _upwards(parent_of(path)) if folder in reached), "")
            rules = reached[outer] if outer else self._rules
            inside = path[len(outer) + 1 :] if outer else path
            if inside.startswith("../") or rules.folder(inside):
                reached[path] = self._outside
                yield path


def _upwards(path: str) -> Iterator[str]:
    """Yield a path and the folders that it lies in, up to the one below the root."""
    while path and path != "..":
        yield path
        path = parent_of(path)
