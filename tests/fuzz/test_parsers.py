"""Parsers of foreign input are total: whatever the bytes are, they return or refuse as documented, and soon."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from tests.fuzz.chance import CORPUS, FINDINGS, SECONDS, SEED, bounded, chance_of
from tests.fuzz.mutation import Mutator
from tests.fuzz.parsers import Target, targets

TARGETS = {target.name: target for target in targets()}
SHARE = 0.3
"""How much of the time is the parsers'; the rest is the servers'."""

LEAST = 40
"""How many inputs each parser gets, however busy the machine is."""


@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_parser_returns_or_refuses_whatever_it_is_given(target: Target) -> None:
    until = monotonic() + SECONDS * SHARE / len(TARGETS)
    number = 0
    while number < LEAST or monotonic() < until:
        number += 1
        data = target.draw(Mutator(chance_of(target.name, number)))
        try:
            with bounded():
                target(data)
        except Exception as error:
            folder = FINDINGS / target.name
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{SEED}-{number}.bin"
            path.write_bytes(data)
            pytest.fail(
                f"{type(error).__name__}: {error}\nseed {SEED}, input {number}, kept in {path}; once it is mended "
                f"it belongs into {CORPUS / target.name}."
            )


FOUND = sorted(path for name in TARGETS for path in (CORPUS / name).glob("*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_found_no_more(path: Path) -> None:
    with bounded():
        TARGETS[path.parent.name](path.read_bytes())
