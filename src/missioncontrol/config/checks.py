"""What settings may be: each is checked once all are put together."""

from __future__ import annotations

import re
from pathlib import Path

from missioncontrol.config.settings import (
    MAX_KEEP_HOURS,
    MAX_QUOTAS,
    MAX_TOKEN_NAME,
    RESERVED_TOKEN_NAMES,
    BudgetConfig,
    Config,
    QuotasConfig,
    TelemetryConfig,
)
from missioncontrol.errors import ConfigError

HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
"""What a host of the fleet may be called."""


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


def check(config: Config) -> None:
    """Check what the types of settings do not say.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """
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
