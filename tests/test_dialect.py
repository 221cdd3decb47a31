"""Words for which technical English has a usual term become fewer, never more."""

from __future__ import annotations

import runpy
from pathlib import Path

DIALECT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "dialect.py"))


def test_there_are_no_more_such_words_than_before() -> None:
    more = {
        word: f"{number}, at most {DIALECT['MOST'][word]}; write {DIALECT['INSTEAD'][word]}"
        for word, number in DIALECT["count_all"]().items()
        if number > DIALECT["MOST"][word]
    }
    assert more == {}, "see them with `python scripts/dialect.py WORD`"


def test_words_are_counted_in_any_case_and_whole() -> None:
    assert DIALECT["count"]("Told, was_told: untold") == {"told": 2}
