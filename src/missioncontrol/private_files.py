"""Files and folders that no other user of the machine can read, whatever the umask and their creator.

Invariants:

- a file is created with its final mode: there is no moment at which another user could open it;
- an existing file or folder is closed when it is opened again, such as one of an earlier release or of a restored
  backup;
- only what others may do is taken away, and only of files that the server itself opens. What else is in the folder
  keeps its mode, and what the owner may not write stays read-only.

SQLite gives its `-wal`, `-shm` and `-journal` the mode of the database (`findCreateFileMode` in its `os_unix.c`), so
creating the database with the right mode is enough for them.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
DATABASE_SUFFIXES = ("", "-wal", "-shm", "-journal")

_OTHERS = 0o077

logger = logging.getLogger(__name__)


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, with mode 0700; close an existing one.

    A folder whose mode cannot be changed, such as a volume that belongs to root, is used as it is after a warning: the
    files in it are closed.

    Raises:
        PermissionError: it is shared by all users, as `/tmp` is; it belongs to another user and is open to others, or
            this process is root's; a link in it belongs to another user.
        OSError: it cannot be created.
    """
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for one in reversed(missing):
        # `mkdir(parents=True)` would give the folders above the mode of the umask.
        with suppress(FileExistsError):
            one.mkdir(mode=FOLDER_MODE)
    status = folder.stat()
    if os.geteuid() == 0 and status.st_uid != 0:
        # Whoever owns it can put links into it, which root would follow and write through.
        raise PermissionError(
            0,
            f"it belongs to another user, number {status.st_uid}, and the server runs as root; use a folder of root's, "
            f"or run the server as that user",
        )
    _refuse_links(folder)
    if not status.st_mode & _OTHERS:
        return
    if status.st_mode & stat.S_ISVTX:
        raise PermissionError(0, "it is shared by all users of the machine; use a folder of its own")
    try:
        folder.chmod(status.st_mode & FOLDER_MODE)
    except PermissionError:
        if status.st_uid not in (0, os.geteuid()):
            raise PermissionError(
                0, f"it belongs to another user, number {status.st_uid}, and is open to others"
            ) from None
    if folder.stat().st_mode & _OTHERS:
        logger.warning(
            "data.folder_open", extra={"folder": str(folder), "mode": oct(status.st_mode & 0o7777)}
        )


def _refuse_links(folder: Path) -> None:
    """Refuse links that another user has made: what is written to their name would be written where they lead.

    Raises:
        PermissionError: there is one.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_symlink():
                continue
            # It may be gone by now.
            with suppress(FileNotFoundError):
                owner = entry.stat(follow_symlinks=False).st_uid
                if owner not in (0, os.geteuid()):
                    raise PermissionError(
                        0, f"{entry.name!r} in it is a link that belongs to another user, number {owner}"
                    )


def open_private(path: Path, flags: int) -> int:
    """Open a file of the data folder, create it with mode 0600 where `flags` has `O_CREAT`, and close an existing one.

    Args:
        path: the file.
        flags: those of `os.open`; `O_CLOEXEC` is added.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
    mode = os.fstat(descriptor).st_mode
    if mode & _OTHERS:
        # The file of another user stays as it is; its folder is closed.
        with suppress(PermissionError):
            os.fchmod(descriptor, mode & FILE_MODE)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Write a small file of the data folder.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
        file.write(text)


def create_private_database(path: Path) -> None:
    """Create a database with mode 0600 where there is none, and close an existing one, before SQLite opens it.

    SQLite takes the empty file for a new database. Where it cannot be created, opening it says why.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    close_database(path)


def close_database(path: Path) -> None:
    """Make an existing database and the files next to it private.

    Not through a descriptor: closing one would drop the locks that this process has on the file
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    for suffix in DATABASE_SUFFIXES:
        file = path.with_name(f"{path.name}{suffix}")
        with suppress(OSError):
            if (mode := file.stat().st_mode) & _OTHERS:
                file.chmod(mode & FILE_MODE)
