"""Mission Control: watches a fleet of AI agents, and tells every browser and program about each change."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from missioncontrol.app import MissionControl
    from missioncontrol.client import Client
    from missioncontrol.errors import MissionControlError
    from missioncontrol.events import Cursor, Event

_HOMES = {
    "Client": "missioncontrol.client",
    "Cursor": "missioncontrol.events",
    "Event": "missioncontrol.events",
    "MissionControl": "missioncontrol.app",
    "MissionControlError": "missioncontrol.errors",
}

__all__ = ["Client", "Cursor", "Event", "MissionControl", "MissionControlError"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: a script that publishes one event needs no server."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
