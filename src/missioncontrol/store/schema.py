"""Opening the database: whose file it is, what version, and whether its tail is still there.

The file carries an application id, so that a foreign database is never touched. Each migration is recorded in
the table `migrations`. A new epoch begins when the log is created, and when it may have lost its tail:

- the tail guard, a small file next to the database, knows a newer id than the database does (an older copy was
  put back, or a write-ahead log was deleted);
- the machine went down (another boot id, no clean close) while commits were not synced to the disk.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from missioncontrol.errors import DamagedFile, OpenError
from missioncontrol.events import new_epoch, now, rfc3339
from missioncontrol.private_files import (
    DATABASE_SUFFIXES,
    create_private_database,
    make_private_folder,
    open_private,
)

DATABASE_NAME = "events.sqlite"
GUARD_NAME = "head"
NEW_LOG = "the log is new"
LOCK_NAME = "lock"
APPLICATION_ID = 0x4D434C47
_NOTED = re.compile(r"([^:\s]+):([0-9]{1,18})(?: ([0-9]{1,18}))?", re.ASCII)

MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "events, keys, what sources remember, folded states",
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,           -- milliseconds since 1970, never going back
            end INTEGER NOT NULL,            -- bytes of all bodies ever appended, up to and with this one
            type TEXT NOT NULL,
            key TEXT,
            body BLOB NOT NULL               -- the event's JSON, as every reader gets it
        );
        CREATE UNIQUE INDEX events_key ON events (key) WHERE key IS NOT NULL;
        CREATE TABLE source_memory (
            source TEXT NOT NULL,
            key TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (source, key)
        ) WITHOUT ROWID;
        CREATE TABLE states (
            id INTEGER PRIMARY KEY,
            state BLOB NOT NULL
        );
        """,
    ),
)


class Opened(NamedTuple):
    """What opening found: the writer's connection, and where the log stands."""

    connection: sqlite3.Connection
    epoch: str
    first: int
    head: int
    time: int
    end: int
    new_epoch_reason: str | None
    synchronous: str = "normal"
    doubt: float = 0.0
    copied: bool = False


class CopyOf(NamedTuple):
    """The log that a database is a copy of: its epoch, and the oldest id that it still holds."""

    epoch: str
    first: int


def check_file(path: Path) -> None:
    """Check that a file of the data folder is a regular file, or can become one.

    Raises:
        OpenError: there is something else under its name, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.is_symlink() or path.resolve().parent.is_dir():
            return
        kind = "is a symbolic link into a folder that does not exist"
    except OSError as error:
        kind = f"cannot be read ({error.strerror})"
    else:
        if stat.S_ISREG(mode):
            return
        kind = next((what for is_it, what in _KINDS if is_it(mode)), "is not a regular file")
    raise OpenError(
        f"{path} {kind}; it has to be a file of mission-control. Move it away, or choose another folder with --data."
    )


_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
)


class FolderLock:
    """Keeps a second process out of a data folder; let go of by the system even after `kill -9`."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            OpenError: the folder cannot be written, or another process holds it.
        """
        try:
            make_private_folder(folder)
            check_file(folder / LOCK_NAME)
            self._fd = open_private(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise OpenError(
                f"The data folder {folder} cannot be used ({error.strerror}); choose another one with --data."
            ) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise OpenError(
                f"The data folder {folder} is in use by another mission-control (process {holder}); "
                f"stop that one, or choose another folder with --data."
            ) from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError:
            # The number only makes another process's message clearer; the lock holds without it.
            pass

    def release(self) -> None:
        """Let another process have the folder."""
        os.close(self._fd)


class Noted(NamedTuple):
    """What the tail guard knows: the log's epoch, its newest id, and the bytes of the file (0 where not noted)."""

    epoch: str
    id: int
    size: int


class TailGuard:
    """A few bytes next to the database that say how far it had come, and how large its file was.

    Written with each commit, before anybody hears of it. Not synced: it guards against lost files, and the boot
    id guards against lost caches.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file, or make it.

        Raises:
            OpenError: it cannot be opened, or is no regular file.
        """
        path = folder / GUARD_NAME
        check_file(path)
        try:
            self._fd = open_private(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise OpenError(
                f"{path} cannot be opened ({error.strerror}). Check its owner and its mode, or choose another folder "
                f"with --data."
            ) from None

    def read(self) -> Noted | None:
        """Return what was written last; None when there is nothing legible."""
        match = _NOTED.fullmatch(os.pread(self._fd, 128, 0).decode("ascii", "replace").strip())
        return None if match is None else Noted(match[1], int(match[2]), int(match[3] or 0))

    def write(self, epoch: str, id_: int, size: int) -> None:
        """Note how far the log has come, and how many bytes the database's file has."""
        try:
            os.pwrite(self._fd, b"%-63b\n" % f"{epoch}:{id_} {size}".encode(), 0)
        except OSError:
            # The commit stands; only the warning of a later loss would be missing.
            pass

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def connect(
    path: Path, *, synchronous: str = "normal", query_only: bool = False, create: bool = False
) -> sqlite3.Connection:
    """Open one connection with the settings that all of them share; text comes back as bytes.

    A database that is missing is made only where `create` says so: one that was moved away is not replaced by an empty
    one.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=5.0,
    )
    connection.text_factory = bytes
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    connection.execute(f"PRAGMA query_only = {int(query_only)}")
    return connection


def open_database(folder: Path, guard: TailGuard, synchronous: str, copy_of: CopyOf | None = None) -> Opened:
    """Open or create the database for its one writer.

    Args:
        folder: the data folder.
        guard: the tail guard in it.
        synchronous: `normal` or `full`.
        copy_of: the log that this is a copy of. What does not belong to it, or does not reach what it still holds, is
            dropped: all of it can be had again.

    Raises:
        OpenError: the file is foreign, damaged, of a newer version, or cannot be written.
    """
    path = folder / DATABASE_NAME
    for suffix in DATABASE_SUFFIXES:
        check_file(folder / f"{DATABASE_NAME}{suffix}")
    try:
        connection = _open_ours(path, synchronous)
        try:
            if copy_of is not None:
                return _where_the_copy_stands(connection, guard, copy_of)
            return _where_it_stands(connection, guard, synchronous)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        kind = DamagedFile if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) else OpenError
        raise kind(f"{path} cannot be opened: {_explain(error)}") from None


def _explain(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return (
            "the file is damaged, or no database at all. Nothing was changed. Restore a backup; or move it away (with "
            "its -wal and -shm) and start again: a new log begins, and clients are told so by a gap. "
            "`sqlite3 FILE .recover` reads what is left."
        )
    if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_SHMSIZE":
        return "there is no room on the disk. Make room and start again."
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "it cannot be written. Check the owner and the mode of the folder and its files."
    return f"{error}. Nothing was changed."


def _open_ours(path: Path, synchronous: str) -> sqlite3.Connection:
    if path.exists() and path.stat().st_size:
        probe = sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=5.0)
        try:
            (application,) = probe.execute("PRAGMA application_id").fetchone()
            tables = probe.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            probe.close()
        if application != APPLICATION_ID and tables:
            raise OpenError(
                f"{path} is the database of another program. Nothing was changed; choose another folder with --data."
            )
    create_private_database(path)
    connection = connect(path, synchronous=synchronous, create=True)
    try:
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL)"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
        )
        version = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
        if version > len(MIGRATIONS):
            raise OpenError(
                f"{path} was written by a newer release (schema {version}, this one knows {len(MIGRATIONS)}). "
                f"Nothing was changed; update mission-control."
            )
        for number, (name, script) in enumerate(MIGRATIONS[version:], version + 1):
            for statement in filter(str.strip, _without_comments(script).split(";")):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, ?)", (number, name, rfc3339(now()).decode())
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _without_comments(script: str) -> str:
    return "\n".join(line.partition("--")[0] for line in script.splitlines())


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _where_it_stands(connection: sqlite3.Connection, guard: TailGuard, synchronous: str) -> Opened:
    meta = {key.decode(): value.decode() for key, value in connection.execute("SELECT key, value FROM meta")}
    newest = connection.execute("SELECT id, time, end FROM events ORDER BY id DESC LIMIT 1").fetchone()
    head, time, end = newest or (0, 0, 0)
    first = connection.execute("SELECT min(id) FROM events").fetchone()[0]
    epoch = meta.get("epoch")
    reason = None
    boot = _boot_id()
    noted = guard.read()
    if epoch is None:
        reason = NEW_LOG
        if noted is not None and noted.id:
            reason = f"the database is gone, and events up to {noted.id} are known to have existed"
    else:
        if noted is not None and noted.epoch == epoch and noted.id > head:
            reason = f"events up to {noted.id} are known to have existed, the database ends at {head}"
        elif meta.get("clean") != "1" and meta.get("boot") != boot and meta.get("synced") != "full":
            reason = "the machine went down before the newest events were surely on the disk"
    if epoch is None or reason is not None:
        epoch = new_epoch()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [("epoch", epoch), ("boot", boot), ("clean", "0"), ("synced", synchronous)],
    )
    connection.execute("COMMIT")
    guard.write(epoch, head, _size(connection))
    return Opened(
        connection,
        epoch,
        head + 1 if first is None else first,
        head,
        time,
        end,
        reason,
        synchronous,
        _doubt(meta),
    )


def _doubt(meta: Mapping[str, str]) -> float:
    """Return how many seconds of doubt about the clock were left."""
    try:
        return float(meta.get("doubt", "0"))
    except ValueError:
        return 0.0


def _size(connection: sqlite3.Connection) -> int:
    """Return the bytes that the database's file has now."""
    (path,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == b"main")
    return os.stat(path).st_size  # noqa: PTH116


def _where_the_copy_stands(connection: sqlite3.Connection, guard: TailGuard, copy_of: CopyOf) -> Opened:
    meta = {key.decode(): value.decode() for key, value in connection.execute("SELECT key, value FROM meta")}
    first, head = connection.execute("SELECT min(id), max(id) FROM events").fetchone()
    reason = None
    connection.execute("BEGIN IMMEDIATE")
    if meta.get("epoch") != copy_of.epoch:
        reason = "there was no copy yet" if "epoch" not in meta else "the log is another one than before"
        for table in ("events", "states", "source_memory"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
        connection.execute("DELETE FROM meta WHERE key = 'clock'")
        first = head = None
    elif head is not None and head + 1 < copy_of.first:
        reason = f"the log has been trimmed up to {copy_of.first - 1}, the copy ends at {head}"
        connection.execute("DELETE FROM events")
        first = head = None
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (copy_of.epoch,))
    connection.execute("COMMIT")
    if head is None:
        first, head = copy_of.first, copy_of.first - 1
    newest = connection.execute("SELECT time, end FROM events ORDER BY id DESC LIMIT 1").fetchone()
    time, end = newest or (0, 0)
    guard.write(copy_of.epoch, head, _size(connection))
    return Opened(connection, copy_of.epoch, first, head, time, end, reason, copied=True)
