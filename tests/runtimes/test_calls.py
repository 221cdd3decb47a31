"""Tool calls in a few words, and who a first message says that a session is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.runtimes.calls import tool_call
from missioncontrol.runtimes.lines import MAX_NAME
from missioncontrol.runtimes.persona import Names, first_word, first_words_of, folded, persona_of, text_of
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
        ("You are FORGE, the smith.", "FORGE, the smith."),
        ("# Task\n\nYou are **Market Scout** — look\naround.", "**Market Scout** — look"),
        ("you  are\u00a0 Two   Words: go", "Two Words: go"),
        ("[Context] You are running. You are ECHO.", "running. You are ECHO.\nECHO."),
        ("Are you there? You are", None),
        ("", None),
        ("You are " + "long " * 2_000, ("long " * 13)[:64].strip()),
        ("x" * 4_000 + "You are late", None),
    ],
)
def test_the_persona_is_the_beginning_of_what_follows_you_are(text: str, persona: str | None) -> None:
    assert persona_of(text) == persona


@given(st.text("you are\n\t .", max_size=300).map(lambda text: text.replace("y", "you are ")) | st.text())
def test_a_persona_is_short_whatever_the_message_is(text: str) -> None:
    persona = persona_of(text)
    assert persona is None or (0 < len(persona) <= MAX_NAME and "" not in persona.split("\n"))


NAMES = {
    folded(name): id_
    for id_, names in {
        "scout": ("scout", "Market Scout"),
        "market": ("market",),
        "forge": ("FORGE", "The Smith"),
        "dr": ("Dr. Who",),
        "u": ("Ünïcode Bot",),
        "tantei": ("探偵",),
        "fox": ("🦊 Fox",),
        "ob": ("O'Brien",),
        "word": ("Agent Word",),
        "dash": ("dash-name",),
        "weiss": ("Weiß",),
    }.items()
    for name in names
}


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("You are FORGE, the smith.", "forge"),
        ("[Mon 2026-02-16 08:46] You are forge. Lead them.", "forge"),
        ("YOU ARE FORGE!", "forge"),
        ("# Task\n\nYou are **Market Scout** — look around.", "scout"),
        ("You are the market scout of the fleet", "scout"),
        ("You are Market. Scout for it.", "market"),
        ("You are now the agent Scout", "scout"),
        ("You are The Smith (x)", "forge"),
        ("You are Dr. Who, x", "dr"),
        ("You are Ünïcode Bot. x", "u"),
        ("You are U\u0308ni\u0308code\u00a0bot", "u"),
        ("You are 探偵. x", "tantei"),
        ("You are 🦊 Fox. x", "fox"),
        ("You are O'Brien. x", "ob"),
        ("You are 'O'Brien'", "ob"),
        ("You are Agent Word. x", "word"),
        ("You are dash-name. x", "dash"),
        ("You are WEISS.", "weiss"),
        ("You are  Market   Scout: go", "scout"),
        ('You are "Scout". go', "scout"),
        ("You are running as a sub-agent. You are SCOUT.", "scout"),
        ("You are O’Brien. x", "ob"),
        ("You are __Scout__, x", "scout"),
        ("You are _scout_.", "scout"),
        ("You are (Scout)", "scout"),
        ("You are [Market Scout].", "scout"),
        ("You are 🐙 Scout.", "scout"),
        ("You are the 🐙 Scout🐙.", "scout"),
        ("You are 🦊\ufe0f Fox", "fox"),
        ("You are the 🦊 Fox", "fox"),
        ("You are scout_2", None),
        ("You are scout__2", None),
        ("You are Scouting", None),
        ("You are scout-2", None),
        ("You are Scout's helper", None),
        ("You are dash", None),
        ("You are 探偵団", None),
        ("You are a helpful assistant", None),
        ("You are", None),
    ],
)
def test_a_session_is_called_by_the_longest_name_that_follows(text: str, agent: str | None) -> None:
    persona = persona_of(text)
    called = Names(NAMES).called(persona) if persona else None
    assert called == agent
    if persona and agent:
        named = {name for name, id_ in NAMES.items() if id_ == agent}
        assert first_words_of(persona) & {first_word(name) for name in named}


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
