"""The log of several nodes: NATS JetStream puts the events of all in one order, and each keeps a copy to read from.

The stream's sequence numbers are the ids. An append is acknowledged when the stream has it. Every node, also the one
that appended, hears of an event when it is delivered: it is kept in the copy, a `SqliteLog`, and told to listeners from
there. So reading, catching up and rewinding are the same code as with one node.

Invariants, besides those of every log:

- what a source remembers travels in the message of the last event that it belongs to, so that neither is ever without
  the other, whatever dies;
- a key is known by the stream for `cluster.duplicate_window`, and by the copy for as long as it holds the event; where
  the copy lags so far that an event might fall between both, an append with a key waits until it does not;
- where it is in doubt whether the stream has taken an append, that is found out, if need be by asking again with the
  same ids, before anything is answered; where it cannot be found out in time, the error says so.
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import logging
import sqlite3
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from hashlib import sha256
from itertools import count
from pathlib import Path
from secrets import token_hex
from time import monotonic

import msgspec

from missioncontrol.config import Config
from missioncontrol.errors import (
    BadEvent,
    Draining,
    MissionControlError,
    OpenError,
    Overloaded,
    PartlyTaken,
    StoreError,
    TooLarge,
)
from missioncontrol.events import (
    Cursor,
    Data,
    Draft,
    Patterns,
    Record,
    check_type,
    encode_data,
    encode_source,
    is_traceparent,
    subject_of,
    write_body,
)
from missioncontrol.events.hosts import MAX_HOST_LENGTH, is_host, told_to_fleet
from missioncontrol.store.log import (
    FLEET_SOURCES,
    MAX_APPEND_EVENTS,
    Checkpoint,
    Listener,
    Page,
    Retention,
    StateCheckpoint,
    outdated,
)
from missioncontrol.store.schema import DATABASE_NAME, CopyOf, FolderLock
from missioncontrol.store.sqlite import MAX_QUEUED_EVENTS, SqliteLog
from missioncontrol.store.stream import (
    BROKEN_SECONDS,
    MAX_BATCH,
    Delivered,
    Facts,
    InDoubt,
    KnownAlready,
    Message,
    Refused,
    StreamLink,
    WrongSequence,
)
from missioncontrol.store.writer import Copied

COPY_FOLDER = "copy"
FIRST_CONNECT_SECONDS = 5.0
MAX_MEMORY_BYTES = 600 * 1024
"""How much of what a source remembers goes with one append, compressed; NATS servers take messages of 1 MiB."""

MAX_GROUP = 2_000
_TASK = "task."
MAX_WAITING = 2_000
ANSWER_SECONDS = 2.0
USUAL_LAG_SECONDS = 0.5
APPLY_SECONDS = 30.0
SHARE_STATE_SECONDS = 600.0
SHARE_STATE_EVENTS = 10_000

logger = logging.getLogger(__name__)


class _Body(msgspec.Struct, omit_defaults=True):
    """The first line of a message: an event without id and time, which the stream gives."""

    type: str
    source: str
    host: str
    data: msgspec.Raw
    key: str | None = None
    traceparent: str | None = None


class _Memory(msgspec.Struct):
    """What follows the first line, compressed: what the event's source remembers with it."""

    source: str
    changes: dict[str, str | None]


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
        self.hosts: frozenset[str] = frozenset({host})
        self.link = link
        self.new_epoch_reason = kept.new_epoch_reason
        self.replaced: Callable[[str], None] = lambda _: None
        self._copy = kept
        self._lock = lock
        self._cluster = config.cluster
        self.figures = kept.figures
        self._closed = False
        self._delivered: asyncio.Queue[Delivered] = asyncio.Queue(MAX_WAITING)
        self._awaited: dict[str, int | None] = {}
        self._queue: deque[_Part] = deque()
        self._sending: list[_Part] = []
        self._queued = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._lost: str | None = None
        self._shared = (0, 0.0)
        self._keeper: asyncio.Task[None] | None = None
        kept.listen(self._committed)

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
            facts = await _first_facts(link, folder / COPY_FOLDER)
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
        self._keeper = asyncio.create_task(self._keep(), name="keep the copy")
        self._sender = asyncio.create_task(self._send(), name="send to the stream")
        self.link.follow(self._copy.head, self._delivered.put, self._lose)
        began = monotonic()
        while self.link.connected and self._copy.head < facts.last and self._lost is None:
            await self._reach(min(facts.last, self._copy.head + 100_000), 5.0)
            if self._copy.trouble is not None:
                raise OpenError(self._copy.trouble)
            if monotonic() - began > 2.0:
                logger.info("copy.catching_up", extra={"at": self._copy.head, "of": facts.last})

    async def _take_shared_state(self, facts: Facts) -> None:
        kept = await self._copy.load_state(self._copy.head)
        if facts.first > 1 and (kept is None or kept.id < self._copy.first - 1):
            # The beginning is gone from the stream; another node has kept what it led to.
            with suppress(StoreError):
                state = await self.link.load_state()
                if state is not None and state.id >= facts.first - 1:
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
        return self._lost or self.link.trouble or self._copy.trouble

    @property
    def lag(self) -> int:
        """How many events the stream is known to have that are not here yet."""
        facts = self.link.facts
        return 0 if facts is None else max(0, facts.last - self._copy.head)

    def cursor(self) -> Cursor:
        """The cursor that stands at the head."""
        return self._copy.cursor()

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the records of each commit of the copy."""
        self._copy.listen(listener)

    async def reach(self, id_: int) -> bool:
        """Wait until listeners have heard of an id that another node may have told already; see `Log.reach`."""
        if await self._reach(id_, USUAL_LAG_SECONDS):
            return True
        if self._lost is not None:
            raise StoreError(self._lost)
        facts = await self.link.look()
        if facts.last < id_:
            return False
        if await self._reach(id_, ANSWER_SECONDS):
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
                await self.link.save_state(checkpoint)

    async def close(self) -> None:
        """Send what is queued, then let go of everything."""
        if self._closed:
            return
        self._closed = True
        waiting = [part.done for part in (*self._sending, *self._queue)]
        if waiting and self.link.connected:
            # What was accepted is sent, or known not to be, before the connection is let go of.
            await asyncio.wait(waiting, timeout=self._cluster.publish_timeout)
        for task in filter(None, (self._sender, self._keeper)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for part in (*self._sending, *self._queue):
            _fail(part, Draining("The log is closing; it is not known whether the event was taken."))
        await self.link.close()
        for _, _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
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
        told = [self._told(draft) for draft in drafts]
        encoded = [encode_data(draft) for draft in told]
        if self._closed:
            raise Draining("The log is closing.")
        if not drafts:
            return await self._copy.append([], checkpoint)
        if self.figures.queued + len(drafts) > MAX_QUEUED_EVENTS:
            raise Overloaded("Too many events wait for the stream; slow down and try again.")
        parts: list[_Part] = []
        for start in range(0, len(told), MAX_BATCH):
            end = start + MAX_BATCH
            memory = checkpoint if end >= len(told) else None
            parts.append(self._part(told[start:end], encoded[start:end], memory, after, parts))
        self.figures.queued += len(drafts)
        self._queue.extend(parts)
        self._queued.set()
        ids: list[int] = []
        try:
            for part in parts:
                # A caller that goes away must not take back what may be on its way to the stream.
                ids += await asyncio.shield(part.done)
        except StoreError as error:
            if not ids:
                raise
            raise PartlyTaken(
                f"{str(error).rstrip('.')}. The first {len(ids):,} of {len(drafts):,} events were taken; "
                f"send the others again.",
                ids,
                retry_after=error.retry_after,
            ) from None
        finally:
            self.figures.queued -= len(drafts)
        await self._reach(max(ids), APPLY_SECONDS)
        return ids

    def _told(self, draft: Draft) -> Draft:
        data: Data = told_to_fleet(draft.type, draft.data, self.host, self.hosts)
        return Draft(draft.type, data, draft.key, draft.source, draft.traceparent)

    def _part(
        self,
        drafts: list[Draft],
        encoded: list[bytes],
        checkpoint: Checkpoint | None,
        after: int | None,
        before: list[_Part],
    ) -> _Part:
        """Make what goes to the stream at once of drafts; the same key twice is one event."""
        messages: list[Message] = []
        places: list[int] = []
        by_key: dict[str, int] = {}
        for draft, data in zip(drafts, encoded, strict=True):
            if draft.key is not None and draft.key in by_key:
                places.append(by_key[draft.key])
                continue
            places.append(len(messages))
            if draft.key is not None:
                by_key[draft.key] = len(messages)
            messages.append(self._message(draft, data))
        packed = _pack_memory(checkpoint)
        if packed:
            messages[-1] = messages[-1]._replace(payload=messages[-1].payload + b"\n" + packed)
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        keys = {place: key for key, place in by_key.items()}
        return _Part(messages, places, keys, checkpoint, packed is not None, after, list(before), done)

    def _message(self, draft: Draft, data: bytes) -> Message:
        body = _Body(draft.type, draft.source, self.host, msgspec.Raw(data), draft.key, draft.traceparent)
        id_ = token_hex(16) if draft.key is None else sha256(draft.key.encode()).hexdigest()[:32]
        return Message(
            _subject(draft.type, subject_of(draft.type, draft.data)), id_, msgspec.json.encode(body)
        )

    async def _send(self) -> None:
        """Send what is queued, in its order, for ever: what waits together goes as one batch."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                group = self._sending = [self._queue.popleft()]
                size = len(group[0].messages)
                while self._queue and group[0].after is None:
                    following = self._queue[0]
                    size += len(following.messages)
                    if size > MAX_BATCH or following.after is not None or following.before:
                        break
                    group.append(self._queue.popleft())
                try:
                    await self._send_group(group)
                except Refused:
                    # One of them is to blame, and the others are not to suffer for it.
                    for part in group:
                        await self._send_alone(part)
                except MissionControlError as error:
                    for part in group:
                        _fail(part, error)
                except Exception as error:
                    logger.exception("sending to the stream failed")
                    for part in group:
                        _fail(part, StoreError(f"The log failed unexpectedly: {error!r}."))
                self._sending = []

    async def _send_alone(self, part: _Part) -> None:
        try:
            await self._send_group([part])
        except MissionControlError as error:
            _fail(part, error)

    async def _send_group(self, group: list[_Part]) -> None:
        for part in group:
            for earlier in part.before:
                if error := earlier.done.exception():
                    raise error
        messages: list[Message] = []
        keys: dict[int, str] = {}
        by_id: dict[str, int] = {}
        for part in group:
            for place, message in enumerate(part.messages):
                if by_id.setdefault(message.id, len(messages)) == len(messages):
                    if place in part.keys:
                        keys[len(messages)] = part.keys[place]
                    messages.append(message)
        for message in messages:
            self._awaited[message.id] = None
        try:
            found = await self._publish(messages, keys, group[0].after)
        finally:
            for message in messages:
                self._awaited.pop(message.id, None)
        for part in group:
            at = [by_id[message.id] for message in part.messages]
            if part.checkpoint is not None and (
                not part.memory_travels or at[-1] in found.known or messages[at[-1]] is not part.messages[-1]
            ):
                # Too large to travel, or the event was there already, so that it did not.
                await self._copy.append([], part.checkpoint)
            if not part.done.done():
                part.done.set_result([found.ids[at[place]] for place in part.places])

    async def _publish(self, messages: list[Message], keys: dict[int, str], after: int | None) -> _Found:
        deadline = monotonic() + self._cluster.publish_timeout
        doubt: StoreError | None = None
        while True:
            try:
                await self._wait_connected(deadline)
            except StoreError as error:
                raise self._explained(error, doubt) from None
            try:
                if doubt is not None:
                    await self._catch_up(deadline)
                found = await self._known(messages, keys)
                rest = [place for place in range(len(messages)) if place not in found.ids]
                if rest:
                    waiting = [messages[place] for place in rest]
                    sequences = await self.link.publish(
                        waiting,
                        await self._expected(waiting, after),
                        min(ANSWER_SECONDS, max(0.2, deadline - monotonic())),
                    )
                    found.ids.update(zip(rest, sequences, strict=True))
                return found
            except KnownAlready as error:
                # The copy has it in a moment, if not now.
                doubt = doubt or error
            except WrongSequence:
                await self._catch_up(deadline)
                if not (await self._known(messages, keys)).ids:
                    raise outdated(self._copy.head) from None
            except InDoubt as error:
                doubt = error
            except Refused as error:
                raise self._explained(error, doubt) from None
            except StoreError as error:
                # A leader is being elected, or the connection was lost: that may be over in a moment.
                if monotonic() >= deadline:
                    raise self._explained(error, doubt) from None
                await asyncio.sleep(0.05)
            if monotonic() >= deadline and doubt is not None:
                raise self._explained(doubt, doubt)

    def _explained(self, error: StoreError, doubt: StoreError | None) -> StoreError:
        if not isinstance(doubt, InDoubt):
            return error
        return StoreError(
            f"{str(error).rstrip('.')}. It may have been taken all the same: send it again with the same key, "
            f"and it is there once.",
            retry_after=error.retry_after,
        )

    async def _wait_connected(self, deadline: float) -> None:
        """Wait out a short absence; a long one is answered at once."""
        if self._lost is not None:
            raise StoreError(self._lost)
        since = self.link.away_since
        if since is None:
            return
        patience = min(deadline, since + self._cluster.publish_timeout) - monotonic()
        if not await self.link.wait_connected(max(0.0, patience)):
            raise StoreError(self.link.trouble or "NATS is away.")

    async def _known(self, messages: list[Message], keys: dict[int, str]) -> _Found:
        """Find the ids of those that are in the log already."""
        found = _Found({}, set())
        for place, message in enumerate(messages):
            delivered = self._awaited.get(message.id)
            if delivered is not None:
                found.ids[place] = delivered
        if keys:
            if monotonic() - self.link.in_step > self._cluster.duplicate_window / 2:
                await self._catch_up(monotonic() + self._cluster.publish_timeout)
            places = {key: place for place, key in keys.items()}
            for key, id_ in (await self._copy.find_keys(list(places))).items():
                place = places[key]
                if place not in found.ids:
                    found.ids[place] = id_
                    found.known.add(place)
                    self._copy.figures.duplicates += 1
        return found

    async def _expected(self, messages: Sequence[Message], after: int | None) -> dict[str, int]:
        """Return the newest sequence of each task that messages are about, if nothing is newer than `after`."""
        if after is None:
            return {}
        subjects = sorted({message.subject for message in messages if message.subject.startswith(_TASK)})
        expected: dict[str, int] = {}
        for start in range(0, len(subjects), 50):
            some = subjects[start : start + 50]
            expected.update(zip(some, await asyncio.gather(*map(self.link.last_on, some)), strict=True))
        newest = max(expected.values(), default=0)
        if newest > after:
            await self._reach(newest, APPLY_SECONDS)
            raise outdated(newest)
        return expected

    async def _catch_up(self, deadline: float) -> None:
        """Wait until the copy has what the stream has now.

        Raises:
            StoreError: it has not in time.
        """
        facts = await self.link.look()
        if not await self._reach(facts.last, max(0.5, deadline - monotonic())):
            raise StoreError(
                f"This node is catching up: it is at {self._copy.head} of {facts.last}. Try again soon."
            )

    async def _reach(self, id_: int, seconds: float) -> bool:
        """Wait until listeners have heard of an id, at most so long; says whether they have."""
        if self._copy.head < id_:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiters, (id_, next(self._order), waiter))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter
        return self._copy.head >= id_

    def _committed(self, records: Sequence[Record]) -> None:
        while self._waiters and self._waiters[0][0] <= self._copy.head:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(None)

    # Keeping the copy.

    def _lose(self, reason: str) -> None:
        self._lost = f"The copy cannot go on: {reason}."
        logger.error("copy.lost", extra={"reason": reason})
        self.replaced(reason)

    async def _keep(self) -> None:
        """Take what is delivered into the copy, in groups, for ever."""
        while True:
            group = [await self._delivered.get()]
            while len(group) < MAX_GROUP and not self._delivered.empty():
                group.append(self._delivered.get_nowait())
            copied: list[Copied] = []
            checkpoints: list[Checkpoint] = []
            for delivered in group:
                record, checkpoint = self._read(delivered)
                if (host := record.record.host) is not None and host not in self.hosts:
                    self.hosts |= {host}
                copied.append(record)
                if checkpoint is not None:
                    checkpoints.append(checkpoint)
                if delivered.id in self._awaited:
                    self._awaited[delivered.id] = delivered.sequence
            delay = 0.2
            while True:
                try:
                    await self._copy.copy(copied, checkpoints)
                except MissionControlError as error:
                    logger.warning("copy.waits", extra={"reason": str(error)})
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 5.0)
                else:
                    break

    def _read(self, delivered: Delivered) -> tuple[Copied, Checkpoint | None]:
        line, _, packed = delivered.payload.partition(b"\n")
        id_, time = delivered.sequence, delivered.time
        try:
            body = msgspec.json.decode(line, type=_Body)
            check_type(body.type)
            if not is_host(body.host):
                raise BadEvent(f"The host {body.host[:MAX_HOST_LENGTH]!r} is none.")
            if body.traceparent is not None and not is_traceparent(body.traceparent):
                raise BadEvent(f"The traceparent {body.traceparent[:60]!r} is none.")
            source = encode_source(body.source, body.traceparent)
            event = write_body(body.type, id_, time, source, bytes(body.data), body.host)
            data = msgspec.json.decode(body.data, type=Data)
        except (msgspec.MsgspecError, UnicodeError, BadEvent):
            # Somebody else writes into the stream. It has its place in the order all the same.
            data = {"size": len(delivered.payload)}
            event = write_body("log:unreadable", id_, time, b'"log"', msgspec.json.encode(data))
            return Copied(Record(id_, "log:unreadable", time, event, data), None), None
        record = Record(id_, body.type, time, event, data, body.host)
        ours = body.host == self.host or body.source in FLEET_SOURCES
        return Copied(record, body.key), _unpack_memory(packed) if packed and ours else None


class _Part(msgspec.Struct, eq=False):
    """What goes to the stream at once. `places` says which message each draft became; `before` are the parts of the
    same append that must have gone well."""

    messages: list[Message]
    places: list[int]
    keys: dict[int, str]
    checkpoint: Checkpoint | None
    memory_travels: bool
    after: int | None
    before: list[_Part]
    done: asyncio.Future[list[int]]


class _Found(msgspec.Struct):
    """The ids of messages by their place; `known` are those that the log had before."""

    ids: dict[int, int]
    known: set[int]


def _fail(part: _Part, error: MissionControlError) -> None:
    if not part.done.done():
        # One error, many waiters: each gets one of its own, since raising it adds a traceback to it.
        part.done.set_exception(copy(error))
        # Whoever has gone away no longer asks; asyncio is not to complain about it.
        part.done.exception()


async def _first_facts(link: StreamLink, folder: Path) -> Facts:
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
        if payload is not None and _same(payload, known.body):
            return facts
    logger.error("stream.lost_its_tail", extra={"told": known.head, "stream": facts.last})
    return await link.begin_epoch()


def _same(payload: bytes, body: bytes) -> bool:
    try:
        sent = msgspec.json.decode(payload.partition(b"\n")[0], type=_Body)
    except (msgspec.MsgspecError, UnicodeError):
        return b'"log:unreadable"' in body
    return body.endswith(b'"data":' + bytes(sent.data) + b"}")


class _Position(msgspec.Struct):
    """Where a copy stands, and its newest event."""

    epoch: str
    first: int
    head: int
    body: bytes


def _position(folder: Path) -> _Position | None:
    path = folder / DATABASE_NAME
    if not path.exists():
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


def _subject(type_: str, task: str | None) -> str:
    """Return the subject of an event: one for each task, so that its changes can be made to follow each other."""
    if task is not None:
        return f"{_TASK}{_token(task)}"
    category, _, name = type_.partition(":")
    return f"{_token(category)}.{_token(name)}"


def _token(text: str) -> str:
    """Write a text as one token of a subject; what may not stand there is written as the hex of its UTF-8."""
    token = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_@") else f"={letter.encode().hex()}"
        for letter in text
    )
    return token if 0 < len(token) <= 120 else f"=={sha256(text.encode()).hexdigest()}"


def _pack_memory(checkpoint: Checkpoint | None) -> bytes | None:
    """Write what a source remembers; nothing where there is nothing, None where it is too much for a message."""
    if checkpoint is None or not checkpoint.changes:
        return b""
    changes = {
        key: None if value is None else base64.b64encode(value).decode()
        for key, value in checkpoint.changes.items()
    }
    packed = zlib.compress(msgspec.json.encode(_Memory(checkpoint.source, changes)), 1)
    return packed if len(packed) <= MAX_MEMORY_BYTES else None


def _unpack_memory(packed: bytes) -> Checkpoint | None:
    try:
        memory = msgspec.json.decode(zlib.decompress(packed), type=_Memory)
        changes = {
            key: None if value is None else base64.b64decode(value) for key, value in memory.changes.items()
        }
    except (zlib.error, msgspec.MsgspecError, ValueError):
        return None
    return Checkpoint(memory.source, changes)
