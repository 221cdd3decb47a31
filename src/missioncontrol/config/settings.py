"""The settings by section, with their defaults."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Literal

import msgspec

from missioncontrol.errors import ConfigError

Scope = Literal["read", "fleet", "publish", "answer", "admin"]

RESERVED_TOKEN_NAMES = ("operator", "api")
"""What events show as `by` for a person and for programs without a token."""

MAX_TOKEN_NAME = 64

DEFAULT_PORT, DEFAULT_WS_PORT = 3001, 3002

DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
"""Where a server is that nobody has configured."""


class TokenConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A token that is let in: `sha256` is the hex digest of it, never the token itself.

    With `agent` it speaks for that agent alone.
    """

    name: str
    sha256: str
    scopes: list[Scope] = msgspec.field(default_factory=lambda: ["read"])
    agent: str | None = None


class ServerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ports and what may pass through them; times in seconds.

    A port that is `auto` gives way where it is taken: the first to another one, the second is left out.
    """

    host: str = "127.0.0.1"
    port: int | Literal["auto"] = "auto"
    ws_port: int | Literal["none", "auto"] = "auto"
    max_clients: int = 10_000
    heartbeat_interval: float = 30.0
    max_history: int = 100
    flush_window: float = 0.02
    allowed_origins: list[str] = []
    trusted_proxies: list[str] = []
    drain_window: float = 0.0
    max_export_elements: int = 100_000
    tokens: list[TokenConfig] = []

    @property
    def wanted_port(self) -> int:
        """The port to try first."""
        return DEFAULT_PORT if self.port == "auto" else self.port

    @property
    def wanted_ws_port(self) -> int | None:
        """The second port to try first; None where there is to be none."""
        return DEFAULT_WS_PORT if self.ws_port == "auto" else None if self.ws_port == "none" else self.ws_port


class LogConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the log is and how much of it is kept."""

    url: str = "sqlite"
    retention_days: float = 7.0
    retention_bytes: int = 1_073_741_824
    synchronous: Literal["normal", "full"] = "normal"


class ClusterConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The NATS servers that `log.url` names, and who this node is among the others; times in seconds.

    `host` is the name of the host that owns the workspace, by default this machine's. `credentials` is a file as
    `nsc generate creds` writes it; a name and a password, or a token, stand in `log.url`, as in
    `nats://USER:PASSWORD@HOST:4222`, or better in `MISSION_CONTROL_LOG`.
    """

    host: str | None = None
    stream: str = "MISSION_CONTROL"
    replicas: int = 1
    credentials: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    duplicate_window: float = 120.0
    publish_timeout: float = 5.0


class BudgetConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Daily budgets in US dollars; `warn_at` in percent.

    With `on_exceed` set to `ask` a person is asked whether to go on once a budget is spent.
    """

    daily: float = 10.0
    warn_at: float = 80.0
    on_exceed: Literal["alert", "ask"] = "alert"
    agents: dict[str, float] = {}


class SourcesConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is read besides the workspace.

    `places` says where each runtime keeps its files: `auto`, `off`, or a path. In the config file the runtimes are keys
    of `[sources]` themselves.
    """

    places: dict[str, str] = {}
    gateway: str = "auto"
    ignore: list[str] = []

    def place_of(self, runtime: str) -> str:
        """Return what is set for a runtime: `auto`, `off`, or a path."""
        return self.places.get(runtime, "auto")


class McpConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The sessions at `/mcp`: how many there may be, and after how many seconds of silence one is over."""

    max_sessions: int = 1_000
    session_idle: float = 1_800.0


Level = Literal["info", "warning", "critical"]


class NotifyRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events are told to whom, and when.

    `events` and `urls` are the section's where a rule has none of its own. `levels` names levels one by one, in the
    place of `min_level`; events that have no level pass both. `agents` are patterns as in a shell. In `quiet_hours`, as
    in "22:00-07:00" on the clock of `quiet_zone` (this machine's without one), events are kept for one message at their
    end, but for those that are `quiet_except`. `storm_seconds` is how long others are waited for that go into the same
    message as a first one, `per_hour` how many messages there are at most. `title` and `body` may have `{fields}`.
    """

    name: str
    events: list[str] = []
    min_level: Level = "warning"
    levels: list[Level] = []
    agents: list[str] = []
    urls: list[str] = []
    quiet_hours: str | None = None
    quiet_zone: str | None = None
    quiet_except: Literal["critical"] | None = None
    storm_seconds: float = 10.0
    per_hour: int = 30
    title: str | None = None
    body: str | None = None


class NotifyConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who is told outside the dashboard: by `rules`, or without any by one rule of `events` and `urls`."""

    urls: list[str] = []
    events: list[str] = msgspec.field(
        default_factory=lambda: ["system:alert", "token:threshold", "question:asked"]
    )
    rules: list[NotifyRule] = []


class TelemetryConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where our own traces and metrics are sent by OTLP over HTTP; without an endpoint nowhere.

    `endpoint` is the collector's address, without `/v1/…`; `interval` is between two exports of metrics, in seconds.
    """

    endpoint: str | None = None
    headers: dict[str, str] = {}
    traces: bool = True
    metrics: bool = True
    interval: float = 30.0


class SearchConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What can be found: whether anything is, whether transcripts are, and how long and how much of those is kept.

    `redact` says whether secrets are masked in transcripts and in what is found.
    """

    enabled: bool = True
    transcripts: bool = True
    redact: bool = True
    transcript_days: float = 30.0
    transcript_bytes: int = 1_073_741_824


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class StandupConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """When a standup is held by itself: at a time of day, as in "09:00", on this machine's clock; without one never.

    `weekdays` are the days of the week on which it is; without any, every day.
    """

    at: str | None = None
    weekdays: list[Weekday] = []


MAX_KEEP_HOURS = 87_600.0
"""Ten years: the longest time for which tasks that are over may be kept in the state."""


class TasksConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The task queue: for how many hours tasks that are over stay in the state. They stay in the file's history."""

    keep_completed_hours: float = 24.0


class QuotasConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How much the state may hold: records by kind, and bytes of one record. What is over is refused.

    `questions` is how many may be open; `questions_reserved` of these are kept for permissions.
    `questions_per_asker` is how many of one agent may be open, `questions_per_author` how many of all agents that one
    token, or all programs without one, speak for; and as many permissions again.
    """

    agents: int = 5_000
    tasks: int = 100_000
    leads: int = 100_000
    record_bytes: int = 65_536
    questions: int = 1_000
    questions_per_asker: int = 20
    questions_per_author: int = 100
    questions_reserved: int = 200


MAX_QUOTAS = {
    "agents": 20_000,
    "tasks": 400_000,
    "leads": 400_000,
    "record_bytes": 65_536,
    "questions": 4_000,
    "questions_per_asker": 4_000,
    "questions_per_author": 4_000,
}
"""The bounds of the fold (`missioncontrol.state.limits`), which no setting may go beyond."""


class Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All settings, as the TOML file writes them."""

    workspace: str | None = None
    data: str | None = None
    server: ServerConfig = msgspec.field(default_factory=ServerConfig)
    log: LogConfig = msgspec.field(default_factory=LogConfig)
    cluster: ClusterConfig = msgspec.field(default_factory=ClusterConfig)
    budgets: BudgetConfig = msgspec.field(default_factory=BudgetConfig)
    sources: SourcesConfig = msgspec.field(default_factory=SourcesConfig)
    tasks: TasksConfig = msgspec.field(default_factory=TasksConfig)
    notify: NotifyConfig = msgspec.field(default_factory=NotifyConfig)
    search: SearchConfig = msgspec.field(default_factory=SearchConfig)
    telemetry: TelemetryConfig = msgspec.field(default_factory=TelemetryConfig)
    mcp: McpConfig = msgspec.field(default_factory=McpConfig)
    quotas: QuotasConfig = msgspec.field(default_factory=QuotasConfig)
    standup: StandupConfig = msgspec.field(default_factory=StandupConfig)

    @property
    def workspace_path(self) -> Path:
        """The workspace folder: as set, else `~/.openclaw/workspace` where it exists, else the current one."""
        if self.workspace is not None:
            return _resolve("workspace", self.workspace)
        usual = Path("~/.openclaw/workspace").expanduser()
        return (usual if usual.is_dir() else Path.cwd()).resolve()

    @property
    def nats_servers(self) -> list[str]:
        """The addresses of the NATS servers that put the log in order; empty where the log is this machine's own."""
        if self.log.url == "sqlite":
            return []
        scheme, _, rest = self.log.url.partition("://")
        return [f"{scheme}://{server.strip().removeprefix(f'{scheme}://')}" for server in rest.split(",")]

    @property
    def data_path(self) -> Path:
        """The data folder: as set, else one sub-folder per workspace below the user's data folder."""
        if self.data is not None:
            return _resolve("data", self.data)
        workspace = self.workspace_path
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", workspace.name) or "root"
        digest = hashlib.sha256(str(workspace).encode()).hexdigest()[:8]
        return (data_home() / f"{name}-{digest}").resolve()


def _resolve(name: str, folder: str) -> Path:
    try:
        return Path(folder).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        # A loop of symbolic links, the home of a user that does not exist, a NUL.
        raise ConfigError(f"{name} is {folder!r}, which cannot be a folder here: {error}.") from None


def data_home() -> Path:
    """Return the folder for what servers of this user keep."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "mission-control"
