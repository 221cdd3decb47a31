"""The shape of JSON is measured without decoding it, and never underestimated."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from missioncontrol.errors import TooDeep, TooLarge
from missioncontrol.events.limits import check_json, depth_of, extent_of

texts = st.text(alphabet=st.sampled_from('[]{},:"\\/un0 \n\té\u2028😀'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=30,
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _elements(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_elements, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(_elements, value))
    return 0


@settings(deadline=None)
@given(values, st.booleans())
@example({"\\": ["[", '"[', '\\"[[']}, False)
@example(["\\\\", {"]": "\\"}], True)
def test_depth_is_exact_and_elements_are_never_underestimated(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    extent = extent_of(text)
    assert extent.depth == depth_of(text.encode()) == _depth(value)
    assert _elements(value) <= extent.elements <= 2 * _elements(value) + 1


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=4))
def test_lines_are_as_deep_as_the_deepest(several: list[Any]) -> None:
    text = b"\n".join(map(msgspec.json.encode, several))
    assert depth_of(text) == max(map(_depth, several))
    assert extent_of(text).elements >= sum(map(_elements, several))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_what_is_no_json_gets_a_number(body: bytes) -> None:
    assert depth_of(body) >= 0


def test_a_bracket_that_closes_nothing_does_not_hide_what_follows() -> None:
    assert depth_of(b"]" * 500 + b"\n" + b"[" * 70 + b"]" * 70) >= 70


def test_the_limit_itself_passes_and_one_more_does_not() -> None:
    check_json(b"[" * 64 + b"]" * 64)
    with pytest.raises(TooDeep, match="more than 64 levels"):
        check_json(b"[" * 65 + b"]" * 65)
    check_json(b"[" + b",".join([b"0"] * 100) + b"]", elements=100)
    with pytest.raises(TooLarge, match="has 101 elements"):
        check_json(b"[" + b",".join([b"0"] * 101) + b"]", elements=100)


def test_brackets_and_commas_in_strings_do_not_count() -> None:
    check_json(msgspec.json.encode({"text": "[{," * 200_000 + '"\\'}))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4_000_000,
        b'"' * 4_000_001,
        b'\\"' * 2_000_000,
        b"\\" * 4_000_001,
        b'"\\' * 2_000_000,
        b"[]," * 1_400_000,
    ],
    ids=["brackets", "quotes", "escaped quotes", "backslashes", "open strings", "empty arrays"],
)
def test_four_megabytes_of_anything_are_measured_within_seconds(body: bytes) -> None:
    # Linear, it takes a tenth of a second at most; quadratic, it would take hours.
    try:
        check_json(body)
    except (TooDeep, TooLarge):
        pass
