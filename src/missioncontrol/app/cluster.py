"""This node among the others: its name and its host's, who watches the workspace, and what the others say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import msgspec

from missioncontrol.background import BackgroundTasks
from missioncontrol.config import Config
from missioncontrol.errors import OpenError, StoreError
from missioncontrol.events import now, rfc3339
from missioncontrol.fleet.supervisor import Supervisor
from missioncontrol.notify import Notifier
from missioncontrol.private_files import make_private_folder, write_private
from missioncontrol.standups import StandupSchedule
from missioncontrol.store import Retention
from missioncontrol.store.jetstream import JetStreamLog
from missioncontrol.store.jetstream.link import StreamLink
from missioncontrol.store.jetstream.presence import (
    AWAY_SECONDS,
    LEASE_SECONDS,
    NOTIFY_LEASE,
    STANDUP_LEASE,
    Node,
    Nodes,
)
from missioncontrol.store.schema import check_file

CONNECT_SECONDS = 5.0
LEASE_LOOK_SECONDS = 2.0

logger = logging.getLogger(__name__)


async def join(config: Config, workspace: Path) -> tuple[JetStreamLog, Nodes]:
    """Connect to the fleet's stream under this host's name.

    Raises:
        OpenError: NATS does not answer and there is no copy, the stream does not fit, the name is taken.
    """
    retention = Retention(config.log.retention_days * 86_400, config.log.retention_bytes)
    link = StreamLink(config.nats_servers, config.cluster, retention)
    link.start()
    folder = config.data_path
    try:
        await asyncio.to_thread(_make, folder)
        nodes = await asyncio.to_thread(Nodes, link, folder, config.cluster.stream, config.cluster.replicas)
        await link.wait_connected(CONNECT_SECONDS)
        host = await _name_host(config, workspace, link, nodes)
        log = await JetStreamLog.open(folder, config, host, link=link)
    except BaseException:
        await link.close()
        raise
    with suppress(StoreError):
        log.hosts |= (await nodes.hosts()).keys()
    return log, nodes


async def _name_host(config: Config, workspace: Path, link: StreamLink, nodes: Nodes) -> str:
    kept = config.data_path / "host"
    await asyncio.to_thread(check_file, kept)
    trouble: StoreError | None = None
    if link.connected:
        try:
            host = await nodes.claim(config.cluster.host, workspace)
        except StoreError as error:
            # The servers answer, but have no leader for their streams, as after one of them was lost.
            trouble = error
        else:
            try:
                await asyncio.to_thread(write_private, kept, f"{host}\n")
            except OSError as error:
                raise OpenError(f"{kept} cannot be written ({error.strerror}).") from None
            return host
    # Whoever serves its copy while NATS is away is called what it was called before.
    with suppress(OSError):
        return (await asyncio.to_thread(kept.read_text, encoding="utf-8")).strip()
    if trouble is not None:
        raise OpenError(f"{trouble} Is JetStream enabled on the NATS servers (nats-server -js)?")
    return config.cluster.host or "unknown"


def _make(folder: Path) -> None:
    try:
        make_private_folder(folder)
    except OSError as error:
        raise OpenError(
            f"The data folder {folder} cannot be used ({error.strerror}); choose another one with --data."
        ) from None


class Worker(Protocol):
    """What does something for the whole fleet; `active` says whether it does now."""

    active: bool

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End; it may begin again."""


@dataclass
class Duty:
    """Something that one node does for the whole fleet, and until when this one may, by the monotonic clock."""

    lease: str
    worker: Worker
    until: float = 0.0


class Cluster:
    """Keeps the lease, and says how this node is. Where another node watches the same workspace, it stands by."""

    def __init__(
        self,
        log: JetStreamLog,
        nodes: Nodes,
        supervisor: Supervisor,
        clients: Callable[[], int],
        draining: Callable[[], bool],
        notifier: Notifier | None = None,
        background: BackgroundTasks | None = None,
        standups: StandupSchedule | None = None,
    ) -> None:
        """Prepare.

        Args:
            log: the log of this node.
            nodes: what it knows of the others.
            supervisor: the sources of this host.
            clients: counts those who are connected here.
            draining: says whether this node is about to stop.
            notifier: sends the fleet's notifications while this node holds the lease for that.
            background: where it is reported that the lease could not be looked after.
            standups: holds the fleet's scheduled standups while this node holds the lease for that.
        """
        self.log = log
        self._nodes = nodes
        self._supervisor = supervisor
        self._clients = clients
        self._draining = draining
        self._background = background or BackgroundTasks()
        self._duties = [
            Duty(lease, worker)
            for lease, worker in ((NOTIFY_LEASE, notifier), (STANDUP_LEASE, standups))
            if worker is not None
        ]
        self._began = monotonic()
        self._watching = False
        self._renewed = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns when the sources have looked, or stand by."""
        await self._nodes.start(self._node)
        self._supervisor.start_standby()
        await self._take_duties()
        await self._take_turn()
        self._task = asyncio.create_task(self._keep(), name="keep the lease")

    async def stop(self) -> None:
        """End; the lease is another node's to take."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for duty in self._duties:
            await duty.worker.stop()
        await self._nodes.stop()

    def page(self) -> dict[str, Any]:
        """Return how the engine, the nodes and the hosts are, as `/health` and `/api/system/status` show it."""
        nodes = self._nodes.all()
        link, log = self.log.link, self.log
        present = {node.host for node in nodes}
        words = self._nodes.last_words()
        stamp = rfc3339(now()).decode()
        # Whoever has just begun has not had the time to hear of everybody.
        young = monotonic() - self._began < AWAY_SECONDS
        return {
            "node": self._nodes.name,
            "host": log.host,
            "engine": {
                "kind": "jetstream",
                "status": "ok" if link.trouble is None else "away",
                "error": link.trouble,
                "server": link.server,
                "stream": link.facts._asdict() if link.facts is not None else None,
                "lag": log.lag,
            },
            "clients": sum(node.clients for node in nodes),
            "nodes": msgspec.to_builtins(nodes),
            "hosts": {
                host: {
                    "online": host in present or (None if young and host not in words else False),
                    "since": stamp if host in present else words.get(host),
                }
                for host in sorted(log.hosts)
            },
        }

    def _node(self) -> Node:
        return Node(
            node=self._nodes.name,
            host=self.log.host,
            clients=self._clients(),
            head=self.log.head,
            lag=self.log.lag,
            sources=self._watching,
            draining=self._draining(),
            version=version("mission-control"),
            at=rfc3339(now()).decode(),
        )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_LOOK_SECONDS)
            try:
                self.log.hosts |= {node.host for node in self._nodes.all()}
                await self._take_duties()
                await self._take_turn()
            except Exception as error:
                # The lease is asked for again: without it nobody would watch this host.
                logger.exception("cluster.turn_failed")
                self._background.report("lease", error)
            else:
                self._background.report("lease", None)

    async def _take_duties(self) -> None:
        """Do what one node does for the whole fleet while this one holds the lease for it, and not a moment longer."""
        for duty in self._duties:
            asked = monotonic()
            with suppress(StoreError):
                held = await self._nodes.hold_lease(duty.lease)
                duty.until = asked + LEASE_SECONDS - LEASE_LOOK_SECONDS if held else 0.0
            if monotonic() >= duty.until:
                if duty.worker.active:
                    logger.warning("cluster.stand_by", extra={"lease": duty.lease, "host": self.log.host})
                    await duty.worker.stop()
            elif not duty.worker.active:
                await duty.worker.start()

    async def _take_turn(self) -> None:
        try:
            held = await self._nodes.hold_lease(self.log.host)
        except StoreError:
            # While NATS is away for all, whoever watched goes on, and keeps what it sees.
            held = self._watching or not self.log.link.connected
        else:
            self._renewed = monotonic() if held else self._renewed
        if held and not self._watching:
            self._watching = True
            await self._supervisor.start()
        elif self._watching and not held and monotonic() - self._renewed > LEASE_SECONDS / 2:
            logger.warning("sources.stand_by", extra={"host": self.log.host})
            self._watching = False
            await self._supervisor.stop()
            self._supervisor.start_standby()
