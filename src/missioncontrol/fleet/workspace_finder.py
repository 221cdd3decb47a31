"""Finds where agents have their workspaces, as their runtimes say.

Invariants:

- only real folders count; a symbolic link in the place of one is not followed;
- a folder that holds the watched workspace, or a runtime's own files with the secrets in them, is none.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from time import time_ns

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.agent_workspaces import FoundWorkspaces, Owned
from missioncontrol.runtimes import registry
from missioncontrol.runtimes.base import Place, Runtime
from missioncontrol.runtimes.records import UnreadableError

MAX_WORKSPACES = 1_000
"""How many workspaces are watched; the first in the order of their paths."""


class WorkspaceFinder:
    """Looks up where agents have their workspaces; for one thread at a time."""

    def __init__(self, root: Path, sources: SourcesConfig, data: Path) -> None:
        """Prepare.

        Args:
            root: the watched workspace, with all links resolved.
            sources: the settings of the runtimes.
            data: the server's own folder, which is no workspace wherever it is.
        """
        self._root = root
        self._data = data.resolve()
        self._settings = [
            _RuntimeWorkspaces(runtime, sources, root)
            for runtime in registry.runtimes().values()
            if sources.place_of(runtime.name) != "off"
        ]

    def find(self) -> FoundWorkspaces:
        """Look up which workspaces there are now."""
        at = time_ns()
        owned: dict[str, Owned] = {}
        of_root: str | None = None
        for settings in self._settings:
            for agent, folder in settings.find():
                real = _real_folder(folder) if _is_text(agent) and _is_text(str(folder)) else None
                if real is None:
                    continue
                path, inode = real
                if path == self._root:
                    of_root = of_root or agent
                elif not self._is_excluded(path):
                    owned.setdefault(os.path.relpath(path, self._root), Owned(agent, inode))
        return FoundWorkspaces(dict(sorted(owned.items())[:MAX_WORKSPACES]), of_root, at)

    def _is_excluded(self, path: Path) -> bool:
        return (
            self._root.is_relative_to(path)
            or path.is_relative_to(self._data)
            or any(settings.are_private(path) for settings in self._settings)
        )


class _RuntimeWorkspaces:
    """The workspaces of one runtime's agents.

    Its settings are read again only when they have changed. While they cannot be read, what they said before counts.
    """

    def __init__(self, runtime: Runtime, sources: SourcesConfig, root: Path) -> None:
        self._runtime = runtime
        self._sources = sources
        self._root = root
        self._place: Place | None = None
        self._signature: tuple[int, ...] | None = None
        self._configured: Mapping[str, Path] = {}

    def find(self) -> list[tuple[str, Path]]:
        """Return agents with their folders, those of the settings first."""
        try:
            self._place = registry.find(self._runtime.name, self._sources, self._root)
        except (OSError, RuntimeError):
            # Not ours to read; the workspace is watched all the same.
            self._place = None
        named = [] if self._place is None else list(self._read(self._place).items())
        return named + list(self._runtime.unnamed_workspaces(self._place, self._root))

    def are_private(self, path: Path) -> bool:
        """Report whether a folder holds the runtime's own files."""
        return self._place is not None and self._runtime.is_private(self._place, path)

    def _read(self, place: Place) -> Mapping[str, Path]:
        file = self._runtime.settings_file(place)
        if file is None:
            return {}
        try:
            status = file.stat()
            signature = (status.st_ino, status.st_size, status.st_mtime_ns)
            if signature != self._signature:
                self._configured = self._runtime.workspaces(place)
                self._signature = signature
        except FileNotFoundError:
            self._configured, self._signature = {}, None
        except (OSError, UnreadableError):
            # Half written, or not ours to read: the usage source reports it.
            pass
        return self._configured


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
