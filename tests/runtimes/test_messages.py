"""What is said in the lines of each runtime, word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.runtimes.codex.messages import CodexMessageParser
from missioncontrol.runtimes.messages import MAX_DETAIL, MAX_SAID, Memory, MessageParser
from missioncontrol.runtimes.records import Message

TIME = "2026-11-28T10:00:00.000Z"


def said(kind: str, *lines: Any) -> list[Message]:
    parser = (CodexMessageParser if kind == "codex" else MessageParser)(Memory(session="s"))
    records = [record for line in lines for record in parser.parse(json.dumps(line))]
    return [record for record in records if isinstance(record, Message)]


def words(messages: list[Message]) -> list[tuple[str, str | None, str]]:
    return [(message.role, message.tool, message.text) for message in messages]


def test_claude_asks_thinks_calls_and_is_answered() -> None:
    messages = said(
        "claude",
        {"type": "user", "uuid": "u1", "timestamp": TIME, "message": {"role": "user", "content": "Fix it"}},
        {
            "type": "assistant",
            "uuid": "a1",
            "timestamp": TIME,
            "message": {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Where?"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls -l"}},
                ],
            },
        },
        {
            "type": "user",
            "uuid": "u2",
            "message": {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "text", "text": "a\nb"}],
                    }
                ],
            },
        },
        {"type": "user", "isMeta": True, "message": {"role": "user", "content": "Caveat"}},
        {"type": "user", "message": {"role": "user", "content": "<command-name>/clear</command-name>"}},
        {"type": "summary", "summary": "Fixing"},
    )
    assert words(messages) == [
        ("user", None, "Fix it"),
        ("thinking", None, "Where?"),
        ("assistant", None, "I look."),
        ("call", "Bash", "ls -l"),
        ("result", "Bash", "a\nb"),
    ]
    assert [message.key for message in messages] == ["u1:0", "a1:0", "a1:1", "a1:2", "u2:0"]


def test_openclaw_says_the_same_in_its_own_form() -> None:
    messages = said(
        "openclaw",
        {"type": "session", "id": "known-by-itself", "version": 3},
        {"type": "message", "id": "e1", "timestamp": TIME, "message": {"role": "user", "content": "Fix it"}},
        {
            "type": "message",
            "id": "e2",
            "message": {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I write."},
                    {
                        "type": "toolCall",
                        "id": "c1",
                        "name": "write",
                        "arguments": {"path": "a.md", "content": "x"},
                    },
                ],
            },
        },
        {
            "type": "message",
            "id": "e3",
            "message": {
                "role": "toolResult",
                "toolCallId": "c1",
                "toolName": "write",
                "content": [{"type": "text", "text": "Written"}],
            },
        },
        {"type": "compaction", "summary": "…"},
    )
    assert words(messages) == [
        ("user", None, "Fix it"),
        ("assistant", None, "I write."),
        ("call", "write", "path: a.md\ncontent: x"),
        ("result", "write", "Written"),
    ]
    assert {message.session for message in messages} == {"known-by-itself"}


def test_codex_says_the_same_in_its_own_form() -> None:
    def item(**payload: Any) -> dict[str, Any]:
        return {"type": "response_item", "timestamp": TIME, "payload": payload}

    messages = said(
        "codex",
        {"type": "session_meta", "payload": {"id": "other"}},
        item(type="message", role="developer", content=[{"type": "input_text", "text": "Rules"}]),
        item(
            type="message", role="user", content=[{"type": "input_text", "text": "# AGENTS.md instructions"}]
        ),
        item(type="message", role="user", content=[{"type": "input_text", "text": "<environment_context>"}]),
        item(type="message", role="user", content=[{"type": "input_text", "text": "Fix it"}]),
        {"type": "event_msg", "payload": {"type": "user_message", "message": "Fix it"}},
        item(type="reasoning", summary=[{"type": "summary_text", "text": "Where?"}]),
        item(
            type="function_call", name="shell", call_id="c1", arguments='{"command": ["bash", "-lc", "ls"]}'
        ),
        item(type="function_call_output", call_id="c1", output='{"output": "a"}'),
        item(type="message", role="assistant", content=[{"type": "output_text", "text": "Done."}]),
    )
    assert words(messages) == [
        ("user", None, "Fix it"),
        ("thinking", None, "Where?"),
        ("call", "shell", "bash -lc ls"),
        ("result", "shell", '{"output": "a"}'),
        ("assistant", None, "Done."),
    ]
    assert len({message.key for message in messages}) == 5


def test_messages_of_one_moment_keep_their_order() -> None:
    entry = {"type": "user", "timestamp": TIME, "message": {"role": "user", "content": "again"}}
    times = [message.at for message in said("claude", *[entry] * 5)]
    assert times == sorted(set(times))


def test_a_clock_that_was_turned_back_is_believed() -> None:
    def at(time: str) -> dict[str, Any]:
        return {"type": "user", "timestamp": time, "message": {"role": "user", "content": "now"}}

    later, earlier = said("claude", at("2026-11-28T10:00:00Z"), at("2026-11-28T09:00:00Z"))
    assert later.at - earlier.at == 3_600_000


@pytest.mark.parametrize(("role", "most"), [("user", MAX_SAID), ("toolResult", MAX_DETAIL)])
def test_a_long_text_is_cut_and_says_so(role: str, most: int) -> None:
    (message,) = said("openclaw", {"type": "message", "message": {"role": role, "content": "x" * (most + 5)}})
    assert (len(message.text), message.cut) == (most, 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "user", "assistant", "response_item", "session", "session_meta"])
        | JSON,
        "timestamp": JSON,
        "id": JSON,
        "uuid": JSON,
        "message": st.fixed_dictionaries(
            {},
            optional={"role": st.sampled_from(["user", "assistant", "toolResult"]) | JSON, "content": JSON},
        )
        | JSON,
        "payload": st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["message", "reasoning", "function_call", "function_call_output"])
                | JSON,
                "role": st.sampled_from(["user", "assistant"]) | JSON,
                "content": JSON,
                "arguments": JSON,
                "output": JSON,
                "summary": JSON,
            },
        )
        | JSON,
    },
)


@given(st.sampled_from(["openclaw", "claude", "codex"]), st.lists(ENTRIES, max_size=4))
def test_nothing_that_stands_in_a_line_does_harm(kind: str, entries: list[Any]) -> None:
    for message in said(kind, *entries):
        assert message.text or message.role == "call"
        assert message.at >= 0
