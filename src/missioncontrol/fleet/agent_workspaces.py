"""The workspaces that agents of OpenClaw have of their own, next to the watched workspace or anywhere else.

Their paths are relative to the watched workspace like all others, so most begin with `../`. A path is unique: no
folder has two.

Invariants:

- only real folders count; a symbolic link in the place of one is not followed;
- a folder that holds the watched workspace, or OpenClaw's own files with the secrets in them, is none;
- the event loop replaces what is known as a whole, so that any thread may read it meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from time import time_ns
from types import MappingProxyType
from typing import NamedTuple

from missioncontrol.fleet.layout import IDENTITY_FILE, SOUL_FILE, agent_of
from missioncontrol.runtimes.base import Place
from missioncontrol.runtimes.openclaw.places import configured_workspaces, find_openclaw
from missioncontrol.runtimes.records import UnreadableError
from missioncontrol.watch.ignore import Ignore
from missioncontrol.watch.paths import parent_of

MAX_WORKSPACES = 1_000
"""How many workspaces are watched; the first in the order of their paths."""

MAX_FORMER = 1_000
"""Of how many workspaces that are gone is still known whose they were."""

_SIBLING = "workspace-"
_MARKERS = (IDENTITY_FILE, SOUL_FILE, "AGENTS.md")
_SECRET = frozenset({"agents", "credentials", "identity", "devices", "state", "logs"})
"""Folders of OpenClaw's state folder that hold tokens, keys and sessions."""


class Owned(NamedTuple):
    """A workspace as it was found: whose it is, and its inode, by which a folder that was replaced is recognised."""

    agent: str
    inode: int


class FoundWorkspaces(NamedTuple):
    """The workspaces by path, the agent whose workspace is the watched one, and when this was looked up.

    `at` is in nanoseconds since 1970.
    """

    owned: Mapping[str, Owned]
    of_root: str | None
    at: int


class AgentWorkspaces:
    """Which workspaces of agents there are, whose each file is, and which files of all that is watched are ignored."""

    def __init__(self, root: Path, rules: Ignore) -> None:
        """Prepare; nothing is known before `replace`.

        Args:
            root: the watched workspace, with all links resolved.
            rules: what is ignored in it. Its patterns hold in each workspace of an agent, relative to that.
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
        """Grows whenever a workspace comes, goes or becomes another agent's."""

    @property
    def tops(self) -> tuple[str, ...]:
        """The folders that are watched in addition to the workspace, each with everything below it."""
        return self._tops

    def agents(self) -> Collection[str]:
        """Return the ids of the agents that have a workspace other than the watched one."""
        return {owned.agent for owned in self._owned.values()}

    def home_of(self, agent: str) -> str | None:
        """Return the path of an agent's workspace, "" for the watched one; None where it has none."""
        home = self._homes.get(agent)
        return "" if home is None and agent == self._of_root else home

    def folders_of(self, agent: str) -> list[str]:
        """Return the paths of an agent's workspaces, the watched one excluded."""
        return [path for path, owned in self._owned.items() if owned.agent == agent]

    def named_by(self, path: str) -> str | None:
        """Return the agent about whom this path says something: its workspace, or a file in it that names it."""
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
        """Return the agent whose workspace, or else whose folder, a file lies in; None where it is nobody's."""
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


class WorkspaceFinder:
    """Looks up where OpenClaw's agents have their workspaces; for one thread at a time.

    `openclaw.json` is read again only when it has changed. While it cannot be read, what it said before counts.
    """

    def __init__(self, root: Path, setting: str, data: Path) -> None:
        """Prepare.

        Args:
            root: the watched workspace, with all links resolved.
            setting: `sources.openclaw` of the settings.
            data: the server's own folder, which is no workspace wherever it is.
        """
        self._root = root
        self._setting = setting
        self._data = data.resolve()
        self._signature: tuple[int, ...] | None = None
        self._configured: dict[str, Path] = {}

    def find(self) -> FoundWorkspaces:
        """Look up which workspaces there are now."""
        at = time_ns()
        if self._setting == "off":
            return FoundWorkspaces({}, None, at)
        try:
            place = find_openclaw(self._setting, self._root)
        except (OSError, RuntimeError):
            # Not ours to read; the workspace is watched all the same.
            place = None
        named = [] if place is None else list(self._read(place).items())
        named += _siblings(self._root, place)
        owned: dict[str, Owned] = {}
        of_root: str | None = None
        for agent, folder in named:
            real = _real_folder(folder) if _is_text(agent) and _is_text(str(folder)) else None
            if real is None:
                continue
            path, inode = real
            if path == self._root:
                of_root = of_root or agent
            elif not self._is_excluded(path, place):
                owned.setdefault(os.path.relpath(path, self._root), Owned(agent, inode))
        return FoundWorkspaces(dict(sorted(owned.items())[:MAX_WORKSPACES]), of_root, at)

    def _is_excluded(self, path: Path, place: Place | None) -> bool:
        return (
            self._root.is_relative_to(path)
            or path.is_relative_to(self._data)
            or (place is not None and _is_secret(path, place))
        )

    def _read(self, place: Place) -> Mapping[str, Path]:
        try:
            status = (place.folder / "openclaw.json").stat()
            signature = (status.st_ino, status.st_size, status.st_mtime_ns)
            if signature != self._signature:
                self._configured = configured_workspaces(place)
                self._signature = signature
        except FileNotFoundError:
            self._configured, self._signature = {}, None
        except (OSError, UnreadableError):
            # Half written, or not ours to read: the source of tokens reports it.
            pass
        return self._configured


def _siblings(root: Path, place: Place | None) -> list[tuple[str, Path]]:
    """Return the folders `workspace-ID` in OpenClaw's state folder and next to the watched workspace."""
    found: list[tuple[str, Path]] = []
    for above in dict.fromkeys([*([place.folder] if place else []), root.parent]):
        is_openclaw = place is not None and above == place.folder
        if not is_openclaw and root.name != "workspace":
            continue
        try:
            with os.scandir(above) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(_SIBLING)]
        except OSError:
            continue
        found += (
            (name.removeprefix(_SIBLING), above / name)
            for name in sorted(names)
            # Elsewhere a folder of that name may be anything.
            if name != _SIBLING and (is_openclaw or _is_marked(above / name))
        )
    return found


def _is_marked(folder: Path) -> bool:
    try:
        return any((folder / file).is_file() for file in _MARKERS)
    except OSError:
        return False


def _is_text(text: str) -> bool:
    """Report whether a name can be sent: one that is not UTF-8 cannot, and names no agent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _real_folder(folder: Path) -> tuple[Path, int] | None:
    """Return a folder with the links on the way to it resolved, and its inode; None if it is a link itself, or none."""
    if not folder.is_absolute() or folder.name in ("", ".."):
        return None
    try:
        path = folder.parent.resolve() / folder.name
        status = path.lstat()
    except (OSError, ValueError, RuntimeError):
        return None
    return (path, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _is_secret(path: Path, place: Place) -> bool:
    """Report whether a folder holds OpenClaw's own files: its settings with their tokens, its databases."""
    state = Path(os.path.realpath(place.folder))
    if state.is_relative_to(path):
        return True
    if not path.is_relative_to(state):
        return False
    parts: Sequence[str] = path.relative_to(state).parts
    return parts[0] in _SECRET and not any(part.startswith("workspace") for part in parts)


def _upwards(path: str) -> Iterator[str]:
    """Yield a path and the folders that it lies in, up to the one below the root."""
    while path and path != "..":
        yield path
        path = parent_of(path)
