"""The three transports behind one face: open at a cursor, receive messages, until it is lost.

A link is used once. It tells what comes and decides nothing: what is new, what is lost and what to do next is
the client's to say. `receive` may be cancelled at any time; what it had not returned is then not lost to the
client, who resumes from its own position.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from missioncontrol.client.http import USER_AGENT, Address, Api, credentials, said_by, verdict
from missioncontrol.client.items import Refused, Transport, Unreachable, Unsuitable
from missioncontrol.client.sse import MAX_MESSAGE_BYTES, SseParser
from missioncontrol.client.wire import Connected, Message, Moved, read_frame, read_page, read_sse
from missioncontrol.events import Cursor, Patterns
from missioncontrol.protocol.codes import CloseCode

POLL_EVENTS = 1_000
POLL_WAIT = 25.0
CLOSE_TIMEOUT = 0.05
"""Seconds that a good-bye waits for its answer; it is sent, and nothing more is to come."""

_PING = '{"type":"ping"}'


class Received(NamedTuple):
    """Messages in order, and their weight on the wire in bytes."""

    messages: list[Message]
    size: int


class Target(NamedTuple):
    """What every link of a client asks for, and how."""

    address: Address
    patterns: Patterns
    snapshot: bool
    heartbeat: float
    token: str | None
    session: aiohttp.ClientSession

    def query(self, since: Cursor | None) -> dict[str, str]:
        """Return the query that asks for the subscription from `since` on."""
        query = {"events": ",".join(self.patterns.names())}
        if since is not None:
            query["since"] = str(since)
        if self.snapshot:
            query["snapshot"] = "1"
        return query


class Link(Protocol):
    """One connection over one transport; `has_snapshots` says that a snapshot comes by it."""

    has_snapshots: bool
    heartbeat: float

    async def open(self, since: Cursor | None, *, final: bool) -> None:
        """Connect. `final` says that no other transport may be tried instead.

        Raises:
            Refused: the server says no.
            Unsuitable: this transport does not get through.
            Unreachable: the server does not answer.
        """

    async def receive(self) -> Received:
        """Wait for what comes next.

        Raises:
            Refused: the server says no.
            Unreachable: the connection is lost.
        """

    async def ping(self) -> None:
        """Give a sign of life, where the transport has one."""

    async def close(self) -> None:
        """End the connection."""


class WebSocketLink:
    """A WebSocket."""

    has_snapshots = True

    def __init__(self, target: Target) -> None:
        self.heartbeat = target.heartbeat
        self._target = target
        self._socket: ClientConnection | None = None
        self._greeting: Received | None = None

    async def open(self, since: Cursor | None, *, final: bool) -> None:
        """Shake hands and read the greeting."""
        try:
            # Heartbeats are messages of the protocol, in both directions: the library's own pings are off.
            self._socket = await connect(
                self._target.address.websocket(self._target.query(since)),
                additional_headers=credentials(self._target.token),
                user_agent_header=USER_AGENT,
                open_timeout=None,
                ping_interval=None,
                close_timeout=CLOSE_TIMEOUT,
                max_size=MAX_MESSAGE_BYTES,
            )
        except InvalidStatus as error:
            response = error.response
            raise verdict(
                response.status_code, response.headers, bytes(response.body or b""), final=final
            ) from None
        except (EOFError, InvalidHandshake) as error:
            raise Unsuitable(f"The WebSocket does not come about: {said_by(error)}.") from None
        except (OSError, WebSocketException) as error:
            raise Unreachable(f"{self._target.address} cannot be reached: {said_by(error)}.") from None
        greeting = await self._receive()
        for message in greeting.messages:
            if isinstance(message, Connected):
                self.heartbeat = message.heartbeat or self.heartbeat
                self._greeting = greeting
                return
        raise Unsuitable("What answers on the WebSocket is not a Mission Control server.")

    async def receive(self) -> Received:
        """Return one message."""
        greeting, self._greeting = self._greeting, None
        return greeting or await self._receive()

    async def _receive(self) -> Received:
        socket = self._opened()
        try:
            text = await socket.recv()
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else None
            reason = error.rcvd.reason if error.rcvd is not None else ""
            if code == CloseCode.POLICY:
                raise Refused(
                    f"The server closed the connection: {reason or 'policy'} (1008).", close_code=code
                ) from None
            said = f"{reason or 'no reason given'} ({code})" if code is not None else "without a good-bye"
            raise Unreachable(f"The connection was closed: {said}.") from None
        message = read_frame(text)
        return Received([] if message is None else [message], len(text))

    async def ping(self) -> None:
        """Send the protocol's `ping`."""
        try:
            async with asyncio.timeout(self.heartbeat):
                await self._opened().send(_PING)
        except (ConnectionClosed, TimeoutError):
            # Whoever receives learns of it too, and knows more about why.
            pass

    async def close(self) -> None:
        """Close with a good-bye, and without one where the other side does not answer it."""
        if self._socket is not None:
            await self._socket.close()

    def _opened(self) -> ClientConnection:
        if self._socket is None:
            raise Unreachable("The WebSocket is not open.")
        return self._socket


class SseLink:
    """Server-Sent Events."""

    has_snapshots = True

    def __init__(self, target: Target) -> None:
        self.heartbeat = target.heartbeat
        self._target = target
        self._response: aiohttp.ClientResponse | None = None
        self._parser = SseParser()
        self._greeting: Received | None = None

    async def open(self, since: Cursor | None, *, final: bool) -> None:
        """Send the request and read up to the greeting."""
        address = self._target.address
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            **credentials(self._target.token),
        }
        url = address.http("/api/events/stream", self._target.query(since))
        try:
            self._response = await self._target.session.get(
                url, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
            )
            if self._response.status != 200:
                body = await self._response.read()
                raise verdict(self._response.status, self._response.headers, body, final=final)
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{address} cannot be reached: {said_by(error)}.") from None
        if self._response.content_type != "text/event-stream":
            raise Unsuitable(f"The stream is answered with {self._response.content_type!r}.")
        messages: list[Message] = []
        size = 0
        while not any(isinstance(message, Connected) for message in messages):
            received = await self._receive()
            messages += received.messages
            size += received.size
        for message in messages:
            if isinstance(message, Connected):
                self.heartbeat = message.heartbeat or self.heartbeat
        self._greeting = Received(messages, size)

    async def receive(self) -> Received:
        """Return the messages of one piece of the stream; a comment is a sign of life without any."""
        greeting, self._greeting = self._greeting, None
        return greeting or await self._receive()

    async def _receive(self) -> Received:
        if self._response is None:
            raise Unreachable("The stream is not open.")
        try:
            piece = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"The stream was lost: {said_by(error)}.") from None
        if not piece:
            raise Unreachable("The server ended the stream.")
        messages = [message for block in self._parser.feed(piece) for message in read_sse(block)]
        return Received(messages, len(piece))

    async def ping(self) -> None:
        """Do nothing: the stream goes one way."""

    async def close(self) -> None:
        """Drop the connection."""
        if self._response is not None:
            self._response.close()


class PollLink:
    """Long-poll: one request after another, each from where the last one ended."""

    has_snapshots = False

    def __init__(self, target: Target) -> None:
        self.heartbeat = target.heartbeat
        self._target = target
        self._api = Api(target.address, target.token, target.session)
        self._cursor: Cursor | None = None
        self._greeting: Received | None = None

    async def open(self, since: Cursor | None, *, final: bool) -> None:
        """Ask for what there is, without waiting."""
        self._cursor = since
        received = await self._ask(wait=0.0)
        # Every answer ends with the cursor that the next one begins at.
        at = self._cursor
        hello: list[Message] = [] if at is None else [Connected(at, None)]
        self._greeting = Received(hello + received.messages, received.size)

    async def receive(self) -> Received:
        """Return what one request brings; nothing, where nothing happened while the server waited."""
        greeting, self._greeting = self._greeting, None
        return greeting or await self._ask(wait=min(POLL_WAIT, self.heartbeat))

    async def _ask(self, wait: float) -> Received:
        query = self._target.query(self._cursor)
        query |= {"limit": str(POLL_EVENTS), "wait": f"{wait:g}"}
        query.pop("snapshot", None)
        body = await self._api.attempt("GET", "/api/events", query=query, timeout=wait + self.heartbeat)
        messages = read_page(body)
        for message in messages:
            if isinstance(message, Moved):
                self._cursor = message.cursor
        return Received(messages, len(body))

    async def ping(self) -> None:
        """Do nothing: each request is a sign of life."""

    async def close(self) -> None:
        """Do nothing: a request that was under way has ended with its cancellation."""


LINKS: dict[Transport, type[WebSocketLink] | type[SseLink] | type[PollLink]] = {
    "websocket": WebSocketLink,
    "sse": SseLink,
    "poll": PollLink,
}
