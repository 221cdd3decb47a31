"""Requests that never end, and answers that are never taken, hold no connection for long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.server.site import until
from websockets.asyncio.client import connect

from missioncontrol import MissionControl
from missioncontrol.server import http_protocol

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MissionControl]:
    (tmp_path / "workspace").mkdir()
    async with MissionControl(workspace=tmp_path / "workspace", data=tmp_path / "data", port=0) as running:
        yield running


class Trickle:
    """A connection over which bytes are sent one by one."""

    def __init__(self, running: MissionControl) -> None:
        self._host = urlsplit(running.url).hostname or ""
        self._port = urlsplit(running.url).port or 0
        self.host = f"{self._host}:{self._port}"

    async def __aenter__(self) -> Trickle:
        self.reader, self.writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ends_while_sending(self, piece: bytes, every: float = 0.05) -> bytes:
        """Send a piece again and again until the server ends the connection; return what came."""

        async def send() -> None:
            while True:
                self.writer.write(piece)
                await asyncio.sleep(every)

        sending = asyncio.create_task(send())
        try:
            async with asyncio.timeout(20):
                return await self.reader.read()
        except ConnectionResetError:
            return b""
        finally:
            sending.cancel()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (b"GET /", b"a"),
        (b"", b"\r\n"),
        (b"", b""),
    ],
    ids=["fields", "a target", "line ends", "nothing"],
)
async def test_a_head_that_never_ends_has_its_time(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.5)
    async with Trickle(running) as trickle:
        trickle.writer.write(first)
        assert b" 200 " not in await trickle.ends_while_sending(then)


async def test_line_ends_after_an_answer_do_not_keep_a_connection(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.5)
    async with Trickle(running) as trickle:
        trickle.writer.write(f"GET /health HTTP/1.1\r\nHost: {trickle.host}\r\n\r\n".encode())
        await trickle.reader.readuntil(b"\r\n\r\n")
        # One is enough: it ends the wait for the next request, and begins none.
        trickle.writer.write(b"\r\n")
        async with asyncio.timeout(20):
            await trickle.reader.read()


async def test_a_websocket_and_a_stream_that_are_quiet_stay(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http_protocol, "BODY_SILENCE_SECONDS", 0.2)
    async with (
        connect(running.ws_url, ping_interval=None) as websocket,
        aiohttp.ClientSession(running.url) as session,
        session.get("/api/events/stream", headers={"connection": "keep-alive"}) as stream,
    ):
        async with asyncio.timeout(20):
            while await websocket.recv() == "":
                pass
            # Several times as long as a head may take.
            await asyncio.sleep(1.0)
            await running.broadcast({"type": "custom:late", "data": {}})
            while "custom:late" not in str(await websocket.recv()):
                pass
            while b"custom:late" not in await stream.content.readline():
                pass


async def test_a_body_that_trickles_has_its_time_though_it_never_pauses(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.5)
    async with Trickle(running) as trickle:
        head = f"POST /api/events HTTP/1.1\r\nHost: {trickle.host}\r\nContent-Length: 100000\r\n\r\n"
        trickle.writer.write(head.encode())
        assert b" 201 " not in await trickle.ends_while_sending(b" ")


async def test_a_body_that_comes_at_a_modem_s_pace_is_taken(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.2)
    body = b'{"type":"custom:slow","data":{"pad":"' + b"x" * 20_000 + b'"}}'
    async with Trickle(running) as trickle:
        head = (
            f"POST /api/events HTTP/1.1\r\nHost: {trickle.host}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        trickle.writer.write(head.encode())
        for at in range(0, len(body), 2_500):
            trickle.writer.write(body[at : at + 2_500])
            await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            assert b" 201 " in await trickle.reader.read()


async def test_an_answer_of_which_nothing_is_taken_ends(
    running: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "STUCK_SECONDS", 0.5)
    monkeypatch.setattr("missioncontrol.server.heartbeat.PROGRESS_SECONDS", 0.2)
    for _ in range(40):
        await running.broadcast({"type": "custom:big", "data": {"pad": "x" * 200_000}})
    parts = urlsplit(running.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (parts.hostname, parts.port))
    try:
        ask = f"GET /api/system/events?limit=40 HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        await loop.sock_sendall(connection, ask.encode())
        await until(lambda: running._running.hub.figures.too_slow == 1)
        await until(lambda: running._running.room.open == 0)
    finally:
        connection.close()


async def test_connections_that_are_kept_alive_are_counted(running: MissionControl) -> None:
    def idle() -> int:
        return int(running.metrics()["figures"]["mission_control_idle_connections"])

    async with aiohttp.ClientSession() as session, aiohttp.ClientSession() as other:
        for one in (session, other):
            async with one.get(f"{running.url}/health") as answer:
                await answer.read()
        await until(lambda: idle() == 2)
        async with Trickle(running) as silent:
            await until(lambda: idle() == 3)
            # A request that is not whole yet keeps its connection no more than none does.
            silent.writer.write(
                f"POST /api/events HTTP/1.1\r\nHost: {silent.host}\r\nContent-Length: 9\r\n\r\n[".encode()
            )
            await silent.writer.drain()
        await until(lambda: idle() == 2)
    await until(lambda: idle() == 0)
