"""The fan-out: who hears what the log has accepted, and when.

Members with the same patterns and the same encoding form an audience. Per flush an audience's events are joined
once, and the same bytes are handed to each member: no work per client and event, ever.

Invariants:

- `head` is the newest record that was published here, `flushed` the newest that was handed to the audiences;
- records are published in the order of their ids, without holes. One that was published before is passed over; after a
  hole every member leaves its audience and reads what it missed from the log, so that none is skipped;
- a member of an audience has been handed everything of its patterns up to `flushed`, and nothing after it;
- when the last flush is longer ago than the window, a record is flushed at once; else when the window is over. A
  commit that brings a batch waits for a quarter of it only: its events share a write already;
- one flush hands over at most `FLUSH_BYTES`, and of fewer events the more audiences there are; the rest follows in the
  loop's next turn, so that a member that cannot take more has the chance to say so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

import msgspec

from missioncontrol.events import Patterns, Record
from missioncontrol.events.reduced import reduced_record
from missioncontrol.protocol.encoding import Encoding, encode_record, frame, sse_named
from missioncontrol.protocol.messages import ClientCount, encode_message

FLUSH_BYTES = 512 * 1024
FLUSH_PAIRS = 10_000
"""How many pairs of an audience and an event one flush decides about, at most; one event goes to all at once."""

BATCH_RECORDS = 8
RECENT_RECORDS = 4_096
RECENT_BYTES = 2 * 1024 * 1024
PRESENCE_SECONDS = 1.0

Write = Callable[[bytes], None]
Direct = Callable[[bytes], int]

logger = logging.getLogger(__name__)


class HubFigures(msgspec.Struct):
    """Counters since start, for metrics."""

    flushes: int = 0
    deliveries: int = 0
    bytes: int = 0
    connected: int = 0
    catch_ups: int = 0
    caught_up_events: int = 0
    slow_clients: int = 0
    gaps: int = 0
    refused: int = 0
    too_slow: int = 0
    no_heartbeat: int = 0
    holes: int = 0


class Member(Protocol):
    """Whoever is handed an audience's bytes."""

    @property
    def patterns(self) -> Patterns:
        """Which events it wants."""

    @property
    def encoding(self) -> Encoding:
        """The form it takes them in."""

    def direct(self) -> Direct | None:
        """The socket's own `send`, as long as the transport holds nothing; None where there is no such way."""

    def describe(self) -> dict[str, Any]:
        """Say who and where it is, for whoever operates the server."""

    def fall_behind(self) -> None:
        """Leave the audience with the position that the hub returns, and read on from the log in a later turn."""


class Audience:
    """Members who are handed the same bytes: over the socket itself where nothing is ahead of them in the
    transport, else through the transport."""

    __slots__ = ("directs", "encoding", "patterns", "reduced", "writes")

    def __init__(self, patterns: Patterns, encoding: Encoding, reduced: bool) -> None:
        self.patterns = patterns
        self.encoding = encoding
        self.reduced = reduced
        self.writes: dict[Member, Write] = {}
        self.directs: dict[Member, tuple[Direct, Write]] = {}

    def go_direct(self) -> None:
        """Let those whose transport has caught up have the short way."""
        for member, write in list(self.writes.items()):
            send = _direct(member)
            if send is not None:
                del self.writes[member]
                self.directs[member] = (send, write)

    def hand(self, data: bytes) -> int:
        """Hand the same bytes to every member, and return how many there are."""
        if self.writes:
            self.go_direct()
        size = len(data)
        # Members leave while they are written to, when they can take no more: hence lists of their own.
        writes = list(self.writes.values())
        directs = list(self.directs.items())
        for member, (send, write) in directs:
            try:
                sent = send(data)
            except Exception:
                # Full, or gone: the transport finds out, and reports it. Whatever it is, the others get theirs.
                sent = 0
            if sent != size:
                self.go_through_transport(member)
                _write(write, data[sent:])
        for write in writes:
            _write(write, data)
        return len(directs) + len(writes)

    def go_through_transport(self, member: Member) -> None:
        """Something lies in the member's transport, or is about to: what follows must queue behind it."""
        ways = self.directs.pop(member, None)
        if ways is not None:
            self.writes[member] = ways[1]


class Hub:
    """All audiences of one server. Belongs to one event loop; every method is called on its thread."""

    def __init__(self, *, epoch: str, head: int, flush_window: float) -> None:
        """Begin at the log's head. `flush_window` is in seconds."""
        self.epoch = epoch
        self.head = head
        self.flushed = head
        self.figures = HubFigures()
        self.roster: set[Member] = set()
        self._window = flush_window
        self._loop = asyncio.get_running_loop()
        self._audiences: dict[tuple[Patterns, Encoding, bool], Audience] = {}
        self._homes: dict[Member, Audience] = {}
        self._pending: deque[Record] = deque()
        self._recent: deque[Record] = deque()
        self._recent_bytes = 0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._last_flush = 0.0
        self._waiters: dict[Patterns, set[asyncio.Future[float | None]]] = {}
        self._presence_timer: asyncio.TimerHandle | None = None
        self._presence_at = 0.0
        self._told_count = 0

    @property
    def clients(self) -> int:
        """How many connections there are, live or catching up."""
        return len(self.roster)

    @property
    def audiences(self) -> int:
        """How many distinct audiences there are."""
        return len(self._audiences)

    @property
    def live(self) -> int:
        """How many connections are at the head."""
        return len(self._homes)

    def connections(self) -> list[dict[str, Any]]:
        """Describe every connection."""
        return [member.describe() for member in self.roster]

    def publish(self, records: Sequence[Record]) -> None:
        """Take what the log has just made durable, in order."""
        if records and records[0].id != self.head + 1:
            records = self._in_sequence(records)
        if not records:
            return
        self.head = records[-1].id
        self._pending.extend(records)
        recent = self._recent
        recent.extend(records)
        self._recent_bytes += sum(len(record.body) for record in records)
        while len(recent) > RECENT_RECORDS or self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(recent.popleft().body)
        if self._waiters:
            self._wake(records)
        batch = len(records) >= BATCH_RECORDS
        if self._timer is None or batch:
            wait = self._last_flush + self._window * (0.25 if batch else 1.0) - self._loop.time()
            if wait <= 0:
                self._flush_some()
            elif self._timer is None:
                self._timer = self._loop.call_later(wait, self._flush_due)

    def _in_sequence(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records that follow on the head; what is missing before them is then read from the log."""
        fresh = [record for record in records if record.id > self.head]
        if fresh and fresh[0].id != self.head + 1:
            self.figures.holes += 1
            logger.error("hub.hole", extra={"after": self.head, "before": fresh[0].id})
            # Those who are live have everything up to here; memory must not reach over the hole.
            self.flush()
            self._recent.clear()
            self._recent_bytes = 0
            for member in list(self._homes):
                member.fall_behind()
            self.flushed = self.head = fresh[0].id - 1
            self.release_waiters()
        return fresh

    def flush(self) -> None:
        """Hand over everything that is pending, now: `flushed` is then `head`."""
        while self._pending:
            self._flush_some()

    def recent(self, after: int) -> list[Record] | None:
        """Return the records after an id from memory; None where memory does not reach back that far."""
        if after >= self.head:
            return []
        if not self._recent or after < self._recent[0].id - 1:
            return None
        return list(islice(self._recent, after - self._recent[0].id + 1, None))

    def enter(self, member: Member) -> None:
        """Count a connection in."""
        self.roster.add(member)
        self.figures.connected += 1
        self._presence_changed()

    def exit(self, member: Member) -> None:
        """Count a connection out; it is handed nothing more."""
        self.leave(member)
        if member in self.roster:
            self.roster.remove(member)
            self._presence_changed()

    def join(self, member: Member, write: Write, *, reduced: bool = False) -> None:
        """Make a member live: from `flushed`, which must be its position, on.

        With `reduced` it gets events without the texts of questions; see `missioncontrol.events.reduced`.
        """
        patterns = member.patterns
        if not patterns:
            return
        key = (patterns, member.encoding, reduced)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = Audience(*key)
        audience.writes[member] = write
        self._homes[member] = audience

    def leave(self, member: Member) -> int:
        """Hand a member nothing more; return the id up to which it has been handed everything."""
        audience = self._homes.pop(member, None)
        if audience is not None:
            audience.writes.pop(member, None)
            audience.directs.pop(member, None)
            if not audience.writes and not audience.directs:
                del self._audiences[audience.patterns, audience.encoding, audience.reduced]
        return self.flushed

    def through_transport(self, member: Member) -> None:
        """Tell the hub that the member's transport is about to be written by somebody else."""
        audience = self._homes.get(member)
        if audience is not None:
            audience.go_through_transport(member)

    @contextmanager
    def waiter(self, patterns: Patterns) -> Iterator[asyncio.Future[float | None]]:
        """Give a future that is done once an event of these patterns is published.

        Its result is None then. Where the server stops instead, it is the seconds until this client is to come back.
        The future is registered at once: check the log right before, await nothing in between, and no event is missed.
        """
        waiter: asyncio.Future[float | None] = self._loop.create_future()
        waiters = self._waiters.setdefault(patterns, set())
        waiters.add(waiter)
        try:
            yield waiter
        finally:
            waiter.cancel()
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(patterns, None)

    @property
    def waiting(self) -> int:
        """How many wait for an event at the moment."""
        return sum(len(waiters) for waiters in self._waiters.values())

    def drain_waiters(self, seconds: Iterable[float]) -> None:
        """End the waiting of all, and tell each when to come back; in seconds, one for each of `waiting`."""
        waiting = [waiter for waiters in self._waiters.values() for waiter in waiters]
        for waiter, reconnect_after in zip(waiting, seconds, strict=True):
            if not waiter.done():
                waiter.set_result(reconnect_after)

    def release_waiters(self) -> None:
        """Let everybody who waits go on; they find nothing new and say so."""
        for waiters in list(self._waiters.values()):
            _release(waiters)

    def _wake(self, records: Iterable[Record]) -> None:
        types = {record.type for record in records}
        for patterns, waiters in list(self._waiters.items()):
            if any(patterns.matches(type_) for type_ in types):
                _release(waiters)

    def _flush_due(self) -> None:
        self._timer = None
        self._flush_some()

    def _flush_some(self) -> None:
        """Flush at most FLUSH_BYTES, and see to it that the rest follows."""
        pending = self._pending
        batch: list[Record] = []
        size = 0
        most = max(1, FLUSH_PAIRS // (len(self._audiences) or 1))
        while pending and (not batch or (size < FLUSH_BYTES and len(batch) < most)):
            record = pending.popleft()
            size += len(record.body)
            batch.append(record)
        if pending:
            if self._timer is None:
                self._timer = self._loop.call_soon(self._flush_due)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if batch:
            self._last_flush = self._loop.time()
            self._hand_over(batch)

    def _hand_over(self, batch: list[Record]) -> None:
        self.flushed = batch[-1].id
        figures = self.figures
        encoded: dict[tuple[Encoding, bool], list[tuple[str, bytes]]] = {}
        reduced: list[Record] | None = None
        for audience in list(self._audiences.values()):
            matches = audience.patterns.matches
            encoding = audience.encoding
            if (forms := encoded.get((encoding, audience.reduced))) is None:
                records = batch
                if audience.reduced:
                    records = reduced = reduced or [reduced_record(record) for record in batch]
                forms = encoded[encoding, audience.reduced] = [
                    (record.type, encode_record(record, encoding, self.epoch)) for record in records
                ]
            parts = [form for type_, form in forms if matches(type_)]
            if not parts:
                continue
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            members = audience.hand(data)
            figures.deliveries += members * len(parts)
            figures.bytes += members * len(data)
        figures.flushes += 1

    def _presence_changed(self) -> None:
        if self._presence_timer is None:
            wait = max(0.05, self._presence_at + PRESENCE_SECONDS - self._loop.time())
            self._presence_timer = self._loop.call_later(wait, self._tell_presence)

    def _tell_presence(self) -> None:
        self._presence_timer = None
        self._presence_at = self._loop.time()
        count = self.clients
        if count == self._told_count:
            return
        name = "client:connected" if count > self._told_count else "client:disconnected"
        self._told_count = count
        body = encode_message(name, ClientCount(count))
        forms = {
            Encoding.FRAME: frame(body),
            Encoding.SSE: sse_named(name, msgspec.json.encode(ClientCount(count))),
        }
        forms[Encoding.DEFLATE] = forms[Encoding.FRAME]
        for audience in list(self._audiences.values()):
            if audience.patterns.matches(name):
                audience.hand(forms[audience.encoding])

    def close(self) -> None:
        """Stop all timers; whatever is pending is flushed first."""
        self.flush()
        for timer in (self._timer, self._presence_timer):
            if timer is not None:
                timer.cancel()
        self.release_waiters()


def _write(write: Write, data: bytes) -> None:
    try:
        write(data)
    except Exception:
        # One broken transport must not keep the others waiting; its own loss is reported to it.
        logger.debug("a transport refused a write", exc_info=True)


def _direct(member: Member) -> Direct | None:
    try:
        return member.direct()
    except Exception:
        # The transport is broken, and reports that itself when it is written to.
        return None


def _release(waiters: Iterable[asyncio.Future[float | None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
