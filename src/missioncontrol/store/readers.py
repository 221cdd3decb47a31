"""The connections that read the log, each in a thread of its own.

Invariant: a connection is closed by whoever has its lock, so never under a question that is being answered.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from missioncontrol.store.schema import connect

READERS = 2

Answer = TypeVar("Answer")


class _Slot:
    """A thread's connection, opened when it is first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class ReaderPool:
    """Threads with connections to a database."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is opened yet."""
        self._path = path
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="log-reader")
        self._own = threading.local()
        self._slots: list[_Slot] = []
        self._listing = threading.Lock()

    async def ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Answer a question in one of the threads.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def closed(self) -> ExitStack:
        """Close all connections, and keep them closed until the returned context is left; questions wait."""
        held = ExitStack()
        held.enter_context(self._listing)
        for slot in self._slots:
            held.enter_context(slot.lock)
            slot.close()
        return held

    def shutdown(self) -> None:
        """Answer what was asked, then close everything."""
        self._threads.shutdown()
        for slot in self._slots:
            slot.close()

    def _answer(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        slot: _Slot | None = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = _Slot()
            with self._listing:
                self._slots.append(slot)
        with slot.lock:
            if slot.connection is None:
                slot.connection = connect(self._path, query_only=True)
            return question(slot.connection)
