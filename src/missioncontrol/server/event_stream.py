"""`/api/events/stream`: the log as Server-Sent Events (HTML standard, section 9.2), over the same connection.

The shell is plain ASGI: an open stream is one task that waits for bytes. What is written to it lies in a buffer
of at most 1 MiB; past that the connection reads on from the log, as a slow WebSocket does.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive, Scope, Send

from missioncontrol.errors import Draining, Unavailable
from missioncontrol.hub import Connection
from missioncontrol.protocol.codes import CloseCode
from missioncontrol.protocol.encoding import Encoding, sse_heartbeat, sse_named
from missioncontrol.protocol.messages import DrainNotice
from missioncontrol.protocol.session import Session
from missioncontrol.server.live import FULL_SECONDS, read_handshake, wait_for
from missioncontrol.server.responses import identify_scope
from missioncontrol.server.service import Service
from missioncontrol.server.websocket import HIGH_WATER_BYTES, LOW_WATER_BYTES, STUCK_SECONDS

PATH = "/api/events/stream"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    # Nobody on the way may keep it, compress it or hold it back.
    (b"cache-control", b"no-cache, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """The sink of one open stream."""

    encoding = Encoding.SSE

    def __init__(self, address: str) -> None:
        self.address = address
        self.connection: Connection | None = None
        self.ended: str | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._blocked = False
        self._more = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Take encoded events for the next chunk of the response."""
        self._chunks.append(data)
        self._size += len(data)
        self._more.set()
        if self._size > HIGH_WATER_BYTES and not self._blocked and self.connection is not None:
            self._blocked = True
            self.connection.blocked()

    def direct(self) -> None:
        """ASGI has no socket to hand out."""

    def send(self, type_: str, data: Any, ref: Any, cursor: str | None) -> None:
        """Take a named event; a browser's own `EventSource` goes by `retry`, in milliseconds, when it comes back."""
        if isinstance(data, DrainNotice):
            self.write(b"retry: %d\n" % round(data.reconnect_after * 1000))
        self.write(sse_named(type_, msgspec.json.encode(data), cursor))

    def close(self, code: CloseCode, reason: str) -> None:
        """End the response once what was written is out."""
        self.ended = reason
        self._more.set()

    def pause_reading(self) -> None:
        """A stream takes nothing from the client."""

    def resume_reading(self) -> None:
        """A stream takes nothing from the client."""

    async def next_chunk(self, seconds: float) -> bytes | None:
        """Wait up to so many seconds for bytes; None when there are none."""
        if not self._chunks and self.ended is None:
            try:
                async with asyncio.timeout(seconds):
                    await self._more.wait()
            except TimeoutError:
                return None
        self._more.clear()
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def taken(self, size: int) -> None:
        """The transport has room again after a chunk of `size` bytes."""
        self._size -= size
        if self._blocked and self._size <= LOW_WATER_BYTES and self.connection is not None:
            self._blocked = False
            self.connection.unblocked()


async def serve_event_stream(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; whoever calls has checked host, origin and scope.

    Raises:
        Draining: the server is about to stop.
        Unavailable: as many clients as are allowed are connected.
        InputError: the query or the `Last-Event-ID` is wrong.
    """
    if service.draining:
        raise Draining("The server is about to stop; come back in a moment.")
    if service.hub.clients >= service.room.max_clients:
        service.hub.figures.refused += 1
        raise Unavailable(
            "As many clients as are allowed are connected; try again later.", retry_after=FULL_SECONDS
        )
    headers = dict(scope["headers"])
    last_event_id = headers.get(b"last-event-id", b"").decode("latin-1") or None
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    handshake = read_handshake(query, last_event_id)
    if handshake.since is not None:
        await wait_for(service, handshake.since)
    client = scope.get("client")
    # Without a port where a trusted proxy says who asks.
    address = "local" if not client else f"{client[0]}:{client[1]}" if client[1] else client[0]
    stream = EventStream(address)
    heartbeat = service.config.server.heartbeat_interval
    caller = identify_scope(service, scope)
    session = Session(f"sse_{secrets.token_hex(5)}", may_publish=False)
    connection = Connection(
        service.hub,
        service.log,
        service.publish,
        service.state.encoded,
        stream,
        session,
        reduced=not caller.may("read"),
    )
    stream.connection = connection
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    stream.write(b"retry: %d\n\n" % random.randint(500, 2000))  # noqa: S311 - spreads load, guards nothing
    connection.open(handshake, heartbeat)
    gone = asyncio.create_task(_disconnected(receive))
    pump = asyncio.create_task(_pump(stream, connection, heartbeat, send))
    try:
        await asyncio.wait({gone, pump}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        connection.lost()
        for task in (gone, pump):
            task.cancel()
        await asyncio.gather(gone, pump, return_exceptions=True)


async def _pump(stream: EventStream, connection: Connection, heartbeat: float, send: Send) -> None:
    """Write chunks as they come, and a heartbeat when there are none."""
    # The first heartbeat comes at a random moment, so that clients that came together do not stay together.
    wait = heartbeat * random.random()  # noqa: S311
    while True:
        data = await stream.next_chunk(wait)
        wait = heartbeat
        ended = stream.ended is not None
        if data is None:
            data = sse_heartbeat(str(connection.cursor))
            size = 0
        else:
            size = len(data)
        # A client that takes nothing for so long is gone, or may come back with its Last-Event-ID.
        async with asyncio.timeout(STUCK_SECONDS):
            await send({"type": "http.response.body", "body": data, "more_body": not ended})
        if ended:
            return
        stream.taken(size)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
