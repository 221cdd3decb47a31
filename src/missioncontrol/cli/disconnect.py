"""`disconnect`: take back what `connect` has written."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from missioncontrol.cli.connect import Project, Settings
from missioncontrol.cli.connections import claude as claude_code
from missioncontrol.cli.connections import codex as codex_cli
from missioncontrol.cli.connections.settings_file import SettingsFile

disconnect = App(name="disconnect", help="Take back what `connect` has written into a runtime's settings.")


@disconnect.command
def claude(*, project: Project = False, settings: Settings = None) -> int:
    """Take our hooks out of Claude Code's settings; everything else stays.

    For example:

        mission-control disconnect claude
        mission-control disconnect claude --project
    """
    file = SettingsFile(claude_code.settings_path(settings, project=project))
    print(_done("Claude Code", file.path, file.change(claude_code.disconnected)))
    return 0


@disconnect.command
def codex(*, settings: Settings = None) -> int:
    """Take our exporter out of Codex's settings; everything else stays.

    For example:

        mission-control disconnect codex
    """
    file = SettingsFile(codex_cli.settings_path(settings))
    print(_done("Codex", file.path, file.change(codex_cli.disconnected)))
    return 0


def _done(runtime: str, path: Path, changed: bool) -> str:
    return (
        f"{runtime} is disconnected: our part is out of {path}."
        if changed
        else f"{runtime} is not connected in {path}."
    )
