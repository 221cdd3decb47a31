"""JSON of any kind is decoded in a time that its length bounds, whatever its numbers are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

import missioncontrol
from missioncontrol.events.decoding import decode_json, read_float
from tests.server.site import Site

SLOW = "1e308"
"""A number for which msgspec takes some microseconds."""


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(("{!r}", "{:.30e}", "{:.3e}", "{:f}"))
)
def test_numbers_are_what_msgspec_reads(number: float, form: str) -> None:
    text = form.format(number)
    try:
        wanted = msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Rounded up, it may be more than a float can be.
        with pytest.raises(msgspec.DecodeError):
            decode_json(text)
    else:
        assert repr(decode_json(text)) == repr(wanted)


@pytest.mark.parametrize("text", ["1e309", "-1e400", '{"a":[1e999]}', "NaN", "Infinity", "1.", "1e", ".5"])
def test_what_is_no_number_of_json_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(text)


def has_any(type_: Any, seen: set[type]) -> bool:
    """Say whether a type that msgspec knows has values of any kind in it."""
    if isinstance(type_, inspect.AnyType):
        return True
    if isinstance(type_, inspect.StructType):
        if type_.cls in seen:
            return False
        seen.add(type_.cls)
        return any(has_any(field.type, seen) for field in type_.fields)
    parts: list[Any] = []
    for name in ("types", "item_types", "item_type", "key_type", "value_type"):
        part = getattr(type_, name, ())
        parts += part if isinstance(part, tuple) else [part]
    return any(has_any(part, seen) for part in parts)


def decoders() -> Iterator[tuple[str, msgspec.json.Decoder[Any]]]:
    """Return the decoders of all modules with their names."""
    for module in walk_packages(missioncontrol.__path__, "missioncontrol."):
        if not module.name.endswith("__main__"):
            for name, value in vars(import_module(module.name)).items():
                # A bound `decode` too; those in lists are prepared only, and decode nothing.
                found = getattr(value, "__self__", value)
                if isinstance(found, msgspec.json.Decoder):
                    yield f"{module.name}.{name}", found


def test_every_decoder_of_values_of_any_kind_reads_numbers_quickly() -> None:
    found = [(name, one) for name, one in decoders() if has_any(inspect.type_info(one.type), set())]
    assert len(found) > 20
    assert [name for name, one in found if one.float_hook is not read_float] == []


def test_nothing_is_decoded_without_a_decoder() -> None:
    sources = Path(missioncontrol.__file__).parent
    used = [
        f"{path.relative_to(sources)}:{node.lineno}"
        for path in sorted(sources.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "msgspec.json.decode"
    ]
    assert used == [], "use `decode_json`, or a decoder of the module"


@pytest.mark.anyio
async def test_a_hundred_thousand_slow_numbers_do_not_hold_the_loop() -> None:
    site = Site()
    async with site.client() as client:
        numbers = ",".join([SLOW] * 40_000)
        event = f'{{"type":"custom:numbers","data":{{"numbers":[{numbers}]}}}}'
        answer = await client.post("/api/events", content=event.encode())
        assert answer.status_code == 201, answer.text
        answer = await client.post("/api/tasks", content=f"[{numbers},{numbers}]".encode())
        assert answer.status_code == 400, answer.text
        answer = await client.get("/api/events?since=" + f"{site.log.epoch}:0")
        assert answer.json()["events"][0]["data"]["numbers"][0] == 1e308
