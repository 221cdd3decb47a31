"""`/mcp` on the ports of the server: who may come in, and what is loaded for it when somebody does.

Access is the server's own, for this path as for every other one; the protocol's library is imported with the first
request, in a thread, so that nobody else waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from litestar import asgi
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from missioncontrol.errors import Draining, MissionControlError, TooLarge
from missioncontrol.events.limits import MAX_MESSAGE_DEPTH, check_json
from missioncontrol.server.mcp.sessions import OWN, Sessions
from missioncontrol.server.problems import send_problem
from missioncontrol.server.responses import identify_scope, slow_down
from missioncontrol.server.service import Service

if TYPE_CHECKING:
    from missioncontrol.server.mcp.protocol import Protocol

PATH = "/mcp"
ENDPOINT = "mcp"
CALL = "mission_control"
"""Where in the ASGI scope the caller stands, for the tools."""

SESSION_HEADER = b"mcp-session-id"
OWN_SESSION_HEADER = b"x-session"
"""How a client that has no session of the protocol's (from 2026-07-28 on there are none) says which calls are its own:
a text of its own making that nobody else knows. DELETE with it ends that session."""

AGENT_HEADER = b"x-agent"
MAX_KEY = 200
MAX_BODY_BYTES = 1024 * 1024
MAX_ELEMENTS = 20_000
"""Elements of one message at all levels; the library makes several objects of each."""
HEAD_SECONDS = 0.2
"""How long the head of an answer waits for the first part of its body."""


class McpEndpoint:
    """Answers at `/mcp`; started and stopped with the server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.sessions = Sessions(service, service.config.mcp.session_idle)
        self._protocol: asyncio.Task[Protocol] | None = None

    def start(self) -> None:
        """Wait for the agents that the state has from before."""
        self.sessions.resume()

    async def stop(self) -> None:
        """End all sessions: whoever waits for an answer is told so, then the streams end."""
        if self._protocol is not None:
            with suppress(Exception):
                await (await self._protocol).stop()
        await self.sessions.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(cast("HTTPScope", scope), receive, send)
        except MissionControlError as error:
            await send_problem(scope, send, error)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers, method = scope["headers"], cast("str", scope["method"])
        caller = await slow_down(self._service, partial(identify_scope, self._service, scope))
        if self._service.draining:
            raise Draining("The server is about to stop; come back in a moment.")
        session, own = (_header(headers, name) for name in (SESSION_HEADER, OWN_SESSION_HEADER))
        key = session if session is not None else None if own is None else f"{OWN}{own[:MAX_KEY]}"
        if method == "DELETE" and session is None and key is not None:
            self.sessions.end(key)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        named = caller.agent_for(_header(headers, AGENT_HEADER) or _query(scope["query_string"], "agent"))
        protocol = await self._load()
        status = 0
        together = HeadWithBody(send) if method == "POST" else None
        pass_on = send if together is None else together

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await pass_on(message)

        inner: Any = {**scope, CALL: (caller, key, named), "user": protocol.user_of(caller)}
        if method == "POST":
            receive = await _checked(receive)
        try:
            with self.sessions.request(key):
                await protocol.handle(inner, receive, watch)
        finally:
            if together is not None:
                await together.release()
        if key is not None and (status == 404 or (method == "DELETE" and status < 300)):
            # It is over, or was none: a session that is not known is begun again by the client.
            self.sessions.end(key)

    async def _load(self) -> Protocol:
        if self._protocol is None or _has_failed(self._protocol):
            self._protocol = asyncio.create_task(self._begin())
        return await asyncio.shield(self._protocol)

    async def _begin(self) -> Protocol:
        module = await asyncio.to_thread(import_module, "missioncontrol.server.mcp.protocol")
        protocol: Protocol = module.Protocol(self._service, self.sessions)
        await protocol.start()
        self._service.background.report("mcp", None)
        return protocol


class HeadWithBody:
    """Sends the head of an answer along with the first part of its body, where that comes within a moment.

    A proxy may still be noting that it has passed on all of a request when the head of the answer is there; Caddy 2.6
    now and then closes the connection to us, and the client gets an answer that is empty.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None
        self._timer: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message of ASGI, or keep it for a moment."""
        if message["type"] == "http.response.start":
            self._head = message
            self._timer = asyncio.create_task(self._wait())
        else:
            await self.release()
            await self._send(message)

    async def _wait(self) -> None:
        await asyncio.sleep(HEAD_SECONDS)
        head, self._head = self._head, None
        if head is not None:
            await self._send(head)

    async def release(self) -> None:
        """Send the head, if it was not sent; returns when it is."""
        head, self._head = self._head, None
        timer, self._timer = self._timer, None
        if head is not None:
            if timer is not None:
                timer.cancel()
            await self._send(head)
        elif timer is not None:
            # It sends the head at this moment, or has sent it.
            await timer


def _has_failed(protocol: asyncio.Task[Protocol]) -> bool:
    if not protocol.done():
        return False
    return protocol.cancelled() or protocol.exception() is not None or protocol.result().ended


@asgi(PATH, copy_scope=False)
async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request over to the endpoint."""
    endpoint: McpEndpoint = scope["litestar_app"].state[ENDPOINT]
    await endpoint(scope, receive, send)


async def _checked(receive: Receive) -> Receive:
    """Read a message whole and return a `receive` that has it again; the library decodes it whatever it is.

    Raises:
        TooDeep: it has too many levels.
        TooLarge: it has too many bytes or elements.
    """
    body = bytearray()
    while True:
        part: Any = await receive()
        if part["type"] != "http.request":
            # The client is gone.
            break
        body += part.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"A message has at most {MAX_BODY_BYTES:,} bytes.")
        if not part.get("more_body"):
            check_json(body, "The message", depth=MAX_MESSAGE_DEPTH, elements=MAX_ELEMENTS)
            part = {"type": "http.request", "body": bytes(body), "more_body": False}
            break
    waiting = [part]

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    found = next((value for key, value in headers if key == name and value), None)
    return None if found is None else found.decode("utf-8", "replace").strip()


def _query(query: bytes, name: str) -> str | None:
    found = parse_qs(query.decode("latin-1")).get(name)
    return found[0] if found else None
