"""What every shell of the server stands on: the running parts, as the app has put them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol

import msgspec

from missioncontrol.background import BackgroundTasks
from missioncontrol.config import Config
from missioncontrol.events import Draft
from missioncontrol.fleet.folder_listing import FolderListing
from missioncontrol.fleet.hooks import HookIngest
from missioncontrol.fleet.host import HostFigures
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.sentry import SentryReport
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.hub import Hub
from missioncontrol.notify import Notifier
from missioncontrol.search import Search
from missioncontrol.server.access import Access
from missioncontrol.server.decoding import Decoders
from missioncontrol.server.forwarded import TrustedProxies
from missioncontrol.server.loop_lag import LoopLag
from missioncontrol.server.room import Descriptors, Room
from missioncontrol.standups import Standups
from missioncontrol.state import FleetState
from missioncontrol.state.quotas import Quotas
from missioncontrol.store import Log
from missioncontrol.store.log import Listener


class Publish(Protocol):
    """Appends what a client sends; `by` is who does, None for the source that each draft names."""

    def __call__(self, drafts: Sequence[Draft], by: str | None = None) -> Awaitable[list[int]]:
        """Append them, all or nothing, and return the ids once they are durable."""


class StepHealth(msgspec.Struct, rename="camel"):
    """How a step of the commit pipeline is doing: `failures` since start, `error` and `failedAt` of the last one."""

    name: str
    status: Literal["ok", "failed"] = "ok"
    failures: int = 0
    error: str | None = None
    failed_at: str | None = None


@dataclass
class Service:
    """The running parts.

    `publish` appends what a client sends, once the quotas let it through; `pipeline` returns how the steps after a
    commit are doing, and `listen` adds one of a name. `sources` tells the health of each source by name, `host` how
    this machine is doing, for `/health` and `/metrics`, and `sentry` what the agent of that name has reported last.
    `labels` has the values of a metric's label that have a line of their own. `cluster` tells how the nodes and
    hosts of a fleet of several are, and `host_name` is what it calls this host. `room` has the connections, and
    `descriptors` what the process has of those. `notifier` tells people outside the dashboard, where the settings
    name any; `search` finds what has happened, where it is not turned off. `standups` holds standups and has those
    that are kept.
    `background` runs what no caller awaits, `decoders` has the threads that long bodies are decoded on, and `loop_lag`
    measures how late the event loop is.
    """

    config: Config
    workspace: Path
    log: Log
    hub: Hub
    state: FleetState
    access: Access
    proxies: TrustedProxies
    tasks: TaskQueue
    tokens: UsageTracker
    messages: Messages
    questions: Questions
    files: FolderListing
    telemetry: Receiver
    hooks: HookIngest
    sources: Callable[[], dict[str, Any]]
    host: Callable[[], HostFigures | None] = lambda: None
    sentry: Callable[[], SentryReport | None] = lambda: None
    host_name: str | None = None
    cluster: Callable[[], dict[str, Any]] | None = None
    notifier: Notifier | None = None
    search: Search | None = None
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    decoders: Decoders = field(default_factory=Decoders)
    room: Room = field(default_factory=lambda: Room(0, None, 0))
    descriptors: Descriptors = field(default_factory=Descriptors)
    publish: Publish = field(init=False)
    listen: Callable[[str, Listener], None] = field(init=False)
    standups: Standups = field(init=False)
    pipeline: Callable[[], list[StepHealth]] = list
    quotas: Quotas | None = None
    labels: dict[str, set[str]] = field(default_factory=dict)
    loop_lag: LoopLag = field(default_factory=LoopLag)
    simulation: bool = False
    draining: bool = False
    started: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        """Without a pipeline events go straight to the log; without a room, descriptors bound no connections."""
        if self.room.max_clients == 0:
            self.room = Room(self.config.server.max_clients, None, 0)
        self.publish = self._append
        self.listen = lambda _, listener: self.log.listen(listener)
        self.standups = Standups(self.log, self.state)

    async def _append(self, drafts: Sequence[Draft], by: str | None = None) -> list[int]:
        for draft in drafts:
            draft.by = by
        return await self.log.append(drafts)
