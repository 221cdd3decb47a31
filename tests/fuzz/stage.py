"""A real server among hostile neighbours, and what must hold all the time.

- it is alive, and no part of it has failed: no source was started again, no traceback is in its log;
- `/health` is answered within a second, or the machine, not the server, was busy;
- its memory is bounded;
- a live client gets every event, with consecutive ids;
- what well-behaved neighbours say is counted (see `canaries`);
- it stops within seconds, with exit status 0.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import aiohttp
import nats
import psutil
from nats.aio.client import Client
from nats.errors import Error as NatsError

from missioncontrol.testing import ServerProcess, start_server
from tests.fuzz.steps import Frames, Patch, Place, Request, Sql, Step, Store, Write, do_locally
from tests.process.raw_socket import RawSocket

MIB = 1024 * 1024
MAX_GROWTH = 400 * MIB
"""By how much the server's memory may grow; a bomb takes more."""

HEALTH_SECONDS = 1.0
HEALTH_TRIES = 3
REQUEST_SECONDS = 60.0
STOP_SECONDS = 5.0
"""In how many seconds of its own CPU time the server stops; a machine that is busy may need longer for them."""

STOP_WALL_SECONDS = 25.0
PATIENCE = float(os.environ.get("MISSION_CONTROL_FUZZ_PATIENCE", "40"))
"""How long is waited for what a well-behaved neighbour has said: a bound, far beyond what an idle machine needs."""

HOST = "alpha"
TRACES = ("Traceback", "Fatal Python error", "source.failed", "never retrieved")


class Broken(AssertionError):
    """Something does not hold that must."""


class Stage:
    """The server, the folders around it, and a live client."""

    def __init__(self, root: Path, *options: str, **environment: str) -> None:
        self.root = root
        self.events: list[dict[str, Any]] = []
        self._options = options
        self._environment = environment
        self._server: ServerProcess | None = None
        self._http: aiohttp.ClientSession | None = None
        self._reading: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._wrong: str | None = None
        self._first_memory = 0
        self._process: psutil.Process | None = None

    # Life.

    async def __aenter__(self) -> Self:
        home = self.root / "home"
        for folder in (".openclaw/agents", ".openclaw/state", ".claude/projects", ".codex/sessions"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        env = {
            "HOME": str(home),
            "OPENCLAW_STATE_DIR": str(home / ".openclaw"),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "CODEX_HOME": str(home / ".codex"),
            "PYTHONFAULTHANDLER": "1",
            "MISSION_CONTROL_HEARTBEAT_INTERVAL": "5",
            **self._environment,
        }
        self._server = await asyncio.to_thread(
            start_server,
            self.root / "workspace",
            self.root / "data",
            options=self._options,
            env=env,
            timeout=90,
        )
        self._process = psutil.Process(self._server.pid)
        self._first_memory = self._process.memory_info().rss
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        self._http = aiohttp.ClientSession(self._server.url, timeout=timeout)
        listening = asyncio.Event()
        self._reading = asyncio.create_task(self._listen(listening))
        async with asyncio.timeout(PATIENCE):
            await listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.close)

    @property
    def server(self) -> ServerProcess:
        assert self._server is not None
        return self._server

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._http is not None
        return self._http

    async def stop(self) -> None:
        """Stop the server, and see that it does so well."""
        assert self._process is not None
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        before, began = self._cpu(), monotonic()
        used = 0.0
        stopping = asyncio.create_task(asyncio.to_thread(self.server.stop, timeout=60.0))
        while not stopping.done():
            await asyncio.wait({stopping}, timeout=0.2)
            try:
                used = self._cpu() - before
            except psutil.Error:
                break
        try:
            status = await stopping
        except TimeoutError:
            raise Broken(f"It has not ended a minute after SIGTERM.\n{self.server.log[-3000:]}") from None
        seconds = monotonic() - began
        if seconds > STOP_WALL_SECONDS or (seconds > STOP_SECONDS and used > STOP_SECONDS):
            raise Broken(f"It took {seconds:.1f} s and {used:.1f} s of CPU time to stop.")
        if status != 0:
            raise Broken(f"It ended with status {status}.\n{self.server.log[-3000:]}")
        self._check_log()

    # What is done to it.

    async def do(self, steps: Iterable[Step]) -> None:
        """Do steps, in their order."""
        for step in steps:
            match step:
                case Write() | Place() | Sql() | Patch():
                    await asyncio.to_thread(do_locally, self.root, step)
                case Request():
                    await self.request(step)
                case Frames():
                    await self._frames(step)
                case Store():
                    await self.store(step)

    def id_of(self, agent: str) -> str:
        """Return an agent's id in events."""
        return agent

    async def store(self, step: Store) -> None:
        """Store a message in the stream; only for a stage that has one."""
        raise NotImplementedError

    async def request(self, step: Request) -> tuple[int, bytes]:
        """Send a request; returns the status and the body, 0 where the server has hung up on it."""
        body = step.data or step.text.encode("utf-8", "surrogatepass")
        try:
            async with self.http.request(step.method, step.path, data=body, headers=step.headers) as answer:
                content = await answer.read()
        except TimeoutError:
            raise Broken(f"{step.method} {step.path} was not answered in {REQUEST_SECONDS:g} s.") from None
        except (aiohttp.ClientError, ValueError):
            # The request is so wrong that it is not answered, or not even sent.
            return 0, b""
        if answer.status == 500:
            raise Broken(f"{step.method} {step.path} is answered with 500.\n{self._last_trace()}")
        return answer.status, content

    async def _frames(self, step: Frames) -> None:
        async with await RawSocket.websocket(self.server.url, step.query) as socket:
            # The server may have hung up already.
            await socket.send(step.data)
            try:
                async with asyncio.timeout(0.15):
                    while await socket.reader.read(65_536):
                        pass
            except (TimeoutError, OSError):
                pass

    # What must hold.

    async def check(self) -> None:
        """See that all is well, but for the canaries."""
        self._check_alive()
        await self._check_health()
        self._check_memory()
        await self._check_sources()
        if self._wrong is not None:
            raise Broken(self._wrong)
        self._check_log()

    def _check_alive(self) -> None:
        status = self.server.exit_status
        if status is not None:
            raise Broken(f"It has ended with status {status}.\n{self.server.log[-4000:]}")

    def _cpu(self) -> float:
        assert self._process is not None
        times = self._process.cpu_times()
        return float(times.user + times.system)

    async def _check_health(self) -> None:
        slow: list[str] = []
        for _ in range(HEALTH_TRIES):
            before, began = self._cpu(), monotonic()
            try:
                async with self.http.get("/health", timeout=aiohttp.ClientTimeout(total=30)) as answer:
                    await answer.read()
            except TimeoutError:
                raise Broken("/health was not answered within 30 seconds.") from None
            except aiohttp.ClientError as error:
                self._check_alive()
                raise Broken(f"/health cannot be asked: {error!r}") from None
            seconds, used = monotonic() - began, self._cpu() - before
            if answer.status != 200:
                raise Broken(f"/health is answered with {answer.status}: {await answer.text()}")
            # Whoever waits without the server working waits for the machine.
            if seconds < HEALTH_SECONDS or used < HEALTH_SECONDS / 2:
                return
            slow.append(f"{seconds:.1f} s ({used:.1f} s of CPU time)")
        raise Broken(f"/health took {', '.join(slow)}.")

    def _check_memory(self) -> None:
        assert self._process is not None
        grown = self._process.memory_info().rss - self._first_memory
        if grown > MAX_GROWTH:
            raise Broken(f"Its memory has grown by {grown / MIB:.0f} MiB.")

    async def _check_sources(self) -> None:
        status, content = await self.request(Request("/api/system/status", "GET"))
        if status != 200:
            raise Broken(f"/api/system/status is answered with {status}: {content[:500]!r}")
        page = json.loads(content)
        for name, source in page["sources"].items():
            if source["restarts"]:
                raise Broken(f"The source {name} has failed: {source['error']}\n{self.server.log[-4000:]}")

    def _last_trace(self) -> str:
        log = self.server.log
        return log[max(0, log.rfind("Traceback")) :][-3000:]

    def _check_log(self) -> None:
        log = self.server.log
        for trace in TRACES:
            if (at := log.find(trace)) >= 0:
                # Of all threads the one that has brought it about, where that is said.
                culprit = log.find("Current thread", at)
                begin = at - 500 if culprit < 0 else culprit
                raise Broken(f"Its log has {trace!r}:\n{log[max(0, begin) : begin + 4000]}")

    # The live client.

    async def _listen(self, listening: asyncio.Event) -> None:
        last: int | None = None
        url = self.server.url.replace("http", "ws", 1) + "/api/ws?events=*"
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
                async for message in socket:
                    told = json.loads(message.data)
                    if told["type"] == "connected":
                        last = int(told["data"]["cursor"].rpartition(":")[2])
                        listening.set()
                    elif told["type"] == "gap":
                        self._wrong = f"A live client was told of a gap: {told['data']}"
                    elif told["type"] == "ping":
                        await socket.send_str('{"type":"pong"}')
                    elif "id" in told:
                        if last is not None and told["id"] != last + 1:
                            self._wrong = (
                                f"After event {last} a live client got {told['id']} ({told['type']})."
                            )
                        last = told["id"]
                        self.events.append(told)
                        self._came.set()
        except (aiohttp.ClientError, ValueError, KeyError) as error:
            self._wrong = f"A live client cannot go on: {error!r}"
            return
        self._wrong = self._wrong or f"A live client was disconnected ({socket.close_code})."
        self._came.set()

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for what the live client must get.

        Raises:
            Broken: it does not come.
        """
        end = monotonic() + PATIENCE
        while not condition():
            self._came.clear()
            if condition():
                return
            if monotonic() > end or self._wrong is not None:
                self._check_alive()
                self._check_log()
                raise Broken(self._wrong or f"{what} has not come within {PATIENCE:g} s.")
            try:
                async with asyncio.timeout(1.0):
                    await self._came.wait()
            except TimeoutError:
                continue


class ClusterStage(Stage):
    """A node over a stream into which others store what they like."""

    def __init__(self, root: Path, url: str, stream: str) -> None:
        super().__init__(
            root,
            "--log",
            url,
            MISSION_CONTROL_CLUSTER_STREAM=stream,
            MISSION_CONTROL_CLUSTER_HOST=HOST,
        )
        self._url = url
        self._stream = stream
        self._client: Client | None = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()
        await super().__aexit__(kind, error, trace)

    def id_of(self, agent: str) -> str:
        """Return an agent's id in the fleet."""
        return f"{agent}@{HOST}"

    async def store(self, step: Store) -> None:
        """Store a message in the stream; what NATS does not take is passed over."""
        if self._client is None:
            self._client = await nats.connect(self._url)
        try:
            await self._client.jetstream().publish(
                f"{self._stream}.events.{step.subject}", step.data, headers=step.headers or None
            )
        except (NatsError, ValueError, TimeoutError):
            pass
