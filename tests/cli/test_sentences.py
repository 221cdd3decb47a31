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


def event(type_: str, data: Any) -> Event:
    return Event(type_, 1, "2026-11-23T10:15:00.123Z", "agents", data)


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


def test_a_gap_says_which_events_are_missing_why_and_where_it_goes_on() -> None:
    trimmed = "Events 1 to 4 are missing: older than what the log keeps; going on after abc:4"
    assert describe_gap(Gap(1, 4, "trimmed", "abc:4")) == trimmed
    assert "are missing: new reason;" in describe_gap(Gap(5, 6, "new\nreason", "abc:4"))


def test_times_are_those_of_the_wall_clock_with_the_date_where_it_is_another_day() -> None:
    now = datetime(2026, 11, 23, 20, 0, tzinfo=timezone(timedelta(hours=2)))
    assert clock("2026-11-23T10:15:00.123Z", now) == "12:15:00"
    assert clock("2026-11-22T10:15:00.123Z", now) == "2026-11-22 12:15:00"
    assert clock("not a time", now) == "not a time"
    assert clock("2026-11-23T10:15:00Z", datetime(2026, 11, 23, tzinfo=UTC)) == "10:15:00"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (2048, "2.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")],
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
    assert describe(alert) == "Note: with [redacted github-token]"
    at_the_end = Event("custom:event", 1, "2026-11-23T10:15:00Z", "api", {"a": "x" * 215, "b": token})
    assert "ghp_" not in describe(at_the_end)
