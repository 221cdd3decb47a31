"""A real HTTP server that takes what apprise sends to `json://`, and fails in every way that is asked of it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from aiohttp import web


class Receiver:
    """Keeps what it was told. `status` is what it answers with; while `hangs` is set it does not answer at all."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.tried = 0
        self.status = 200
        self.hangs = False
        self.port = 0
        self._heard = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before where there was one."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Where it is, as apprise writes it, with secrets in every place that can have one."""
        return f"json://robot:pa55w0rd@127.0.0.1:{self.port}/hook/s3cr3t-path?+X-Key=h34d3r-k3y&-apikey=qu3ry-k3y"

    @property
    def bodies(self) -> list[str]:
        return [message["message"] for message in self.messages]

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    async def has(self, count: int, seconds: float = 15.0) -> None:
        """Wait until so many messages were taken."""
        await self._until(lambda: len(self.messages) >= count, seconds)

    async def is_tried(self, count: int, seconds: float = 15.0) -> None:
        """Wait until somebody has tried so many times."""
        await self._until(lambda: self.tried >= count, seconds)

    async def _until(self, condition: Any, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def _take(self, request: web.Request) -> web.Response:
        message = await request.json()
        self.tried += 1
        self._heard.set()
        if self.hangs:
            await asyncio.sleep(3600)
        if self.status == 200:
            self.messages.append(message)
            self._heard.set()
        return web.Response(status=self.status, text="a longer text that nobody wants in an error")


SECRETS = ("pa55w0rd", "s3cr3t-path", "h34d3r-k3y", "qu3ry-k3y")
