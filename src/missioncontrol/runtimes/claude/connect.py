"""How Claude Code is connected: HTTP hooks in its settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.claude import settings
from missioncontrol.runtimes.claude.hooks import ANSWER_SECONDS
from missioncontrol.runtimes.claude.settings import EVENTS, FIRST, Version, Wanted
from missioncontrol.runtimes.claude.version import installed
from missioncontrol.runtimes.connection import SettingsConnection, Target


@dataclass(frozen=True)
class FileOptions:
    """Which of Claude Code's settings are meant."""

    project: Annotated[
        bool,
        Parameter(
            name="--project",
            negative="",
            show_default=False,
            help="Use `.claude/settings.json` of this folder.",
        ),
    ] = False


@dataclass(frozen=True)
class Options:
    """What the hooks are to do; `version` is found out."""

    answer: Annotated[
        bool,
        Parameter(
            name="--answer",
            negative="",
            show_default=False,
            help="Let permission requests be answered in the office: Claude asks there and in the terminal at once.",
        ),
    ] = False
    wait: Annotated[
        int,
        Parameter(
            name="--wait",
            help="With --answer: the seconds after which only the terminal is left, 1 to 3600.",
        ),
    ] = ANSWER_SECONDS
    enforce_budgets: Annotated[
        bool,
        Parameter(
            name="--enforce-budgets",
            negative="",
            show_default=False,
            help="Let a spent budget, once a person has answered `stop`, stop Claude at its next step.",
        ),
    ] = False
    version: Annotated[Version | None, Parameter(parse=False)] = None


class ClaudeConnection(SettingsConnection):
    """Claude Code's hooks in `settings.json`."""

    what = "Claude Code's hooks: statuses at once, permission questions"
    help = """Write Claude Code's hooks into its settings.

    For example:

        mission-control connect claude
        mission-control connect claude --answer
        mission-control connect claude --project --url http://office.example:3001
        mission-control connect claude --print
    """
    disconnect_help = """Take our hooks out of Claude Code's settings; everything else stays.

    For example:

        mission-control disconnect claude
        mission-control disconnect claude --project
    """
    options = Options
    file_options = FileOptions

    def settings_files(self, options: FileOptions) -> list[Path]:
        """Return the user's settings, or the project's."""
        files = [settings.settings_path(None, project=project) for project in (False, True)]
        return files[::-1] if options.project else files

    def check(self, target: Target, options: Options) -> Options:
        """Check the release that is installed, and that the seconds are within their bounds."""
        if not 1 <= options.wait <= 3600:
            raise ConfigError(f"--wait is {options.wait}; it takes 1 to 3600 seconds.")
        version = installed()
        if version is not None and version < FIRST:
            raise ConfigError(
                f"Claude Code {_dotted(version)} has no HTTP hooks; {_dotted(FIRST)} and later have. "
                "Nothing was changed."
            )
        return replace(options, version=version)

    def printed(self, target: Target, options: Options) -> str:
        """Return the settings that would be written into an empty file."""
        return settings.snippet(_wanted(target, options))

    def connected(self, text: str, target: Target, options: Options) -> str:
        """Return settings with our hooks in them, each once."""
        return settings.connected(text, _wanted(target, options))

    def disconnected(self, text: str) -> str:
        """Return settings without our hooks."""
        return settings.disconnected(text)

    def connected_to(self, text: str) -> str | None:
        """Return the server that the hooks call."""
        found = settings.connected_to(text)
        return None if found is None else found[0]

    def written(self, target: Target, options: Options) -> str:
        """Return how many hooks there are."""
        return f"{len(settings.hooks(_wanted(target, options)))} hooks"

    def remarks(self, text: str, target: Target, options: Options) -> list[str]:
        """Return what keeps the hooks from working, as far as it shows here."""
        found = settings.obstacles(text, _wanted(target, options))
        if options.version is None:
            found.insert(
                0, f"Claude Code was not found here; {_dotted(max(EVENTS.values()))} or later is needed."
            )
        return found


def _wanted(target: Target, options: Options) -> Wanted:
    return Wanted(
        target.url,
        target.variable,
        target.token,
        answer_seconds=options.wait if options.answer else 0,
        budgets=options.enforce_budgets,
        version=options.version,
    )


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
