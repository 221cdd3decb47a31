"""Keeps the process alive when another program cuts off an index that SQLite has mapped.

The index of a write-ahead log (`-shm`) is memory that all users of a database share. When that file is truncated, the
next access by any of them is a bus error, which ends the process (mmap(2), section ERRORS, SIGBUS). The size is checked
before each query, but it may change while one runs. Then every mapped index of a foreign database is replaced by empty
memory of this process alone, and the thread goes on. What is read meanwhile is dismissed, and the databases are opened
again.

Invariants:

- only indexes of foreign databases are replaced, never that of the log;
- nothing is written to a file;
- where there is none to be replaced, a bus error ends the process as before.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import signal
from pathlib import Path
from time import monotonic
from types import FrameType

from missioncontrol.runtimes.files.shared_files import shared_files

_MAP_FIXED = 0x10
_INDEX = "-shm"
_GRACE_SECONDS = 1.0
"""For how long after a repair further signals are those of the same error."""

_maps = Path("/proc/self/maps")
_repairing = False
_repaired_at = -_GRACE_SECONDS


def survive_cut_indexes() -> None:
    """Repair indexes that are cut off from now on; called in the main thread. It needs Linux's /proc."""
    if _maps.exists():
        signal.signal(signal.SIGBUS, _on_bus_error)


def _on_bus_error(number: int, frame: FrameType | None) -> None:
    """Run in the main thread, while the thread with the error, without the interpreter's lock, raises it again."""
    global _repairing, _repaired_at
    if _repairing:
        return
    _repairing = True
    # Connections are closed under the same lock: no mapping that is found here goes away meanwhile.
    with shared_files.held():
        repaired = _repair()
        shared_files.cuts += repaired
    if repaired:
        _repaired_at = monotonic()
    elif monotonic() - _repaired_at > _GRACE_SECONDS:
        signal.signal(number, signal.SIG_DFL)
        if faulthandler.is_enabled():
            faulthandler.disable()
            faulthandler.enable()
    _repairing = False


def _repair() -> bool:
    """Put empty memory in the place of mapped indexes of foreign databases; say whether there was any.

    All of them, whole: which one was cut cannot be asked, and it may be as long as before by now.
    """
    repaired = False
    for line in _maps.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        span, *_, path = line.split(maxsplit=5)
        name = path.removesuffix(" (deleted)")
        if name.endswith(_INDEX) and shared_files.is_joined(Path(name.removesuffix(_INDEX))):
            start, end = (int(part, 16) for part in span.split("-"))
            _map_empty(start, end - start)
            repaired = True
    return repaired


def _map_empty(address: int, length: int) -> None:
    # With the interpreter's lock, so that no other Python code runs in between.
    function = ctypes.PyDLL(None, use_errno=True).mmap
    function.restype = ctypes.c_void_p
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    function(address, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
