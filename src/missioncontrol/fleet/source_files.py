"""Which files of the workspace other sources read: their changes are reported as something better than a changed file.

Of several places for the same thing only the first that exists is read. What is in the others is a file like any other,
so that nothing in the workspace is invisible.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from missioncontrol.fleet.layout import (
    AGENT_FOLDERS,
    LEAD_FILES,
    LEAD_PLACES,
    SOUL_FILE,
    STATE_FILE,
    TASK_FILES,
    owned,
)
from missioncontrol.watch.paths import folders_above, join, parent_of
from missioncontrol.watch.tree import Signature, is_folder, look

_JSON, _TABLE = TASK_FILES
_DECISIVE = frozenset(
    {*TASK_FILES, *LEAD_FILES, *AGENT_FOLDERS}.union(
        *(folders_above(path) for path in (*TASK_FILES, *LEAD_FILES, *AGENT_FOLDERS))
    )
)


class FolderRule(Protocol):
    """Reports which folders are ignored."""

    def folder(self, path: str) -> bool:
        """Report whether a folder, or one that it lies in, is ignored."""


class SourceFiles(NamedTuple):
    """The places that are read: the agents' folder, the files of leads, and whether the queue is the Markdown table.

    None where there is no such folder yet: then whichever is made first. `unread_leads` are the files of leads of which
    there is one in a place that comes before.
    """

    agents: str | None = None
    unread_leads: frozenset[str] = frozenset()
    table: bool = True

    def owns(self, path: str) -> bool:
        """Report whether another source reads this file."""
        if not owned(path):
            return False
        if path in LEAD_FILES:
            return path not in self.unread_leads
        if path in TASK_FILES:
            return path == _JSON or self.table
        return self.agents is None or path.startswith(f"{self.agents}/")


def find_source_files(root: Path, ignore: FolderRule, *, json_seen: bool) -> SourceFiles:
    """Return the files that other sources read; in a thread.

    Args:
        root: the workspace.
        ignore: the folders to leave out.
        json_seen: whether the queue has been a JSON file before: it stays the queue while it is missing.
    """
    there = look(root, LEAD_FILES)
    unread = frozenset(
        path
        for paths in LEAD_PLACES
        for at, path in enumerate(paths)
        if any(there.get(before) for before in paths[:at])
    )
    agents = next((folder for folder in AGENT_FOLDERS if any(_agents_in(root, ignore, folder))), None)
    table = not json_seen and not os.path.lexists(root / _JSON)
    return SourceFiles(agents, unread, table)


def find_agents(root: Path, ignore: FolderRule) -> tuple[str | None, list[str]]:
    """Return the folder of the agents, and the names of the folders in it; in a thread."""
    for folder in AGENT_FOLDERS:
        if names := list(_agents_in(root, ignore, folder)):
            return folder, names
    return None, []


def unread_files(root: Path, ignore: FolderRule, read: SourceFiles) -> dict[str, Signature]:
    """Return the files that a source would read if there were no others before them; in a thread."""
    paths = [*TASK_FILES, *LEAD_FILES]
    for folder in AGENT_FOLDERS:
        if folder != read.agents:
            names = _agents_in(root, ignore, folder)
            paths += (f"{folder}/{name}/{file}" for name in names for file in (STATE_FILE, SOUL_FILE))
    seen = look(root, (path for path in paths if not read.owns(path)))
    return {path: signature for path, signature in seen.items() if signature is not None}


def decides(paths: Iterable[str]) -> bool:
    """Report whether a change of one of these may change which files are read."""
    return any(path in _DECISIVE or parent_of(path) in AGENT_FOLDERS for path in paths)


def _agents_in(root: Path, ignore: FolderRule, folder: str) -> Iterator[str]:
    if ignore.folder(folder) or not is_folder(root, parent_of(folder) or folder):
        return
    if not is_folder(root, folder):
        return
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not ignore.folder(join(folder, entry.name)):
                yield entry.name
