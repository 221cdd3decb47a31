"""With few file descriptors the server goes on: connections are bounded, and the log, files and `/health` are not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from missioncontrol.client import Client, Event
from tests.process.raw_socket import CLOSE, TEXT, RawSocket
from tests.process.server_probe import eventually
from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(180)]

LIMIT = 256
CROWD = 400


@asynccontextmanager
async def few(tmp_path: Path, limit: int = LIMIT) -> AsyncIterator[Started]:
    (tmp_path / "workspace" / "agents" / "scout").mkdir(parents=True)
    arguments = ["serve", "--workspace", "workspace", "--data", "data", "--port", "0", "--ws-port", "none"]
    env = clean_environment(tmp_path)
    with Started(arguments, env=env, folder=tmp_path, shell=f"ulimit -n {limit}") as server:
        await asyncio.to_thread(server.ready)
        yield server
        server.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.status) == 0
        assert "Traceback" not in server.stderr, server.stderr
        assert "EMFILE" not in server.stderr
        assert "Too many open files" not in server.stderr


async def get(url: str, path: str) -> tuple[int, Any]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(url, timeout=timeout) as session, session.get(path) as answer:
        return answer.status, await answer.json()


async def works(server: Started, folder: Path) -> None:
    """See that health, the log, files, notifications of the file system and live clients work."""
    status, health = await get(server.url, "/health")
    assert (status, health["status"]) == (200, "ok")
    count = health["descriptors"]
    assert count["limit"] == LIMIT
    # A good part of the reserve is never touched.
    assert count["used"] <= LIMIT - 32
    assert count["connections"] <= count["maxConnections"] + 32


async def notices_a_file(server: Started, folder: Path, seen: Client) -> None:
    state = {"status": "busy", "lastActive": "2026-11-23T10:15:00Z"}
    (folder / "workspace" / "agents" / "scout" / "state.json").write_text(json.dumps(state))
    async with asyncio.timeout(30):
        async for item in seen:
            if isinstance(item, Event) and item.type == "agent:statusChange":
                assert item.data["status"] == "busy"
                return


async def outcome(socket: RawSocket) -> str:
    """Say how a handshake has ended: live, full (1013), or refused."""
    try:
        while (frame := await socket.receive()) is not None:
            if frame.opcode == TEXT and b'"connected"' in frame.payload:
                return "live"
            if frame.opcode == CLOSE:
                return str(int.from_bytes(frame.payload[:2], "big"))
    except (OSError, AssertionError, asyncio.IncompleteReadError, TimeoutError):
        pass
    return "refused"


async def test_of_400_websockets_as_many_stay_as_there_is_room_for_and_all_else_works(tmp_path: Path) -> None:
    async with few(tmp_path) as server, AsyncExitStack() as stack:
        first = await stack.enter_async_context(Client(server.url, events=["agent:*", "custom:*"]))
        await first.ready()
        outcomes: list[str] = []
        for _ in range(CROWD // 50):
            sockets = []
            for _ in range(50):
                try:
                    sockets.append(await stack.enter_async_context(await RawSocket.websocket(server.url)))
                except (OSError, AssertionError, asyncio.IncompleteReadError):
                    outcomes.append("refused")
            outcomes += await asyncio.gather(*(outcome(socket) for socket in sockets))
        live = outcomes.count("live")
        _, health = await get(server.url, "/health")
        assert health["wsClients"] == live + 1
        assert 50 < live < LIMIT - 100
        # Most of the others are given the reason.
        assert outcomes.count("1013") > (CROWD - live) // 2, outcomes
        await works(server, tmp_path)
        await notices_a_file(server, tmp_path, first)
        event = {"type": "custom:event", "data": {}}
        async with (
            aiohttp.ClientSession(server.url) as session,
            session.post("/api/events", json=event) as answer,
        ):
            assert answer.status == 201
        assert "descriptors.few" in server.stderr
    assert len(server.stderr.splitlines()) < 30


async def test_400_connections_without_a_request_keep_nobody_out(tmp_path: Path) -> None:
    async with few(tmp_path) as server, AsyncExitStack() as stack:
        live = await stack.enter_async_context(Client(server.url, events="agent:*"))
        await live.ready()
        idle = []
        for _ in range(CROWD):
            try:
                idle.append(await stack.enter_async_context(await RawSocket.open(server.url)))
            except OSError:
                # Reset at once, which is as well.
                pass
        await works(server, tmp_path)
        assert (await get(server.url, "/api/snapshot"))[0] == 200
        await notices_a_file(server, tmp_path, live)

        async def forgotten() -> bool:
            return bool((await get(server.url, "/health"))[1]["descriptors"]["connections"] <= 3)

        # Nor do they stay.
        await eventually(forgotten, 40)


async def test_400_requests_that_are_not_finished_keep_nobody_out(tmp_path: Path) -> None:
    async with few(tmp_path) as server, AsyncExitStack() as stack:
        head = f"POST /api/events HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nContent-Length: 100\r\n\r\n["
        for _ in range(CROWD):
            # Some are reset at once, which is as well.
            with contextlib.suppress(OSError):
                socket = await stack.enter_async_context(await RawSocket.open(server.url))
                await socket.send(head.encode())
        await works(server, tmp_path)


async def test_while_polls_take_all_connections_health_answers_and_others_are_told_why_not(
    tmp_path: Path,
) -> None:
    async with few(tmp_path) as server, AsyncExitStack() as stack:
        host = urlsplit(server.url).netloc
        ask = f"GET /api/events?wait=50 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        polls = []
        for _ in range(CROWD):
            try:
                socket = await stack.enter_async_context(await RawSocket.open(server.url))
                await socket.send(ask)
                polls.append(socket)
            except OSError:
                pass
        await works(server, tmp_path)
        status, health = await get(server.url, "/health")
        assert status == 200
        if health["descriptors"]["connections"] > health["descriptors"]["maxConnections"]:
            status, problem = await get(server.url, "/api/agents")
            assert status == 503
            assert "file descriptors" in problem["detail"]


async def test_too_few_descriptors_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    arguments = ["serve", "--workspace", "workspace", "--data", "data", "--port", "0", "--ws-port", "none"]
    with Started(arguments, env=clean_environment(tmp_path), folder=tmp_path, shell="ulimit -n 80") as server:
        assert await asyncio.to_thread(server.status) == 2
        assert "80 file descriptors are too few" in server.stderr.splitlines()[-1]


async def test_two_thousand_wrong_requests_do_not_fill_the_log(tmp_path: Path) -> None:
    async with few(tmp_path, 1024) as server:
        for _ in range(100):
            async with AsyncExitStack() as stack:
                for _ in range(20):
                    socket = await stack.enter_async_context(await RawSocket.open(server.url))
                    await socket.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert (await get(server.url, "/health"))[0] == 200
    assert "Invalid HTTP request" in server.stderr
    assert len(server.stderr.splitlines()) < 20


async def test_without_a_single_descriptor_accepting_costs_nothing_and_goes_on_afterwards(
    tmp_path: Path,
) -> None:
    async with few(tmp_path) as server, aiohttp.ClientSession(server.url) as session:
        # A connection that is there already works on, and so does the log; it is only kept once all of it is read.
        async with session.get("/health") as answer:
            assert answer.status == 200
            await answer.read()
        table = Path(f"/proc/{server.pid}/fd")
        full = next(number for number in range(LIMIT) if not (table / str(number)).is_symlink())
        process = psutil.Process(server.pid)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (full, LIMIT))
        try:
            before = process.cpu_times()
            async with AsyncExitStack() as stack:
                for _ in range(20):
                    with contextlib.suppress(OSError):
                        await stack.enter_async_context(await RawSocket.open(server.url))
                event = {"type": "custom:event", "data": {}}
                async with session.post("/api/events", json=event) as answer:
                    assert answer.status == 201
                await asyncio.sleep(2)
            after = process.cpu_times()
            # A loop that spins takes whatever it is given of these seconds.
            assert after.user + after.system - before.user - before.system < 0.5
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

        async def accepts() -> bool:
            try:
                return (await get(server.url, "/health"))[0] == 200
            except aiohttp.ClientError:
                return False

        await eventually(accepts, 30)
