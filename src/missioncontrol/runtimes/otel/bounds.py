"""How much an export may hold: it is counted on the wire, before anything of it is decoded.

A message without fields takes two bytes on the wire and a hundred in memory, and packs to nothing: 32 KB of gzip were
11 million of them, a minute of work and 850 MB.

Invariants:

- counting takes time linear in the length and memory that does not grow with it, and ends at the limit;
- what is counted is what the decoder makes objects of, by the very descriptors that it decodes with.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from functools import cache
from typing import Any

from missioncontrol.errors import BadTelemetry, TooDeep, TooLarge
from missioncontrol.events.limits import MAX_DEPTH, check_json

DEFAULT_MAX_ELEMENTS = 100_000
"""Resources, scopes, spans, log records, metrics, points, events and links in one export."""

PARTS_PER_ELEMENT = 4
"""Attributes and their values come on top: this many for each element that is allowed."""

JSON_PER_ELEMENT = 2
"""JSON is read a hundred times slower than protobuf, and an attribute is four elements of it."""

_PART_TYPES = frozenset({"KeyValue", "AnyValue", "ArrayValue", "KeyValueList"})
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_VARINT_TYPES = frozenset({3, 4, 5, 8, 13, 14, 17, 18})
"""Types of fields that are varints, as in `google.protobuf.descriptor.FieldDescriptor`."""

_NUMBERS_PER_PART = 8
"""Packed numbers take eight bytes each in memory and may take one on the wire: so many count as one part."""


class _Message:
    """What the scan needs to know of a type of message: its fields that are messages, and its lists of other things."""

    __slots__ = ("children", "is_part", "lists", "packed")

    def __init__(self, name: str) -> None:
        self.is_part = name in _PART_TYPES
        self.children: dict[int, _Message] = {}
        self.lists: frozenset[int] = frozenset()
        self.packed: frozenset[int] = frozenset()


def check_protobuf(descriptor: Any, body: bytes, max_elements: int) -> None:
    """Refuse an export that holds too much.

    Args:
        descriptor: of the request's message.
        body: the request on the wire.
        max_elements: the most elements that are allowed.

    Raises:
        BadTelemetry: it is not on the wire as it must be.
        TooDeep: a value has too many levels.
        TooLarge: it has too many elements, or attributes and values.
    """
    if 2 * max_elements >= len(body):
        # No element is shorter than two bytes; the decoder itself limits depth.
        return
    elements, parts = _count(_shape(descriptor), body, max_elements, max_elements * PARTS_PER_ELEMENT)
    if elements > max_elements:
        raise TooLarge(
            f"The export has more than {max_elements:,} elements (resources, scopes, spans, records, metrics, points, "
            f"events and links); send smaller ones, or raise server.max_export_elements."
        )
    if parts > max_elements * PARTS_PER_ELEMENT:
        raise TooLarge(
            f"The export has more than {max_elements * PARTS_PER_ELEMENT:,} attributes and values; send smaller ones, "
            f"or raise server.max_export_elements."
        )


def check_otlp_json(body: bytes, max_elements: int) -> None:
    """Refuse an export in JSON that holds too much.

    Raises:
        TooDeep: it has too many levels.
        TooLarge: it has too many elements.
    """
    check_json(body, "The export", elements=max_elements * JSON_PER_ELEMENT)


def _count(shape: _Message, body: bytes, max_elements: int, max_parts: int) -> tuple[int, int]:
    """Return the elements and the parts; counting ends with the first one too many."""
    elements = parts = at = 0
    end = len(body)
    outer: list[tuple[_Message, int]] = []
    try:
        while True:
            if at >= end:
                if at > end:
                    raise BadTelemetry("A message of the export is longer than the one that it is in.")
                if not outer:
                    return elements, parts
                shape, end = outer.pop()
                continue
            tag = body[at]
            at += 1
            if tag > 0x7F:
                tag, at = _varint(body, at - 1)
            number, wire = tag >> 3, tag & 7
            if wire == _LENGTH:
                length = body[at]
                at += 1
                if length > 0x7F:
                    length, at = _varint(body, at - 1)
                child = shape.children.get(number)
                if child is None:
                    if number in shape.lists:
                        parts += 1
                    elif number in shape.packed:
                        parts += length // _NUMBERS_PER_PART + 1
                    else:
                        at += length
                        continue
                    at += length
                else:
                    if child.is_part:
                        parts += 1
                    else:
                        elements += 1
                    if at + length > end:
                        raise BadTelemetry("A message of the export is longer than the one that it is in.")
                    outer.append((shape, end))
                    if len(outer) > MAX_DEPTH:
                        raise TooDeep(
                            f"The export has more than {MAX_DEPTH} levels of messages; make it flatter."
                        )
                    shape, end = child, at + length
                if elements > max_elements or parts > max_parts:
                    return elements, parts
            elif wire == _VARINT:
                while body[at] > 0x7F:
                    at += 1
                at += 1
                if number in shape.packed:
                    parts += 1
            elif wire == _FIXED64:
                at += 8
            elif wire == _FIXED32:
                at += 4
            else:
                raise BadTelemetry("The export has a group, or a field of a wire type that there is not.")
    except IndexError:
        raise BadTelemetry("The export ends in the middle of a field.") from None


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise BadTelemetry("The export has a number of more than ten bytes.")


@cache
def _shape(descriptor: Any) -> _Message:
    known: dict[str, _Message] = {}

    def shape(of: Any) -> _Message:
        if (found := known.get(of.full_name)) is not None:
            return found
        made = known[of.full_name] = _Message(of.name)
        lists: set[int] = set()
        packed: set[int] = set()
        for field in of.fields:
            if field.message_type is not None:
                made.children[field.number] = shape(field.message_type)
            elif field.is_repeated:
                (packed if field.type in _VARINT_TYPES else lists).add(field.number)
        made.lists, made.packed = frozenset(lists), frozenset(packed)
        return made

    return shape(descriptor)
