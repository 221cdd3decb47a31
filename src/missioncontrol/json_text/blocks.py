"""A large array in a JSON file, in blocks of some elements each.

A file of which one task was changed is compared with the one before at the speed of memory, and only the blocks that
differ are read. A block begins at an element and ends where the next block's first element begins, the last one at
the closing bracket; so blocks that follow one another are the text between the brackets, and an equal block at the
beginning of an element is equal in what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from missioncontrol.json_text.spans import (
    Element,
    NotJson,
    Unreadable,
    after_space,
    after_space_in,
    decoded,
    skipped,
    value_at,
)

BLOCK_BYTES = 32 * 1024
MAX_ELEMENT_BYTES = 1024 * 1024
"""The largest element that is read; a larger one is only passed over."""

MAX_ELEMENTS = 2_000_000
_ANCHOR_BYTES = 256
_ANCHOR_BLOCKS = 8
_ANCHOR_REACH = 1024 * 1024
"""How much of which of the next known blocks is searched in how much of the new text."""


class Passed:
    """An element that is JSON but was not read: why, and its `id`."""

    def __init__(self, reason: str, id_: str | int | None) -> None:
        self.reason = reason
        self.id = id_


class Block:
    """Consecutive elements of an array. `content` belongs to the reader."""

    __slots__ = ("_elements", "content", "count", "data", "escaped", "is_ascii")

    def __init__(self, data: bytes, elements: list[Element]) -> None:
        self.data = data
        self.count = len(elements)
        self.content: Any = None
        self.is_ascii = data.isascii()
        self.escaped = b"\\u" in data
        self._elements: list[Element] | None = elements

    @classmethod
    def of(cls, text: str) -> Block:
        """Make a block of a text that was written here."""
        data = text.encode()
        return cls(data, _elements(data))

    @property
    def text(self) -> str:
        """The text of the block."""
        return self.data.decode()

    def elements(self) -> list[Element]:
        """Return its elements, each with its position in `text`."""
        return _elements(self.data) if self._elements is None else self._elements

    def take(self) -> list[Element]:
        """Return its elements, and keep only the text of them."""
        elements, self._elements = self.elements(), None
        return elements


def read_array(data: bytes, start: int, known: Sequence[Block] = ()) -> tuple[list[Block], int]:
    """Read an array whose first element, or closing bracket, is at or after `start`.

    Args:
        data: the file.
        start: the position after the opening bracket.
        known: the blocks of that array in an earlier version of the file; those that are still there come back as
            they are.

    Returns:
        its blocks, and the position of the closing bracket.

    Raises:
        NotJson: it is not an array.
    """
    position = after_space_in(data, start)
    if data[position : position + 1] == b"]":
        return [], position
    blocks: list[Block] = []
    next_known, misses, search_from, total = 0, 0, position, 0
    anchor: tuple[int, int] | None = None
    while True:
        # What is known is taken over, as long as it goes on.
        while next_known < len(known) and _continues(data, position, known, next_known):
            block = known[next_known]
            blocks.append(block)
            total += block.count
            position += len(block.data)
            next_known += 1
            anchor = None
            search_from = position
            misses = 0
            if data[position : position + 1] == b"]":
                return blocks, position
        if anchor is None and position >= search_from and misses < _ANCHOR_BLOCKS:
            anchor = _anchor(data, position, known, next_known)
            if anchor is None:
                misses += 1
                search_from = position + _ANCHOR_REACH // 2
        block, end = _read_block(data, position, None if anchor is None else anchor[0])
        blocks.append(block)
        total += block.count
        position = end
        if total > MAX_ELEMENTS:
            raise NotJson(f"more than {MAX_ELEMENTS:,} entries", position)
        if data[position : position + 1] == b"]":
            return blocks, position
        if anchor is not None and position >= anchor[0]:
            # Where the anchor was no beginning of an element, what follows is read like any other text.
            if position == anchor[0]:
                next_known = anchor[1]
            anchor = None


def _continues(data: bytes, position: int, known: Sequence[Block], index: int) -> bool:
    block = known[index]
    if not data.startswith(block.data, position):
        return False
    # A block that ended the array may not be followed by more, and one inside it not by the end.
    following = data[position + len(block.data) : position + len(block.data) + 1]
    return (following == b"]") == (index == len(known) - 1)


def _anchor(data: bytes, position: int, known: Sequence[Block], index: int) -> tuple[int, int] | None:
    """Find one of the next known blocks in the text that follows; return its position and its index."""
    for later in range(index + 1, min(index + 1 + _ANCHOR_BLOCKS, len(known))):
        found = data.find(known[later].data[:_ANCHOR_BYTES], position + 1, position + _ANCHOR_REACH)
        if found >= 0 and data.startswith(known[later].data, found):
            return found, later
    return None


def _read_block(data: bytes, start: int, stop: int | None) -> tuple[Block, int]:
    """Read the block that begins at `start`, not beyond `stop`; return it and where it ends."""
    size = BLOCK_BYTES
    while True:
        end = min(start + size, len(data))
        if stop is not None and start < stop < end:
            end = stop
        text, end = decoded(data, start, end)
        reader = _Reader(text)
        cut = end < len(data)
        try:
            reader.read(cut=cut)
        except Unreadable as error:
            if not reader.found:
                return _passed(data, start, str(error))
        except NotJson as error:
            raise NotJson(str(error), start + len(text[: error.position].encode())) from None
        if reader.found:
            length = reader.done if text.isascii() else len(text[: reader.done].encode())
            after = start + length if reader.closed else after_space_in(data, start + length)
            if not reader.closed and data[after : after + 1] == b"]":
                raise NotJson("a comma before the end", after)
            return Block(data[start:after], reader.found), after
        if not cut:
            raise NotJson("it ends too early", len(data))
        if size >= MAX_ELEMENT_BYTES:
            return _passed(data, start, f"larger than {MAX_ELEMENT_BYTES // 1024} KiB")
        if stop is not None and end >= stop:
            # No element ends there: it was inside one.
            stop = None
        size *= 4


def _passed(data: bytes, start: int, reason: str) -> tuple[Block, int]:
    """Make a block of an element that is only passed over."""
    end, id_ = skipped(data, start)
    text, _ = decoded(data, start, end)
    after = after_space_in(data, end)
    if data[after : after + 1] == b",":
        after = after_space_in(data, after + 1)
        if data[after : after + 1] == b"]":
            raise NotJson("a comma before the end", after)
    elif data[after : after + 1] != b"]":
        raise NotJson("a comma is missing", after)
    return Block(data[start:after], [Element(Passed(reason, id_), 0, len(text))]), after


class _Reader:
    """Reads the elements at the beginning of a text. `done` is where the last whole one and its comma end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[Element] = []
        self.done = 0
        self.closed = False

    def read(self, *, cut: bool, block: bool = False) -> None:
        """Read elements until the closing bracket or the end of the text.

        Args:
            cut: the text goes on after its end.
            block: it is a block: it ends after a comma, or where the closing bracket would be.
        """
        text, position = self._text, self.done
        while position < len(text):
            try:
                value, end = value_at(text, position)
            except NotJson as error:
                if cut and error.cut:
                    return
                raise
            after = after_space(text, end)
            sign = text[after : after + 1]
            if sign == ",":
                after = after_space(text, after + 1)
                if text[after : after + 1] == "]":
                    raise NotJson("a comma before the end", after)
            elif sign == "]":
                self.closed = True
            elif sign or not (cut or block):
                raise NotJson("a comma is missing", after)
            elif not block:
                return
            self.found.append(Element(value, position, end))
            self.done = position = after
            if self.closed:
                return


def _elements(data: bytes) -> list[Element]:
    """Return the elements of a block."""
    text = data.decode()
    reader = _Reader(text)
    while reader.done < len(text):
        start = reader.done
        try:
            if len(data) > 2 * MAX_ELEMENT_BYTES:
                raise Unreadable("too large")
            reader.read(cut=False, block=True)
        except Unreadable as error:
            # It is only passed over, as it was when the file was read.
            start = reader.done
            rest = text[start:].encode()
            length, id_ = skipped(rest, 0)
            end = start + len(rest[:length].decode())
            reader.found.append(Element(Passed(str(error), id_), start, end))
            after = after_space(text, end)
            reader.done = after_space(text, after + 1) if text[after : after + 1] == "," else len(text)
    return reader.found
