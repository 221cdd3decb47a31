"""HTTP/1.1 on the wire: uvicorn's protocol, with the bounds that it leaves to a proxy in front.

A request's head must be whole within ten seconds and 64 KiB, and its body may not pause for longer than ten seconds;
else the connection is ended, so that nobody can hold connections, or fill memory, by never finishing a request
(RFC 9110, section 15.5.9; RFC 6585, section 5).
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from missioncontrol.server.websocket import WebSocketProtocol

HEAD_SECONDS = 10.0
BODY_SILENCE_SECONDS = 10.0
MAX_HEAD_BYTES = 64 * 1024

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 45\r\nconnection: close\r\n\r\n"
    b"The request's head is over 64 KiB; send less."
)


class HttpProtocol(HttpToolsProtocol):
    """One connection, until it is closed or becomes a WebSocket."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take what uvicorn hands over."""
        super().__init__(*arguments, **settings)
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_whole()
        self._body_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a field that does not end shows in what came, as nothing else tells of it."""
        awaited = self._head_timer
        super().data_received(data)
        if awaited is not None and awaited is self._head_timer:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > MAX_HEAD_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        """A head begins: it has its time and its room."""
        self._head_bytes = self._unfinished_bytes = 0
        if self._head_timer is None:
            self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a part of the request's target."""
        if self._has_room(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header field."""
        if self._has_room(len(name) + len(value)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_whole()
        if self._head_bytes <= MAX_HEAD_BYTES:
            self._expect_body()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body came: the next one has its time."""
        self._body_is_whole()
        self._expect_body()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_is_whole()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Finish what is being answered; a request that is not whole is not waited for."""
        if self._body_timer is not None:
            self.transport.abort()
        else:
            super().shutdown()

    def handle_websocket_upgrade(self) -> None:
        """Hand the transport over, with the head as it was parsed, rather than written out to be parsed again."""
        self._body_is_whole()
        self.connections.discard(self)
        protocol = self.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]
        request = Request(
            self.url.decode("latin-1"),
            Headers(headers),
            self.parser.get_method().decode("latin-1"),
            f"HTTP/{self.parser.get_http_version()}",
        )
        transport = self.transport
        transport.set_protocol(protocol)
        # Parser and protocol hold each other: let go, so that neither waits for the garbage collector.
        self.parser = None  # type: ignore[assignment]
        protocol.connection_made(transport)
        cast("WebSocketProtocol", protocol).handshake(request)

    def _expect_head(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.abort)

    def _head_is_whole(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expect_body(self) -> None:
        self._body_timer = asyncio.get_running_loop().call_later(BODY_SILENCE_SECONDS, self._body_pauses)

    def _body_pauses(self) -> None:
        if self.flow.read_paused:
            # It is not the client that pauses.
            self._expect_body()
        else:
            self.transport.abort()

    def _body_is_whole(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _has_room(self, size: int) -> bool:
        before = self._head_bytes
        self._head_bytes = before + size
        if self._head_bytes <= MAX_HEAD_BYTES:
            return True
        if before <= MAX_HEAD_BYTES:
            self._refuse()
        return False

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
