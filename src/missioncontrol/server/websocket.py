"""The WebSocket on the wire: one `asyncio.Protocol` per connection, under uvicorn's `ws=` hook.

`websockets.server.ServerProtocol` does the opening handshake, parsing, control frames and close (RFC 6455) and
permessage-deflate (RFC 7692); it never sees a broadcast: those are shared frames that go straight to the transport.
What is said over the wire is the business of a `Conversation`, which an `Endpoint` makes.

Invariants:

- context takeover is off both ways, so that a compressed frame serves every client, and an idle client costs no
  window;
- nothing is written after a close frame;
- while the transport holds as much as it may, nothing is read either, so that a peer that only talks is not
  answered without end;
- the first sign of life after a silence, of whatever kind, counts.
"""

from __future__ import annotations

import asyncio
import codecs
import http
import logging
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol, cast

import msgspec
from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from missioncontrol.protocol.codes import CloseCode
from missioncontrol.protocol.encoding import Encoding, deflate_frame, frame
from missioncontrol.protocol.messages import Heartbeat, encode_message
from missioncontrol.server.access import Peer
from missioncontrol.server.peer import LEAST_SECONDS, seconds_unanswered

HIGH_WATER_BYTES = 1024 * 1024
LOW_WATER_BYTES = 256 * 1024
DEFLATE_BYTES = 512 * 1024
"""A larger message, such as a snapshot, goes out uncompressed: compressing it would hold the loop."""

SLICE_BYTES = 16 * 1024
"""How much of what was read is parsed at once: it may be thousands of control frames."""

TURN_SECONDS = 0.005
"""After so long others have a turn of the event loop before the rest of what was read is taken."""

CLOSE_SECONDS = 10.0
STUCK_SECONDS = 60.0
CONTROL_PING = b"\x89\x00"
FULL_WINDOW_BITS = 15

logger = logging.getLogger(__name__)

_quiet = logging.getLogger("missioncontrol.server.websocket.frames")
_quiet.setLevel(logging.WARNING)

_extensions = [
    ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
]


class _Frames(ServerProtocol):
    """The frame parser, which takes a close between the fragments of a message for what it is.

    RFC 6455, section 5.4, lets control frames come there; the library answers 1002 where the peer's own code is due.
    """

    def expect_frames(self) -> None:
        """Go on to frames, where the opening request was parsed by somebody else."""
        self.parser = self.parse()
        next(self.parser)

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class Conversation(Protocol):
    """What is said over one open connection."""

    def receive(self, text: bytes) -> None:
        """Take a text message; it is valid UTF-8."""

    def receive_binary(self, data: bytes) -> None:
        """Take a binary message."""

    def heartbeat(self) -> Heartbeat:
        """Say where the client stands."""

    def written(self) -> None:
        """The transport is about to be written by the wire itself."""

    def blocked(self) -> None:
        """The transport holds as much as it may."""

    def unblocked(self) -> None:
        """The transport has room again."""

    def lost(self) -> None:
        """The connection is gone."""


class Endpoint(Protocol):
    """What answers at the other side of an opening handshake."""

    max_size: int
    """Bytes that a message from a client may have, decompressed."""

    @staticmethod
    def select_subprotocol(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Agree on one of the subprotocols that the client offers, or on none."""

    def admit(self, peer: str | None, request: Request) -> tuple[http.HTTPStatus, str] | None:
        """Refuse a handshake by its path or host, with a status and a sentence; None lets it pass.

        `peer` is the address that the connection comes from, which may be a proxy's.
        """

    def open(self, wire: WebSocketProtocol, request: Request) -> Conversation | None:
        """Begin the conversation; None where the wire was closed instead."""


class HeartbeatSchedule(Protocol):
    """Where an open connection is entered to have its `beat` called once an interval."""

    def add(self, wire: WebSocketProtocol) -> None:
        """Begin to call it."""

    def remove(self, wire: WebSocketProtocol) -> None:
        """Call it no more."""


class WebSocketProtocol(asyncio.Protocol):
    """One connection. uvicorn makes it when a request asks for the upgrade; it is the `Sink` of its conversation."""

    __slots__ = (
        "_blocked_at",
        "_buffered",
        "_closing",
        "_conversation",
        "_decoder",
        "_endpoint",
        "_frames",
        "_heard_at",
        "_heartbeats",
        "_loop",
        "_parts",
        "_paused",
        "_rest",
        "_server_state",
        "_silent",
        "_socket",
        "_timer",
        "_transport",
        "_turn_is_due",
        "_ws",
        "access_peer",
        "encoding",
        "forwarded_for",
        "left",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        heartbeats: HeartbeatSchedule,
        *,
        closing: Callable[[], None] | None = None,
        left: Callable[[], None] | None = None,
        server_state: Any,
        config: Any = None,
        app_state: Any = None,
    ) -> None:
        """Take what uvicorn hands over; `config` and `app_state` are of no use here.

        `closing` is called once a close frame is sent, and `left` once the connection is gone.
        """
        self._closing = closing
        self.left = left
        self._endpoint = endpoint
        self._heartbeats = heartbeats
        self._server_state = server_state
        self._conversation: Conversation | None = None
        self._parts: bytearray | None = None
        self._paused = False
        # What was read and is still to be parsed, a slice at a time, and what was parsed and is still to be taken,
        # from its end.
        self._rest: memoryview | None = None
        self._frames: list[Frame] = []
        self._turn_is_due = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silent = 0
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._socket: socket.socket | None = None
        self._blocked_at = 0.0
        self._buffered = 0
        self.encoding = Encoding.FRAME
        self.forwarded_for: str | None = None
        self.access_peer: Peer | None = None
        self._ws = _Frames(
            extensions=_extensions,
            select_subprotocol=endpoint.select_subprotocol,
            max_size=endpoint.max_size,
            logger=_quiet,
        )

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the transport from the HTTP protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._server_state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what came; much of it in several turns of the loop."""
        self._silent = 0
        self._heard_at = self._loop.time()
        if self._rest is not None:
            # The transport had read it before it was paused.
            self._rest = memoryview(bytes(self._rest) + data)
            return
        if not self._frames and len(data) <= SLICE_BYTES:
            self._parse(data)
            if len(self._frames) == 1 and not self._paused:
                # Nearly always.
                self._frame(self._frames.pop())
        else:
            self._rest = memoryview(data)
        if self._frames or self._rest is not None:
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._take_turn()

    def _take_turn_soon(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Take frames, one after the other, until the conversation wants no more or the turn is over.

        Each frame may ask for a whole snapshot: the next one is taken when there is room for its answer.
        """
        self._turn_is_due = False
        until = monotonic() + TURN_SECONDS
        while not self._paused:
            if self._transport.is_closing():
                self._frames.clear()
                self._rest = None
                return
            if self._frames:
                self._frame(self._frames.pop())
            elif (rest := self._rest) is not None:
                # First, as what comes of the slice may pause, resume or close.
                self._rest = rest[SLICE_BYTES:] or None
                self._parse(bytes(rest[:SLICE_BYTES]))
            else:
                self.resume_reading()
                return
            if monotonic() >= until:
                self._take_turn_soon()
                return

    def _parse(self, data: bytes) -> None:
        """Feed the parser, which answers control frames by itself; all earlier frames have been taken."""
        ws = self._ws
        try:
            ws.receive_data(data)
        except EOFError:
            return
        self._flush_ws()
        received = ws.events_received()
        for event in received:
            if isinstance(event, Request):
                self._answer(event)
        self._frames = [event for event in reversed(received) if isinstance(event, Frame)]
        if self._ws.handshake_exc is not None and self._conversation is None:
            self._flush_ws()

    def eof_received(self) -> None:
        """The peer sends nothing more; so does this side."""
        self._ws.receive_eof()
        self._flush_ws()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody that the connection is gone."""
        self._server_state.connections.discard(self)
        self._heartbeats.remove(self)
        if self.access_peer is not None:
            self.access_peer.left()
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.left is not None:
            self._closing = None
            self.left()
            self.left = None
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.lost()

    def pause_writing(self) -> None:
        """The transport holds more than 1 MiB: no more until it holds less than a quarter of that."""
        self._blocked_at = asyncio.get_running_loop().time()
        self._buffered = self._transport.get_write_buffer_size()
        if self._conversation is not None:
            self._conversation.blocked()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._blocked_at = 0.0
        if self._conversation is not None:
            self._conversation.unblocked()

    def shutdown(self) -> None:
        """End the connection because the server ends; part of uvicorn's interface."""
        self.close(CloseCode.DRAINING, "the server stops")

    # Sink

    @property
    def address(self) -> str:
        """Who is at the other end, as HOST:PORT; as HOST where a trusted proxy says so."""
        if self.forwarded_for is not None:
            return self.forwarded_for
        peer = self._transport.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local"

    @property
    def peer(self) -> str | None:
        """The address that the connection comes from."""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else None

    @property
    def write(self) -> Any:
        """Hand frames to the transport; the transport's own method, since a broadcast calls it for each client."""
        return self._transport.write

    def direct(self) -> Callable[[bytes], int] | None:
        """The socket's own `send`, as long as the transport holds nothing that must go out first."""
        transport = self._transport
        if transport.get_write_buffer_size() or transport.is_closing():
            return None
        if self._socket is None:
            # The same descriptor, without owning it: `connection_lost` lets go of it before it is closed.
            self._socket = socket.socket(fileno=transport.get_extra_info("socket").fileno())
        return self._socket.send

    def send(self, type_: str, data: Any, ref: Any = msgspec.UNSET, cursor: str | None = None) -> None:
        """Send one message that is not an event."""
        self.send_frame(encode_message(type_, data, ref))

    def send_frame(self, body: bytes, *, binary: bool = False) -> None:
        """Send one message, compressed where that was agreed on and pays."""
        if self._ws.state is not OPEN:
            return
        if binary:
            data = frame(body, 0x82)
        elif self.encoding is Encoding.DEFLATE and len(body) <= DEFLATE_BYTES:
            data = deflate_frame(body)
        else:
            data = frame(body)
        if self._ws.writes:
            data = b"".join([*self._ws.data_to_send(), data])
        self._put(data)

    def refuse(self, reason: str, delay: float) -> None:
        """Close with 1008 after so many seconds, in which nothing is read."""
        if delay:
            self.pause_reading()
            asyncio.get_running_loop().call_later(delay, self.revoke, reason)
        else:
            self.revoke(reason)

    def revoke(self, reason: str) -> None:
        """Close with 1008, since the client may not go on."""
        if not self._transport.is_closing():
            self.close(CloseCode.POLICY, reason)

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame; a peer that does not answer it is cut off after ten seconds."""
        if self._ws.state is not OPEN:
            return
        try:
            self._ws.send_close(code, reason)
        except InvalidState:
            return
        self._flush_ws()
        # The answer can only come if it is read.
        self.resume_reading()
        self._end_soon(STUCK_SECONDS if code is CloseCode.TOO_SLOW else CLOSE_SECONDS)

    def pause_reading(self) -> None:
        """Take nothing more from the peer for the moment."""
        self._paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take data from the peer again."""
        self._paused = False
        if self._frames or self._rest is not None:
            self._take_turn_soon()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    # Heartbeat

    def beat(self) -> bool:
        """Send a ping; return whether the peer is in doubt, since it has not answered the one before."""
        conversation = self._conversation
        if conversation is None or self._ws.state is not OPEN:
            return False
        if self._blocked_at:
            # It is not read from, so its silence says nothing; the kernel may know more.
            return True
        self._silent += 1
        self._put(CONTROL_PING + frame(encode_message("ping", conversation.heartbeat())))
        return self._silent > 1

    def check_peer(self, now: float, limit: float) -> CloseCode | bool:
        """End the connection if its peer has shown no sign of life for `limit` seconds; `now` is the loop's time.

        Returns:
            Why it was ended, else whether the peer is still in doubt.
        """
        if self._conversation is None or self._ws.state is not OPEN:
            return False
        if self._blocked_at:
            unanswered = seconds_unanswered(self._transport.get_extra_info("socket"))
            if unanswered is None or unanswered < max(limit, LEAST_SECONDS):
                return True
            self._transport.abort()
            return CloseCode.NO_HEARTBEAT
        if self._silent <= 1:
            return False
        if now - self._heard_at < limit:
            return True
        self.close(CloseCode.NO_HEARTBEAT, "no heartbeat")
        return CloseCode.NO_HEARTBEAT

    def check_progress(self, now: float) -> CloseCode | None:
        """End a connection that has taken nothing at all for 60 seconds; `now` is the loop's time."""
        if not self._blocked_at or self._ws.state is not OPEN:
            return None
        buffered = self._transport.get_write_buffer_size()
        if buffered < self._buffered:
            self._buffered = buffered
            self._blocked_at = now
        elif now - self._blocked_at >= STUCK_SECONDS:
            self.close(CloseCode.TOO_SLOW, "nothing was taken for 60 seconds; resume with your cursor")
            return CloseCode.TOO_SLOW
        return None

    # Inside

    def _put(self, data: bytes) -> None:
        """Write through the transport; events that follow must not overtake it on the socket itself."""
        if self._conversation is not None:
            self._conversation.written()
        self._transport.write(data)

    def _flush_ws(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._put(data)
            elif self._ws.close_sent is not None and self._ws.close_rcvd is None:
                # The peer may still be sending: closing now would reset the connection, and the code be lost.
                self._transport.write_eof()
                self._end_soon(CLOSE_SECONDS)
            else:
                self._transport.close()
        if self._ws.close_expected():
            self._leave()

    def _leave(self) -> None:
        """The close frame is out: no broadcast may follow it."""
        if self._closing is not None:
            self._closing()
            self._closing = None
        self._heartbeats.remove(self)
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.lost()

    def _end_soon(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def handshake(self, request: Request) -> None:
        """Take the opening request as the HTTP protocol has parsed it."""
        self._answer(request)
        # Also where it was closed at once: the peer's own close frame comes yet.
        if self._ws.state is not CONNECTING:
            self._ws.expect_frames()

    def _answer(self, request: Request) -> None:
        refusal = self._endpoint.admit(self.peer, request)
        ws = self._ws
        ws.send_response(ws.accept(request) if refusal is None else ws.reject(refusal[0], refusal[1] + "\n"))
        if self._ws.state is not OPEN:
            self._flush_ws()
            return
        for extension in self._ws.extensions:
            # A client that asks for a smaller window than the shared frames are made with gets plain frames.
            if (
                isinstance(extension, PerMessageDeflate)
                and extension.local_max_window_bits == FULL_WINDOW_BITS
            ):
                self.encoding = Encoding.DEFLATE
        # Not flushed yet: the first message takes the response along, in one write.
        self._conversation = self._endpoint.open(self, request)
        self._flush_ws()
        if self._conversation is not None:
            self._heartbeats.add(self)
            if self._blocked_at:
                self._conversation.blocked()

    def _frame(self, received: Frame) -> None:
        opcode = received.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            data = bytes(received.data)
            if received.fin:
                self._message(data, binary=opcode is Opcode.BINARY, checked=False)
                return
            # One buffer: a list would cost memory for every fragment, also for those that are empty.
            self._parts = bytearray(data)
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode is Opcode.TEXT else None
            self._check_part(data, final=False)
        elif opcode is Opcode.CONT and self._parts is not None:
            data = bytes(received.data)
            self._parts += data
            if self._check_part(data, final=received.fin) and received.fin:
                whole, self._parts = bytes(self._parts), None
                self._message(whole, binary=self._decoder is None, checked=True)
                self._decoder = None

    def _check_part(self, data: bytes, *, final: bool) -> bool:
        """Fail as soon as a fragment shows that the text is not UTF-8."""
        if self._decoder is None:
            return True
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError:
            self._not_utf8()
            return False
        return True

    def _message(self, data: bytes, *, binary: bool, checked: bool) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        if binary:
            conversation.receive_binary(data)
            return
        if not checked:
            try:
                data.decode()
            except UnicodeDecodeError:
                self._not_utf8()
                return
        conversation.receive(data)

    def _not_utf8(self) -> None:
        self._parts = None
        self._ws.fail(1007, "the text is not UTF-8")
        self._flush_ws()
        self._end_soon(CLOSE_SECONDS)
