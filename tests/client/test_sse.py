from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.client import sse
from missioncontrol.client.items import Unreachable
from missioncontrol.client.sse import SseMessage, SseParser

STREAM = (
    "\ufeff: a comment\n"
    "retry: 1200\r\n"
    'event: connected\ndata: {"epoch":"abc"}\n\n'
    'id: abc:1\r\ndata: {"type":"Größe"}\r\n\r\n'
    "id: abc:2\rdata: first\rdata:second\r\r"
    ": heartbeat\nid: abc:7\n\n"
    "data\n\n"
    "event: nothing\n\n"
    "unknown: field\ndata:  two spaces\n\n"
    "data: never ended"
).encode()

MESSAGES = [
    SseMessage("connected", '{"epoch":"abc"}', None),
    SseMessage("message", '{"type":"Größe"}', "abc:1"),
    SseMessage("message", "first\nsecond", "abc:2"),
    SseMessage("message", "", "abc:7"),
    SseMessage("message", "", None),
    SseMessage("message", " two spaces", None),
]


def parse(*pieces: bytes) -> list[SseMessage]:
    parser = SseParser()
    return [message for piece in pieces for message in parser.feed(piece)]


def test_a_stream_is_read_as_the_html_standard_says() -> None:
    assert parse(STREAM) == MESSAGES


def test_a_cut_at_any_position_changes_nothing() -> None:
    for cut in range(len(STREAM) + 1):
        assert parse(STREAM[:cut], STREAM[cut:]) == MESSAGES


def test_byte_by_byte_changes_nothing() -> None:
    assert parse(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == MESSAGES


@given(st.lists(st.integers(0, len(STREAM))))
def test_any_set_of_cuts_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert parse(*(STREAM[a:b] for a, b in pairwise(places))) == MESSAGES


@given(st.lists(st.sampled_from([b"\r", b"\n", b"data", b":", b" ", b"id: x", b"\xef\xbb\xbf", b"\xff"])))
def test_nothing_breaks_the_parser_and_cuts_never_matter(parts: list[bytes]) -> None:
    assert parse(*parts) == parse(b"".join(parts))


@pytest.mark.parametrize("line_end", [b"", b"\n"])
def test_a_message_without_end_is_refused(line_end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(Unreachable, match="64 MiB"):
        parse(*[b"data: " + b"x" * 94 + line_end] * 20)
