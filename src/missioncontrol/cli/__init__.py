"""The command line: one file per command; `main` is the console script."""

from missioncontrol.cli.entry import main

__all__ = ["main"]
