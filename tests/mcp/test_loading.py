"""The protocol's library is large, so it is loaded when somebody needs it, and then nobody waits for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from missioncontrol.testing import start_server
from tests.mcp.callers import connect, do, get

HEAVY = ("mcp", "mcp_types", "pydantic", "starlette", "sse_starlette")


@pytest.mark.parametrize("module", ["missioncontrol.cli.serve", "missioncontrol.cli.mcp"])
def test_neither_the_server_nor_the_bridge_imports_it(module: str) -> None:
    code = (
        f"import sys, missioncontrol.app, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.anyio
@pytest.mark.process
async def test_others_are_answered_while_it_is_loaded(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        slowest = 0.0

        async def first_call() -> None:
            async with connect(server.url, agent="first") as client:
                await do(client, "fleet_status")

        started = monotonic()
        call = asyncio.create_task(first_call())
        while not call.done():
            began = monotonic()
            await asyncio.to_thread(get, server.url, "/health")
            slowest = max(slowest, monotonic() - began)
        await call
        # A loop that is held for the loading answers nobody until it is over.
        assert slowest < (monotonic() - started) / 2
