"""A damaged database over restarts: what was found is noted in the folder, and a start does not go on with it.

A file that was overwritten can look whole until the damaged page is read. So the server that finds damage leaves a
note, and the next start checks the whole file before it accepts anything. Where the file is whole (it was restored), or
gone, the note goes too.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from missioncontrol.errors import DamagedFile
from missioncontrol.events import now, rfc3339
from missioncontrol.private_files import DATABASE_SUFFIXES, open_private
from missioncontrol.store.reader import is_legible
from missioncontrol.store.schema import DATABASE_NAME, TailGuard, check_file

NOTE_NAME = "damaged"
_PAGES_AT = 28

logger = logging.getLogger(__name__)


def note_damage(folder: Path, reason: str) -> None:
    """Leave a note of damage for the next start."""
    # Where not even this can be written, the next start finds the damage where this one did.
    with suppress(OSError):
        # Without waiting for a reader, if there is a pipe in its place.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
        descriptor = open_private(folder / NOTE_NAME, flags)
        try:
            os.write(descriptor, f"{rfc3339(now()).decode()} {reason}\n".encode())
        finally:
            os.close(descriptor)


def is_noted(folder: Path) -> bool:
    """Say whether there is a note of damage."""
    return (folder / NOTE_NAME).exists()


def check_whole(folder: Path, guard: TailGuard) -> None:
    """See whether the database is as whole as it was, before it is opened for writing. It is not changed.

    Args:
        folder: the data folder.
        guard: the tail guard in it, which knows how large the file was.

    Raises:
        DamagedFile: it is; the message says what to do.
        OpenError: what is there is no file.
    """
    path = folder / DATABASE_NAME
    check_file(path)
    check_file(folder / NOTE_NAME)
    if not path.exists():
        forget_damage(folder)
        return
    found = _cut(path, guard)
    if found is None and is_noted(folder):
        found = _quick_check(path)
        if found is None:
            logger.warning("log.whole_again", extra={"file": str(path)})
            forget_damage(folder)
    if found is not None:
        raise DamagedFile(f"{path} is damaged: {found}. {what_to_do(folder)}")


def what_to_do(folder: Path) -> str:
    """Say how to go on with a damaged database."""
    return (
        f"Nothing was changed. Restore a backup; or move {DATABASE_NAME}, {DATABASE_NAME}-wal and {DATABASE_NAME}-shm "
        f"out of {folder}, and start again: a new log begins, and clients are told so by a gap. "
        f"`sqlite3 FILE .recover` reads what is left."
    )


def forget_damage(folder: Path) -> None:
    """Remove the note of damage."""
    with suppress(OSError):
        (folder / NOTE_NAME).unlink(missing_ok=True)


def drop_database(folder: Path) -> None:
    """Remove a database that is only a copy, so that it is made again.

    Raises:
        OSError: it cannot be removed.
    """
    for suffix in DATABASE_SUFFIXES:
        (folder / f"{DATABASE_NAME}{suffix}").unlink(missing_ok=True)
    forget_damage(folder)


def _cut(path: Path, guard: TailGuard) -> str | None:
    """Say in words that the file was cut; None where it was not."""
    noted, size = guard.read(), path.stat().st_size
    if noted is None or size >= noted.size:
        return None
    if not size:
        # SQLite would take it for a new database, and remove the write-ahead log, which may hold the newest events.
        return f"it is empty, and had {noted.size:,} bytes"
    with path.open("rb") as file:
        header = file.read(100)
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65_536 if page_size == 1 else page_size
    # A smaller file that is whole, such as a backup that was put back, has as many pages as it says.
    if size < page_size * int.from_bytes(header[_PAGES_AT : _PAGES_AT + 4], "big"):
        return f"it has {size:,} bytes, and had {noted.size:,}"
    return None


def _quick_check(path: Path) -> str | None:
    """Check the whole file; say in words what is wrong with it, or return None."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)
        try:
            connection.text_factory = bytes
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0].decode("utf-8", "replace")
            if found != "ok":
                return " ".join(found.split())
            # What was overwritten inside of a body breaks no page.
            for id_, body in connection.execute("SELECT id, body FROM events"):
                if not isinstance(body, bytes) or not is_legible(body):
                    return f"the event {id_} cannot be read"
        finally:
            connection.close()
    except sqlite3.Error as error:
        return str(error)
    return None
