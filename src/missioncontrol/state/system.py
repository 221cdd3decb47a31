"""The system: the gateway's status and the newest alerts."""

from __future__ import annotations

from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.limits import MAX_ALERTS, MAX_HOSTS, MAX_NOTE_BYTES, MAX_RECORD_BYTES
from missioncontrol.state.tables import StatePart, encode_json
from missioncontrol.state.values import cut, size_of, text_in, time_of

LEVELS = ("critical", "warning", "info")


class System(StatePart):
    """The gateway's status and the newest alerts, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._gateway: Data | None = None
        self._gateways: dict[str, Data] = {}
        self._alerts: list[Data] = []
        self.folds = {
            "system:status": self._status,
            "system:alert": self._alert,
            "state:baseline": self._baseline,
        }

    def _status(self, data: Data, record: Record) -> None:
        status = text_in(data, "status")
        if status is not None:
            self._gateway = _bounded(
                {"status": status, "details": data.get("details"), "updated": time_of(data, record)}, "status"
            )
            if record.host is not None and (record.host in self._gateways or len(self._gateways) < MAX_HOSTS):
                self._gateways[record.host] = self._gateway
            self.changed()

    def _baseline(self, data: Data, record: Record) -> None:
        gateway = data.get("gateway")
        if isinstance(gateway, dict):
            self._status({"timestamp": gateway.get("updated"), **gateway}, record)

    def _alert(self, data: Data, record: Record) -> None:
        message, level = text_in(data, "message"), data.get("level")
        if message is not None:
            alert = {
                "id": record.id,
                "level": level if isinstance(level, str) and level in LEVELS else "info",
                "message": message,
                "details": data.get("details"),
                "timestamp": time_of(data, record),
            }
            if record.host is not None:
                alert["host"] = record.host
            self._alerts = [_bounded(alert, "message"), *self._alerts[: MAX_ALERTS - 1]]
            self.changed()

    def encode(self) -> bytes:
        """Return the gateway, null before its first status, and the alerts; of several hosts also all gateways."""
        value: Data = {"gateway": self._gateway, "alerts": self._alerts}
        if self._gateways:
            value["gateways"] = {host: self._gateways[host] for host in sorted(self._gateways)}
        return encode_json(value)

    def restore(self, value: Any) -> None:
        """Take over what `encode` has written."""
        gateway = value["gateway"]
        self._gateway = _bounded(gateway, "status") if isinstance(gateway, dict) else None
        gateways = dict(value.get("gateways", {}))
        self._gateways = {
            host: _bounded(gateways[host], "status")
            for host in sorted(gateways)[:MAX_HOSTS]
            if isinstance(gateways[host], dict)
        }
        self._alerts = [
            _bounded(alert, "message")
            for alert in list(value["alerts"])[:MAX_ALERTS]
            if isinstance(alert, dict)
        ]
        self.changed()


def _bounded(record: Data, text: str) -> Data:
    """Return a record without its details, and with the beginning of its text, where it is too large."""
    if size_of(record) <= MAX_RECORD_BYTES:
        return record
    whole = record.get(text)
    return {**record, "details": None, text: cut(whole, MAX_NOTE_BYTES) if isinstance(whole, str) else whole}
