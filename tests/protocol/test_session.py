"""The state machine of one connection, input by input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from missioncontrol.events import Cursor, Patterns
from missioncontrol.protocol.codes import SessionState
from missioncontrol.protocol.gaps import LogRange
from missioncontrol.protocol.messages import encode_message
from missioncontrol.protocol.session import (
    Append,
    Handshake,
    LeaveLive,
    ReadHistory,
    Send,
    SendSnapshot,
    Session,
)

AT = LogRange("epoch", 11, 100)
BARE = Handshake()


def opened(handshake: Handshake = BARE, **scopes: bool) -> tuple[Session, list[Any]]:
    session = Session("ws_1", **scopes)
    return session, session.open(AT, handshake, 30.0)


def live(handshake: Handshake = BARE) -> Session:
    session, _ = opened(handshake)
    session.caught_up(AT.head)
    return session


def receive(session: Session, message: object, at: LogRange = AT) -> list[Any]:
    return session.receive(json.dumps(message).encode(), at, max_history=100)


def said(actions: list[Any]) -> list[str]:
    return [action.type if isinstance(action, Send) else type(action).__name__ for action in actions]


def test_a_bare_client_is_greeted_and_wants_everything_from_now_on() -> None:
    session, actions = opened()
    assert said(actions) == ["connected"]
    assert actions[0].data.cursor == "epoch:100"
    assert session.patterns.everything
    assert (session.state, session.cursor) == (SessionState.CATCHING_UP, 100)


def test_a_client_with_a_cursor_goes_on_after_it() -> None:
    session, actions = opened(Handshake(Patterns(["agent"]), Cursor("epoch", 42)))
    assert said(actions) == ["connected", "subscribed"]
    assert actions[1].data.recovered is True
    assert actions[1].data.cursor == actions[0].data.cursor == "epoch:42"
    assert session.cursor == 42


@pytest.mark.parametrize(
    ("since", "reason", "gone", "goes_on"),
    [
        (Cursor("epoch", 3), "trimmed", (4, 10), 10),
        (Cursor("epoch", 101), "ahead", (101, 101), 100),
        (Cursor("other", 7), "epoch", (8, 100), 100),
        (Cursor("other", 500), "epoch", (501, 501), 100),
    ],
)
def test_what_is_gone_is_named(since: Cursor, reason: str, gone: tuple[int, int], goes_on: int) -> None:
    session, actions = opened(Handshake(None, since, snapshot=True))
    assert said(actions) == ["connected", "subscribed", "gap", "SendSnapshot"]
    gap = actions[2].data
    assert (gap.reason, (gap.from_, gap.to), gap.cursor) == (reason, gone, f"epoch:{goes_on}")
    assert actions[1].data.recovered is False
    assert session.cursor == goes_on
    assert json.loads(encode_message("gap", gap))["data"]["from"] == gone[0]


def test_the_oldest_event_is_no_gap() -> None:
    _, actions = opened(Handshake(None, Cursor("epoch", 10)))
    assert said(actions) == ["connected", "subscribed"]


def test_a_snapshot_is_for_who_has_no_past() -> None:
    assert said(opened(Handshake(snapshot=True))[1]) == ["connected", "SendSnapshot"]
    assert "SendSnapshot" not in said(opened(Handshake(None, Cursor("epoch", 50), snapshot=True))[1])


def test_the_first_subscription_replaces_everything_and_the_next_ones_add() -> None:
    session = live()
    actions = receive(session, {"type": "subscribe", "events": ["agent:*"], "ref": 1})
    assert said(actions) == ["LeaveLive", "subscribed"]
    assert (actions[1].data.events, actions[1].ref) == (["agent:*"], 1)
    actions = receive(session, {"type": "subscribe", "events": "task:completed"})
    assert actions[-1].data.events == ["agent:*", "task:completed"]


def test_a_subscription_with_a_cursor_moves_the_connection_there() -> None:
    session = live()
    actions = receive(session, {"type": "subscribe", "events": ["*"], "since": "epoch:60"})
    assert said(actions) == ["LeaveLive", "subscribed"]
    assert (session.state, session.cursor) == (SessionState.CATCHING_UP, 60)
    assert actions[1].data.recovered is True


def test_unsubscribing_takes_away_what_is_covered() -> None:
    session = live(Handshake(Patterns(["agent:busy", "task:*"])))
    actions = receive(session, {"type": "unsubscribe", "events": ["agent"]})
    assert actions[-1].data.events == ["task:*"]
    assert receive(session, {"type": "unsubscribe", "events": ["*"]})[-1].data.events == []


def test_a_page_moves_the_cursor_and_names_what_was_trimmed_meanwhile() -> None:
    session, _ = opened(Handshake(None, Cursor("epoch", 20)))
    assert session.page_read(20, 40, 11, AT) == []
    actions: Any = session.page_read(40, 80, 61, AT)
    assert (actions[0].data.from_, actions[0].data.to) == (41, 60)
    assert session.cursor == 80


def test_a_page_that_ends_before_what_was_trimmed_moves_the_cursor_past_it() -> None:
    session, _ = opened(Handshake(None, Cursor("epoch", 20)))
    actions: Any = session.page_read(20, 40, 61, AT)
    assert (actions[0].data.to, actions[0].data.cursor, session.cursor) == (60, "epoch:60", 60)


def test_a_gap_that_is_found_while_reading_brings_the_snapshot_that_was_asked_for() -> None:
    session, _ = opened(Handshake(None, Cursor("epoch", 20), snapshot=True))
    actions: Any = session.page_read(20, 80, 61, AT)
    assert said(actions) == ["gap", "SendSnapshot"]


def test_a_page_for_a_cursor_that_has_moved_is_of_no_use() -> None:
    session, _ = opened(Handshake(None, Cursor("epoch", 20)))
    receive(session, {"type": "subscribe", "events": ["*"], "since": "epoch:15"})
    assert session.page_read(20, 40, 11, AT) is None
    assert session.cursor == 15


def test_a_blocked_client_comes_back_at_the_position_it_had() -> None:
    session = live()
    session.left_live(123)
    assert (session.state, session.cursor) == (SessionState.CATCHING_UP, 123)
    session.left_live(999)
    assert session.cursor == 123


def test_publishing_history_and_ping_are_answered_with_their_ref() -> None:
    session = live()
    (append,) = receive(session, {"type": "publish", "events": [{"type": "a:b", "key": "k"}], "ref": [1]})
    assert isinstance(append, Append)
    assert (append.drafts[0].key, append.ref) == ("k", [1])
    (history,) = receive(
        session, {"type": "getHistory", "limit": 5000, "events": ["agent"], "before": "epoch:9"}
    )
    assert isinstance(history, ReadHistory)
    assert (history.limit, history.before) == (100, 9)
    (pong,) = receive(session, {"type": "ping", "time": 1, "ref": "x"})
    assert (pong.type, pong.ref) == ("pong", "x")
    assert receive(session, {"type": "pong", "time": 1}) == []


def test_history_before_a_cursor_of_another_life_is_refused() -> None:
    # Its id is the place of another event in this one, and whoever pages back would skip or repeat some.
    (error,) = receive(live(), {"type": "getHistory", "before": "former:9", "ref": 7})
    assert (error.type, error.data.code, error.ref) == ("error", "not_found", 7)
    assert "another life" in error.data.message


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"{}",
        b'{"type":"dance","ref":7}',
        b'{"type":"subscribe","ref":7}',
        b'{"type":"subscribe","events":[1],"ref":7}',
        b'{"type":"subscribe","events":["a b"],"ref":7}',
        b'{"type":"subscribe","events":["*"],"since":"x","ref":7}',
        b'{"type":"getHistory","limit":0,"ref":7}',
        b'{"type":"getHistory","before":"x","ref":7}',
        b'{"type":"publish","events":[],"ref":7}',
        b'{"type":"publish","events":[{"data":{}}],"ref":7}',
        b'{"type":"publish","events":[{"type":"a:b","data":1}],"ref":7}',
        b"[" * 50_000,
    ],
)
def test_what_is_not_understood_is_answered_and_changes_nothing(message: bytes) -> None:
    session = live()
    answer: Any = session.receive(message, AT, max_history=100)
    (error,) = answer
    assert error.type == "error"
    assert len(error.data.message) > 20
    assert (error.ref == 7) is (b'"ref":7' in message)
    assert (session.state, session.cursor) == (SessionState.LIVE, 100)
    assert session.patterns.everything


def test_scopes_are_kept() -> None:
    session, actions = opened(Handshake(Patterns(["*"]), Cursor("epoch", 50), snapshot=True), may_read=False)
    # Whoever asks is told no; whoever only came to publish has not asked.
    assert said(actions) == ["connected", "subscribed", "error"]
    assert actions[2].data.code == "forbidden"
    assert not session.patterns
    assert said(opened(may_read=False)[1]) == ["connected"]
    assert said(opened(Handshake(snapshot=True), may_read=False)[1]) == ["connected", "error"]
    for message in ({"type": "subscribe", "events": ["*"]}, {"type": "getHistory"}):
        assert receive(session, message)[0].data.code == "forbidden"
    session, _ = opened(may_publish=False)
    assert receive(session, {"type": "publish", "events": [{"type": "a:b"}]})[0].data.code == "forbidden"


def test_a_drain_is_said_once() -> None:
    session = live()
    actions: Any = session.drain(2.5)
    assert said(actions) == ["LeaveLive", "server:draining"]
    assert actions[1].data.reconnect_after == 2.5
    assert session.drain(1.0) == []


def test_leaving_live_is_asked_for_before_the_patterns_are_told() -> None:
    session = live()
    actions = receive(session, {"type": "unsubscribe", "events": ["agent"]})
    assert isinstance(actions[0], LeaveLive)
    assert SendSnapshot() in receive(session, {"type": "subscribe", "events": ["*"], "snapshot": True})
