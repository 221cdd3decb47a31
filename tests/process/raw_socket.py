"""A WebSocket client without manners: it sends whatever bytes it is told to, and reads only when it is told to."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0


class Frame(NamedTuple):
    """One frame as it came."""

    opcode: int
    payload: bytes


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """Write a frame (RFC 6455, section 5.2), right or wrong; `length` is what it claims to have."""
    claimed = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if claimed < 126:
        head += bytes([mask_bit | claimed])
    elif claimed < 65_536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", claimed)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", claimed)
    # A mask of zeros leaves the payload as it is.
    return head + (bytes(4) if masked else b"") + payload


def message(type_: str, **fields: Any) -> bytes:
    """Write a message of the protocol as a frame."""
    return frame(json.dumps({"type": type_, **fields}).encode())


def handshake(host: str, query: str = "", headers: str = "", path: str = "/api/ws") -> bytes:
    """Write an opening handshake; `headers` are more lines of it, each with its end."""
    return (
        f"GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    ).encode("latin-1")


class RawSocket:
    """One TCP connection to a server. Whatever is awaited here ends within 20 seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._ended = False

    @classmethod
    async def open(cls, url: str, *, receive_buffer: int | None = None) -> Self:
        """Connect, and say nothing yet; `receive_buffer` is the size of the kernel's buffer, in bytes."""
        parts = urlsplit(url)
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (parts.hostname, parts.port))
        except BaseException:
            connection.close()
            raise
        # Little is read ahead, so that a client that does not read does not do so in secret.
        return cls(*await asyncio.open_connection(sock=connection, limit=16 * 1024))

    @classmethod
    async def websocket(
        cls, url: str, query: str = "", *, headers: str = "", receive_buffer: int | None = None
    ) -> Self:
        """Connect and shake hands; what the server says first is not read."""
        found = await cls.open(url, receive_buffer=receive_buffer)
        status = await found.shake_hands(urlsplit(url).netloc, query, headers)
        assert status == 101, status
        return found

    async def shake_hands(self, host: str, query: str = "", headers: str = "") -> int:
        """Send the opening handshake and return the status of the answer."""
        self.writer.write(handshake(host, query, headers))
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    async def send(self, data: bytes) -> bool:
        """Send bytes; False where the server has ended the connection before it took them all."""
        if self._ended:
            return False
        try:
            self.writer.write(data)
            async with asyncio.timeout(20):
                await self.writer.drain()
        except OSError:
            return False
        return True

    def send_nothing_more(self) -> None:
        """End this direction of the connection."""
        self._ended = True
        try:
            self.writer.write_eof()
        except (OSError, RuntimeError):
            # The server was quicker.
            pass

    async def receive(self) -> Frame | None:
        """Read one frame; None at the end of the connection."""
        try:
            async with asyncio.timeout(20):
                first, second = await self.reader.readexactly(2)
                length = second & 0x7F
                if length == 126:
                    (length,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
                return Frame(first & 0x0F, await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def receive_message(self, *types: str) -> Any:
        """Read up to the next message of one of these types; frames of other kinds are passed over."""
        while True:
            found = await self.receive()
            assert found is not None, f"the connection ended before {types} came"
            assert found.opcode != CLOSE, f"closed with {found.payload!r} before {types} came"
            if found.opcode == TEXT:
                content = json.loads(found.payload)
                if content["type"] in types:
                    return content

    async def close_code(self) -> int | None:
        """Read up to the end and return the code of the close frame; None where there was none."""
        code = None
        while (found := await self.receive()) is not None:
            if found.opcode == CLOSE and len(found.payload) >= 2:
                (code,) = struct.unpack("!H", found.payload[:2])
                # Answered, so that the server need not wait for it.
                await self.send(frame(found.payload[:2], CLOSE))
        return code

    async def read_all(self) -> bytes:
        """Read until the server ends the connection."""
        try:
            async with asyncio.timeout(20):
                return await self.reader.read()
        except OSError:
            return b""
