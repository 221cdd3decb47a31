"""Which servers of this user run, and where: so that commands find one that could not have its usual port.

A running server has `server.json` in its data folder, and a link to that folder in a folder of the user's own. The
file is locked for as long as the process lives, whichever way that ends: one that can be locked is stale. A file that
another user owns or may write is ignored, because tokens are sent to where it points.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

import msgspec

from missioncontrol.config import DEFAULT_URL, data_home
from missioncontrol.private_files import make_private_folder
from missioncontrol.temporary import LEFT_OVER_SECONDS, open_temporary, remove_left_over

FILE_NAME = "server.json"
_MOST_BYTES = 16_384


class Running(msgspec.Struct, frozen=True, rename="camel"):
    """A running server; `started` is in seconds since 1970."""

    url: str
    ws_url: str
    workspace: str
    data: str
    pid: int
    started: float


@contextmanager
def announced(url: str, ws_url: str, workspace: Path, data: Path) -> Iterator[None]:
    """Let the commands of this user find a server for as long as the block lasts.

    A server that cannot write the file runs on without it.
    """
    running = Running(url, ws_url, str(workspace), str(data), os.getpid(), time())
    path, link = data / FILE_NAME, _links() / hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    descriptor = -1
    with suppress(OSError):
        remove_left_over(path)
        descriptor, temporary = open_temporary(path, 0o600)
        # Locked before it has its name, so that no reader can be first.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, msgspec.json.encode(running))
        temporary.replace(path)
    with suppress(OSError):
        # Data folders are there by default, so that no other user may rename them.
        make_private_folder(data_home())
        make_private_folder(link.parent)
        _remove_stale(link.parent)
        with suppress(FileExistsError):
            link.symlink_to(data, target_is_directory=True)
    try:
        yield
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    path.unlink()
                    link.unlink()
            os.close(descriptor)


_decoder = msgspec.json.Decoder(Running)


def find_running() -> list[Running]:
    """Return the running servers of this user, the newest first."""
    found: dict[str, Running] = {}
    with suppress(OSError):
        for link in _links().iterdir():
            running = read_running(link)
            if running is not None:
                found[running.data] = running
    return sorted(found.values(), key=lambda running: -running.started)


def read_running(data: Path) -> Running | None:
    """Return the server that runs on a data folder; None where there is none."""
    try:
        descriptor = os.open(data / FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _decoder.decode(os.read(descriptor, _MOST_BYTES))
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    finally:
        os.close(descriptor)


def choose(servers: list[Running], environment: Mapping[str, str]) -> Running | None:
    """Choose the server that a command means where nothing names one.

    The one of the data folder or workspace that the environment names; else that of the workspace that the current
    folder is in; else the one at the usual address; else the newest.
    """
    for name, field in (("MISSION_CONTROL_DATA", "data"), ("MISSION_CONTROL_WORKSPACE", "workspace")):
        if environment.get(name):
            wanted = str(Path(environment[name]).expanduser().resolve())
            return next((server for server in servers if getattr(server, field) == wanted), None)
    with suppress(OSError):
        here = Path.cwd()
        around = [server for server in servers if here.is_relative_to(server.workspace)]
        if around:
            return max(around, key=lambda server: len(server.workspace))
    return next((server for server in servers if server.url == DEFAULT_URL), servers[0] if servers else None)


def _links() -> Path:
    return data_home() / "running"


def _remove_stale(folder: Path) -> None:
    for link in folder.iterdir():
        with suppress(OSError):
            old = time() - link.lstat().st_mtime > LEFT_OVER_SECONDS
            if old and link.is_symlink() and read_running(link) is None:
                link.unlink()
