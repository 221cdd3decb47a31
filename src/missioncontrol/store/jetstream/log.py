"""The log of several nodes: NATS JetStream puts the events of all in one order, and each keeps a copy to read from.

The stream's sequence numbers are the ids. An append is acknowledged when the stream has it. Every node, also the one
that appended, receives an event when it is delivered: it is kept in the copy, a `SqliteLog`, and listeners are called
from there. So reading, catching up and rewinding are the same code as with one node.

Invariants, besides those of every log:

- what a source remembers travels in the message of the last event that it belongs to, so that neither is ever without
  the other, whatever dies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic

from missioncontrol.config import Config
from missioncontrol.errors import (
    Draining,
    MissionControlError,
    OpenError,
    Overloaded,
    PartlyTaken,
    StoreError,
    TooLarge,
)
from missioncontrol.events import Cursor, Data, Draft, Patterns, Record, encode_data
from missioncontrol.events.hosts import told_to_fleet
from missioncontrol.store.jetstream.link import Facts, StreamLink
from missioncontrol.store.jetstream.mirror import APPLY_SECONDS, Mirror, first_facts
from missioncontrol.store.jetstream.outbox import ANSWER_SECONDS, Outbox, Part
from missioncontrol.store.jetstream.states import SharedStates
from missioncontrol.store.log import (
    MAX_APPEND_EVENTS,
    Checkpoint,
    Listener,
    Page,
    Retention,
    StateCheckpoint,
    check_keys,
)
from missioncontrol.store.schema import CopyOf, FolderLock
from missioncontrol.store.sqlite import MAX_QUEUED_EVENTS, SqliteLog

COPY_FOLDER = "copy"
USUAL_LAG_SECONDS = 0.5
SHARE_STATE_SECONDS = 600.0
SHARE_STATE_EVENTS = 10_000
WRITE_HERE_BELOW = 500
"""From how many events on an append is written in a thread."""

logger = logging.getLogger(__name__)


class JetStreamLog:
    """A log that several nodes share. Made by `open`; belongs to the event loop that opened it."""

    def __init__(
        self,
        link: StreamLink,
        kept: SqliteLog,
        lock: FolderLock,
        config: Config,
        host: str,
    ) -> None:
        self.host = host
        self.link = link
        self.new_epoch_reason = kept.new_epoch_reason
        self.replaced: Callable[[str], None] = lambda _: None
        self._copy = kept
        self._lock = lock
        self.figures = kept.figures
        self._closed = False
        self._order = asyncio.Lock()
        self._mirror = Mirror(link, kept, host, self._replaced)
        self._outbox = Outbox(link, self._mirror, config.cluster)
        self._states = SharedStates(link, config.cluster.replicas)
        self._shared = (0, 0.0)
        self._alerting: set[asyncio.Task[None]] = set()
        kept.alert = self._append_alert

    @classmethod
    async def open(
        cls, folder: Path, config: Config, host: str, *, link: StreamLink | None = None
    ) -> JetStreamLog:
        """Connect, make the stream where it is missing, and bring the copy in step with it.

        While NATS is away a copy that is there is read from; without one there is nothing to serve.

        Args:
            folder: the data folder; belongs to one process at a time.
            config: `log` and `cluster` are read from it.
            host: under which name this node tells events.
            link: a connection that was started already; without one it is made.

        Raises:
            OpenError: the stream does not fit, NATS does not answer and there is no copy, the folder is in use.
        """
        retention = Retention(config.log.retention_days * 86_400, config.log.retention_bytes)
        lock = await asyncio.to_thread(FolderLock, folder)
        if link is None:
            link = StreamLink(config.nats_servers, config.cluster, retention)
            link.start()
        try:
            facts = await first_facts(link, folder / COPY_FOLDER)
            kept = await SqliteLog.open(
                folder / COPY_FOLDER,
                retention=retention,
                synchronous=config.log.synchronous,
                copy_of=CopyOf(facts.epoch, facts.first),
            )
        except BaseException:
            await link.close()
            lock.release()
            raise
        log = cls(link, kept, lock, config, host)
        try:
            await log._begin(facts)
        except BaseException:
            await log.close()
            raise
        return log

    async def _begin(self, facts: Facts) -> None:
        if self.link.connected:
            await self._take_shared_state(facts)
        self._mirror.start()
        self._outbox.start()
        began = monotonic()
        while self.link.connected and self._copy.head < facts.last and self._mirror.lost is None:
            await self._mirror.reach(min(facts.last, self._copy.head + 100_000), 5.0)
            if self._copy.trouble is not None:
                raise OpenError(self._copy.trouble)
            if monotonic() - began > 2.0:
                logger.info("copy.catching_up", extra={"at": self._copy.head, "of": facts.last})

    async def _take_shared_state(self, facts: Facts) -> None:
        kept = await self._copy.load_state(self._copy.head)
        if facts.first > 1 and (kept is None or kept.id < self._copy.first - 1):
            # The beginning is gone from the stream; another node has kept what it led to.
            with suppress(StoreError):
                state = await self._states.load()
                if state is not None and facts.first - 1 <= state.id <= facts.last:
                    await self._copy.save_state(state)

    # What every log has.

    @property
    def epoch(self) -> str:
        """The name of this life of the log, the same at all nodes."""
        return self._copy.epoch

    @property
    def first(self) -> int:
        """The oldest id that can be read here."""
        return self._copy.first

    @property
    def head(self) -> int:
        """The newest id that listeners have heard of."""
        return self._copy.head

    @property
    def trouble(self) -> str | None:
        """Why nothing can be appended at the moment; None when all is well."""
        return self._mirror.lost or self.link.trouble or self._mirror.stalled or self._copy.trouble

    @property
    def lag(self) -> int:
        """How many events the stream is known to have that are not here yet."""
        return self._mirror.lag

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that are known to have told events."""
        return self._mirror.hosts

    @hosts.setter
    def hosts(self, hosts: frozenset[str]) -> None:
        self._mirror.hosts = hosts

    def cursor(self) -> Cursor:
        """The cursor that stands at the head."""
        return self._copy.cursor()

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the records of each commit of the copy."""
        self._copy.listen(listener)

    async def reach(self, id_: int) -> bool:
        """Wait until listeners have heard of an id that another node may have told already; see `Log.reach`."""
        if await self._mirror.reach(id_, USUAL_LAG_SECONDS):
            return True
        if self._mirror.lost is not None:
            raise StoreError(self._mirror.lost)
        facts = await self.link.look()
        if facts.last < id_:
            return False
        if await self._mirror.reach(id_, ANSWER_SECONDS):
            return True
        raise StoreError(f"This node is catching up: it is at {self.head} of {facts.last}; try another one.")

    async def read(
        self, after: int, patterns: Patterns, *, limit: int = 1000, max_bytes: int = 262_144
    ) -> Page:
        """Read one page of events after an id; see `Log.read`."""
        return await self._copy.read(after, patterns, limit=limit, max_bytes=max_bytes)

    async def newest(self, patterns: Patterns, *, limit: int, before: int | None = None) -> list[Record]:
        """Read the newest events, newest first; see `Log.newest`."""
        return await self._copy.newest(patterns, limit=limit, before=before)

    async def id_at(self, time: int) -> int:
        """Return the id of the last event told at or before `time`; see `Log.id_at`."""
        return await self._copy.id_at(time)

    async def recall(self, source: str) -> dict[str, bytes]:
        """Return everything that a source of this host has remembered."""
        return await self._copy.recall(source)

    async def load_state(self, at: int) -> StateCheckpoint | None:
        """Return the newest kept state at or before the id `at`."""
        return await self._copy.load_state(at)

    async def save_state(self, checkpoint: StateCheckpoint) -> None:
        """Keep a folded state here, and at times for nodes that lose their copy."""
        await self._copy.save_state(checkpoint)
        id_, at = self._shared
        if checkpoint.id - id_ >= SHARE_STATE_EVENTS or (
            checkpoint.id > id_ and monotonic() - at > SHARE_STATE_SECONDS
        ):
            self._shared = (checkpoint.id, monotonic())
            with suppress(StoreError):
                await self._states.save(checkpoint)

    async def close(self) -> None:
        """Send what is queued, then let go of everything."""
        if self._closed:
            return
        self._closed = True
        await self._outbox.stop()
        await self._mirror.stop()
        await self.link.close()
        await self._copy.close()
        self._lock.release()

    # Appending.

    async def append(
        self, drafts: Sequence[Draft], checkpoint: Checkpoint | None = None, *, after: int | None = None
    ) -> list[int]:
        """Append drafts, and return their ids once the stream and the copy have them; see `Log.append`.

        More than 1,000 are appended in parts.

        Raises:
            PartlyTaken: NATS was lost between two parts.
        """
        if len(drafts) > MAX_APPEND_EVENTS:
            raise TooLarge(
                f"{len(drafts):,} events at once; the limit is {MAX_APPEND_EVENTS:,}. Send fewer at a time."
            )
        check_keys(checkpoint)
        if self._closed:
            raise Draining("The log is closing.")
        if not drafts:
            return await self._copy.append([], checkpoint)
        if self.figures.queued + len(drafts) > MAX_QUEUED_EVENTS:
            raise Overloaded("Too many events wait for the stream; slow down and try again.")
        self.figures.queued += len(drafts)
        try:
            # What is written in a thread keeps its place: the next append waits for it.
            async with self._order:
                write = partial(self._write, drafts, checkpoint, after)
                parts = write() if len(drafts) < WRITE_HERE_BELOW else await asyncio.to_thread(write)
                if self._closed:
                    raise Draining("The log is closing.")
                self._outbox.put(parts)
            return await self._taken(parts, len(drafts))
        finally:
            self.figures.queued -= len(drafts)

    def _write(self, drafts: Sequence[Draft], checkpoint: Checkpoint | None, after: int | None) -> list[Part]:
        """Write drafts as they go to the stream; in any thread."""
        told = [self._told(draft) for draft in drafts]
        return self._outbox.write(told, [encode_data(draft) for draft in told], checkpoint, after)

    async def _taken(self, parts: list[Part], count: int) -> list[int]:
        """Wait until the stream and the copy have all parts, and return the ids of their `count` drafts."""
        ids: list[int] = []
        try:
            for part in parts:
                # A caller that goes away must not take back what may be on its way to the stream.
                ids += await asyncio.shield(part.done)
        except StoreError as error:
            if not ids:
                raise
            raise PartlyTaken(
                f"{str(error).rstrip('.')}. The first {len(ids):,} of {count:,} events were taken; "
                f"send the others again.",
                ids,
                retry_after=error.retry_after,
            ) from None
        await self._mirror.reach(max(ids), APPLY_SECONDS)
        return ids

    def _told(self, draft: Draft) -> Draft:
        data: Data = told_to_fleet(draft.type, draft.data, self.host, self.hosts)
        return Draft(draft.type, data, draft.key, draft.source, draft.traceparent, draft.by)

    def _replaced(self, reason: str) -> None:
        self.replaced(reason)

    def _append_alert(self, draft: Draft) -> None:
        """Append what the copy has to report of this machine; where that fails, the log of the process has it."""
        task = asyncio.get_running_loop().create_task(self._try_to_append(draft))
        self._alerting.add(task)
        task.add_done_callback(self._alerting.discard)

    async def _try_to_append(self, draft: Draft) -> None:
        with suppress(MissionControlError):
            await self.append([draft])
