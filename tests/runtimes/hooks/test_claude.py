"""What a hook of Claude Code is read as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from missioncontrol.errors import BadMessage, TooDeep
from missioncontrol.runtimes.claude.hooks import (
    EVIDENCE,
    KNOWN_EVENTS,
    MAX_INPUT_BYTES,
    ClaudeHooks,
    read,
)
from missioncontrol.runtimes.claude.transcript import ClaudeParser, Memory
from missioncontrol.runtimes.hooks import Hook
from missioncontrol.runtimes.records import SessionInfo, ToolCall, Turn
from tests.runtimes.hooks.payloads import CWD, EVENTS, SESSION, body

AT = 1_764_000_000_000


def turn_of(hook: Hook) -> Turn | None:
    return next((record for record in hook.records if isinstance(record, Turn)), None)


def call_of(hook: Hook) -> ToolCall | None:
    return next((record for record in hook.records if isinstance(record, ToolCall)), None)


def test_each_event_of_the_documentation_is_known() -> None:
    assert set(EVENTS) == KNOWN_EVENTS


@pytest.mark.parametrize(
    ("event", "changes", "status", "detail"),
    [
        ("SessionStart", {}, "idle", None),
        ("SessionStart", {"source": "compact"}, None, None),
        ("UserPromptSubmit", {}, "busy", None),
        ("PreToolUse", {}, "busy", None),
        ("PreToolUse", {"tool_name": "AskUserQuestion"}, "waiting", "AskUserQuestion"),
        ("PermissionRequest", {}, "waiting", "Bash rm -rf node_modules"),
        ("PermissionDenied", {}, "busy", None),
        ("PostToolUse", {}, "busy", None),
        ("PostToolUseFailure", {}, "busy", None),
        ("PostToolUseFailure", {"is_interrupt": True}, "idle", "interrupted"),
        ("Notification", {}, "waiting", "Claude needs your permission"),
        ("Notification", {"notification_type": "idle_prompt", "message": "Waiting"}, None, None),
        ("Notification", {"notification_type": "auth_success", "message": "Welcome"}, None, None),
        ("Notification", {"notification_type": None}, "waiting", "Claude needs your permission"),
        ("SubagentStart", {}, "busy", None),
        ("SubagentStop", {}, "idle", None),
        ("TaskCreated", {}, None, None),
        ("TaskCompleted", {}, None, None),
        ("PreCompact", {}, "busy", None),
        ("PostCompact", {}, "idle", None),
        ("PostCompact", {"trigger": "auto"}, "busy", None),
        ("Stop", {}, "idle", None),
        ("Stop", {"background_tasks": [{"status": "completed"}]}, "idle", None),
        ("Stop", {"background_tasks": [{"status": "running"}]}, "busy", "background task"),
        ("Stop", {"background_tasks": ["odd"]}, "idle", None),
        ("StopFailure", {}, "error", "API Error: Rate limit reached"),
        ("StopFailure", {"last_assistant_message": None}, "error", "429 Too Many Requests"),
        ("SessionEnd", {}, "offline", None),
        ("SessionEnd", {"reason": "clear"}, "idle", None),
    ],
)
def test_an_event_says_how_its_session_stands(
    event: str, changes: dict[str, Any], status: str | None, detail: str | None
) -> None:
    turn = turn_of(read(body(event, **changes), AT))
    if status is None:
        assert turn is None
    else:
        assert turn is not None
        assert (turn.status, turn.detail, turn.at, turn.evidence) == (status, detail, AT, EVIDENCE)


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_says_whose_session_it_is(event: str) -> None:
    hook = read(body(event), AT)
    info = hook.records[0]
    assert isinstance(info, SessionInfo)
    assert (info.session, info.runtime, info.cwd) == (SESSION, "claude", CWD)


def test_a_sub_agent_is_the_session_that_its_transcript_is() -> None:
    for event in ("SubagentStart", "SubagentStop"):
        hook = read(body(event), AT)
        assert (hook.session, hook.parent) == ("agent-def456", SESSION)
        assert hook.records[1] == SessionInfo(
            session="agent-def456", runtime="claude", cwd=CWD, parent=SESSION
        )
    hook = read(body("PreToolUse", agent_id="def456", agent_type="Explore"), AT)
    call = call_of(hook)
    assert call is not None
    assert call.session == hook.session == "agent-def456"


def test_a_main_session_with_an_agents_name_is_no_sub_agent() -> None:
    assert read(body("PreToolUse", agent_type="reviewer"), AT).parent is None


def test_a_call_is_the_same_as_in_the_transcript() -> None:
    line = {
        "type": "assistant",
        "sessionId": SESSION,
        "timestamp": "2026-11-23T10:00:00Z",
        "cwd": CWD,
        "message": {
            "id": "m1",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [
                {
                    "type": "tool_use",
                    "id": "toolu_01ABC123",
                    "name": "Bash",
                    "input": {"description": "Run test suite", "timeout": 120000, "command": "npm test"},
                }
            ],
        },
    }
    written = next(
        record
        for record in ClaudeParser(Memory(session=SESSION)).parse(json.dumps(line))
        if isinstance(record, ToolCall)
    )
    told = call_of(read(body("PreToolUse"), AT))
    assert told is not None
    assert (told.call_id, told.name, told.arguments_digest, told.summary) == (
        written.call_id,
        written.name,
        written.arguments_digest,
        written.summary,
    )


def test_a_call_is_told_before_it_is_made_and_not_again_afterwards() -> None:
    assert call_of(read(body("PreToolUse"), AT)) is not None
    for event in ("PermissionRequest", "PostToolUse", "PostToolUseFailure", "PermissionDenied"):
        assert call_of(read(body(event), AT)) is None


def test_tasks_of_claude_become_activity() -> None:
    call = call_of(read(body("TaskCreated"), AT))
    assert call is not None
    assert (call.name, call.summary) == ("TaskCreated", "Implement user authentication")


def test_a_prompt_says_who_is_spoken_to_but_a_command_does_not() -> None:
    def personas(prompt: str) -> list[str | None]:
        records = read(body("UserPromptSubmit", prompt=prompt), AT).records
        return [record.persona for record in records if isinstance(record, SessionInfo)]

    assert personas("You are Scout. Look around.") == [None, "Scout. Look around."]
    assert personas("/help") == [None]


def test_a_permission_is_asked_with_all_that_is_needed_to_decide() -> None:
    asked = read(body("PermissionRequest"), AT).asked
    assert asked is not None
    assert asked.whole
    assert asked.text == "Allow Bash: rm -rf node_modules"
    assert asked.details["tool"] == "Bash"
    assert asked.details["input"]["description"] == "Remove node_modules directory"
    assert asked.details["cwd"] == CWD


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Write", {"file_path": "/a", "content": "x" * MAX_INPUT_BYTES}),
        ("AskUserQuestion", {"questions": [{"question": "Which one?", "options": [{"label": "A"}]}]}),
        ("ExitPlanMode", {"plan": "Do it."}),
    ],
    ids=["large file", "question", "plan"],
)
def test_what_cannot_be_seen_whole_is_not_to_be_decided_here(tool: str, arguments: dict[str, Any]) -> None:
    asked = read(body("PermissionRequest", tool_name=tool, tool_input=arguments), AT).asked
    assert asked is not None
    assert not asked.whole
    if tool == "AskUserQuestion":
        assert asked.text == "Allow AskUserQuestion: Which one?"
    if tool == "Write":
        assert asked.details["tooLong"] == f"{len(json.dumps(arguments)):,} bytes"
        assert "input" not in asked.details


@pytest.mark.parametrize(
    "command",
    ["echo " + "x" * 4_000, "ls \u202e# harmless", "ls \x1b[2K", "one\ntwo\nthree"],
    ids=["long", "reversed text", "terminal codes", "several lines"],
)
def test_a_command_is_kept_whole_and_its_text_says_its_beginning(command: str) -> None:
    asked = read(body("PermissionRequest", tool_name="Bash", tool_input={"command": command}), AT).asked
    assert asked is not None
    assert asked.whole
    assert asked.details["input"] == {"command": command}
    assert len(asked.text) < 300
    assert asked.text.isprintable()


def test_an_event_that_nobody_knows_is_read_as_a_session_and_nothing_more() -> None:
    hook = read(body("MoodChanged", mood={"deep": [1, 2]}), AT)
    assert hook.event == "MoodChanged"
    assert [type(record) for record in hook.records] == [SessionInfo]


@pytest.mark.parametrize(
    "changes",
    [
        {"cwd": ["/a"]},
        {"tool_input": "text"},
        {"tool_input": [1]},
        {"tool_name": 5},
        {"tool_use_id": {"id": 1}},
        {"session_id": 7},
        {"session_id": "x" * 5000},
        {"agent_id": 3.5},
        {"prompt": [{"type": "text"}]},
    ],
)
@pytest.mark.parametrize("event", ["PreToolUse", "PermissionRequest", "UserPromptSubmit"])
def test_a_field_of_another_shape_is_no_error(event: str, changes: dict[str, Any]) -> None:
    hook = read(body(event, **changes), AT)
    assert hook.event == event
    assert bool(hook.records) == ("session_id" not in changes)


def test_half_a_character_in_a_command_is_no_error() -> None:
    assert read(
        rb'{"hook_event_name":"PreToolUse","session_id":"a","tool_name":"Bash",'
        rb'"tool_input":{"command":"echo \ud83d"}}',
        AT,
    ).call
    assert read(b'{"hook_event_name":"Stop","session_id":"a","cwd":"/\xff"}', AT).records


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"5", b"{}", b'{"hook_event_name":5}', b"[" * 100_000])
def test_what_is_no_hook_is_refused(broken: bytes) -> None:
    with pytest.raises((BadMessage, TooDeep)):
        read(broken, AT)


def test_the_answers_are_those_that_claude_documents() -> None:
    hooks = ClaudeHooks()
    assert hooks.decision(allow=True, message="no") == {
        "hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}
    }
    assert hooks.decision(allow=False, message="no")["hookSpecificOutput"]["decision"] == {
        "behavior": "deny",
        "message": "no",
    }
    stop = hooks.stop(read(body("PreToolUse"), AT), "spent")
    assert (stop["continue"], stop["stopReason"]) == (False, "spent")
    assert stop["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert hooks.stop(read(body("UserPromptSubmit"), AT), "spent")["decision"] == "block"


@pytest.mark.parametrize("path", ["agent-" * 200_000, "/agent-x.jsonl" * 80_000, "\\agent-" * 150_000])
def test_a_long_path_of_a_transcript_is_passed_over(path: str) -> None:
    hook = read(body("SubagentStop", agent_transcript_path=path, agent_id="a1"), AT)
    assert hook.session == "agent-a1"


@pytest.mark.parametrize("path", ["/t/agent-a7.jsonl", "C:\\t\\agent-a7.jsonl", "agent-a7.jsonl"])
def test_the_name_of_a_sub_agents_transcript_is_its_session(path: str) -> None:
    assert read(body("SubagentStop", agent_transcript_path=path, agent_id="other"), AT).session == "agent-a7"


def test_a_text_or_a_name_of_any_length_is_read() -> None:
    long = "You are now the agent " + "*_`" * 300_000
    for event in EVENTS:
        fields = (
            "cwd",
            "agent_id",
            "prompt",
            "tool_name",
            "tool_use_id",
            "error",
            "message",
            "task_subject",
            "reason",
        )
        changes: dict[str, Any] = dict.fromkeys(fields, long)
        hook = read(body(event, **changes, agent_transcript_path=None), AT)
        assert hook.session == SESSION
        assert len(json.dumps([str(record) for record in hook.records])) < 20_000


def test_arguments_of_too_many_elements_are_a_text() -> None:
    many = {"command": "ls", "numbers": [0] * 200_000}
    hook = read(body("PermissionRequest", tool_input=many), AT)
    assert hook.asked is not None
    assert not hook.asked.whole
    assert call_of(read(body("PreToolUse", tool_input=many), AT)) is not None


def test_a_hook_that_is_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(70):
        deep = [deep]
    with pytest.raises(TooDeep):
        read(body("PostToolUse", tool_response=deep), AT)
