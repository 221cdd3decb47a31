"""A network between client and server that can fall silent without anybody being told, as real ones do."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PIECE = 64 * 1024


class Link:
    """A TCP proxy to one server; its `url` stands for the server's own.

    `silence` makes the connections of the moment half-open: they stay, and carry nothing any more in the
    directions named. New connections are as good as ever.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def silence(self, *, to_server: bool = True, to_client: bool = True) -> None:
        """Make every connection that stands now half-open."""
        for connection in self._connections:
            if to_server:
                connection.to_server.clear()
            if to_client:
                connection.to_client.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, server[1])
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, server[1], connection.to_server))
                both.create_task(_carry(server[0], writer, connection.to_client))
        finally:
            self._connections.discard(connection)
            connection.cut()


class _Connection:
    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.to_server = asyncio.Event()
        self.to_client = asyncio.Event()
        self.to_server.set()
        self.to_client.set()

    def cut(self) -> None:
        self.to_server.set()
        self.to_client.set()
        for writer in self._writers:
            writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_: asyncio.Event) -> None:
    """Carry one direction until it ends; an end is held back like everything else while the link is silent."""
    try:
        while piece := await reader.read(PIECE):
            await open_.wait()
            writer.write(piece)
            await writer.drain()
        await open_.wait()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
