"""One line of a transcript: from bytes to what a parser asks for, and what every parser does with it.

Parsers decode into structures that name only what they need, and everything else is skipped at the speed of memory.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from missioncontrol.events.limits import has_more_elements
from missioncontrol.redaction import LONGEST_SECRET, redact
from missioncontrol.runtimes.records import Record

Time = str | int | float | None
Number = int | float | None

MAX_NAME = 200
"""How long an id or a name may be, in characters; a longer one is taken for none."""

MAX_PATH = 4096
LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999, where RFC 3339 ends."""

MAX_DOLLARS = 1e6
"""More than any response costs, in US dollars."""

LARGE = 1 << 20
"""From how many bytes on the elements of a line are counted before it is decoded."""

MAX_ELEMENTS = 1_000_000
"""How many brackets and commas a line may have, those in its texts included."""

_T = TypeVar("_T")

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(_HIGH + _LOW + b"|" + _HIGH + b"|" + _LOW)
_ESCAPE_LENGTH = 6


class BrokenLineError(ValueError):
    """A line that is not JSON, or too much of it."""


class Parser(Protocol):
    """Reads the lines of one transcript, in their order."""

    def parse(self, line: bytes | str) -> list[Record]:
        """Return the records of a line; none if its kind is not known.

        Raises:
            BrokenLineError: it is not JSON.
        """
        ...


def decode(decoder: msgspec.json.Decoder[_T], line: bytes | str) -> _T | None:
    """Decode a line; None where it is JSON of another shape.

    Bytes that are not UTF-8, and halves of a character that was cut in two, are replaced, so that a broken text does
    not lose the figures in the same line.

    Raises:
        BrokenLineError: it is not JSON, or has too many elements.
    """
    if len(line) > LARGE and has_more_elements(line, MAX_ELEMENTS):
        raise BrokenLineError(f"more than {MAX_ELEMENTS:,} elements")
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):
        pass
    try:
        return decoder.decode(_repaired(line))
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):
        raise BrokenLineError("not JSON") from None


def milliseconds(time: Time) -> int:
    """Read a time as milliseconds since 1970; 0 where it is none. A small number is taken as seconds."""
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            return 0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        at = round(moment.timestamp() * 1000)
        return at if 0 < at <= LAST_MILLISECOND else 0
    if time is None or not 0 < time < 1e14:
        return 0
    return int(time if time > 1e11 else time * 1000)


def count(number: Number) -> int:
    """Read a number of tokens; what is none, or below zero, is 0."""
    return int(number) if number is not None and 0 < number < 1e15 else 0


def dollars(number: Number) -> float | None:
    """Read a cost in US dollars; what no response can cost is None, and what is below zero is 0."""
    return max(0.0, float(number)) if number is not None and number < MAX_DOLLARS else None


def fit(text: str | None, limit: int = MAX_NAME) -> str | None:
    """Return a name or an id that is not empty and has at most so many characters; else None."""
    return text if text and len(text) <= limit else None


def shorten(text: str, length: int) -> str:
    """Write a text on one line of at most so many characters, with its secrets masked: it becomes part of events."""
    # Masked before it is cut: the beginning of a secret has no form.
    line = " ".join(redact(text[: length * 4 + LONGEST_SECRET]).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _repaired(line: bytes | str) -> bytes:
    encoded = line.encode("utf-8", "replace") if isinstance(line, str) else bytes(line)
    text = encoded.strip(b"\0 \t\r\n").decode("utf-8", "replace").encode()
    return _SURROGATE.sub(_whole_characters, text)


def _whole_characters(match: re.Match[bytes]) -> bytes:
    return match[0] if len(match[0]) > _ESCAPE_LENGTH else rb"\ufffd"
