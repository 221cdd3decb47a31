"""Scanning and reading files, in threads: nothing here may be called on the event loop.

Invariants:

- a symbolic link is never followed, neither as a file nor as a folder on the way to one;
- a path that cannot be read is reported as unreadable, and never taken for deleted.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple, NewType

from missioncontrol.watch.paths import join, parent_of

_PACKED = struct.Struct("<qqQ")
_FIRST_NS, _LAST_NS = -(2**63), 2**63 - 1
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


Signature = NewType("Signature", bytes)
"""Size, modification time and inode of a file, in 24 bytes.

Bytes, since an index holds one for each file of a workspace, and a checkpoint stores them unchanged.
"""


def modified_at(status: os.stat_result) -> int:
    """Return when a file was modified, in nanoseconds since 1970, as a number of 64 bits.

    That ends in the year 2262; file systems keep later times too, and every program may set them.
    """
    return max(_FIRST_NS, min(status.st_mtime_ns, _LAST_NS))


def sign(status: os.stat_result) -> Signature:
    """Return the signature of a file's status."""
    return Signature(_PACKED.pack(status.st_size, modified_at(status), status.st_ino & 0xFFFF_FFFF_FFFF_FFFF))


def size_of(signature: Signature) -> int:
    """Return the file's size in bytes."""
    size: int = _PACKED.unpack(signature)[0]
    return size


def modified_ns(signature: Signature) -> int:
    """Return the file's modification time in nanoseconds since 1970."""
    time: int = _PACKED.unpack(signature)[1]
    return time


def only_renumbered(one: Signature, other: Signature) -> bool:
    """Return whether size and time are the same, and only the inode may differ."""
    return one[:16] == other[:16]


class Pace:
    """Pauses a long walk, so that other threads run: after 5 ms of work, `rest` seconds of sleep; 0 for none."""

    def __init__(self, rest: float = 0.0, *, step: Callable[[], None] = lambda: None) -> None:
        """Begin to measure.

        Args:
            rest: seconds of sleep after 5 ms of work.
            step: called at each step; ends the walk by raising.
        """
        self._rest = rest
        self._step = step
        self._since = monotonic()

    def step(self) -> None:
        """Rest, if it is time."""
        self._step()
        if self._rest and monotonic() - self._since > 0.005:
            sleep(self._rest)
            self._since = monotonic()


class FoundFiles(NamedTuple):
    """What a walk has found: files by path, and folders that could not be read."""

    files: dict[str, Signature]
    unreadable: list[str]


def folders_to(root: Path, path: str, known: dict[str, bool]) -> bool:
    """Return whether every folder on the way to `path` is one, not a link; `known` caches the answers."""
    folder = parent_of(path)
    if not folder:
        return True
    answer = known.get(folder)
    if answer is None:
        answer = folders_to(root, folder, known) and is_folder(root, folder)
        known[folder] = answer
    return answer


def is_folder(root: Path, path: str) -> bool:
    """Return whether this is a folder, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(root / path).st_mode)
    except ValueError:
        # No name of a file has a NUL or half a character in it.
        return False
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise


def look(root: Path, paths: Iterable[str]) -> dict[str, Signature | None]:
    """Return the signatures of files; None for a file that does not exist or is not regular.

    Paths that cannot be checked are left out.
    """
    seen: dict[str, Signature | None] = {}
    known: dict[str, bool] = {}
    for path in paths:
        try:
            status = os.lstat(root / path) if folders_to(root, path, known) else None
        except OSError as error:
            if error.errno in _GONE:
                seen[path] = None
            continue
        regular = status is not None and stat.S_ISREG(status.st_mode)
        seen[path] = sign(status) if regular and status is not None else None
    return seen


def walk(
    root: Path,
    top: str,
    skip_folder: Callable[[str], bool],
    skip_file: Callable[[str], bool],
    pace: Pace | None = None,
    *,
    most: int | None = None,
) -> FoundFiles:
    """Find the regular files at and below `top`, a folder or a file of the workspace.

    Args:
        root: the workspace.
        top: where to begin, relative to it.
        skip_folder: reports which folders are left out, with all that is in them.
        skip_file: reports which files are left out.
        pace: lets a long walk rest.
        most: ends the walk after about so many files; None for all.
    """
    pace = pace or Pace()
    files: dict[str, Signature] = {}
    unreadable: list[str] = []
    if top:
        seen = look(root, [top])
        if top not in seen:
            return FoundFiles({}, [top])
        if (signature := seen[top]) is not None:
            return FoundFiles({} if skip_file(top) else {top: signature}, [])
        if skip_folder(top) or not (folders_to(root, top, {}) and is_folder(root, top)):
            return FoundFiles({}, [])
    waiting = [top]
    while waiting and (most is None or len(files) < most):
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if not skip_folder(path):
                            waiting.append(path)
                    elif entry.is_file(follow_symlinks=False) and not skip_file(path):
                        try:
                            files[path] = sign(entry.stat(follow_symlinks=False))
                        except OSError as error:
                            if error.errno not in _GONE:
                                unreadable.append(path)
        except OSError as error:
            if error.errno not in _GONE or not folder:
                unreadable.append(folder)
        pace.step()
    return FoundFiles(files, unreadable)


class Content(NamedTuple):
    """A file as it was read: its bytes and its modification time; see `modified_at`."""

    data: bytes
    mtime_ns: int


def read_file(root: Path, path: str, limit: int) -> Content | str | None:
    """Read a small file whole.

    Args:
        root: the workspace.
        path: the file, relative to it.
        limit: the most bytes to take.

    Returns:
        its content; None where there is no such file, or only a link; or why it cannot be taken, in a few words.
    """
    try:
        if not folders_to(root, path, {}):
            return None
        # Without O_NONBLOCK, opening a named pipe would wait for its other end.
        handle = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None if error.errno in _GONE else f"it cannot be read: {error.strerror}"
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return "it is not a regular file"
        parts: list[bytes] = []
        room = limit + 1
        # A file that does not grow is read in one piece, so that a large one is not copied again.
        step = min(room, max(status.st_size + 1, 1 << 16))
        while room > 0 and (part := os.read(handle, min(room, step))):
            parts.append(part)
            room -= len(part)
            step = 1 << 20
        if room <= 0 or status.st_size > limit:
            return f"it is larger than {limit:,} bytes"
        return Content(parts[0] if len(parts) == 1 else b"".join(parts), modified_at(status))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    finally:
        os.close(handle)


def fingerprint(data: bytes) -> str:
    """Return a short name for this content."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()
