"""What SQLite's errors mean for a person, and what can be done about each.

SQLite reports most failures to write as one and the same error, without the system's reason. So the folder is asked:
a small file is written in it, and the reason that the system gives for that is reported.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from missioncontrol.errors import Damaged, DiskFull, ReadOnly, StoreError
from missioncontrol.private_files import open_private

PROBE_NAME = "probe"
_PROBE_BYTES = 4096

MOVE_AWAY = (
    "Nothing more is accepted. Restore a backup, or stop mission-control, move events.sqlite, events.sqlite-wal and "
    "events.sqlite-shm out of {folder}, and start it again: a new log begins, and clients are told so by a gap"
)

_DAMAGED = (
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_IOERR_SHORT_READ",
    "SQLITE_IOERR_CORRUPTFS",
    "SQLITE_IOERR_DATA",
)
_NOT_WRITABLE = ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def damaged(folder: Path, what: str) -> Damaged:
    """Make the error for a log that cannot be read back; `what` is a sentence without its full stop."""
    return Damaged(f"The log is damaged: {what}. {MOVE_AWAY.format(folder=folder)}.", retry_after=60.0)


def explain(error: sqlite3.Error, folder: Path) -> StoreError:
    """Turn what SQLite says into what a person can act on.

    Args:
        error: raised by a connection to the log.
        folder: the data folder; written to, where only the system knows what is wrong.
    """
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(_DAMAGED):
        return damaged(folder, str(error))
    if name == "SQLITE_FULL":
        return _full(folder, "the disk is full")
    if name.startswith(_NOT_WRITABLE):
        number = write_error(folder)
        if number in _NO_FILES:
            return _no_files()
        return _read_only(folder, str(error) if number is None else os.strerror(number))
    if name.startswith("SQLITE_IOERR"):
        return _explain_system(folder, name)
    return StoreError(f"The log cannot be written: {error}.", retry_after=5.0)


def _explain_system(folder: Path, name: str) -> StoreError:
    number = write_error(folder)
    if number in _NO_ROOM:
        return _full(folder, "the disk is full" if number == errno.ENOSPC else "the disk quota is used up")
    if number in _FORBIDDEN:
        return _read_only(folder, os.strerror(number))
    if number == errno.EFBIG:
        return _full(folder, "the file has reached the size that this process may write (ulimit -f)")
    if number == errno.EIO:
        return StoreError(
            f"The disk that holds the log reports errors (in {folder}): see the system's log, check the disk.",
            retry_after=5.0,
        )
    if number in _NO_FILES:
        return _no_files()
    if name == "SQLITE_IOERR_SHMSIZE":
        # The folder takes a small file, but not the next part of the index of the write-ahead log.
        return _full(folder, "the disk is full")
    why = f"{os.strerror(number)}, {name}" if number else name
    return StoreError(
        f"The system cannot read or write the log in {folder} ({why}); check the disk.", retry_after=5.0
    )


def _full(folder: Path, why: str) -> DiskFull:
    return DiskFull(
        f"There is no room for the log in {folder}: {why}; make room, and it goes on by itself.",
        retry_after=5.0,
    )


def _read_only(folder: Path, why: str) -> ReadOnly:
    return ReadOnly(
        f"The log in {folder} cannot be written ({why}). Make the folder and its files writable again, and it goes on "
        f"by itself.",
        retry_after=5.0,
    )


def _no_files() -> StoreError:
    return StoreError("Too many files are open for the log to be used; raise `ulimit -n`.", retry_after=5.0)


def write_error(folder: Path) -> int | None:
    """Write a small file in a folder and remove it; return the system's error number, or None where that works."""
    path = folder / PROBE_NAME
    try:
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT)
        try:
            os.write(descriptor, bytes(_PROBE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno
    finally:
        with suppress(OSError):
            path.unlink()
    # A limit of the size of files concerns the large one alone.
    return _size_error(folder)


def _size_error(folder: Path) -> int | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY:
        return None
    sizes = [path.stat().st_size for path in folder.glob("events.sqlite*") if path.is_file()]
    return errno.EFBIG if max(sizes, default=0) + 64 * 1024 >= soft else None
