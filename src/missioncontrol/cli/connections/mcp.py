"""MCP: how an agent is given Mission Control's tools, over HTTP or over standard input and output.

Sources: https://code.claude.com/docs/en/mcp (the command, variables in `.mcp.json`) and
https://modelcontextprotocol.io (transports).
"""

from __future__ import annotations

import json
from typing import Any

PATH = "/mcp"
NAME = "mission-control"


def sentences(url: str, variable: str | None = None, token: str | None = None) -> str:
    """Return the three ways, each with its heading.

    Args:
        url: the server's.
        variable: the environment's variable with the token that the server asks for.
        token: the token itself, in clear.
    """
    server: dict[str, Any] = {"type": "http", "url": url + PATH}
    line = f"claude mcp add --transport http {NAME} {url}{PATH}"
    if token is not None or variable is not None:
        header = f"Bearer {token}" if token is not None else f"Bearer ${{{variable}}}"
        server["headers"] = {"Authorization": header}
        # Single quotes: Claude Code fills the variable in, each time it connects.
        line += f" --header 'Authorization: {header}'"
    stdio = {"command": "mission-control", "args": ["mcp", "--url", url]}
    return "\n\n".join(
        (
            f"# Claude Code\n{line}",
            f"# Any client that speaks HTTP (.mcp.json)\n{_servers(server)}",
            f"# Any client that starts a program\n{_servers(stdio)}",
        )
    )


def _servers(server: dict[str, Any]) -> str:
    return json.dumps({"mcpServers": {NAME: server}}, indent=2)
