"""Where long bodies are decoded: on threads of their own, a few at a time, and without holding up a stop.

Threads of asyncio's executor are joined when the loop ends, so that one that is busy delays the stop of the server.
These are daemon threads: a stop leaves them behind, and what they were decoding was not accepted yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from missioncontrol.errors import Draining, Overloaded

P = ParamSpec("P")
T = TypeVar("T")

AT_A_TIME = 2
"""How many bodies are decoded at a time, which bounds the memory that they take unpacked."""

MAX_WAITING = 64
"""How many may wait for that, each with its body as it came."""


class Decoders:
    """Runs functions of bytes on daemon threads, `at_a_time` of them."""

    def __init__(self, at_a_time: int = AT_A_TIME, max_waiting: int = MAX_WAITING) -> None:
        """Prepare; a thread is started for each function and ends with it."""
        self._free = at_a_time
        self._max_waiting = max_waiting
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the function returns, or raise what it raises.

        Raises:
            Draining: the server stops, and does not wait for the result.
            Overloaded: too many wait already.
        """
        if self._closed:
            raise _draining()
        await self._turn()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._answers.add(answer)
        Thread(
            target=self._work, args=(answer, partial(function, *args, **kwargs)), name="decoder", daemon=True
        ).start()
        try:
            return await answer
        finally:
            # An error has this frame in its traceback: without this the two, and the body, wait for the collector.
            del answer

    def _work(self, answer: asyncio.Future[T], function: Callable[[], T]) -> None:
        settle: Callable[[], None]
        try:
            settle = partial(self._settle, answer, function(), None)
        except BaseException as error:
            settle = partial(self._settle, answer, None, error)
        with suppress(RuntimeError):
            # The loop may have ended in the meantime.
            answer.get_loop().call_soon_threadsafe(settle)
        del settle, answer

    def close(self) -> None:
        """Answer all callers that the server stops; what runs is left to its thread."""
        self._closed = True
        for future in (*self._waiting, *self._answers):
            if not future.done():
                future.set_exception(_draining())

    async def _turn(self) -> None:
        """Wait until one function more may run."""
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(
                "More bodies wait to be decoded than may; send it again in a moment.", retry_after=5
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was this one's turn already: it passes to the next.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _settle(self, answer: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
        # Only now, and not when the caller is cancelled: until here the thread was busy.
        self._pass_on()
        self._answers.discard(answer)
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]


def _draining() -> Draining:
    return Draining("The server is about to stop and takes nothing more; send it again in a moment.")
