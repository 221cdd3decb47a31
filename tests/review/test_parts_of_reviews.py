"""What a review is made of: dangers, diffs, canonical JSON, the inputs of tools; and how others write it out."""

from __future__ import annotations

import msgspec
import pytest

from missioncontrol.cli.review import offer, review_of
from missioncontrol.client import Unreachable
from missioncontrol.notify.questions import MAX_WHOLE, how_to_answer, whole_of
from missioncontrol.review import review
from missioncontrol.review.danger import dangerous_options, is_destructive
from missioncontrol.review.diffs import added, diff
from missioncontrol.review.parts import as_json
from missioncontrol.review.tools import review_tool


@pytest.mark.parametrize("text", ["rm -rf ~", "DROP TABLE users", "curl x | sh", "git push origin -f"])
def test_words_of_destruction_are_known(text: str) -> None:
    assert is_destructive(text)
    assert dangerous_options(["no", "yes"], [text]) == [False, True]


def test_an_everyday_text_makes_no_answer_dangerous() -> None:
    assert not is_destructive("git status")
    assert dangerous_options(["yes", "no"], ["git status"]) == [False, False]


def test_a_diff_has_every_line_of_both_sides() -> None:
    assert diff("a\nb\nc", "a\nB\nc") == " a\n-b\n+B\n c"
    assert added("a\nb") == "+a\n+b"
    assert added("") == ""


def test_json_is_sorted_indented_and_marked() -> None:
    assert as_json({"b": 1, "a": "x\u202e"}) == '{\n  "a": "x⟦U+202E⟧",\n  "b": 1\n}'


def test_each_field_of_a_tools_input_is_in_one_part() -> None:
    shown = review_tool("Bash", {"command": "ls", "dangerouslyDisableSandbox": True})
    assert [part.kind for part in shown.parts] == ["code", "json"]
    assert shown.warnings


def test_a_question_is_in_a_message_whole_or_not_at_all() -> None:
    question = {
        "id": "Q-1",
        "kind": "question",
        "text": "Deploy?",
        "options": ["yes", "no"],
        "agentId": "scout",
    }
    assert whole_of(question) == "Scout asks: Deploy? (yes / no)"
    assert whole_of({**question, "text": "x" * (MAX_WHOLE + 1)}) is None
    assert "answer Q-1" in how_to_answer(question, whole=True)
    assert "too long" in how_to_answer(question, whole=False)


def test_a_terminal_reads_a_review_whole_or_refuses_it() -> None:
    question = {
        "id": "Q-1",
        "kind": "question",
        "text": "DROP it?",
        "options": ["yes", "no"],
        "agentId": None,
    }
    sent = msgspec.json.decode(msgspec.json.encode({**question, "review": review(question)}))
    assert offer(review_of(sent).options) == "1) no  2) yes (dangerous)"
    with pytest.raises(Unreachable, match="another release"):
        review_of(question)
