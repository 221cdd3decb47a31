"""How Codex is connected: the exporter for its logs, in its settings."""

from __future__ import annotations

from pathlib import Path

from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.codex import settings
from missioncontrol.runtimes.connection import NoOptions, SettingsConnection, Target


class CodexConnection(SettingsConnection):
    """The `[otel]` section of Codex's `config.toml`."""

    what = "Codex's OpenTelemetry logs"
    help = """Send Codex's OpenTelemetry logs here, by the `[otel]` section of its settings.

    For example:

        mission-control connect codex
        mission-control connect codex --print
    """
    disconnect_help = """Take our exporter out of Codex's settings; everything else stays.

    For example:

        mission-control disconnect codex
    """

    def settings_files(self, options: NoOptions) -> list[Path]:
        """Return the user's settings."""
        return [settings.settings_path(None)]

    def check(self, target: Target, options: NoOptions) -> NoOptions:
        """Check that the token, if one is needed, is given in clear."""
        if target.variable is not None:
            raise ConfigError(
                f"{target.url} asks for a token, and Codex fills no variables into its settings: "
                f"give one with --token (scope `publish`), to be written down in clear."
            )
        return options

    def printed(self, target: Target, options: NoOptions) -> str:
        """Return the settings that would be written into an empty file."""
        return settings.snippet(target.url, target.token).removesuffix("\n")

    def connected(self, text: str, target: Target, options: NoOptions) -> str:
        """Return settings with the exporter for logs set to the server."""
        return settings.connected(text, target.url, target.token)

    def disconnected(self, text: str) -> str:
        """Return settings without our exporter."""
        return settings.disconnected(text)

    def connected_to(self, text: str) -> str | None:
        """Return the server that the exporter sends to."""
        return settings.connected_to(text)

    def written(self, target: Target, options: NoOptions) -> str:
        """Return that it is the exporter."""
        return "the exporter of its logs"
