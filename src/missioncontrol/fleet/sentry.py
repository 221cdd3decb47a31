"""Reads the gateway's status and alerts from Sentry's `state.json`: pure functions from bytes to a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from missioncontrol.events import Data
from missioncontrol.events.decoding import decode_json

Level = Literal["critical", "warning", "info"]

MAX_ALERTS = 200
MAX_TEXT = 1_000

_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("critical", "crit", "fatal", "error", "high", "emergency"), "critical"),
    **dict.fromkeys(("warning", "warn", "medium", "moderate"), "warning"),
}


class SentryAlert(NamedTuple):
    """An alert that Sentry has raised; `key` is its id, else its message."""

    key: str
    level: Level
    message: str
    details: Data


class SentryReport(NamedTuple):
    """The gateway according to Sentry; `status` is None if the file has none.

    `last_check` is the time of Sentry's last check, and `listed` are its alerts as it has written them.
    """

    status: str | None
    details: Data
    alerts: list[SentryAlert]
    last_check: str | None = None
    listed: Sequence[Data] = ()


def read_report(data: bytes) -> SentryReport:
    """Read Sentry's state.

    Raises:
        ValueError: it is not a JSON object; the message has the reason, in a few words.
    """
    try:
        tree = decode_json(data.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise ValueError("it is no object")
    system = _object(tree.get("system"))
    status = next((system[name] for name in ("gatewayStatus", "gateway_status") if system.get(name)), None)
    details: Data = {
        "source": "sentry",
        **{name: tree[name] for name in ("sessions", "agents") if name in tree},
    }
    details |= {name: value for name, value in system.items() if name != "lastCheck"}
    alerts = tree.get("alerts")
    listed = (alerts if isinstance(alerts, list) else [])[:MAX_ALERTS]
    found = [_alert(alert) for alert in listed]
    last_check = system.get("lastCheck")
    return SentryReport(
        str(status)[:100] if isinstance(status, (str, int, float)) else None,
        details,
        [alert for alert in found if alert is not None],
        last_check if isinstance(last_check, str) else None,
        [alert for alert in listed if isinstance(alert, dict)],
    )


def level_of(word: Any) -> Level:
    """Map a severity in free text to one of the three levels."""
    return _LEVELS.get(str(word).casefold(), "info")


def _alert(alert: Any) -> SentryAlert | None:
    if isinstance(alert, str):
        alert = {"message": alert}
    if not isinstance(alert, dict):
        return None
    message = next((alert[name] for name in ("message", "title", "text") if alert.get(name)), None)
    if not isinstance(message, str):
        return None
    details = {"source": "sentry", **{name: alert[name] for name in ("id", "timestamp") if name in alert}}
    key = str(alert.get("id") or message)[:MAX_TEXT]
    return SentryAlert(key, level_of(alert.get("level")), message[:MAX_TEXT], details)


def _object(value: Any) -> Data:
    return value if isinstance(value, dict) else {}
