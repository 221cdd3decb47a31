"""Sessions begun by hand, for what the official client does not do."""

from __future__ import annotations

import aiohttp

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
HEADERS = {"Accept": "application/json, text/event-stream"}


async def begin(http: aiohttp.ClientSession, url: str) -> tuple[int, str | None]:
    """Begin a session by hand; returns the status and the session's id."""
    async with http.post(f"{url}/mcp", json=INITIALIZE) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Mcp-Session-Id")
