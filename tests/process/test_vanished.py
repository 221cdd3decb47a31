"""A client whose machine is gone is noticed within two heartbeats, whatever it was connected by; a slow one stays."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.process.network import Network, needs_network_namespaces
from tests.process.server_probe import eventually

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,
    pytest.mark.timeout(120),
    needs_network_namespaces(),
]

HEARTBEAT = 2.0
TICK = HEARTBEAT / 30
SLACK = 1.0
"""For a busy machine, and the moments between two questions."""

TOKEN = "mc_of_a_test_only_0123456789"

CLIENT = """
import socket, sys
host, port, request, after = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
connection = socket.create_connection((host, port))
connection.sendall(request.replace("|", "\\r\\n").encode())
data = b""
while b"\\r\\n\\r\\n" not in data:
    data += connection.recv(1000)
print("connected", flush=True)
if after == "answer":
    # Pings (0x89) are answered, so that only what happens afterwards is silence.
    while piece := connection.recv(65536):
        if b"\\x89\\x00" in piece:
            connection.sendall(b"\\x8a\\x80" + bytes(4))
else:
    while connection.recv(65536):
        pass
"""


def request(path: str, host: str, more: str = "") -> str:
    return f"GET {path} HTTP/1.1|Host: {host}|Authorization: Bearer {TOKEN}|{more}|"


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = f"Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: {KEY}|"


@asynccontextmanager
async def served() -> AsyncIterator[tuple[ServerProcess, Network, str]]:
    """Serve on the network between both sides."""
    with Network() as network, tempfile.TemporaryDirectory() as folder:
        env = {"MISSION_CONTROL_HEARTBEAT_INTERVAL": str(HEARTBEAT), "MISSION_CONTROL_TOKEN": TOKEN}
        options = ["--host", "0.0.0.0"]
        with start_server(Path(folder) / "workspace", env=env, options=options) as server:
            port = server.url.rpartition(":")[2]
            yield server, network, f"{network.here}:{port}"
            assert "Traceback" not in server.log, server.log


@asynccontextmanager
async def connected(network: Network, address: str, ask: str, after: str = "") -> AsyncIterator[None]:
    host, _, port = address.partition(":")
    process = await asyncio.create_subprocess_exec(
        *network.command(sys.executable, "-c", CLIENT, host, port, ask, after), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"connected"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def health(address: str) -> dict[str, object]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        session.get(f"http://{address}/health") as answer,
    ):
        found: dict[str, object] = await answer.json()
        return found


async def clients(address: str) -> int:
    return int(str((await health(address))["wsClients"]))


@pytest.mark.parametrize("kind", ["websocket", "stream"])
async def test_a_client_that_vanishes_is_not_counted_after_two_heartbeats(kind: str) -> None:
    async with served() as (_, network, address):
        local = f"127.0.0.1:{address.partition(':')[2]}"
        ask = (
            request("/api/ws", address, UPGRADE)
            if kind == "websocket"
            else request("/api/events/stream", address)
        )
        async with connected(network, address, ask, "answer" if kind == "websocket" else ""):
            # Some heartbeats go well: the connection is not new, and it is not taken for gone.
            await asyncio.sleep(2.5 * HEARTBEAT)
            assert await clients(local) == 1
            began = asyncio.get_running_loop().time()
            network.vanish()

            async def gone() -> bool:
                return await clients(local) == 0

            await eventually(gone, 3 * HEARTBEAT + 10)
            assert asyncio.get_running_loop().time() - began <= 2 * HEARTBEAT + TICK + SLACK


async def test_a_poll_whose_client_vanishes_ends_after_two_heartbeats() -> None:
    async with served() as (_, network, address):
        local = f"127.0.0.1:{address.partition(':')[2]}"
        host, _, port = address.partition(":")
        ask = request("/api/events?wait=50", address)
        # The answer comes only after the wait, so this client says nothing; the server counts its connection.
        process = await asyncio.create_subprocess_exec(
            *network.command(sys.executable, "-c", CLIENT, host, port, ask, ""),
            stdout=asyncio.subprocess.DEVNULL,
        )

        async def connections() -> int:
            found = (await health(local))["descriptors"]
            assert isinstance(found, dict)
            return int(found["connections"])

        async def waits() -> bool:
            return await connections() == 2

        try:
            await eventually(waits)
            began = asyncio.get_running_loop().time()
            network.vanish()

            async def gone() -> bool:
                return await connections() == 1

            await eventually(gone, 3 * HEARTBEAT + 10)
            assert asyncio.get_running_loop().time() - began <= 2 * HEARTBEAT + TICK + SLACK
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("kind", ["websocket", "stream"])
async def test_a_client_that_takes_nothing_is_not_taken_for_gone(kind: str) -> None:
    """Its kernel still answers: only the rule of 60 seconds ends it."""
    async with served() as (_, network, address):
        local = f"127.0.0.1:{address.partition(':')[2]}"
        ask = (
            request("/api/ws", address, UPGRADE)
            if kind == "websocket"
            else request("/api/events/stream", address)
        )
        stuck = CLIENT.partition("if after")[0] + "import time; time.sleep(600)\n"
        host, _, port = address.partition(":")
        process = await asyncio.create_subprocess_exec(
            *network.command(sys.executable, "-c", stuck, host, port, ask, ""), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            assert (await process.stdout.readline()).strip() == b"connected"
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            async with aiohttp.ClientSession(f"http://{local}", headers=headers) as session:
                for _ in range(40):
                    async with session.post(
                        "/api/events", json=[{"type": "custom:big", "data": {"x": "x" * 200_000}}] * 4
                    ) as answer:
                        assert answer.status == 201, await answer.text()
            await asyncio.sleep(4 * HEARTBEAT)
            assert await clients(local) == 1
            assert await figure_with_token(local, "no_heartbeat_closes_total") == 0
        finally:
            process.kill()
            await process.wait()


async def figure_with_token(address: str, name: str) -> float:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://{address}/metrics") as answer,
    ):
        return float((await answer.json())["figures"][f"mission_control_{name}"])
