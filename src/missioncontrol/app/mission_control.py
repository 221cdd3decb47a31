"""`MissionControl`: the whole server as one object, for the command line and for embedding.

The only place that names concrete parts. The order of things at start: the log, the state folded from it, the
hub, the ports, then the sources; and at the end the same backwards, so that nothing is accepted that is not kept.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import platform
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from time import time as wall_clock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
import uvicorn

from missioncontrol.app.broadcasts import Broadcasts
from missioncontrol.app.drain import drain_window, first_return, spread
from missioncontrol.app.home import Home
from missioncontrol.app.simulation import Simulation
from missioncontrol.app.telemetry_out import TelemetryOut
from missioncontrol.config import Config, load_config
from missioncontrol.errors import BadEvent, ConfigError, Damaged, Draining, MissionControlError
from missioncontrol.events import EVERYTHING, Data, Record, convert_drafts, decode_event
from missioncontrol.hub import Connection, Hub
from missioncontrol.notify import Notifier, Routes, prepare
from missioncontrol.search import Search
from missioncontrol.server.access import Access, check_bind
from missioncontrol.server.forwarded import TrustedProxies
from missioncontrol.server.heartbeat import Heartbeats
from missioncontrol.server.http import create_app
from missioncontrol.server.http_protocol import HttpProtocol
from missioncontrol.server.live import LiveEndpoint
from missioncontrol.server.mcp.endpoint import McpEndpoint
from missioncontrol.server.metrics import collect_json
from missioncontrol.server.service import Service
from missioncontrol.server.websocket import WebSocketProtocol
from missioncontrol.sources import Supervisor
from missioncontrol.sources.hooks.desk import HookDesk
from missioncontrol.sources.hooks.permissions import Permissions
from missioncontrol.sources.messages import Messages
from missioncontrol.sources.questions import Questions
from missioncontrol.sources.tasks import TaskQueue
from missioncontrol.sources.telemetry import Receiver
from missioncontrol.sources.tokens import Tokens
from missioncontrol.state import FleetState
from missioncontrol.store import Log, Retention, SqliteLog, StateCheckpoint

if TYPE_CHECKING:
    # NATS's library is large, and most fleets do without.
    from missioncontrol.app.cluster import Cluster
    from missioncontrol.store.jetstream import JetStreamLog
    from missioncontrol.store.nodes import Nodes

STATE_EVERY_EVENTS = 10_000
STATE_SHARE = 0.05
"""At most so much of the time goes into keeping states, however fast events come."""

DRAIN_SECONDS = 5.0
SHARE_STATE_SECONDS = 900.0

logger = logging.getLogger(__name__)


class MissionControl(Broadcasts):
    """A running server. Use it as an async context manager, or call `start` and `stop`.

    Args:
        config: all settings; without it the defaults.
        simulation: run a simulated fleet in the workspace, and say so everywhere.
        settings: single settings by the name they have in the config file's `[server]` section (`port`,
            `heartbeat_interval`, `max_clients`, `max_history`, …), or `workspace` and `data`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """

    def __init__(self, config: Config | None = None, *, simulation: bool = False, **settings: Any) -> None:
        if settings:
            if "port" in settings:
                # Whoever names one port means one; the second is for the bookmarks of older installs.
                settings.setdefault("ws_port", "none")
            tree: dict[str, Any] = {} if config is None else msgspec.to_builtins(config)
            for name, value in settings.items():
                if name in {"workspace", "data"}:
                    tree[name] = None if value is None else str(value)
                else:
                    tree.setdefault("server", {})[name] = value
            flags = {key: value for key, value in tree.items() if not isinstance(value, dict)}
            for section, values in tree.items():
                if isinstance(values, dict):
                    flags |= {f"{section}.{key}": value for key, value in values.items()}
            config = load_config(flags=flags)
        self.config = config or Config()
        self._simulation = simulation
        self._service: Service | None = None
        self._sockets: list[socket.socket] = []
        self._stopping: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._unsaved = 0
        self._save_from = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._home: Home | None = None
        self._cluster: Cluster | None = None
        self._notifier: Notifier | None = None
        self._telemetry: TelemetryOut | None = None
        self._restarting = False
        self._restart: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where the server answers, as `http://HOST:PORT`."""
        return f"http://{_address(self._sockets[0])}"

    @property
    def ws_url(self) -> str:
        """Where the WebSocket is, on its own port where there is one."""
        return f"ws://{_address(self._sockets[-1])}/api/ws"

    @property
    def log(self) -> Log:
        """The log itself."""
        return self._running.log

    @property
    def state(self) -> FleetState:
        """The state of the fleet at the head of the log."""
        return self._running.state

    @property
    def _running(self) -> Service:
        if self._service is None:
            raise ConfigError("MissionControl is not running; use `async with`, or call start() first.")
        return self._service

    def metrics(self) -> dict[str, Any]:
        """Return the figures that `/metrics` tells, as a dictionary."""
        return collect_json(self._running)

    async def start(self) -> None:
        """Open the log, the ports and the sources; returns when connections are accepted.

        Raises:
            ConfigError: the workspace cannot be read, the data folder or a port is in use, a token is missing
                beyond loopback; nothing is left behind.
        """
        config = self.config
        check_bind(config)
        workspace = config.workspace_path
        if self._simulation:
            workspace.mkdir(parents=True, exist_ok=True)
        _check_workspace(workspace)
        routes = await prepare(config.notify)
        self._sockets = _bind(config)
        log: Log
        joined: tuple[JetStreamLog, Nodes] | None = None
        try:
            if config.nats_servers:
                from missioncontrol.app.cluster import join

                joined = await join(config, workspace.resolve())
                log = joined[0]
            else:
                log = await SqliteLog.open(
                    config.data_path,
                    retention=Retention(config.log.retention_days * 86_400, config.log.retention_bytes),
                    synchronous=config.log.synchronous,
                )
        except BaseException:
            self._close_sockets()
            raise
        try:
            await self._serve(log, joined, workspace, routes)
        except BaseException:
            self._close_sockets()
            await log.close()
            raise

    async def _serve(
        self,
        log: Log,
        joined: tuple[JetStreamLog, Nodes] | None,
        workspace: Path,
        routes: Routes | None,
    ) -> None:
        config = self.config
        if log.new_epoch_reason:
            logger.info("log.new_epoch", extra={"epoch": log.epoch, "reason": log.new_epoch_reason})
        # From here to the listener nothing is awaited: whatever comes next is heard.
        state = await fold(log)
        hub = Hub(epoch=log.epoch, head=log.head, flush_window=config.server.flush_window)
        host_name = None if joined is None else joined[0].host
        self._home = None if host_name is None else Home(state, host_name)
        self._supervisor = Supervisor(
            workspace,
            log,
            config,
            state if self._home is None else self._home.state,
            fleet=state,
            host=host_name,
        )
        host = self._sockets[0].getsockname()[0]
        tokens, questions = self._supervisor.source(Tokens), self._supervisor.source(Questions)
        permissions = Permissions(questions, tokens, host=host_name)
        service = self._service = Service(
            config=config,
            workspace=workspace,
            log=log,
            hub=hub,
            state=state,
            access=Access(config, bound_host=host),
            proxies=TrustedProxies(config.server.trusted_proxies),
            tasks=self._supervisor.source(TaskQueue),
            tokens=tokens,
            messages=self._supervisor.source(Messages),
            questions=questions,
            hooks=HookDesk(tokens, permissions),
            telemetry=Receiver(tokens.report, tokens.reads),
            sources=self._supervisor.health,
            host=self._supervisor.host,
            host_name=host_name,
            simulation=self._simulation,
        )
        log.listen(self._committed)
        if config.search.enabled:
            service.search = Search(log, config.data_path)
            service.search.start()
        if routes is not None:
            self._notifier = service.notifier = Notifier(log, routes)
        if joined is not None:
            from missioncontrol.app.cluster import Cluster

            self._cluster = Cluster(
                *joined, self._supervisor, lambda: hub.clients, lambda: service.draining, self._notifier
            )
            service.cluster = self._cluster.page
            joined[0].replaced = self._replaced
        self._heartbeats = Heartbeats(config.server.heartbeat_interval, hub.figures)
        self._heartbeats.start()
        if config.telemetry.endpoint is not None:
            ports = [sock.getsockname()[1] for sock in self._sockets]
            self._telemetry = TelemetryOut(config.telemetry, service, f"{platform.node()}:{ports[0]}", ports)
            await self._telemetry.start()
        self._uvicorn = _Uvicorn(service, self._heartbeats, self._telemetry)
        await self._uvicorn.startup(sockets=self._sockets)
        self._ticker = asyncio.create_task(self._uvicorn.main_loop())
        self._uvicorn.mcp.start()
        if self._simulation:
            openclaw = config.sources.openclaw
            runtime = None if openclaw in ("auto", "off") else Path(openclaw)
            simulation = Simulation(workspace, runtime=runtime)
            await asyncio.to_thread(simulation.prepare)
            self._keep(simulation.run())
        if self._cluster is not None:
            await self._cluster.start()
            self._keep(self._share_state())
        else:
            if self._notifier is not None:
                await self._notifier.start()
            await self._supervisor.start()
        self._keep(permissions.run())

    async def stop(self) -> None:
        """Drain: clients are told when to come back, everything accepted is durable, then all is closed."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_for_good())
        await asyncio.shield(self._stopping)

    async def _stop_for_good(self) -> None:
        if self._restart is not None:
            # `_stopping` is set, so that it does not go on trying.
            await asyncio.gather(self._restart, return_exceptions=True)
        if self._service is not None:
            await self._stop(self._service)
        self._closed.set()

    async def wait_closed(self) -> None:
        """Wait until `stop` has done its work."""
        await self._closed.wait()

    async def _stop(self, service: Service) -> None:
        service.draining = True
        for server in self._uvicorn.servers:
            server.close()
        await self._uvicorn.mcp.stop()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        if self._cluster is not None:
            await self._cluster.stop()
            self._cluster = None
        await self._supervisor.stop()
        if service.search is not None:
            await service.search.stop()
        if self._notifier is not None:
            await self._notifier.stop()
            self._notifier = None
        members = [member for member in service.hub.roster if isinstance(member, Connection)]
        clients = len(members) + service.hub.waiting
        window = self.config.server.drain_window or drain_window(clients)
        seconds = spread(clients, window, first_return(clients, alone=not self.config.nats_servers))
        for member in members:
            member.drain(seconds.pop())
        service.hub.drain_waiters(seconds)
        deadline = monotonic() + DRAIN_SECONDS
        while self._uvicorn.server_state.connections and monotonic() < deadline:
            for connection in list(self._uvicorn.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0.02)
        for connection in list(self._uvicorn.server_state.connections):
            # A request that was never finished ends as one whose client is gone.
            if isinstance(connection, HttpProtocol):
                connection.transport.abort()
        if self._uvicorn.server_state.tasks:
            await asyncio.wait(self._uvicorn.server_state.tasks, timeout=1.0)
        self._uvicorn.should_exit = self._uvicorn.force_exit = True
        await self._ticker
        self._heartbeats.stop()
        if self._telemetry is not None:
            await self._telemetry.stop()
            self._telemetry = None
        with suppress(MissionControlError):
            await service.log.save_state(StateCheckpoint(service.state.id, service.state.dump()))
        await service.log.close()
        service.hub.close()
        self._service = None
        if not self._restarting:
            self._closed.set()

    def _replaced(self, reason: str) -> None:
        """The log is another one than before: all that was made of the old one is made anew."""
        if self._restarting or self._stopping is not None:
            return
        self._restarting = True
        logger.error("server.begins_anew", extra={"reason": reason})
        self._restart = asyncio.create_task(self._begin_anew())

    async def _begin_anew(self) -> None:
        ports = [sock.getsockname()[1] for sock in self._sockets]
        await self._stop(self._running)
        server = self.config.server
        server = msgspec.structs.replace(
            server, port=ports[0], ws_port="none" if server.ws_port == "none" else ports[-1]
        )
        self.config = msgspec.structs.replace(self.config, server=server)
        delay = 0.5
        while self._stopping is None:
            try:
                await self.start()
            except MissionControlError as error:
                logger.error("server.cannot_begin", extra={"reason": str(error)})
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10.0)
            else:
                break
        self._restarting = False

    async def _share_state(self) -> None:
        """Keep the state at times also where little happens, for a node that loses its copy."""
        while True:
            await asyncio.sleep(SHARE_STATE_SECONDS)
            state = self._running.state
            await self._save_state(StateCheckpoint(state.id, state.dump()))

    async def broadcast(self, event: Data) -> int:
        """Append one event and tell everybody; returns its id once it is durable.

        Args:
            event: `{"type": "category:name", "data": {…}}`, with an optional `key` and `source`.

        Raises:
            BadEvent: the event has a wrong type or shape.
            StoreError: the log cannot be written.
        """
        if self._running.draining:
            raise Draining("MissionControl is stopping.")
        try:
            # Plain values, as anybody else will read them from the log.
            plain = msgspec.to_builtins(event)
        except TypeError as error:
            raise BadEvent(f"The event cannot be written as JSON: {error}.") from None
        return (await self._running.log.append(convert_drafts([plain])))[0]

    def _committed(self, records: Sequence[Record]) -> None:
        """What happens with each commit, in this order: the state, then everybody."""
        service = self._running
        began = wall_clock() if self._telemetry is not None else 0.0
        service.state.apply(records)
        if self._home is not None:
            self._home.apply(records)
        service.hub.publish(records)
        if self._telemetry is not None:
            self._telemetry.told(records, began)
        self._unsaved += len(records)
        if self._unsaved >= STATE_EVERY_EVENTS and (began := monotonic()) >= self._save_from:
            self._unsaved = 0
            self._keep(self._save_state(StateCheckpoint(service.state.id, service.state.dump())))
            self._save_from = began + (monotonic() - began) / STATE_SHARE

    async def _save_state(self, checkpoint: StateCheckpoint) -> None:
        # Without it the next start only has more to fold.
        with suppress(MissionControlError):
            await self._running.log.save_state(checkpoint)

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, started and stopped by `MissionControl`, which alone decides about signals."""

    def __init__(self, service: Service, heartbeats: Heartbeats, telemetry: TelemetryOut | None) -> None:
        protocol = functools.partial(WebSocketProtocol, LiveEndpoint(service), heartbeats)
        self.mcp = McpEndpoint(service)
        app: Any = create_app(service, self.mcp)
        super().__init__(
            uvicorn.Config(
                app if telemetry is None else telemetry.around(app),
                http=HttpProtocol,
                ws=protocol,  # type: ignore[arg-type]
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Proxies are believed, or not, in one place for HTTP and the WebSocket.
                proxy_headers=False,
                backlog=4096,
                timeout_keep_alive=75,
            )
        )
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)


async def fold(log: Log) -> FleetState:
    """Fold the state of the fleet at the head of a log, from the newest kept state on."""
    state, after = FleetState(), 0
    kept = await log.load_state(log.head)
    if kept is not None:
        try:
            state, after = FleetState.load(kept.state), kept.id
        except Damaged as error:
            # Of another release, or spoilt: the events themselves say what it was made of.
            logger.warning("state.refolded", extra={"id": kept.id, "reason": str(error)})
    while after < log.head:
        page = await log.read(after, EVERYTHING, limit=5_000, max_bytes=4 * 1024 * 1024)
        events = [decode_event(body) for body in page.bodies]
        state.apply([Record(event.id, event.type, 0, b"", event.data, event.host) for event in events])
        after = page.last
    return state


def _check_workspace(workspace: Path) -> None:
    try:
        next(workspace.iterdir(), None)
    except OSError as error:
        raise ConfigError(
            f"The workspace {workspace} cannot be read ({error.strerror}); name a folder with --workspace."
        ) from None


def _bind(config: Config) -> list[socket.socket]:
    """Open the listening sockets, all or none."""
    sockets: list[socket.socket] = []
    ports = [("--port", config.server.port)]
    if config.server.ws_port != "none" and (
        config.server.ws_port != config.server.port or not config.server.port
    ):
        ports.append(("--ws-port", config.server.ws_port))
    try:
        for flag, port in ports:
            sockets.append(_listen(config.server.host, port, flag))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(host: str, port: int, flag: str) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"The host {host!r} cannot be listened on: {error.strerror or error}.") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(4096)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"The port {port} on {host} cannot be opened ({error.strerror}); "
            f"stop what uses it, or choose another one with {flag} (0 takes any free one)."
        ) from None
    return sock


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
