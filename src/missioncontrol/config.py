"""Settings: flags, environment, the TOML file and defaults, in this order.

Every setting has one name: `server.port` in the file is `--port` on the command line and
`MISSION_CONTROL_PORT` in the environment.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

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


ENVIRONMENT: dict[str, str] = {
    "MISSION_CONTROL_WORKSPACE": "workspace",
    "MISSION_CONTROL_DATA": "data",
    "MISSION_CONTROL_HOST": "server.host",
    "MISSION_CONTROL_PORT": "server.port",
    "MISSION_CONTROL_WS_PORT": "server.ws_port",
    "MISSION_CONTROL_MAX_CLIENTS": "server.max_clients",
    "MISSION_CONTROL_HEARTBEAT_INTERVAL": "server.heartbeat_interval",
    "MISSION_CONTROL_MAX_HISTORY": "server.max_history",
    "MISSION_CONTROL_FLUSH_WINDOW": "server.flush_window",
    "MISSION_CONTROL_DRAIN_WINDOW": "server.drain_window",
    "MISSION_CONTROL_LOG": "log.url",
    "MISSION_CONTROL_RETENTION_DAYS": "log.retention_days",
    "MISSION_CONTROL_RETENTION_BYTES": "log.retention_bytes",
    "MISSION_CONTROL_SYNCHRONOUS": "log.synchronous",
    "MISSION_CONTROL_CLUSTER_HOST": "cluster.host",
    "MISSION_CONTROL_CLUSTER_STREAM": "cluster.stream",
    "MISSION_CONTROL_CLUSTER_REPLICAS": "cluster.replicas",
    "MISSION_CONTROL_CLUSTER_CREDENTIALS": "cluster.credentials",
    "MISSION_CONTROL_TELEMETRY_ENDPOINT": "telemetry.endpoint",
    "MC_API_PORT": "server.port",
    "WS_PORT": "server.ws_port",
}
"""Environment variables and the settings they set; the last two are the aliases of older installs."""

HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
"""What a host of the fleet may be called."""

# Prepares the type for `msgspec.convert`, which two threads must not do at the same time.
_prepared = msgspec.json.Decoder(Config)
MAX_FILE_BYTES = 1024 * 1024
MAX_KEY_PARTS = 100
_ALIASES = ("MC_API_PORT", "WS_PORT")
_NATS = re.compile(r"(nats|tls)://[^\s,/]+(,((nats|tls)://)?[^\s,/]+)*/?")
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,32}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_MINIMA: dict[str, float] = {
    "max_clients": 1,
    "heartbeat_interval": 0.05,
    "max_history": 1,
    "flush_window": 0.0,
    "drain_window": 0.0,
    "max_export_elements": 1,
}


def load_config(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Put the settings together.

    Args:
        file: the TOML file, if any.
        flags: settings by dotted name (`server.port`); None values are passed over.
        environment: the process's environment.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, or a value is out of range; the message names it.
    """
    tree: dict[str, Any] = {}
    if file is not None:
        tree = _read_file(file)
    environment = {} if environment is None else environment
    variables: dict[str, str] = {}
    for name in (*_ALIASES, *(n for n in ENVIRONMENT if n not in _ALIASES)):
        if name in environment:
            _set(tree, ENVIRONMENT[name], environment[name])
            variables[ENVIRONMENT[name]] = name
    for dotted, value in (flags or {}).items():
        if value is not None:
            _set(tree, dotted, value)
            variables.pop(dotted, None)
    _gather_places(tree)
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        variable = variables.get(path.strip("`").removeprefix("$."))
        if variable is not None:
            raise ConfigError(f"The variable {variable} is {environment[variable]!r}: {what}.") from None
        where = f" ({file})" if file else ""
        raise ConfigError(f"A setting is wrong{where}: {error}.") from None
    for name, number in _numbers(msgspec.to_builtins(config)):
        if not math.isfinite(number):
            raise ConfigError(f"{name} is {number}; write a finite number.")
    _check(config)
    return config


def _read_file(file: Path) -> dict[str, Any]:
    try:
        # A pipe would be waited for, and a huge number or a deep list is no reason to end the program.
        if not file.is_file() and file.exists():
            raise ConfigError(f"The config file {file} cannot be read: it is no regular file.")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(
                f"The config file {file} cannot be read: it has more than {MAX_FILE_BYTES:,} bytes."
            )
        text = file.read_text(encoding="utf-8")
        if (line := _with_long_key(text)) is not None:
            raise ConfigError(
                f"The config file {file} cannot be read: line {line} has a key of too many parts."
            )
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"The config file {file} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise ConfigError(f"The config file {file} is not TOML: {reason}.") from None


def _with_long_key(text: str) -> int | None:
    """Return the first line with more dots in front of its value than any key has; reading one takes their square."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.partition("=")[0].count(".") > MAX_KEY_PARTS:
            return number
    return None


def _gather_places(tree: dict[str, Any]) -> None:
    """Put the keys of `[sources]` that name runtimes together; whether there are such runtimes is checked later."""
    sources = tree.get("sources")
    if isinstance(sources, dict) and "places" not in sources:
        named = {key: value for key, value in sources.items() if key not in SourcesConfig.__struct_fields__}
        tree["sources"] = {
            **{key: value for key, value in sources.items() if key not in named},
            "places": named,
        }


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Find the numbers among settings, with the dotted name of each."""
    if isinstance(value, float):
        yield path, value
        return
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}" if path else str(key))


def _set(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"The setting {section!r} is a section: write [{section}] above its keys.")
    tree[key] = value


def _check(config: Config) -> None:
    for name, folder in (("workspace", config.workspace), ("data", config.data)):
        if folder is not None and not folder.strip():
            raise ConfigError(f"{name} is empty; name a folder, or leave the setting out.")
    server = config.server
    for name, port in (("server.port", server.port), ("server.ws_port", server.ws_port)):
        if not isinstance(port, str) and not 0 <= port <= 65_535:
            raise ConfigError(f"{name} is {port}; a port is 0 (any free one) to 65535.")
    for name, minimum in _MINIMA.items():
        if getattr(server, name) < minimum:
            raise ConfigError(f"server.{name} is {getattr(server, name)}; the least is {minimum:g}.")
    if server.flush_window > 1:
        raise ConfigError(f"server.flush_window is {server.flush_window} seconds; the most is 1.")
    if config.log.retention_days <= 0 or config.log.retention_bytes < 65_536:
        raise ConfigError("log.retention_days must be above 0 and log.retention_bytes at least 65536.")
    if config.search.transcript_days <= 0 or config.search.transcript_bytes < 1_048_576:
        raise ConfigError(
            "search.transcript_days must be above 0 and search.transcript_bytes at least 1048576; "
            "search.transcripts = false keeps nothing of transcripts."
        )
    if not 0 <= config.tasks.keep_completed_hours <= MAX_KEEP_HOURS:
        raise ConfigError(
            f"tasks.keep_completed_hours is {config.tasks.keep_completed_hours}; "
            f"it is 0 (tasks that are over leave the state at once) to {MAX_KEEP_HOURS:g}."
        )
    gateway = config.sources.gateway
    if gateway not in ("auto", "off") and not gateway.startswith(("http://", "https://")):
        raise ConfigError(
            f"sources.gateway is {gateway!r}; it is 'auto', 'off', or an address such as http://127.0.0.1:18789."
        )
    _check_budgets(config.budgets)
    _check_quotas(config.quotas)
    _check_cluster(config)
    _check_telemetry(config.telemetry)
    if config.mcp.max_sessions < 1 or not 0.1 <= config.mcp.session_idle <= 86_400:
        raise ConfigError("mcp.max_sessions must be at least 1 and mcp.session_idle 0.1 to 86400 seconds.")
    for token in server.tokens:
        if not 0 < len(token.name) <= MAX_TOKEN_NAME or token.name in RESERVED_TOKEN_NAMES:
            raise ConfigError(
                f"The name of a token is {token.name[:MAX_TOKEN_NAME]!r}; it has 1 to {MAX_TOKEN_NAME} characters "
                f"and is none of {', '.join(RESERVED_TOKEN_NAMES)}, which events show for others."
            )
        if token.agent is not None and not token.agent.strip():
            raise ConfigError(f"The agent of the token {token.name!r} is empty; name one, or leave it out.")
        if not _HEX64.fullmatch(token.sha256):
            raise ConfigError(
                f"The token {token.name!r} needs the SHA-256 of itself in 64 hex digits; "
                f"`mission-control token new` prints both."
            )


def _check_quotas(quotas: QuotasConfig) -> None:
    for name, most in MAX_QUOTAS.items():
        if not 1 <= getattr(quotas, name) <= most:
            raise ConfigError(f"quotas.{name} is {getattr(quotas, name):,}; it is 1 to {most:,}.")
    if not 0 <= quotas.questions_reserved < quotas.questions:
        raise ConfigError(
            f"quotas.questions_reserved is {quotas.questions_reserved:,}; "
            f"it is 0 to less than quotas.questions, {quotas.questions:,}."
        )


def _check_budgets(budgets: BudgetConfig) -> None:
    named = {
        "daily": budgets.daily,
        **{f"agents.{agent}": budget for agent, budget in budgets.agents.items()},
    }
    for name, budget in named.items():
        if budget < 0:
            raise ConfigError(f"budgets.{name} is {budget:g} US dollars; the least is 0, which is no budget.")
    if not 0 < budgets.warn_at <= 100:
        raise ConfigError(
            f"budgets.warn_at is {budgets.warn_at:g}; it is in percent, above 0 and at most 100."
        )


def _check_telemetry(telemetry: TelemetryConfig) -> None:
    if telemetry.endpoint is not None and not telemetry.endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"telemetry.endpoint is {telemetry.endpoint!r}; it is an address such as http://127.0.0.1:4318."
        )
    if telemetry.interval < 1:
        raise ConfigError(f"telemetry.interval is {telemetry.interval} seconds; the least is 1.")


def _check_cluster(config: Config) -> None:
    cluster = config.cluster
    if config.log.url != "sqlite" and not _NATS.fullmatch(config.log.url):
        # It may have a password in it, so it is not repeated.
        raise ConfigError(
            "log.url must be 'sqlite', or name NATS servers as in nats://HOST:4222 or "
            "nats://HOST1:4222,HOST2:4222 (tls:// for encrypted connections)."
        )
    if not _STREAM.fullmatch(cluster.stream):
        raise ConfigError(
            f"cluster.stream is {cluster.stream!r}; a name has 1 to 32 letters, digits, hyphens and underscores."
        )
    if cluster.host is not None and not HOST_NAME.fullmatch(cluster.host):
        raise ConfigError(
            f"cluster.host is {cluster.host!r}; a host's name has small letters, digits, dots, hyphens and "
            f"underscores, and begins and ends with a letter or a digit."
        )
    if cluster.replicas not in (1, 3, 5):
        raise ConfigError(f"cluster.replicas is {cluster.replicas}; it is 1, 3 or 5.")
    if (cluster.tls_cert is None) != (cluster.tls_key is None):
        raise ConfigError("cluster.tls_cert and cluster.tls_key go together: set both, or neither.")
    for name in ("credentials", "tls_ca", "tls_cert", "tls_key"):
        path = getattr(cluster, name)
        if path is not None and config.nats_servers and not Path(path).expanduser().is_file():
            raise ConfigError(f"cluster.{name} is {path!r}, and there is no such file.")
    if cluster.duplicate_window < 1 or cluster.publish_timeout < 0.1:
        raise ConfigError(
            "cluster.duplicate_window must be at least 1 second and cluster.publish_timeout at least 0.1."
        )
