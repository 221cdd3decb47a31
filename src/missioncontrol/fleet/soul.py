"""Reads `SOUL.md` and `IDENTITY.md`, the files with an agent's identity.

People and agents write them in any form, so all of these are accepted: labels bold or not, in a list or a table, as
headings with the value below; any kind of bullet, quote and line ending. The first value of a label counts. Code
blocks and comments are ignored, and so is a hint in brackets instead of a value, as the usual templates have them:
`_(pick something you like)_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MAX_LINE = 2000
MAX_TEXT = 300
MAX_SPECIALTIES = 50
MAX_SPECIALTY = 120

_LABELS = {
    "name": "name",
    "agent name": "name",
    "role": "role",
    "codename": "codename",
    "code name": "codename",
    "division": "division",
    "specialties": "specialties",
    "specialities": "specialties",
    "specialty": "specialties",
    "speciality": "specialties",
}
# Each takes linear time: none can fail after a long match, so no part of the text is read twice.
_COMMENT = re.compile(r"<!--(?:[^-]|-(?!->))*+(?:-->)?")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"\s*+#{1,6}+\s++(.*)", re.DOTALL)
_BULLET = re.compile(r"\s*+(?:[-*+•–]|\d{1,3}[.)])\s++(.*)", re.DOTALL)
_LABELLED = re.compile(
    r"[\s>|]*+(?:[-*+•]\s++)?+[*_`|\s]*+([A-Za-z][A-Za-z ]{1,20}?)[*_`\s]*+[:：|][*_`\s]*+(.*)",
    re.DOTALL,
)
_OTHER_LABEL = re.compile(
    r"\s*+(?:[-*+•]\s++)?+(?:\*\*|__)[^*_]{1,60}(?:[:：](?:\*\*|__)|(?:\*\*|__)\s*[:：]).*", re.DOTALL
)
"""An unknown label, which is not the value of the label above it."""

_DECORATION = " \t*_`|"
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」"}
_SEPARATORS = re.compile(r"[,;·|]|/(?=\s)")


def parse_soul(data: bytes) -> dict[str, Any]:
    """Parse the identity of an agent.

    Args:
        data: the content of the file.

    Returns:
        the fields that it has of `name`, `role`, `codename`, `division` (texts) and `specialties` (a list of texts).

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    text = _COMMENT.sub("", data.decode("utf-8-sig"))
    fields: dict[str, Any] = {}
    specialties: list[str] = []
    waiting: str | None = None
    for line in _lines(text):
        heading = _HEADING.fullmatch(line)
        label, value = _label(heading[1].rstrip("# \t") if heading else line)
        if label is None:
            if heading:
                waiting = None
            elif waiting == "specialties":
                bullet = _BULLET.fullmatch(line)
                if bullet:
                    specialties.append(_clean(bullet[1]))
                elif line.strip() and (specialties or not _take_list(specialties, line)):
                    waiting = None
            elif waiting is not None and line.strip():
                bullet = _BULLET.fullmatch(line)
                if not _OTHER_LABEL.fullmatch(line):
                    fields[waiting] = _value(bullet[1] if bullet else line)
                waiting = None
        elif label == "specialties":
            waiting = label if not specialties and not _take_list(specialties, value) else None
        elif label not in fields and _clean(value):
            fields[label] = _value(value)
            waiting = None
        else:
            waiting = label if label not in fields else None
    kept = [specialty[:MAX_SPECIALTY] for specialty in specialties if specialty][:MAX_SPECIALTIES]
    result: dict[str, Any] = {label: value[:MAX_TEXT] for label, value in fields.items() if value}
    if kept:
        result["specialties"] = kept
    return result


def _lines(text: str) -> Iterator[str]:
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield line[:MAX_LINE]


def _label(line: str) -> tuple[str | None, str]:
    """Return the known label that a line begins with, None without one, and the text after it."""
    whole = _LABELS.get(line.strip(f"{_DECORATION}:：").lower())
    if whole is not None:
        return whole, ""
    found = _LABELLED.fullmatch(line)
    if found is None:
        return None, ""
    return _LABELS.get(found[1].strip().lower()), found[2]


def _take_list(specialties: list[str], line: str) -> bool:
    specialties += (cleaned for part in _SEPARATORS.split(_clean(line)) if (cleaned := _clean(part)))
    return bool(specialties)


def _value(text: str) -> str:
    """Return a value without its decoration; "" for a hint of what belongs there."""
    value = _clean(text)
    return "" if value.startswith("(") and value.endswith(")") else value


def _clean(value: str) -> str:
    value = value.strip(_DECORATION)
    if len(value) > 1 and _QUOTES.get(value[0]) == value[-1]:
        value = value[1:-1].strip(_DECORATION)
    return value.replace("**", "").replace("__", "").strip()
