"""What a running server says of itself, and what its process takes."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
import psutil

from missioncontrol.testing import ServerProcess

MIB = 1024 * 1024


def call(server: ServerProcess, path: str, body: Any = None) -> tuple[int, Any]:
    """Send a request, a POST where there is a body, and return the status and the JSON that is answered."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


async def figure(url: str, name: str) -> float:
    """Return one figure of `/metrics`, named without its prefix."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        aiohttp.ClientSession(url, timeout=timeout) as session,
        session.get("/metrics", headers={"Accept": "application/json"}) as answer,
    ):
        figures = (await answer.json())["figures"]
    return float(figures[f"mission_control_{name}"])


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Ask a server until it says yes: there is nothing to await on another process."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)


async def figure_reaches(url: str, name: str, value: float, seconds: float = 15.0) -> None:
    """Wait until a figure of `/metrics` is at least this high."""

    async def reached() -> bool:
        return await figure(url, name) >= value

    await eventually(reached, seconds)


def resident(server: ServerProcess) -> int:
    """Return the bytes that the server's process has in memory now."""
    return int(psutil.Process(server.pid).memory_info().rss)


class PeakMemory:
    """Looks at a server's memory while a block runs; `grown` is by how many bytes it was higher than before."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._before = resident(server)
        self._task: asyncio.Task[None] | None = None
        self.grown = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._note()

    async def _look(self) -> None:
        while True:
            self._note()
            await asyncio.sleep(0.02)

    def _note(self) -> None:
        self.grown = max(self.grown, resident(self._server) - self._before)
