"""The state of the fleet: a pure fold over the log."""

from missioncontrol.state.agents import KINDS, kind_of
from missioncontrol.state.fold import FleetState
from missioncontrol.state.ledger import LEDGER_EVENTS, Reckoning, reckon
from missioncontrol.state.questions import QUESTION_KINDS
from missioncontrol.state.tables import deeper_than

__all__ = [
    "KINDS",
    "LEDGER_EVENTS",
    "QUESTION_KINDS",
    "FleetState",
    "Reckoning",
    "deeper_than",
    "kind_of",
    "reckon",
]
