"""`token`: make tokens."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Annotated, get_args

import msgspec
from cyclopts import App, Parameter

from missioncontrol.cli.logs import TOKEN_PREFIX
from missioncontrol.config import Scope
from missioncontrol.errors import ConfigError

token = App(name="token", help="Make tokens for servers that others can reach.")


@token.command
def new(
    *,
    name: Annotated[str, Parameter(help="Whose token it is, for logs and errors.")] = "ops",
    scopes: Annotated[
        str,
        Parameter(help="What it may do, separated by commas: `read`, `fleet`, `publish`, `answer`, `admin`."),
    ] = "read",
    agent: Annotated[str | None, Parameter(help="The one agent that it speaks for. Default: any.")] = None,
) -> int:
    """Make a token, and print it with the lines for the config file.

    The server only ever needs its SHA-256: the token itself is shown here, once, and kept nowhere.

    For example:

        mission-control token new
        mission-control token new --name ci --scopes publish
        mission-control token new --name scout --scopes read,publish --agent scout
        mission-control token new --name ops --scopes admin
    """
    known = get_args(Scope)
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    unknown = [scope for scope in wanted if scope not in known]
    if unknown or not wanted:
        raise ConfigError(f"--scopes is {scopes!r}; it takes {', '.join(known)}, separated by commas.")
    made = TOKEN_PREFIX + secrets.token_urlsafe(32)
    lines = {
        "name": name,
        "sha256": sha256(made.encode()).hexdigest(),
        "scopes": list(dict.fromkeys(wanted)),
        **({} if agent is None else {"agent": agent}),
    }
    print(made)
    print("\n[[server.tokens]]")
    for key, value in lines.items():
        # A JSON string or array of strings is a TOML one too.
        print(f"{key} = {msgspec.json.encode(value).decode()}")
    return 0
