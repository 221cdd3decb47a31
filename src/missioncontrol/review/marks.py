"""Visible marks in place of characters that cannot be seen, or that change how the text around them is shown.

Invariants:

- marked text has no control, bidirectional or other invisible character, except the line breaks and tabs of a text of
  several lines, and the selector that makes the symbol before it an emoji;
- a mark cannot be imitated: brackets of marks in the text are marked themselves;
- marking loses nothing: texts that differ are different when they are marked.
"""

from __future__ import annotations

import re
from unicodedata import category

OPEN, CLOSE = "\u27e6", "\u27e7"

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

# Letters, symbols and combining characters that show nothing: fillers, selectors, an empty Braille cell.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0000-\U000e0fff]"
)
_EMOJI = "\ufe0f"
_UNUSUAL = re.compile(r"[^\x20-\x7e\n\t]")
_UNUSUAL_IN_LINE = re.compile(r"[^\x20-\x7e]")
_MARK = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]+){CLOSE}")
_BREAKS = frozenset({"LF", "TAB", "CR"})


def mark(text: str, *, line: bool = False) -> str:
    """Return a text with a mark in place of each character that cannot be seen, as in `⟦U+202E⟧` or `⟦ESC⟧`.

    Args:
        text: any text.
        line: it is shown on one line, so that line breaks and tabs are marked too.
    """
    return (_UNUSUAL_IN_LINE if line else _UNUSUAL).sub(_replace, text)


def marks_in(marked: str) -> list[str]:
    """Return the names of the marks in a marked text that stand for hidden characters, each once, in their order."""
    return [name for name in dict.fromkeys(_MARK.findall(marked)) if name not in _BREAKS]


def _replace(found: re.Match[str]) -> str:
    one = found[0]
    if one == _EMOJI and found.start() and category(found.string[found.start() - 1]) == "So":
        return one
    if one in (OPEN, CLOSE) or category(one) in _HIDDEN or _BLANK.match(one):
        return f"{OPEN}{_NAMES.get(one) or f'U+{ord(one):04X}'}{CLOSE}"
    return one
