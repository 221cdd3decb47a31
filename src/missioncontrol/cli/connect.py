"""`connect`: have a runtime tell Mission Control what its agents do, by one line in its settings.

Nothing is written but what was asked for, and every command says what it has done.
"""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from missioncontrol.cli.connections import mcp as mcp_clients
from missioncontrol.cli.connections import otel as otel_sdk
from missioncontrol.cli.connections.listing import rows
from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.cli.settings import TOKEN_VARIABLE, Url, read_url
from missioncontrol.client import ClientError, call
from missioncontrol.client.http import Address, credentials
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.base import Runtime
from missioncontrol.runtimes.connection import Connection, SettingsConnection, Target
from missioncontrol.runtimes.registry import runtimes

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


def options_of(kind: type[Any]) -> Any:
    """Return the annotation that makes the fields of a dataclass options of a command."""
    return Annotated[kind, Parameter(name="*") if fields(kind) else Parameter(parse=False)]


connect = App(
    name="connect",
    help="Have agents' runtimes tell what they do: hooks, telemetry, tools. Without a name: what is connected.",
)


@connect.default
def list_all() -> int:
    """List what can be connected, and what is.

    For example:

        mission-control connect
        mission-control connect NAME
    """
    for row in rows():
        print(f"{row.name:<10}{row.what:<60}{row.how}")
    return 0


def _connect_command(runtime: Runtime, connection: Connection) -> Callable[..., int]:
    """Make `connect NAME`."""

    no_options = connection.options()

    def connect_runtime(
        *,
        url: Url = None,
        options: options_of(connection.options) = no_options,  # type: ignore[valid-type]
        token: ClearToken = None,
        token_variable: Variable = None,
        print_: Print = False,
    ) -> int:
        server = _Server(url, token, token_variable)
        print(connection.printed(server.target, options))
        return 0

    return connect_runtime


def _settings_command(runtime: Runtime, connection: SettingsConnection) -> Callable[..., int]:
    """Make `connect NAME` for a runtime whose settings are changed."""

    no_options, usual_file = connection.options(), connection.file_options()

    def connect_runtime(
        *,
        url: Url = None,
        options: options_of(connection.options) = no_options,  # type: ignore[valid-type]
        where: options_of(connection.file_options) = usual_file,  # type: ignore[valid-type]
        settings: Settings = None,
        token: ClearToken = None,
        token_variable: Variable = None,
        print_: Print = False,
    ) -> int:
        server = _Server(url, token, token_variable)
        options = connection.check(server.target, options)
        if print_:
            print(connection.printed(server.target, options))
            return 0
        file = SettingsFile(settings or connection.settings_files(where)[0])
        changed = file.change(lambda text: connection.connected(text, server.target, options))
        written = connection.written(server.target, options)
        print(_done(runtime.title, runtime.name, server.target.url, file.path, changed, written))
        server.remark()
        for remark in connection.remarks(file.read(), server.target, options):
            print(remark, file=sys.stderr)
        return 0

    return connect_runtime


for _runtime in runtimes().values():
    _connection = _runtime.connection
    if isinstance(_connection, SettingsConnection):
        _command = _settings_command(_runtime, _connection)
    elif _connection is not None:
        _command = _connect_command(_runtime, _connection)
    else:
        continue
    _command.__doc__ = _connection.help
    connect.command(_command, name=_runtime.name)


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
    print(otel_sdk.variables(server.target.url, server.target.variable, token))
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
    print(mcp_clients.sentences(server.target.url, server.target.variable, token))
    return 0


class _Session(msgspec.Struct, rename="camel"):
    """What `/api/session` tells to anybody."""

    token_required: bool


_sessions = msgspec.json.Decoder(_Session)


class _Server:
    """The server that is connected to."""

    def __init__(self, url: str | None, token: str | None, variable: str | None) -> None:
        base = Address(read_url(url)).base
        credentials(token)
        if variable is not None and not variable.isidentifier():
            raise ConfigError(f"--token-variable is {variable[:40]!r}; it takes the name of a variable.")
        self._answered, asks = _look(base)
        self.target = Target(base, variable or (TOKEN_VARIABLE if asks and token is None else None), token)

    def remark(self) -> None:
        """Say what else has to be so for the connection to work."""
        if self.target.variable is not None:
            print(
                f"The token (scope `publish`) is taken from ${self.target.variable} where the agent is started."
            )
        if not self._answered:
            print(f"Nobody answers at {self.target.url} at the moment.", file=sys.stderr)


def _look(url: str) -> tuple[bool, bool]:
    """Return whether a server answers, and whether it asks for a token."""
    try:
        session = _sessions.decode(call(url, "/api/session", timeout=LOOK_SECONDS))
    except (ClientError, msgspec.MsgspecError, UnicodeDecodeError):
        return False, False
    return True, session.token_required


def _done(runtime: str, name: str, url: str, path: Path, changed: bool, what: str) -> str:
    if not changed:
        return f"{runtime} is connected to {url} already; {path} stays as it is."
    return (
        f"{runtime} is connected to {url}: {what} in {path}. "
        f"`mission-control disconnect {name}` takes it out again."
    )
