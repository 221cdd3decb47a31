"""Whether a process that a runtime has named still runs: the same one, and not another that was given its number."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

MAX_PID = 1 << 31

_STATE, _START_TIME = 0, 19
"""Where these are in `/proc/PID/stat` after the name (proc(5))."""


def is_running(pid: int, started: int | None) -> bool | None:
    """Report whether a process runs; None where that cannot be known.

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
        # A process that has ended stays in the table until its parent asks for its end.
        return fields[_STATE] not in "ZX" and (started is None or int(fields[_START_TIME]) == started)
    except (ValueError, IndexError):
        return None
