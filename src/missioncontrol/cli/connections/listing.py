"""What can be connected, and what is: by looking at the settings files, and at nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from missioncontrol.cli.connections import claude, codex
from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.errors import ConfigError


class Row(NamedTuple):
    """A runtime, what connecting it brings, and how it stands."""

    name: str
    what: str
    how: str


def rows() -> list[Row]:
    """Return what there is, in the order in which it is usually wanted."""
    return [
        Row("claude", "Claude Code's hooks: statuses at once, permission questions", _claude()),
        Row("codex", "Codex's OpenTelemetry logs", _codex()),
        Row("openclaw", "OpenClaw's OpenTelemetry, from another machine", "prints the commands"),
        Row("otel", "any program with an OpenTelemetry SDK", "prints the variables"),
        Row("mcp", "Mission Control's tools, for any agent", "prints the settings"),
    ]


def _claude() -> str:
    user = claude.settings_path(None, project=False)
    project = claude.settings_path(None, project=True)
    found = []
    for path in (user, project):
        told = _look(path, lambda text: (told := claude.connected_to(text)) and told[0])
        if told is not None:
            found.append(told)
    return "; ".join(found) or _not_connected(user)


def _codex() -> str:
    path = codex.settings_path(None)
    return _look(path, codex.connected_to) or _not_connected(path)


def _look(path: Path, connected_to: Callable[[str], str | None]) -> str | None:
    try:
        url = connected_to(SettingsFile(path).read())
    except ConfigError as error:
        return f"{path} cannot be understood: {error}"
    return None if url is None else f"connected to {url} ({path})"


def _not_connected(path: Path) -> str:
    return "not connected" if path.parent.is_dir() else "not connected; not found on this machine"
