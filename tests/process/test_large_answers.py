"""A few bytes may ask for a lot: what is not read yet is not made yet, so the server's memory stays as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.process.raw_socket import RawSocket, message
from tests.process.server_probe import MIB, PeakMemory, call

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(90)]

QUIET = "?events=none:of-them"
AGENTS = 1_500
LARGE_EVENTS = 100
MOST_GROWTH = 120 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a snapshot of more than 6 MB and 25 MB of large events."""
    with start_server(tmp_path_factory.mktemp("large") / "workspace") as server:
        stats = {f"k{number}": "x" * 400 for number in range(10)}
        for start in range(0, AGENTS, 100):
            events = [
                {
                    "type": "agent:statusChange",
                    "data": {"agentId": f"a{number}", "status": "busy", "stats": stats},
                }
                for number in range(start, start + 100)
            ]
            assert call(server, "/api/events", events)[0] == 201
        for _ in range(LARGE_EVENTS):
            assert (
                call(server, "/api/events", {"type": "custom:large", "data": {"pad": "y" * 250_000}})[0]
                == 201
            )
        yield server
        assert server.stop() == 0


async def slowest_answer(server: ServerProcess, seconds: float) -> float:
    """Ask for `/health` again and again, and return how long the slowest answer took, in seconds."""
    loop = asyncio.get_running_loop()
    slowest, until = 0.0, loop.time() + seconds
    async with aiohttp.ClientSession(server.url) as session:
        while (began := loop.time()) < until:
            async with session.get("/health") as answer:
                assert answer.status == 200
                await answer.read()
            slowest = max(slowest, loop.time() - began)
            await asyncio.sleep(0.01)
    return slowest


async def test_snapshots_that_are_asked_for_at_once_are_made_when_there_is_room_for_them(
    server: ServerProcess,
) -> None:
    async with (
        PeakMemory(server) as memory,
        await RawSocket.websocket(server.url, QUIET, receive_buffer=64 * 1024) as socket,
    ):
        # Less than is taken in one turn of the loop.
        await socket.send(b"".join(message("subscribe", events=["x:y"], snapshot=True) for _ in range(150)))
        assert await slowest_answer(server, 2) < 1
        for _ in range(3):
            snapshot = await socket.receive_message("snapshot")
            assert len(snapshot["data"]["state"]["agents"]) == AGENTS
    assert memory.grown < MOST_GROWTH


async def test_histories_that_are_asked_for_at_once_are_made_one_at_a_time_and_all_answered(
    server: ServerProcess,
) -> None:
    async with (
        PeakMemory(server) as memory,
        await RawSocket.websocket(server.url, QUIET, receive_buffer=64 * 1024) as socket,
    ):
        asked = range(60)
        await socket.send(
            b"".join(message("getHistory", limit=100, events=["custom:large"], ref=ref) for ref in asked)
        )
        assert await slowest_answer(server, 2) < 1
        for ref in asked[:5]:
            history = await socket.receive_message("history")
            assert history["ref"] == ref
            assert history["data"][0]["type"] == "custom:large"
    assert memory.grown < MOST_GROWTH


async def test_a_page_of_large_events_ends_early_and_leads_on_to_all_of_them(server: ServerProcess) -> None:
    ids: list[int] = []
    address: str | None = f"{server.url}/api/system/events?limit=1000&events=custom:large"
    async with PeakMemory(server) as memory, aiohttp.ClientSession() as session:
        while address is not None:
            async with session.get(address) as answer:
                body = await answer.read()
                assert len(body) < 6 * MIB
                ids += [event["id"] for event in json.loads(body)]
                following = answer.links.get("next")
                address = None if following is None else str(following["url"])
    assert len(ids) == LARGE_EVENTS
    assert ids == sorted(set(ids), reverse=True)
    assert memory.grown < MOST_GROWTH
