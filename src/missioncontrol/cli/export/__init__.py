"""`export`: events and the state of the fleet as files for other programs."""

from missioncontrol.cli.export.command import export

__all__ = ["export"]
