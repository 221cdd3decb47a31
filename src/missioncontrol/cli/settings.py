"""The options that commands share, and how settings come about from them.

Order: flag, environment, file, default. A token is hashed as soon as it is read: nothing keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from missioncontrol.config import DEFAULT_URL, Config, TokenConfig, load_config
from missioncontrol.errors import ConfigError

CONFIG_VARIABLE = "MISSION_CONTROL_CONFIG"
TOKEN_VARIABLE = "MISSION_CONTROL_TOKEN"  # noqa: S105 - the name of the variable
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
    Parameter(help="The port, 0 for a free one. Default: 3001. [env: `MISSION_CONTROL_PORT`, `MC_API_PORT`]"),
]
WsPort = Annotated[
    int | Literal["none"] | None,
    Parameter(
        metavar="PORT",
        show_choices=False,
        help="A second port that serves the same, 0 for a free one, or `none`. Default: 3002. "
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
    Parameter(help="Where the server is. Default: `http://127.0.0.1:3001`. [env: `MISSION_CONTROL_URL`]"),
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
    if file is None and (named := environment.get(CONFIG_VARIABLE)):
        file = Path(named).expanduser()
    config = load_config(file, flags, environment)
    token = read_token(token, environment)
    if token is not None:
        digest = sha256(token.encode()).hexdigest()
        config.server.tokens.append(
            TokenConfig(name="command line", sha256=digest, scopes=["read", "publish", "admin"])
        )
    return config


def read_token(token: str | None, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the token that was given, else that of the environment; None without either.

    Raises:
        ConfigError: it is empty.
    """
    environment = os.environ if environment is None else environment
    token = environment.get(TOKEN_VARIABLE) if token is None else token
    if token is not None and not token.strip():
        raise ConfigError("The token is empty; `mission-control token new` makes one.")
    return token


def read_url(url: str | None, environment: Mapping[str, str] | None = None) -> str:
    """Return where the server is: as given, else as the environment says, else on this machine."""
    environment = os.environ if environment is None else environment
    found = url or environment.get(URL_VARIABLE)
    if found:
        return found
    port = environment.get("MISSION_CONTROL_PORT") or environment.get("MC_API_PORT")
    return f"http://127.0.0.1:{port}" if port and port != "0" else DEFAULT_URL
