"""One connection: drives a session between a transport, the log and the hub.

The transport is a `Sink`; which one it is does not matter here. Everything runs on the event loop's thread, and
a connection that is live and quiet has no task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol

import msgspec

from missioncontrol.errors import BadMessage, MissionControlError
from missioncontrol.events import Cursor, Draft, Patterns, Record, now, rfc3339
from missioncontrol.events.reduced import reduced_body, reduced_record, reduced_snapshot
from missioncontrol.hub.hub import Direct, Hub
from missioncontrol.protocol.codes import CloseCode, SessionState
from missioncontrol.protocol.encoding import Encoding, encode_bodies, encode_record
from missioncontrol.protocol.gaps import LogRange
from missioncontrol.protocol.messages import Heartbeat, Published, since_in
from missioncontrol.protocol.session import (
    Action,
    Append,
    Handshake,
    LeaveLive,
    ReadHistory,
    Send,
    SendSnapshot,
    Session,
    refusal,
)
from missioncontrol.store import Log

PAGE_EVENTS = 2_000
PAGE_BYTES = 256 * 1024
MAX_OUTSTANDING = 64
"""How much a client may have asked for that is not answered yet: publications count as one, a history as all of it,
since its answer may be large."""

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """A transport as a connection sees it."""

    @property
    def encoding(self) -> Encoding:
        """The form in which it takes events."""

    @property
    def address(self) -> str:
        """Who is at the other end."""

    def write(self, data: bytes) -> None:
        """Take encoded events; never blocks."""

    def direct(self) -> Direct | None:
        """The socket's own `send`, as long as the transport holds nothing; None where there is no such way."""

    def send(self, type_: str, data: Any, ref: Any, cursor: str | None) -> None:
        """Take one message that is not an event."""

    def close(self, code: CloseCode, reason: str) -> None:
        """End the connection once everything written is out."""

    def pause_reading(self) -> None:
        """Take nothing more from the client for the moment."""

    def resume_reading(self) -> None:
        """Take messages from the client again."""


class Connection:
    """A client of the hub. The transport calls `open`, `receive`, `blocked`, `unblocked` and `lost`."""

    __slots__ = (
        "__weakref__",
        "_blocked",
        "_held",
        "_hub",
        "_log",
        "_max_history",
        "_outstanding",
        "_publish",
        "_reader",
        "_reduced",
        "_snapshot",
        "_tasks",
        "opened",
        "session",
        "sink",
        "slow",
    )

    def __init__(
        self,
        hub: Hub,
        log: Log,
        publish: Callable[[Sequence[Draft]], Awaitable[list[int]]],
        snapshot: Callable[[], bytes],
        sink: Sink,
        session: Session,
        *,
        max_history: int = 100,
        reduced: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            hub: the fan-out.
            log: what is read from.
            publish: appends what the client sends, or refuses it.
            snapshot: gives the state at the head, as JSON.
            sink: the transport.
            session: the state machine.
            max_history: what `getHistory` answers at most.
            reduced: whether the client gets events and state without the texts of questions.
        """
        self.session = session
        self.sink = sink
        self.opened = monotonic()
        self.slow = 0
        self._hub = hub
        self._log = log
        self._publish = publish
        self._max_history = max_history
        self._reduced = reduced
        self._snapshot = snapshot
        self._blocked = False
        self._reader: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] | None = None
        self._outstanding = 0
        self._held: list[bytes] | None = None

    @property
    def patterns(self) -> Patterns:
        """Which events the client wants."""
        return self.session.patterns

    @property
    def encoding(self) -> Encoding:
        """The form in which the client takes them."""
        return self.sink.encoding

    @property
    def cursor(self) -> Cursor:
        """Up to where everything has been handed to the transport."""
        live = self.session.state is SessionState.LIVE
        return Cursor(self._hub.epoch, self._hub.flushed if live else self.session.cursor)

    def direct(self) -> Direct | None:
        """The socket's own `send`, as long as the transport holds nothing."""
        return self.sink.direct()

    def written(self) -> None:
        """The transport is about to be written: events queue behind that."""
        self._hub.through_transport(self)

    def describe(self) -> dict[str, Any]:
        """Say who and where this client is."""
        return {
            "clientId": self.session.client_id,
            "address": self.sink.address,
            "transport": "sse" if self.encoding is Encoding.SSE else "websocket",
            "state": self.session.state.value,
            "events": self.patterns.names(),
            "cursor": str(self.cursor),
            "lag": self._hub.head - self.cursor.id,
            "blocked": self._blocked,
            "timesSlow": self.slow,
            "connectedSeconds": round(monotonic() - self.opened, 1),
        }

    def open(self, handshake: Handshake, heartbeat: float) -> None:
        """Begin the conversation."""
        self._hub.enter(self)

        def begin() -> None:
            self._do(self.session.open(self._log_range(), handshake, heartbeat))
            self._go_on()

        if handshake.since is not None and self._is_behind(handshake.since):
            self._hold(handshake.since.id, begin)
        else:
            begin()

    def receive(self, text: bytes) -> None:
        """Take one message from the client."""
        if self._held is not None:
            self._held.append(text)
        elif b'"since"' in text and (since := since_in(text)) is not None and self._is_behind(since):
            self._hold(since.id, partial(self._take, text))
        else:
            self._take(text)

    def _take(self, text: bytes) -> None:
        self._do(self.session.receive(text, self._log_range(), max_history=self._max_history))
        self._go_on()

    def receive_binary(self, data: bytes) -> None:
        """Refuse a binary message."""
        self._do([refusal(BadMessage("Messages are JSON in text frames; this one came in a binary frame."))])

    def heartbeat(self) -> Heartbeat:
        """What a `ping` tells at this moment."""
        return Heartbeat(rfc3339(now()).decode(), str(self.cursor))

    def blocked(self) -> None:
        """The transport holds as much as it may: read on from the log when it has room again."""
        self._blocked = True
        self.sink.pause_reading()
        if self.session.state is SessionState.LIVE:
            self.slow += 1
            self._hub.figures.slow_clients += 1
            self.session.left_live(self._hub.leave(self))

    def fall_behind(self) -> None:
        """Read on from the log: the hub has not had everything that was committed."""
        if self.session.state is SessionState.LIVE:
            self.session.left_live(self._hub.leave(self))
            # Later, when the hub knows the new head.
            asyncio.get_running_loop().call_soon(self._go_on)

    def unblocked(self) -> None:
        """The transport has room again."""
        self._blocked = False
        if self._outstanding < MAX_OUTSTANDING and self._held is None:
            self.sink.resume_reading()
        self._go_on()

    def drain(self, reconnect_after: float) -> None:
        """Tell the client to come back later, and close."""
        if self.session.state is SessionState.LIVE:
            self._hub.flush()
        self._do(self.session.drain(reconnect_after))
        self.sink.close(CloseCode.DRAINING, "the server restarts")

    def lost(self) -> None:
        """The transport is gone."""
        self.session.closed()
        self._hub.exit(self)
        for task in (self._reader, *(self._tasks or ())):
            if task is not None:
                task.cancel()

    def _is_behind(self, since: Cursor) -> bool:
        """Say whether a client has seen more than this node, as it may at another one."""
        return since.epoch == self._hub.epoch and since.id > self._hub.head

    def _hold(self, id_: int, then: Callable[[], None]) -> None:
        """Let the client wait until this node has come to where the client is."""
        self._held = []
        self.sink.pause_reading()
        self._start(self._wait_for(id_, then))

    async def _wait_for(self, id_: int, then: Callable[[], None]) -> None:
        try:
            await self._log.reach(id_)
        except MissionControlError as error:
            self._do([refusal(error)])
            self._give_up("this node has not come as far as the client")
            return
        held, self._held = self._held or [], None
        then()
        if not self._blocked:
            self.sink.resume_reading()
        for text in held:
            self.receive(text)

    def _log_range(self) -> LogRange:
        return LogRange(self._hub.epoch, self._log.first, self._hub.head)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send():
                    if action.type == "gap":
                        self._hub.figures.gaps += 1
                    self.sink.send(action.type, action.data, action.ref, action.cursor)
                case SendSnapshot():
                    cursor = str(Cursor(self._hub.epoch, self._hub.head))
                    state = reduced_snapshot(self._snapshot()) if self._reduced else self._snapshot()
                    body = b'{"state":%b,"cursor":"%b"}' % (state, cursor.encode())
                    self.sink.send("snapshot", msgspec.Raw(body), action.ref, None)
                case LeaveLive():
                    if action.flush:
                        self._hub.flush()
                    self.session.left_live(self._hub.leave(self))
                case Append():
                    self._start(self._append(action))
                case ReadHistory():
                    self._start(self._history(action), MAX_OUTSTANDING)

    def _go_on(self) -> None:
        """Make the client live where memory reaches far enough, else have the log read."""
        if self.session.state is not SessionState.CATCHING_UP or self._blocked or self._reader is not None:
            return
        if self._held is not None:
            return
        if not self._from_memory():
            self._hub.figures.catch_ups += 1
            self._reader = asyncio.get_running_loop().create_task(self._catch_up())

    def _from_memory(self) -> bool:
        """Hand over what memory holds after the cursor and join; in one turn of the loop, so without a race."""
        hub = self._hub
        records = hub.recent(self.session.cursor)
        if records is None:
            return False
        hub.flush()
        self._hand_over(records)
        self.session.caught_up(hub.head)
        hub.join(self, self.sink.write, reduced=self._reduced)
        if self._blocked:
            self.session.left_live(hub.leave(self))
        return True

    def _hand_over(self, records: list[Record]) -> None:
        matches = self.session.patterns.matches
        epoch = self._hub.epoch
        if self._reduced:
            records = [reduced_record(record) for record in records]
        data = b"".join(
            [encode_record(record, self.encoding, epoch) for record in records if matches(record.type)]
        )
        if data:
            self._hub.figures.bytes += len(data)
            self.sink.write(data)

    async def _catch_up(self) -> None:
        """Read pages until memory reaches, the transport is full, or the client is gone."""
        session = self.session
        try:
            while session.state is SessionState.CATCHING_UP and not self._blocked:
                if self._from_memory():
                    return
                page = await self._log.read(
                    session.cursor, session.patterns, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES
                )
                actions = session.page_read(page.after, page.last, page.first, self._log_range())
                if actions is None:
                    continue
                self._do(actions)
                if page.bodies:
                    bodies = page.bodies
                    if self._reduced:
                        bodies = [reduced_body(body) for body in bodies]
                    data = encode_bodies(bodies, self.encoding, self._hub.epoch)
                    self._hub.figures.caught_up_events += len(page.bodies)
                    self._hub.figures.bytes += len(data)
                    self.sink.write(data)
                # A turn for everybody else; the transport may also say now that it is full.
                await asyncio.sleep(0)
        except MissionControlError as error:
            self._do([refusal(error)])
            self._give_up("the log cannot be read at the moment")
        except Exception:
            logger.exception("catching up failed")
            self._give_up("catching up failed")
        finally:
            self._reader = None
            if session.state is SessionState.CATCHING_UP and not self._blocked:
                self._go_on()

    def _give_up(self, reason: str) -> None:
        """Let the client come back with its cursor, rather than go on with a hole."""
        self.session.closed()
        self.sink.close(CloseCode.FULL, f"{reason}; try again in a second")

    def _start(self, work: Coroutine[Any, Any, None], weight: int = 1) -> None:
        """Run a request in the background; with too much under way, take no more from the client."""
        task = asyncio.get_running_loop().create_task(work)
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, weight))
        self._outstanding += weight
        if self._outstanding >= MAX_OUTSTANDING:
            self.sink.pause_reading()

    def _finished(self, weight: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A request that is never answered would be waited for: the client comes back and asks again.
            logger.error("a request of a client failed", exc_info=error)
            self._give_up("a request failed")
        if self._tasks is not None:
            self._tasks.discard(task)
            if not self._tasks:
                self._tasks = None
        was_full = self._outstanding >= MAX_OUTSTANDING
        self._outstanding -= weight
        if was_full and self._outstanding < MAX_OUTSTANDING and not self._blocked and self._held is None:
            self.sink.resume_reading()

    async def _append(self, action: Append) -> None:
        try:
            ids = await self._publish(action.drafts)
        except MissionControlError as error:
            self._do([refusal(error, action.ref)])
            return
        cursor = str(Cursor(self._hub.epoch, max(ids)))
        self._do([Send("published", Published(ids, cursor), action.ref)])

    async def _history(self, action: ReadHistory) -> None:
        try:
            records = await self._log.newest(action.patterns, limit=action.limit, before=action.before)
        except MissionControlError as error:
            self._do([refusal(error, action.ref)])
            return
        if self._reduced:
            records = [reduced_record(record) for record in records]
        self._do([Send("history", msgspec.Raw(history_json(records)), action.ref)])


def history_json(records: list[Record]) -> bytes:
    """Write records as a JSON array whose items also carry their time as `timestamp` and `_timestamp`, ISO 8601."""
    items = []
    for record in records:
        time = rfc3339(record.time)
        items.append(b'%b,"timestamp":"%b","_timestamp":"%b"}' % (record.body[:-1], time, time))
    return b"[%b]" % b",".join(items)
