"""Claude Code's running processes: each has a file `sessions/PID.json` with the session that it works on.

The file is removed at a clean end. After a crash or `kill -9` it stays: then the table of processes says that the
process has ended, by its number and the time at which it was started. A file that another machine or container has
written says nothing about the processes here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from missioncontrol.runtimes.base import FileReader, Transcript
from missioncontrol.runtimes.claude.transcript import RUNTIME
from missioncontrol.runtimes.files.regular import read_whole
from missioncontrol.runtimes.lines import MAX_NAME, MAX_PATH, Number, count, fit, shorten
from missioncontrol.runtimes.processes import is_running
from missioncontrol.runtimes.records import MAX_LABEL, Record, SessionInfo, Status, Turn, UnreadableError
from missioncontrol.threads import OwnerThread

EVIDENCE = "Claude Code process"
MAX_BYTES = 64 * 1024

_STATUSES: dict[str, Status] = {"idle": "idle", "busy": "busy", "waiting": "waiting"}


class _Process(msgspec.Struct, rename="camel"):
    pid: Number = None
    session_id: str | None = None
    cwd: str | None = None
    version: str | None = None
    proc_start: str | None = None
    pid_domain: str | None = None
    status: str | None = None
    status_updated_at: Number = None
    waiting_for: str | None = None


_processes = msgspec.json.Decoder(_Process)


class ProcessFile(FileReader):
    """Reads the file of one process, and watches the process."""

    def __init__(self, transcript: Transcript, thread: OwnerThread) -> None:
        """Prepare; the file is read with `read`."""
        self._path = transcript.path
        self._process: _Process | None = None

    def read(self, position: Any) -> tuple[list[Record], Any]:
        """Return the identity and the status of the session."""
        try:
            process = _processes.decode(read_whole(self._path, MAX_BYTES))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnreadableError("it is not the JSON that is expected") from None
        session = process.session_id
        if not session or len(session) > MAX_NAME:
            return [], position
        self._process = process
        info = SessionInfo(session, RUNTIME, cwd=fit(process.cwd, MAX_PATH), version=fit(process.version))
        status = _STATUSES.get(process.status or "")
        at = count(process.status_updated_at)
        if self.is_over():
            return [info], position
        if status is None or not at:
            return [info], position
        detail = (
            shorten(process.waiting_for, MAX_LABEL) if process.waiting_for and status == "waiting" else None
        )
        return [info, Turn(session, at, status, detail, EVIDENCE)], position

    @property
    def session(self) -> str | None:
        """The session that the process works on, as far as it was read."""
        return None if self._process is None else self._process.session_id

    def is_over(self) -> bool | None:
        """Return whether the process has ended without removing its file; None if that cannot be known."""
        process = self._process
        if process is None or (process.pid_domain is not None and not _is_here(process.pid_domain)):
            return None
        started = process.proc_start
        ticks = (
            int(started)
            if started and started.isascii() and started.isdigit() and len(started) < 20
            else None
        )
        running = is_running(count(process.pid), ticks)
        return None if running is None else not running


@cache
def _here() -> tuple[frozenset[str], str]:
    """Return the names of this machine, and its namespace of process numbers."""
    names = set()
    for file in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/var/lib/dbus/machine-id"):
        try:
            names.add(Path(file).read_text(encoding="ascii").strip().replace("-", ""))
        except (OSError, UnicodeDecodeError):
            continue
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return frozenset(names), namespace


def _is_here(domain: str) -> bool:
    """Report whether process numbers of a domain, as in `linux:MACHINE:pid:[NUMBER]`, are those that are seen here."""
    names, namespace = _here()
    _, _, rest = domain.partition(":")
    machine, _, space = rest.partition(":")
    return machine in names and (not namespace or space == namespace)
