"""How a body becomes bytes on a transport; made once per event, shared by everybody who gets it.

WebSocket frames (RFC 6455, section 5.2) are those of an unmasked, unfragmented text message; with
permessage-deflate (RFC 7692) and without context takeover the compressed frame is the same for every client,
so that one compression serves all. Server-Sent Events are those of the HTML standard, section 9.2.
"""

from __future__ import annotations

import zlib
from enum import Enum
from struct import Struct as Packing

from missioncontrol.events import Record

COMPRESS_FROM_BYTES = 512
"""Below this a deflate block costs more than it saves."""

_TEXT = 0x81
_TEXT_DEFLATED = 0xC1
_medium = Packing("!BBH").pack
_large = Packing("!BBQ").pack


class Encoding(Enum):
    """The form in which a connection takes its messages."""

    FRAME = "frame"
    DEFLATE = "deflate"
    SSE = "sse"


def frame_header(length: int, first_byte: int = _TEXT) -> bytes:
    """Write the head of an unmasked frame whose payload has `length` bytes."""
    if length < 126:
        return bytes((first_byte, length))
    if length < 65_536:
        return _medium(first_byte, 126, length)
    return _large(first_byte, 127, length)


def frame(body: bytes, first_byte: int = _TEXT) -> bytes:
    """Put a body into one WebSocket frame."""
    return frame_header(len(body), first_byte) + body


def deflate_frame(body: bytes) -> bytes:
    """Put a body into one compressed WebSocket frame, or a plain one where compression does not pay."""
    if len(body) < COMPRESS_FROM_BYTES:
        return frame(body)
    encoder = zlib.compressobj(level=6, wbits=-15)
    packed = encoder.compress(body) + encoder.flush(zlib.Z_SYNC_FLUSH)
    # RFC 7692, section 7.2.1: the four octets that every sync flush ends with are left out.
    return frame(packed[:-4], _TEXT_DEFLATED)


def sse(cursor: str, body: bytes) -> bytes:
    """Write a log event as a message without an event field, so that `onmessage` gets it."""
    return b"id: %b\ndata: %b\n\n" % (cursor.encode(), body)


def sse_named(name: str, data: bytes, cursor: str | None = None) -> bytes:
    """Write anything else as a named event; with a cursor the browser's Last-Event-ID moves there."""
    id_line = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return b"%bevent: %b\ndata: %b\n\n" % (id_line, name.encode(), data)


def sse_heartbeat(cursor: str) -> bytes:
    """Write a comment, and an id without data, which moves Last-Event-ID on and dispatches nothing."""
    return b": heartbeat\nid: %b\n\n" % cursor.encode()


def encode_record(record: Record, encoding: Encoding, epoch: str) -> bytes:
    """Return the record in this form, made at the first call."""
    if encoding is Encoding.FRAME:
        form = record.frame_form
        if form is None:
            form = record.frame_form = frame(record.body)
        return form
    if encoding is Encoding.DEFLATE:
        form = record.deflate_form
        if form is None:
            form = record.deflate_form = (
                deflate_frame(record.body)
                if len(record.body) >= COMPRESS_FROM_BYTES
                else encode_record(record, Encoding.FRAME, epoch)
            )
        return form
    form = record.sse_form
    if form is None:
        form = record.sse_form = sse(f"{epoch}:{record.id}", record.body)
    return form


def encode_bodies(bodies: list[bytes], encoding: Encoding, epoch: str) -> bytes:
    """Join a page of bodies, as the log has them, into the bytes of one write."""
    if encoding is Encoding.FRAME:
        return b"".join([part for body in bodies for part in (frame_header(len(body)), body)])
    if encoding is Encoding.DEFLATE:
        return b"".join([deflate_frame(body) for body in bodies])
    return b"".join([sse(f"{epoch}:{body_id(body)}", body) for body in bodies])


def body_id(body: bytes) -> int:
    """Find an event's id in its body, where `missioncontrol.events.encode_body` has put it."""
    start = body.index(b'","id":') + 7
    return int(body[start : body.index(b",", start)])
