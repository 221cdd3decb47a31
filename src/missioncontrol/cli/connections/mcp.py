"""MCP: how an agent is given Mission Control's tools, over HTTP or over standard input and output.

Source: https://modelcontextprotocol.io (transports). Variables in `.mcp.json` are those of most clients.
"""

from __future__ import annotations

import json
from typing import Any

from missioncontrol.runtimes.registry import runtimes

PATH = "/mcp"
NAME = "mission-control"


def sentences(url: str, variable: str | None = None, token: str | None = None) -> str:
    """Return the ways, each with its heading: the runtimes' own commands first.

    Args:
        url: the server's.
        variable: the environment's variable with the token that the server asks for.
        token: the token itself, in clear.
    """
    server: dict[str, Any] = {"type": "http", "url": url + PATH}
    header = None
    if token is not None or variable is not None:
        header = f"Bearer {token}" if token is not None else f"Bearer ${{{variable}}}"
        server["headers"] = {"Authorization": header}
    commands = (
        (runtime.title, runtime.mcp_command(NAME, url + PATH, header)) for runtime in runtimes().values()
    )
    stdio = {"command": "mission-control", "args": ["mcp", "--url", url]}
    return "\n\n".join(
        (
            *(f"# {title}\n{command}" for title, command in commands if command is not None),
            f"# Any client that speaks HTTP (.mcp.json)\n{_servers(server)}",
            f"# Any client that starts a program\n{_servers(stdio)}",
        )
    )


def _servers(server: dict[str, Any]) -> str:
    return json.dumps({"mcpServers": {NAME: server}}, indent=2)
