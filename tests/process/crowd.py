"""Many readers in one process at little cost: they look at the head of each frame and skip the rest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.process.raw_socket import handshake

_EVENT = re.compile(rb'\{"type":"custom:burst","id":(\d+),')
_LOOK = 96
"""Bytes of a frame that must be there to see which event it is; the events here are longer."""


class Listener(asyncio.Protocol):
    """A WebSocket client that only counts: each event of the type custom:burst must follow the one before."""

    def __init__(self, host: str, query: str) -> None:
        self.greeted = asyncio.Event()
        self.lost = asyncio.Event()
        self.ids: list[int] = []
        self._goal = 0
        self._reached = asyncio.Event()
        self._request = handshake(host, query)
        self._open = False
        self._skip = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._reached.set()

    def data_received(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._tail = data
                return
            assert data.startswith(b"HTTP/1.1 101"), data[:200]
            self._open = True
            self.greeted.set()
            data = data[end + 4 :]
        self._tail = data[self._read(data) :]

    async def has_come_to(self, id_: int, seconds: float) -> None:
        """Wait until the event with this id has come."""
        self._goal = id_
        if not self.ids or self.ids[-1] < id_:
            self._reached.clear()
            async with asyncio.timeout(seconds):
                await self._reached.wait()
        assert self.ids, "the connection was lost"
        assert self.ids[-1] >= id_, f"the connection was lost after the event {self.ids[-1]}"

    def _read(self, data: bytes) -> int:
        """Look at the frames that begin in `data`; return up to where it was taken."""
        at, size = self._skip, len(data)
        self._skip = 0
        while at + _LOOK <= size or (at + 2 <= size and at + 2 + data[at + 1] <= size and data[at + 1] < 126):
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            found = _EVENT.match(data, start)
            if found is not None:
                self._take(int(found[1]))
            at = start + length
        if at >= size:
            self._skip = at - size
            return size
        return at

    def _take(self, id_: int) -> None:
        self.ids.append(id_)
        if id_ >= self._goal:
            self._reached.set()


@asynccontextmanager
async def listening(
    url: str, count: int, query: str = "?events=custom:burst"
) -> AsyncIterator[list[Listener]]:
    """Connect so many listeners, and cut them off at the end."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    try:
        for _ in range(count):
            _, listener = await loop.create_connection(
                lambda: Listener(parts.netloc, query), parts.hostname or "", parts.port or 0
            )
            listeners.append(listener)
        async with asyncio.timeout(30):
            await asyncio.gather(*(listener.greeted.wait() for listener in listeners))
        yield listeners
    finally:
        for listener in listeners:
            listener.transport.abort()
        async with asyncio.timeout(10):
            await asyncio.gather(*(listener.lost.wait() for listener in listeners))
