"""Bodies become frames and event-stream messages that others can read."""

from __future__ import annotations

import json

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.streams import StreamReader

from missioncontrol.events import Draft, Record, encode_body, encode_data
from missioncontrol.protocol.encoding import (
    Encoding,
    body_id,
    deflate_frame,
    encode_bodies,
    encode_record,
    frame,
)


def record(id_: int, size: int = 10) -> Record:
    draft = Draft("a:b", {"id": 5, "text": "x" * size})
    return Record(id_, "a:b", 0, encode_body(draft, id_, 0, encode_data(draft)))


def frames(data: bytes, *, deflate: bool = False) -> list[bytes]:
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    extensions = [PerMessageDeflate(True, True, 15, 15)] if deflate else []
    found = []
    while True:
        parser = Frame.parse(reader.read_exact, mask=False, extensions=extensions)
        try:
            next(parser)
        except StopIteration as done:
            found.append(bytes(done.value.data))
        except EOFError:
            return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_frame_of_any_size_is_read_back(size: int) -> None:
    assert frames(frame(b"x" * size)) == [b"x" * size]
    assert frames(deflate_frame(b"x" * size), deflate=True) == [b"x" * size]


@pytest.mark.parametrize("encoding", [Encoding.FRAME, Encoding.DEFLATE])
def test_a_page_is_the_records_one_after_the_other(encoding: Encoding) -> None:
    records = [record(n, n * 100) for n in range(1, 30)]
    page = encode_bodies([r.body for r in records], encoding, "epoch")
    assert page == b"".join(encode_record(r, encoding, "epoch") for r in records)
    assert frames(page, deflate=True) == [r.body for r in records]


def test_an_event_stream_message_carries_the_cursor_and_one_line_of_data() -> None:
    records = [record(7), record(8)]
    text = encode_bodies([r.body for r in records], Encoding.SSE, "epoch")
    assert text == b"".join(encode_record(r, Encoding.SSE, "epoch") for r in records)
    first, second, rest = text.split(b"\n\n")
    assert rest == b""
    assert first.split(b"\n")[0] == b"id: epoch:7"
    assert json.loads(second.split(b"\n")[1].removeprefix(b"data: "))["id"] == 8


def test_the_id_is_found_whatever_the_data_says() -> None:
    assert body_id(record(1234).body) == 1234


def test_a_record_is_encoded_once() -> None:
    one = record(3, 2000)
    assert encode_record(one, Encoding.DEFLATE, "e") is encode_record(one, Encoding.DEFLATE, "e")
    assert encode_record(one, Encoding.FRAME, "e") is encode_record(one, Encoding.FRAME, "e")
