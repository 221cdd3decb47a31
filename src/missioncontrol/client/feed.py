"""The stream between a connection and its consumer: what is new, what is lost, and how much may wait.

No sockets here. Rules, which hold after every call:

- `position` is up to where the stream has been received, and `cursor` up to where the consumer has got it;
  `cursor` never passes an item that waits;
- an event at or before `position` is a repetition and is dropped, so that connections may overlap;
- `position` only goes back by a gap, which the consumer is told of;
- what waits is bounded: `room` holds the reader back until half of it is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque

from missioncontrol.client.items import Gap, Item, Snapshot
from missioncontrol.client.wire import Connected, Draining, Message, Moved
from missioncontrol.events import Cursor, Event

MAX_ITEMS = 1024
MAX_BYTES = 4 * 1024 * 1024


class _Waiting:
    """An item with the cursor that the consumer has after it, and its part of the bound in bytes."""

    __slots__ = ("cursor", "item", "size")

    def __init__(self, item: Item, cursor: Cursor | None, size: int) -> None:
        self.item = item
        self.cursor = cursor
        self.size = size


class Feed:
    """What one client has received and not yet handed over."""

    def __init__(self, since: Cursor | None, *, snapshot: bool) -> None:
        """Begin at `since`, or where the first connection says; `snapshot` asks for the state where it is new."""
        self.position = since
        self.cursor = since
        self.repeated = 0
        self.snapshot_due = snapshot and since is None
        self._snapshot = snapshot
        self._epoch: str | None = None if since is None else since.epoch
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._failure: Exception | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, message: Message, size: int = 0) -> None:
        """Take a message from the connection; `size` is what it weighed on the wire, in bytes."""
        match message:
            case Event():
                self._take_event(message, size)
            case Moved():
                self._move(message.cursor)
            case Gap():
                self._take_gap(message, size)
            case Snapshot():
                self.snapshot_due = False
                self._append(message, size)
            case Connected():
                self._epoch = message.cursor.epoch
                if self.position is None:
                    self.position = self.cursor = message.cursor
            case Draining():
                pass

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()

    @property
    def full(self) -> bool:
        """Whether the consumer has so much to take that nothing more is read."""
        return not self._room.is_set()

    async def next(self) -> Item:
        """Hand over the next item, and move the cursor with it.

        Raises:
            StopAsyncIteration: the feed was ended.
            ClientError: it failed, and all that had been received before is handed over.
        """
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        # Nothing is awaited from here on: a cancelled consumer has either not taken the item or has it.
        waiting = self._waiting.popleft()
        self._bytes -= waiting.size
        if waiting.cursor is not None:
            self.cursor = waiting.cursor
        if len(self._waiting) <= MAX_ITEMS // 2 and self._bytes <= MAX_BYTES // 2:
            self._room.set()
        return waiting.item

    def end(self, failure: Exception | None = None) -> None:
        """Take nothing more; without a failure what waits is dropped, as its consumer has gone."""
        self._ended = True
        self._failure = self._failure or failure
        if self._failure is None:
            self._waiting.clear()
        self._arrived.set()

    def _take_event(self, event: Event, size: int) -> None:
        at = self.position
        epoch = self._epoch or (at.epoch if at else "")
        if at is not None and at.epoch != epoch:
            # The server should have said so itself; silence is not an option.
            self._take_gap(
                Gap(at.id + 1, max(at.id + 1, event.id - 1), "epoch", str(Cursor(epoch, event.id - 1))), 0
            )
        elif at is not None and event.id <= at.id:
            self.repeated += 1
            return
        self.position = Cursor(epoch, event.id)
        self._append(event, size)

    def _take_gap(self, gap: Gap, size: int) -> None:
        self.position = Cursor.parse(gap.cursor)
        self._epoch = self.position.epoch
        self.snapshot_due = self._snapshot
        self._append(gap, size)

    def _move(self, cursor: Cursor) -> None:
        at = self.position
        if at is None or cursor.epoch != at.epoch or cursor.id <= at.id:
            return
        self.position = cursor
        if self._waiting:
            self._waiting[-1].cursor = cursor
        else:
            self.cursor = cursor

    def _append(self, item: Item, size: int) -> None:
        self._waiting.append(_Waiting(item, self.position, size))
        self._bytes += size
        if len(self._waiting) >= MAX_ITEMS or self._bytes >= MAX_BYTES:
            self._room.clear()
        self._arrived.set()
