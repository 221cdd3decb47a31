"""Floods over a WebSocket, to a server in the test's own loop, which the watch on it would find held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.process.raw_socket import PING, PONG, RawSocket, frame, message

from missioncontrol import MissionControl

pytestmark = pytest.mark.anyio

PINGS = 40_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MissionControl]:
    (tmp_path / "workspace").mkdir()
    async with MissionControl(workspace=tmp_path / "workspace", data=tmp_path / "data", port=0) as server:
        yield server


async def test_every_ping_of_a_flood_is_answered_in_order_without_holding_the_loop(
    server: MissionControl,
) -> None:
    async with await RawSocket.websocket(server.url, "?events=none:of-them") as socket:
        await socket.receive_message("connected")
        for start in range(0, PINGS, 1000):
            pings = (frame(f"{number:05}".encode(), PING) for number in range(start, start + 1000))
            socket.writer.write(b"".join(pings))
        answered = 0
        while answered < PINGS:
            found = await socket.receive()
            assert found is not None
            if found.opcode == PONG:
                assert found.payload == f"{answered:05}".encode()
                answered += 1


async def test_a_large_message_in_many_slices_is_taken_whole(server: MissionControl) -> None:
    async with await RawSocket.websocket(server.url, "?events=custom:*") as socket:
        await socket.receive_message("connected")
        events = [{"type": "custom:step", "data": {"n": n, "text": "x" * 900}} for n in range(1000)]
        await socket.send(message("publish", events=events))
        assert len((await socket.receive_message("published"))["data"]["ids"]) == 1000


async def test_many_messages_that_cost_much_are_taken_in_several_turns(server: MissionControl) -> None:
    async with await RawSocket.websocket(server.url, "?events=none:of-them") as socket:
        await socket.receive_message("connected")
        await socket.send(message("subscribe", events=[f"custom:{'x' * 60}-{n}" for n in range(250)]))
        await socket.send(b"".join(message("subscribe", events=["a:b"], ref=n) for n in range(1000)))
        for n in range(1000):
            while (await socket.receive_message("subscribed")).get("ref") != n:
                pass
