"""Where OpenClaw puts its agents' workspaces by itself, and which folders of its own are none."""

from __future__ import annotations

import os
from pathlib import Path

from missioncontrol.runtimes.base import Place

_SIBLING = "workspace-"
_MARKERS = ("IDENTITY.md", "SOUL.md", "AGENTS.md")
_SECRET = frozenset({"agents", "credentials", "identity", "devices", "state", "logs"})
"""Folders of the state folder that hold tokens, keys and sessions."""


def unnamed_workspaces(place: Place | None, root: Path) -> list[tuple[str, Path]]:
    """Return the folders `workspace-ID` in the state folder and next to the watched workspace, with their agents."""
    found: list[tuple[str, Path]] = []
    for above in dict.fromkeys([*([place.folder] if place else []), root.parent]):
        is_state = place is not None and above == place.folder
        if not is_state and root.name != "workspace":
            continue
        try:
            with os.scandir(above) as entries:
                names = [
                    entry.name for entry in entries if entry.name.startswith(_SIBLING) and entry.is_dir()
                ]
        except OSError:
            continue
        found += (
            (name.removeprefix(_SIBLING), above / name)
            for name in sorted(names)
            # Elsewhere a folder of that name may be anything.
            if name != _SIBLING and (is_state or _is_marked(above / name))
        )
    return found


def is_private(place: Place, path: Path) -> bool:
    """Report whether a folder holds the settings with their tokens, databases or sessions."""
    state = Path(os.path.realpath(place.folder))
    if state.is_relative_to(path):
        return True
    if not path.is_relative_to(state):
        return False
    parts = path.relative_to(state).parts
    return parts[0] in _SECRET and not any(part.startswith("workspace") for part in parts)


def _is_marked(folder: Path) -> bool:
    try:
        return any((folder / file).is_file() for file in _MARKERS)
    except OSError:
        return False
