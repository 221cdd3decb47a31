"""What can be connected, and what is: by looking at the settings files, and at nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.connection import Connection, SettingsConnection
from missioncontrol.runtimes.registry import runtimes

PRINTED = "prints the commands"


class Row(NamedTuple):
    """A runtime, what connecting it brings, and how it stands."""

    name: str
    what: str
    how: str


def rows() -> list[Row]:
    """Return what there is: the runtimes, and what any program can use."""
    known = [(runtime.name, runtime.connection) for runtime in runtimes().values()]
    found = [
        Row(name, connection.what, _status(connection))
        for name, connection in known
        if connection is not None
    ]
    # What can be connected by itself comes first.
    found.sort(key=lambda row: row.how == PRINTED)
    return [
        *found,
        Row("otel", "any program with an OpenTelemetry SDK", "prints the variables"),
        Row("mcp", "Mission Control's tools, for any agent", "prints the settings"),
    ]


def _status(connection: Connection) -> str:
    if not isinstance(connection, SettingsConnection):
        return PRINTED
    files = connection.settings_files(connection.file_options())
    found = filter(None, (_look(file, connection.connected_to) for file in files))
    return "; ".join(found) or _not_connected(files[0])


def _look(path: Path, connected_to: Callable[[str], str | None]) -> str | None:
    try:
        url = connected_to(SettingsFile(path).read())
    except ConfigError as error:
        return f"{path} cannot be understood: {error}"
    return None if url is None else f"connected to {url} ({path})"


def _not_connected(path: Path) -> str:
    return "not connected" if path.parent.is_dir() else "not connected; not found on this machine"
