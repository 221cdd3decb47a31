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
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import time as wall_clock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from missioncontrol.app.broadcasts import Broadcasts
from missioncontrol.app.drain import drain_window, first_return, spread
from missioncontrol.app.host_view import HostView
from missioncontrol.app.http_server import HttpServer
from missioncontrol.app.kept_state import KeptState, fold
from missioncontrol.app.pipeline import DELIVER, PROJECT, Pipeline
from missioncontrol.app.ports import address, bind
from missioncontrol.app.simulation import Simulation
from missioncontrol.app.telemetry_out import TelemetryOut
from missioncontrol.backoff import Backoff
from missioncontrol.config import Config, load_config
from missioncontrol.errors import BadEvent, ConfigError, Draining, MissionControlError
from missioncontrol.events import Data, Draft, Record, convert_drafts
from missioncontrol.fleet.files import Files
from missioncontrol.fleet.folder_listing import FolderListing
from missioncontrol.fleet.gateway import Gateway
from missioncontrol.fleet.hooks import HookIngest
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.permissions import Permissions
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.supervisor import Supervisor
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.hub import Connection, Hub
from missioncontrol.notify import Notifier, Routes, prepare
from missioncontrol.owner_secret import load_secret
from missioncontrol.private_files import make_private_folder
from missioncontrol.runtimes.registry import check_settings, simulated
from missioncontrol.search import Search
from missioncontrol.server.access import Access, BrowserSessions, Owner, check_bind, tells_users
from missioncontrol.server.access.sessions import FILE_NAME as BROWSERS_FILE
from missioncontrol.server.forwarded import TrustedProxies
from missioncontrol.server.heartbeat import Heartbeats
from missioncontrol.server.metrics import collect_json
from missioncontrol.server.peer import probe_idle_peers
from missioncontrol.server.room import Descriptors, Room
from missioncontrol.server.service import Service
from missioncontrol.standups import Schedule, StandupSchedule, read_schedule
from missioncontrol.state import FleetState
from missioncontrol.store import Log, Retention, SqliteLog

if TYPE_CHECKING:
    # NATS's library is large, and most fleets do without.
    from missioncontrol.app.cluster import Cluster
    from missioncontrol.store.jetstream import JetStreamLog
    from missioncontrol.store.jetstream.presence import Nodes


DRAIN_SECONDS = 5.0
SESSIONS_SECONDS = 60.0

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
            check_settings(config.sources)
        self.config = config or Config()
        self._simulation = simulation
        self._service: Service | None = None
        self._sockets: list[socket.socket] = []
        self._stopping: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._began = 0.0
        self._home: HostView | None = None
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
        return f"http://{address(self._sockets[0])}"

    @property
    def ws_url(self) -> str:
        """Where the WebSocket is, on its own port where there is one."""
        return f"ws://{address(self._sockets[-1])}/api/ws"

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

    def new_sign_in_link(self) -> str:
        """Make what a one-time sign-in link carries after `#sign-in=`; see `docs/explanation/security.md`."""
        return self._running.access.owner.new_link()

    def show_codes(self, show: Callable[[str], None]) -> None:
        """Have sign-in codes shown by this function, rather than logged."""
        self._running.access.owner.show = show

    def replace_tokens(self, config: Config) -> int:
        """Take the tokens of changed settings, and return how many connections were closed.

        Raises:
            ConfigError: the server may not run with these tokens.
        """
        server = msgspec.structs.replace(self.config.server, tokens=config.server.tokens)
        changed = msgspec.structs.replace(self.config, server=server)
        check_bind(changed)
        self.config = changed
        return self._running.access.replace_tokens(server.tokens)

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
        schedule = read_schedule(config.standup)
        self._sockets = bind(config)
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
            await self._serve(log, joined, workspace, routes, schedule)
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
        schedule: Schedule | None,
    ) -> None:
        config = self.config
        if log.new_epoch_reason:
            logger.info("log.new_epoch", extra={"epoch": log.epoch, "reason": log.new_epoch_reason})
        # From here to the listener nothing is awaited: whatever comes next is heard.
        state = await fold(log)
        hub = Hub(epoch=log.epoch, head=log.head, flush_window=config.server.flush_window)
        host_name = None if joined is None else joined[0].host
        self._home = None if host_name is None else HostView(state, host_name)
        self._supervisor = Supervisor(
            workspace,
            log,
            config,
            state if self._home is None else self._home.state,
            fleet=state,
            host=host_name,
        )
        host = self._sockets[0].getsockname()[0]
        # As they are: pages of these ports are the server's own.
        config = msgspec.structs.replace(
            config,
            server=msgspec.structs.replace(
                config.server,
                port=self._sockets[0].getsockname()[1],
                ws_port=self._sockets[1].getsockname()[1] if len(self._sockets) > 1 else "none",
            ),
        )
        tokens, questions = self._supervisor.source(UsageTracker), self._supervisor.source(Questions)
        gateway = self._supervisor.source(Gateway)
        permissions = Permissions(questions, tokens, host=host_name)
        descriptors = Descriptors()
        access = await asyncio.to_thread(_open_access, config, host, host_name)
        files, place = self._supervisor.source(Files), self._supervisor.workspace
        service = self._service = Service(
            config=config,
            descriptors=descriptors,
            room=Room(config.server.max_clients, descriptors.limit, descriptors.used),
            workspace=workspace,
            log=log,
            hub=hub,
            state=state,
            access=access,
            proxies=TrustedProxies(config.server.trusted_proxies),
            tasks=self._supervisor.source(TaskQueue),
            tokens=tokens,
            messages=self._supervisor.source(Messages),
            questions=questions,
            files=FolderListing(
                place.root, place.agent_workspaces, lambda: files.index, self._supervisor.rescan
            ),
            hooks=HookIngest(tokens, permissions),
            telemetry=Receiver(tokens.report, tokens.reads),
            sources=self._supervisor.health,
            host=self._supervisor.host,
            sentry=lambda: gateway.report,
            host_name=host_name,
            quotas=self._supervisor.quotas,
            simulation=self._simulation,
        )
        self._build_pipeline(service)
        if config.search.enabled:
            service.search = Search(log, config.data_path, service.background, redacts=config.search.redact)
            service.listen("search", service.search.committed)
            service.search.start()
        if routes is not None:
            self._notifier = service.notifier = Notifier(log, routes, background=service.background)
            service.listen("notify", self._notifier.committed)
        standups = None
        if schedule is not None:
            standups = StandupSchedule(schedule, service.standups, log, service.background)
        if joined is not None:
            from missioncontrol.app.cluster import Cluster

            self._cluster = Cluster(
                *joined,
                self._supervisor,
                lambda: hub.clients,
                lambda: service.draining,
                self._notifier,
                service.background,
                standups,
            )
            service.cluster = self._cluster.page
            joined[0].replaced = self._replaced
        self._heartbeats = Heartbeats(config.server.heartbeat_interval, hub.figures)
        for sock in self._sockets:
            probe_idle_peers(sock, config.server.heartbeat_interval)
            # Until now it only had to be ours; how many may wait depends on the descriptors.
            sock.listen(service.room.backlog)
        self._heartbeats.start()
        service.loop_lag.start()
        if config.telemetry.endpoint is not None:
            ports = [sock.getsockname()[1] for sock in self._sockets]
            self._telemetry = TelemetryOut(config.telemetry, service, f"{platform.node()}:{ports[0]}", ports)
            service.listen("telemetry", self._trace)
            await self._telemetry.start()
        self._http = HttpServer(service, self._heartbeats, self._telemetry)
        await self._http.begin(self._sockets)
        if self._simulation:
            setting = config.sources.place_of(simulated.RUNTIME)
            runtime = None if setting in ("auto", "off") else Path(setting)
            simulation = Simulation(workspace, runtime=runtime)
            # What cannot be written now, a later step tries again.
            with suppress(OSError):
                await asyncio.to_thread(simulation.prepare)
            service.background.keep("simulation", simulation.run)
        if self._cluster is not None:
            await self._cluster.start()
            service.background.keep("shared state", self._kept.run)
        else:
            if self._notifier is not None:
                await self._notifier.start()
            await self._supervisor.start()
            if standups is not None:
                # After the first scan: a standup that is overdue shows the agents as they are now.
                await standups.start()
        service.background.keep("permissions", permissions.run)
        service.background.keep("browser sessions", functools.partial(_keep_sessions, service.access))

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
        service.decoders.close()
        await self._http.refuse_new()
        await service.background.stop()
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
        await self._http.drain(DRAIN_SECONDS)
        self._heartbeats.stop()
        service.loop_lag.stop()
        if self._telemetry is not None:
            await self._telemetry.stop()
            self._telemetry = None
        await self._kept.keep()
        # What was begun while the server drained.
        await service.background.stop()
        await service.log.close()
        service.hub.close()
        self._service = None
        if not self._restarting:
            self._closed.set()

    def _replaced(self, reason: str) -> None:
        """The log is another one than before: all that was made of the old one is made again."""
        if self._restarting or self._stopping is not None:
            return
        self._restarting = True
        logger.error("server.begins_anew", extra={"reason": reason})
        self._restart = asyncio.create_task(self._begin_anew())

    async def _begin_anew(self) -> None:
        ports = [sock.getsockname()[1] for sock in self._sockets]
        await self._stop(self._running)
        server = msgspec.structs.replace(
            self.config.server, port=ports[0], ws_port=ports[1] if len(ports) > 1 else "none"
        )
        self.config = msgspec.structs.replace(self.config, server=server)
        backoff = Backoff(0.5, 10.0)
        while self._stopping is None:
            try:
                await self.start()
            except Exception as error:
                # Whatever it is: a process that serves nothing and does not try again is worse.
                logger.exception("server.cannot_begin", extra={"reason": str(error)})
                await asyncio.sleep(backoff.next())
            else:
                break
        self._restarting = False

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
            plain = msgspec.to_builtins(event, str_keys=True)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadEvent(f"The event cannot be written as JSON: {error}.") from None
        return (await self._running.publish(convert_drafts([plain])))[0]

    def _build_pipeline(self, service: Service) -> None:
        """Name what happens to events, in its order; see `missioncontrol.app.pipeline`."""
        pipeline = Pipeline(service.log, self._supervisor.quotas.check)
        self._kept = KeptState(service.log, service.state, service.background)
        service.publish, service.listen, service.pipeline = pipeline.publish, pipeline.then, pipeline.health
        state, home = service.state, self._home

        def project(records: Sequence[Record]) -> None:
            self._began = wall_clock()
            try:
                state.apply(records)
            finally:
                if home is not None:
                    home.apply(records)

        pipeline.then(PROJECT, project, lambda: state.fault or (None if home is None else home.state.fault))
        pipeline.then(DELIVER, service.hub.publish)
        pipeline.then("sources", self._supervisor.committed)
        pipeline.then("checkpoint", self._kept.committed)

        def report(reason: str) -> None:
            service.background.begin("quota alert", self._alert(reason))

        self._supervisor.quotas.report = report

    def _trace(self, records: Sequence[Record]) -> None:
        if self._telemetry is not None:
            self._telemetry.told(records, self._began)

    async def _alert(self, message: str) -> None:
        alert = {
            "level": "warning",
            "message": f"A quota is reached: {message}",
            "details": {"source": "quotas"},
        }
        with suppress(MissionControlError):
            await self._running.log.append([Draft("system:alert", alert, None, "quotas")])

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()


def _open_access(config: Config, host: str, host_name: str | None) -> Access:
    """Read, or the first time make, what says who the owner is."""
    data = config.data_path
    make_private_folder(data)
    sessions = BrowserSessions(data / BROWSERS_FILE, keep_owners=tells_users())
    owner = Owner(load_secret(data))
    return Access(config, bound_host=host, owner=owner, sessions=sessions, host_name=host_name)


async def _keep_sessions(access: Access) -> None:
    """Close what sessions have open that are over, and keep when each was last used."""
    while True:
        await asyncio.sleep(SESSIONS_SECONDS)
        access.close_revoked()
        await asyncio.to_thread(access.sessions.save)


def _check_workspace(workspace: Path) -> None:
    try:
        next(workspace.iterdir(), None)
    except OSError as error:
        raise ConfigError(
            f"The workspace {workspace} cannot be read ({error.strerror}); name a folder with --workspace."
        ) from None
