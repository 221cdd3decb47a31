"""Threads that own the objects used on them.

An object that is not made for several threads (a connection to a database, a ledger, the memory of a parser) is used
on one `OwnerThread` and nowhere else. Cancelling the task that waits for a piece of work does not end the work: it goes
on in its thread. So what closes such an object is itself a piece of work of that thread, queued behind the running one.

Invariants:

- the work of a thread runs one piece after the other, in the order in which it was submitted;
- `close` returns after a limited time. Work that calls `checkpoint`, or that asks `stopping`, ends soon; work that
  hangs (in a file system that does not answer) is left behind on its daemon thread, and its objects with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, ParamSpec, TypeVar

STOP_SECONDS = 1.5
"""How long `close` waits for the work that is under way."""

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


class WorkStopped(Exception):
    """The thread is closing: the work ends here."""


class OwnerThread:
    """One thread, started with the first piece of work. `run` and `close` are called on the event loop.

    `doing` says what the running work is at, for whoever looks why it does not go on; None where it does not say.
    """

    def __init__(self, name: str) -> None:
        """Prepare; nothing is started yet.

        Args:
            name: the name of the thread, for stack traces and logs.
        """
        self.name = name
        self.doing: str | None = None
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stopping = False
        self._moved: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether the thread is closing; may be read from any thread."""
        return self._stopping

    @property
    def still_seconds(self) -> float:
        """Seconds since the running work began or last passed a checkpoint; 0 when nothing runs."""
        moved = self._moved
        return 0.0 if moved is None else monotonic() - moved

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a piece of work on the thread, and return what it returns.

        Raises:
            RuntimeError: the thread is closed.
            Exception: whatever the work raises.
        """
        if self._stopping:
            raise RuntimeError(f"the thread {self.name!r} is closed")
        return await self._submit(partial(work, *args, **kwargs))

    def checkpoint(self, doing: str | None = None) -> None:
        """Mark that the running work makes progress; called by the work itself.

        Args:
            doing: what it does next, such as the path that it reads.

        Raises:
            WorkStopped: the thread is closing.
        """
        if self._stopping:
            raise WorkStopped(f"the thread {self.name!r} is closing")
        self.doing = doing
        self._moved = monotonic()

    async def close(self, last: Callable[[], object] | None = None, *, seconds: float = STOP_SECONDS) -> bool:
        """Stop the work and end the thread; a thread that is closed already stays so.

        Args:
            last: run on the thread behind all other work, to close what it owns.
            seconds: how long to wait.

        Returns:
            whether the thread has ended. One that has not is left behind: what it owns must not be used any more.
        """
        if not self._stopping:
            self._stopping = True
            if self._thread is None and last is not None:
                self._start()
            if self._thread is None:
                return True
            self._ended = self._submit(partial(self._end, last))
            self._queue.put(None)
        if self._ended is None:
            return True
        ended, _ = await asyncio.wait({self._ended}, timeout=seconds)
        if not ended:
            logger.warning("thread.left_behind", extra={"owner": self.name, "seconds": self.still_seconds})
        return bool(ended)

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._thread is None:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        context = copy_context()

        def answer() -> None:
            if future.cancelled():
                # Nobody waits any more, and it has not begun.
                return
            result: Any = None
            error: BaseException | None = None
            try:
                result = context.run(work)
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):
                # The loop may be closed by now.
                loop.call_soon_threadsafe(_resolve, future, result, error)

        self._queue.put(answer)
        return future

    def _start(self) -> None:
        self._thread = Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (answer := self._queue.get()) is not None:
            self._moved = monotonic()
            answer()
            self._moved = self.doing = None

    def _end(self, last: Callable[[], object] | None) -> None:
        if last is not None:
            try:
                last()
            except Exception:
                logger.exception("thread.close_failed", extra={"owner": self.name})


def _resolve(future: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError("the work raised StopIteration"))
    else:
        future.set_exception(error)
