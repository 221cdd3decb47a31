"""Whatever is sent to it, the server answers clearly or hangs up: it does not fall or swell, and the others go on."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from missioncontrol.client import Client, Event, Publisher
from missioncontrol.testing import ServerProcess, start_server
from tests.process.raw_socket import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawSocket, frame, message
from tests.process.server_probe import MIB, PeakMemory, figure

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(60)]

STEP = "custom:step"
MAX_MESSAGE = 1024 * 1024
MOST_GROWTH = 48 * MIB
QUIET = "?events=none:of-them"
QUIET_POLL = "/api/events?events=custom:polled&wait=25"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("hostile") / "workspace") as server:
        yield server
        assert server.stop() == 0


@pytest.fixture
async def server(running: ServerProcess) -> AsyncIterator[ServerProcess]:
    """The server, and around each test a well-behaved client that must not notice anything."""
    said_before = len(running.log)
    async with Client(running.url, events=STEP) as client, Publisher(running.url) as publisher:
        await client.ready()
        async with PeakMemory(running) as memory:
            yield running
        async with asyncio.timeout(5):
            id_ = await publisher.publish(STEP)
            while not (isinstance(item := await anext(client), Event) and item.id == id_):
                pass
        assert client.last_error is None
    assert running.exit_status is None
    assert memory.grown < MOST_GROWTH
    said = running.log[said_before:]
    assert "Traceback" not in said, said
    assert '"level":"error"' not in said.replace(" ", ""), said


async def close_code_after(server: ServerProcess, data: bytes, headers: str = "") -> int | None:
    async with await RawSocket.websocket(server.url, QUIET, headers=headers) as socket:
        await socket.send(data)
        return await socket.close_code()


BROKEN_FRAMES: dict[str, bytes] = {
    "reserved bit 1 without an extension": frame(b"{}", reserved=4),
    "reserved bit 2": frame(b"{}", reserved=2),
    "reserved bit 3": frame(b"{}", reserved=1),
    **{f"opcode {opcode:x}": frame(b"{}", opcode) for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)},
    "without a mask": frame(b"{}", masked=False),
    "a ping without a mask": frame(b"", PING, masked=False),
    "a ping of 126 bytes": frame(bytes(126), PING),
    "a ping in fragments": frame(b"", PING, fin=False),
    "a close of 126 bytes": frame(b"\x03\xe8" + b"x" * 124, CLOSE),
    "a close with half a code": frame(b"\x03", CLOSE),
    "a close with a code that may not be sent": frame((1005).to_bytes(2, "big"), CLOSE),
    "a close with the code 0": frame(bytes(2), CLOSE),
    "a continuation of nothing": frame(b"{}", CONTINUATION),
    "a text within a fragmented text": frame(b"{", fin=False) + frame(b"{}"),
}


@pytest.mark.parametrize("data", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES.keys())
async def test_a_broken_frame_is_closed_with_1002(server: ServerProcess, data: bytes) -> None:
    assert await close_code_after(server, data) == 1002


TOO_BIG: dict[str, bytes] = {
    "one byte too many": frame(b" " * (MAX_MESSAGE + 1)),
    "a binary message, too": frame(bytes(MAX_MESSAGE + 1), BINARY),
    "2^31 announced": frame(b"{", length=2**31),
    "2^62 announced": frame(b"{", length=2**62),
    "2^63-1 announced": frame(b"{", length=2**63 - 1),
    "in fragments of 64 KiB": frame(b" " * 65_536, fin=False)
    + frame(b" " * 65_536, CONTINUATION, fin=False) * 16,
    "in fragments of one byte": frame(b" ", fin=False)
    + frame(b" ", CONTINUATION, fin=False) * (MAX_MESSAGE + 1),
}


@pytest.mark.parametrize("data", TOO_BIG.values(), ids=TOO_BIG.keys())
async def test_a_message_over_1_MiB_is_closed_with_1009(server: ServerProcess, data: bytes) -> None:
    assert await close_code_after(server, data) == 1009


async def test_a_length_of_2_to_the_63rd_is_closed_as_broken_or_too_big(server: ServerProcess) -> None:
    assert await close_code_after(server, frame(b"{", length=2**63)) in {1002, 1009}


async def test_a_message_of_exactly_1_MiB_is_read(server: ServerProcess) -> None:
    async with await RawSocket.websocket(server.url, QUIET) as socket:
        ping = b'{"type":"ping","ref":1}'
        await socket.send(frame(ping + b" " * (MAX_MESSAGE - len(ping))))
        assert (await socket.receive_message("pong"))["ref"] == 1


async def test_a_flood_of_empty_fragments_costs_no_memory(server: ServerProcess) -> None:
    async with PeakMemory(server) as memory, await RawSocket.websocket(server.url, QUIET) as socket:
        await socket.send(frame(b'{"type":"ping",', fin=False))
        for _ in range(20):
            await socket.send(frame(b"", CONTINUATION, fin=False) * 25_000)
        await socket.send(frame(b'"ref":1}', CONTINUATION))
        assert (await socket.receive_message("pong"))["ref"] == 1
    assert memory.grown < 16 * MIB


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, wbits=-15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_a_small_message_that_inflates_to_100_MiB_is_closed_with_1009(server: ServerProcess) -> None:
    bomb = frame(deflated(bytes(100 * MIB)), reserved=4)
    assert len(bomb) < 200_000
    assert await close_code_after(server, bomb, DEFLATE) == 1009


async def test_what_cannot_be_inflated_is_closed(server: ServerProcess) -> None:
    chance = Random(1)
    for _ in range(20):
        data = frame(b"\xff" + chance.randbytes(chance.randint(1, 200)), reserved=4)
        assert await close_code_after(server, data, DEFLATE) in {1002, 1007}


NOT_UTF8: dict[str, bytes] = {
    "a lone byte": frame(b"\xff"),
    "a surrogate": frame(b'"\xed\xa0\x80"'),
    "an overlong slash": frame(b'"\xc0\xaf"'),
    "cut off at the end": frame(b'"\xe2\x82'),
    "in the second fragment": frame(b'"\xe2', fin=False) + frame(b"\x28", CONTINUATION, fin=False),
    "in what would be too much to wait for": frame(b"\xff", fin=False) + frame(b"x", CONTINUATION, fin=False),
}


@pytest.mark.parametrize("data", NOT_UTF8.values(), ids=NOT_UTF8.keys())
async def test_text_that_is_not_utf_8_is_closed_with_1007(server: ServerProcess, data: bytes) -> None:
    assert await close_code_after(server, data) == 1007


async def test_random_bytes_before_a_handshake_are_answered_or_hung_up_on(server: ServerProcess) -> None:
    chance = Random(2)

    async def knock(data: bytes) -> None:
        async with await RawSocket.open(server.url) as socket:
            await socket.send(data)
            socket.send_nothing_more()
            answer = await socket.read_all()
            assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:100]

    starts = [b"", b"GET /", b"GET /api/ws HTTP/1.1\r\n", b"POST /api/events HTTP/1.1\r\nHost: localhost\r\n"]
    for _ in range(8):
        await asyncio.gather(
            *(knock(chance.choice(starts) + chance.randbytes(chance.randint(1, 3_000))) for _ in range(25))
        )


async def test_random_bytes_after_a_handshake_end_that_connection_alone(server: ServerProcess) -> None:
    chance = Random(3)

    async def babble(data: bytes) -> None:
        async with await RawSocket.websocket(server.url, QUIET) as socket:
            await socket.send(data)
            socket.send_nothing_more()
            await socket.close_code()

    for _ in range(8):
        await asyncio.gather(*(babble(chance.randbytes(chance.randint(1, 5_000))) for _ in range(25)))


async def test_handshakes_that_are_cut_off_anywhere_leave_nothing_behind(server: ServerProcess) -> None:
    clients = await figure(server.url, "clients")
    chance = Random(4)
    for _ in range(100):
        async with await RawSocket.open(server.url) as socket:
            host = urlsplit(server.url).netloc
            request = f"GET /api/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            await socket.send(request.encode()[: chance.randint(1, len(request))])
    assert await figure(server.url, "clients") == clients


async def test_uploads_that_break_off_are_nothing_to_log(server: ServerProcess) -> None:
    head = (
        f"POST /api/events HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nContent-Length: 100\r\n\r\n{{"
    )
    for _ in range(20):
        async with await RawSocket.open(server.url) as socket:
            await socket.send(head.encode())
        async with await RawSocket.open(server.url) as socket:
            await socket.send(head.encode())
            socket.send_nothing_more()
            await socket.read_all()


def random_value(chance: Random, depth: int = 0) -> Any:
    """Make any JSON value, of the kinds that break things."""
    kinds: list[Any] = [
        None,
        True,
        0,
        -1,
        2**63,
        2**64,
        1e308,
        -0.0,
        10**40,
        "",
        "\x00",
        "💥" * 10,
        "x" * 1_000,
    ]
    kind = chance.randint(0, 4 if depth < 4 else 2)
    if kind == 3:
        return [random_value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    if kind == 4:
        keys = ["type", "events", "since", "ref", "limit", "data", "key", "", "\ud83d\ude00", "__proto__"]
        return {chance.choice(keys): random_value(chance, depth + 1) for _ in range(chance.randint(0, 4))}
    return chance.choice(kinds)


def random_message(chance: Random) -> bytes:
    """Make a message that is nearly one of the protocol's, or not at all; never one that publishes."""
    types: list[Any] = ["subscribe", "unsubscribe", "getHistory", "ping", "pong", "nonsense", "", None, 1, []]
    content: Any = {"type": chance.choice(types)}
    for name in ("events", "since", "snapshot", "limit", "before", "ref", "data"):
        if chance.random() < 0.4:
            content[name] = random_value(chance)
    text = json.dumps(content if chance.random() < 0.9 else random_value(chance)).encode()
    if chance.random() < 0.2:
        text = text[: chance.randint(0, len(text))]
    return text


async def test_random_messages_are_answered_and_leave_the_connection_usable(server: ServerProcess) -> None:
    chance = Random(5)

    async def talk(messages: list[bytes]) -> None:
        async with await RawSocket.websocket(server.url, QUIET) as socket:
            for text in messages:
                await socket.send(frame(text))
            await socket.send(message("ping", ref="still there"))
            while (await socket.receive_message("pong")).get("ref") != "still there":
                pass

    for _ in range(10):
        await asyncio.gather(*(talk([random_message(chance) for _ in range(40)]) for _ in range(10)))


async def test_random_publications_are_refused_or_kept_whole(server: ServerProcess) -> None:
    chance = Random(6)
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=20)) as session:
        for _ in range(300):
            events = [
                {
                    "type": chance.choice(["custom:noise", "server:x", "x", "", 7]),
                    "data": random_value(chance),
                }
                for _ in range(chance.randint(0, 3))
            ]
            body = json.dumps(events)
            if chance.random() < 0.2:
                body = body[: chance.randint(0, len(body))]
            async with session.post("/api/events", data=body) as answer:
                text = await answer.text()
                assert answer.status in {201, 400, 413, 422}, (answer.status, text)
                if answer.status != 201:
                    assert answer.content_type == "application/problem+json"


BAD_CURSORS = [
    *("", ":", "abc", "abc:", ":1", "abc:-1", "abc:1.5", "abc:1e3", "abc:01", "abc:9" + "9" * 30, "a b:1"),
    *("abc:１", "abc:1\x00", "../etc:1", "abc:1:2", "x" * 5_000 + ":1", "💥:1", "abc:0x10", "%:1", "abc:+1"),
]


async def test_a_cursor_that_is_none_is_refused_on_every_transport(server: ServerProcess) -> None:
    async with (
        aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=20)) as session,
        await RawSocket.websocket(server.url, QUIET) as socket,
    ):
        for cursor in BAD_CURSORS:
            await socket.send(message("subscribe", events=["custom"], since=cursor, ref=cursor))
            while (answer := await socket.receive_message("error", "subscribed")).get("ref") != cursor:
                pass
            assert answer["data"].get("code") == "bad_cursor", (cursor[:50], answer)
            if not cursor:
                continue
            for path in ("/api/events", "/api/events/stream"):
                async with session.get(path, params={"since": cursor}) as polled:
                    assert polled.status == 400, (path, cursor[:50])
                    assert polled.content_type == "application/problem+json"
            query = f"{QUIET}&since={quote(cursor)}"
            async with await RawSocket.websocket(server.url, query) as asking:
                assert (await asking.receive_message("error"))["data"]["code"] == "bad_cursor"


async def test_a_cursor_of_nowhere_is_told_as_a_gap(server: ServerProcess) -> None:
    async with aiohttp.ClientSession(server.url) as session, session.get("/api/events") as answer:
        epoch = (await answer.json())["cursor"].split(":")[0]
    async with await RawSocket.websocket(server.url, QUIET) as socket:
        for cursor, reason in ((f"{epoch}:999999999999999999", "ahead"), ("elsewhere:7", "epoch")):
            await socket.send(message("subscribe", events=["custom"], since=cursor))
            assert (await socket.receive_message("gap"))["data"]["reason"] == reason


@pytest.mark.parametrize("depth", [200, 2_000, 400_000])
async def test_deep_nesting_is_refused_or_read_but_never_fatal(server: ServerProcess, depth: int) -> None:
    for nested in ("[" * depth + "]" * depth, '{"a":' * (depth // 5) + "1" + "}" * (depth // 5)):
        async with await RawSocket.websocket(server.url, QUIET) as socket:
            await socket.send(frame(nested.encode()))
            assert (await socket.receive_message("error"))["data"]["code"]
            event = f'{{"type":"custom:deep","data":{{"a":{nested}}}}}'
            await socket.send(frame(f'{{"type":"publish","ref":1,"events":[{event}]}}'.encode()))
            await socket.receive_message("error", "published")
            await socket.send(message("subscribe", events=["custom"], ref=2))
            await socket.receive_message("subscribed")
        async with (
            aiohttp.ClientSession(server.url) as session,
            session.post("/api/events", data=event) as answer,
        ):
            assert answer.status in {201, 400, 413}, await answer.text()


@pytest.mark.timeout(40)
async def test_whoever_never_finishes_a_request_is_hung_up_on_after_ten_seconds(
    server: ServerProcess,
) -> None:
    host = urlsplit(server.url).netloc
    starts = [
        b"",
        b"GET /api/ws HTTP/1.1\r\n",
        f"GET /api/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n".encode(),
        f"POST /api/events HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode(),
    ]
    body = f"POST /api/events HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n[".encode()
    loop = asyncio.get_running_loop()

    async def drip(start: bytes) -> float:
        async with await RawSocket.open(server.url) as socket:
            began = loop.time()
            await socket.send(start)
            ended = asyncio.create_task(socket.read_all())
            while not ended.done():
                await asyncio.wait({ended}, timeout=0.5)
                if start not in (b"", body) and not ended.done():
                    await socket.send(b"a")
            return loop.time() - began

    for seconds in await asyncio.gather(*(drip(start) for start in [*starts, body] * 20)):
        assert 8 < seconds < 15


async def test_a_body_that_is_sent_on_after_its_refusal_is_no_request(server: ServerProcess) -> None:
    host = urlsplit(server.url).netloc
    length = 3_000_000
    head = f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    async with await RawSocket.open(server.url) as socket:
        await socket.send(head.encode() + b" " * 2_000_000)
        async with asyncio.timeout(20):
            answers = await socket.reader.readuntil(b"\r\n\r\n")
        assert answers.startswith(b"HTTP/1.1 413 ")
        for _ in range(10):
            await socket.send(b" " * 100_000)
            await asyncio.sleep(0.01)
        await socket.send(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answers += await socket.read_all()
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"413", b"200"]


async def test_thousands_of_pipelined_requests_are_answered_in_turn_and_cost_nobody_anything(
    server: ServerProcess,
) -> None:
    host = urlsplit(server.url).netloc
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    async with aiohttp.ClientSession() as client:
        for _ in range(3):
            async with AsyncExitStack() as sockets:
                for _ in range(10):
                    socket = await sockets.enter_async_context(await RawSocket.open(server.url))
                    # It reads no answer.
                    socket.writer.write(request * 6_000)
                for _ in range(10):
                    async with client.get(f"{server.url}/health") as answer:
                        assert answer.status == 200
    async with await RawSocket.open(server.url) as socket:
        last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        socket.writer.write(request * 1_000 + last)
        answers = await socket.read_all()
    assert answers.count(b"HTTP/1.1 200 OK") == 1_001


async def test_of_pipelined_requests_whose_client_has_gone_none_is_answered(server: ServerProcess) -> None:
    host = urlsplit(server.url).netloc
    async with aiohttp.ClientSession() as client:
        for _ in range(5):
            async with await RawSocket.open(server.url) as socket:
                heads = (
                    f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
                    for path in ("/health", QUIET_POLL, "/health")
                )
                await socket.send("".join(heads).encode())
                async with asyncio.timeout(20):
                    await socket.reader.readuntil(b"\r\n\r\n")
        # What the polls wait for; nobody is there any more to be told.
        async with client.post(f"{server.url}/api/events", json={"type": "custom:polled"}) as answer:
            assert answer.status == 201
        async with client.get(f"{server.url}/health") as answer:
            assert answer.status == 200


async def test_a_head_that_waits_here_for_answers_is_not_taken_for_one_that_never_ends(
    server: ServerProcess,
) -> None:
    head = f" HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\n"
    async with await RawSocket.open(server.url) as socket:
        # Longer than a head may take; the requests behind it are read up to the middle of one.
        polled = f"GET /api/events?events={STEP}&wait=12{head}\r\n"
        last = f"GET /health{head}Connection: close\r\n\r\n"
        await socket.send((polled + f"GET /health{head}\r\n" * 300 + last).encode())
        answers = await socket.read_all()
    assert answers.count(b"HTTP/1.1 200 OK") == 302


async def test_a_request_to_be_connected_through_is_refused_without_a_fault(server: ServerProcess) -> None:
    async with await RawSocket.open(server.url) as socket:
        await socket.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert b" 400 " in (await socket.read_all())[:60]
    assert "AttributeError" not in server.log


async def test_a_refusal_reaches_a_client_that_still_sends(server: ServerProcess) -> None:
    host = urlsplit(server.url).netloc
    starts = {
        b"431": f"GET /health HTTP/1.1\r\nHost: {host}\r\nX-More: ".encode() + b"x" * 70_000,
        b"400": b"NO HTTP AT ALL\r\n\r\n",
        b"413": (
            f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: 3000000\r\n\r\n".encode()
            + b" " * 2_000_000
        ),
    }
    for status, start in starts.items():
        async with await RawSocket.open(server.url) as socket:
            await socket.send(start)
            for _ in range(10):
                await socket.send(b" " * 100_000)
                await asyncio.sleep(0.02)
            answer = await socket.read_all()
            assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [status]
            head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
            assert b"cross-origin-resource-policy: same-origin" in head
            assert b"x-content-type-options: nosniff" in head


async def test_what_was_asked_before_a_refusal_is_answered_in_its_order(server: ServerProcess) -> None:
    head = f"GET /health HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\n".encode()
    async with await RawSocket.open(server.url) as socket:
        await socket.send(head + b"\r\n" + head + b"\r\n" + head + b"X-More: " + b"x" * 400_000)
        answers = await socket.read_all()
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200", b"200", b"431"]


HEADS: dict[str, bytes] = {
    "one field": b"X-More: " + b"x" * 70_000,
    "many fields": b"X-More: x\r\n" * 7_000,
    "a long name": b"x" * 70_000,
}


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS.keys())
async def test_a_head_that_never_ends_is_refused_with_431(server: ServerProcess, data: bytes) -> None:
    async with await RawSocket.open(server.url) as socket:
        await socket.send(f"GET /health HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\n".encode() + data)
        assert b" 431 " in (await socket.read_all())[:60]


async def test_whoever_goes_on_with_a_head_all_the_same_is_not_listened_to(server: ServerProcess) -> None:
    async with await RawSocket.open(server.url) as socket:
        sent = await socket.send(b"GET /health HTTP/1.1\r\nX-More: ")
        for _ in range(100):
            sent = sent and await socket.send(b"x" * MIB)
        assert not sent


async def test_a_large_head_in_small_pieces_is_answered(server: ServerProcess) -> None:
    head = f"GET /health HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nConnection: close\r\n".encode()
    head += b"".join(b"X-%d: %b\r\n" % (number, b"x" * 990) for number in range(50)) + b"\r\n"
    async with await RawSocket.open(server.url) as socket:
        for start in range(0, len(head), 1_000):
            await socket.send(head[start : start + 1_000])
            await asyncio.sleep(0)
        assert b" 200 " in (await socket.read_all())[:60]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3001", "10.1.2.3", "", "localhost.evil.example"]
)
async def test_a_host_that_is_not_ours_is_misdirected_on_every_path(server: ServerProcess, host: str) -> None:
    async with await RawSocket.open(server.url) as socket:
        assert await socket.shake_hands(host) == 421
    for path in ("/", "/health", "/api/events", "/api/events/stream", "/api/snapshot", "/js/realtime.js"):
        async with await RawSocket.open(server.url) as socket:
            await socket.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = await socket.read_all()
            assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), (path, answer[:100])


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", "💥"]
)
async def test_a_page_of_another_origin_is_closed_with_1008(server: ServerProcess, origin: str) -> None:
    header = f"Origin: {origin}\r\n".encode().decode("latin-1")
    async with await RawSocket.websocket(server.url, headers=header) as socket:
        # Nothing is said to it before.
        while (found := await socket.receive()) is not None and found.opcode != CLOSE:
            assert found.opcode != TEXT, found.payload
        assert found is not None
        assert int.from_bytes(found.payload[:2], "big") == 1008
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.post(
            "/api/events", json={"type": "custom:evil"}, headers={"Origin": "https://evil.example"}
        ) as answer,
    ):
        assert answer.status == 403


FLOODS: dict[str, bytes] = {
    "pings": frame(bytes(125), PING),
    "messages that are answered": message("ping", ref="x" * 100),
    "requests for history": message("getHistory", limit=100),
    "what is not understood": frame(b"nonsense"),
    "subscriptions with snapshots": message("subscribe", events=["*"], snapshot=True),
    "publications": message("publish", events=[{"type": "custom:flood", "data": {"pad": "x" * 200}}]),
}


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS.keys())
async def test_whoever_talks_without_reading_is_not_answered_without_end(
    server: ServerProcess, data: bytes
) -> None:
    async with await RawSocket.websocket(server.url, QUIET, receive_buffer=8 * 1024) as socket:
        sent = 0
        try:
            async with asyncio.timeout(2):
                while sent < 20_000:
                    socket.writer.write(data * 100)
                    await socket.writer.drain()
                    sent += 100
        except TimeoutError:
            # As it should be: the server does not read on before it has got rid of its answers.
            pass
        assert sent >= 1_000
        async with Client(server.url) as another:
            async with asyncio.timeout(5):
                await another.ready()


async def test_a_client_too_many_is_closed_with_1013_and_let_in_when_another_one_has_left(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    env = {"MISSION_CONTROL_MAX_CLIENTS": "3"}
    with start_server(tmp_path_factory.mktemp("full") / "workspace", env=env) as server:
        sockets = [await RawSocket.websocket(server.url) for _ in range(3)]
        for socket in sockets:
            await socket.receive_message("connected")
        async with asyncio.timeout(5):
            # The good-bye is answered, so the connection ends at once.
            assert await close_code_after(server, b"") == 1013
        async with aiohttp.ClientSession(server.url) as session:
            async with session.get("/api/events/stream") as answer:
                assert answer.status == 503
                seconds = answer.headers["Retry-After"]
            async with await RawSocket.websocket(server.url) as refused:
                closed = await refused.receive()
                assert closed is not None
                assert f"try again in {seconds} seconds".encode() in closed.payload
            async with session.get("/health") as answer:
                assert answer.status == 200
        assert await figure(server.url, "refused_connections_total") == 3
        async with sockets.pop():
            pass
        async with Client(server.url, transport="websocket") as client, asyncio.timeout(10):
            await client.ready()
        for socket in sockets:
            async with socket:
                await socket.send(message("ping", ref=1))
                await socket.receive_message("pong")
        assert "Traceback" not in server.log
