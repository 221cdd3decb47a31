"""Standups: a summary of what each agent did since the one before, made on request or by a schedule, and kept."""

from missioncontrol.standups.markdown import write_markdown
from missioncontrol.standups.schedule import Schedule, StandupSchedule, read_schedule
from missioncontrol.standups.standups import MAX_KEY, Standups

__all__ = ["MAX_KEY", "Schedule", "StandupSchedule", "Standups", "read_schedule", "write_markdown"]
