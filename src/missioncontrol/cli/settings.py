"""The options that commands share, and how settings come about from them.

Order: flag, environment, file, default. A token is hashed as soon as it is read: nothing keeps it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter

from missioncontrol.cli.running import choose, find_running, read_running
from missioncontrol.config import DEFAULT_URL, Config, TokenConfig, load_config
from missioncontrol.errors import ConfigError
from missioncontrol.owner_secret import read_secret
from missioncontrol.runtimes.registry import check_settings

CONFIG_VARIABLE = "MISSION_CONTROL_CONFIG"
TOKEN_VARIABLE = "MISSION_CONTROL_TOKEN"  # noqa: S105 - the name of the variable
COMMAND_LINE = "command line"
"""The name of the token that the command line or the environment gives."""

URL_VARIABLE = "MISSION_CONTROL_URL"

Workspace = Annotated[
    str | None,
    Parameter(
        help="The folder to watch. Default: `~/.openclaw/workspace` if it exists, else the current folder. "
        "[env: `MISSION_CONTROL_WORKSPACE`]"
    ),
]
DataFolder = Annotated[
    str | None,
    Parameter(
        help="The folder for the log. Default: one per workspace below `~/.local/share/mission-control`. "
        "[env: `MISSION_CONTROL_DATA`]"
    ),
]
Host = Annotated[
    str | None,
    Parameter(
        help="The address to listen on; any other than loopback needs a token. Default: `127.0.0.1`. "
        "[env: `MISSION_CONTROL_HOST`]"
    ),
]
Port = Annotated[
    int | None,
    Parameter(
        help="The port, 0 for a free one. Default: 3001, or another one where that is taken. "
        "[env: `MISSION_CONTROL_PORT`, `MC_API_PORT`]"
    ),
]
WsPort = Annotated[
    int | Literal["none"] | None,
    Parameter(
        metavar="PORT",
        show_choices=False,
        help="A second port that serves the same, 0 for a free one, or `none`. Default: 3002, unless that is taken. "
        "[env: `MISSION_CONTROL_WS_PORT`, `WS_PORT`]",
    ),
]
ConfigFile = Annotated[
    Path | None, Parameter(help="A TOML file with settings. [env: `MISSION_CONTROL_CONFIG`]")
]
LogUrl = Annotated[
    str | None,
    Parameter(
        help="Where the log is kept: `sqlite`, or NATS servers that several nodes share, as in "
        "`nats://HOST:4222,HOST:4222`. Default: `sqlite`. [env: `MISSION_CONTROL_LOG`]"
    ),
]
ServerToken = Annotated[
    str | None,
    Parameter(
        help="A token that may do everything. Better given by the environment, where other users of the "
        "machine do not see it. [env: `MISSION_CONTROL_TOKEN`]"
    ),
]
Open = Annotated[
    bool, Parameter(name="--open", negative="", show_default=False, help="Open the dashboard in a browser.")
]
Url = Annotated[
    str | None,
    Parameter(
        help="Where the server is. Default: the running server of this user, else `http://127.0.0.1:3001`. "
        "[env: `MISSION_CONTROL_URL`]"
    ),
]
ClientToken = Annotated[
    str | None, Parameter(help="The token, where the server asks for one. [env: `MISSION_CONTROL_TOKEN`]")
]
Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for programs.")
]


def read_config(
    flags: Mapping[str, Any],
    *,
    file: Path | None = None,
    token: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Put the settings of a server together.

    Args:
        flags: settings by dotted name; None values are passed over.
        file: the TOML file; without it the one that the environment names.
        token: a token with all scopes; without it the one in the environment.
        environment: the process's own unless another one is given.

    Raises:
        ConfigError: a setting is wrong.
    """
    environment = os.environ if environment is None else environment
    file = config_file(file, environment)
    config = load_config(file, flags, environment)
    check_settings(config.sources)
    token = read_token(token, environment)
    if token is not None:
        from missioncontrol.server.access import MIN_TOKEN_LENGTH, is_loopback

        if len(token) < MIN_TOKEN_LENGTH and not is_loopback(config.server.host):
            raise ConfigError(
                f"The token has fewer than {MIN_TOKEN_LENGTH} characters, which is too short for a server that other "
                f"machines can reach; `mission-control token new` makes one."
            )
        digest = sha256(token.encode()).hexdigest()
        config.server.tokens.append(
            TokenConfig(name=COMMAND_LINE, sha256=digest, scopes=["read", "publish", "admin"])
        )
    return config


def config_file(file: Path | None, environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the TOML file: as given, else the one that the environment names; None without either."""
    environment = os.environ if environment is None else environment
    if file is None and (named := environment.get(CONFIG_VARIABLE)):
        return Path(named).expanduser()
    return file


def read_token(token: str | None, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the token that was given, else that of the environment; None without either.

    Raises:
        ConfigError: it is empty.
    """
    environment = os.environ if environment is None else environment
    given, token = token, environment.get(TOKEN_VARIABLE) if token is None else token
    if token is not None and not token.strip():
        raise ConfigError("The token is empty; `mission-control token new` makes one.")
    if given is not None:
        print(
            f"mission-control: a token on the command line is shown to every user of this machine; "
            f"put it into {TOKEN_VARIABLE} instead",
            file=sys.stderr,
        )
    return token


def owner_secret(url: str) -> str | None:
    """Return the owner's secret of the server at an address, if it is a running server of this user.

    A server whose data folder the environment names is found, too.
    """
    servers = find_running()
    if named := os.environ.get("MISSION_CONTROL_DATA"):
        running = read_running(Path(named).expanduser())
        servers += [running] if running is not None else []
    for server in servers:
        if any(_same_place(url, known) for known in (server.url, server.ws_url)):
            with suppress(OSError):
                return read_secret(Path(server.data))
    return None


def _same_place(one: str, other: str) -> bool:
    # Here, so that commands that need no proof start quickly.
    from missioncontrol.server.access.origins import is_loopback

    try:
        first, second = urlsplit(one), urlsplit(other)
        return first.port == second.port and (
            first.hostname == second.hostname
            or all(name is not None and is_loopback(name) for name in (first.hostname, second.hostname))
        )
    except ValueError:
        return False


def read_url(url: str | None, environment: Mapping[str, str] | None = None, *, remark: bool = True) -> str:
    """Return where the server is: as given, else as the environment says, else where one of this user runs.

    Where several run and nothing says which is meant, a line on standard error names the one that is chosen.
    """
    environment = os.environ if environment is None else environment
    found = url or environment.get(URL_VARIABLE)
    if found:
        return found
    port = environment.get("MISSION_CONTROL_PORT") or environment.get("MC_API_PORT")
    if port and port not in ("0", "auto"):
        return f"http://127.0.0.1:{port}"
    servers = find_running()
    chosen = choose(servers, environment)
    if chosen is None:
        return DEFAULT_URL
    if remark and len(servers) > 1 and chosen is servers[0] and chosen.url != DEFAULT_URL:
        print(f"mission-control: {len(servers)} servers run; this is about {chosen.url}", file=sys.stderr)
    return chosen.url
