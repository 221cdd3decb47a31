from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from missioncontrol.client import Publisher, Refused, Unreachable, publish, publishing
from missioncontrol.client.http import Address
from missioncontrol.errors import BadEvent, ConfigError, TooLarge
from missioncontrol.events import Draft
from tests.client.fake_server import FakeServer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


def problem(status: int, detail: str, **headers: str) -> web.Response:
    return web.json_response(
        {"detail": detail}, status=status, content_type="application/problem+json", headers=headers
    )


async def test_a_lost_answer_is_asked_for_again_with_the_same_key_and_doubles_nothing(
    server: FakeServer,
) -> None:
    # The event is appended, and the answer says otherwise.
    server.answers = [problem(503, "not now"), web.Response(status=502)]
    async with Publisher(server.url) as publisher:
        assert await publisher.publish("custom:event", {"a": 1}) == 1
    assert len(server.events) == 1
    assert len(server.posts) == 3
    assert len({post[0]["key"] for post in server.posts}) == 1


async def test_a_server_that_comes_back_in_time_gets_the_event_once(server: FakeServer) -> None:
    await server.stop()
    async with Publisher(server.url) as publisher:
        publishing_ = asyncio.ensure_future(publisher.publish("custom:event"))
        await asyncio.sleep(0.05)
        await server.start()
        assert await publishing_ == 1


async def test_many_events_travel_in_batches_and_keep_their_order(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BATCH_EVENTS", 100)
    async with Publisher(server.url) as publisher:
        drafts = [Draft("custom:event", {"n": n}) for n in range(250)]
        assert await publisher.publish_many(drafts) == list(range(1, 251))
        assert await publisher.publish_many([{"type": "custom:event", "key": "mine"}]) == [251]
        assert await publisher.publish_many([]) == []
    assert [len(post) for post in server.posts] == [100, 100, 50, 1]
    assert [event["data"]["n"] for event in server.events[:250]] == list(range(250))


async def test_a_batch_is_bounded_in_bytes_too(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "BATCH_BYTES", 2_000)
    async with Publisher(server.url) as publisher:
        await publisher.publish_many([Draft("custom:event", {"text": "x" * 800}) for _ in range(5)])
    assert [len(post) for post in server.posts] == [2, 2, 1]


async def test_a_refusal_names_what_was_appended_before_it(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BATCH_EVENTS", 1)
    server.answers = [
        web.json_response({"ids": [1], "cursor": "abc:1"}, status=201),
        problem(403, "The token lacks the scope 'publish'."),
    ]
    async with Publisher(server.url) as publisher:
        with pytest.raises(Refused, match="lacks the scope") as caught:
            await publisher.publish_many([Draft("custom:event"), Draft("custom:event")])
    assert caught.value.ids == [1]
    assert caught.value.http_status == 403
    assert len(server.posts) == 2


async def test_without_an_answer_in_time_the_keys_are_handed_back(server: FakeServer) -> None:
    await server.stop()
    async with Publisher(server.url, deadline=0.2) as publisher:
        with pytest.raises(Unreachable, match=r"0\.2 seconds") as caught:
            await publisher.publish("custom:event", key="mine")
    assert caught.value.keys == ["mine"]


async def test_an_event_that_the_server_would_refuse_is_not_sent(server: FakeServer) -> None:
    async with Publisher(server.url) as publisher:
        with pytest.raises(BadEvent):
            await publisher.publish("no category")
        with pytest.raises(TooLarge):
            await publisher.publish("custom:event", {"text": "x" * 300_000})
        with pytest.raises(BadEvent):
            await publisher.publish_many([{"kind": "custom:event"}])
    assert server.posts == []


async def test_one_call_publishes_from_a_script_without_an_event_loop(server: FakeServer) -> None:
    found = await asyncio.to_thread(publish, server.url, "custom:event", {"a": 1}, token="secret")
    assert found == 1
    assert server.events[0]["data"] == {"a": 1}
    again = await asyncio.to_thread(publish, server.url, "custom:event", key=server.posts[0][0]["key"])
    assert again == 1


async def test_the_one_call_says_clearly_what_went_wrong(server: FakeServer) -> None:
    server.answers = [problem(401, "A token is needed."), problem(503, "The disk is full.")]
    with pytest.raises(Refused, match=r"401 \(Unauthorized\): A token is needed\."):
        await asyncio.to_thread(publish, server.url, "custom:event")
    with pytest.raises(Unreachable, match="The disk is full") as caught:
        await asyncio.to_thread(publish, server.url, "custom:event", key="mine")
    assert caught.value.keys == ["mine"]
    await server.stop()
    with pytest.raises(Unreachable, match=r"cannot be reached: .*refused"):
        await asyncio.to_thread(publish, server.url, "custom:event")


def test_the_one_call_does_not_wait_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match=r"0\.2 seconds|timed out"):
            publish(url, "custom:event", timeout=0.2)


@pytest.mark.parametrize(
    ("url", "base", "socket_url"),
    [
        ("http://localhost:3001", "http://localhost:3001", "ws://localhost:3001/api/ws"),
        ("localhost:3001/", "http://localhost:3001", "ws://localhost:3001/api/ws"),
        ("ws://localhost:3002/api/ws", "http://localhost:3002", "ws://localhost:3002/api/ws"),
        ("https://fleet.example/mc/", "https://fleet.example/mc", "wss://fleet.example/mc/api/ws"),
        ("http://[::1]:3001", "http://[::1]:3001", "ws://[::1]:3001/api/ws"),
    ],
)
def test_an_address_is_read_in_the_forms_that_people_have(url: str, base: str, socket_url: str) -> None:
    address = Address(url)
    assert (str(address), address.websocket()) == (base, socket_url)


@pytest.mark.parametrize("url", ["", "ftp://host", "http://", "http://name:word@host", "http://host:port"])
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        Address(url)


def test_patterns_and_cursors_stay_readable_in_a_url() -> None:
    query = {"events": "agent:*,task:done", "since": "abc:4", "odd": "a b&c"}
    assert (
        Address("http://h").http("/x", query) == "http://h/x?events=agent:*,task:done&since=abc:4&odd=a+b%26c"
    )
