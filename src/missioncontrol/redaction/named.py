"""Secrets that are known by their name: `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`.

A name is weak evidence: `token: string` and `MAX_TOKENS=4096` are no secrets. So the value
must look like one too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

KEYWORDS = (b"passw", b"passphrase", b"pwd", b"secret", b"token", b"credential", b"key")
"""In small letters; a text without any of them has no such secret."""

MIN_LENGTH = 6
MIN_LENGTH_OF_KEY = 16
MAX_NAME = 50
MARK = "[redacted "
MIN_ENTROPY = 3.0
"""Bits for each character: below are words, repeated characters and counted-up digits."""

_NAME = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?"
    r"|(?:api|access|private|auth|signing|encryption|account|master|service|deploy|ssh|session|app|client|webhook)"
    r"[_ -]?key)[\w-]{0,30}",
    re.IGNORECASE,
)
# Quotes may be escaped, since arguments of tools are JSON within JSON.
_ASSIGNED = re.compile(
    r"""(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|key)[\w-]{0,30}"""
    r"""\\?["'`\]]{0,2}[ \t]{0,3}(=>|:=|={1,2}|:)[ \t]{0,3}(\\?["'`])?"""
    r"""((?<=["'`])[^\r\n"'`\\]{4,200}|[^\s"'`,;()\[\]{}<>\\]{4,200})""",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"""(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|key)[\w-]{0,30}[ =](\\?["'])?"""
    r"""([^\s"'`\\-][^\s"'`\\]{3,200})""",
    re.IGNORECASE,
)
# The rest of a value longer than what is looked at: a limit there, since values are read again and again.
_QUOTED_REST = re.compile(r"""[^\r\n"'`\\]*""")
_PLAIN_REST = re.compile(r"""[^\s"'`,;()\[\]{}<>\\]*""")
_FIRST_WORD = re.compile(r"[\w-]{1,80}")
_REFERENCE = re.compile(
    r"[$%<{\[*]|\.{2}|[~.]{0,2}/|(?:process|os|import|self|this|config|settings|env|args|secrets|vars)\b[.\[(]"
    r"|(?:your|my|the|some|xxx|example|change|placeholder|redacted|none|null|true|false|undefined|required|optional)",
    re.IGNORECASE,
)
_TYPES = frozenset({"string", "bytes", "number", "boolean", "object", "unknown", "integer", "secretstr"})


def find_named(text: str, lowered: bytes) -> Iterator[tuple[int, int]]:
    """Find secrets by the names in front of them, as the beginning and end of each.

    Args:
        text: where to look.
        lowered: the same in small letters of ASCII, with each character at its place.
    """
    for keyword in KEYWORDS:
        end = 0
        place = lowered.find(keyword)
        while place >= 0:
            if place >= end:
                found = _named_at(text, place)
                if found is not None:
                    yield found
                    end = found[1]
            place = lowered.find(keyword, place + len(keyword))


def _named_at(text: str, place: int) -> tuple[int, int] | None:
    match = _ASSIGNED.match(text, place)
    if match is not None:
        name = _name_around(text, place)
        if _is_in_mark(text, place):
            return None
        exact = match[1] == "=" and name.upper() == name
        if is_secret(name, match[3], quoted=match[2] is not None, assigned=exact):
            return match.start(3), _end_of_value(text, match.end(3), quoted=match[2] is not None)
    match = _OPTION.match(text, place)
    if match is not None:
        name = _name_around(text, place)
        if name.startswith("-") and is_secret(name, match[2], quoted=match[1] is not None, assigned=True):
            return match.start(2), _end_of_value(text, match.end(2), quoted=match[1] is not None)
    return None


def _end_of_value(text: str, end: int, *, quoted: bool) -> int:
    rest = (_QUOTED_REST if quoted else _PLAIN_REST).match(text, end)
    return end if rest is None else rest.end()


def _name_around(text: str, place: int) -> str:
    """Return the whole of a name of which a keyword at `place` is a part."""
    start = place
    while start > 0 and place - start < MAX_NAME and (text[start - 1].isalnum() or text[start - 1] in "_-"):
        start -= 1
    match = _FIRST_WORD.match(text, start)
    return "" if match is None else match[0]


def _is_in_mark(text: str, place: int) -> bool:
    """Say whether a keyword is part of a mark, as in `[redacted aws-access-key]`: what follows that has no name."""
    start = text.rfind(MARK, max(0, place - MAX_NAME), place)
    return start >= 0 and "]" not in text[start:place]


def names_a_secret(name: str) -> bool:
    """Say whether the value of a name may be a secret."""
    return _NAME.search(name) is not None


def is_secret(name: str, value: str, *, quoted: bool, assigned: bool) -> bool:
    """Say whether a value looks like a secret of its name.

    Args:
        name: what it is called.
        value: what it is.
        quoted: it is a text, and not an expression or a type.
        assigned: it is assigned as in a shell or an environment, where values are never expressions.
    """
    if not names_a_secret(name) or _REFERENCE.match(value) or value.casefold() in _TYPES:
        return False
    if value.isdigit() and len(value) < 2 * MIN_LENGTH:
        # `MAX_TOKENS=4096`; a short number is a secret only as a password.
        return "pass" in name.casefold() and assigned
    lowered = name.casefold()
    if "passw" in lowered or "passphrase" in lowered or "pwd" in lowered:
        # A sentence is none, but a passphrase has blanks.
        words = value.count(" ") + 1
        return (words == 1 or "phrase" in lowered) and (assigned or quoted or _is_mixed(value))
    if assigned and len(value) >= MIN_LENGTH and _is_mixed(value):
        return True
    if not quoted and "." in value and not assigned:
        # `tokens: usage.cache_write_1h` is an expression.
        return False
    return len(value) >= MIN_LENGTH_OF_KEY and _is_mixed(value) and entropy(value) >= MIN_ENTROPY


def entropy(text: str) -> float:
    """Return how many bits each character of a text carries, by how often each occurs in it (Shannon)."""
    length = len(text)
    return -sum(count / length * math.log2(count / length) for count in Counter(text).values())


def _is_mixed(value: str) -> bool:
    """Words alone are no secret, and neither is a sentence."""
    return " " not in value and any(map(str.isdigit, value)) and any(map(str.isalpha, value))
