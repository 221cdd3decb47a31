"""The promise, searched for holes: clients that come, go, stall and change transport in any order.

The in-memory log says what is right. Whatever a client has been handed when everything has come to rest must be
each event of its patterns exactly once, in order, but for the ranges that a gap has named.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from missioncontrol.events import Cursor, Draft, Patterns, Record
from missioncontrol.hub import Connection, Hub
from missioncontrol.protocol.codes import CloseCode
from missioncontrol.protocol.encoding import Encoding, frame, sse_named
from missioncontrol.protocol.messages import encode_message
from missioncontrol.protocol.session import Handshake, Session
from missioncontrol.store import MemoryLog

TYPES = ["agent:busy", "agent:idle", "task:step", "custom:event"]
SUBSCRIPTIONS = [["*"], ["agent"], ["task:step"], ["agent:busy", "custom:*"]]


class Wire:
    """A transport that holds what was written until the client takes it."""

    def __init__(self, encoding: Encoding, room: int) -> None:
        self.encoding = encoding
        self.address = "test"
        self.room = room
        self.held: list[tuple[str, Any]] = []
        self.size = 0
        self.stalled = False
        self.connection: Connection | None = None

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.held += list(messages(data, self.encoding))
        if self.size > self.room and not self.stalled and self.connection is not None:
            self.stalled = True
            self.connection.blocked()

    def direct(self) -> None: ...

    def send(self, type_: str, data: Any, ref: Any, cursor: str | None) -> None:
        if self.encoding is Encoding.SSE:
            self.write(sse_named(type_, msgspec.json.encode(data), cursor))
        else:
            self.write(frame(encode_message(type_, data, ref)))

    def close(self, code: CloseCode, reason: str) -> None:
        raise AssertionError(f"closed: {code} {reason}")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def messages(data: bytes, encoding: Encoding) -> Any:
    if encoding is Encoding.SSE:
        for block in data.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            yield fields.get("event", "event"), json.loads(fields["data"])
        return
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        message = json.loads(data[start : start + length])
        yield ("event", message) if "id" in message else (message["type"], message["data"])
        data = data[start + length :]


class Client:
    """Keeps a cursor, and checks each thing that it is handed."""

    def __init__(self, patterns: list[str], start: Cursor) -> None:
        self.patterns = Patterns(patterns)
        self.cursor = start
        self.start = start.id
        self.ids: list[int] = []
        self.gone: list[tuple[int, int]] = []
        self.wire: Wire | None = None

    def take(self, count: int) -> None:
        wire = self.wire
        assert wire is not None
        for kind, message in wire.held[:count]:
            if kind == "event":
                assert message["id"] > self.cursor.id, "an event came twice, or out of order"
                assert self.patterns.matches(message["type"])
                self.ids.append(message["id"])
                self.cursor = Cursor(self.cursor.epoch, message["id"])
            elif kind == "gap":
                self.gone.append((message["from"], message["to"]))
                self.cursor = Cursor.parse(message["cursor"])
        del wire.held[:count]
        if not wire.held:
            wire.size = 0
            if wire.stalled and wire.connection is not None:
                wire.stalled = False
                wire.connection.unblocked()


class Promise(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**16), window=st.sampled_from([0.0, 0.001]))
    def begin(self, seed: int, window: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.random = random.Random(seed)
        self.log = MemoryLog()
        self.types: dict[int, str] = {}
        self.trimmed = 0
        self.clients: list[Client] = []

        async def make() -> Hub:
            return Hub(epoch=self.log.epoch, head=0, flush_window=window)

        self.hub = self.loop.run_until_complete(make())
        self.deaf = False
        self.log.listen(self.hear)

    def hear(self, records: Sequence[Record]) -> None:
        if not self.deaf:
            self.hub.publish(records)

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.run_until_complete(asyncio.sleep(0))

    @rule(count=st.integers(1, 40))
    def append(self, count: int) -> None:
        drafts = [
            Draft(self.random.choice(TYPES), {"pad": "x" * self.random.randrange(300)}) for _ in range(count)
        ]
        ids = self.loop.run_until_complete(self.log.append(drafts))
        self.types |= {id_: draft.type for id_, draft in zip(ids, drafts, strict=True)}

    @rule(count=st.integers(1, 20), after=st.integers(1, 20))
    def a_commit_never_reaches_the_hub(self, count: int, after: int) -> None:
        holes = self.hub.figures.holes
        self.deaf = True
        self.append(count)
        self.deaf = False
        self.append(after)
        assert self.hub.figures.holes == holes + 1

    @rule(count=st.integers(1, 5))
    def the_hub_is_given_records_again(self, count: int) -> None:
        again = self.log._records[-count:]
        if again:

            async def publish() -> None:
                self.hub.publish(again)

            self.loop.run_until_complete(publish())

    @rule(times=st.integers(1, 5))
    def let_it_run(self, times: int) -> None:
        self.turn(times)

    @precondition(lambda self: len(self.clients) < 5)
    @rule(patterns=st.sampled_from(SUBSCRIPTIONS))
    def arrive(self, patterns: list[str]) -> None:
        client = Client(patterns, Cursor(self.log.epoch, self.log.head))
        self.clients.append(client)
        self.connect(client, Encoding.FRAME, 2_000)

    def connect(self, client: Client, encoding: Encoding, room: int) -> None:
        async def make() -> None:
            wire = client.wire = Wire(encoding, room)
            wire.connection = Connection(
                self.hub, self.log, self.log.append, lambda: b"{}", wire, Session("test")
            )
            wire.connection.open(Handshake(client.patterns, client.cursor), 30.0)

        self.loop.run_until_complete(make())

    def some_client(self) -> Client:
        return self.random.choice(self.clients)

    @precondition(lambda self: self.clients)
    @rule(count=st.integers(1, 200))
    def somebody_takes(self, count: int) -> None:
        client = self.some_client()
        if client.wire is not None:
            self.take(client, count)

    def take(self, client: Client, count: int = 10**6) -> None:
        async def taking() -> None:
            client.take(count)

        self.loop.run_until_complete(taking())

    @precondition(lambda self: self.clients)
    @rule(encoding=st.sampled_from([Encoding.FRAME, Encoding.SSE]), room=st.sampled_from([200, 2_000, 10**6]))
    def somebody_comes_back(self, encoding: Encoding, room: int) -> None:
        client = self.some_client()
        self.leave(client)
        self.connect(client, encoding, room)

    @precondition(lambda self: self.clients)
    @rule()
    def somebody_leaves(self) -> None:
        self.leave(self.some_client())

    def leave(self, client: Client) -> None:
        """Lose the connection, with everything that is on its way."""
        if client.wire is not None and client.wire.connection is not None:
            client.wire.connection.lost()
        client.wire = None

    @precondition(lambda self: self.clients)
    @rule()
    def somebody_rewinds_to_its_own_cursor(self) -> None:
        """Subscribing again with the cursor at hand is a resume without a reconnect."""
        client = self.some_client()
        wire = client.wire
        if wire is None or wire.connection is None:
            return
        message = {"type": "subscribe", "events": client.patterns.names(), "since": str(client.cursor)}
        receive = wire.connection.receive

        async def say() -> None:
            # Asked here, since the turn in which this runs may bring events: they would rightly come again.
            if not wire.held:
                receive(json.dumps(message).encode())

        self.loop.run_until_complete(say())

    @rule(back=st.integers(0, 60))
    def trim(self, back: int) -> None:
        self.log.trim(self.log.head - back)
        # Memory must not reach further back than the log, or the model would not see a gap.
        self.hub._recent.clear()
        self.hub._recent_bytes = 0

    @invariant()
    def what_was_flushed_is_never_ahead(self) -> None:
        if hasattr(self, "hub"):
            assert self.hub.flushed <= self.hub.head == self.log.head

    def teardown(self) -> None:
        if not hasattr(self, "hub"):
            return
        for client in self.clients:
            if client.wire is None:
                self.connect(client, Encoding.FRAME, 500)
        for _ in range(10_000):
            self.turn()
            for client in self.clients:
                self.take(client)
            if all(
                c.wire and c.wire.connection and c.wire.connection.cursor.id == self.log.head
                for c in self.clients
            ):
                break
        self.hub.flush()
        for client in self.clients:
            self.take(client)
            got = set(client.ids)
            assert len(got) == len(client.ids)
            for id_ in range(client.start + 1, self.log.head + 1):
                gone = any(first <= id_ <= last for first, last in client.gone)
                wanted = client.patterns.matches(self.types[id_])
                assert (id_ in got) == wanted or (wanted and gone), f"event {id_} was lost in silence"
        self.hub.close()
        for client in self.clients:
            self.leave(client)
        self.turn(3)
        self.loop.close()


Promise.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPromise = Promise.TestCase


def test_what_is_pending_comes_once_to_who_subscribes_again_with_its_cursor() -> None:
    machine = Promise()
    machine.begin(seed=0, window=1.0)
    machine.arrive(["*"])
    machine.append(1)
    client = machine.clients[0]
    machine.take(client)
    machine.append(1)
    machine.somebody_rewinds_to_its_own_cursor()
    machine.teardown()
    assert client.ids == [1, 2]
