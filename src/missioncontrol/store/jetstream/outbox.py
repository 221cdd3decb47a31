"""What is appended at this node on its way to the stream: in order, in batches, and never left in doubt.

Invariants:

- what waits together goes as one batch, in the order in which it was appended;
- where it is in doubt whether the stream has taken something, that is found out, if need be by asking again with the
  same ids, before anything is answered; where it cannot be found out in time, the error says so;
- a key is known by the stream for `cluster.duplicate_window`, and by the copy for as long as it holds the event; where
  the copy lags so far that an event might fall between both, an append with a key waits until it does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from copy import copy
from secrets import token_hex
from time import monotonic

import msgspec

from missioncontrol.config import ClusterConfig
from missioncontrol.errors import Draining, MissionControlError, StoreError
from missioncontrol.events import Draft
from missioncontrol.store.jetstream.link import (
    MAX_BATCH,
    InDoubt,
    KnownAlready,
    Refused,
    StreamLink,
    WrongSequence,
)
from missioncontrol.store.jetstream.message import TASK, Message, message_id, pack_memory, write_message
from missioncontrol.store.jetstream.mirror import APPLY_SECONDS, Mirror
from missioncontrol.store.log import Checkpoint, outdated

ANSWER_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Part(msgspec.Struct, eq=False):
    """What goes to the stream at once. `places` says which message each draft became; `before` are the parts of the
    same append that must have gone well."""

    messages: list[Message]
    places: list[int]
    keys: dict[int, str]
    checkpoint: Checkpoint | None
    memory_travels: bool
    after: int | None
    before: list[Part]
    done: asyncio.Future[list[int]]


class _Found(msgspec.Struct):
    """The ids of messages by their place; `known` are those that the log had before."""

    ids: dict[int, int]
    known: set[int]


class Outbox:
    """The queue of what is to be sent, and the task that sends it."""

    def __init__(self, link: StreamLink, mirror: Mirror, cluster: ClusterConfig) -> None:
        """Prepare.

        Args:
            link: the connection to the stream.
            mirror: the copy, where what was sent arrives.
            cluster: how long an append may take, and how long the stream knows a key.
        """
        self._link = link
        self._mirror = mirror
        self._cluster = cluster
        self._queue: deque[Part] = deque()
        self._sending: list[Part] = []
        self._queued = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send(), name="send to the stream")

    async def stop(self) -> None:
        """Send what is queued, then end."""
        waiting = [part.done for part in (*self._sending, *self._queue)]
        if waiting and self._link.connected:
            # What was accepted is sent, or known not to be, before the connection is let go of.
            await asyncio.wait(waiting, timeout=self._cluster.publish_timeout)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        for part in (*self._sending, *self._queue):
            _fail(part, Draining("The log is closing; it is not known whether the event was taken."))

    def write(
        self, drafts: list[Draft], encoded: list[bytes], checkpoint: Checkpoint | None, after: int | None
    ) -> list[Part]:
        """Write an append in parts of what fits into a batch; in any thread, since nothing here is changed."""
        parts: list[Part] = []
        for start in range(0, len(drafts), MAX_BATCH):
            end = start + MAX_BATCH
            memory = checkpoint if end >= len(drafts) else None
            parts.append(self._part(drafts[start:end], encoded[start:end], memory, after, parts))
        return parts

    def put(self, parts: list[Part]) -> None:
        """Queue an append; each part has its ids when it is `done`."""
        self._queue.extend(parts)
        self._queued.set()

    def _part(
        self,
        drafts: list[Draft],
        encoded: list[bytes],
        checkpoint: Checkpoint | None,
        after: int | None,
        before: list[Part],
    ) -> Part:
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
        packed = pack_memory(checkpoint)
        if packed:
            messages[-1] = messages[-1]._replace(payload=messages[-1].payload + b"\n" + packed)
        done: asyncio.Future[list[int]] = self._loop.create_future()
        keys = {place: key for key, place in by_key.items()}
        return Part(messages, places, keys, checkpoint, packed is not None, after, list(before), done)

    def _message(self, draft: Draft, data: bytes) -> Message:
        id_ = token_hex(16) if draft.key is None else message_id(draft.key)
        return write_message(draft, data, self._mirror.host, id_)

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

    async def _send_alone(self, part: Part) -> None:
        try:
            await self._send_group([part])
        except MissionControlError as error:
            _fail(part, error)

    async def _send_group(self, group: list[Part]) -> None:
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
            self._mirror.awaited[message.id] = None
        try:
            found = await self._publish(messages, keys, group[0].after)
        finally:
            for message in messages:
                self._mirror.awaited.pop(message.id, None)
        for part in group:
            at = [by_id[message.id] for message in part.messages]
            if part.checkpoint is not None and (
                not part.memory_travels or at[-1] in found.known or messages[at[-1]] is not part.messages[-1]
            ):
                # Too large to travel, or the event was there already, so that it did not.
                await self._mirror.copy.append([], part.checkpoint)
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
                    await self._mirror.catch_up(deadline)
                found = await self._known(messages, keys)
                rest = [place for place in range(len(messages)) if place not in found.ids]
                if rest:
                    waiting = [messages[place] for place in rest]
                    sequences = await self._link.publish(
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
                await self._mirror.catch_up(deadline)
                if not (await self._known(messages, keys)).ids:
                    raise outdated(self._mirror.copy.head) from None
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
        if self._mirror.lost is not None:
            raise StoreError(self._mirror.lost)
        since = self._link.away_since
        if since is None:
            return
        patience = min(deadline, since + self._cluster.publish_timeout) - monotonic()
        if not await self._link.wait_connected(max(0.0, patience)):
            raise StoreError(self._link.trouble or "NATS is away.")

    async def _known(self, messages: list[Message], keys: dict[int, str]) -> _Found:
        """Find the ids of those that are in the log already."""
        found = _Found({}, set())
        for place, message in enumerate(messages):
            delivered = self._mirror.awaited.get(message.id)
            if delivered is not None:
                found.ids[place] = delivered
        if keys:
            if monotonic() - self._mirror.in_step > self._cluster.duplicate_window / 2:
                await self._mirror.catch_up(monotonic() + self._cluster.publish_timeout)
            places = {key: place for place, key in keys.items()}
            for key, id_ in (await self._mirror.copy.find_keys(list(places))).items():
                place = places[key]
                if place not in found.ids:
                    found.ids[place] = id_
                    found.known.add(place)
                    self._mirror.copy.figures.duplicates += 1
        return found

    async def _expected(self, messages: Sequence[Message], after: int | None) -> dict[str, int]:
        """Return the newest sequence of each task that messages are about, if nothing is newer than `after`."""
        if after is None:
            return {}
        subjects = sorted({message.subject for message in messages if message.subject.startswith(TASK)})
        expected: dict[str, int] = {}
        for start in range(0, len(subjects), 50):
            some = subjects[start : start + 50]
            expected.update(zip(some, await asyncio.gather(*map(self._link.last_on, some)), strict=True))
        newest = max(expected.values(), default=0)
        if newest > after:
            await self._mirror.reach(newest, APPLY_SECONDS)
            raise outdated(newest)
        return expected


def _fail(part: Part, error: MissionControlError) -> None:
    if not part.done.done():
        # One error, many waiters: each gets one of its own, since raising it adds a traceback to it.
        part.done.set_exception(copy(error))
        # Whoever has gone away no longer asks; asyncio is not to complain about it.
        part.done.exception()
