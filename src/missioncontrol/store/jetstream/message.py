"""The form of an event in the stream: one line of JSON, and behind it, compressed, what its source remembers.

Invariants:

- reading is total: whatever stands in the stream becomes an event with the id that is its sequence, since a hole would
  stop every node. What no node would write becomes `log:unreadable`;
- reading is deterministic: each node makes the same bytes of a message, so the limits are explicit, and none is the
  decoder's or the machine's.
"""

from __future__ import annotations

import base64
import logging
import zlib
from hashlib import sha256
from typing import NamedTuple

import msgspec

from missioncontrol.errors import BadEvent, InputError
from missioncontrol.events import (
    MAX_DATA_BYTES,
    Data,
    Draft,
    Record,
    check_type,
    is_traceparent,
    subject_of,
    write_body,
)
from missioncontrol.events.decoding import read_float
from missioncontrol.events.event import MAX_KEY_LENGTH, MAX_SOURCE_LENGTH, encode_source
from missioncontrol.events.hosts import MAX_HOST_LENGTH, is_host
from missioncontrol.events.limits import check_json
from missioncontrol.store.log import FLEET_SOURCES, Checkpoint
from missioncontrol.store.work import Copied

UNREADABLE = "log:unreadable"
"""The type of the event that stands for a message which cannot be read."""

MAX_LINE_BYTES = MAX_DATA_BYTES + 16 * 1024
"""How long the line of an event may be; what is not data is short."""

MAX_MEMORY_BYTES = 600 * 1024
"""How much of what a source remembers goes with one append, compressed; NATS servers take messages of 1 MiB."""

MAX_MEMORY_UNPACKED = 64 * 1024 * 1024
"""The same, unpacked."""

TASK = "task."

logger = logging.getLogger(__name__)


class Body(msgspec.Struct, omit_defaults=True):
    """The first line of a message: an event without id and time, which the stream gives."""

    type: str
    source: str
    host: str
    data: msgspec.Raw
    key: str | None = None
    traceparent: str | None = None
    by: str | None = None


class _Memory(msgspec.Struct):
    """What follows the first line, compressed: what the event's source remembers with it."""

    source: str
    changes: dict[str, str | None]


class Message(NamedTuple):
    """What is to be stored; `id` makes a repeated attempt harmless."""

    subject: str
    id: str
    payload: bytes


class Delivered(NamedTuple):
    """A message as the stream has it; `time` in milliseconds since 1970.

    `removed` says that the stream no longer has it, though it has older ones.
    """

    sequence: int
    time: int
    id: str | None
    payload: bytes
    removed: bool = False


class Entry(NamedTuple):
    """What was made of a message; `problem` says why it could not be read."""

    copied: Copied
    checkpoint: Checkpoint | None
    problem: str | None


_body_decoder = msgspec.json.Decoder(Body)
_data_decoder = msgspec.json.Decoder(Data, float_hook=read_float)
_memory_decoder = msgspec.json.Decoder(_Memory)


def write_message(draft: Draft, data: bytes, host: str, id_: str) -> Message:
    """Write an event as it goes to the stream; `data` is the draft's, already encoded."""
    body = Body(draft.type, draft.source, host, msgspec.Raw(data), draft.key, draft.traceparent, draft.by)
    return Message(_subject(draft.type, subject_of(draft.type, draft.data)), id_, msgspec.json.encode(body))


def read_message(delivered: Delivered, host: str) -> Entry:
    """Make the log's entry of a message. `host` is this node's, whose sources remember what travels with it."""
    id_, time = delivered.sequence, delivered.time
    line, _, packed = delivered.payload.partition(b"\n")
    try:
        if delivered.removed:
            raise BadEvent("it was removed from the stream")
        body, data = _read_line(line)
        source = encode_source(body.source, body.traceparent, body.by)
        event = write_body(body.type, id_, time, source, bytes(body.data), body.host)
    except Exception as error:
        # Which errors a foreign message may cause is not for this node to guess: no other answer leaves all in step.
        problem = _problem(error)
        data = {"size": len(delivered.payload), "reason": problem}
        event = write_body(UNREADABLE, id_, time, b'"log"', msgspec.json.encode(data))
        return Entry(Copied(Record(id_, UNREADABLE, time, event, data), None), None, problem)
    record = Record(id_, body.type, time, event, data, body.host)
    ours = body.host == host or body.source in FLEET_SOURCES
    return Entry(Copied(record, body.key), unpack_memory(packed) if packed and ours else None, None)


def is_same(payload: bytes, body: bytes) -> bool:
    """Say whether a message of the stream is what an event's body was made of."""
    try:
        sent, _ = _read_line(payload.partition(b"\n")[0])
    except Exception:
        return f'"{UNREADABLE}"'.encode() in body
    return body.endswith(b'"data":' + bytes(sent.data) + b"}")


def _read_line(line: bytes) -> tuple[Body, Data]:
    """Read the first line of a message.

    Raises:
        Exception: it is not one that a node writes.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadEvent("it is too long")
    # Of the whole line: what surrounds the data has one level.
    check_json(line, "it", depth=65, elements=MAX_LINE_BYTES)
    # Decoders differ in whether they look into texts that they pass over.
    line.decode()
    body = _body_decoder.decode(line)
    check_type(body.type)
    if len(body.data) > MAX_DATA_BYTES:
        raise BadEvent("its data is too long")
    if not is_host(body.host):
        raise BadEvent(f"its host {body.host[:MAX_HOST_LENGTH]!r} is none")
    if not 0 < len(body.source) <= MAX_SOURCE_LENGTH:
        raise BadEvent("its source is empty or too long")
    if body.key is not None and not 0 < len(body.key) <= MAX_KEY_LENGTH:
        raise BadEvent("its key is empty or too long")
    if body.by is not None and not 0 < len(body.by) <= MAX_SOURCE_LENGTH:
        raise BadEvent("its author is empty or too long")
    if body.traceparent is not None and not is_traceparent(body.traceparent):
        raise BadEvent("its traceparent is none")
    return body, _data_decoder.decode(body.data)


def _problem(error: Exception) -> str:
    """Name what is wrong with a message in words that are the same at all nodes."""
    match error:
        case BadEvent():
            return str(error)
        case InputError():
            return "it has too many levels or elements"
        case UnicodeError():
            return "it is not UTF-8"
        case msgspec.ValidationError():
            return "it has not the shape of an event"
    return "it is not JSON"


def message_id(key: str) -> str:
    """Return the message's id for an event with a key."""
    return sha256(key.encode()).hexdigest()[:32]


def _subject(type_: str, task: str | None) -> str:
    """Return the subject of an event: one for each task, so that its changes can be made to follow each other."""
    if task is not None:
        return f"{TASK}{_token(task)}"
    category, _, name = type_.partition(":")
    return f"{_token(category)}.{_token(name)}"


def _token(text: str) -> str:
    """Write a text as one token of a subject; what may not stand there is written as the hex of its UTF-8."""
    token = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_@") else f"={letter.encode().hex()}"
        for letter in text
    )
    return token if 0 < len(token) <= 120 else f"=={sha256(text.encode()).hexdigest()}"


def pack_memory(checkpoint: Checkpoint | None) -> bytes | None:
    """Write what a source remembers; nothing where there is nothing, None where it is too much for a message."""
    if checkpoint is None or not checkpoint.changes:
        return b""
    changes = {
        key: None if value is None else base64.b64encode(value).decode()
        for key, value in checkpoint.changes.items()
    }
    memory = msgspec.json.encode(_Memory(checkpoint.source, changes))
    if len(memory) > MAX_MEMORY_UNPACKED:
        return None
    packed = zlib.compress(memory, 1)
    return packed if len(packed) <= MAX_MEMORY_BYTES else None


def unpack_memory(packed: bytes) -> Checkpoint | None:
    """Read what a source remembers; None where it is not what `pack_memory` writes."""
    try:
        unpacking = zlib.decompressobj()
        memory = unpacking.decompress(packed, MAX_MEMORY_UNPACKED)
        if unpacking.unconsumed_tail or not unpacking.eof:
            return None
        check_json(memory, "it", depth=3, elements=MAX_MEMORY_UNPACKED)
        read = _memory_decoder.decode(memory)
        changes = {
            key: None if value is None else base64.b64decode(value) for key, value in read.changes.items()
        }
    except (zlib.error, msgspec.MsgspecError, InputError, ValueError, RecursionError):
        return None
    return Checkpoint(read.source, changes)
