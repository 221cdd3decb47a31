"""Plain descriptors of files that SQLite has open too, in this process.

Closing any descriptor of a file drops every POSIX lock that the process holds on it, those of SQLite's connections
included; the writer then takes itself for the last user, and removes the log from under them
(https://www.sqlite.org/howtocorrupt.html, section 2.2). Invariants:

- a descriptor is closed only when no connection and no reader of its file is left in this process;
- there is at most one for each file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from missioncontrol.runtimes.files.regular import open_regular

Identity = tuple[int, int]
"""Device and inode of a file."""


class _Entry:
    __slots__ = ("file", "indexes", "paths", "users")

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.file: BinaryIO | None = None
        self.indexes: dict[Identity, int] = {}
        self.users = 0


class SharedFiles:
    """The files of one process, for all of its threads.

    `cuts` counts how often an index was cut off while it was read, so that what was read then can be dismissed.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._lock = Lock()
        self._entries: dict[Identity, _Entry] = {}

    def join(self, path: Path) -> Identity:
        """Count a connection that is about to be opened; `leave` counts it out once it is closed.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self._lock:
            identity = _identity(path.stat(follow_symlinks=False))
            entry = self._entries.setdefault(identity, _Entry())
            entry.users += 1
            entry.paths.add(path.resolve())
            return identity

    def leave(self, identity: Identity, connection: sqlite3.Connection | None = None) -> None:
        """Close a connection, if there is one, and count it out."""
        with self._lock:
            if connection is not None:
                connection.close()
            self._leave(identity)

    def is_joined(self, path: Path) -> bool:
        """Return whether there is a connection to the database at a path; called while the files are `held`."""
        return any(path in entry.paths for entry in self._entries.values())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no connection begin or end within this."""
        with self._lock:
            yield

    def has_grown(self, identity: Identity, index: Identity, size: int) -> bool:
        """Return whether a database's index is as long as it ever was.

        All connections of a process map the same index. SQLite makes it longer, and never shorter while it is mapped.

        Args:
            identity: the database, which must be joined.
            index: the file of the index.
            size: how long it is now, in bytes.
        """
        with self._lock:
            indexes = self._entries[identity].indexes
            indexes[index] = max(size, indexes.get(index, 0))
            return size == indexes[index]

    @contextmanager
    def open(self, path: Path) -> Iterator[int]:
        """Open a regular file for reading, by `os.pread`: the descriptor may be others' too.

        Raises:
            FileNotFoundError: it is not there.
            UnreadableError: it is no regular file, or may not be read.
        """
        with self._lock:
            identity = _identity(path.stat(follow_symlinks=False))
            entry = self._entries.get(identity)
            if entry is None or entry.file is None:
                file = open_regular(path)
                # Another file may have been put in its place meanwhile.
                identity = _identity(os.fstat(file.fileno()))
                entry = self._entries.setdefault(identity, _Entry())
                if entry.file is None:
                    entry.file = file
            entry.users += 1
            descriptor = entry.file.fileno()
        try:
            yield descriptor
        finally:
            self.leave(identity)

    def _leave(self, identity: Identity) -> None:
        entry = self._entries[identity]
        entry.users -= 1
        if entry.users == 0:
            del self._entries[identity]
            if entry.file is not None:
                entry.file.close()


shared_files = SharedFiles()
"""Those of this process, which is what POSIX locks belong to."""


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
