"""Callers of the tools: the protocol's official client, against a server process or through the bridge."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from mcp import Client
from missioncontrol.client.http import call as ask

ERAS = ("auto", "legacy")
"""The two that the protocol has: `auto` finds the newer one, single requests; `legacy` has sessions."""

BRIDGES = {"bridge": "auto", "old bridge": "legacy"}
"""The same through `mission-control mcp`."""


@asynccontextmanager
async def connect(
    url: str, *, mode: str = "auto", token: str | None = None, agent: str | None = None, **more: Any
) -> AsyncIterator[Client]:
    """A client over HTTP, or through the bridge."""
    if mode in BRIDGES:
        assert token is None
        options = [] if agent is None else ["--agent", agent]
        async with bridged(url, *options, mode=BRIDGES[mode], **more) as client:
            yield client
        return
    headers = {
        **({} if token is None else {"Authorization": f"Bearer {token}"}),
        **({} if agent is None else {"X-Agent": agent}),
    }
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode, **more) as client:
            yield client


@asynccontextmanager
async def bridged(url: str, *options: str, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """A client over standard input and output of `mission-control mcp`."""
    arguments = ["-m", "missioncontrol.cli", "mcp", "--url", url, *options]
    async with Client(
        StdioServerParameters(command=sys.executable, args=arguments), mode=mode, **more
    ) as client:
        yield client


async def do(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that has nothing against it, and return its result."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    told: dict[str, Any] = json.loads(_text(result.content[0]))
    assert result.structured_content == told
    assert told["message"]
    return told


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that refuses, and return what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return _text(result.content[0])


async def read(client: Client, uri: str) -> Any:
    """Read a resource."""
    return json.loads(_text((await client.read_resource(uri)).contents[0]))


def get(url: str, path: str, token: str | None = None) -> Any:
    """Ask the server over HTTP."""
    return json.loads(ask(url, path, token=token))


def post(url: str, path: str, body: Any, token: str | None = None) -> Any:
    """Tell the server something over HTTP."""
    return json.loads(ask(url, path, method="POST", body=json.dumps(body).encode(), token=token))


def _text(content: Any) -> str:
    text: str = content.text
    return text
