"""What clients may ask: which kinds, and which options."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.errors import ReservedKind
from missioncontrol.events.asking import MAX_OPTION, MAX_OPTIONS, refuse_reserved_kind, wrong_options


def test_clients_ask_questions_and_nothing_else() -> None:
    refuse_reserved_kind(None)
    refuse_reserved_kind("question")
    for kind in ("permission", "budget", "Question", "", 7):
        with pytest.raises(ReservedKind, match="asked by the server alone"):
            refuse_reserved_kind(kind)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ([], None),
        (["yes", "no"], None),
        (["yes", " YES "], "the same"),
        (["yes", ""], "1 to 200 characters"),
        (["yes", 7], "1 to 200 characters"),
        (["x" * (MAX_OPTION + 1)], "1 to 200 characters"),
        ([str(number) for number in range(MAX_OPTIONS + 1)], "at most 20"),
    ],
)
def test_options_are_few_short_and_can_be_told_apart(options: list[Any], wrong: str | None) -> None:
    found = wrong_options(options)
    assert found is None if wrong is None else found is not None and wrong in found
