"""Messages in the stream that no node has written: each has its place among the ids, and holds nothing up."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats as nats_client
import pytest
from nats.js.api import StreamConfig
from tests.nats_process import NatsProcess

from missioncontrol.config import load_config
from missioncontrol.events import EVERYTHING, Draft, decode_event
from missioncontrol.store import StateCheckpoint
from missioncontrol.store.jetstream import JetStreamLog, mirror
from missioncontrol.store.jetstream.presence import Node, Nodes
from missioncontrol.store.jetstream.states import SharedStates
from missioncontrol.store.schema import DATABASE_NAME

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

UNREADABLE = "log:unreadable"


class Wire:
    """A connection to the NATS server that sends what it is given, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: NatsProcess) -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await reader.readline()
        writer.write(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n')
        return cls(reader, writer)

    async def publish(self, subject: bytes, payload: bytes, headers: bytes | None = None) -> None:
        if headers is None:
            self._writer.write(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
        else:
            sizes = (len(headers), len(headers) + len(payload))
            self._writer.write(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, *sizes, headers, payload))
        self._writer.write(b"PING\r\n")
        await self._writer.drain()
        # The server answers in the order in which it was asked: the message is in when it does.
        while (line := await self._reader.readline()) != b"PONG\r\n":
            assert not line.startswith(b"-ERR"), line

    def close(self) -> None:
        self._writer.close()


class Fleet:
    """Two nodes over one stream, and a wire to write into it."""

    def __init__(self, folder: Path, server: NatsProcess) -> None:
        self._folder = folder
        self._server = server
        self.stream = f"T{uuid4().hex[:12]}"
        self.nodes: list[JetStreamLog] = []

    async def open(self, name: str) -> JetStreamLog:
        flags = {
            "log.url": self._server.url,
            "cluster.stream": self.stream,
            "cluster.publish_timeout": 5.0,
            # The server reserves it for each stream.
            "log.retention_bytes": 32 * 1024 * 1024,
        }
        log = await JetStreamLog.open(self._folder / name, load_config(flags=flags), name)
        self.nodes.append(log)
        return log

    async def start(self) -> None:
        await self.open("alpha")
        await self.open("beta")
        self.wire = await Wire.open(self._server)

    async def send(self, payload: bytes, *, token: bytes = b"a.b", headers: bytes | None = None) -> None:
        await self.wire.publish(f"{self.stream}.events.".encode() + token, payload, headers)

    async def go_on(self) -> list[list[Any]]:
        """Append at each node, and return what each has then; all must have the same ids."""
        for log in self.nodes:
            await log.append([Draft("custom:after", {"at": log.host})])
        async with asyncio.timeout(15):
            while len({log.head for log in self.nodes}) > 1:  # noqa: ASYNC110 - no event of two logs
                await asyncio.sleep(0.01)
        return [await events(log) for log in self.nodes]

    async def close(self) -> None:
        self.wire.close()
        for log in self.nodes:
            await log.close()


async def events(log: JetStreamLog) -> list[Any]:
    after, found = log.first - 1, []
    while after < log.head:
        page = await log.read(after, EVERYTHING)
        found += [decode_event(body) for body in page.bodies]
        after = page.last
    assert [event.id for event in found] == list(range(1, log.head + 1))
    return found


@pytest.fixture
async def fleet(nats: NatsProcess, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(tmp_path, nats)
    await fleet.start()
    yield fleet
    await fleet.close()


def body(**changes: Any) -> bytes:
    fields = {"type": "custom:event", "source": "api", "host": "gamma", "data": {}} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def nested(depth: int) -> bytes:
    return body(data={"deep": "HERE"}).replace(b'"HERE"', b"[" * (depth - 1) + b"]" * (depth - 1))


ODD: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{{{{",
    "not UTF-8": b'{"type":"a:b","source":"\xff","host":"gamma","data":{}}',
    "not UTF-8 in its data": b'{"type":"a:b","source":"x","host":"gamma","data":{"a":"\xff\xfe"}}',
    "an array": b"[1,2,3]",
    "65 levels": nested(65),
    "978 levels": nested(978),
    "100,000 levels": nested(100_000),
    "levels that never close": b'{"type":"a:b","x":' + b"[" * 50_000,
    "data of half a MiB": body(data={"pad": "x" * 524_288}),
    "no type": body(type=None),
    "no host": body(host=None),
    "no data": body(data=None),
    "data that is a list": body(data=[1]),
    "a type of two lines": body(type="a:b\nc"),
    "a host that is none": body(host="Not A Host"),
    "a source that is long": body(source="s" * 65),
    "an empty source": body(source=""),
    "a key that is long": body(key="k" * 257),
    "an empty key": body(key=""),
    "a trace that is none": body(traceparent="00-x"),
    "lone surrogates": body(data={"a": "\ud800"}),
    "numbers without end": b'{"type":"a:b","source":"x","host":"g","data":{"n":' + b"9" * 100_000 + b"}}",
    "NaN": b'{"type":"a:b","source":"x","host":"g","data":{"n":NaN}}',
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_message_takes_its_place_and_everything_goes_on(fleet: Fleet, name: str) -> None:
    await fleet.nodes[0].append([Draft("custom:before")])
    await fleet.send(ODD[name])
    alpha, beta = await fleet.go_on()
    assert alpha == beta
    assert len(alpha) == 4
    assert alpha[1].type == UNREADABLE
    assert alpha[1].data["size"] == len(ODD[name])
    assert alpha[1].data["reason"]


async def test_what_is_odd_is_counted_at_each_node(fleet: Fleet) -> None:
    for payload in (b"", b"{", nested(700)):
        await fleet.send(payload)
    await fleet.go_on()
    assert [log.figures.unreadable for log in fleet.nodes] == [3, 3]


async def test_a_message_of_64_levels_is_read(fleet: Fleet) -> None:
    await fleet.send(nested(64))
    alpha, _ = await fleet.go_on()
    assert alpha[0].type == "custom:event"


HEADERS: dict[str, bytes] = {
    "a status of its own": b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    "a status as a header": b"NATS/1.0\r\nStatus: 100\r\n\r\n",
    "a status that is not UTF-8": b"NATS/1.0 1\xff0 \xff\xfe\r\n\r\n",
    "a name that is not UTF-8": b"NATS/1.0\r\n\xff\xfe: \xff\r\n\r\n",
    "no colon": b"NATS/1.0\r\nno colon at all\r\n\r\n",
    "a last sequence that is no number": b"NATS/1.0\r\nStatus: 100\r\nNats-Last-Stream: many\r\n\r\n",
    "a consumer that is stalled": b"NATS/1.0\r\nStatus: 100\r\nNats-Consumer-Stalled: a b c\r\n\r\n",
    "nothing": b"NATS/1.0\r\n\r\n",
    "no line's end": b"NATS/1.0",
    "a line of spaces": b"NATS/1.0 \r\n \r\n\r\n",
    "the same one often": b"NATS/1.0\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
}


@pytest.mark.parametrize("name", HEADERS)
async def test_odd_headers_hold_nothing_up(fleet: Fleet, name: str) -> None:
    await fleet.send(body(data={"here": True}), headers=HEADERS[name])
    alpha, beta = await fleet.go_on()
    assert alpha == beta
    assert [event.type for event in alpha][-2:] == ["custom:after"] * 2


@pytest.mark.parametrize(
    "token", [b"\xff.\xfe", b"a\x0bb", b"a\x0cb", b"a." + b"x" * 3_900, b"\xc3.\xa9", b"$JS.ACK.x", b"=.=="]
)
async def test_odd_subjects_hold_nothing_up(fleet: Fleet, token: bytes) -> None:
    await fleet.send(body(data={"here": True}), token=token)
    alpha, beta = await fleet.go_on()
    assert alpha == beta
    assert [event.type for event in alpha][-2:] == ["custom:after"] * 2


async def test_messages_that_were_removed_leave_no_hole(nats: NatsProcess, tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, nats)
    client = await nats_client.connect(nats.url)
    # A stream of an operator that lets messages be removed; it fits all the same.
    config = StreamConfig(name=fleet.stream, subjects=[f"{fleet.stream}.events.>"], allow_atomic=True)
    await client.jetstream().add_stream(config)
    await fleet.start()
    await fleet.nodes[0].append([Draft("custom:event", {"n": n}) for n in range(6)])
    for sequence in (2, 3, 5):
        assert await client.jetstream().delete_msg(fleet.stream, sequence)
    await client.close()
    late = await fleet.open("late")
    removed = [event.type == UNREADABLE for event in await events(late)]
    assert removed == [False, True, True, False, True, False]
    assert {event.data["reason"] for event in (await events(late))[1:3]} == {"it was removed from the stream"}
    await fleet.nodes[0].append([Draft("custom:event")])
    assert await late.append([Draft("custom:event")]) == [8]
    await fleet.close()


async def test_a_bomb_as_what_a_source_remembers_takes_no_memory(fleet: Fleet) -> None:
    bomb = zlib.compress(bytes(300 * 1024 * 1024), 9)
    await fleet.send(body(host="alpha") + b"\n" + bomb)
    await fleet.send(body(host="alpha") + b"\n" + zlib.compress(b"[" * 100_000))
    await fleet.send(body(host="alpha") + b"\n" + b"\x78\x9c of no kind")
    alpha, _ = await fleet.go_on()
    assert [event.type for event in alpha[:3]] == ["custom:event"] * 3


async def test_the_same_message_id_and_the_same_key_again_hold_nothing_up(fleet: Fleet) -> None:
    for _ in range(2):
        await fleet.send(body(key="same"))
        await fleet.send(body(key="same"), headers=b"NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n")
    alpha, _ = await fleet.go_on()
    assert [event.type for event in alpha] == ["custom:event"] * 3 + ["custom:after"] * 2
    assert await fleet.nodes[0].append([Draft("custom:event", {}, key="same")]) == [1]


async def test_a_thousand_odd_messages_of_a_seed_leave_all_nodes_with_the_same_log(fleet: Fleet) -> None:
    chance = random.Random(13)
    good = [body(), body(key="k"), body(data={"a": [1, {"b": None}]}), body() + b"\n" + zlib.compress(b"{}")]
    damage: list[Callable[[bytes], bytes]] = [
        lambda one: one[: chance.randrange(len(one) + 1)],
        lambda one: one + one,
        lambda one: one.replace(b"{", b"{" * chance.choice((2, 70, 3_000)), 1),
        lambda one: bytes((byte ^ (chance.random() < 0.05) << chance.randrange(8)) for byte in one),
        lambda one: one.replace(b'"', chance.choice((b"'", b"\x00", b"\xff", b"\n")), chance.randrange(1, 9)),
    ]
    for _ in range(1_000):
        payload = chance.choice(damage)(chance.choice(good))
        headers = chance.choice((None, None, *HEADERS.values()))
        # The server itself refuses the connection of whoever sends a broken header.
        await fleet.send(payload, headers=headers if headers != HEADERS["no line's end"] else None)
    alpha, beta = await fleet.go_on()
    assert alpha == beta
    assert len(alpha) == 1_002


ODD_WORDS = (
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"node":"n","host":"h","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"node":"n","host":"Not A Host"}',
    b'{"node":"' + b"n" * 100_000 + b'","host":"h"}',
    b'{"node":{},"host":[]}',
    b'{"node":"n","host":"h","clients":"many"}',
)


async def test_odd_words_of_other_nodes_are_passed_over(nats: NatsProcess, tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, nats)
    await fleet.open("alpha")
    fleet.wire = await Wire.open(nats)
    nodes = Nodes(fleet.nodes[0].link, tmp_path, fleet.stream, 1)
    await nodes.start(lambda: Node(node=nodes.name, host="alpha"))
    async with asyncio.timeout(15):
        while not any(node.node == "good" for node in nodes.all()):
            for words in ODD_WORDS:
                await fleet.wire.publish(f"{fleet.stream}.nodes".encode(), words)
            await fleet.wire.publish(f"{fleet.stream}.nodes".encode(), b'{"node":"good","host":"beta"}')
            await asyncio.sleep(0.05)
    assert [node.node for node in nodes.all()] == [nodes.name, "good"]
    await nodes.stop()
    await fleet.close()


async def test_odd_claims_of_names_are_passed_over(nats: NatsProcess, tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, nats)
    alpha = await fleet.open("alpha")
    fleet.wire = await Wire.open(nats)
    nodes = Nodes(alpha.link, tmp_path, fleet.stream, 1)
    mine = await nodes.claim(None, tmp_path)
    client = await nats_client.connect(nats.url)
    bucket = await client.jetstream().key_value(f"{fleet.stream}_hosts")
    for number, words in enumerate(ODD_WORDS):
        await bucket.put(f"odd-{number}", words)
    await bucket.put(f"{mine}", b"[" * 50_000)
    await client.close()
    assert await nodes.hosts() == {}
    assert await nodes.claim(None, tmp_path) == f"{mine}-2"
    assert await nodes.claim("odd-3", tmp_path) == "odd-3"
    assert set(await nodes.hosts()) == {f"{mine}-2", "odd-3"}
    await fleet.close()


async def test_odd_states_in_the_object_store_are_passed_over(nats: NatsProcess, tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, nats)
    alpha = await fleet.open("alpha")
    fleet.wire = await Wire.open(nats)
    states = SharedStates(alpha.link, 1)
    await states.save(StateCheckpoint(1, b"state"))
    assert await states.load() == StateCheckpoint(1, b"state")
    client = await nats_client.connect(nats.url)
    store = await client.jetstream().object_store(f"{fleet.stream}_states")
    for words in (b"", b"state", b"9" * 5_000 + b"\nstate", b"-1\nstate", b"\xb2\nstate"):
        await store.put(alpha.epoch, words)
        assert await states.load() is None
    await client.close()
    await fleet.close()


async def test_a_copy_that_does_not_go_on_is_reported(
    nats: NatsProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "STALLED_SECONDS", 2.0)
    fleet = Fleet(tmp_path, nats)
    await fleet.start()
    alpha, beta = fleet.nodes
    # Another program holds the copy's database, as a backup may.
    held = sqlite3.connect(tmp_path / "beta" / "copy" / DATABASE_NAME, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    await alpha.append([Draft("custom:event")])
    async with asyncio.timeout(40):
        while "has not moved for" not in (beta.trouble or ""):  # noqa: ASYNC110 - nothing says so
            await asyncio.sleep(0.05)
    held.execute("ROLLBACK")
    held.close()
    async with asyncio.timeout(40):
        while beta.trouble is not None or beta.head != 1:  # noqa: ASYNC110 - nothing says so
            await asyncio.sleep(0.05)
    await fleet.close()
