"""Visible marks in place of characters that cannot be seen, or that change how the text around them is shown.

Invariants:

- marked text has no control, bidirectional or other invisible character, except the line breaks and tabs of a text of
  several lines, and the selector that makes the symbol before it an emoji;
- marked text has no long cluster: what a screen draws in one place, and cannot break over two lines, is a few
  characters at most, so that a line never grows beyond the edge and no character is painted over its neighbours;
- a mark cannot be imitated: brackets of marks in the text are marked themselves;
- marking loses nothing: texts that differ are different when they are marked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import bidirectional, category, combining, name

OPEN, CLOSE = "\u27e6", "\u27e7"

MAX_JOINED = 3
"""How many combining characters a letter may have, of which `MAX_STACKED` take no room of their own."""
MAX_STACKED = 2
MAX_LINKS = 3
"""How many times letters of India's scripts may be joined to one cluster."""

_NAMES = {
    "\0": "NUL",
    "\a": "BEL",
    "\b": "BS",
    "\t": "TAB",
    "\n": "LF",
    "\v": "VT",
    "\f": "FF",
    "\r": "CR",
    "\x1b": "ESC",
    "\x7f": "DEL",
    "\xa0": "NBSP",
}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Categories of Unicode whose characters have no picture of their own, or look like a blank."""

# What the categories do not say, since Python's tables lack these properties of Unicode: characters that are ignored
# by default or are drawn as nothing (fillers, selectors, an empty Braille cell, a place for an object), and letters
# that are drawn as a part of whatever follows (Grapheme_Cluster_Break=Prepend).
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffc"
    "\U00016fe4\U0001bc9d\U0001d159\U000e0000-\U000e0fff"
    "\u0d4e\U000111c2\U000111c3\U000113d1\U0001193f\U00011941\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02]"
)
# Letters and signs that join the one before them as combining characters do: vowels of Thai and Lao, half-width sound
# marks, vowels and ends of decomposed Korean syllables.
_JOINING = re.compile("[\u0e33\u0eb3\uff9e\uff9f\u1161-\u11ff\ud7b0-\ud7fb]")
_JAMO = re.compile("[\u1100-\u115f\ua960-\ua97c]")
# Signs that join two letters and are not seen themselves (Indic_Syllabic_Category=Invisible_Stacker).
_STACKER = re.compile(
    "[\u1039\u17d2\u1a60\u1bab\u2d7f\uaaf6\U00010a3f\U00011133\U000113d0\U0001193e\U00011a47\U00011a99\U00011d45"
    "\U00011d97\U00011f42]"
)
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_EMOJI = "\ufe0f"
_UNUSUAL = re.compile(r"[^\x20-\x7e\n\t]+")
_UNUSUAL_IN_LINE = re.compile(r"[^\x20-\x7e]+")
_MARK = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]+){CLOSE}")
_BREAKS = frozenset({"LF", "TAB", "CR"})
_VIRAMA = 9
"""The combining class of signs that join a letter to the next one."""
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def mark(text: str, *, line: bool = False) -> str:
    """Return a text with a mark in place of each character that cannot be seen, as in `⟦U+202E⟧` or `⟦ESC⟧`.

    Characters that pile up on others, or would make a cluster that cannot be broken over lines, are marked too.

    Args:
        text: any text.
        line: it is shown on one line, so that line breaks and tabs are marked too.
    """
    return (_UNUSUAL_IN_LINE if line else _UNUSUAL).sub(_mark_run, text)


def marks_in(marked: str) -> list[str]:
    """Return the names of the marks in a marked text that stand for hidden characters, each once, in their order."""
    return [name for name in dict.fromkeys(_MARK.findall(marked)) if name not in _BREAKS]


def has_right_to_left(text: str) -> bool:
    """Return whether a text has characters that are written from right to left."""
    return not text.isascii() and any(bidirectional(one) in _RIGHT_TO_LEFT for one in text)


def in_order(marked: str) -> str:
    """Return a marked text with code points in place of what is written from right to left, as in `⟦U+05D0 U+05D1⟧`.

    It is for places that show characters in an order of their own: terminals, and messages.
    """
    if not has_right_to_left(marked):
        return marked
    shown: list[str] = []
    run: list[str] = []
    for one in marked:
        # What is combined with a letter goes with it.
        if bidirectional(one) in _RIGHT_TO_LEFT or (run and category(one).startswith("M")):
            run.append(f"U+{ord(one):04X}")
            continue
        shown += _bracketed(run)
        run = []
        shown.append(one)
    return "".join([*shown, *_bracketed(run)])


def _bracketed(run: list[str]) -> list[str]:
    return [f"{OPEN}{' '.join(run)}{CLOSE}"] if run else []


def _mark_run(found: re.Match[str]) -> str:
    """Return a run of unusual characters with its marks; the one before it is usual, or none."""
    text, start, end = found.string, found.start(), found.end()
    cluster = _Cluster(text[start - 1] if start else "")
    return "".join(cluster.shown(text[at], text[at + 1 : at + 2]) for at in range(start, end))


class _Cluster:
    """What has been shown of the characters that a screen draws as one, and so what may still join them."""

    def __init__(self, before: str) -> None:
        self._before = before
        self._links = self._joined = self._stacked = 0
        self._begin(before)

    def shown(self, one: str, after: str) -> str:
        """Return the next character as it is shown: as it is, or its mark; `after` comes after it."""
        kept = self._keeps(one, after)
        if not kept:
            self._begin("")
            self._links = 0
        # Marked or not, so that of a run all but the first are marked.
        self._before = one if kept or _JAMO.match(one) else ""
        return one if kept else f"{OPEN}{_NAMES.get(one) or f'U+{ord(one):04X}'}{CLOSE}"

    def _keeps(self, one: str, after: str) -> bool:
        if one == _EMOJI or _TONE.match(one):
            symbol = category(self._before) == "So" if self._before else False
            self._begin("")
            return symbol
        if _is_hidden(one):
            return False
        if category(one).startswith("M") or _JOINING.match(one):
            return self._joins(one, after)
        if _JAMO.match(one) and _JAMO.match(self._before):
            return False
        if not self._linked:
            self._links = 0
        self._begin(one)
        return True

    def _joins(self, one: str, after: str) -> bool:
        """Return whether a combining character may stand on what is before it, which then has it."""
        kind, link = category(one), combining(one) == _VIRAMA or _STACKER.match(one) is not None
        stacked = self._stacked + (kind == "Mn")
        if (
            not self._base
            or kind == "Me"
            or self._joined >= MAX_JOINED
            or stacked > MAX_STACKED
            or (link and self._links >= MAX_LINKS)
            or _script(one) not in ("COMBINING", _script(self._base))
            or (_STACKER.match(one) and not _is_letter_of(_script(one), after))
        ):
            return False
        self._joined += 1
        self._stacked = stacked
        if link:
            self._links += 1
            self._linked = True
        return True

    def _begin(self, base: str) -> None:
        """Begin with a character; only letters and digits bear others."""
        self._base = base if base and category(base)[0] in "LN" else ""
        self._joined = self._stacked = 0
        self._linked = False


def _is_hidden(one: str) -> bool:
    return one in (OPEN, CLOSE) or category(one) in _HIDDEN or _BLANK.match(one) is not None


def _is_letter_of(script: str, one: str) -> bool:
    return bool(one) and category(one) == "Lo" and not _is_hidden(one) and _script(one) == script


@lru_cache(maxsize=4096)
def _script(one: str) -> str:
    """Return the first word of a character's name, which is its script, or `COMBINING` for what goes with any."""
    return name(one, "").partition(" ")[0]
