"""What the server says, read from each transport's form into one set of messages; without sockets.

Readers are lenient: a message of an unknown type is passed over, keys that are not known are ignored.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, TypeVar

import msgspec

from missioncontrol.client.items import Gap, Item, Refused, Snapshot, Unreachable
from missioncontrol.client.sse import SseMessage
from missioncontrol.errors import BadCursor
from missioncontrol.events import Cursor, Event
from missioncontrol.events.decoding import decode_json, read_float


class Connected(NamedTuple):
    """The connection stands; without a `since` events follow after `cursor`. `heartbeat` in seconds."""

    cursor: Cursor
    heartbeat: float | None


class Moved(NamedTuple):
    """Everything up to `cursor` has been sent, as far as the subscription goes."""

    cursor: Cursor


class Draining(NamedTuple):
    """The server stops; come back after so many seconds."""

    reconnect_after: float


Message = Item | Connected | Moved | Draining


class _Frame(msgspec.Struct):
    """Any message of the WebSocket; events of the log are those with an `id`."""

    type: str
    data: Any = None
    id: int | None = None
    time: str = ""
    source: str = ""
    host: str | None = None
    traceparent: str | None = None
    by: str | None = None


class _Connected(msgspec.Struct):
    cursor: str
    heartbeat: float | None = None


class _At(msgspec.Struct):
    cursor: str


class _Drain(msgspec.Struct):
    reconnect_after: float = msgspec.field(name="reconnectAfter", default=1.0)


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _PageGap(msgspec.Struct):
    from_: int = msgspec.field(name="from")
    to: int
    reason: str
    cursor: str | None = None


class _Page(msgspec.Struct):
    events: list[Event]
    cursor: str
    gap: _PageGap | None = None
    reconnect_after: float | None = msgspec.field(name="reconnectAfter", default=None)


class _Published(msgspec.Struct):
    ids: list[int]


_DEEPEST = 2_000
_Form = TypeVar("_Form")

_frame_decoder = msgspec.json.Decoder(_Frame, float_hook=read_float)
_page_decoder = msgspec.json.Decoder(_Page, float_hook=read_float)
_published_decoder = msgspec.json.Decoder(_Published)
_snapshot_decoder = msgspec.json.Decoder(Snapshot, float_hook=read_float)
# A type is prepared by the first decoder for it, and not safely by two threads at once: here, before any thread.
_prepared = [msgspec.json.Decoder(shape) for shape in (_Connected, _At, _Drain, _Error, Gap)]

# These come because of what the client asked for as it connected, and would come again.
_FINAL_ERRORS = frozenset(
    {"bad_cursor", "bad_pattern", "bad_request", "unauthorized", "forbidden", "misdirected"}
)


_UNREADABLE = (msgspec.MsgspecError, BadCursor, UnicodeDecodeError, RecursionError)
"""What reading a message raises that is not of this protocol: wrong JSON, wrong shapes, nesting without end."""


def read_frame(text: str | bytes) -> Message | None:
    """Read a WebSocket message; None where it is of no concern.

    Raises:
        Refused: it is an error that ends all attempts.
        Unreachable: it is not of this protocol.
    """
    try:
        frame = _decode(_frame_decoder, text)
        if frame.id is not None:
            return Event(
                frame.type,
                frame.id,
                frame.time,
                frame.source,
                frame.data,
                frame.host,
                frame.traceparent,
                frame.by,
            )
        return _named(frame.type, frame.data)
    except _UNREADABLE as error:
        raise _not_understood(error) from None


def read_sse(message: SseMessage) -> list[Message]:
    """Read a block of the stream.

    Raises:
        Refused: it is an error that ends all attempts.
        Unreachable: it is not of this protocol.
    """
    try:
        if not message.data:
            return [] if not message.id else [Moved(Cursor.parse(message.id))]
        if message.event == "message":
            found = read_frame(message.data)
        else:
            found = _named(message.event, decode_json(message.data))
    except _UNREADABLE as error:
        raise _not_understood(error) from None
    return [] if found is None else [found]


def read_page(body: bytes) -> list[Message]:
    """Read a long-poll's answer: first the gap, then the events, then how far the cursor has moved, then a good-bye.

    Raises:
        Unreachable: it is not of this protocol.
    """
    try:
        page = _decode(_page_decoder, body)
        cursor = Cursor.parse(page.cursor)
        messages: list[Message] = []
        if (gap := page.gap) is not None:
            goes_on_after = cursor.id if not page.events else page.events[0].id - 1
            at = gap.cursor or str(Cursor(cursor.epoch, goes_on_after))
            messages.append(Gap(gap.from_, gap.to, gap.reason, at))
        messages += [*page.events, Moved(cursor)]
        if page.reconnect_after is not None:
            messages.append(Draining(page.reconnect_after))
        return messages
    except _UNREADABLE as error:
        raise _not_understood(error) from None


def read_snapshot(body: bytes) -> Snapshot:
    """Read the answer of `/api/snapshot`.

    Raises:
        Unreachable: it is not of this protocol.
    """
    try:
        return _snapshot_decoder.decode(body)
    except _UNREADABLE as error:
        raise _not_understood(error) from None


def read_published(body: bytes) -> list[int]:
    """Read the ids of published events.

    Raises:
        Unreachable: it is not of this protocol.
    """
    try:
        return _published_decoder.decode(body).ids
    except _UNREADABLE as error:
        raise _not_understood(error) from None


def _decode(decoder: msgspec.json.Decoder[_Form], text: str | bytes) -> _Form:
    try:
        return decoder.decode(text)
    except RecursionError:
        # Logs of earlier releases hold data as deep as this interpreter's limit; ours may be lower where we are called.
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + _DEEPEST)
        try:
            return decoder.decode(text)
        finally:
            sys.setrecursionlimit(limit)


def _named(name: str, data: Any) -> Message | None:
    match name:
        case "connected":
            hello = msgspec.convert(data, _Connected)
            return Connected(Cursor.parse(hello.cursor), hello.heartbeat)
        case "snapshot":
            return msgspec.convert(data, Snapshot)
        case "gap":
            gap = msgspec.convert(data, Gap)
            Cursor.parse(gap.cursor)
            return gap
        case "ping":
            # Older servers' pings carry no cursor: then they are signs of life and nothing more.
            has_cursor = isinstance(data, dict) and "cursor" in data
            return Moved(Cursor.parse(msgspec.convert(data, _At).cursor)) if has_cursor else None
        case "server:draining":
            return Draining(msgspec.convert(data, _Drain).reconnect_after)
        case "error":
            error = msgspec.convert(data, _Error)
            if error.code in _FINAL_ERRORS:
                raise Refused(f"The server refuses: {error.message or error.code}")
            return None
        case _:
            return None


def _not_understood(error: Exception) -> Unreachable:
    return Unreachable(f"The server's message is not of this protocol: {error}.")
