"""`TASK_QUEUE.json` on the disk: read, and replaced without losing what other programs write at the same moment.

Everything here blocks and is used on one thread at a time. The new content is written to a temporary file, which is
then exchanged with the queue's file in one step, if the system supports that. So the replaced content is available, and
is put back if it is not the expected one. Meanwhile another program may have read the new content (`was_shown`) or
written over it; a replaced content that may no longer be in the file is kept until `take_caught` returns it. A program
that opened the old file before, and writes into it afterwards, is noticed as well: its file is put back, or its content
is kept if the queue's file has changed since.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from time import monotonic, time_ns
from typing import Protocol

from missioncontrol.fleet.layout import TASK_FILES
from missioncontrol.temporary import open_temporary, remove_left_over
from missioncontrol.watch.tree import Content, Signature, folders_to, look, modified_at, read_file, sign

MAX_FILE_BYTES = 128 * 1024 * 1024

LATE_SECONDS = 1.0
"""Seconds for which a replaced file is watched for programs that still write into it."""

AGAIN_SECONDS = 0.1
"""Seconds without a write into a replaced file after which its writer counts as done."""

SETTLED_NS = 30_000_000
SETTLED_SECONDS_NS = 3_000_000_000
"""Nanoseconds since the last write after which a file is identified by its time: a later write gets another time."""

MAX_CAUGHT = 16
"""How many replaced contents are kept until they are read."""

JSON_FILE = TASK_FILES[0]
_SWAP = 2
_PARTS = 32
"""How many pieces are written at a time: a large file has more than a thousand."""

_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})


def settling_ns(modified: int) -> int:
    """Return for how long after a modification time, in nanoseconds, another write can have the same time."""
    # On a file system that counts whole seconds, two writes in the same second have the same time.
    return SETTLED_NS if modified % 1_000_000_000 else SETTLED_SECONDS_NS


class Text(Protocol):
    """A content of the file, which need not be in one piece."""

    def parts(self) -> Iterable[bytes]:
        """Return it in pieces."""

    def is_text(self, data: bytes) -> bool:
        """Return whether `data` is this content."""


class WholeText:
    """A content in one piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def parts(self) -> Iterable[bytes]:
        """Return it as one piece."""
        return (self._data,)

    def is_text(self, data: bytes) -> bool:
        """Return whether `data` is this content."""
        return data == self._data


class QueueFile:
    """The file of the queue, in a workspace.

    `written` is the signature of the file that `put` wrote last; `is_written_exact` is whether every later write of
    another program changes it. `was_shown` is whether a content that `put` had to withdraw was briefly in the file.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / JSON_FILE
        self._tidy = False
        self._former: _Former | None = None
        self._settled: Signature | None = None
        self.written: Signature | None = None
        self.is_written_exact = False
        self.was_shown = False
        self._caught: deque[bytes] = deque(maxlen=MAX_CAUGHT)

    @property
    def has_caught(self) -> bool:
        """Whether there is content that another program has written and that was replaced before it was read."""
        return bool(self._caught)

    def take_caught(self) -> bytes | None:
        """Return the oldest content that was replaced before it was read, and remove it here; None if there is none."""
        if not self._caught:
            return None
        # The caller reads this content next, which is not the file's.
        self._settled = None
        return self._caught.popleft()

    def was_read(self, content: Content) -> None:
        """Note that this content was read from the file; it will be the `before` of the next `put`."""
        self._settled = None
        try:
            status = self._path.lstat()
        except OSError:
            return
        modified = modified_at(status)
        same = (status.st_size, modified) == (len(content.data), content.mtime_ns)
        if same and time_ns() - modified > settling_ns(modified):
            self._settled = sign(status)

    def is_as_read(self) -> bool:
        """Return whether the file is unchanged since it was last read, by its size, time and inode."""
        return self._settled is not None and look(self._root, [JSON_FILE]).get(JSON_FILE) == self._settled

    def put(self, new: Text, before: Text | None) -> bool:
        """Replace the content that was read.

        Args:
            new: the new content.
            before: the expected content of the file; None if it should not exist.

        Returns:
            True if it was replaced; False if another program has written the file since.

        Raises:
            OSError: it cannot be written.
        """
        self.was_shown = False
        if self._former is not None and not self._former.untouched():
            return False
        self._close()
        if before is None:
            self._make_folder()
        if not (before is not None and self.is_as_read()) and not self._is(before):
            return False
        settled, self._settled = self._settled, None
        if not self._tidy:
            # Once: the left-over files of a crashed server do not increase while this one runs.
            self._tidy = True
            remove_left_over(self._path)
        # A new file for each write: agents and other servers may be writing the same queue.
        descriptor, temporary = open_temporary(self._path)
        try:
            self._write_temporary(descriptor, new)
            if before is None:
                return self._link(temporary) and self._is_put()
            if exchange(temporary, self._path):
                former = _Former(temporary, new)
                if sign(temporary.lstat()) == settled or before.is_text(former.content()):
                    self._former = former
                    return self._is_put()
                self._put_back(temporary, former)
                return False
            if not self._is(before):
                return False
            os.replace(temporary, self._path)  # noqa: PTH105
        finally:
            temporary.unlink(missing_ok=True)
        return self._is_put()

    def _put_back(self, temporary: Path, former: _Former) -> None:
        """Put back a replaced content that is not the one that was read."""
        self.was_shown = True
        self._caught.append(former.content())
        former.close()
        exchange(temporary, self._path)
        if sign(temporary.lstat()) != self.written:
            # Another program has written over our content meanwhile.
            over = _Former(temporary, WholeText(b""))
            self._caught.append(over.content())
            over.close()

    def _is_put(self) -> bool:
        """Treat the file that was just written as read; return True."""
        self._settled = self.written if self.is_written_exact else None
        return True

    @property
    def is_former_touched(self) -> bool:
        """Whether another program has written into the replaced file, so that it has to be put back."""
        former = self._former
        try:
            return former is not None and not former.untouched()
        except OSError:
            # It is being closed.
            return True

    def late(self) -> float | None:
        """Put back what another program has written into the replaced file.

        Returns:
            the seconds after which to call this again; None when no program can be writing there any more.
        """
        former = self._former
        if former is None:
            return None
        if former.untouched():
            left = former.until - monotonic()
            if left <= 0:
                self._close()
            return left if left > 0 else None
        if (wait := former.settles_in()) > 0:
            return wait
        data = former.content()
        self._close()
        # It replaces the content that was written then, not the one that was read since.
        self._settled = None
        if not self.put(WholeText(data), former.replaced_by):
            self._caught.append(data)
        # It has to be read.
        self._settled = None
        return None

    def _close(self) -> None:
        if self._former is not None:
            self._former.close()
            self._former = None

    def _is(self, before: Text | None) -> bool:
        """Return whether the file has this content; for None, whether it does not exist."""
        content = read_file(self._root, JSON_FILE, MAX_FILE_BYTES)
        if content is None or before is None:
            return content is None and before is None
        return isinstance(content, Content) and before.is_text(content.data)

    def _make_folder(self) -> None:
        folder = self._path.parent
        if folders_to(self._root, JSON_FILE, {}):
            return
        if os.path.lexists(folder):
            raise NotADirectoryError(errno.ENOTDIR, "its folder is no folder", str(folder))
        folder.mkdir(parents=True)

    def _write_temporary(self, descriptor: int, new: Text) -> None:
        with os.fdopen(descriptor, "wb") as file:
            parts = iter(new.parts())
            while some := list(islice(parts, _PARTS)):
                file.write(b"".join(some))
            file.flush()
            try:
                old = self._path.lstat()
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            except OSError:
                # It is a new file, or another user's: then it becomes ours.
                pass
            os.fsync(file.fileno())
            # Before it has its name: later writes into it are another program's.
            self.written, self.is_written_exact = _stamp(file.fileno())

    def _link(self, temporary: Path) -> bool:
        """Give the new file its name, unless a file has it by now."""
        try:
            os.link(temporary, self._path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _CANNOT or os.path.lexists(self._path):
                raise
            os.replace(temporary, self._path)  # noqa: PTH105
        return True


def _stamp(descriptor: int) -> tuple[Signature, bool]:
    """Give a file a unique time; return its signature, and whether no later write can have the same time.

    The system uses the time of its last tick, of which there are some hundreds a second, so no write gets a time
    between two ticks. A file system that does not keep nanoseconds shows a different time than was set.
    """
    time = time_ns()
    # A whole microsecond could be a tick of the system's clock.
    time += time % 1_000 == 0
    try:
        os.utime(descriptor, ns=(time, time))
    except OSError:
        pass
    status = os.fstat(descriptor)
    return sign(status), status.st_mtime_ns == time


class _Former:
    """A file that was replaced, kept open to check whether a program still writes into it."""

    def __init__(self, path: Path, replaced_by: Text) -> None:
        self.replaced_by = replaced_by
        self._since = monotonic()
        self.until = self._since + LATE_SECONDS
        self._handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self._first = self._last = self._look()

    def untouched(self) -> bool:
        """Return whether no program has written into it."""
        return self._look() == self._first

    def settles_in(self) -> float:
        """Return the seconds until its writer counts as done, if nothing more is written."""
        if (seen := self._look()) != self._last:
            self._last, self._since = seen, monotonic()
        return self._since + AGAIN_SECONDS - monotonic()

    def content(self) -> bytes:
        """Return its content."""
        return os.pread(self._handle, os.fstat(self._handle).st_size, 0)

    def close(self) -> None:
        """Close it."""
        os.close(self._handle)

    def _look(self) -> tuple[int, int]:
        status = os.fstat(self._handle)
        return status.st_size, status.st_mtime_ns


def exchange(one: Path, other: Path) -> bool:
    """Exchange two files in one step; return False if the system or the file system cannot.

    Raises:
        OSError: one of them does not exist, or may not be moved.
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
