"""A server that says what a test wants it to say: the protocol over all transports, and faults on command.

Without a script it behaves as the real one does, with a log in a list. A script is a coroutine function that is
given the next connection of its kind and does with it what it likes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One WebSocket, or one stream, from the server's side."""

    def __init__(self, server: FakeServer, request: web.Request, transport: str) -> None:
        self.server = server
        self.request = request
        self.transport = transport
        self.query = request.query
        self.since = request.query.get("since")
        self.token = request.headers.get("Authorization")
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._response: web.WebSocketResponse | web.StreamResponse | None = None

    async def accept(self) -> None:
        if self.transport == "websocket":
            socket = web.WebSocketResponse(autoping=True)
            await socket.prepare(self.request)
            self._response = socket
        else:
            stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await stream.prepare(self.request)
            self._response = stream

    async def hello(self, cursor: str | None = None, **more: Any) -> None:
        await self.accept()
        data = {
            "clientId": "ws_1",
            "epoch": self.server.epoch,
            "cursor": cursor or self.since or self.server.head,
            "heartbeat": self.server.heartbeat,
        }
        await self.say("connected", data | more)

    async def event(self, id_: int) -> None:
        known = self.server.events
        body = json.dumps(known[id_ - 1] if id_ <= len(known) else event(id_))
        if self.transport == "websocket":
            await self.raw(body)
        else:
            await self.raw(f"id: {self.server.epoch}:{id_}\ndata: {body}\n\n")

    async def say(self, type_: str, data: Any) -> None:
        if self.transport == "websocket":
            await self.raw(json.dumps({"type": type_, "data": data}))
        elif type_ == "ping":
            await self.raw(f": heartbeat\nid: {data['cursor']}\n\n")
        else:
            await self.raw(f"event: {type_}\ndata: {json.dumps(data)}\n\n")

    async def raw(self, text: str) -> None:
        if isinstance(self._response, web.WebSocketResponse):
            await self._response.send_str(text)
        elif self._response is not None:
            await self._response.write(text.encode())

    async def close(self, code: int, reason: str = "") -> None:
        if isinstance(self._response, web.WebSocketResponse):
            await self._response.close(code=code, message=reason.encode())
        else:
            self.abort()

    def abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()

    async def listen(self) -> None:
        """Read until the client is gone."""
        try:
            if isinstance(self._response, web.WebSocketResponse):
                async for message in self._response:
                    if message.type is WSMsgType.TEXT:
                        self.heard.put_nowait(json.loads(message.data))
            else:
                await asyncio.get_running_loop().create_future()
        finally:
            self.gone.set()


class FakeServer:
    """Listens on a free port of this machine; keeps the port over `stop` and `start`."""

    def __init__(self) -> None:
        self.epoch = "abc"
        self.first = 1
        self.heartbeat = 30.0
        self.events: list[dict[str, Any]] = []
        self.told = asyncio.Condition()
        self.scripts: dict[str, list[Script]] = {"websocket": [], "sse": []}
        self.answers: list[web.Response] = []
        self.posts: list[list[dict[str, Any]]] = []
        self.keys: dict[str, int] = {}
        self.polls: list[dict[str, str]] = []
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.blocked: set[str] = set()
        self.pages: dict[str, web.Response] = {}
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def head(self) -> str:
        return f"{self.epoch}:{len(self.events)}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/ws", self._websocket)
        app.router.add_get("/api/events/stream", self._stream)
        app.router.add_get("/api/events", self._poll)
        app.router.add_post("/api/events", self._publish)
        app.router.add_get("/api/snapshot", self._snapshot)
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def script(self, transport: str, script: Script) -> None:
        self.scripts[transport].append(script)

    async def tell(self, count: int) -> None:
        async with self.told:
            for _ in range(count):
                self.events.append(event(len(self.events) + 1))
            self.told.notify_all()

    async def beyond(self, id_: int) -> None:
        """Wait until there is an event after this one."""
        async with self.told:
            await self.told.wait_for(lambda: len(self.events) > id_)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(Peer(self, request, "websocket"))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(Peer(self, request, "sse"))

    async def _serve(self, peer: Peer) -> web.StreamResponse:
        if peer.transport in self.blocked:
            return web.Response(status=404, text="no such page")
        self.peers.put_nowait(peer)
        scripts = self.scripts[peer.transport]
        try:
            await (scripts.pop(0) if scripts else behave)(peer)
        except (ConnectionError, RuntimeError):
            # The client has gone while something was being said.
            pass
        finally:
            peer.gone.set()
        return peer._response or web.Response(status=500)

    async def _poll(self, request: web.Request) -> web.Response:
        self.polls.append(dict(request.query))
        if self.answers:
            return self.answers.pop(0)
        since = request.query.get("since")
        after = len(self.events) if since is None else int(since.partition(":")[2])
        gap = None
        if since is not None and not since.startswith(self.epoch + ":"):
            gap = {"from": after + 1, "to": after + 1, "reason": "epoch"}
            after = len(self.events)
        if after + 1 < self.first:
            gap = {"from": after + 1, "to": self.first - 1, "reason": "trimmed"}
            after = self.first - 1
        if len(self.events) <= after and gap is None and (wait := float(request.query["wait"])):
            try:
                async with asyncio.timeout(wait):
                    await self.beyond(after)
            except TimeoutError:
                pass
        page = self.events[after : after + int(request.query["limit"])]
        answer: dict[str, Any] = {"events": page, "cursor": f"{self.epoch}:{after + len(page)}"}
        return web.json_response(answer if gap is None else answer | {"gap": gap})

    async def _publish(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        drafts = [json.loads(line) for line in text.splitlines()]
        self.posts.append(drafts)
        for draft in drafts:
            if draft["key"] not in self.keys:
                self.keys[draft["key"]] = len(self.events) + 1
                self.events.append(
                    event(len(self.events) + 1) | {"type": draft["type"], "data": draft["data"]}
                )
        if self.answers:
            return self.answers.pop(0)
        ids = [self.keys[draft["key"]] for draft in drafts]
        return web.json_response({"ids": ids, "cursor": self.head}, status=201)

    async def _page(self, request: web.Request) -> web.Response:
        page = self.pages.get(request.path)
        # A copy, since a response can be sent once.
        return web.Response(status=404) if page is None else copy_of(page)

    async def _snapshot(self, request: web.Request) -> web.Response:
        return web.json_response({"state": {"agents": [], "at": len(self.events)}, "cursor": self.head})


def copy_of(page: web.Response) -> web.Response:
    return web.Response(body=page.body, status=page.status, content_type=page.content_type)


def event(id_: int) -> dict[str, Any]:
    return {
        "type": "agent:activity",
        "id": id_,
        "time": "2026-11-23T10:15:00.123Z",
        "source": "agents",
        "data": {"n": id_},
    }


async def behave(peer: Peer) -> None:
    """Do what the real server does."""
    server = peer.server
    since = peer.since
    after = len(server.events) if since is None else int(since.partition(":")[2])
    await peer.hello()
    gap: dict[str, Any] | None = None
    if since is not None and not since.startswith(server.epoch + ":"):
        gap = {"from": after + 1, "to": after + 1, "reason": "epoch", "cursor": server.head}
        after = len(server.events)
    elif after + 1 < server.first:
        cursor = f"{server.epoch}:{server.first - 1}"
        gap = {"from": after + 1, "to": server.first - 1, "reason": "trimmed", "cursor": cursor}
        after = server.first - 1
    if gap is not None:
        await peer.say("gap", gap)
    if peer.query.get("snapshot") and (since is None or gap is not None):
        state = {"agents": [], "at": len(server.events)}
        await peer.say("snapshot", {"state": state, "cursor": server.head})
    listening = asyncio.ensure_future(peer.listen())
    try:
        while not listening.done():
            while after < len(server.events):
                after += 1
                await peer.event(after)
            await server.beyond(after)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
