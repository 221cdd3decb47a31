"""A host's own part of the fleet's state, under the ids that its files and sources use.

Sources compare what they see with what is known. In a fleet of several hosts that is this state: the same fold, over
what is about this host alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from missioncontrol.events import Data, Record
from missioncontrol.events.hosts import id_at_home, told_at_home
from missioncontrol.state import FleetState


class HostView:
    """Keeps `state` in step with what the fleet hears."""

    def __init__(self, fleet: FleetState, host: str) -> None:
        """Begin with what the fleet's state has of a host."""
        self.state = state_of_host(fleet, host)
        self._host = host

    def apply(self, records: Sequence[Record]) -> None:
        """Fold in what is about this host."""
        for record in records:
            data = told_at_home(record.type, record.data, record.host, self._host)
            if data is not None:
                self.state.apply([Record(record.id, record.type, record.time, record.body, data)])
        self.state.id = max(self.state.id, records[-1].id if records else 0)


def state_of_host(fleet: FleetState, host: str) -> FleetState:
    """Return what a state has of one host, as that host itself would have folded it."""
    snapshot = fleet.snapshot()
    for name in ("agents", "tasks", "leads"):
        snapshot[name] = [own for record in snapshot[name] if (own := _own(name, record, host)) is not None]
    snapshot["questions"] = []
    snapshot["standups"] = []
    snapshot["tokens"] = _own_tokens(snapshot["tokens"], host)
    system = snapshot["system"]
    snapshot["system"] = {
        "gateway": system.get("gateways", {}).get(host),
        "alerts": [alert for alert in system["alerts"] if alert.get("host") == host],
    }
    return FleetState.load(msgspec.json.encode({"id": fleet.id, "state": snapshot}))


def _own(noun: str, record: Data, host: str) -> Data | None:
    if id_at_home(record["id"], host) is None:
        return None
    told = told_at_home("state:baseline", {noun: [record]}, host, host) or {}
    own: Data = dict(told[noun][0])
    if own.get("host") == host:
        del own["host"]
    return own


def _own_tokens(tokens: dict[str, Any], host: str) -> dict[str, Any]:
    own = dict(tokens)
    for name in ("agents", "thresholds"):
        own[name] = {
            short: use for id_, use in tokens[name].items() if (short := id_at_home(id_, host)) is not None
        }
    for name in ("models", "days"):
        own[name] = {
            key: sums["hosts"][host] for key, sums in tokens[name].items() if host in sums.get("hosts", {})
        }
    own["sessions"] = [
        {**session, "agent": short}
        for session in tokens["sessions"]
        if (short := id_at_home(str(session.get("agent")), host)) is not None
    ]
    return own
