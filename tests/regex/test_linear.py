"""What the proof of linear time finds, and what it lets pass."""

from __future__ import annotations

import re

import pytest
from tests.regex.linear import Mode, ambiguity


@pytest.mark.parametrize(
    ("expression", "mode"),
    [
        (r"(a*)*b", "fullmatch"),
        (r"(a+)+b", "match"),
        (r"(aa|aaa)*b", "fullmatch"),
        (r"(a|ab|b)*c", "fullmatch"),
        (r"(?:\s|//[^\n]*|/\*.*?\*/)*[}\]]", "match"),
        (r",(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])", "search"),
    ],
)
def test_ways_that_double_with_each_character_are_found(expression: str, mode: Mode) -> None:
    found = ambiguity(re.compile(expression, re.DOTALL), mode)
    assert found is not None
    assert "exponential" in found


@pytest.mark.parametrize(
    ("expression", "mode"),
    [
        (r"a*a*b", "match"),
        (r"a*b?a*c", "fullmatch"),
        (r"\s*,", "search"),
        (r"(agent-[^/\\]+)\.jsonl$", "search"),
        (r"\s+$", "search"),
        (r"(.*),(.*),(.*)!", "fullmatch"),
        (r"a{3,}b", "search"),
        (r"[^<]*<b", "search"),
    ],
)
def test_ways_that_grow_with_a_power_of_the_length_are_found(expression: str, mode: Mode) -> None:
    found = ambiguity(re.compile(expression), mode)
    assert found is not None
    assert "polynomial" in found


@pytest.mark.parametrize(
    ("expression", "mode"),
    [
        (r"[a-z]+", "search"),
        (r"\s+", "search"),
        (r'"[^"]*"?', "search"),
        (r"[a-z]+(?:-[a-z]+)*", "fullmatch"),
        (r"\d{1,9}x", "search"),
        (r"<!--.*?-->", "match"),
        (r"^#+ x", "search"),
        (r"(?:\d+\.)*\d+", "fullmatch"),
        (r"\s*+#++\s*+(.*)", "match"),
        (r"([A-Za-z0-9]{1,32}):(0|[1-9][0-9]{0,18})", "fullmatch"),
    ],
)
def test_what_is_linear_passes(expression: str, mode: Mode) -> None:
    assert ambiguity(re.compile(expression), mode) is None


def test_bytes_are_checked_too() -> None:
    assert ambiguity(re.compile(rb"TASK-\d{1,9}\b"), "search") is None
    assert ambiguity(re.compile(rb"\s*,"), "search") is not None
