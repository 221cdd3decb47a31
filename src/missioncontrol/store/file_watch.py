"""Watches the files of the open database, so that nothing is accepted into files that will not be found again.

SQLite does not notice when its files are removed, replaced, cut or overwritten: it goes on with what it has open. What
is written then is acknowledged, and gone after the next start.

Invariants:

- a check costs a few system calls and changes nothing;
- the database's file is open here for as long as any connection is: closing it earlier would release SQLite's locks.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

from missioncontrol.errors import Damaged, StoreError
from missioncontrol.store.schema import DATABASE_NAME
from missioncontrol.store.trouble import damaged

QUICK_SECONDS = 0.05
"""How often a busy log checks the open files; a quiet one does with each commit."""

FULL_SECONDS = 1.0
"""How often the names in the folder are checked, and the tail is read back."""

_HEADER = 24
_WAL_HEADER = 32
_FRAME_HEADER = 24
_FRAMES_AT = 16
"""Where the index of the write-ahead log says how many frames there are, as the machine writes numbers
(https://www.sqlite.org/walformat.html, section 2.1)."""


class Misplaced(Damaged):
    """The database is whole, but not under its name: writing goes on when it is put back."""


class Detached(StoreError):
    """The write-ahead log or its index is not in the folder any more; what it holds can still be saved."""


class FileWatch:
    """The files of the database in a data folder. Used by the writer's thread alone; `size` is the database's."""

    def __init__(self, folder: Path) -> None:
        """Open the files; the database is open and has been written to.

        Raises:
            OSError: it is not there.
        """
        self._folder = folder
        self._path = folder / DATABASE_NAME
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._header = os.pread(self._fd, _HEADER, 0)
        self._wal_fd: int | None = None
        self._shm_fd: int | None = None
        self._newest_frame: tuple[bytes, int, bytes] = (b"", 0, b"")
        self.size = os.fstat(self._fd).st_size
        self._wal_size = 0
        self.checked = self.checked_fully = 0.0
        self.attach()

    def attach(self) -> None:
        """Open the files of the write-ahead log as they are now."""
        for suffix in ("-wal", "-shm"):
            descriptor: int | None = None
            with suppress(OSError):
                descriptor = os.open(self._side(suffix), os.O_RDONLY | os.O_CLOEXEC)
            if suffix == "-wal":
                self._wal_fd = descriptor
            else:
                self._shm_fd = descriptor
        self.size = os.fstat(self._fd).st_size

    def detach(self) -> None:
        """Let go of the write-ahead log, while no connection is open."""
        for descriptor in (self._wal_fd, self._shm_fd):
            if descriptor is not None:
                os.close(descriptor)
        self._wal_fd = self._shm_fd = None
        self._newest_frame = (b"", 0, b"")
        self._wal_size = 0

    def close(self) -> None:
        """Let go of the files, after the last connection is closed."""
        self.detach()
        os.close(self._fd)

    def glance(self) -> None:
        """See in two system calls that nothing was removed or cut; at times, and where something was, check.

        Raises:
            Detached, Damaged: as `check` does.
        """
        if self._wal_fd is not None and monotonic() - self.checked < QUICK_SECONDS:
            database, wal = os.fstat(self._fd), os.fstat(self._wal_fd)
            whole = database.st_size >= self.size and wal.st_size >= self._wal_size
            if whole and database.st_nlink and wal.st_nlink:
                self.size, self._wal_size = database.st_size, wal.st_size
                return
        self.check(fully=False)

    def check(self, *, fully: bool) -> None:
        """See whether the files are those that were opened, and have what was written.

        Args:
            fully: check the names in the folder too.

        Raises:
            Misplaced: the database is not under its name.
            Detached: the write-ahead log or its index is not.
            Damaged: something was cut, replaced or overwritten.
        """
        self.checked = monotonic()
        status = os.fstat(self._fd)
        if not status.st_nlink:
            raise damaged(self._folder, "events.sqlite was removed or replaced while in use")
        if status.st_size < self.size:
            raise damaged(
                self._folder, f"events.sqlite was cut from {self.size:,} to {status.st_size:,} bytes"
            )
        if os.pread(self._fd, _HEADER, 0) != self._header:
            raise damaged(self._folder, "the beginning of events.sqlite was overwritten")
        self.size = status.st_size
        self._check_wal()
        if fully:
            self.checked_fully = self.checked
            self._check_names(status)

    def _check_names(self, status: os.stat_result) -> None:
        if _inode(self._path) != status.st_ino:
            raise Misplaced(
                f"The database {self._path} was moved away while in use. Put it back, and it goes on; or restart "
                f"mission-control, and it begins a new log.",
                retry_after=5.0,
            )
        for suffix, descriptor in (("-wal", self._wal_fd), ("-shm", self._shm_fd)):
            if descriptor is not None and _inode(self._side(suffix)) != os.fstat(descriptor).st_ino:
                raise Detached(f"events.sqlite{suffix} was moved away.")

    def _check_wal(self) -> None:
        """Check that the write-ahead log has every frame that its index counts."""
        if self._wal_fd is None or self._shm_fd is None:
            return
        wal = os.fstat(self._wal_fd)
        # It may be smaller than it was: other programs may save what it holds, and empty it.
        self._wal_size = wal.st_size
        frames = int.from_bytes(os.pread(self._shm_fd, 4, _FRAMES_AT), sys.byteorder)
        if frames:
            header = os.pread(self._wal_fd, _WAL_HEADER, 0)
            place = _WAL_HEADER + (frames - 1) * (_FRAME_HEADER + int.from_bytes(header[8:12], "big"))
            frame = os.pread(self._wal_fd, _FRAME_HEADER, place)
            # Each frame has the salt of the log's header (https://www.sqlite.org/fileformat2.html, section 4.1).
            if len(frame) < _FRAME_HEADER or frame[8:16] != header[16:24]:
                raise damaged(self._folder, "events.sqlite-wal was cut or overwritten")
            known, earlier, kept = self._newest_frame
            # As long as the log has not begun from its start again, the frame of the last check is there too.
            if (
                known == header
                and os.pread(self._wal_fd, _FRAME_HEADER, earlier) != kept
                and earlier <= place
            ):
                raise damaged(self._folder, "events.sqlite-wal was overwritten")
            self._newest_frame = (header, place, frame)
        if not wal.st_nlink or not os.fstat(self._shm_fd).st_nlink:
            raise Detached("The write-ahead log was removed.")

    def _side(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}{suffix}")


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116
    except OSError:
        return None
