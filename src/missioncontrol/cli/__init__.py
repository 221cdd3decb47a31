"""The command line: one file per command; `main` is the console script."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext

from missioncontrol.cli.signals import end_early

__all__ = ["main"]

_SERVERS = frozenset({"serve", "demo"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; without arguments those of the process."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    with end_early() if _SERVERS.intersection(given[:1]) else nullcontext():
        # Here, because what a server imports takes a second, and a signal may come at any time of it.
        from missioncontrol.cli import entry

        return entry.main(arguments)
