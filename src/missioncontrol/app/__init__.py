"""Puts everything together."""

from missioncontrol.app.mission_control import MissionControl

__all__ = ["MissionControl"]
