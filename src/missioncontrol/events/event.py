"""An event before and after it has a place in the log.

A `Draft` is what somebody wants to tell; a `Record` is what the log has accepted: it has an id, and its
`body` is the one JSON text that every reader gets, byte for byte, over whatever transport.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from time import time_ns
from typing import Any

import msgspec

from missioncontrol.errors import BadEvent, BadMessage, TooLarge
from missioncontrol.events.catalogue import CATALOGUE, Shape
from missioncontrol.events.patterns import check_type

MAX_DATA_BYTES = 256 * 1024
MAX_KEY_LENGTH = 256
MAX_SOURCE_LENGTH = 64

Data = dict[str, Any]

_encode_json = msgspec.json.Encoder().encode
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)


class Draft(msgspec.Struct, gc=False):
    """An event to be appended.

    `key` makes a repeated attempt harmless: a key that the log still holds appends nothing and answers with
    the id it has. `source` says who tells it (`agents`, `files`, `api`, …). `traceparent` is the trace that it belongs
    to (https://www.w3.org/TR/trace-context/, section 3.2).
    """

    type: str
    data: Data = msgspec.field(default_factory=dict)
    key: str | None = None
    source: str = "api"
    traceparent: str | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event as it stands on the wire.

    `host` says where it was told, in a fleet of several hosts, `traceparent` to which trace it belongs.
    """

    type: str
    id: int
    time: str
    source: str
    data: Data
    host: str | None = None
    traceparent: str | None = None

    def typed(self) -> Shape | None:
        """Return what it tells in the shape of its type in the catalogue, for `match`.

        None where its type is not in the catalogue, or the data has not the shape: anybody may publish anything
        under any type. Keys that the shape does not know are passed over.
        """
        shape = CATALOGUE.get(self.type)
        if shape is None:
            return None
        try:
            return msgspec.convert(self.data, shape)
        except msgspec.ValidationError:
            return None


class Record:
    """An event that the log holds; `time` is in milliseconds since 1970.

    `data` must not be changed by anybody. The slots that end in `_form` belong to the encodings of
    `missioncontrol.protocol.encoding`, which keep there what they have made of the body.
    """

    __slots__ = ("_data", "_host", "body", "deflate_form", "frame_form", "id", "sse_form", "time", "type")

    def __init__(
        self, id_: int, type_: str, time: int, body: bytes, data: Data | None = None, host: str | None = None
    ) -> None:
        self.id = id_
        self.type = type_
        self.time = time
        self.body = body
        self._data = data
        self._host = host
        self.frame_form: bytes | None = None
        self.deflate_form: bytes | None = None
        self.sse_form: bytes | None = None

    @property
    def data(self) -> Data:
        """What the event tells; decoded from the body when it came from the log."""
        if self._data is None:
            event = decode_event(self.body)
            self._data, self._host = event.data, event.host
        return self._data

    @property
    def host(self) -> str | None:
        """Where it was told; None in a fleet of one host."""
        if self._data is None:
            event = decode_event(self.body)
            self._data, self._host = event.data, event.host
        return self._host

    def __repr__(self) -> str:
        return f"Record({self.id}, {self.type!r})"


_event_decoder = msgspec.json.Decoder(Event)


def decode_event(body: bytes | str) -> Event:
    """Read one event from its JSON."""
    return _event_decoder.decode(body)


def encode_data(draft: Draft) -> bytes:
    """Return the draft's `data` as JSON, if the whole draft may be appended.

    Data of a type in the catalogue gets the `timestamp` that its shape asks for, where it has none.

    Raises:
        BadEvent: its type, key or source is not allowed, or its data cannot be written as JSON.
        TooLarge: its data is over 256 KiB.
    """
    check_type(draft.type)
    key = draft.key
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH):
        raise BadEvent(f"A key has 1 to {MAX_KEY_LENGTH} characters; leave it out if you need none.")
    if not (0 < len(draft.source) <= MAX_SOURCE_LENGTH):
        raise BadEvent(f"A source has 1 to {MAX_SOURCE_LENGTH} characters.")
    if draft.traceparent is not None and not is_traceparent(draft.traceparent):
        raise BadEvent(
            f"The traceparent {draft.traceparent[:60]!r} is none; it looks like "
            f"'00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'."
        )
    if draft.type in CATALOGUE and "timestamp" not in draft.data:
        draft.data = {**draft.data, "timestamp": rfc3339(now()).decode()}
    try:
        data = _encode_json(draft.data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadEvent(f"The data of {draft.type!r} cannot be written as JSON: {error}.") from None
    if len(data) > MAX_DATA_BYTES:
        raise TooLarge(
            f"The data of {draft.type!r} has {len(data):,} bytes; the limit is {MAX_DATA_BYTES:,}. "
            f"Put the content elsewhere and send a reference."
        )
    return data


def is_traceparent(text: str) -> bool:
    """Say whether a text names a span, as in https://www.w3.org/TR/trace-context/, section 3.2.2; version 00 alone."""
    match = _TRACEPARENT.fullmatch(text)
    return match is not None and any(digit != "0" for digit in match[1]) and match[2] != "0" * 16


def encode_body(draft: Draft, id_: int, time: int, data: bytes) -> bytes:
    """Write the event's one JSON text; `data` is the draft's, already encoded, `time` in milliseconds."""
    return write_body(draft.type, id_, time, encode_source(draft.source, draft.traceparent), data)


def encode_source(source: str, traceparent: str | None) -> bytes:
    """Write who tells an event as JSON, and after it the trace that the event belongs to, if any."""
    encoded = _encode_json(source)
    return encoded if traceparent is None else b'%b,"traceparent":"%b"' % (encoded, traceparent.encode())


def write_body(type_: str, id_: int, time: int, source: bytes, data: bytes, host: str | None = None) -> bytes:
    """Write an event's one JSON text.

    Args:
        type_: its type.
        id_: its place in the log.
        time: milliseconds since 1970.
        source: who told it, as `encode_source` writes it.
        data: what it tells, as JSON.
        host: where it was told, in a fleet of several hosts; a name as `missioncontrol.events.hosts` allows.
    """
    return b'{"type":"%b","id":%d,"time":"%b","source":%b,%b"data":%b}' % (
        type_.encode(),
        id_,
        rfc3339(time),
        source,
        b"" if host is None else b'"host":"%b",' % host.encode(),
        data,
    )


def subject_of(type_: str, data: Data) -> str | None:
    """Return the id of the task that an event is about; None where it is about none.

    Whoever changes a task decides by what it is, so changes of one task follow each other.
    """
    if not type_.startswith("task:"):
        return None
    task = data.get("task")
    id_ = data.get("taskId") or (task.get("id") if isinstance(task, dict) else None)
    return str(id_) if isinstance(id_, (str, int)) and id_ else None


def now() -> int:
    """The time of day in milliseconds since 1970."""
    return time_ns() // 1_000_000


_second: tuple[int, bytes] = (-1, b"")


def rfc3339(time: int) -> bytes:
    """Write milliseconds since 1970 as `2026-11-23T10:15:00.123Z` (RFC 3339, section 5.6)."""
    global _second
    second, milli = divmod(time, 1000)
    known, text = _second
    if second != known:
        text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        _second = (second, text)
    return b"%b.%03dZ" % (text, milli)


_one_decoder = msgspec.json.Decoder(Draft)
_many_decoder = msgspec.json.Decoder(list[Draft])


def decode_drafts(body: bytes) -> list[Draft]:
    """Read drafts from one JSON object, an array of them, or NDJSON; which one shows in the text itself.

    A whole event is taken too: `id` and `time` are the log's to give, and are passed over.

    Raises:
        BadEvent: a draft has a wrong shape; the message names it by its position.
        BadMessage: the text is not JSON.
    """
    text = body.strip()
    if not text:
        raise BadEvent('There is no event; send {"type": "category:name", "data": {…}}, an array, or NDJSON.')
    try:
        return _many_decoder.decode(text) if text.startswith(b"[") else _one_decoder.decode_lines(text)
    except msgspec.ValidationError as error:
        raise BadEvent(f"An event is not of the expected shape: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"The events are not JSON: {error}.") from None


def convert_drafts(items: object) -> list[Draft]:
    """Read drafts from values that are decoded already.

    Raises:
        BadEvent: a draft has a wrong shape; the message names it by its position.
    """
    try:
        return msgspec.convert(items, list[Draft])
    except msgspec.ValidationError as error:
        raise BadEvent(f"An event is not of the expected shape: {error}.") from None
