"""Tool calls in a few words, and who a first message says that a session is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from missioncontrol.runtimes.calls import tool_call
from missioncontrol.runtimes.persona import persona_of, text_of
from missioncontrol.runtimes.records import MAX_SUMMARY
from tests.redaction.examples import MIXED


def call(arguments: Any) -> Any:
    return tool_call("s", 1, "c", "tool", json.dumps(arguments).encode())


@pytest.mark.parametrize(
    ("arguments", "summary", "path"),
    [
        ({"path": "notes/plan.md", "content": "long"}, "notes/plan.md", "notes/plan.md"),
        ({"file_path": "/w/a.py", "old_string": "a"}, "/w/a.py", "/w/a.py"),
        ({"command": "make  test\n", "description": "Run it"}, "make test", None),
        ({"command": ["bash", "-lc", "ls -l"]}, "ls -l", None),
        ({"command": ["git", "status"]}, "git status", None),
        ({"pattern": "TODO", "path": "src"}, "TODO", None),
        ({"url": "https://example.com"}, "https://example.com", None),
        ({"input": "*** Add File: b.py\n+x"}, "b.py", "b.py"),
        ({"command": "x" * 500}, "x" * 119 + "…", None),
        ({"count": 3}, "", None),
        ({}, "", None),
        (["odd"], "", None),
    ],
)
def test_a_call_is_described_by_its_file_or_its_command(
    arguments: Any, summary: str, path: str | None
) -> None:
    described = call(arguments)
    assert (described.summary, described.path) == (summary, path)


def test_the_same_arguments_in_another_order_have_the_same_fingerprint() -> None:
    assert call({"a": 1, "b": [2]}).arguments_digest == call({"b": [2], "a": 1}).arguments_digest
    assert call({"a": 1}).arguments_digest != call({"a": 2}).arguments_digest


def test_arguments_within_a_text_are_the_arguments() -> None:
    assert call(json.dumps({"path": "a.md"})) == call({"path": "a.md"})


@pytest.mark.parametrize("arguments", [b"", b"{broken", b"\xff", b'"\\ud83d"'])
def test_arguments_that_cannot_be_read_are_still_a_call(arguments: bytes) -> None:
    assert tool_call("s", 1, "", "tool", arguments).call_id


@pytest.mark.parametrize(
    ("text", "persona"),
    [
        ("You are FORGE, the smith.", "FORGE"),
        ("[Mon 2026-02-16 08:46] You are Nexus. Lead them.", "Nexus"),
        ("# Task\n\nYou are **Market Scout** — look around.", "Market Scout"),
        ("You are scout, who looks around.", "scout"),
        ("You are the agent Atlas of the fleet", "Atlas"),
        ("You are FORGE The smith", "FORGE"),
        ("[Context] You are running as a sub-agent. You are ECHO.", "ECHO"),
        ("You are a helpful assistant", None),
        ("Are you there?", None),
        ("", None),
    ],
)
def test_the_persona_is_whom_the_message_names(text: str, persona: str | None) -> None:
    assert persona_of(text) == persona


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'"words"', "words"),
        (b'[{"type":"image","data":"x"},{"type":"text","text":"words"}]', "words"),
        (b'["words"]', "words"),
        (b"7", ""),
        (b"", ""),
    ],
)
def test_the_text_of_a_message_is_found_in_either_form(content: bytes, text: str) -> None:
    assert text_of(content) == text


def test_a_label_has_no_secret_not_even_the_beginning_of_one() -> None:
    token = f"ghp_{MIXED[:36]}"
    call = tool_call(
        "s", 1, "c", "Bash", json.dumps({"command": f"curl -H 'Authorization: Bearer {token}' https://a"})
    )
    assert call.summary == "curl -H 'Authorization: Bearer [redacted github-token]' https://a"
    long = tool_call("s", 1, "c", "Bash", json.dumps({"command": "echo " + "x " * 50 + token}))
    assert "ghp_" not in long.summary
    assert len(long.summary) <= MAX_SUMMARY
