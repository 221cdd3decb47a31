"""HTTP/1.1 on the wire: uvicorn's protocol, with the bounds that it leaves to a proxy in front.

A request's head must be whole within ten seconds and 64 KiB. Its body may not pause for longer than ten seconds, and on
the whole has half a minute and a second more for each KiB. A client that takes nothing of its answer for a minute, or
that is gone while it is answered, is ended, too. So no client can hold connections, or fill memory, by never finishing
(RFC 9110, section 15.5.9; RFC 6585, section 5). How many connections there may be at all is for the `Room`.

A connection is never closed with unread input, since the kernel would then reset it, and the client lose the answer:
what still comes after an answer that ends the connection is read and dropped, within limits (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from websockets.datastructures import Headers
from websockets.http11 import Request

from missioncontrol.errors import Unavailable
from missioncontrol.protocol.codes import CloseCode
from missioncontrol.server.access import PEER, Peer, Peers
from missioncontrol.server.access.headers import host_in_target
from missioncontrol.server.heartbeat import Heartbeats
from missioncontrol.server.peer import LEAST_SECONDS, seconds_unanswered
from missioncontrol.server.problems import send_problem
from missioncontrol.server.room import Room
from missioncontrol.server.websocket import STUCK_SECONDS, WebSocketProtocol

HEAD_SECONDS = 10.0
BODY_SILENCE_SECONDS = 10.0
BODY_SECONDS = 30.0
BODY_BYTES_PER_SECOND = 1024
FULL_SECONDS = 10
"""When a client that finds no room may try again."""

WARN_EVERY_SECONDS = 60.0

LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024
"""How long, and how much, is still read after the last answer of a connection."""

MAX_PIPELINED = 32
"""How many requests of a connection may wait for the answers before theirs; what follows is not read until then."""

PIECE_BYTES = 8 * 1024
"""How much is parsed before it is seen how many requests are in it."""

ALWAYS_ANSWERED = ("/health", "/api/health", "/metrics")
MAX_HEAD_BYTES = 64 * 1024
FIELD_BYTES = 64
"""What a header field counts beyond its length, which bounds their number: about 1,000."""


def _refusal(status: bytes, reason: bytes) -> bytes:
    fields = (
        b"HTTP/1.1 " + status,
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(reason),
        b"cross-origin-resource-policy: same-origin",
        b"x-content-type-options: nosniff",
        b"connection: close",
    )
    return b"\r\n".join(fields) + b"\r\n\r\n" + reason


_TOO_LARGE = _refusal(
    b"431 Request Header Fields Too Large", b"The request's head is over 64 KiB; send less."
)


class WarningThrottle(logging.Filter):
    """Lets each warning through once a minute, so that hostile requests do not fill the log's disk.

    The next one says how many were left out.
    """

    def __init__(self, seconds: float = WARN_EVERY_SECONDS) -> None:
        """Set the pause between two equal warnings, in seconds."""
        super().__init__()
        self._seconds = seconds
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written; errors always are."""
        if record.levelno != logging.WARNING:
            return True
        # The text before its arguments, of which a library has few.
        at, left_out = self._seen.get(record.msg, (-self._seconds, 0))
        if record.created - at < self._seconds:
            self._seen[record.msg] = (at, left_out + 1)
            return False
        self._seen[record.msg] = (record.created, 0)
        if left_out:
            record.left_out = left_out
        return True


class _EarlyAnswer:
    """The transport as an answer sees it whose request is not whole yet; its `close` waits for the rest."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class HttpProtocol(HttpToolsProtocol):
    """One connection, until it is closed or becomes a WebSocket."""

    def __init__(
        self, room: Room, heartbeats: Heartbeats, peers: Peers, /, *arguments: Any, **settings: Any
    ) -> None:
        """Take what uvicorn hands over."""
        super().__init__(*arguments, **settings)
        self._peers = peers
        self._access_peer: Peer | None = None
        self._room = room
        self._heartbeats = heartbeats
        self._blocked_at = 0.0
        self._buffered = 0
        self._body_began = 0.0
        self._body_bytes = 0
        self._head_bytes = 0
        self._unfinished_bytes = 0
        # An answer may be out before all of its request is in.
        self._body_comes = False
        # Once nothing more that comes can be a request.
        self._drops = False
        self._dropped_bytes = 0
        self._last_answer = b""
        self._held = b""
        # The request that is answered first, and those that wait for it; uvicorn knows the newest alone.
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._linger_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        # As the kernel names them; uvicorn's own may be shortened.
        names = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        self._access_peer = self._peers.add(*names, self._revoke)
        self._expect_head()
        self._heartbeats.add(self)
        self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_whole()
        self._body_is_whole()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._heartbeats.remove(self)
        self._room.leave(self)
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        # They hold the protocol, and would wait for the garbage collector.
        self._unanswered.clear()
        self.pipeline.clear()
        self._held = b""
        if self._access_peer is not None:
            self._access_peer.left()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as there is room for more requests that wait for the answers before theirs."""
        if self._drops:
            self._dropped_bytes += len(data)
            if self._dropped_bytes > LINGER_BYTES:
                self.transport.abort()
        elif self._held or len(self.pipeline) >= MAX_PIPELINED:
            self._held += data
            self.flow.pause_reading()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        # One read may hold thousands of requests.
        for start in range(0, len(data), PIECE_BYTES):
            if len(self.pipeline) >= MAX_PIPELINED:
                self._held = data[start:]
                self.flow.pause_reading()
                return
            self._parse_piece(data[start : start + PIECE_BYTES])
            if self._drops or self.transport.is_closing() or self.transport.get_protocol() is not self:
                return

    def _parse_piece(self, data: bytes) -> None:
        """Parse; a field that does not end shows in what came, as nothing else reports it."""
        awaited = self._head_timer
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            # It has become a WebSocket, which has no heads to wait for.
            return
        if self._body_comes:
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is not None and cycle.transport is self.transport:
                cycle.transport = _EarlyAnswer(self.transport, self._linger)  # type: ignore[assignment]
            return
        if awaited is not None and awaited is self._head_timer:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > MAX_HEAD_BYTES:
                self._refuse(_TOO_LARGE)
        if self._is_waiting() and self._head_timer is None and self.timeout_keep_alive_task is None:
            # Line ends before a request begin none, yet they have ended the wait for the next one.
            self._expect_head()

    def on_message_begin(self) -> None:
        """A head begins: it has its time and its room."""
        self._head_bytes = self._unfinished_bytes = 0
        if self._head_timer is None:
            self._expect_head()
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[PEER] = self._access_peer

    def on_url(self, url: bytes) -> None:
        """Count a part of the request's target."""
        if self._has_space(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header field."""
        # One of a few bytes costs as much as a long one.
        if self._has_space(len(name) + len(value) + FIELD_BYTES):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_whole()
        if self._head_bytes <= MAX_HEAD_BYTES:
            self._body_began, self._body_bytes, self._body_comes = self.loop.time(), 0, True
            self._expect_body()
            if (host := host_in_target(self.url)) is not None and sum(
                name == b"host" for name, _ in self.headers
            ) == 1:
                # In place: the scope has the same list.
                self.headers[:] = [(name, host if name == b"host" else value) for name, value in self.headers]
            app = self.app
            if self._room.full and self.url.partition(b"?")[0].decode("latin-1") not in ALWAYS_ANSWERED:
                self.app = _refuse_for_room
            newest: RequestResponseCycle | None = self.cycle
            super().on_headers_complete()
            self.app = app
            if self.cycle is not newest:
                # Not where it becomes a WebSocket.
                self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """A part of the body came: the next one has its time."""
        self._body_is_whole()
        self._body_bytes += len(body)
        if self.loop.time() - self._body_began > BODY_SECONDS + self._body_bytes / BODY_BYTES_PER_SECOND:
            self.transport.abort()
            return
        self._expect_body()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_is_whole()
        self._body_comes = False
        # One that is never finished gives way to others.
        self._room.busy(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The request is answered: until the next one this connection can give way to another."""
        if self._unanswered:
            self._unanswered.popleft()
        if self._linger_timer is not None:
            self.server_state.total_requests += 1
            self._room.idle(self)
            return
        super().on_response_complete()
        if self._held and len(self.pipeline) < MAX_PIPELINED and not self.transport.is_closing():
            held, self._held = self._held, b""
            self._parse(held)
        if self._last_answer and self._is_waiting() and not self.transport.is_closing():
            self.transport.write(self._last_answer)
            self._linger()
        if self._is_waiting() and not self.transport.is_closing():
            self._room.idle(self)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(_refusal(b"400 Bad Request", msg.encode("ascii")))

    def pause_writing(self) -> None:
        """The transport holds as much as it may."""
        self._blocked_at = self.loop.time()
        self._buffered = self.transport.get_write_buffer_size()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._blocked_at = 0.0
        super().resume_writing()

    # Guest

    def evict(self) -> None:
        """Give way to another connection."""
        self.transport.abort()

    def _revoke(self, reason: str) -> None:
        """End the connection, whose caller may not go on; whatever it waits for ends as if the client were gone."""
        self.transport.abort()

    # Member

    def beat(self) -> bool:
        """Return whether a peer that is being answered is in doubt; there is no ping in HTTP."""
        return not self._is_waiting() and seconds_unanswered(self._socket) is not None

    def check_peer(self, now: float, limit: float) -> CloseCode | bool:
        """End the connection if its peer has acknowledged nothing for `limit` seconds."""
        unanswered = seconds_unanswered(self._socket)
        if unanswered is None:
            # A closed window may hide a peer that is gone: that is seen once two probes have had no answer.
            return self._blocked_at > 0.0
        if unanswered < max(limit, LEAST_SECONDS):
            return True
        self.transport.abort()
        return CloseCode.NO_HEARTBEAT

    def check_progress(self, now: float) -> CloseCode | None:
        """End a connection that has taken nothing of its answer for 60 seconds."""
        if not self._blocked_at:
            return None
        buffered = self.transport.get_write_buffer_size()
        if buffered < self._buffered:
            self._buffered, self._blocked_at = buffered, now
        elif now - self._blocked_at >= STUCK_SECONDS:
            self.transport.abort()
            return CloseCode.TOO_SLOW
        return None

    @property
    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")

    def _is_waiting(self) -> bool:
        """Say whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or (cycle.response_complete and not self.pipeline and not self._held)

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
        self._heartbeats.remove(self)
        self._room.busy(self)
        protocol = self.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self.config,
            server_state=self.server_state,
            app_state=self.app_state,
            closing=functools.partial(self._room.idle, self),
            left=functools.partial(self._room.leave, self),
        )
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]
        request = Request(
            self.url.decode("latin-1"),
            Headers(headers),
            self.parser.get_method().decode("latin-1"),
            f"HTTP/{self.parser.get_http_version()}",
        )
        transport = self.transport
        ws = cast("WebSocketProtocol", protocol)
        if self._access_peer is not None:
            ws.access_peer, self._access_peer.close = self._access_peer, ws.revoke
        transport.set_protocol(protocol)
        # Parser and protocol hold each other: let go, so that neither waits for the garbage collector.
        self.parser = None  # type: ignore[assignment]
        protocol.connection_made(transport)
        ws.handshake(request)

    def _expect_head(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._held:
            # It is not the client that pauses: the rest of the head waits here for answers.
            self._expect_head()
        else:
            self.transport.abort()

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

    def _has_space(self, size: int) -> bool:
        before = self._head_bytes
        self._head_bytes = before + size
        if self._head_bytes <= MAX_HEAD_BYTES:
            return True
        if before <= MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        return False

    def _refuse(self, answer: bytes) -> None:
        """Read nothing more as a request, and say why after what was asked before."""
        if self._drops or self.transport.is_closing():
            return
        self._drops = True
        self._head_is_whole()
        self._body_is_whole()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not self._body_comes:
                # Answers have the order of their requests.
                self._last_answer = answer
                return
            if cycle.response_started or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(answer)
        self._linger()

    def _linger(self) -> None:
        """End the connection once its peer has ended it, so that the answer is not lost with what is still sent."""
        self._drops = True
        self._head_is_whole()
        self._body_is_whole()
        self._unset_keepalive_if_required()
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._linger_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


async def _refuse_for_room(scope: Any, receive: Any, send: Any) -> None:
    reason = (
        "As many connections are open as the server's file descriptors allow; "
        "try again later, or raise the limit (ulimit -n) and restart the server."
    )
    await send_problem(scope, send, Unavailable(reason, retry_after=FULL_SECONDS))
