"""The state of the fleet: a pure fold over the log."""

from missioncontrol.state.agents import KINDS, kind_of
from missioncontrol.state.fold import FleetState
from missioncontrol.state.tables import deeper_than

__all__ = ["KINDS", "FleetState", "deeper_than", "kind_of"]
