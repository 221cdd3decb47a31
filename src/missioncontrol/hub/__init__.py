"""Audiences, the flush window, back-pressure and presence: how many are told at the cost of few."""

from missioncontrol.hub.connection import Connection, Sink, history_json
from missioncontrol.hub.hub import Audience, Hub, HubFigures, Member

__all__ = ["Audience", "Connection", "Hub", "HubFigures", "Member", "Sink", "history_json"]
