"""An event before and after it has a place in the log.

A `Draft` is what somebody wants to tell; a `Record` is what the log has accepted: it has an id, and its
`body` is the one JSON text that every reader gets, byte for byte, over whatever transport.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any

import msgspec

from missioncontrol.errors import BadEvent, BadMessage, TooLarge
from missioncontrol.events.catalogue import CATALOGUE, Shape
from missioncontrol.events.decoding import read_float
from missioncontrol.events.limits import MAX_DEPTH, MAX_MESSAGE_DEPTH, check_json, is_deeper
from missioncontrol.events.patterns import check_type
from missioncontrol.events.shapes import ASKED, check_asked, fit, refuse_reserved

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
    to (https://www.w3.org/TR/trace-context/, section 3.2). `by` is who has published it: set by the server alone,
    `source` where it is None.
    """

    type: str
    data: Data = msgspec.field(default_factory=dict)
    key: str | None = None
    source: str = "api"
    traceparent: str | None = None
    by: str | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event as it stands on the wire.

    `host` says where it was told, in a fleet of several hosts, `traceparent` to which trace it belongs. `by` is who has
    published it: the name of a token, `operator` for a person, else the source; logs of earlier releases have none.
    """

    type: str
    id: int
    time: str
    source: str
    data: Data
    host: str | None = None
    traceparent: str | None = None
    by: str | None = None

    def typed(self) -> Shape | None:
        """Return what it tells in the shape of its type in the catalogue, for `match`.

        None where its type is not in the catalogue, or the data has not the shape, as in logs of earlier releases.
        Keys that the shape does not know are passed over.
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
        """What the event tells; decoded from the body when it came from the log. Never raises; see `read_event`."""
        if self._data is None:
            event = read_event(self.body)
            self._data, self._host = event.data, event.host
        return self._data

    @property
    def host(self) -> str | None:
        """Where it was told; None in a fleet of one host."""
        if self._data is None:
            event = read_event(self.body)
            self._data, self._host = event.data, event.host
        return self._host

    @property
    def by(self) -> str | None:
        """Who has published it; None in logs of earlier releases. Read from the body again each time."""
        return _head_of(self.body).by

    def __repr__(self) -> str:
        return f"Record({self.id}, {self.type!r})"


class _Head(msgspec.Struct):
    """What an event has before its data."""

    type: str = "log:unreadable"
    id: int = 0
    time: str = ""
    source: str = ""
    host: str | None = None
    traceparent: str | None = None
    by: str | None = None


_event_decoder = msgspec.json.Decoder(Event, float_hook=read_float)


_head_decoder = msgspec.json.Decoder(_Head)
_DATA = re.compile(rb',"data":\{')


def decode_event(body: bytes | str) -> Event:
    """Read one event from its JSON.

    Raises:
        msgspec.MsgspecError: it is no event.
        RecursionError: it is nested too deeply.
    """
    return _event_decoder.decode(body)


def read_event(body: bytes) -> Event:
    """Read one event of the log, whatever it holds.

    The data of an event that is nested more deeply than is accepted today, or that cannot be decoded, is left out: it
    reads as empty, and what was published is in the body alone.
    """
    if not is_deeper(body, MAX_DEPTH + 1):
        try:
            return _event_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    head = _head_of(body)
    return Event(head.type, head.id, head.time, head.source, {}, head.host, head.traceparent, head.by)


def _head_of(body: bytes) -> _Head:
    # We write every body ourselves, with `data` last: what is before it is small and flat.
    data = _DATA.search(body)
    try:
        return _head_decoder.decode(body[: data.start()] + b"}" if data else body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Head()


def read_record(body: bytes) -> Record:
    """Read one event of the log as a record, whatever it holds; see `read_event`."""
    event = read_event(body)
    try:
        time = round(datetime.fromisoformat(event.time).timestamp() * 1000)
    except (ValueError, OverflowError):
        time = 0
    return Record(event.id, event.type, time, body, event.data, event.host)


def encode_data(draft: Draft) -> bytes:
    """Return the draft's `data` as JSON, if the whole draft may be appended.

    Data of a type in the catalogue gets the fields of its shape that it has not, as null, and a `timestamp`.

    Raises:
        BadEvent: its type, key or source is not allowed; its data has not the shape of its type, is nested more than
            64 levels deep, or cannot be written as JSON.
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
    if draft.type in CATALOGUE:
        draft.data = fit(draft.type, draft.data)
        if not draft.data["timestamp"]:
            draft.data["timestamp"] = rfc3339(now()).decode()
    try:
        data = _encode_json(draft.data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadEvent(f"The data of {draft.type!r} cannot be written as JSON: {error}.") from None
    if len(data) > MAX_DATA_BYTES:
        raise TooLarge(
            f"The data of {draft.type!r} has {len(data):,} bytes; the limit is {MAX_DATA_BYTES:,}. "
            f"Put the content elsewhere and send a reference."
        )
    if is_deeper(data):
        raise BadEvent(
            f"The data of {draft.type!r} is nested more than {MAX_DEPTH} levels deep; make it flatter, "
            f"or send the inner part as a string."
        )
    return data


def refuse_foreign(drafts: Sequence[Draft]) -> None:
    """Check that drafts of a client tell nothing that the server alone tells, and ask what can be answered.

    Raises:
        ReservedType: a draft is of a type that only the server publishes.
        ReservedKind: a draft asks a question of a kind that only the server asks.
        BadEvent: a draft asks a question with options that cannot be told from each other.
    """
    types = {draft.type for draft in drafts}
    refuse_reserved(types)
    if ASKED in types:
        for draft in drafts:
            if draft.type == ASKED:
                check_asked(draft.data)


def is_traceparent(text: str) -> bool:
    """Say whether a text names a span, as in https://www.w3.org/TR/trace-context/, section 3.2.2; version 00 alone."""
    match = _TRACEPARENT.fullmatch(text)
    return match is not None and any(digit != "0" for digit in match[1]) and match[2] != "0" * 16


def encode_body(draft: Draft, id_: int, time: int, data: bytes) -> bytes:
    """Write the event's one JSON text; `data` is the draft's, already encoded, `time` in milliseconds."""
    return write_body(draft.type, id_, time, encode_source(draft.source, draft.traceparent, draft.by), data)


def encode_source(source: str, traceparent: str | None, by: str | None = None) -> bytes:
    """Write who tells an event as JSON, after it who has published it, and the trace that it belongs to, if any."""
    encoded = _encode_author(source, by)
    return encoded if traceparent is None else b'%b,"traceparent":"%b"' % (encoded, traceparent.encode())


@lru_cache(maxsize=1024)
def _encode_author(source: str, by: str | None) -> bytes:
    # There are few of them, and each event has one.
    return b'%b,"by":%b' % (_encode_json(source), _encode_json(by or source))


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


LONG_BYTES = 128 * 1024
"""How much text of drafts is decoded at once; what is longer is decoded in slices of this length."""

MAX_PUBLISHED_ELEMENTS = 500_000
"""Elements at all levels of the drafts that are published together."""

MAX_PUBLISHED = 100_000
"""How many drafts may be published together."""

_one_decoder = msgspec.json.Decoder(Draft, float_hook=read_float)
_many_decoder = msgspec.json.Decoder(list[Draft], float_hook=read_float)
# A type is prepared by the first decoder for it, and not safely by two threads at once: here, before any thread.
_prepared = [msgspec.json.Decoder(shape) for shape in CATALOGUE.values()]
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_raws_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def decode_drafts(body: bytes) -> list[Draft]:
    """Read drafts from one JSON object, an array of them, or NDJSON; which one shows in the text itself.

    A whole event is taken too: `id` and `time` are the log's to give, and are passed over.

    Raises:
        BadEvent: a draft has a wrong shape; the message names it by its position.
        ReservedType: a draft is of a type that only the server publishes.
        ReservedKind: a draft asks a question of a kind that only the server asks.
        BadMessage: the text is not JSON.
        TooDeep: it has too many levels.
        TooLarge: it has too many elements.
    """
    text = _checked(body)
    with _refusing():
        drafts = _many_decoder.decode(text) if text.startswith(b"[") else _one_decoder.decode_lines(text)
    refuse_foreign(drafts)
    return drafts


async def decode_long_drafts(body: bytes) -> list[Draft]:
    """Read drafts as `decode_drafts` does; a long text in a thread and in slices, so that the event loop goes on."""
    if len(body) <= LONG_BYTES:
        return decode_drafts(body)
    raws = await asyncio.to_thread(_split, body)
    drafts: list[Draft] = []
    size = 0
    for place, raw in enumerate(raws):
        with _refusing(place):
            drafts.append(_one_decoder.decode(raw))
        size += len(memoryview(raw))
        if size > LONG_BYTES:
            size = 0
            await asyncio.sleep(0)
    refuse_foreign(drafts)
    return drafts


def _split(body: bytes) -> list[msgspec.Raw]:
    """Find where each draft of a text begins and ends, without reading it."""
    text = _checked(body)
    with _refusing():
        return _raws_decoder.decode(text) if text.startswith(b"[") else _raw_decoder.decode_lines(text)


def _checked(body: bytes) -> bytes:
    text = body.strip()
    if not text:
        raise BadEvent('There is no event; send {"type": "category:name", "data": {…}}, an array, or NDJSON.')
    if not text.startswith(b"[") and text.count(b"\n") >= MAX_PUBLISHED:
        raise TooLarge(f"More than {MAX_PUBLISHED:,} lines of events at once; send fewer at a time.")
    check_json(text, "The text of the events", depth=MAX_MESSAGE_DEPTH, elements=MAX_PUBLISHED_ELEMENTS)
    return text


@contextmanager
def _refusing(place: int | None = None) -> Iterator[None]:
    """Say what is wrong with drafts; `place` is the position of the one that is decoded by itself."""
    try:
        yield
    except msgspec.ValidationError as error:
        said = str(error)
        if place is not None:
            said = said.replace("`$", f"`$[{place}]", 1) if "`$" in said else f"{said} - at `$[{place}]`"
        raise BadEvent(f"An event is not of the expected shape: {said}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"The events are not JSON: {error}.") from None


def convert_drafts(items: object) -> list[Draft]:
    """Read drafts of a client from values that are decoded already.

    Raises:
        BadEvent: a draft has a wrong shape; the message names it by its position.
        ReservedType: a draft is of a type that only the server publishes.
        ReservedKind: a draft asks a question of a kind that only the server asks.
    """
    try:
        drafts = msgspec.convert(items, list[Draft])
    except msgspec.ValidationError as error:
        raise BadEvent(f"An event is not of the expected shape: {error}.") from None
    except RecursionError as error:
        raise BadEvent(f"An event is nested too deeply: {error}.") from None
    refuse_foreign(drafts)
    return drafts
