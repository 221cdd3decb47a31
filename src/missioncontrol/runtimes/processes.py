"""Checks whether a process that a runtime has named still runs, and not another one with the same number."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

MAX_PID = 1 << 31

_STATE, _START_TIME = 0, 19
"""The positions of these fields in `/proc/PID/stat` after the name (proc(5))."""


def is_running(pid: int, started: int | None) -> bool | None:
    """Return whether a process runs; None if that cannot be known.

    Args:
        pid: its number.
        started: when it was started, in ticks since the machine was, as `/proc/PID/stat` has it; None where that is
            not known: then a number that has been given to another process counts as running.
    """
    if not 0 < pid < MAX_PID:
        return None
    if not sys.platform.startswith("linux"):
        return psutil.pid_exists(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return None
    try:
        fields = text.rpartition(")")[2].split()
        # A process that has ended stays in the table until its parent waits for it.
        return fields[_STATE] not in "ZX" and (started is None or int(fields[_START_TIME]) == started)
    except (ValueError, IndexError):
        return None
