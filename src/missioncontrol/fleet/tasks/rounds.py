"""Rounds: each synchronizes the queue's file and the state once. This module has the callers that wait for one.

A caller waits for what a round has done, never for a particular one, so that many callers share few rounds:

- `merged` waits until a round that began after the call has merged the file into the state;
- `written` waits until the file has certain tasks as the state has them, or until a round that began after the call
  has tried to write it and could not.

All of it belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

DOUBT_SECONDS = 0.25
"""Seconds for which a caller waits for a file that is missing or half written."""


@dataclass(frozen=True, eq=False)
class _Waiter:
    """A waiting caller; `after` is the number of rounds begun before its call, `ids` the tasks it wants written."""

    after: int
    since: float
    ids: Collection[str] | None
    done: asyncio.Future[None]

    def release(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Rounds:
    """The rounds of one queue, and the callers that wait for them."""

    def __init__(self) -> None:
        self._begun = 0
        self._running = False
        self._held = self._busy = 0
        self._request: Callable[[], None] | None = None
        self._waiters: list[_Waiter] = []

    @property
    def is_open(self) -> bool:
        """Whether callers can wait for rounds."""
        return self._request is not None

    @property
    def is_running(self) -> bool:
        """Whether a round has begun and has not ended."""
        return self._running

    @property
    def is_read_wanted(self) -> bool:
        """Whether a caller waits for the file to be read."""
        return any(waiter.ids is None for waiter in self._waiters)

    @property
    def is_write_wanted(self) -> bool:
        """Whether a caller waits for the file to be written."""
        return any(waiter.ids is not None for waiter in self._waiters)

    @property
    def is_wanted(self) -> bool:
        """Whether a caller waits for either."""
        return bool(self._waiters)

    @property
    def is_busy(self) -> bool:
        """Whether a caller is making a change, and will wait for the file to be written."""
        return self._busy > 0

    @property
    def is_held(self) -> bool:
        """Whether a caller is in the middle of several changes, and will ask for one round at their end."""
        return self._held > 0

    def open(self, request: Callable[[], None]) -> None:
        """Let callers wait from now on; `request` starts a round as soon as possible."""
        self._request = request

    def close(self) -> None:
        """Release all callers: there are no more rounds."""
        self._request, self._running = None, False
        self._release(lambda waiter: True)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Start no round for the changes made in this context, unless another caller requests one."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._request is not None:
                self._request()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark the context in which a caller makes a change and waits for the file to be written."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    # What a round does.

    def begin(self) -> None:
        """Note that a round begins: what it reads, it reads after this."""
        self._begun += 1
        self._running = True

    def merge(self) -> None:
        """Note that the running round has merged the file into the state."""
        self._release(lambda waiter: waiter.ids is None and waiter.after < self._begun)

    def end(
        self, *, merged: bool, tried: bool, doubtful: bool, has: Callable[[Collection[str]], bool]
    ) -> None:
        """Note that the running round has ended.

        Args:
            merged: the state has what was in the file.
            tried: all changes for the file were written, or could not be; False if another round has to write them.
            doubtful: the file is missing or half written, and is read again soon.
            has: returns whether the file has these tasks as the state has them.
        """
        self._running = False
        latest = monotonic() - DOUBT_SECONDS

        def is_done(waiter: _Waiter) -> bool:
            began_later = waiter.after < self._begun
            if waiter.ids is None:
                return merged and began_later
            if has(waiter.ids):
                return True
            return began_later and (waiter.since < latest if doubtful else tried)

        self._release(is_done)

    # What callers wait for.

    async def merged(self, seconds: float) -> None:
        """Wait at most `seconds` until a round that begins from now on has merged the file into the state."""
        await self._wait(None, seconds)

    async def written(self, ids: Collection[str], seconds: float) -> None:
        """Wait until the file has tasks as the state has them, or a round has tried that begins from now on.

        Args:
            ids: the tasks.
            seconds: how long at most.
        """
        await self._wait(ids, seconds)

    async def _wait(self, ids: Collection[str] | None, seconds: float) -> None:
        if self._request is None:
            return
        waiter = _Waiter(self._begun, monotonic(), ids, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        if not self._running:
            # The running round may do everything; if not, another one follows.
            self._request()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter.done
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _release(self, is_done: Callable[[_Waiter], bool]) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if is_done(waiter):
                waiter.release()
            else:
                self._waiters.append(waiter)


class SharedCheck:
    """A check in a thread that callers share: each gets the result of a check that began after its call.

    At most one runs at a time, so that a file system that does not answer occupies only one thread.
    """

    def __init__(self, check: Callable[[], bool]) -> None:
        """Prepare.

        Args:
            check: runs in a thread, and does not raise.
        """
        self._check = check
        self._running: asyncio.Task[bool] | None = None
        self._next: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """Return the result of the next check."""
        if self._next is None:
            self._next = asyncio.create_task(self._follow(self._running))
        return await asyncio.shield(self._next)

    async def _follow(self, before: asyncio.Task[bool] | None) -> bool:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await asyncio.to_thread(self._check)
