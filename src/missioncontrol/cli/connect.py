"""`connect`: have a runtime tell Mission Control what its agents do, by one line in its settings.

Nothing is written but what was asked for, and every command says what it has done.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from missioncontrol.cli.connections import claude as claude_code
from missioncontrol.cli.connections import codex as codex_cli
from missioncontrol.cli.connections import mcp as mcp_clients
from missioncontrol.cli.connections import openclaw as openclaw_cli
from missioncontrol.cli.connections import otel as otel_sdk
from missioncontrol.cli.connections.claude_version import installed
from missioncontrol.cli.connections.listing import rows
from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.cli.settings import TOKEN_VARIABLE, Url, read_url
from missioncontrol.client import ClientError, call
from missioncontrol.client.http import Address, credentials
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.claude.hooks import ANSWER_SECONDS

LOOK_SECONDS = 2.0

Print = Annotated[
    bool,
    Parameter(
        name="--print",
        negative="",
        show_default=False,
        help="Print what would be written, and write nothing.",
    ),
]
ClearToken = Annotated[
    str | None,
    Parameter(
        help="A token to write down in clear. Without it the token's variable is named, and the token stays there."
    ),
]
Variable = Annotated[
    str | None,
    Parameter(
        name="--token-variable",
        help="The environment's variable with the token. Default: `MISSION_CONTROL_TOKEN`, if the server asks for one.",
    ),
]
Settings = Annotated[
    Path | None, Parameter(name="--settings", help="The settings file. Default: the user's own.")
]
Project = Annotated[
    bool,
    Parameter(
        name="--project", negative="", show_default=False, help="Use `.claude/settings.json` of this folder."
    ),
]

connect = App(
    name="connect",
    help="Have agents' runtimes tell what they do: hooks, telemetry, tools. Without a name: what is connected.",
)


@connect.default
def list_all() -> int:
    """List what can be connected, and what is.

    For example:

        mission-control connect
        mission-control connect claude
    """
    for row in rows():
        print(f"{row.name:<10}{row.what:<60}{row.how}")
    return 0


@connect.command
def claude(
    *,
    url: Url = None,
    answer: Annotated[
        bool,
        Parameter(
            name="--answer",
            negative="",
            show_default=False,
            help="Let permission requests be answered in the office: Claude asks there and in the terminal at once.",
        ),
    ] = False,
    wait: Annotated[
        int, Parameter(help="With --answer: the seconds after which only the terminal is left, 1 to 3600.")
    ] = ANSWER_SECONDS,
    enforce_budgets: Annotated[
        bool,
        Parameter(
            name="--enforce-budgets",
            negative="",
            show_default=False,
            help="Let a spent budget, once a person has answered `stop`, stop Claude at its next step.",
        ),
    ] = False,
    project: Project = False,
    settings: Settings = None,
    token: ClearToken = None,
    token_variable: Variable = None,
    print_: Print = False,
) -> int:
    """Write Claude Code's hooks into its settings.

    For example:

        mission-control connect claude
        mission-control connect claude --answer
        mission-control connect claude --project --url http://office.example:3001
        mission-control connect claude --print
    """
    if not 1 <= wait <= 3600:
        raise ConfigError(f"--wait is {wait}; it takes 1 to 3600 seconds.")
    version = installed()
    if version is not None and version < claude_code.FIRST:
        raise ConfigError(
            f"Claude Code {_dotted(version)} has no HTTP hooks; {_dotted(claude_code.FIRST)} and later have. "
            "Nothing was changed."
        )
    server = _Server(url, token, token_variable)
    wanted = claude_code.Wanted(
        server.url,
        server.variable,
        token,
        answer_seconds=wait if answer else 0,
        budgets=enforce_budgets,
        version=version,
    )
    if print_:
        print(claude_code.snippet(wanted))
        return 0
    file = SettingsFile(claude_code.settings_path(settings, project=project))
    changed = file.change(lambda text: claude_code.connected(text, wanted))
    print(
        _done(
            "Claude Code", "claude", server.url, file.path, changed, f"{len(claude_code.hooks(wanted))} hooks"
        )
    )
    if version is None:
        newest = _dotted(max(claude_code.EVENTS.values()))
        print(f"Claude Code was not found here; {newest} or later is needed.", file=sys.stderr)
    server.remark()
    for obstacle in claude_code.obstacles(file.read(), wanted):
        print(obstacle, file=sys.stderr)
    return 0


@connect.command
def codex(
    *, url: Url = None, settings: Settings = None, token: ClearToken = None, print_: Print = False
) -> int:
    """Send Codex's OpenTelemetry logs here, by the `[otel]` section of its settings.

    For example:

        mission-control connect codex
        mission-control connect codex --print
    """
    server = _Server(url, token, None)
    if server.variable is not None:
        raise ConfigError(
            f"{server.url} asks for a token, and Codex fills no variables into its settings: "
            f"give one with --token (scope `publish`), to be written down in clear."
        )
    if print_:
        print(codex_cli.snippet(server.url, token), end="")
        return 0
    file = SettingsFile(codex_cli.settings_path(settings))
    changed = file.change(lambda text: codex_cli.connected(text, server.url, token))
    print(_done("Codex", "codex", server.url, file.path, changed, "the exporter of its logs"))
    server.remark()
    return 0


@connect.command
def openclaw(
    *, url: Url = None, token: ClearToken = None, token_variable: Variable = None, print_: Print = False
) -> int:
    """Print the commands that switch on OpenClaw's telemetry. Nothing is written: its settings hold secrets.

    For example:

        mission-control connect openclaw
        mission-control connect openclaw --print | sh
    """
    server = _Server(url, token, token_variable)
    print(openclaw_cli.commands(server.url, server.variable, token))
    return 0


@connect.command
def otel(
    *, url: Url = None, token: ClearToken = None, token_variable: Variable = None, print_: Print = False
) -> int:
    """Print the environment variables that send any OpenTelemetry SDK's data here. Nothing is written.

    For example:

        mission-control connect otel
        eval "$(mission-control connect otel --print)"
    """
    server = _Server(url, token, token_variable)
    print(otel_sdk.variables(server.url, server.variable, token))
    return 0


@connect.command
def mcp(
    *, url: Url = None, token: ClearToken = None, token_variable: Variable = None, print_: Print = False
) -> int:
    """Print how an MCP client is given Mission Control's tools. Nothing is written.

    For example:

        mission-control connect mcp
    """
    server = _Server(url, token, token_variable)
    print(mcp_clients.sentences(server.url, server.variable, token))
    return 0


class _Session(msgspec.Struct, rename="camel"):
    """What `/api/session` tells to anybody."""

    token_required: bool


_sessions = msgspec.json.Decoder(_Session)


class _Server:
    """The server that is connected to. `variable` is the one that the token is taken from, where one is asked for."""

    def __init__(self, url: str | None, token: str | None, variable: str | None) -> None:
        self.url = Address(read_url(url)).base
        credentials(token)
        if variable is not None and not variable.isidentifier():
            raise ConfigError(f"--token-variable is {variable[:40]!r}; it takes the name of a variable.")
        self._answered, asks = _look(self.url)
        self.variable = variable or (TOKEN_VARIABLE if asks and token is None else None)

    def remark(self) -> None:
        """Say what else has to be so for the connection to work."""
        if self.variable is not None:
            print(f"The token (scope `publish`) is taken from ${self.variable} where the agent is started.")
        if not self._answered:
            print(f"Nobody answers at {self.url} at the moment.", file=sys.stderr)


def _look(url: str) -> tuple[bool, bool]:
    """Return whether a server answers, and whether it asks for a token."""
    try:
        session = _sessions.decode(call(url, "/api/session", timeout=LOOK_SECONDS))
    except (ClientError, msgspec.MsgspecError, UnicodeDecodeError):
        return False, False
    return True, session.token_required


def _dotted(version: claude_code.Version) -> str:
    return ".".join(map(str, version))


def _done(runtime: str, name: str, url: str, path: Path, changed: bool, what: str) -> str:
    if not changed:
        return f"{runtime} is connected to {url} already; {path} stays as it is."
    return (
        f"{runtime} is connected to {url}: {what} in {path}. "
        f"`mission-control disconnect {name}` takes it out again."
    )
