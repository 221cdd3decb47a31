"""JSON as text and bytes: where its values begin and end. Pure functions.

Invariants:

- only what RFC 8259 allows is accepted: no NaN, no control characters in strings, no comma before the end;
- no call works on more than a bounded piece of text at a time, so that a thread that reads a large file never keeps
  the interpreter from the event loop for long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

MAX_SKIPPED_BYTES = 16 * 1024 * 1024
MAX_SKIPPED_TOKENS = 2_000_000
MAX_SKIPPED_DEPTH = 100_000
"""How large, how long and how deep a value may be that is only passed over."""

_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_BYTES = re.compile(rb"[ \t\r\n]*")
_TOKEN = re.compile(
    rb'[ \t\r\n]*+(?:([\[{])|([\]}])|([,:])|("[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
    rb'[^"\\\x00-\x1f]*+)*+")|(-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+|true|false|null))'
)
_NEAR = 16
"""Within so many characters of a cut an error may be due to the cut."""


class Unreadable(Exception):
    """A value that is JSON, and that Python's reader refuses: too deep, or with an endless number."""


class NotJson(ValueError):
    """A text that is not JSON. `position` is where, in characters or bytes of what was read."""

    def __init__(self, message: str, position: int, *, cut: bool = False) -> None:
        super().__init__(message)
        self.position = position
        self.cut = cut


class Member(NamedTuple):
    """A member of an object: its key, and where key and value are in the text."""

    key: str
    start: int
    value_start: int
    end: int


class Element(NamedTuple):
    """An element of an array, and where it is in the text."""

    value: Any
    start: int
    end: int


class _NoConstant(ValueError):
    pass


def _no_constant(name: str) -> Any:
    raise _NoConstant(f"{name} is none")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def value_at(text: str, position: int) -> tuple[Any, int]:
    """Read the value that begins at a position; return it and its end.

    Raises:
        NotJson: there is none; `cut` says that the end of the text may be the reason.
        Unreadable: it is nested too deep, or has a number of too many digits.
    """
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) - _NEAR or error.msg.startswith("Unterminated string")
        raise NotJson(error.msg, error.pos, cut=cut) from None
    except _NoConstant as error:
        raise NotJson(str(error), position) from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError:
        raise Unreadable("a number with too many digits") from None


def after_space(text: str, position: int) -> int:
    """Return the position of the next character that is not white space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


def after_space_in(data: bytes, position: int) -> int:
    """Do the same in bytes."""
    found = _SPACE_BYTES.match(data, position)
    return found.end() if found else position


def after_comma(text: str, position: int, closing: str) -> int:
    """Return where the next entry begins after one that ends at `position`, or the closing bracket is.

    Raises:
        NotJson: neither follows.
    """
    position = after_space(text, position)
    if text[position : position + 1] == ",":
        position = after_space(text, position + 1)
        if text[position : position + 1] == closing:
            raise NotJson("a comma before the end", position)
    elif text[position : position + 1] != closing:
        raise NotJson("a comma is missing", position, cut=position == len(text))
    return position


def members_at(
    text: str, start: int, value_end: Callable[[str, int], int] | None = None
) -> tuple[list[Member], int]:
    """Return the members of the object that begins at `start`, and where it ends.

    Args:
        text: where it is.
        start: the position of its bracket.
        value_end: reads the value of a key that begins at a position, and returns its end.
    """
    members: list[Member] = []
    position = after_space(text, start + 1)
    while text[position : position + 1] != "}":
        if text[position : position + 1] != '"':
            raise NotJson("a name in quotes is missing", position)
        key, end = value_at(text, position)
        colon = after_space(text, end)
        if text[colon : colon + 1] != ":":
            raise NotJson("a colon is missing", colon)
        value = after_space(text, colon + 1)
        end = value_at(text, value)[1] if value_end is None else value_end(key, value)
        members.append(Member(key, position, value, end))
        position = after_comma(text, end, "}")
    return members, position + 1


def decoded(data: bytes, start: int, end: int) -> tuple[str, int]:
    """Decode a piece of UTF-8, without a character that the end of the piece cuts; return it and its end.

    Raises:
        ValueError: it is not UTF-8.
    """
    piece = data[start:end]
    try:
        return piece.decode(), end
    except UnicodeDecodeError as error:
        if error.end < len(piece) or end == len(data) or error.reason != "unexpected end of data":
            raise ValueError(f"it is not UTF-8 (byte {start + error.start})") from None
        return piece[: error.start].decode(), start + error.start


def skipped(data: bytes, start: int) -> tuple[int, str | int | None]:
    """Pass over a value of any depth without reading it; return its end, and the `id` in it if it is an object.

    Raises:
        NotJson: it is not JSON, or goes beyond the limits of this module.
    """
    stack = bytearray()
    id_: str | int | None = None
    key = b""
    # What may come: a value, a key, a colon or a comma; with `close` the end of what is open, too.
    wanted, close, position = "value", False, start
    for _ in range(MAX_SKIPPED_TOKENS):
        found = _TOKEN.match(data, position)
        if found is None or found.end() - start > MAX_SKIPPED_BYTES:
            break
        kind, token, position = found.lastindex, found[found.lastindex or 0], found.end()
        if kind == 1 and wanted == "value" and len(stack) < MAX_SKIPPED_DEPTH:
            stack += token
            wanted, close = ("key" if token == b"{" else "value"), True
            continue
        if kind == 2 and close and stack and stack[-1] == token[0] - 2:
            stack.pop()
        elif kind == 3 and token == b":" and wanted == "colon":
            wanted, close = "value", False
            continue
        elif kind == 3 and token == b"," and wanted == "comma":
            wanted, close = ("key" if stack[-1:] == b"{" else "value"), False
            continue
        elif kind == 4 and wanted == "key":
            key, wanted, close = token, "colon", False
            continue
        elif kind not in (4, 5) or wanted != "value":
            break
        elif len(stack) == 1 and stack == b"{" and key == b'"id"' and len(token) < 1024:
            value = json.loads(token)
            id_ = value if isinstance(value, (str, int)) else None
        if not stack:
            return position, id_
        wanted, close = "comma", True
    raise NotJson("a value that is too large, nested too deep, or not whole", position)
