"""Token use and the system: the two nouns that are not lists of records."""

from __future__ import annotations

from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.tables import Noun, id_in, number_in, text_in, time_of

MAX_ALERTS = 50
"""How many alerts the state keeps; the log has them all."""

LEVELS = ("critical", "warning", "info")


class Tokens(Noun):
    """Each agent's token use so far, the sum, and the last budget threshold that each has crossed.

    An event tells totals, so the newest one stands for all before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, Data] = {}
        self._thresholds: dict[str, Data] = {}
        self.folds = {"token:usage": self._usage, "token:threshold": self._threshold}

    def _usage(self, data: Data, record: Record) -> None:
        agent, tokens, cost = id_in(data, "agent"), number_in(data, "tokens"), number_in(data, "cost")
        if agent is None or (tokens is None and cost is None):
            return
        old = self._agents.get(agent, {})
        self._agents[agent] = {
            "tokens": old.get("tokens", 0) if tokens is None else tokens,
            "cost": old.get("cost", 0) if cost is None else cost,
            "session": data["session"] if "session" in data else old.get("session"),
            "updated": time_of(data, record),
        }
        self.changed()

    def _threshold(self, data: Data, record: Record) -> None:
        agent, level = id_in(data, "agent"), data.get("alert")
        if agent is None or level not in LEVELS:
            return
        self._thresholds[agent] = {
            "alert": level,
            "currentCost": number_in(data, "currentCost"),
            "threshold": number_in(data, "threshold"),
            "percentUsed": number_in(data, "percentUsed"),
            "updated": time_of(data, record),
        }
        self.changed()

    def value(self) -> Data:
        """Return use by agent, the sum, and thresholds by agent."""
        # Summed in the order of names: the same numbers then give the same sum, in whatever order they were told.
        agents = {name: self._agents[name] for name in sorted(self._agents)}
        return {
            "agents": agents,
            "thresholds": {name: self._thresholds[name] for name in sorted(self._thresholds)},
            "total": {
                "tokens": sum(use["tokens"] for use in agents.values()),
                "cost": sum(use["cost"] for use in agents.values()),
            },
        }

    def restore(self, value: Data) -> None:
        """Take over what `value` returned; the sum is made anew."""
        self._agents = dict(value["agents"])
        self._thresholds = dict(value["thresholds"])
        self.changed()


class System(Noun):
    """The gateway's status and the newest alerts, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._gateway: Data | None = None
        self._alerts: list[Data] = []
        self.folds = {"system:status": self._status, "system:alert": self._alert}

    def _status(self, data: Data, record: Record) -> None:
        status = text_in(data, "status")
        if status is not None:
            self._gateway = {
                "status": status,
                "details": data.get("details"),
                "updated": time_of(data, record),
            }
            self.changed()

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
            self._alerts = [alert, *self._alerts[: MAX_ALERTS - 1]]
            self.changed()

    def value(self) -> Data:
        """Return the gateway, null before its first status, and the alerts."""
        return {"gateway": self._gateway, "alerts": self._alerts}

    def restore(self, value: Any) -> None:
        """Take over what `value` returned."""
        self._gateway = value["gateway"]
        self._alerts = list(value["alerts"])
        self.changed()
