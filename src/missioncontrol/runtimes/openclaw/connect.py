"""How OpenClaw is connected: by its own commands, since its settings hold secrets."""

from __future__ import annotations

from missioncontrol.runtimes.connection import Connection, NoOptions, Target
from missioncontrol.runtimes.openclaw.commands import commands


class OpenClawConnection(Connection):
    """OpenClaw's telemetry, for an OpenClaw on another machine."""

    what = "OpenClaw's OpenTelemetry, from another machine"
    help = """Print the commands that switch on OpenClaw's telemetry. Nothing is written: its settings hold secrets.

    For example:

        mission-control connect openclaw
        mission-control connect openclaw --print | sh
    """

    def printed(self, target: Target, options: NoOptions) -> str:
        """Return the commands to run."""
        return commands(target.url, target.variable, target.token)
