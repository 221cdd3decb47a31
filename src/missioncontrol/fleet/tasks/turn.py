"""A turn at the queue: its lock, held by one who lets others have theirs in between."""

from __future__ import annotations

import asyncio
from typing import Self


class Turn:
    """Holds a lock within `async with`. A task that is cancelled while others have their turn does not hold it."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._held = False

    async def __aenter__(self) -> Self:
        """Wait for the lock."""
        await self._lock.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Release the lock, where it is held."""
        if self._held:
            self._lock.release()

    async def pass_on(self) -> None:
        """Let those who wait have the lock, and take it again after them."""
        self._held = False
        self._lock.release()
        await asyncio.sleep(0)
        await self._lock.acquire()
        self._held = True
