"""The HTTP application under the server that runs it, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from tests.server.site import Site, until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[int]:
    """Run the site on a free port of this machine."""
    server = uvicorn.Server(
        uvicorn.Config(
            site.app, port=0, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def port(site: Site) -> AsyncIterator[int]:
    async with serving(site) as port:
        yield port


async def talk(port: int, request: bytes) -> bytes:
    """Send raw bytes and return everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_head_has_the_length_of_the_body_and_no_body(port: int) -> None:
    answer = await talk(port, b"HEAD /api/agents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"content-length:" in head.lower()
    assert body == b""


async def test_a_request_without_a_host_is_misdirected(port: int) -> None:
    answer = await talk(port, b"GET /api/agents HTTP/1.0\r\n\r\n")
    assert b" 421 " in answer.partition(b"\r\n")[0]
    assert b"application/problem+json" in answer


async def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(port: int) -> None:
    answer = await talk(
        port,
        b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n"
        b"Connection: close\r\n\r\n{",
    )
    assert b" 413 " in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /api/agents?limit=\xff HTTP/1.1",
        b"GET /%ff%fe HTTP/1.1",
        b"GET //api//agents HTTP/1.1",
        b"GET * HTTP/1.1",
    ],
)
async def test_an_odd_request_line_breaks_nothing(port: int, request_line: bytes) -> None:
    answer = await talk(port, request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in answer.partition(b"\r\n")[0]


async def test_a_waiting_poll_ends_when_its_client_goes(site: Site, port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/events?wait=55 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await until(lambda: bool(site.hub._waiters))
    writer.close()
    await writer.wait_closed()
    await until(lambda: not site.hub._waiters)


async def test_many_events_go_in_with_one_request_and_out_with_few(site: Site, port: int) -> None:
    lines = b"\n".join(b'{"type":"build:step","data":{"n":%d}}' % number for number in range(5_000))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        published = await client.post("/api/events", content=lines)
        assert published.json()["ids"] == list(range(1, 5_001))
        cursor = site.cursor(0)
        seen: list[int] = []
        while len(seen) < 5_000:
            page = (await client.get("/api/events", params={"since": cursor, "limit": 1000})).json()
            seen += [event["data"]["n"] for event in page["events"]]
            cursor = page["cursor"]
    assert seen == list(range(5_000))


async def test_an_encoded_slash_stays_within_its_segment(site: Site, port: int) -> None:
    await site.tell("task:created", task={"id": "a/b", "description": "x"})
    request = b"GET /api/tasks/a%%2Fb%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for query in (b"", b"?x=%2F"):
        answer = await talk(port, request % query)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"id":"a/b"' in answer
