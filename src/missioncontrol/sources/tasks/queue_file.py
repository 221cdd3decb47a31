"""`TASK_QUEUE.json` on the disk: read, and replaced without losing what somebody writes at the same moment.

All of it is for threads, and for one at a time. The new content is written beside the file and then changes places with
it in one step, where the system can do that; so what it replaces is in hand, and if that is not what was expected, it
goes back. Whoever opened the old file before, and writes into it afterwards, is noticed too, and his file put back,
unless another has come since.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path
from time import monotonic

from missioncontrol.sources.layout import TASK_FILES
from missioncontrol.sources.tree import folders_to, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024

LATE_SECONDS = 1.0
"""For how long a file that was replaced is watched for somebody who still writes into it."""

AGAIN_SECONDS = 0.1

JSON_FILE = TASK_FILES[0]
_SWAP = 2
_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})


class QueueFile:
    """The file of the queue, in a workspace."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / JSON_FILE
        self._beside = self._path.with_name(f".{self._path.name}.tmp")
        self._former: _Former | None = None

    def put(self, data: bytes, before: bytes | None) -> bool:
        """Put a content in the place of the one that was read.

        Args:
            data: the new content.
            before: what the file is to have in it until then; None where it is not to be there.

        Returns:
            whether it was done; if not, somebody has written the file since.

        Raises:
            OSError: it cannot be written.
        """
        if self._former is not None and not self._former.untouched():
            return False
        self._close()
        if before is None:
            self._make_folder()
        if self._read() != before:
            return False
        try:
            self._write_beside(data)
            if before is None:
                return self._link()
            if exchange(self._beside, self._path):
                former = _Former(self._beside, data)
                if former.content() == before:
                    self._former = former
                    return True
                former.close()
                exchange(self._beside, self._path)
                return False
            if self._read() != before:
                return False
            os.replace(self._beside, self._path)  # noqa: PTH105
        finally:
            self._beside.unlink(missing_ok=True)
        return True

    def late(self) -> float | None:
        """Put back what somebody has written into the file that was replaced.

        Returns:
            after how many seconds to ask again; None when nobody can be writing there any more.
        """
        former = self._former
        if former is None:
            return None
        if former.untouched():
            left = former.until - monotonic()
            if left <= 0:
                self._close()
            return left if left > 0 else None
        if not former.settled():
            return AGAIN_SECONDS
        data = former.content()
        self._close()
        self.put(data, former.replaced_by)
        return None

    def _close(self) -> None:
        if self._former is not None:
            self._former.close()
            self._former = None

    def _read(self) -> bytes | None:
        content = read_file(self._root, JSON_FILE, MAX_FILE_BYTES)
        if isinstance(content, str):
            return b""
        return None if content is None else content.data

    def _make_folder(self) -> None:
        folder = self._path.parent
        if folders_to(self._root, JSON_FILE, {}):
            return
        if os.path.lexists(folder):
            raise NotADirectoryError(errno.ENOTDIR, "its folder is no folder", str(folder))
        folder.mkdir(parents=True)

    def _write_beside(self, data: bytes) -> None:
        self._beside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._beside, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            try:
                old = self._path.lstat()
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            except OSError:
                # It is a new file, or somebody else's: then it becomes ours.
                pass
            os.fsync(file.fileno())

    def _link(self) -> bool:
        """Give the new file its name, unless there is one by now."""
        try:
            os.link(self._beside, self._path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _CANNOT or os.path.lexists(self._path):
                raise
            os.replace(self._beside, self._path)  # noqa: PTH105
        return True


class _Former:
    """A file that was replaced, kept open to see whether somebody still writes into it."""

    def __init__(self, path: Path, replaced_by: bytes) -> None:
        self.replaced_by = replaced_by
        self.until = monotonic() + LATE_SECONDS
        self._handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self._first = self._last = self._look()

    def untouched(self) -> bool:
        """Say whether nobody has written into it."""
        return self._look() == self._first

    def settled(self) -> bool:
        """Say whether it is as it was when this was last asked."""
        before, self._last = self._last, self._look()
        return before == self._last

    def content(self) -> bytes:
        """Return what stands in it."""
        return os.pread(self._handle, os.fstat(self._handle).st_size, 0)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def _look(self) -> tuple[int, int]:
        status = os.fstat(self._handle)
        return status.st_size, status.st_mtime_ns


def exchange(one: Path, other: Path) -> bool:
    """Have two files change places in one step; False where the system or the file system cannot.

    Raises:
        OSError: one of them is not there, or not ours to move.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _SWAP)
    elif sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(os.fsencode(one), os.fsencode(other), _SWAP)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))
