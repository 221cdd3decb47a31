"""One connection's conversation, without sockets and without a clock: inputs come in, actions come out.

The machine:

    CATCHING_UP ──(reached the head)──▶ LIVE
         ▲                               │
         └──(blocked, or `since` moved)──┘
    either ──(drain)──▶ DRAINING ──▶ CLOSED

Rules, which hold after every input:

- `cursor` is the id up to which everything of the subscription has been handed over; it only goes back when the
  client itself asks for that with `since`;
- in CATCHING_UP whoever drives the session reads the log after `cursor`, hands what it finds to `page_read`, and
  calls `caught_up` when nothing is left; in LIVE the hub delivers, and `left_live` brings the cursor back;
- ids that are gone are named by a `gap` before anything newer is handed over;
- a message that is not understood is answered with an `error` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadEvent, BadMessage, Forbidden, InputError
from missioncontrol.events import (
    CATALOGUE,
    EVERYTHING,
    NOTHING,
    Cursor,
    Draft,
    Patterns,
    convert_drafts,
    now,
    rfc3339,
)
from missioncontrol.protocol.codes import SessionState
from missioncontrol.protocol.gaps import LogRange, locate, trimmed_gap
from missioncontrol.protocol.messages import (
    Answer,
    Connected,
    DrainNotice,
    ErrorData,
    Gap,
    GetHistory,
    Ping,
    Pong,
    Publish,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    decode_message,
    message_ref,
)

MAX_PUBLISH_EVENTS = 10_000

AVAILABLE_EVENTS = sorted(CATALOGUE)


class Handshake(NamedTuple):
    """What a client asks for as it connects: patterns, the cursor it kept, a snapshot."""

    patterns: Patterns | None = None
    since: Cursor | None = None
    snapshot: bool = False


class Send(NamedTuple):
    """Say this to the client; `cursor` is where the connection then stands, for transports that carry it."""

    type: str
    data: Any
    ref: Any = msgspec.UNSET
    cursor: str | None = None


class SendSnapshot(NamedTuple):
    """Send the state as it stands at the head, now."""

    ref: Any = msgspec.UNSET


class LeaveLive(NamedTuple):
    """Stop the hub's deliveries and report with `left_live` how far they have come.

    `flush` hands over first what is pending under the old patterns. Not so where the client has just said where
    it stands: what is pending comes after that cursor, and would come twice.
    """

    flush: bool = True


class Append(NamedTuple):
    """Append these drafts, then answer `published` or an error, with the `ref`."""

    drafts: list[Draft]
    ref: Any


class ReadHistory(NamedTuple):
    """Read the newest events and answer `history`, with the `ref`."""

    limit: int
    patterns: Patterns
    before: int | None
    ref: Any


Action = Send | SendSnapshot | LeaveLive | Append | ReadHistory


class Session:
    """The state of one connection. Every method returns what is to be done, in order."""

    __slots__ = (
        "_implicit",
        "_wants_snapshot",
        "client_id",
        "cursor",
        "may_publish",
        "may_read",
        "patterns",
        "state",
    )

    def __init__(self, client_id: str, *, may_read: bool = True, may_publish: bool = True) -> None:
        self.client_id = client_id
        self.may_read = may_read
        self.may_publish = may_publish
        self.state = SessionState.CATCHING_UP
        self.patterns = EVERYTHING if may_read else NOTHING
        self.cursor = 0
        # Everything, because nothing was asked for yet: the first subscription replaces it.
        self._implicit = True
        self._wants_snapshot = False

    def open(self, log: LogRange, handshake: Handshake, heartbeat: float) -> list[Action]:
        """Greet the client and put its cursor in place. `heartbeat` is in seconds."""
        since = handshake.since if self.may_read else None
        if handshake.patterns is not None and self.may_read:
            self.patterns = handshake.patterns
            self._implicit = False
        self.cursor = log.head
        gap = self._move_to(since, log) if since is not None else None
        standing = str(Cursor(log.epoch, self.cursor))
        actions: list[Action] = [
            Send(
                "connected",
                Connected(
                    client_id=self.client_id,
                    server_time=rfc3339(now()).decode(),
                    epoch=log.epoch,
                    cursor=standing,
                    heartbeat=heartbeat,
                    available_events=AVAILABLE_EVENTS,
                    message="Connected to Mission Control",
                ),
                cursor=standing,
            )
        ]
        if handshake.patterns is not None or since is not None:
            actions.append(self._subscribed(standing, since is not None and gap is None))
        if not self.may_read and handshake != Handshake():
            actions.append(refusal(_may_not_read(), msgspec.UNSET))
        return actions + self._after_move(gap, handshake.snapshot and self.may_read, since)

    def receive(self, text: bytes, log: LogRange, *, max_history: int) -> list[Action]:
        """Take one message from the client."""
        try:
            message = decode_message(text)
        except InputError as error:
            return [refusal(error, message_ref(text))]
        try:
            match message:
                case Subscribe():
                    return self._subscribe(message, log)
                case Unsubscribe():
                    return self._unsubscribe(message)
                case Publish():
                    return [self._publish(message)]
                case GetHistory():
                    return [self._history(message, max_history, log)]
                case Ping():
                    time = now()
                    return [Send("pong", Answer(rfc3339(time).decode(), time), message.ref)]
                case Pong():
                    return []
        except InputError as error:
            return [refusal(error, getattr(message, "ref", msgspec.UNSET))]

    def page_read(self, after: int, last: int, first: int, log: LogRange) -> list[Action] | None:
        """Take note of a page that was read after `after`, and say what comes before its events.

        Returns None where the page is of no use any more, because the client has moved meanwhile.
        """
        if self.state is not SessionState.CATCHING_UP or after != self.cursor:
            return None
        self.cursor = max(last, first - 1)
        if first > after + 1:
            gap = _send_gap(trimmed_gap(log.epoch, after, first))
            return [gap, SendSnapshot()] if self._wants_snapshot else [gap]
        return []

    def caught_up(self, head: int) -> None:
        """Everything up to the head has been handed over, and the hub delivers what follows."""
        self.cursor = head
        self.state = SessionState.LIVE

    def left_live(self, position: int) -> None:
        """The hub no longer delivers; it has delivered up to `position`."""
        if self.state is SessionState.LIVE:
            self.cursor = position
            self.state = SessionState.CATCHING_UP

    def drain(self, reconnect_after: float) -> list[Action]:
        """Say good-bye; `reconnect_after` in seconds."""
        if self.state in {SessionState.DRAINING, SessionState.CLOSED}:
            return []
        actions: list[Action] = [LeaveLive()] if self.state is SessionState.LIVE else []
        self.state = SessionState.DRAINING
        return [*actions, Send("server:draining", DrainNotice(round(reconnect_after, 3)))]

    def closed(self) -> None:
        """The connection is no more."""
        self.state = SessionState.CLOSED

    def _subscribe(self, message: Subscribe, log: LogRange) -> list[Action]:
        if not self.may_read:
            raise _may_not_read()
        wanted = Patterns(_list(message.events))
        since = None if message.since is None else Cursor.parse(message.since)
        self.patterns = wanted if self._implicit else self.patterns | wanted
        self._implicit = False
        actions: list[Action] = self._stop_live(flush=since is None)
        gap = None
        if since is not None:
            gap = self._move_to(since, log)
        elif not actions:
            return self._subscribed_while_reading(message, log)
        else:
            # Live means that everything up to the head is on its way: the hub flushes before it lets go.
            self.cursor = log.head
        standing = str(Cursor(log.epoch, self.cursor))
        actions.append(self._subscribed(standing, since is not None and gap is None, message.ref))
        return actions + self._after_move(gap, message.snapshot, since)

    def _subscribed_while_reading(self, message: Subscribe, log: LogRange) -> list[Action]:
        standing = str(Cursor(log.epoch, self.cursor))
        answer = self._subscribed(standing, False, message.ref)
        return [answer, SendSnapshot()] if message.snapshot else [answer]

    def _stop_live(self, *, flush: bool) -> list[Action]:
        if self.state is not SessionState.LIVE:
            return []
        self.state = SessionState.CATCHING_UP
        return [LeaveLive(flush)]

    def _unsubscribe(self, message: Unsubscribe) -> list[Action]:
        self.patterns = self.patterns.without(Patterns(_list(message.events)))
        self._implicit = False
        return [*self._pause_live(), Send("unsubscribed", Unsubscribed(self.patterns.names()), message.ref)]

    def _pause_live(self) -> list[Action]:
        """Leave the audience of the old patterns; the driver joins that of the new ones at the same position."""
        return [LeaveLive()] if self.state is SessionState.LIVE else []

    def _publish(self, message: Publish) -> Action:
        if not self.may_publish:
            raise Forbidden("This token may not publish; it lacks the scope 'publish'.")
        if not 0 < len(message.events) <= MAX_PUBLISH_EVENTS:
            raise BadEvent(
                f"A publish carries 1 to {MAX_PUBLISH_EVENTS:,} events; this one has {len(message.events):,}."
            )
        return Append(convert_drafts(message.events), message.ref)

    def _history(self, message: GetHistory, max_history: int, log: LogRange) -> Action:
        if not self.may_read:
            raise _may_not_read()
        if message.limit < 1:
            raise BadMessage(f"limit is {message.limit}; ask for 1 to {max_history}.")
        patterns = EVERYTHING if message.events is None else Patterns(_list(message.events))
        before = None if message.before is None else Cursor.parse(message.before).id_in(log.epoch)
        return ReadHistory(min(message.limit, max_history), patterns, before, message.ref)

    def _move_to(self, since: Cursor, log: LogRange) -> Gap | None:
        """Put the cursor at the client's; return the gap where that cannot be."""
        self.cursor, gap = locate(since, log)
        return gap

    def _after_move(self, gap: Gap | None, snapshot: bool, since: Cursor | None) -> list[Action]:
        """A snapshot is for whoever starts without a past, or has lost a part of it; the rest gets the events."""
        self._wants_snapshot = snapshot
        actions: list[Action] = [] if gap is None else [_send_gap(gap)]
        if snapshot and (since is None or gap is not None):
            actions.append(SendSnapshot())
        return actions

    def _subscribed(self, cursor: str, recovered: bool, ref: Any = msgspec.UNSET) -> Send:
        return Send("subscribed", Subscribed(self.patterns.names(), cursor, recovered), ref)


def _send_gap(gap: Gap) -> Send:
    return Send("gap", gap, cursor=gap.cursor)


def refusal(error: Exception, ref: Any = msgspec.UNSET) -> Send:
    """Make the `error` message for whatever went wrong."""
    code = getattr(error, "code", "internal")
    return Send("error", ErrorData(code, str(error), ref), ref)


def _may_not_read() -> Forbidden:
    return Forbidden("This token may not read events; it lacks the scope 'read'.")


def _list(events: Sequence[str] | str) -> Sequence[str]:
    return [events] if isinstance(events, str) else events
