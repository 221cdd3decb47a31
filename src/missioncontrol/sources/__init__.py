"""The sources: what happens in the workspace, told as events."""

from missioncontrol.sources.source import Feed, Source, SourceHealth, Step, Workspace
from missioncontrol.sources.supervisor import SOURCES, Supervisor

__all__ = ["SOURCES", "Feed", "Source", "SourceHealth", "Step", "Supervisor", "Workspace"]
