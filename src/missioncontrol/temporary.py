"""Temporary files next to the file that they become.

Invariants:

- every name is unique (process id and random bytes) and created with `O_EXCL`, so that two writers of one file, in one
  process or in several, never share a temporary file;
- names are hidden and end with `.tmp`, so that no source takes them for content;
- what a crashed process left behind is removed by the next writer of the same file. A process of another pid namespace
  looks dead from here, so a file is only removed once it is older than any write takes.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from time import time

LEFT_OVER_SECONDS = 60.0
"""How old a temporary file must be before it counts as left behind."""

ABANDONED_SECONDS = 3_600.0
"""The same where a process with its id runs: the id may have been given to another program."""

_LONGEST_NAME = 200


def open_temporary(path: Path, mode: int = 0o666) -> tuple[int, Path]:
    """Create a temporary file next to the file that it will become.

    Args:
        path: the file that will be replaced; its folder must exist.
        mode: the permissions of the new file, before the umask.

    Returns:
        A descriptor that is open for writing, and the path of the temporary file.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        temporary = path.with_name(f"{_prefix(path)}{os.getpid()}-{secrets.token_hex(6)}.tmp")
        with suppress(FileExistsError):
            return os.open(temporary, flags, mode), temporary


def replace_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace a file whole, so that no reader sees half of it.

    Args:
        path: the file; its folder is created where it is missing.
        content: what it will contain.
        mode: the permissions of the new file, before the umask.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = open_temporary(path, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def remove_left_over(path: Path) -> int:
    """Remove the temporary files of a file that crashed processes left behind.

    Args:
        path: the file that they would have become.

    Returns:
        How many were removed. A folder that cannot be read has none.
    """
    name = re.compile(re.escape(_prefix(path)) + r"([0-9]{1,10})-[0-9a-f]{12}\.tmp")
    removed = 0
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            found = name.fullmatch(entry.name)
            if found is None:
                continue
            # Another process may remove it at the same moment.
            with suppress(OSError):
                age = time() - entry.stat(follow_symlinks=False).st_mtime
                if age > (ABANDONED_SECONDS if _runs(int(found[1])) else LEFT_OVER_SECONDS):
                    Path(entry.path).unlink()
                    removed += 1
    return removed


def _prefix(path: Path) -> str:
    name = path.name
    while len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        name = name[:-1]
    return f".{name}."


def _runs(pid: int) -> bool:
    """Say whether another process has this id."""
    if pid == os.getpid():
        # In a container ids come again: an old file with ours is of an earlier life.
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
