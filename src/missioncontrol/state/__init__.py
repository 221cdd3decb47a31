"""The state of the fleet: a pure fold over the log."""

from missioncontrol.events.limits import deeper_than
from missioncontrol.state.agents import KINDS, kind_of
from missioncontrol.state.fold import FleetState
from missioncontrol.state.ledger import LEDGER_EVENTS, DayLedger, DaySummary
from missioncontrol.state.questions import QUESTION_KINDS

__all__ = [
    "KINDS",
    "LEDGER_EVENTS",
    "QUESTION_KINDS",
    "DayLedger",
    "DaySummary",
    "FleetState",
    "deeper_than",
    "kind_of",
]
