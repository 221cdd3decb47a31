"""Opening of regular files only: never a symbolic link, a pipe or a folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from missioncontrol.runtimes.records import UnreadableError


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without a buffer.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it is no regular file, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnreadableError("it is a symbolic link") from None
        raise UnreadableError(error.strerror or str(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableError("it is no regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def read_whole(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it is no regular file, may not be read, or is larger.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise UnreadableError(f"it is larger than {limit >> 20} MiB")
        parts: list[bytes] = []
        try:
            while part := file.read(1 << 20):
                parts.append(part)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from None
        return b"".join(parts)
