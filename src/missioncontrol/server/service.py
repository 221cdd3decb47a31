"""What every shell of the server stands on: the running parts, as the app has put them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from missioncontrol.config import Config
from missioncontrol.hub import Hub
from missioncontrol.notify import Notifier
from missioncontrol.search import Search
from missioncontrol.server.access import Access
from missioncontrol.server.forwarded import TrustedProxies
from missioncontrol.sources.hooks.desk import HookDesk
from missioncontrol.sources.host import HostFigures
from missioncontrol.sources.messages import Messages
from missioncontrol.sources.questions import Questions
from missioncontrol.sources.tasks import TaskQueue
from missioncontrol.sources.telemetry import Receiver
from missioncontrol.sources.tokens import Tokens
from missioncontrol.state import FleetState
from missioncontrol.store import Log


@dataclass
class Service:
    """The running parts.

    `sources` tells the health of each source by name, `host` how this machine is doing, for `/health` and `/metrics`.
    `cluster` tells how the nodes and hosts of a fleet of several are, and `host_name` is what it calls this host.
    `notifier` tells people outside the dashboard, where the settings name any; `search` finds what has
    happened, where it is not turned off.
    """

    config: Config
    workspace: Path
    log: Log
    hub: Hub
    state: FleetState
    access: Access
    proxies: TrustedProxies
    tasks: TaskQueue
    tokens: Tokens
    messages: Messages
    questions: Questions
    telemetry: Receiver
    hooks: HookDesk
    sources: Callable[[], dict[str, Any]]
    host: Callable[[], HostFigures | None] = lambda: None
    host_name: str | None = None
    cluster: Callable[[], dict[str, Any]] | None = None
    notifier: Notifier | None = None
    search: Search | None = None
    simulation: bool = False
    draining: bool = False
    started: float = field(default_factory=monotonic)
