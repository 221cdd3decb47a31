"""The client's promise against the real server, in a process that is killed, paused and restarted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.client import Client, ClientState, Event, Gap, Publisher, Snapshot, Transport
from missioncontrol.testing import start_server

pytestmark = [pytest.mark.process, pytest.mark.anyio, pytest.mark.timeout(120)]

STREAMS: list[Transport] = ["websocket", "sse"]
TRANSPORTS: list[Transport] = [*STREAMS, "poll"]


async def take(client: Client, count: int) -> list[int]:
    """Take events of the type custom:step, and return their numbers."""
    found: list[int] = []
    while len(found) < count:
        item = await anext(client)
        assert isinstance(item, Event), item
        found.append(item.data["n"])
    return found


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_transport_tells_what_is_published(tmp_path: Path, transport: Transport) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events=["custom"], transport=transport) as client:
            await client.ready()
            ids = await client.publish_many([{"type": "custom:step", "data": {"n": n}} for n in range(500)])
            assert await take(client, 500) == list(range(500))
            assert client.cursor is not None
            assert client.cursor.endswith(f":{ids[-1]}")
            assert client.transport == transport
            assert client.last_error is None


async def test_without_a_choice_it_is_the_websocket(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.ws_url) as client:
            await client.ready()
            assert client.transport == "websocket"
            assert client.last_error is None


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_snapshot_and_the_stream_fit_together(tmp_path: Path, transport: Transport) -> None:
    agent = tmp_path / "workspace" / "agents" / "scout"
    agent.mkdir(parents=True)
    (agent / "state.json").write_text('{"status": "idle"}')
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events="agent", snapshot=True, transport=transport) as client:
            first = await anext(client)
            assert isinstance(first, Snapshot)
            assert [agent["status"] for agent in first.state["agents"]] == ["idle"]
            (agent / "state.json").write_text('{"status": "busy"}')
            change = await anext(client)
            assert isinstance(change, Event)
            assert (change.type, change.data["status"]) == ("agent:statusChange", "busy")
            assert (await client.snapshot()).state["agents"][0]["status"] == "busy"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_kill_9_in_mid_burst_loses_and_doubles_nothing_that_was_acknowledged(
    tmp_path: Path, transport: Transport
) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events=["custom"], transport=transport) as client:
            await client.ready()
            acknowledged: list[int] = []

            async def publish_all() -> None:
                async with Publisher(server.url) as publisher:
                    for n in range(300):
                        acknowledged.append(await publisher.publish("custom:step", {"n": n}))

            publishing = asyncio.ensure_future(publish_all())
            for at in (60, 160):
                while len(acknowledged) < at:  # noqa: ASYNC110 - what is waited for has no event of its own
                    await asyncio.sleep(0.001)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.restart)
            await publishing
            assert await take(client, 300) == list(range(300))
            assert acknowledged == sorted(set(acknowledged))


async def test_a_transport_may_change_in_mid_burst(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events=["custom"]) as client:
            await client.ready()
            publishing = asyncio.ensure_future(
                client.publish_many([{"type": "custom:step", "data": {"n": n}} for n in range(20_000)])
            )
            found: list[int] = []
            for transport in (*TRANSPORTS, *reversed(TRANSPORTS)):
                client.switch(transport)
                found += await take(client, 3_000)
            found += await take(client, 2_000)
            await publishing
            assert found == list(range(20_000))


async def test_a_paused_server_is_noticed_and_found_again(tmp_path: Path) -> None:
    env = {"MISSION_CONTROL_HEARTBEAT_INTERVAL": "0.3"}
    with start_server(tmp_path / "workspace", env=env) as server:
        lost = asyncio.Event()

        def note(state: ClientState, reason: str) -> None:
            if state is ClientState.RECONNECTING:
                lost.set()

        async with Client(server.url, events=["custom"], on_state=note) as client:
            await client.ready()
            server.pause()
            await lost.wait()
            assert "Nothing was heard" in str(client.last_error)
            server.resume()
            await client.publish("custom:step", {"n": 1})
            assert await take(client, 1) == [1]


async def test_a_cursor_of_another_log_is_answered_with_a_gap(tmp_path: Path) -> None:
    for transport in TRANSPORTS:
        with start_server(tmp_path / "workspace", tmp_path / transport) as server:
            async with Client(
                server.url, events=["custom"], since="elsewhere:7", transport=transport
            ) as client:
                gap = await anext(client)
                assert isinstance(gap, Gap)
                assert gap.reason == "epoch"
                await client.publish("custom:step", {"n": 1})
                assert await take(client, 1) == [1]


async def test_a_draining_server_sends_its_clients_away_and_they_come_back(tmp_path: Path) -> None:
    for transport in STREAMS:
        told: list[tuple[ClientState, str]] = []

        def note(state: ClientState, reason: str, told: list[tuple[ClientState, str]] = told) -> None:
            told.append((state, reason))

        with start_server(tmp_path / "workspace", tmp_path / transport) as server:
            async with Client(server.url, events=["custom"], transport=transport, on_state=note) as client:
                await client.ready()
                assert await asyncio.to_thread(server.stop) == 0
                await asyncio.to_thread(server.restart)
                await client.publish("custom:step", {"n": 1})
                assert await take(client, 1) == [1]
        assert told == [
            (ClientState.CONNECTED, ""),
            (ClientState.RECONNECTING, "The server stops or restarts."),
            (ClientState.CONNECTED, ""),
            (ClientState.CLOSED, ""),
        ]
