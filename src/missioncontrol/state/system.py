"""The system: the gateway's status and the newest alerts."""

from __future__ import annotations

from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.tables import Noun, text_in, time_of

MAX_ALERTS = 50
"""How many alerts the state keeps; the log has them all."""

LEVELS = ("critical", "warning", "info")


class System(Noun):
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
            self._gateway = {
                "status": status,
                "details": data.get("details"),
                "updated": time_of(data, record),
            }
            if record.host is not None:
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
                "level": level if level in LEVELS else "info",
                "message": message,
                "details": data.get("details"),
                "timestamp": time_of(data, record),
            }
            if record.host is not None:
                alert["host"] = record.host
            self._alerts = [alert, *self._alerts[: MAX_ALERTS - 1]]
            self.changed()

    def value(self) -> Data:
        """Return the gateway, null before its first status, and the alerts; of several hosts also all gateways."""
        value: Data = {"gateway": self._gateway, "alerts": self._alerts}
        if self._gateways:
            value["gateways"] = {host: self._gateways[host] for host in sorted(self._gateways)}
        return value

    def restore(self, value: Any) -> None:
        """Take over what `value` returned."""
        self._gateway = value["gateway"]
        self._gateways = dict(value.get("gateways", {}))
        self._alerts = list(value["alerts"])
        self.changed()
