"""`/api/ws`: the endpoint that puts a client's conversation on top of the WebSocket."""

from __future__ import annotations

import http
import secrets
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from missioncontrol.errors import BadMessage, Forbidden, InputError, Misdirected, Unauthorized
from missioncontrol.events import NOTHING, Cursor, Draft, Patterns
from missioncontrol.hub import Connection
from missioncontrol.protocol.codes import CloseCode
from missioncontrol.protocol.session import Handshake, Session, refusal
from missioncontrol.server.access import MAX_PARAMETERS, SUBPROTOCOL, Caller, check_actors
from missioncontrol.server.access.headers import host_in_target
from missioncontrol.server.service import Service
from missioncontrol.server.websocket import WebSocketProtocol

PATH = "/api/ws"
MAX_MESSAGE_BYTES = 1024 * 1024
FULL_SECONDS = 10
"""When whoever finds the server full is to try again."""


def read_handshake(query: Sequence[tuple[str, str]], last_event_id: str | None = None) -> Handshake:
    """Read what a client asks for from its query; a `Last-Event-ID` is newer than the query's `since`.

    Raises:
        BadPattern: `events` holds something that is no pattern.
        BadCursor: `since` is not of the form EPOCH:ID.
        BadMessage: `snapshot` is neither 0 nor 1.
    """
    patterns: Patterns | None = None
    since: str | None = None
    snapshot = False
    for name, value in query:
        if name == "events":
            more = Patterns.parse(value)
            patterns = more if patterns is None else patterns | more
        elif name == "since":
            since = value
        elif name == "snapshot":
            if value not in {"0", "1", "true", "false"}:
                raise BadMessage(f"snapshot is {value[:20]!r}; it is 1 or 0.")
            snapshot = value in {"1", "true"}
    since = last_event_id or since
    return Handshake(patterns, None if since is None else Cursor.parse(since), snapshot)


async def wait_for(service: Service, cursor: Cursor) -> None:
    """Wait until this node has come to where a client is that has read more at another one.

    Raises:
        StoreError: it has not in time, and it is not known that there is no such event.
    """
    if cursor.epoch == service.log.epoch and cursor.id > service.hub.head:
        await service.log.reach(cursor.id)


def publish_as(service: Service, caller: Caller) -> Callable[[Sequence[Draft]], Awaitable[list[int]]]:
    """Return what appends the events of a caller, under its name and for its agent alone."""

    async def publish(drafts: Sequence[Draft]) -> list[int]:
        check_agents(caller, drafts)
        return await service.publish(drafts, by=caller.by)

    return publish


def check_agents(caller: Caller, drafts: Sequence[Draft]) -> None:
    """Refuse events of a token that is bound to an agent where they name another one as who did something.

    Raises:
        Forbidden: one of them does.
    """
    for draft in drafts:
        check_actors(caller, draft.data)


class LiveEndpoint:
    """Admits clients and gives each one a connection of the hub."""

    max_size = MAX_MESSAGE_BYTES

    def __init__(self, service: Service) -> None:
        self._service = service

    @staticmethod
    def select_subprotocol(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Agree on ours where it is offered, as it is next to a token; a client that offers none is as welcome."""
        return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None

    def admit(self, peer: str | None, request: Request) -> tuple[http.HTTPStatus, str] | None:
        """Refuse another path, and a host that is not ours."""
        if urlsplit(request.path).path != PATH:
            return http.HTTPStatus.NOT_FOUND, f"The WebSocket is at {PATH}."
        try:
            hosts = [value for name, value in self._headers(peer, request) if name.lower() == "host"]
            self._service.access.check_host(hosts[0] if len(hosts) == 1 else None)
        except Misdirected as error:
            return http.HTTPStatus(error.status), str(error)
        return None

    def _headers(self, peer: str | None, request: Request) -> list[tuple[str, str]]:
        """Return the headers as they were before a trusted proxy passed the request on, with the host that counts."""
        headers = list(request.headers.raw_items())
        target = host_in_target(request.path.encode("utf-8", "replace"))
        if target is not None:
            headers = [
                (name, target.decode("utf-8", "replace") if name.lower() == "host" else value)
                for name, value in headers
            ]
        host = self._service.proxies.read(peer, headers).host
        if host is None:
            return headers
        return [*((name, value) for name, value in headers if name.lower() != "host"), ("Host", host)]

    def open(self, wire: WebSocketProtocol, request: Request) -> Connection | None:
        """Begin the conversation, or close the wire with the code that says why not."""
        service = self._service
        if service.draining:
            wire.close(CloseCode.DRAINING, "the server restarts")
            return None
        try:
            query = parse_qsl(
                urlsplit(request.path).query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS
            )
        except ValueError:
            service.hub.figures.refused += 1
            wire.close(CloseCode.POLICY, f"the URL has more than {MAX_PARAMETERS} parameters")
            return None
        try:
            said = service.proxies.read(wire.peer, request.headers.raw_items())
            wire.forwarded_for = said.address
            caller = service.access.authorize(
                self._headers(wire.peer, request),
                query_names=[name for name, _ in query],
                secure=said.scheme in ("https", "wss"),
                peer=wire.access_peer,
                address=said.address or wire.peer,
            )
        except (Unauthorized, Forbidden, InputError) as error:
            service.hub.figures.refused += 1
            delay = error.delay if isinstance(error, Unauthorized) else 0.0
            wire.refuse(str(error)[:120], delay)
            return None
        if service.room.full or service.hub.clients >= service.room.max_clients:
            service.hub.figures.refused += 1
            wire.close(CloseCode.FULL, f"as many clients as are allowed; try again in {FULL_SECONDS} seconds")
            return None
        session = Session(
            f"ws_{secrets.token_hex(5)}", may_read=caller.may("fleet"), may_publish=caller.may("publish")
        )
        connection = Connection(
            service.hub,
            service.log,
            publish_as(service, caller),
            service.state.encoded,
            wire,
            session,
            max_history=service.config.server.max_history,
            reduced=not caller.may("read"),
        )
        heartbeat = service.config.server.heartbeat_interval
        try:
            handshake = read_handshake(query)
        except InputError as error:
            # Said where a browser can read it; nothing is subscribed until the client asks properly.
            connection.open(Handshake(patterns=NOTHING), heartbeat)
            wire.send("error", refusal(error).data)
        else:
            connection.open(handshake, heartbeat)
        return connection
