"""The local copy of the stream: a `SqliteLog` that has the stream's events under the stream's ids.

Invariants:

- the copy has every sequence of the stream from where it began, whatever stands in it: see `message`;
- what a source remembers is kept with the event that it travelled with, so that neither is ever without the other;
- a copy that does not go on although the stream has more says so.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic

import msgspec

from missioncontrol.backoff import Backoff
from missioncontrol.errors import MissionControlError, OpenError, StoreError
from missioncontrol.events import Record
from missioncontrol.store.damage import is_noted
from missioncontrol.store.jetstream.follower import BROKEN_SECONDS, StreamFollower
from missioncontrol.store.jetstream.link import Facts, StreamLink
from missioncontrol.store.jetstream.message import Delivered, Entry, is_same, read_message
from missioncontrol.store.log import Checkpoint
from missioncontrol.store.schema import DATABASE_NAME
from missioncontrol.store.sqlite import SqliteLog
from missioncontrol.store.work import Copied

FIRST_CONNECT_SECONDS = 5.0
MAX_GROUP = 2_000
MAX_BYTES_ON_LOOP = 16 * 1024
"""How much of a group is read on the event loop: what sources remember may unpack to a thousand times as much."""

MAX_WAITING = 2_000
APPLY_SECONDS = 30.0
NAMED_UNREADABLE = 20
WATCH_SECONDS = 1.0
STALLED_SECONDS = 15.0
"""After how long without an event, while the stream has more, the copy is said not to go on."""

logger = logging.getLogger(__name__)


class Mirror:
    """Keeps the copy in step with the stream.

    `lost` says why it cannot go on; `awaited` has the ids of messages that were sent, with their sequence once they are
    delivered.
    """

    def __init__(self, link: StreamLink, kept: SqliteLog, host: str, replaced: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            link: the connection to the stream.
            kept: the copy.
            host: under which name this node tells events.
            replaced: is called with the reason when the copy cannot go on and must be made again.
        """
        self.copy = kept
        self.host = host
        self.hosts: frozenset[str] = frozenset({host})
        self.lost: str | None = None
        self.awaited: dict[str, int | None] = {}
        self._link = link
        self._replaced = replaced
        self._delivered: asyncio.Queue[Delivered] = asyncio.Queue(MAX_WAITING)
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._tasks: list[asyncio.Task[None]] = []
        self._follower: StreamFollower | None = None
        self._moved = (kept.head, monotonic())
        kept.listen(self._committed)

    def start(self) -> None:
        """Begin to follow the stream."""
        self._tasks = [
            asyncio.create_task(self._keep(), name="keep the copy"),
            asyncio.create_task(self._watch(), name="see whether the copy moves"),
        ]
        self._follower = StreamFollower(self._link, self.copy.head, self._delivered.put, self.lose)

    async def stop(self) -> None:
        """End; the copy is still open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._follower is not None:
            await self._follower.stop()
        for _, _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    @property
    def in_step(self) -> float:
        """The monotonic time at which everything that the stream had was delivered."""
        return 0.0 if self._follower is None else self._follower.in_step

    @property
    def lag(self) -> int:
        """How many events the stream is known to have that are not here yet."""
        facts = self._link.facts
        return 0 if facts is None else max(0, facts.last - self.copy.head)

    @property
    def stalled(self) -> str | None:
        """In a sentence that the copy does not go on, though the stream has more; None while it does."""
        facts, head = self._link.facts, self.copy.head
        seconds = monotonic() - self._moved[1]
        if facts is None or facts.last <= head or seconds < STALLED_SECONDS:
            return None
        why = self.copy.trouble or (
            "Search this node's log for stream.* and copy.*, which say why; restart it if nothing does."
        )
        return f"The copy of the stream has not moved for {seconds:.0f} s: it is at {head} of {facts.last}. {why}"

    async def _watch(self) -> None:
        """Note when the copy was last in step or moved."""
        while True:
            if not self.lag or self._moved[0] != self.copy.head:
                self._moved = (self.copy.head, monotonic())
            if self.copy.damage is not None and self.lost is None:
                # The stream has all of it: the next start makes the copy again.
                self.lose("it is damaged")
            await asyncio.sleep(WATCH_SECONDS)

    async def catch_up(self, deadline: float) -> None:
        """Wait until the copy has what the stream has now.

        Raises:
            StoreError: it has not in time.
        """
        facts = await self._link.look()
        if not await self.reach(facts.last, max(0.5, deadline - monotonic())):
            raise StoreError(
                f"This node is catching up: it is at {self.copy.head} of {facts.last}. Try again soon."
            )

    async def reach(self, id_: int, seconds: float) -> bool:
        """Wait until listeners have heard of an id, at most so long; says whether they have."""
        if self.copy.head < id_:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiters, (id_, next(self._order), waiter))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter
        return self.copy.head >= id_

    def _committed(self, records: Sequence[Record]) -> None:
        while self._waiters and self._waiters[0][0] <= self.copy.head:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(None)

    def lose(self, reason: str) -> None:
        """Note that what comes next cannot be had."""
        self.lost = f"The copy cannot go on: {reason}."
        logger.error("copy.lost", extra={"reason": reason})
        self._replaced(reason)

    async def _keep(self) -> None:
        """Take what is delivered into the copy, in groups, for ever."""
        while True:
            group = [await self._delivered.get()]
            while len(group) < MAX_GROUP and not self._delivered.empty():
                group.append(self._delivered.get_nowait())
            copied: list[Copied] = []
            checkpoints: list[Checkpoint] = []
            if sum(len(delivered.payload) for delivered in group) > MAX_BYTES_ON_LOOP:
                entries = await asyncio.to_thread(_read, group, self.host)
            else:
                entries = _read(group, self.host)
            for delivered, entry in zip(group, entries, strict=True):
                if entry.problem is not None:
                    self._note_unreadable(delivered.sequence, entry.problem)
                if (host := entry.copied.record.host) is not None and host not in self.hosts:
                    self.hosts |= {host}
                copied.append(entry.copied)
                if entry.checkpoint is not None:
                    checkpoints.append(entry.checkpoint)
                if delivered.id in self.awaited:
                    self.awaited[delivered.id] = delivered.sequence
            await self._copy_into(copied, checkpoints)

    def _note_unreadable(self, sequence: int, problem: str) -> None:
        count = self.copy.figures.unreadable = self.copy.figures.unreadable + 1
        # Each is named once, and of a flood some.
        if count <= NAMED_UNREADABLE or count & (count - 1) == 0:
            logger.warning(
                "stream.unreadable", extra={"sequence": sequence, "reason": problem, "count": count}
            )

    async def _copy_into(self, copied: list[Copied], checkpoints: list[Checkpoint]) -> None:
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                await self.copy.copy(copied, checkpoints)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger.warning(
                    "copy.waits",
                    extra={"reason": str(error)},
                    exc_info=not isinstance(error, MissionControlError),
                )
                await asyncio.sleep(backoff.next())
            else:
                return


def _read(group: Sequence[Delivered], host: str) -> list[Entry]:
    return [read_message(delivered, host) for delivered in group]


async def first_facts(link: StreamLink, folder: Path) -> Facts:
    """Return what the stream holds; while NATS is away, what the copy says of it."""
    known = await asyncio.to_thread(_position, folder)
    await link.wait_connected(FIRST_CONNECT_SECONDS)
    trouble = link.trouble or "NATS is away."
    if link.connected:
        try:
            return await _same_past(link, await link.open(), known)
        except StoreError as error:
            trouble = str(error)
    if known is None:
        raise OpenError(
            f"No log can be had: {trouble.partition(';')[0].rstrip('.')}, and this node has no copy to read from. "
            f"Start the NATS servers with JetStream (nats-server -js), or name others with --log."
        )
    logger.warning("nats.away_at_start", extra={"reason": trouble})
    link.facts = Facts(known.epoch, known.first, known.head, 0, 0, 0, None)
    return link.facts


async def _same_past(link: StreamLink, facts: Facts, known: _Position | None) -> Facts:
    """See whether the stream still has what this node has told; where it has not, a new epoch begins."""
    if known is None or known.epoch != facts.epoch or known.head < facts.first:
        return facts
    deadline = monotonic() + BROKEN_SECONDS
    while known.head > facts.last and monotonic() < deadline:
        # A leader that was just elected may not have read all of its own log yet.
        await asyncio.sleep(0.2)
        facts = await link.look()
    if known.head <= facts.last:
        payload = await link.payload_of(known.head)
        if payload is not None and is_same(payload, known.body):
            return facts
    logger.error("stream.lost_its_tail", extra={"told": known.head, "stream": facts.last})
    return await link.begin_epoch()


class _Position(msgspec.Struct):
    """Where a copy stands, and its newest event."""

    epoch: str
    first: int
    head: int
    body: bytes


def _position(folder: Path) -> _Position | None:
    path = folder / DATABASE_NAME
    if not path.exists() or is_noted(folder):
        return None
    try:
        connection = sqlite3.connect(path, timeout=5.0)
        try:
            epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            first = connection.execute("SELECT min(id) FROM events").fetchone()[0]
            newest = connection.execute("SELECT id, body FROM events ORDER BY id DESC LIMIT 1").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        # Opening it says what is wrong with it.
        return None
    if epoch is None or newest is None:
        return None
    return _Position(epoch[0], first, newest[0], bytes(newest[1]))
