from __future__ import annotations

import json
from typing import Any

import pytest

from missioncontrol.client.items import Gap, Refused, Snapshot, Unreachable
from missioncontrol.client.sse import SseMessage
from missioncontrol.client.wire import Connected, Draining, Moved, read_frame, read_page, read_sse
from missioncontrol.events import Cursor, Event
from tests.client.fake_server import event


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (event(4), Event("agent:activity", 4, "2026-11-23T10:15:00.123Z", "agents", {"n": 4})),
        (
            {"type": "connected", "data": {"epoch": "abc", "cursor": "abc:7", "heartbeat": 30, "new": 1}},
            Connected(Cursor("abc", 7), 30.0),
        ),
        ({"type": "ping", "data": {"timestamp": "…", "cursor": "abc:7"}}, Moved(Cursor("abc", 7))),
        ({"type": "ping", "data": {"timestamp": "…"}}, None),
        ({"type": "ping"}, None),
        (
            {"type": "gap", "data": {"from": 1, "to": 2, "reason": "of a newer kind", "cursor": "abc:2"}},
            Gap(1, 2, "of a newer kind", "abc:2"),
        ),
        ({"type": "snapshot", "data": {"state": {}, "cursor": "abc:2"}}, Snapshot({}, "abc:2")),
        ({"type": "server:draining", "data": {"reconnectAfter": 1.5}}, Draining(1.5)),
        ({"type": "client:connected", "data": {"clientCount": 4}}, None),
        ({"type": "error", "data": {"code": "store", "message": "not now"}}, None),
        ({"type": "of:tomorrow", "data": [1]}, None),
    ],
)
def test_each_message_of_the_server_is_read(message: dict[str, Any], expected: object) -> None:
    assert read_frame(json.dumps(message)) == expected


@pytest.mark.parametrize(
    "text", ["", "[]", '{"data":1}', '{"type":"gap","data":{}}', '{"type":"ping","data":{"cursor":1}}']
)
def test_what_is_not_of_the_protocol_is_said_to_be_so(text: str) -> None:
    with pytest.raises(Unreachable, match="not of this protocol"):
        read_frame(text)


def test_a_gap_must_say_where_the_stream_goes_on() -> None:
    with pytest.raises(Unreachable, match="EPOCH:ID"):
        read_frame('{"type":"gap","data":{"from":1,"to":2,"reason":"epoch","cursor":"nowhere"}}')


def test_an_error_about_the_request_itself_is_final() -> None:
    with pytest.raises(Refused, match="The pattern is wrong"):
        read_frame('{"type":"error","data":{"code":"bad_pattern","message":"The pattern is wrong."}}')


def test_a_block_with_an_id_alone_moves_the_cursor() -> None:
    assert read_sse(SseMessage("message", "", "abc:9")) == [Moved(Cursor("abc", 9))]
    assert read_sse(SseMessage("message", "", None)) == []


def test_a_page_is_its_gap_then_its_events_then_its_cursor() -> None:
    page = {"events": [event(5)], "cursor": "abc:8", "gap": {"from": 2, "to": 4, "reason": "trimmed"}}
    gap, told, moved = read_page(json.dumps(page).encode())
    assert gap == Gap(2, 4, "trimmed", "abc:4")
    assert isinstance(told, Event)
    assert moved == Moved(Cursor("abc", 8))


def test_a_page_of_a_server_that_stops_ends_with_when_to_come_back() -> None:
    page = {"events": [event(5)], "cursor": "abc:8", "reconnectAfter": 0.75}
    assert read_page(json.dumps(page).encode())[1:] == [Moved(Cursor("abc", 8)), Draining(0.75)]


def test_a_page_with_nothing_but_a_gap_goes_on_at_its_cursor() -> None:
    page = {"events": [], "cursor": "new:8", "gap": {"from": 2, "to": 4, "reason": "epoch"}}
    assert read_page(json.dumps(page).encode())[0] == Gap(2, 4, "epoch", "new:8")
