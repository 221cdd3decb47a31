"""`top`: the fleet live in a terminal."""

from missioncontrol.cli.top.command import top

__all__ = ["top"]
