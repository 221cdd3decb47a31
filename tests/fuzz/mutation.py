"""Makes hostile input of good samples: JSON trees with a wrong value somewhere, and texts that are damaged as bytes.

Everything is drawn from one `random.Random`, so that a seed names the input.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

MAX_TEXT = 60_000
"""How long a text becomes here at most, in characters: many inputs fit into a second."""

_DEEP = "\N{SYMBOL FOR SUBSTITUTE}deep:"
_NUMBER = "\N{SYMBOL FOR SUBSTITUTE}number:"

_DEPTHS = (3, 20, 63, 64, 65, 66, 200, 500, 978, 1_200, 5_000)
_NUMBERS = (
    *("0", "-0", "-0.0", "-1", "1.5", "1e3", "2147483648", "9007199254740993", "9223372036854775807"),
    *("9223372036854775808", "18446744073709551616", "-9223372036854775809", "1e15", "1e308", "-1e308"),
    *("1e309", "-1e309", "1e-400", "NaN", "Infinity", "-Infinity", "01", "1" + "0" * 400, "1" + "0" * 5_000),
    *("253402300799999", "253402300800000", "99999999999999", "-62135596800001"),
)
_TEXTS = (
    *("", " ", "\0", "a\0b", "\n", "\r\n", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "💥", "é" * 300),
    *(
        "0",
        "1e999",
        "null",
        "true",
        "NaN",
        "__proto__",
        "constructor",
        "../../etc/passwd",
        "/",
        "-",
        "*",
        "%00",
    ),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59", "2026-13-45T99:99:99Z", "2026-11-29"),
    *("a:b", "@", "scout@alpha", "<script>", "'; DROP TABLE events; --", "${PATH}", "{}", "[]", '{"a":1}'),
    *("agent-" * 500, "x" * 200, "x" * 201, "x" * 20_000, "You are " * 400, "|" * 2_000, "\\" * 999),
)


class Mutator:
    """Draws mutations from a source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    # Values.

    def odd(self) -> Any:
        """Return a value that is seldom expected; see `dumps` for those that JSON's writer would refuse."""
        chance = self.chance
        match chance.randrange(7):
            case 0:
                return chance.choice((None, True, False, [], {}, [[]], [{}], {"": {}}, [None], {"a": [{}]}))
            case 1 | 2:
                return _NUMBER + chance.choice(_NUMBERS)
            case 3 | 4:
                return chance.choice(_TEXTS)
            case 5:
                return _DEEP + str(chance.choice(_DEPTHS)) + chance.choice("[{")
            case _:
                count = chance.choice((1, 10, 1_000))
                return chance.choice(([self.small()] * count, {f"k{n}": self.small() for n in range(count)}))

    def small(self) -> Any:
        """Return a short value of any kind."""
        return self.chance.choice((None, True, 0, -1, 1.5, "", "x", [], {}))

    def tree(self, value: Any, times: int | None = None) -> Any:
        """Return a copy of a JSON tree in which one to three places are wrong."""
        copy = json.loads(json.dumps(value))
        for _ in range(self.chance.choice((1, 1, 1, 2, 3)) if times is None else times):
            copy = self._wrong_somewhere(copy)
        return copy

    def _wrong_somewhere(self, tree: Any) -> Any:
        places: list[tuple[Any, Any]] = []
        _collect(tree, places)
        if not places:
            return self.odd()
        holder, key = self.chance.choice(places)
        match self.chance.randrange(9):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 0:
                holder.pop(key)
            case 1 if isinstance(holder, dict):
                holder[self.chance.choice(_TEXTS)] = holder[key]
            case 1:
                holder.extend(json.loads(json.dumps(holder)))
            case 2:
                holder[key] = [holder[key]]
            case 3:
                holder[key] = {"value": holder[key]}
            case 4:
                other_holder, other = self.chance.choice(places)
                try:
                    holder[key] = json.loads(json.dumps(other_holder[other]))
                except (IndexError, KeyError):
                    holder[key] = None
            case _:
                holder[key] = self._odd_like(holder[key])
        return tree

    def _odd_like(self, value: Any) -> Any:
        """Return an odd value, more often than not of the kind that stands there: what passes the first check."""
        if self.chance.random() < 0.6:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return _NUMBER + self.chance.choice(_NUMBERS)
            if isinstance(value, str):
                return self.chance.choice(_TEXTS)
        return self.odd()

    # Texts.

    def text(self, data: bytes) -> bytes:
        """Return bytes that are damaged in one or two places."""
        damages: Sequence[Callable[[bytes], bytes]] = (
            self._cut,
            self._cut,
            self._flip,
            self._insert,
            self._insert,
            self._repeat,
            self._remove,
            lambda one: one + one,
            lambda one: b"\xef\xbb\xbf" + one,
            lambda one: one.replace(b"\n", b"\r\n"),
            lambda one: one.decode("utf-8", "replace").encode("utf-16"),
            lambda one: bytes(len(one)),
            lambda one: b"",
        )
        for _ in range(self.chance.choice((1, 1, 2))):
            data = self.chance.choice(damages)(data)[: 4 * MAX_TEXT]
        return data

    def document(self, tree: Any) -> bytes:
        """Return a JSON text of a tree: wrong within its values, damaged as a text, or both."""
        kind = self.chance.randrange(10)
        text = dumps(self.tree(tree) if kind < 8 else tree)
        return self.text(text) if kind >= 7 else text

    def _place(self, data: bytes) -> int:
        return self.chance.randrange(len(data) + 1)

    def _cut(self, data: bytes) -> bytes:
        return data[: self._place(data)]

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\xff"
        place = self.chance.randrange(len(data))
        return data[:place] + bytes((data[place] ^ 1 << self.chance.randrange(8),)) + data[place + 1 :]

    def _insert(self, data: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + self.chance.choice(_BYTES) + data[place:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = sorted((self._place(data), self._place(data)))
        return data[:end] + data[start:end] * self.chance.choice((1, 2, 20)) + data[end:]

    def _remove(self, data: bytes) -> bytes:
        start, end = sorted((self._place(data), self._place(data)))
        return data[:start] + data[end:]


_BYTES = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"\n",
        b"\r",
        b"\n\n",
        b"\x1b[2J",
    ),
    *(
        b",",
        b'"',
        b"'",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b"//",
        b"/*",
        b"*/",
        b"#",
        b"<!--",
        b"```",
        b"|",
        b"--",
    ),
    *(
        b"[" * 2_000,
        b'{"a":' * 2_000,
        b" " * 5_000,
        b"x" * MAX_TEXT,
        b", // x\n" * 30,
        b"/**/" * 300,
        b"*_`" * 500,
    ),
)


def dumps(tree: Any) -> bytes:
    """Write a tree as JSON, with numbers and nesting that `json.dumps` does not write itself."""
    text = json.dumps(tree, separators=(",", ":"))
    for mark, write in ((_NUMBER, str), (_DEEP, _nested)):
        escaped = json.dumps(mark)[:-1]
        while (start := text.find(escaped)) >= 0:
            end = text.index('"', start + len(escaped))
            text = text[:start] + write(text[start + len(escaped) : end]) + text[end + 1 :]
    return text.encode()


def _nested(what: str) -> str:
    depth = int(what[:-1])
    return "[" * depth + "]" * depth if what[-1] == "[" else '{"a":' * depth + "1" + "}" * depth


def _collect(tree: Any, places: list[tuple[Any, Any]]) -> None:
    """Find every place in a tree: an object with a key, an array with an index."""
    pending = [tree]
    while pending:
        one = pending.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                pending.append(one[key])
