"""SIGTERM drains: everybody is told when to come back, what was accepted is kept, and the exit status is 0."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import aiohttp
import pytest

from missioncontrol.client import Publisher
from missioncontrol.testing import start_server
from tests.process.history import History, read_log
from tests.process.raw_socket import CLOSE, TEXT, RawSocket, frame, message
from tests.process.server_probe import figure_reaches
from tests.process.traffic import TRANSPORTS, publish_over_http, publish_over_websocket, read

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(60)]


async def until_told(socket: RawSocket) -> tuple[float, int]:
    """Read up to the close; returns the seconds after which to come back, and the code."""
    told: list[float] = []
    while (found := await socket.receive()) is not None:
        if found.opcode == TEXT:
            content = json.loads(found.payload)
            if content["type"] == "server:draining":
                told.append(content["data"]["reconnectAfter"])
        elif found.opcode == CLOSE:
            await socket.send(frame(found.payload[:2], CLOSE))
            assert len(told) == 1
            return told[0], int.from_bytes(found.payload[:2], "big")
    raise AssertionError("the connection ended without a close")


async def test_every_websocket_is_told_when_to_come_back_spread_out_and_closed_with_1001(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with AsyncExitStack() as stack:
            sockets = [
                await stack.enter_async_context(await RawSocket.websocket(server.url)) for _ in range(50)
            ]
            for socket in sockets:
                await socket.receive_message("connected")
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            told = await asyncio.gather(*(until_told(socket) for socket in sockets))
            assert await stopping == 0
        assert {code for _, code in told} == {1001}
        seconds = [reconnect_after for reconnect_after, _ in told]
        assert min(seconds) > 0
        assert max(seconds) - min(seconds) > 0.3
        assert len(set(seconds)) > 25
        assert "Traceback" not in server.log, server.log


async def test_a_stream_is_told_and_ended_and_a_poll_is_answered(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(server.url, timeout=timeout) as session:
            async with session.get("/api/events/stream") as stream:
                polling = asyncio.create_task(session.get("/api/events", params={"wait": "50"}))
                await figure_reaches(server.url, "live_clients", 1)
                # The poll has no figure of its own; it is there once it has been sent, before this is answered.
                await (await session.get("/health")).read()
                started = monotonic()
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                said = (await stream.read()).decode()
                block = next(part for part in said.split("\n\n") if "event: server:draining" in part)
                told = json.loads(block.split("data: ")[1])["reconnectAfter"]
                assert told > 0
                # What a browser's own EventSource goes by, in milliseconds.
                assert block.splitlines()[0] == f"retry: {round(told * 1000)}"
                async with await polling as answer:
                    assert answer.status == 200
                    assert int(answer.headers["retry-after"]) >= 1
                    page = await answer.json()
                    assert page["reconnectAfter"] > 0
                    assert page["events"] == []
                    assert page["cursor"]
            assert await stopping == 0
        assert monotonic() - started < 10
        assert "Traceback" not in server.log, server.log


async def test_what_was_accepted_before_the_drain_is_durable_and_read_by_all_after_it(tmp_path: Path) -> None:
    history = History()
    stop = asyncio.Event()
    with start_server(tmp_path / "workspace") as server:
        epoch, _ = await read_log(server.url)
        start = f"{epoch}:0"
        async with asyncio.TaskGroup() as tasks:
            readers = [
                tasks.create_task(read(history, server.url, f"all by {transport}", ["*"], transport, start))
                for transport in TRANSPORTS
            ]
            publishers = [
                tasks.create_task(publish_over_http(history, server.url, "http", stop)),
                tasks.create_task(publish_over_http(history, server.url, "once", stop, patient=False)),
                tasks.create_task(publish_over_websocket(history, server.ws_url, "websocket", stop)),
            ]
            for _ in range(2):
                await history.grows_by(300)
                assert await asyncio.to_thread(server.stop) == 0
                await asyncio.to_thread(server.start)
            await history.grows_by(100)
            stop.set()
            await asyncio.gather(*publishers)
            epoch, log = await read_log(server.url)
            await history.is_read_to_the_end(log)
            for reader in readers:
                reader.cancel()
        history.check(epoch, log)
        assert "Traceback" not in server.log, server.log


async def test_a_drain_ends_in_time_though_a_client_neither_reads_nor_answers(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with (
            await RawSocket.websocket(server.url, receive_buffer=8 * 1024) as crawler,
            await RawSocket.open(server.url) as unfinished,
            Publisher(server.url) as publisher,
        ):
            await crawler.receive_message("connected")
            await unfinished.send(
                b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
            )
            ids = await publisher.publish_many(
                [{"type": "custom:step", "data": {"pad": "x" * 20_000}} for _ in range(500)]
            )
            await figure_reaches(server.url, "slow_clients_total", 1)
            started = monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            assert monotonic() - started < 12
        await asyncio.to_thread(server.start)
        _, log = await read_log(server.url)
        assert [event.id for event in log if event.type == "custom:step"] == ids
        assert "Traceback" not in server.log, server.log


def serve(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "missioncontrol.cli", "serve", "--ws-port", "none", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


async def test_a_second_server_on_the_same_data_or_port_is_refused_and_nobody_notices(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        workspace = ("--workspace", str(server.workspace))
        port = str(urlsplit(server.url).port)
        async with await RawSocket.websocket(server.url) as socket:
            await socket.receive_message("connected")
            for options, named in (
                (("--data", str(server.data), "--port", "0"), str(server.data)),
                (("--data", str(tmp_path / "other"), "--port", port), port),
            ):
                refused = await asyncio.to_thread(serve, *workspace, *options)
                assert refused.returncode == 2
                assert refused.stdout == ""
                assert refused.stderr.count("\n") == 1, refused.stderr
                assert named in refused.stderr
            await socket.send(message("publish", events=[{"type": "custom:step"}], ref=1))
            await socket.receive_message("published")
        assert not (tmp_path / "other" / "events.sqlite").exists()


async def test_a_request_that_never_became_whole_keeps_nobody_waiting(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with await RawSocket.open(server.url) as socket:
            host = urlsplit(server.url).netloc
            await socket.send(
                f"POST /api/events HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n[".encode()
            )
            async with aiohttp.ClientSession(server.url) as session:
                await (await session.get("/health")).read()
            started = monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            assert monotonic() - started < 3
            assert await socket.read_all() == b""
