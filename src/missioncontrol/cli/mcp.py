"""`mcp`: the server's tools for agents whose client speaks the Model Context Protocol over standard input and output.

A bridge and nothing more: each line is a message that is sent to `/mcp`, and what is answered there becomes lines
again, so that there is one definition of the tools. Standard output carries messages alone.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any

import aiohttp
import msgspec
from cyclopts import Parameter

from missioncontrol.cli.settings import ClientToken, Url, read_token, read_url
from missioncontrol.cli.signals import on_ending
from missioncontrol.client.http import Address, credentials, said_by, verdict
from missioncontrol.client.items import Unreachable
from missioncontrol.client.sse import SseParser
from missioncontrol.events.decoding import read_float
from missioncontrol.events.sentences import clean

AGENT_VARIABLE = "MISSION_CONTROL_AGENT"
PATH = "/mcp"

RETRY_SECONDS = 30.0
"""For how long a server that is not there, or about to stop, is waited for: longer than a restart takes."""

RETRY_EVERY = 0.5
SILENCE_SECONDS = 60.0
"""A stream that is silent for so long is dead; the server sends something every 15 seconds."""

FAREWELL_SECONDS = 3.0

_PARSE_ERROR = -32700
_INTERNAL_ERROR = -32603
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Of which methods a parameter stands in the header `Mcp-Name` (MCP 2026-07-28, Streamable HTTP)."""

Message = dict[str, Any]
_decoder = msgspec.json.Decoder(Message, float_hook=read_float)


def mcp(
    *,
    url: Url = None,
    token: ClientToken = None,
    agent: Annotated[
        str | None, Parameter(help="Who the agent is that uses it. [env: `MISSION_CONTROL_AGENT`]")
    ] = None,
) -> int:
    """Offer a server's tools to an agent over MCP, on standard input and output, until the input ends.

    It is made to be started by the agent's client. It goes on over restarts of the server. Clients that speak HTTP need
    no bridge: they use http://HOST:PORT/mcp.

    For example:

        mission-control mcp --agent scout
        mission-control connect mcp
    """
    agent = agent or os.environ.get(AGENT_VARIABLE)
    bridge = Bridge(Address(read_url(url)), read_token(token), agent, _write)
    return asyncio.run(_run(bridge))


class Bridge:
    """Sends messages to a server, and gives its own to `write`.

    In the protocol's older era (until 2025-11-25) there is a session, begun by `initialize`; one that the server does
    not know any more is begun again, unseen by the client. In the newer one each request stands for itself.
    """

    def __init__(
        self, address: Address, token: str | None, agent: str | None, write: Callable[[Message], None]
    ) -> None:
        self._address = address
        self._write = write
        self._headers = {
            "Accept": "application/json, text/event-stream",
            **credentials(token),
            **({} if agent is None else {"X-Agent": agent}),
        }
        self._own_session: str | None = None
        self._initialize: Message | None = None
        self._session: str | None = None
        self._version: str | None = None
        self._beginning = asyncio.Lock()
        self._subscribed: dict[str, Message] = {}
        self._requests: dict[Any, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Pass on all lines until they end, then tell the server that this was all."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENCE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as self._http:
            try:
                async for line in lines:
                    if line.strip():
                        await self._take(line)
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=FAREWELL_SECONDS)
            finally:
                tasks = [*self._tasks, *([self._stream] if self._stream is not None else [])]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with suppress(TimeoutError, aiohttp.ClientError, OSError):
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await self._say_goodbye()

    async def _take(self, line: bytes) -> None:
        try:
            message = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            error = {"code": _PARSE_ERROR, "message": "This line is no message of JSON-RPC."}
            self._write({"jsonrpc": "2.0", "id": None, "error": error})
            return
        id_, method, params = message.get("id"), message.get("method"), message.get("params")
        if method == "notifications/cancelled" and isinstance(params, dict):
            running = self._requests.get(params.get("requestId"))
            if running is not None and running.get_name() == "modern":
                # There the end of the connection is what says so.
                running.cancel()
                return
        modern = _modern_version(message) is not None
        task = asyncio.create_task(self._pass_on(message, modern), name="modern" if modern else "session")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if method is not None and isinstance(id_, str | int):
            self._requests[id_] = task
            task.add_done_callback(lambda done: self._forget(id_, done))
        # Messages of one session are sent in their order; answers come as they come.
        await asyncio.sleep(0)

    def _forget(self, id_: Any, task: asyncio.Task[None]) -> None:
        if self._requests.get(id_) is task:
            del self._requests[id_]

    async def _pass_on(self, message: Message, modern: bool) -> None:
        """Send a message, and write what is answered."""
        method, params = message.get("method"), message.get("params")
        if modern:
            self._own_session = self._own_session or secrets.token_urlsafe(18)
            await self._exchange(message, {**_modern_headers(message), "X-Session": self._own_session})
            return
        if method == "initialize":
            async with self._beginning:
                self._initialize, self._session = message, None
                await self._exchange(message, {}, self._write)
            return
        async with self._beginning:
            pass
        if isinstance(params, dict) and isinstance(uri := params.get("uri"), str):
            if method == "resources/subscribe":
                self._subscribed[uri] = message
            elif method == "resources/unsubscribe":
                self._subscribed.pop(uri, None)
        await self._exchange(message, None)
        if method == "notifications/initialized" and self._session is not None and self._stream is None:
            self._stream = asyncio.create_task(self._follow())

    async def _exchange(
        self,
        message: Message,
        headers: Mapping[str, str] | None,
        write: Callable[[Message], None] | None = None,
    ) -> bool:
        """Send a message until it is taken, and write what comes back; returns whether it was answered.

        Args:
            message: what is sent.
            headers: what goes with it; None for those of the session.
            write: takes what comes back.
        """
        write = write or self._write
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RETRY_SECONDS
        while True:
            session = self._session
            own = self._of_session() if headers is None else headers
            try:
                async with self._http.post(
                    self._address.http(PATH), json=message, headers={**self._headers, **own}
                ) as answer:
                    unknown = answer.status == 404 and headers is None and session is not None
                    if not unknown and (answer.status != 503 or loop.time() >= deadline):
                        return await self._read(answer, message, write)
                if unknown and session is not None and await self._begin_anew(session):
                    continue
            except aiohttp.ClientConnectorError as error:
                if loop.time() >= deadline:
                    _refuse(write, message, f"{self._address} cannot be reached: {said_by(error)}.")
                    return False
            except (aiohttp.ClientError, OSError, TimeoutError, Unreachable) as error:
                # It may have been taken already, so it is not sent again.
                said = f"The connection to {self._address} was lost: {said_by(error)}."
                _refuse(write, message, f"{said} Look whether it was done before you repeat it.")
                return False
            if loop.time() >= deadline:
                _refuse(write, message, f"{self._address} does not take up the session again.")
                return False
            await asyncio.sleep(RETRY_EVERY)

    async def _read(
        self, answer: aiohttp.ClientResponse, message: Message, write: Callable[[Message], None]
    ) -> bool:
        """Write the messages of an answer; returns whether one of them is the response."""
        id_ = message.get("id") if "method" in message else None
        if message.get("method") == "initialize" and answer.status == 200:
            self._session = answer.headers.get("Mcp-Session-Id")
        answered = False
        async for one in _messages(answer):
            if "method" not in one:
                answered = True
                one["id"] = id_
                if message.get("method") == "initialize" and isinstance(result := one.get("result"), dict):
                    self._version = result.get("protocolVersion")
            write(one)
        if not answered and id_ is not None:
            body = await answer.read() if answer.status >= 300 else b""
            said = str(verdict(answer.status, answer.headers, body)) if body else "The server sent no answer."
            _refuse(write, message, said)
        return answered

    def _of_session(self) -> dict[str, str]:
        given = {"Mcp-Session-Id": self._session, "MCP-Protocol-Version": self._version}
        return {name: value for name, value in given.items() if value is not None}

    async def _begin_anew(self, lost: str) -> bool:
        """Begin a session in the place of one that the server does not know any more."""
        async with self._beginning:
            if self._session != lost:
                return True
            if self._initialize is None:
                return False
            self._session = None
            if not await self._exchange(self._initialize, {}, _nobody):
                return False
            await self._exchange(
                {"jsonrpc": "2.0", "method": "notifications/initialized"}, self._of_session(), _nobody
            )
            for message in self._subscribed.values():
                await self._exchange(message, self._of_session(), _nobody)
            return True

    async def _follow(self) -> None:
        """Write what the server says by itself, for as long as there is a session.

        While no stream is open the server's notifications are lost. So once there is one, all resources that are
        subscribed to are reported as updated: they may have been.
        """
        while True:
            session = self._session
            with suppress(aiohttp.ClientError, OSError, TimeoutError, Unreachable):
                async with self._http.get(
                    self._address.http(PATH), headers={**self._headers, **self._of_session()}
                ) as answer:
                    if answer.status == 405:
                        return
                    if answer.status == 404 and session is not None:
                        await self._begin_anew(session)
                    elif answer.status == 200:
                        for uri in self._subscribed:
                            self._write(_updated(uri))
                        async for message in _messages(answer):
                            self._write(message)
            await asyncio.sleep(RETRY_EVERY)

    async def _say_goodbye(self) -> None:
        for headers in (
            self._of_session() if self._session is not None else None,
            {"X-Session": self._own_session} if self._own_session is not None else None,
        ):
            if headers is not None:
                async with self._http.delete(self._address.http(PATH), headers={**self._headers, **headers}):
                    pass


async def _messages(answer: aiohttp.ClientResponse) -> AsyncIterator[Message]:
    """Read the messages of an answer in either of its forms; none of any other."""
    if answer.content_type == "application/json":
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield _decoder.decode(await answer.read())
    elif answer.content_type == "text/event-stream":
        parser = SseParser()
        async for piece in answer.content.iter_any():
            for event in parser.feed(piece):
                if event.event == "message" and event.data:
                    yield _decoder.decode(event.data)


def _updated(uri: str) -> Message:
    return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}


def _modern_version(message: Message) -> str | None:
    """Return the version that a request of the newer era carries with it; None in the older one."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
    return version if isinstance(version, str) and message.get("method") != "initialize" else None


def _modern_headers(message: Message) -> dict[str, str]:
    """Return the headers that repeat what stands in a request of the newer era (MCP 2026-07-28, Streamable HTTP)."""
    method = str(message.get("method"))
    headers = {"MCP-Protocol-Version": _modern_version(message) or "", "Mcp-Method": method}
    name = message["params"].get(_NAMES.get(method, ""))
    if isinstance(name, str):
        plain = name.isascii() and name.isprintable() and name == name.strip() and not name.startswith("=?")
        headers["Mcp-Name"] = name if plain else f"=?base64?{base64.b64encode(name.encode()).decode()}?="
    return headers


def _refuse(write: Callable[[Message], None], message: Message, said: str) -> None:
    """Answer a request by an error; whatever else cannot be sent is told on standard error alone."""
    print(f"mission-control: {clean(said)}", file=sys.stderr, flush=True)
    if "method" in message and message.get("id") is not None:
        error = {"code": _INTERNAL_ERROR, "message": said}
        write({"jsonrpc": "2.0", "id": message["id"], "error": error})


def _nobody(message: Message) -> None:
    """Take what the client did not ask for."""


def _write(message: Message) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def _run(bridge: Bridge) -> int:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(bridge.run(_lines(loop)))
    on_ending(loop, lambda _: running.cancel())
    with suppress(asyncio.CancelledError):
        await running
    return 0


async def _lines(loop: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
    """Read standard input, whatever it is: a pipe, a file, a terminal."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        rest = b""
        with suppress(RuntimeError):  # The loop is closed: _nobody wants them any more.
            # Not through `sys.stdin`, whose lock a thread that waits would still hold when the interpreter ends.
            while piece := os.read(0, 65_536):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    loop.call_soon_threadsafe(lines.put_nowait, line + b"\n")
            if rest:
                loop.call_soon_threadsafe(lines.put_nowait, rest)
            loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        yield line
