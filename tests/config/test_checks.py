"""What settings may be: a value out of range is an error that names the setting and its range."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.config import Config, load_config
from missioncontrol.config.checks import check
from missioncontrol.errors import ConfigError

HASH = "0" * 64


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"workspace": " "}, "workspace is empty"),
        ({"server.port": 65_536}, "server.port is 65536; a port is 0"),
        ({"server.max_clients": 0}, "server.max_clients is 0; the least is 1"),
        ({"server.flush_window": 2}, "the most is 1"),
        ({"log.retention_days": 0}, "log.retention_days must be above 0"),
        ({"search.transcript_bytes": 1}, "search.transcript_bytes at least 1048576"),
        ({"tasks.keep_completed_hours": -1}, "tasks.keep_completed_hours is -1"),
        ({"sources.gateway": "ftp://x"}, "sources.gateway is 'ftp://x'"),
        ({"budgets.daily": -1}, "budgets.daily is -1 US dollars"),
        ({"budgets.agents": {"scout": -0.5}}, "budgets.agents.scout is -0.5 US dollars"),
        ({"budgets.warn_at": 101}, "budgets.warn_at is 101"),
        ({"quotas.agents": 0}, "quotas.agents is 0; it is 1 to"),
        ({"quotas.questions_reserved": 10**6}, "quotas.questions_reserved"),
        ({"mcp.max_sessions": 0}, "mcp.max_sessions must be at least 1"),
        ({"telemetry.endpoint": "localhost:4318"}, "telemetry.endpoint is 'localhost:4318'"),
        ({"telemetry.interval": 0}, "telemetry.interval is 0"),
        ({"log.url": "postgres://secret@x"}, "log.url must be 'sqlite'"),
        ({"cluster.stream": "a b"}, "cluster.stream is 'a b'"),
        ({"cluster.host": "UPPER"}, "cluster.host is 'UPPER'"),
        ({"cluster.replicas": 2}, "cluster.replicas is 2; it is 1, 3 or 5"),
        ({"cluster.tls_cert": "/x"}, "go together"),
        ({"cluster.publish_timeout": 0}, "cluster.publish_timeout at least 0.1"),
        ({"server.tokens": [{"name": "operator", "sha256": HASH}]}, "none of operator, api"),
        ({"server.tokens": [{"name": "a", "sha256": HASH, "agent": " "}]}, "The agent of the token 'a'"),
        ({"server.tokens": [{"name": "a", "sha256": "x"}]}, "64 hex digits"),
        ({"server.heartbeat_interval": float("nan")}, "write a finite number"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_an_error_that_names_the_setting(flags: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(flags=flags)
    assert part in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_defaults_are_right() -> None:
    check(Config())
