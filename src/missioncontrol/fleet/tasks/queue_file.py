"""`TASK_QUEUE.json` on the disk: read, and replaced without losing what somebody writes at the same moment.

All of it is for threads, and for one at a time. The new content is written next to the file and then changes places
with it in one step, where the system can do that. So what it replaces is in hand, and goes back if it is not what was
expected. Meanwhile others may have read the new content, or written over it: `was_shown` says the one, and what was in
hand and may no longer be in the file is kept until `take_caught` has it read. A program that opened the old file
before, and writes into it afterwards, is noticed too; its file is put back, or kept where another one has come since.
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
from missioncontrol.watch.tree import Content, Signature, folders_to, look, read_file, sign

MAX_FILE_BYTES = 128 * 1024 * 1024

LATE_SECONDS = 1.0
"""For how long a file that was replaced is watched for somebody who still writes into it."""

AGAIN_SECONDS = 0.1
"""For how long nothing must be written into a replaced file for its writer to be done."""

SETTLED_NS = 30_000_000
SETTLED_SECONDS_NS = 3_000_000_000
"""How long ago a file must have been written to be known again by its time: a later write has another one then."""

MAX_CAUGHT = 16
"""How many contents are kept that were replaced before they were read."""

JSON_FILE = TASK_FILES[0]
_SWAP = 2
_PARTS = 32
"""So many pieces are written at a time: a large file has more than a thousand."""

_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})


def settling_ns(modified: int) -> int:
    """Return for how long after a modification time, in nanoseconds, another write can have the same time."""
    # A file system that counts whole seconds cannot tell two writes in the same second.
    return SETTLED_NS if modified % 1_000_000_000 else SETTLED_SECONDS_NS


class Text(Protocol):
    """A content of the file, which need not be in one piece."""

    def parts(self) -> Iterable[bytes]:
        """Return it in pieces."""

    def is_text(self, data: bytes) -> bool:
        """Say whether it is this one."""


class WholeText:
    """A content in one piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def parts(self) -> Iterable[bytes]:
        """Return it as the one piece that it is."""
        return (self._data,)

    def is_text(self, data: bytes) -> bool:
        """Report whether it is this content."""
        return data == self._data


class QueueFile:
    """The file of the queue, in a workspace.

    `written` is the signature of the file that `put` wrote last; `is_written_exact` says that no later write of another
    program leaves it as it is. `was_shown` says that what `put` could not leave there stood in the file for a moment.
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
        """Whether there is something that somebody has written, and that was replaced before it was read."""
        return bool(self._caught)

    def take_caught(self) -> bytes | None:
        """Return what was written and replaced before it was read, the oldest first; None where there is no more."""
        if not self._caught:
            return None
        # What is read next is not what stands in the file.
        self._settled = None
        return self._caught.popleft()

    def was_read(self, content: Content) -> None:
        """Note that this was read from the file, and is what `put` will be told that it has in it."""
        self._settled = None
        try:
            status = self._path.lstat()
        except OSError:
            return
        same = (status.st_size, status.st_mtime_ns) == (len(content.data), content.mtime_ns)
        if same and time_ns() - status.st_mtime_ns > settling_ns(status.st_mtime_ns):
            self._settled = sign(status)

    def is_as_read(self) -> bool:
        """Say whether the file is as it was last read, as far as that can be seen from outside."""
        return self._settled is not None and look(self._root, [JSON_FILE]).get(JSON_FILE) == self._settled

    def put(self, new: Text, before: Text | None) -> bool:
        """Put a content in the place of the one that was read.

        Args:
            new: the new content.
            before: what the file is to have in it until then; None where it is not to be there.

        Returns:
            whether it was done; if not, somebody has written the file since.

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
            # Once: what a crashed server left behind does not become more while this one runs.
            self._tidy = True
            remove_left_over(self._path)
        # Of this write alone: agents and other servers may be writing the same queue.
        descriptor, beside = open_temporary(self._path)
        try:
            self._write_beside(descriptor, new)
            if before is None:
                return self._link(beside) and self._is_put()
            if exchange(beside, self._path):
                former = _Former(beside, new)
                if sign(beside.lstat()) == settled or before.is_text(former.content()):
                    self._former = former
                    return self._is_put()
                self._put_back(beside, former)
                return False
            if not self._is(before):
                return False
            os.replace(beside, self._path)  # noqa: PTH105
        finally:
            beside.unlink(missing_ok=True)
        return self._is_put()

    def _put_back(self, beside: Path, former: _Former) -> None:
        """Put back what was replaced and is not what was read."""
        self.was_shown = True
        self._caught.append(former.content())
        former.close()
        exchange(beside, self._path)
        if sign(beside.lstat()) != self.written:
            # Somebody has written over ours meanwhile.
            over = _Former(beside, WholeText(b""))
            self._caught.append(over.content())
            over.close()

    def _is_put(self) -> bool:
        """Take the file that was just put in its place as one that was read."""
        self._settled = self.written if self.is_written_exact else None
        return True

    @property
    def is_former_touched(self) -> bool:
        """Whether another program has written into the file that was replaced, so that it is to be put back."""
        former = self._former
        try:
            return former is not None and not former.untouched()
        except OSError:
            # It is closed at this moment.
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
        if (wait := former.settles_in()) > 0:
            return wait
        data = former.content()
        self._close()
        # It is to replace what was written then, not what was read since.
        self._settled = None
        if not self.put(WholeText(data), former.replaced_by):
            self._caught.append(data)
        # It is to be read.
        self._settled = None
        return None

    def _close(self) -> None:
        if self._former is not None:
            self._former.close()
            self._former = None

    def _is(self, before: Text | None) -> bool:
        """Say whether the file has this content; None: whether it is not there."""
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

    def _write_beside(self, descriptor: int, new: Text) -> None:
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
                # It is a new file, or somebody else's: then it becomes ours.
                pass
            os.fsync(file.fileno())
            # Before it has its name: what is written into it afterwards is another writer's.
            self.written, self.is_written_exact = _stamp(file.fileno())

    def _link(self, beside: Path) -> bool:
        """Give the new file its name, unless there is one by now."""
        try:
            os.link(beside, self._path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _CANNOT or os.path.lexists(self._path):
                raise
            os.replace(beside, self._path)  # noqa: PTH105
        return True


def _stamp(descriptor: int) -> tuple[Signature, bool]:
    """Give a file a time of its own; return its signature, and whether no later write can have the same time.

    The system gives the time of its last tick, of which there are some hundreds a second; a time between two ticks is
    given to no write. A file system that does not keep nanoseconds shows another time than it was given.
    """
    time = time_ns()
    try:
        os.utime(descriptor, ns=(time, time))
    except OSError:
        pass
    status = os.fstat(descriptor)
    return sign(status), status.st_mtime_ns == time and time % 1_000 != 0


class _Former:
    """A file that was replaced, kept open to see whether somebody still writes into it."""

    def __init__(self, path: Path, replaced_by: Text) -> None:
        self.replaced_by = replaced_by
        self._since = monotonic()
        self.until = self._since + LATE_SECONDS
        self._handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self._first = self._last = self._look()

    def untouched(self) -> bool:
        """Say whether nobody has written into it."""
        return self._look() == self._first

    def settles_in(self) -> float:
        """Return in how many seconds its writer is taken to be done, if nothing more is written."""
        if (seen := self._look()) != self._last:
            self._last, self._since = seen, monotonic()
        return self._since + AGAIN_SECONDS - monotonic()

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
