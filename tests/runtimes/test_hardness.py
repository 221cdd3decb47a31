"""Whatever a line holds, it tells something or nothing, or is broken: it never stops the reading."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from missioncontrol.runtimes.claude.transcript import ClaudeParser
from missioncontrol.runtimes.claude.transcript import Memory as ClaudeMemory
from missioncontrol.runtimes.codex.transcript import CodexParser
from missioncontrol.runtimes.codex.transcript import Memory as CodexMemory
from missioncontrol.runtimes.lines import BrokenLineError, Parser
from missioncontrol.runtimes.openclaw.transcript import Memory, OpenClawParser
from tests.runtimes import test_claude as claude
from tests.runtimes import test_codex as codex
from tests.runtimes.installs import answer, asked

CALL = {"type": "toolCall", "id": "c", "name": "AskUserQuestion", "arguments": {"path": "a.md", "n": 1}}
LINES: list[dict[str, Any]] = [
    {"type": "session", "version": 3, "id": "s", "timestamp": 1, "cwd": "/w"},
    asked(1, "You are FORGE."),
    answer(2, content=[CALL], stopReason="toolUse", openclawAbort={"aborted": True}),
    {
        "type": "message",
        "id": "r",
        "message": {"role": "toolResult", "toolCallId": "c", "usage": {"input": 1}},
    },
    claude.said("You are FORGE."),
    claude.part(claude.tool("ExitPlanMode", path="a.md"), cache_creation={"ephemeral_1h_input_tokens": 3}),
    claude.result(),
    {"type": "custom-title", "customTitle": "x"},
    codex.meta(forked_from_id="p", source={"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}),
    codex.event("task_started", turn_id=codex.SESSION, started_at=5),
    codex.context(turn_id=codex.SESSION),
    codex.tokens(9, 5, 3, last=(1, 1, 1)),
    codex.event("error", message="x"),
    codex.item("function_call", name="shell", call_id="c", arguments='{"command":["ls"]}'),
    codex.item("message", role="user", content=[{"type": "input_text", "text": "x"}]),
]

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([{"type": 5}, 7, "x"]),
    st.just({"type": [1]}),
)


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value of a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [way for key, value in below for way in ((*above, key), *places(value, (*above, key)))]


def parsers() -> list[Parser]:
    return [
        OpenClawParser("scout", Memory(session="s")),
        ClaudeParser(ClaudeMemory(session="s")),
        CodexParser(CodexMemory(session=codex.SESSION)),
    ]


@settings(deadline=None, max_examples=300)
@given(data=st.data(), line=st.sampled_from(LINES))
def test_a_value_of_another_type_is_passed_over(data: st.DataObject, line: dict[str, Any]) -> None:
    changed = deepcopy(line)
    for way in data.draw(st.lists(st.sampled_from(places(line)), min_size=1, max_size=3)):
        inner = changed
        try:
            for key in way[:-1]:
                inner = inner[key]
            inner[way[-1]] = deepcopy(data.draw(ODD))
        except (LookupError, TypeError):
            continue
    for parser in parsers():
        assert isinstance(parser.parse(json.dumps(changed)), list)


@settings(deadline=None, max_examples=300)
@given(
    line=st.sampled_from(LINES),
    at=st.integers(0, 400),
    put=st.binary(max_size=4) | st.just(b"\\ud83d"),
    cut=st.booleans(),
)
def test_bytes_of_any_kind_in_a_line_are_broken_or_repaired(
    line: dict[str, Any], at: int, put: bytes, cut: bool
) -> None:
    whole = json.dumps(line).encode()
    changed = whole[:at] + put + (b"" if cut else whole[at:])
    for parser in parsers():
        try:
            assert isinstance(parser.parse(changed), list)
        except BrokenLineError:
            continue
