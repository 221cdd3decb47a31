"""The client against a server that misbehaves on command."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

import missioncontrol.client
from missioncontrol.client import Client, ClientState, Gap, Refused, Snapshot
from missioncontrol.client import client as client_module
from missioncontrol.client import feed as feed_module
from missioncontrol.client import route as route_module
from missioncontrol.errors import BadCursor, BadPattern, ConfigError
from missioncontrol.events import CATALOGUE, Event
from tests.client.fake_server import FakeServer, Peer, Script, behave

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

TRANSPORTS = ["websocket", "sse", "poll"]
STREAMS = ["websocket", "sse"]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


async def ids(client: Client, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        item = await anext(client)
        assert isinstance(item, Event)
        found.append(item.id)
    return found


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0.001)


def up_to(*event_ids: int) -> Script:
    """Greet, tell these events, and drop the line."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        for id_ in event_ids:
            await peer.event(id_)
        await asyncio.sleep(0)
        peer.abort()

    return script


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_events_come_in_order_over_each_transport(server: FakeServer, transport: Any) -> None:
    async with Client(server.url, events=["agent"], transport=transport) as client:
        await client.ready()
        assert client.state.value == "connected"
        assert client.cursor == "abc:0"
        await server.tell(3)
        assert await ids(client, 3) == [1, 2, 3]
        assert client.cursor == "abc:3"
    assert client.state.value == "closed"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_with_a_cursor_gets_what_it_missed(server: FakeServer, transport: Any) -> None:
    await server.tell(2500)
    async with Client(server.url, since="abc:7", transport=transport) as client:
        assert await ids(client, 2493) == list(range(8, 2501))


async def test_the_request_carries_the_subscription_and_the_token_only_in_a_header(
    server: FakeServer,
) -> None:
    for transport in STREAMS:
        client = Client(
            server.url,
            events=["task:done", "agent"],
            since="abc:0",
            token="secret",
            transport=transport,  # type: ignore[arg-type]
        )
        async with client:
            peer = await server.peers.get()
            await client.ready()
        assert peer.token == "Bearer secret"
        assert "secret" not in str(peer.request.url)
        assert dict(peer.query) == {"events": "agent:*,task:done", "since": "abc:0"}


@pytest.mark.parametrize("transport", STREAMS)
async def test_after_a_loss_the_stream_goes_on_where_it_was(server: FakeServer, transport: Any) -> None:
    await server.tell(5)
    server.script(transport, up_to(1, 2))
    async with Client(server.url, since="abc:0", transport=transport) as client:
        assert await ids(client, 5) == [1, 2, 3, 4, 5]
        first, second = await server.peers.get(), await server.peers.get()
        assert (first.since, second.since) == ("abc:0", "abc:2")
        assert client.last_error is not None


@pytest.mark.parametrize("transport", STREAMS)
async def test_what_a_server_tells_twice_is_dropped(server: FakeServer, transport: Any) -> None:
    server.script(transport, up_to(1, 2, 2, 1, 3, 3))
    await server.tell(4)
    async with Client(server.url, since="abc:0", transport=transport) as client:
        assert await ids(client, 4) == [1, 2, 3, 4]


async def test_a_restarted_server_is_found_again(server: FakeServer) -> None:
    states: list[ClientState] = []
    client = Client(server.url, on_state=lambda state, reason: states.append(state))
    async with client:
        await client.ready()
        await server.tell(1)
        assert await ids(client, 1) == [1]
        await server.stop()
        await server.tell(2)
        await server.start()
        assert await ids(client, 2) == [2, 3]
        assert str(client.transport) == "websocket"
    assert states == ["connected", "reconnecting", "connected", "closed"]


async def test_a_client_may_start_before_its_server(server: FakeServer) -> None:
    await server.stop()
    async with Client(server.url) as client:
        assert client.state.value == "connecting"
        await server.start()
        await client.ready()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_gap_is_handed_over_in_its_place(server: FakeServer, transport: Any) -> None:
    await server.tell(6)
    server.first = 4
    async with Client(server.url, since="abc:1", transport=transport) as client:
        assert await anext(client) == Gap(2, 3, "trimmed", "abc:3")
        assert client.cursor == "abc:3"
        assert await ids(client, 3) == [4, 5, 6]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_log_that_began_a_new_life_is_told_as_a_gap(server: FakeServer, transport: Any) -> None:
    await server.tell(6)
    async with Client(server.url, since="old:9", transport=transport) as client:
        gap = await anext(client)
        assert isinstance(gap, Gap)
        assert (gap.reason, gap.cursor) == ("epoch", "abc:6")
        await server.tell(1)
        assert await ids(client, 1) == [7]
        assert client.cursor == "abc:7"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_snapshot_comes_first_where_it_is_asked_for(server: FakeServer, transport: Any) -> None:
    await server.tell(4)
    async with Client(server.url, snapshot=True, transport=transport) as client:
        assert await anext(client) == Snapshot({"agents": [], "at": 4}, "abc:4")
        await server.tell(1)
        assert await ids(client, 1) == [5]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_snapshot_follows_a_gap_where_it_is_asked_for(server: FakeServer, transport: Any) -> None:
    await server.tell(6)
    server.first = 4
    async with Client(server.url, since="abc:1", snapshot=True, transport=transport) as client:
        kinds = [type(await anext(client)) for _ in range(5)]
        assert kinds[0] is Gap
        assert sorted(kind.__name__ for kind in kinds[1:]) == ["Event", "Event", "Event", "Snapshot"]


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_snapshot_that_a_broken_connection_owes_is_fetched(
    server: FakeServer, transport: Any
) -> None:
    await server.tell(4)
    server.script(transport, up_to())
    async with Client(server.url, snapshot=True, transport=transport) as client:
        assert await anext(client) == Snapshot({"agents": [], "at": 4}, "abc:4")


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_ping_moves_the_cursor_of_a_filtered_client(server: FakeServer, transport: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("abc:0")
        await peer.say("ping", {"timestamp": "…", "cursor": "abc:50"})
        await peer.event(60)
        await peer.listen()

    server.script(transport, script)
    async with Client(server.url, events="agent:*", transport=transport) as client:
        item = await anext(client)
        assert isinstance(item, Event)
        assert client.cursor == "abc:60"
    server.script(transport, script)
    server.script(transport, behave)
    async with Client(server.url, events="agent:*", transport=transport) as client:
        peer = await server.peers.get()
        await until(lambda: client.waiting == 1)
        # The event is received, the consumer has not got it.
        assert client.cursor == "abc:50"
        await peer.close(1001)


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_draining_server_says_when_to_come_back(server: FakeServer, transport: Any) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def drain(peer: Peer) -> None:
        await peer.hello()
        await peer.say("server:draining", {"reconnectAfter": 0.4})
        times.append(loop.time())
        await peer.close(1001, "the server restarts")

    server.script(transport, drain)
    await server.tell(1)
    async with Client(server.url, since="abc:0", transport=transport) as client:
        assert await ids(client, 1) == [1]
        assert 0.4 <= loop.time() - times[0] < 2.0


async def test_retry_after_is_honoured(server: FakeServer) -> None:
    loop = asyncio.get_running_loop()
    problem = web.json_response(
        {"detail": "The disk is full."},
        status=503,
        headers={"Retry-After": "0.5"},
        content_type="application/problem+json",
    )
    server.answers.append(problem)
    begun = loop.time()
    async with Client(server.url, transport="poll") as client:
        await client.ready()
        assert loop.time() - begun >= 0.5
        assert "The disk is full." in str(client.last_error)


async def test_a_close_for_policy_ends_the_stream_and_says_why(server: FakeServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.event(1)
        await peer.close(1008, "the token was revoked")

    server.script("websocket", script)
    async with Client(server.url, since="abc:0") as client:
        assert await ids(client, 1) == [1]
        with pytest.raises(Refused, match="the token was revoked") as caught:
            await anext(client)
        assert caught.value.close_code == 1008
        assert client.state.value == "closed"
    assert server.peers.qsize() == 1


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1013, 4008, 4009])
async def test_any_other_close_is_followed_by_another_connection(server: FakeServer, code: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        if code == 1006:
            peer.abort()
        else:
            await peer.close(code, "come back")

    server.script("websocket", script)
    await server.tell(1)
    async with Client(server.url, since="abc:0") as client:
        assert await ids(client, 1) == [1]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refused_handshake_is_final_and_says_why(server: FakeServer, transport: Any) -> None:
    problem = web.json_response(
        {"title": "Unauthorized", "detail": "The token is not known."},
        status=401,
        content_type="application/problem+json",
    )

    async def refuse(peer: Peer) -> None:
        peer._response = problem

    server.answers.append(problem)
    for stream in STREAMS:
        server.script(stream, refuse)
    async with Client(server.url, transport=transport) as client:
        with pytest.raises(Refused, match=r"401 \(Unauthorized\): The token is not known\.") as caught:
            await client.ready()
        assert caught.value.http_status == 401
        with pytest.raises(Refused):
            await anext(client)


async def test_a_half_open_link_is_given_up_after_two_heartbeats(server: FakeServer) -> None:
    server.heartbeat = 0.2

    async def silent(peer: Peer) -> None:
        await peer.hello()
        await peer.listen()

    for transport in STREAMS:
        server.script(transport, silent)
        begun = asyncio.get_running_loop().time()
        async with Client(server.url, since="abc:0", transport=transport) as client:  # type: ignore[arg-type]
            await client.ready()
            await server.peers.get()
            await server.peers.get()
            assert "Nothing was heard" in str(client.last_error)
            assert 0.4 <= asyncio.get_running_loop().time() - begun < 2.0


async def test_the_client_pings_and_any_frame_counts_as_life(server: FakeServer) -> None:
    server.heartbeat = 0.1

    async def answer(peer: Peer) -> None:
        await peer.hello()
        listening = asyncio.ensure_future(peer.listen())
        for _ in range(6):
            assert await peer.heard.get() == {"type": "ping"}
            await peer.say("pong", {"timestamp": "…"})
        await peer.event(1)
        await listening

    server.script("websocket", answer)
    async with Client(server.url, since="abc:0") as client:
        assert await ids(client, 1) == [1]
        assert client.last_error is None
    assert server.peers.qsize() == 1


async def test_a_handshake_that_hangs_is_given_up(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "OPEN_TIMEOUT", 0.2)

    async def hang(peer: Peer) -> None:
        await peer.accept()
        await peer.listen()

    server.script("websocket", hang)
    async with Client(server.url, transport="websocket") as client:
        await client.ready()
        assert "within 0.2 seconds" in str(client.last_error)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_slow_consumer_holds_the_server_back_and_loses_nothing(
    server: FakeServer, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MAX_ITEMS", 50)
    server.heartbeat = 0.1
    await server.tell(5000)
    async with Client(server.url, since="abc:0", transport=transport) as client:
        assert await ids(client, 1) == [1]
        # Longer than two heartbeats without reading: that is the consumer's doing, not a dead line.
        await asyncio.sleep(0.4)
        assert client.waiting <= 50 + 1000
        assert client.last_error is None
        assert await ids(client, 4999) == list(range(2, 5001))


async def test_where_the_websocket_is_blocked_the_stream_takes_over(server: FakeServer) -> None:
    server.blocked = {"websocket"}
    async with Client(server.url) as client:
        await client.ready()
        assert str(client.transport) == "sse"


async def test_where_both_are_blocked_long_poll_takes_over(server: FakeServer) -> None:
    server.blocked = {"websocket", "sse"}
    async with Client(server.url) as client:
        await client.ready()
        assert str(client.transport) == "poll"
        await server.tell(1)
        assert await ids(client, 1) == [1]


async def test_from_a_lower_rung_the_client_climbs_back_up(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_module, "FIRST_CLIMB", 0.1)
    server.blocked = {"websocket"}
    states: list[ClientState] = []
    async with Client(server.url, on_state=lambda state, reason: states.append(state)) as client:
        await client.ready()
        assert str(client.transport) == "sse"
        await server.tell(2)
        assert await ids(client, 2) == [1, 2]
        server.blocked = set()
        while str(client.transport) != "websocket":
            await server.tell(1)
            await ids(client, 1)
        total = len(server.events)
        await server.tell(2)
        assert await ids(client, 2) == [total + 1, total + 2]
        # The first attempt failed, and from then on the consumer has noticed nothing.
        assert states == ["connecting", "connected"]


async def test_an_address_where_no_such_server_is_gets_a_clear_answer() -> None:
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with Client(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(Refused, match="404"):
                await anext(client)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("seed", range(4))
async def test_transport_changes_and_faults_at_random_lose_and_double_nothing(
    server: FakeServer, seed: int
) -> None:
    chance = random.Random(seed)
    total = 1500

    async def unreliable(peer: Peer) -> None:
        """Begin a little too early, tell a few, and break off in one way or another."""
        start = max(0, int((peer.since or "abc:0").partition(":")[2]) - chance.randrange(3))
        await peer.hello("abc:0")
        last = min(len(server.events), start + chance.randrange(200))
        for id_ in range(start + 1, last + 1):
            await peer.event(id_)
        if chance.random() < 0.5:
            await peer.close(1013, "full")
        else:
            peer.abort()

    for transport in STREAMS:
        server.scripts[transport] = [unreliable] * 12
    found: list[int] = []
    async with Client(server.url, since="abc:0") as client:
        teller = asyncio.ensure_future(tell_in_parts(server, total))
        while len(found) < total:
            item = await anext(client)
            assert isinstance(item, Event)
            found.append(item.id)
            if chance.random() < 0.01:
                client.switch(chance.choice(["websocket", "sse", "poll", "auto"]))
        await teller
    assert found == list(range(1, total + 1))


async def tell_in_parts(server: FakeServer, total: int) -> None:
    while len(server.events) < total:
        await server.tell(min(25, total - len(server.events)))
        await asyncio.sleep(0.001)


async def test_a_switch_ends_a_wait_between_two_attempts(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drain(peer: Peer) -> None:
        await peer.hello()
        await peer.say("server:draining", {"reconnectAfter": 3600})
        await peer.listen()

    server.script("websocket", drain)
    async with Client(server.url) as client:
        await client.ready()
        await until(lambda: client.state is ClientState.RECONNECTING)
        client.switch("sse")
        await until(lambda: client.state is ClientState.CONNECTED)
        assert str(client.transport) == "sse"


async def test_closing_ends_an_iteration_that_is_under_way(server: FakeServer) -> None:
    async def consume(client: Client) -> list[Any]:
        return [item async for item in client]

    async with Client(server.url) as client:
        await client.ready()
        consumer = asyncio.ensure_future(consume(client))
        await asyncio.sleep(0)
        await client.close()
        assert await consumer == []
        await client.close()


async def test_the_state_is_to_be_had_at_any_time(server: FakeServer) -> None:
    await server.tell(3)
    async with Client(server.url) as client:
        assert await client.snapshot() == Snapshot({"agents": [], "at": 3}, "abc:3")


async def test_a_client_publishes_over_http_and_sees_its_own_event(server: FakeServer) -> None:
    async with Client(server.url) as client:
        await client.ready()
        await client.publish("custom:event", {"a": 1}, key="k1")
        assert [post["key"] for post in server.posts[0]] == ["k1"]


async def test_what_is_wrong_is_said_before_anything_is_connected() -> None:
    with pytest.raises(BadCursor):
        Client(since="nonsense")
    with pytest.raises(BadPattern):
        Client(events=["a:b:*?"])
    with pytest.raises(ConfigError, match="address"):
        Client("ftp://host")
    with pytest.raises(ConfigError, match="token"):
        Client(token="with a line\nbreak")


async def test_a_message_that_is_not_of_the_protocol_breaks_the_connection_and_not_the_client(
    server: FakeServer,
) -> None:
    async def babble(peer: Peer) -> None:
        await peer.hello()
        await peer.raw("this is not JSON")
        await peer.listen()

    server.script("websocket", babble)
    await server.tell(1)
    async with Client(server.url, since="abc:0") as client:
        assert await ids(client, 1) == [1]
        assert "not of this protocol" in str(client.last_error)


async def test_a_websocket_of_another_program_is_not_taken_for_ours(server: FakeServer) -> None:
    async def other(peer: Peer) -> None:
        await peer.accept()
        await peer.raw(json.dumps({"type": "welcome"}))
        await peer.listen()

    server.scripts["websocket"] = [other, other]
    async with Client(server.url) as client:
        await client.ready()
        assert str(client.transport) == "sse"


def test_the_public_names_are_these() -> None:
    shapes = {shape.__name__ for shape in CATALOGUE.values()}
    assert shapes < set(missioncontrol.client.__all__)
    assert sorted(set(missioncontrol.client.__all__) - shapes) == [
        "Client",
        "ClientError",
        "ClientState",
        "DEFAULT_URL",
        "Event",
        "Gap",
        "Item",
        "Publisher",
        "Question",
        "Refused",
        "Shape",
        "Snapshot",
        "StateListener",
        "Transport",
        "Unreachable",
        "answer",
        "ask",
        "call",
        "publish",
        "read_question",
    ]
    assert all(hasattr(missioncontrol.client, name) for name in missioncontrol.client.__all__)
