"""What a digest covers, what is shown, and what is kept of a question: the same fields."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.events import Record
from missioncontrol.review import digest_of, permission_text, review
from missioncontrol.review.digest import COVERED
from missioncontrol.state import FleetState
from missioncontrol.state.questions import Questions

# What becomes of a question: the server writes it, and no answer approves it.
FATE = {"status", "event"}

# A value that cannot be in what is shown by chance.
token = st.integers(0, 10**12).map(lambda number: f"v{number}x")
names = st.sampled_from(
    [
        *(
            "tool",
            "input",
            "summary",
            "tooLong",
            "cwd",
            "path",
            "source",
            "note",
            "call",
            "session",
            "parent",
        ),
        *(
            "held",
            "command",
            "description",
            "file_path",
            "url",
            "old_string",
            "new_string",
            "edits",
            "content",
        ),
        *("patch", "new_source", "sandbox_permissions", "whatever"),
    ]
)
trees = st.recursive(
    token,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
tools = st.sampled_from(["Bash", "Edit", "MultiEdit", "Write", "NotebookEdit", "apply_patch", "mcp__a__b"])
permissions = st.builds(
    lambda tool, given, more: {**more, "tool": tool, "input": given},
    tools,
    st.dictionaries(names, trees, max_size=6),
    st.dictionaries(names, trees, max_size=6),
)
raw_questions = st.fixed_dictionaries(
    {"id": token, "text": token},
    optional={
        "kind": st.sampled_from(["question", "permission", "budget", "riddle"]) | trees,
        "options": st.lists(token | trees, max_size=4) | trees,
        "agentId": trees,
        "taskId": trees,
        "details": permissions | trees,
        "askedAt": trees,
        "expiresAt": trees,
        **dict.fromkeys(
            ("host", "status", "event", "answer", "answeredBy", "reason", "review", "digest"), trees
        ),
        **dict.fromkeys(("command", "note", "label", "title", "warning", "complete", "tool"), trees),
    },
)


def folded(question: dict[str, Any], host: str | None = None) -> dict[str, Any]:
    event = {
        "type": "question:asked",
        "id": 1,
        "time": "2026-11-23T10:15:00.123Z",
        "source": "test",
        **({} if host is None else {"host": host}),
        "data": {"question": question},
    }
    state = FleetState()
    state.apply([Record(1, "question:asked", 1_795_000_000_000, json.dumps(event).encode())])
    (kept,) = state.snapshot()["questions"]
    return dict(kept)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if value is None else [str(value)]


@given(raw_questions, st.sampled_from([None, "alpha"]))
def test_all_that_is_kept_of_a_question_is_covered_and_all_that_is_covered_is_shown(
    question: dict[str, Any], host: str | None
) -> None:
    kept = folded(question, host)
    assert set(kept) <= {*COVERED, *FATE}
    shown = review(kept)
    seen = "\n".join(part.text for part in shown.parts) + "\n".join(one.label for one in shown.options)
    assert [leaf for name in COVERED for leaf in leaves(kept.get(name)) if leaf not in seen] == []
    for name in COVERED:
        assert digest_of({**kept, name: "another"}) != shown.digest
    assert digest_of({**kept, "status": "answered", "event": 9, "answer": "x"}) == shown.digest


@given(permissions)
def test_the_text_of_a_permission_that_the_server_wrote_is_shown_too(details: dict[str, Any]) -> None:
    summary = str(details.get("summary"))
    text = permission_text(str(details["tool"]), summary)
    shown = review(folded({"id": "q", "kind": "permission", "text": text, "details": details}))
    seen = "\n".join(part.text for part in shown.parts)
    assert [leaf for leaf in leaves(details) if leaf not in seen] == []


@given(raw_questions)
def test_a_question_that_an_earlier_release_has_kept_loses_what_nobody_is_shown(
    question: dict[str, Any],
) -> None:
    kept = {**folded({"id": "q", "text": "?"}), "command": question, "review": question, "answer": "yes"}
    restored = Questions().restored(kept)
    assert set(restored) <= {*COVERED, *FATE, "answer"}
