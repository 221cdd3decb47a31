"""The parts of a review, and values as canonical JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from missioncontrol.review.marks import mark

PartKind = Literal["warning", "text", "code", "path", "json", "diff"]

_encode = msgspec.json.Encoder(order="sorted").encode


class Part(msgspec.Struct, omit_defaults=True):
    """One part of what is shown; its text is marked and complete.

    `kind` is `warning` (a sentence), `text` (words of the asker), `code` (a command), `path` (a file, a folder or an
    address, on one line), `json` (canonical: keys sorted, indented by two) or `diff` (lines that begin with ` `, `-` or
    `+`). `label` says what it is.
    """

    kind: PartKind
    text: str
    label: str | None = None


def as_json(value: Any) -> str:
    """Return a value as canonical JSON, marked: keys sorted, indented by two blanks."""
    return mark(msgspec.json.format(_encode(value), indent=2).decode())


def as_line(value: Any) -> str:
    """Return a value as canonical JSON on one line, marked: keys sorted, a blank after each comma and colon."""
    return mark(msgspec.json.format(_encode(value), indent=0).decode(), line=True)
