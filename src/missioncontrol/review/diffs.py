"""What an edit changes, line by line, with nothing left out.

A line of a diff begins with ` ` (as before), `-` (goes) or `+` (comes).
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

MAX_COMPARED_LINES = 600
MAX_EQUAL_PAIRS = 10_000
"""Beyond this many lines of either side, or pairs of equal lines, nothing is compared: everything goes, and everything
comes. Comparing costs what the pairs cost, for each stretch that differs."""


def diff(before: str, after: str) -> str:
    """Return the lines of two texts as a diff; lines are separated by line feeds alone."""
    old, new = before.split("\n"), after.split("\n")
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    head, tail = old[:start], old[len(old) - end :]
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    lines = [*_lines(" ", head), *_compared(old, new), *_lines(" ", tail)]
    return "\n".join(lines)


def added(text: str) -> str:
    """Return a text as a diff in which every line comes; an empty text has none."""
    return "\n".join(_lines("+", text.split("\n"))) if text else ""


def _compared(old: list[str], new: list[str]) -> list[str]:
    counts = Counter(new)
    pairs = sum(counts[line] for line in old)
    if max(len(old), len(new)) > MAX_COMPARED_LINES or pairs > MAX_EQUAL_PAIRS:
        return [*_lines("-", old), *_lines("+", new)]
    lines: list[str] = []
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += _lines(" ", old[i:j])
        else:
            lines += [*_lines("-", old[i:j]), *_lines("+", new[k:m])]
    return lines


def _common(one: list[str], other: list[str]) -> int:
    """Return how many lines are the same at the beginning."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _lines(sign: str, lines: list[str]) -> list[str]:
    return [sign + line for line in lines]
