"""One line of a transcript: from bytes to what a parser asks for, and what every parser does with it.

Parsers decode into structures that name only what they need, and everything else is skipped at the speed of memory.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from missioncontrol.sources.transcripts.records import Record

Time = str | int | float | None
Number = int | float | None

_T = TypeVar("_T")

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(_HIGH + _LOW + b"|" + _HIGH + b"|" + _LOW)
_ESCAPE_LENGTH = 6


class BrokenLineError(ValueError):
    """A line that is not JSON."""


class Parser(Protocol):
    """Reads the lines of one transcript, in their order."""

    def parse(self, line: bytes | str) -> list[Record]:
        """Return what a line tells, nothing where it is of a kind that nobody knows.

        Raises:
            BrokenLineError: it is not JSON.
        """
        ...


def decode(decoder: msgspec.json.Decoder[_T], line: bytes | str) -> _T | None:
    """Decode a line; None where it is JSON of another shape.

    Bytes that are not UTF-8, and halves of a character that was cut in two, are replaced: a broken text does not
    take the figures beside it along.

    Raises:
        BrokenLineError: it is not JSON.
    """
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
        return max(0, round(moment.timestamp() * 1000))
    if time is None or not 0 < time < 1e14:
        return 0
    return int(time if time > 1e11 else time * 1000)


def count(number: Number) -> int:
    """Read a number of tokens; what is none, or below zero, is 0."""
    return int(number) if number is not None and 0 < number < 1e15 else 0


def shorten(text: str, length: int) -> str:
    """Write a text on one line of at most so many characters."""
    line = " ".join(text[: length * 4].split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _repaired(line: bytes | str) -> bytes:
    encoded = line.encode("utf-8", "replace") if isinstance(line, str) else bytes(line)
    text = encoded.strip(b"\0 \t\r\n").decode("utf-8", "replace").encode()
    return _SURROGATE.sub(_whole_characters, text)


def _whole_characters(match: re.Match[bytes]) -> bytes:
    return match[0] if len(match[0]) > _ESCAPE_LENGTH else rb"\ufffd"
