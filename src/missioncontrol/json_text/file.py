"""A JSON file whose large arrays are kept in blocks, and what is around them as it is.

A file that is read after an earlier version of it shares the blocks that have not changed, so that reading it costs
what has changed. The text with empty arrays in their places is small.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from missioncontrol.json_text.blocks import Block, read_array
from missioncontrol.json_text.spans import NotJson, Unreadable, after_space_in, decoded, value_at

BOM = b"\xef\xbb\xbf"
MAX_REST_BYTES = 1024 * 1024
"""How much a file may have besides its arrays."""

_WINDOW = 4096


class BlockArray(NamedTuple):
    """An array that is kept in blocks, by the name that it has in the file."""

    name: str
    blocks: list[Block]


class JsonFile:
    """A file that holds an array, or an object with arrays. `root` has the other members of the object."""

    def __init__(self, data: bytes, names: Collection[str], bare: str, known: JsonFile | None = None) -> None:
        """Read a file.

        Args:
            data: its text.
            names: the members that are kept in blocks where they are arrays.
            bare: the name of an array that is the whole file.
            known: an earlier version of it, whose blocks are taken over where they are the same.

        Raises:
            ValueError: it is none; the message says what is wrong, in a few words.
        """
        self.root: dict[str, Any] = {}
        self._names, self._bare = names, bare
        self._gaps: list[bytes] = []
        self._arrays: list[BlockArray] = []
        self._known = {} if known is None else {array.name: array.blocks for array in known._arrays}
        start = after_space_in(data, len(BOM) if data.startswith(BOM) else 0)
        if start == len(data):
            raise ValueError("it is empty")
        try:
            self._read(data, start)
        except NotJson as error:
            line = data.count(b"\n", 0, error.position) + 1
            raise ValueError(f"it is not JSON: {error} in line {line}") from None
        except Unreadable as error:
            raise ValueError(f"it is {error}") from None
        finally:
            self._known = {}

    def _read(self, data: bytes, start: int) -> None:
        self._is_object = data[start : start + 1] == b"{"
        self._gap_start = 0
        if self._is_object:
            end = self._read_members(data, start)
        elif data[start : start + 1] == b"[":
            end = self._read_array(data, self._bare, start)
        else:
            raise ValueError("it holds neither an object nor a list")
        if after_space_in(data, end) != len(data):
            raise ValueError("something follows after its end")
        self._gaps.append(data[self._gap_start :])
        self._check_size(data, len(data))

    def _read_members(self, data: bytes, start: int) -> int:
        position = after_space_in(data, start + 1)
        while data[position : position + 1] != b"}":
            if data[position : position + 1] != b'"':
                raise NotJson("a name in quotes is missing", position)
            key, end = self._read_value(data, position)
            position = after_space_in(data, end)
            if data[position : position + 1] != b":":
                raise NotJson("a colon is missing", position)
            position = after_space_in(data, position + 1)
            # Of two members with the same key the last one counts.
            if key in self._names:
                self.root.pop(key, None)
                self._demote(key)
            if key in self._names and data[position : position + 1] == b"[":
                end = self._read_array(data, key, position)
            else:
                self.root[key], end = self._read_value(data, position)
            self._check_size(data, end)
            position = after_space_in(data, end)
            if data[position : position + 1] == b",":
                position = after_space_in(data, position + 1)
                if data[position : position + 1] == b"}":
                    raise NotJson("a comma before the end", position)
            elif data[position : position + 1] != b"}":
                raise NotJson("a comma is missing", position)
        return position + 1

    def _read_array(self, data: bytes, name: str, start: int) -> int:
        first = after_space_in(data, start + 1)
        blocks, end = read_array(data, first, self._known.get(name, ()))
        self._gaps.append(data[self._gap_start : first])
        self._arrays.append(BlockArray(name, blocks))
        self._gap_start = end
        return end + 1

    def _demote(self, name: str) -> None:
        """Make an array that a later member replaces a part of the text around it."""
        index = next((index for index, array in enumerate(self._arrays) if array.name == name), None)
        if index is None:
            return
        whole = b"".join(block.data for block in self._arrays[index].blocks)
        del self._arrays[index]
        if index + 1 < len(self._gaps):
            self._gaps[index : index + 2] = [self._gaps[index] + whole + self._gaps[index + 1]]
        else:
            self._gap_start -= len(self._gaps.pop()) + len(whole)

    def _read_value(self, data: bytes, start: int) -> tuple[Any, int]:
        """Read a value of the root; return it and its end."""
        size = _WINDOW
        while True:
            text, end = decoded(data, start, min(start + size, len(data)))
            cut = end < len(data)
            try:
                value, length = value_at(text, 0)
            except NotJson as error:
                if not (cut and error.cut):
                    raise NotJson(str(error), start + len(text[: error.position].encode())) from None
            else:
                # A number at the end of the piece may go on after it.
                if length < len(text) or not cut:
                    return value, start + len(text[:length].encode())
            if size > MAX_REST_BYTES:
                self._refuse_size()
            size *= 4

    def _check_size(self, data: bytes, end: int) -> None:
        if sum(map(len, self._gaps)) + max(0, end - self._gap_start) > MAX_REST_BYTES:
            self._refuse_size()

    def _refuse_size(self) -> None:
        raise ValueError(f"it has more than {MAX_REST_BYTES // 1024} KiB besides its lists")

    # What is in it.

    def blocks(self, name: str) -> list[Block] | None:
        """Return the blocks of an array; None where the file names none."""
        return next((array.blocks for array in self._arrays if array.name == name), None)

    def parts(self) -> Iterator[bytes]:
        """Return the text in pieces."""
        for gap, array in zip(self._gaps, self._arrays, strict=False):
            yield gap
            yield from (block.data for block in array.blocks)
        yield self._gaps[-1]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(map(len, self.parts()))

    def is_text(self, data: bytes) -> bool:
        """Return whether it is this text."""
        if self.size != len(data):
            return False
        position = 0
        for part in self.parts():
            if not data.startswith(part, position):
                return False
            position += len(part)
        return True
