"""Whoever stands still, or is cut off without being told, is found out by the heartbeats, and misses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from missioncontrol.client import Client, ClientState, Event, Publisher, Transport
from missioncontrol.testing import ServerProcess, start_server
from tests.process.link import Link
from tests.process.raw_socket import CLOSE, RawSocket
from tests.process.server_probe import figure, figure_reaches
from tests.process.traffic import TRANSPORTS

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(60)]

HEARTBEAT = 0.3
QUICK = {"MISSION_CONTROL_HEARTBEAT_INTERVAL": str(HEARTBEAT)}
# The client asks for events of its own alone, so that what a server notices in its workspace is not among them.
STEPS = "custom:step"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("half-open") / "workspace", env=QUICK) as server:
        yield server
        assert "Traceback" not in server.log


class Follower:
    """A client that reads steps in the background, and says when its connection was lost and found again."""

    def __init__(self, url: str, transport: Transport) -> None:
        self.client = Client(url, events=STEPS, transport=transport, heartbeat=HEARTBEAT, on_state=self._note)
        self.lost = asyncio.Event()
        self.found_again = asyncio.Event()
        self.numbers: list[int] = []
        self._more = asyncio.Event()

    def _note(self, state: ClientState, reason: str) -> None:
        if state is ClientState.RECONNECTING:
            self.lost.set()
        elif state is ClientState.CONNECTED and self.lost.is_set():
            self.lost.clear()
            self.found_again.set()

    async def read(self) -> None:
        async for item in self.client:
            assert isinstance(item, Event), item
            self.numbers.append(item.data["n"])
            self._more.set()

    async def has_come_to(self, count: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(60):
            while len(self.numbers) < count:
                self._more.clear()
                await self._more.wait()

    async def has(self, numbers: list[int]) -> None:
        """Wait until so many have come, and see that they are these."""
        await self.has_come_to(len(numbers))
        assert self.numbers == numbers


@asynccontextmanager
async def following(url: str, transport: Transport) -> AsyncIterator[Follower]:
    follower = Follower(url, transport)
    async with follower.client:
        await follower.client.ready()
        reading = asyncio.create_task(follower.read())
        try:
            yield follower
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def publish(url: str, numbers: range) -> None:
    async with Publisher(url) as publisher:
        await publisher.publish_many([{"type": STEPS, "data": {"n": n}} for n in numbers])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_was_stopped_for_a_while_is_followed_on(
    server: ServerProcess, transport: Transport
) -> None:
    async with following(server.url, transport) as follower:
        await publish(server.url, range(100))
        await follower.has(list(range(100)))
        server.pause()
        async with asyncio.timeout(20):
            await follower.lost.wait()
        publishing = asyncio.create_task(publish(server.url, range(100, 200)))
        server.resume()
        await publishing
        await follower.has(list(range(200)))


async def test_a_server_that_was_stopped_in_mid_burst_loses_and_doubles_nothing(
    server: ServerProcess,
) -> None:
    async with (
        following(server.url, "websocket") as websocket,
        following(server.url, "sse") as sse,
        following(server.url, "poll") as poll,
    ):
        everyone = [websocket, sse, poll]
        publishing = asyncio.create_task(publish(server.url, range(20_000)))
        for at in (1, 5_000, 10_000):
            await websocket.has_come_to(at)
            server.pause()
            async with asyncio.timeout(20):
                await asyncio.gather(*(follower.lost.wait() for follower in everyone))
            server.resume()
        await publishing
        for follower in everyone:
            await follower.has(list(range(20_000)))


@asynccontextmanager
async def watching(server: ServerProcess) -> AsyncIterator[Process]:
    """Run `mission-control watch --json` in a process of its own, from now on."""
    command = ["watch", STEPS, "--json", "--url", server.url, "--since", await head_of(server.url)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "missioncontrol.cli", *command), stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def head_of(url: str) -> str:
    async with Client(url) as client:
        await client.ready()
        assert client.cursor is not None
        return client.cursor


async def read_numbers(process: Process, count: int) -> list[int]:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return [json.loads(await process.stdout.readline())["data"]["n"] for _ in range(count)]


async def test_a_client_process_that_was_stopped_is_let_go_and_misses_nothing(server: ServerProcess) -> None:
    async with watching(server) as watch:
        await publish(server.url, range(10))
        assert await read_numbers(watch, 10) == list(range(10))
        closed = await figure(server.url, "no_heartbeat_closes_total")
        os.kill(watch.pid, signal.SIGSTOP)
        await figure_reaches(server.url, "no_heartbeat_closes_total", closed + 1)
        await publish(server.url, range(10, 200))
        os.kill(watch.pid, signal.SIGCONT)
        assert await read_numbers(watch, 190) == list(range(10, 200))


async def test_a_client_process_that_was_stopped_for_a_moment_stays_connected(server: ServerProcess) -> None:
    async with watching(server) as watch:
        await publish(server.url, range(1))
        assert await read_numbers(watch, 1) == [0]
        connections = await figure(server.url, "connections_total")
        os.kill(watch.pid, signal.SIGSTOP)
        await publish(server.url, range(1, 50))
        os.kill(watch.pid, signal.SIGCONT)
        assert await read_numbers(watch, 49) == list(range(1, 50))
        assert await figure(server.url, "connections_total") == connections


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_on_a_link_that_carries_nothing_any_more_comes_back_by_another(
    server: ServerProcess, transport: Transport
) -> None:
    async with Link(server.url) as link, following(link.url, transport) as follower:
        await publish(server.url, range(10))
        await follower.has(list(range(10)))
        link.silence()
        await publish(server.url, range(10, 20))
        async with asyncio.timeout(20):
            await follower.found_again.wait()
        await publish(server.url, range(20, 30))
        await follower.has(list(range(30)))
        assert "heard" in str(follower.client.last_error) or "answered" in str(follower.client.last_error)


async def test_the_server_ends_a_link_on_which_it_hears_nothing_with_4009(server: ServerProcess) -> None:
    async with Link(server.url) as link, await RawSocket.websocket(link.url) as socket:
        await socket.receive_message("connected")
        closed = await figure(server.url, "no_heartbeat_closes_total")
        link.silence(to_client=False)
        while (frame := await socket.receive()) is not None and frame.opcode != CLOSE:
            pass
        assert frame is not None
        assert int.from_bytes(frame.payload[:2], "big") == 4009
        assert await figure(server.url, "no_heartbeat_closes_total") == closed + 1


async def test_a_client_that_the_server_hears_nothing_from_comes_back_without_a_loss(
    server: ServerProcess,
) -> None:
    async with Link(server.url) as link, following(link.url, "websocket") as follower:
        closed = await figure(server.url, "no_heartbeat_closes_total")
        link.silence(to_client=False)
        await publish(server.url, range(10))
        async with asyncio.timeout(20):
            await follower.found_again.wait()
        await publish(server.url, range(10, 20))
        await follower.has(list(range(20)))
        assert await figure(server.url, "no_heartbeat_closes_total") == closed + 1


async def test_the_server_forgets_a_link_that_carries_nothing_at_all(server: ServerProcess) -> None:
    async with (
        Link(server.url) as link,
        await RawSocket.websocket(link.url) as socket,
    ):
        await socket.receive_message("connected")
        clients = await figure(server.url, "clients")
        closed = await figure(server.url, "no_heartbeat_closes_total")
        link.silence()
        await figure_reaches(server.url, "no_heartbeat_closes_total", closed + 1)
        assert await figure(server.url, "clients") == clients - 1
