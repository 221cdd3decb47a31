"""How deep and how many: the shape of JSON from outside is measured before it is decoded.

A decoder recurses with the depth of its input, and makes one object for each element, so a short text can cost much
of both. These functions scan the bytes without decoding them.

Invariants:

- time is linear in the length of the text and memory a small multiple of it, whatever the text is;
- of valid JSON, or of several JSON texts one after the other (NDJSON), depth and elements are never underestimated;
- text that is not JSON gets some number and no error: the decoder refuses it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import TooDeep, TooLarge

MAX_DEPTH = 64
"""Levels of arrays and objects inside each other; `{"a": [1]}` has two."""

MAX_MESSAGE_DEPTH = MAX_DEPTH + 16
"""Levels of a message or a body with events, whose data may have `MAX_DEPTH` levels of its own."""

MAX_ELEMENTS = 100_000
"""Elements of arrays and members of objects in one text, at all levels together."""

Json = bytes | bytearray | memoryview | msgspec.Raw | str

_STRUCTURE = b'[]{},"'
_NOT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_PART = 64 * 1024
_PIECE = 1024 * 1024
# As signed bytes these are 1 and -1: a running sum over them is the depth.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


class Extent(NamedTuple):
    """What a JSON text amounts to: its levels, and its elements at all levels together."""

    depth: int
    elements: int


def depth_of(body: Json) -> int:
    """Return how many arrays and objects of a JSON text are inside each other; 0 for a text or a number."""
    return _depth(_outside_of_strings(_encoded(body)))


def is_deeper(body: Json, depth: int = MAX_DEPTH) -> bool:
    """Return whether a JSON text has more than `depth` levels; for most texts counting the brackets answers that."""
    body = _encoded(body)
    return body.count(b"[") + body.count(b"{") > depth and depth_of(body) > depth


def deeper_than(value: Any, depth: int) -> bool:
    """Return whether lists and objects of a decoded value are nested more than `depth` levels deep."""
    level = [value] if isinstance(value, (dict, list, tuple)) else []
    for _ in range(depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
        if not level:
            return False
    return bool(level)


def extent_of(body: Json) -> Extent:
    """Return the depth of a JSON text and the number of its elements; an empty array or object counts as having one."""
    outside = _outside_of_strings(_encoded(body))
    return Extent(_depth(outside), _elements(outside))


def has_more_elements(body: bytes | str, most: int) -> bool:
    """Return whether a text has more than `most` brackets and commas, those in strings included.

    That is a bound of its elements. It is counted piece by piece, since one call over all of it would hold up all
    threads of the interpreter.
    """
    found = 0
    for start in range(0, len(body), _PIECE):
        piece = _encoded(body[start : start + _PIECE])
        found += piece.count(b"[") + piece.count(b"{") + piece.count(b",")
        if found > most:
            return True
    return False


def check_json(
    body: Json, what: str = "The body", *, depth: int = MAX_DEPTH, elements: int | None = MAX_ELEMENTS
) -> None:
    """Refuse a JSON text that costs too much to decode; texts that are short or simple pass at once.

    Args:
        body: one JSON text or several (NDJSON); it need not be valid.
        what: names the text at the beginning of the error's sentence.
        depth: the most levels that are allowed.
        elements: the most elements that are allowed; None where the decoder skips what it does not need.

    Raises:
        TooDeep: it has more levels.
        TooLarge: it has more elements.
    """
    body = _encoded(body)
    # Brackets and commas in strings count here too: what passes with them passes without.
    opening = body.count(b"[") + body.count(b"{")
    if opening <= depth and (elements is None or opening + body.count(b",") <= elements):
        return
    outside = _outside_of_strings(body)
    if elements is not None and (found := _elements(outside)) > elements:
        raise TooLarge(
            f"{what} has {found:,} elements at all levels together; the limit is {elements:,}. Send it in parts."
        )
    if _depth(outside, depth) > depth:
        raise TooDeep(
            f"{what} has more than {depth} levels of arrays and objects inside each other. "
            f"Make it flatter, or send the inner part as text."
        )


def _encoded(body: Json) -> bytes:
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)


def _outside_of_strings(body: bytes) -> bytes:
    """Return the brackets and commas that are not inside of strings."""
    if b"\\" in body:
        # From the left a pair of backslashes is one of the string's own; a quote that follows a single one is too.
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = body.translate(None, _NOT_STRUCTURE)
    return b"".join(structure.split(b'"')[::2])


def _elements(outside: bytes) -> int:
    # The first element of each array or object by its bracket, the others by their commas.
    return outside.count(b"[") + outside.count(b"{") + outside.count(b",")


def _depth(outside: bytes, most: int | None = None) -> int:
    """Return the depth; beyond `most` it need not be counted on."""
    steps = outside.translate(_STEPS, _NOT_BRACKETS)
    level = deepest = lowest = 0
    signed = memoryview(steps).cast("b")
    for start in range(0, len(steps), _PART):
        levels = list(accumulate(signed[start : start + _PART], initial=level))
        level = levels[-1]
        deepest, lowest = max(deepest, *levels), min(lowest, *levels)
        if most is not None and deepest - lowest > most:
            break
    # A bracket that closes nothing must not hide what is opened after it.
    return deepest - lowest
