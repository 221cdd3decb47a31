from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from missioncontrol.cli.sentences import clock, describe_gap, plain_json, write_text
from missioncontrol.client import Gap
from missioncontrol.events import CATALOGUE, Event
from missioncontrol.events.sentences import clean, describe, size
from tests.redaction.examples import MIXED

NOTIFICATION = {
    "rule": "default",
    "destination": "json://127.0.0.1/...",
    "title": "Critical alert",
    "body": "The disk is full.",
    "count": 1,
    "eventIds": [4711],
    "attempts": 1,
}

SENTENCES: list[tuple[str, dict[str, Any], str]] = [
    (
        "agent:statusChange",
        {"agentId": "scout", "status": "busy", "previousStatus": "idle"},
        "scout is now busy (was idle)",
    ),
    ("agent:statusChange", {"agentId": "scout", "status": "busy"}, "scout is now busy"),
    (
        "agent:activity",
        {"agentId": "scout", "fileCount": 3, "lastActivity": "…"},
        "scout has worked on files and has 3 files now",
    ),
    (
        "agent:activity",
        {"agentId": "scout", "fileCount": 3, "lastActivity": "…", "activity": "write notes.md"},
        "scout is at it: write notes.md",
    ),
    ("agent:updated", {"agentId": "scout", "updates": {"role": "Research"}}, "scout: role=Research"),
    ("agent:removed", {"agentId": "scout"}, "scout is gone"),
    (
        "task:created",
        {"task": {"id": "TASK-0001", "description": "Find leads"}},
        "TASK-0001 was added: Find leads",
    ),
    ("task:updated", {"taskId": "TASK-0001", "updates": {"status": "review"}}, "TASK-0001: status=review"),
    ("task:completed", {"taskId": "TASK-0001", "result": "12 found"}, "TASK-0001 is done: 12 found"),
    (
        "task:assigned",
        {"taskId": "TASK-0001", "agentId": "scout", "assignedBy": "nexus"},
        "TASK-0001 was given to scout by nexus",
    ),
    ("task:deleted", {"taskId": "TASK-0001"}, "TASK-0001 was deleted"),
    ("task:deleted", {"taskId": "TASK-0001", "archived": True}, "TASK-0001 is in the history now"),
    (
        "question:asked",
        {"question": {"id": "Q-1", "text": "Deploy?", "agentId": "scout", "options": ["yes", "no"]}},
        "scout asks: Deploy? (yes / no)",
    ),
    ("question:asked", {"question": {"id": "Q-1", "text": "Which?"}}, "somebody asks: Which?"),
    (
        "question:answered",
        {"questionId": "Q-1", "answer": "yes", "answeredBy": "anna"},
        "anna has answered Q-1: yes",
    ),
    (
        "question:closed",
        {"questionId": "Q-1", "reason": "expired"},
        "Q-1 needs no answer any more: its time is up",
    ),
    ("lead:added", {"lead": {"id": "l1", "company": "Acme"}}, "Acme was found"),
    ("lead:updated", {"leadId": "l1", "updates": {"stage": "won"}}, "l1: stage=won"),
    ("lead:scored", {"leadId": "l1", "score": 85, "previousScore": 80.5}, "l1 now scores 85 (was 80.5)"),
    ("lead:removed", {"leadId": "l1"}, "l1 is gone"),
    (
        "token:usage",
        {"agent": "scout", "tokens": 15000, "cost": 0.45, "delta": {"tokens": 1200}},
        "scout has used 15,000 tokens (1,200 more), $0.45",
    ),
    (
        "token:usage",
        {"agent": "main", "tokens": 0, "cost": 0, "delta": {"tokens": -1200, "movedTo": "scout"}},
        "main has used 0 tokens (1,200 are scout's), $0.00",
    ),
    (
        "token:usage",
        {"agent": "scout", "tokens": 1200, "cost": 0.45, "delta": {"tokens": 1200, "movedFrom": "main"}},
        "scout has used 1,200 tokens (1,200 were counted for main), $0.45",
    ),
    (
        "token:threshold",
        {"agent": "scout", "currentCost": 9.5, "threshold": 10, "percentUsed": 95, "alert": "warning"},
        "warning: scout has used 95% of its budget ($9.50 of $10.00)",
    ),
    (
        "standup:held",
        {
            "standup": {
                "id": "S-1",
                "totals": {"completed": 3, "tokens": 1500, "cost": 0.5, "unpricedTokens": 9},
            }
        },
        "standup S-1: 3 completed, 0 started, 0 blocked, 1,500 tokens, at least $0.50",
    ),
    ("system:alert", {"level": "warning", "message": "High memory"}, "warning: High memory"),
    (
        "notification:started",
        {"rules": ["default"], "destinations": ["json://127.0.0.1/..."]},
        "notifications begin, to json://127.0.0.1/...",
    ),
    ("notification:sent", NOTIFICATION, "json://127.0.0.1/... was told: Critical alert"),
    (
        "notification:failed",
        {**NOTIFICATION, "error": "error=500"},
        "json://127.0.0.1/... could not be told (error=500): Critical alert",
    ),
    ("system:status", {"status": "running"}, "the gateway is running"),
    (
        "file:change",
        {"action": "created", "path": "agents/scout/report.md", "agentId": "scout", "size": 2048},
        "scout wrote agents/scout/report.md (2.0 KiB)",
    ),
    (
        "file:change",
        {"action": "deleted", "path": "a.md", "size": 5, "foundAtStart": True},
        "a.md was deleted, found at start",
    ),
    (
        "state:baseline",
        {"source": "agents", "agents": [{}, {}]},
        "agents has taken what it found as its beginning: 2 agents",
    ),
    ("custom:event", {"a": 1}, '{"a":1}'),
]


def event(type_: str, data: Any) -> Event:
    return Event(type_, 1, "2026-11-23T10:15:00.123Z", "agents", data)


@pytest.mark.parametrize(("type_", "data", "sentence"), SENTENCES)
def test_each_type_is_told_in_a_plain_sentence(type_: str, data: dict[str, Any], sentence: str) -> None:
    assert describe(event(type_, data)) == sentence


def test_every_type_of_the_catalogue_has_a_sentence() -> None:
    assert {type_ for type_, _, _ in SENTENCES} >= set(CATALOGUE)


def test_data_without_the_shape_is_shown_as_it_is() -> None:
    assert describe(event("agent:statusChange", {"agentId": 7})) == '{"agentId":7}'


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([*CATALOGUE, "custom:event"]),
    st.dictionaries(
        st.sampled_from(["agentId", "status", "updates", "task", "lead", "delta", "tokens", "message", "x"]),
        st.one_of(
            st.text(), st.integers(), st.none(), st.lists(st.text()), st.dictionaries(st.text(), st.text())
        ),
    ),
)
def test_whatever_is_published_ends_as_one_line_without_control_characters(
    type_: str, data: dict[str, Any]
) -> None:
    line = describe(event(type_, data))
    assert len(line) <= 240
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line)


def test_a_terminal_is_not_to_be_steered_by_an_event() -> None:
    assert clean("a\x1b]0;title\x07b\u202egnp") == "a�]0;title�b�gnp"


@pytest.mark.parametrize(
    ("gap", "part"),
    [
        (Gap(1, 4, "trimmed", "abc:4"), "4 events (1-4) can no longer be had: older"),
        (Gap(5, 5, "epoch", "new:9"), "what came after 4 can no longer be had"),
        (Gap(5, 5, "ahead", "abc:4"), "1 event (5-5) can no longer be had: the log has lost its tail"),
        (Gap(5, 6, "new\nreason", "abc:4"), "new reason"),
    ],
)
def test_a_gap_says_what_is_lost_why_and_where_it_goes_on(gap: Gap, part: str) -> None:
    text = describe_gap(gap)
    assert part in text
    assert text.endswith(f"going on after {gap.cursor}")


def test_times_are_those_of_the_wall_clock_with_the_date_where_it_is_another_day() -> None:
    now = datetime(2026, 11, 23, 20, 0, tzinfo=timezone(timedelta(hours=2)))
    assert clock("2026-11-23T10:15:00.123Z", now) == "12:15:00"
    assert clock("2026-11-22T10:15:00.123Z", now) == "2026-11-22 12:15:00"
    assert clock("not a time", now) == "not a time"
    assert clock("2026-11-23T10:15:00Z", datetime(2026, 11, 23, tzinfo=UTC)) == "10:15:00"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes_are_written_as_people_read_them(count: int, text: str) -> None:
    assert size(count) == text


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_text_reaches_a_terminal_without_what_it_would_act_on_and_a_pipe_as_it_is() -> None:
    text = "# \x1b]0;title\x07\n\tone \x9b31m two\r\n"
    terminal, pipe = _Terminal(), io.StringIO()
    write_text(text, terminal)
    write_text(text, pipe)
    assert terminal.getvalue() == "# \ufffd]0;title\ufffd\n\tone \ufffd31m two\ufffd\n"
    assert pipe.getvalue() == text


@given(st.text())
def test_json_for_a_terminal_is_the_same_json(text: str) -> None:
    shown = plain_json(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(shown) == {"a": text}
    assert not set(shown) & {chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x202E)}


def test_a_sentence_has_no_secret_in_it() -> None:
    token = f"ghp_{MIXED[:36]}"
    alert = Event(
        "system:alert", 1, "2026-11-23T10:15:00Z", "api", {"level": "info", "message": f"with {token}"}
    )
    assert describe(alert) == "info: with [redacted github-token]"
    at_the_end = Event("custom:event", 1, "2026-11-23T10:15:00Z", "api", {"a": "x" * 215, "b": token})
    assert "ghp_" not in describe(at_the_end)
