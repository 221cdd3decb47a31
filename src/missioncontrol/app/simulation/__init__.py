"""The simulated fleet of `mission-control demo`."""

from missioncontrol.app.simulation.fleet import FLEET
from missioncontrol.app.simulation.simulation import Simulation

__all__ = ["FLEET", "Simulation"]
