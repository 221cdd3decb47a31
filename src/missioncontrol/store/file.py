"""The log's file, read without a server: nothing in it is changed, and a server that has it open is not disturbed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from missioncontrol.errors import OpenError
from missioncontrol.events import Patterns
from missioncontrol.store.log import Page, StateCheckpoint
from missioncontrol.store.reader import find_id_at, read_page, read_state
from missioncontrol.store.schema import APPLICATION_ID, DATABASE_NAME, MIGRATIONS


class LogFile:
    """The log in a data folder as it stood when it was opened, with its `epoch`, `first` and `head`."""

    def __init__(self, folder: Path) -> None:
        """Open the file for reading.

        Raises:
            OpenError: there is no log in the folder, or it is not one that this release can read.
        """
        path = folder / DATABASE_NAME
        if not path.is_file():
            raise OpenError(f"There is no log in {folder}; name the folder that `serve --data` was given.")
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
            self._connection.isolation_level = None
            self._connection.text_factory = bytes
            try:
                self._look(path)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise OpenError(f"{path} cannot be read: {error}.") from None

    def _look(self, path: Path) -> None:
        ask = self._connection.execute
        if ask("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise OpenError(f"{path} is the database of another program.")
        (version,) = ask("SELECT coalesce(max(version), 0) FROM migrations").fetchone()
        if version != len(MIGRATIONS):
            raise OpenError(
                f"{path} has the schema {version}, this release reads {len(MIGRATIONS)}; start a server on it "
                f"with the release that has written it, or with a newer one."
            )
        epoch = ask("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        first, head = ask("SELECT min(id), max(id) FROM events").fetchone()
        self.epoch: str = "" if epoch is None else epoch[0].decode()
        self.first: int = 1 if first is None else first
        self.head: int = 0 if head is None else head

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def read(self, after: int, patterns: Patterns, *, limit: int = 1000, max_bytes: int = 1_048_576) -> Page:
        """Read the events after an id, as `Log.read` does."""
        return read_page(self._connection, after, self.head, patterns, limit, max_bytes)

    def id_at(self, time: int) -> int:
        """Return the id of the last event told at or before `time`, in milliseconds since 1970."""
        return find_id_at(self._connection, time, self.first, self.head)

    def load_state(self, at: int) -> StateCheckpoint | None:
        """Return the newest kept state at or before an id."""
        return read_state(self._connection, at)
