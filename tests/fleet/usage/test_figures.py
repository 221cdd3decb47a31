"""Figures that several voices tell of are counted once, and figures of telemetry are numbers or nothing."""

from __future__ import annotations

import pytest

from missioncontrol.fleet.usage.reconciled import NOTHING, Figures, Reconciled
from missioncontrol.runtimes.otel.reading import count, number, slug, text, without_cache


def test_the_second_voice_adds_only_what_the_first_has_not_told() -> None:
    heard = Reconciled(NOTHING, {})
    assert heard.add("transcript", Figures(calls=1, input=100)) == Figures(calls=1, input=100)
    assert heard.add("logs", Figures(calls=1, input=100)) == NOTHING
    assert heard.add("logs", Figures(calls=1, input=30, output=7)) == Figures(calls=1, input=30, output=7)


def test_figures_are_compared_kind_by_kind_and_never_fall_below_nothing() -> None:
    assert Figures(cost=1, input=5).beyond(Figures(cost=2, input=3)) == Figures(input=2)
    assert Figures(cost=1).plus(Figures(cost=2, output=3)) == Figures(cost=3, output=3)


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (5, 5),
        ("7", 7),
        (2.6, 3),
        (-4, 0),
        ("1e999", None),
        ("nan", None),
        (float("inf"), None),
        (10**400, None),
        (True, None),
        ("x", None),
        ([5], None),
        (None, None),
    ],
)
def test_a_number_of_tokens_is_a_number_or_none(value: object, counted: int | None) -> None:
    assert count({"tokens": value}, "tokens") == counted


def test_the_first_attribute_that_says_something_counts() -> None:
    attributes = {"a": "", "b": None, "c": True, "d": 17, "e": "x" * 500}
    assert text(attributes, "a", "b", "c", "d") == "17"
    assert text(attributes, "e") == "x" * 200
    assert text(attributes, "a", "f") is None
    assert number({"a": "2.5"}, "a") == 2.5


def test_input_without_its_cache_is_never_below_nothing() -> None:
    assert without_cache(100, (30, None, 20)) == 50
    assert without_cache(10, (30,)) == 0
    assert without_cache(None, (None,)) == 0


def test_a_name_becomes_part_of_an_id() -> None:
    assert slug("My App / prod") == "My-App-prod"
    assert slug("💥") == "unknown"
