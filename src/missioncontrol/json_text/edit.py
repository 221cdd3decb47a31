"""Changes JSON in place, so that the rest of the text keeps its formatting.

The text must be valid JSON (see `check`); positions are offsets in characters. A new part follows the existing
layout: on a line of its own with the indentation of its neighbours, or on their line where they share one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

_BLANK = re.compile(r"[ \t\n\r]*")
_INDENTED = re.compile(r"\n([ \t]+)\S")
_scanstring: Callable[[str, int, bool], tuple[str, int]] = scanstring


class Part(NamedTuple):
    """A member of an object, or an item of an array, whose `key` is then ""; it is `text[begin:end]`.

    The value is `text[start:end]`.
    """

    key: str
    begin: int
    start: int
    end: int


def check(text: str) -> Any:
    """Return the value that a text is.

    Raises:
        ValueError: it is not JSON (RFC 8259); the message says where.
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parts(text: str, at: int) -> list[Part]:
    """Return the parts of the object or array that begins at `at`."""
    return _scan(text, at)[0]


def member(text: str, at: int, key: str) -> Part | None:
    """Return the member of an object; the last one where there are several, as for every reader of JSON."""
    return next((part for part in reversed(parts(text, at)) if part.key == key), None)


def value_of(text: str, part: Part) -> Any:
    """Return the value of a part."""
    return json.loads(text[part.start : part.end])


def replaced(text: str, part: Part, value: Any) -> str:
    """Return the text with another value for a part."""
    written = _write(text, value, _margin(text, part.begin), inline=False)
    return text[: part.start] + written + text[part.end :]


def added(text: str, at: int, key: str, value: Any) -> str:
    """Return the text with one more part at the end of the object or array that begins at `at`.

    Args:
        text: the whole text.
        at: where the object or array begins.
        key: the member's name; "" for the item of an array.
        value: its value.
    """
    found, end = _scan(text, at)
    name = json.dumps(key, ensure_ascii=False) + (": " if "\n" in text else ":") if key else ""
    if found:
        last = found[-1]
        gap = text[found[-2].end if len(found) > 1 else at + 1 : last.begin].replace(",", "", 1)
        written = _write(text, value, _margin(text, last.begin), inline="\n" not in gap)
        return f"{text[: last.end]},{gap}{name}{written}{text[last.end :]}"
    if "\n" not in text and text.strip() != "{}":
        return text[: at + 1] + name + _write(text, value, "", inline=True) + text[end:]
    outer = _margin(text, at)
    inner = outer + _unit(text)
    written = _write(text, value, inner, inline=False)
    return f"{text[: at + 1]}\n{inner}{name}{written}\n{outer}{text[end:]}"


def dropped(text: str, at: int, part: Part) -> str:
    """Return the text without a part of the object or array that begins at `at`."""
    found, end = _scan(text, at)
    place = found.index(part)
    if len(found) == 1:
        return text[: at + 1] + text[end:]
    if place == len(found) - 1:
        return text[: found[place - 1].end] + text[part.end :]
    return text[: part.begin] + text[found[place + 1].begin :]


def _scan(text: str, at: int) -> tuple[list[Part], int]:
    """Return the parts, and where the closing bracket is."""
    closing = "}" if text[at] == "{" else "]"
    decode = json.JSONDecoder().raw_decode
    found: list[Part] = []
    place = _after_blank(text, at + 1)
    while text[place] != closing:
        begin, key = place, ""
        if closing == "}":
            key, place = _scanstring(text, place + 1, True)
            place = _after_blank(text, _after_blank(text, place) + 1)
        start = place
        _, place = decode(text, place)
        found.append(Part(key, begin, start, place))
        place = _after_blank(text, place)
        if text[place] == ",":
            place = _after_blank(text, place + 1)
    return found, place


def _after_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _margin(text: str, at: int) -> str:
    """Return the blanks that the line of this place begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    match = _INDENTED.search(text)
    return "  " if match is None else match[1]


def _write(text: str, value: Any, margin: str, *, inline: bool) -> str:
    if inline:
        tight = "\n" not in text and ": " not in text
        return json.dumps(value, ensure_ascii=False, separators=(",", ":") if tight else None)
    return json.dumps(value, ensure_ascii=False, indent=_unit(text)).replace("\n", f"\n{margin}")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
