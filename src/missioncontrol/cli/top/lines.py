"""Lines made of cells, and how they are written: to a terminal, changed ones only, or as plain text.

Each cell knows its column and is put there by number, so that a terminal which counts the width of an emoji or
of a mark otherwise than this does cannot move what stands next to it. Nothing reaches the terminal that it would
act on: every text of a cell goes through `defuse`.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from missioncontrol.events.sentences import clean, defuse

ELLIPSIS = "…"
_BLANKS = str.maketrans("\t\n\r", "   ")

_COLOURS = {
    "title": "1;36",
    "brand": "1;97;44",
    "bar": "97;44",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "note": "36",
    "key": "1;36",
    "busy": "32",
    "online": "36",
    "idle": "33",
    "waiting": "1;35",
    "error": "1;31",
    "offline": "2",
    "unknown": "2",
    "agent": "36",
    "task": "33",
    "lead": "35",
    "token": "32",
    "system": "31",
    "file": "34",
    "question": "35",
}
_ATTRIBUTES = {"dim": "2", "bold": "1", "selected": "7"}
_WITHOUT_COLOUR = {
    "title": "1",
    "brand": "1;7",
    "bar": "7",
    "bad": "1",
    "waiting": "1",
    "error": "1",
    "offline": "2",
    "unknown": "2",
    "key": "1",
}


class Cell(NamedTuple):
    """A text at a column; it is cut, or filled with blanks, to its width."""

    column: int
    width: int
    text: str
    style: str = ""
    right: bool = False


Line = tuple[Cell, ...]


def fit(text: object, width: int, *, right: bool = False) -> str:
    """Write a text in exactly so many columns of a terminal, on one line and without control characters."""
    plain = defuse(str(text).translate(_BLANKS))
    if width <= 0:
        return ""
    length = cell_len(plain)
    if length > width:
        # A wide character that would be cut in two leaves a blank, which belongs behind the sign.
        return set_cell_size(set_cell_size(plain, width - 1).rstrip() + ELLIPSIS, width)
    return " " * (width - length) + plain if right else plain + " " * (width - length)


def wrap(text: object, width: int, most: int) -> list[str]:
    """Break a text into lines of at most `width` columns, `most` of them at most; words longer than a line are cut."""
    lines: list[str] = []
    current = ""
    for word in clean(text).split(" "):
        longer = f"{current} {word}" if current else word
        if cell_len(longer) <= width:
            current = longer
            continue
        if current:
            lines.append(current)
        current = fit(word, width).rstrip() if cell_len(word) > width else word
    lines.append(current)
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(f"{lines[most - 1]} {ELLIPSIS}", width).rstrip()]
    return lines


class Styles:
    """What a style looks like: a sequence of SGR codes (ECMA-48), or nothing where all is to be plain."""

    def __init__(self, *, colour: bool, plain: bool = False) -> None:
        """With `plain` there are no codes at all; without `colour` there is bold, dim and reverse."""
        self._codes: dict[str, str] = {}
        if not plain:
            self._codes = {**(_COLOURS if colour else _WITHOUT_COLOUR), **_ATTRIBUTES}

    def paint(self, text: str, style: str) -> str:
        """Put the codes of the styles, separated by blanks, around a text."""
        codes = ";".join(self._codes[name] for name in style.split() if name in self._codes)
        return f"\x1b[{codes}m{text}\x1b[m" if codes else text


def draw(line: Line, styles: Styles) -> str:
    """Write a line with each cell put at its column."""
    return "".join(
        f"\x1b[{cell.column + 1}G{styles.paint(fit(cell.text, cell.width, right=cell.right), cell.style)}"
        for cell in line
        if cell.width > 0
    )


def as_text(line: Line, styles: Styles) -> str:
    """Write a line with blanks between its cells, for a file or a pipe."""
    parts: list[str] = []
    at = 0
    for cell in line:
        parts.append(" " * max(0, cell.column - at))
        parts.append(styles.paint(fit(cell.text, cell.width, right=cell.right), cell.style))
        at = max(at, cell.column) + cell.width
    return "".join(parts).rstrip()


class Screen:
    """The alternate screen of a terminal; it remembers what it shows, and writes what is different."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._shown: list[str] = []
        self._size = (0, 0)

    def enter(self) -> str:
        """Change to the alternate screen, without a cursor, and let long lines end at the edge."""
        return "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"

    def leave(self) -> str:
        """Give back what was on the terminal before."""
        return "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"

    def forget(self) -> None:
        """Write everything again at the next update: something else has written on the screen."""
        self._size = (0, 0)

    def update(self, lines: list[Line], size: tuple[int, int], cursor: tuple[int, int] | None = None) -> str:
        """Return what turns the screen into these lines; `cursor` is the column and row where one is typed."""
        height = size[1]
        drawn = [draw(line, self._styles) for line in lines[:height]]
        drawn += [""] * (height - len(drawn))
        parts: list[str] = []
        if size != self._size:
            self._size, self._shown = size, []
            parts.append("\x1b[2J")
        for row, text in enumerate(drawn):
            if row >= len(self._shown) or self._shown[row] != text:
                parts.append(f"\x1b[{row + 1};1H\x1b[2K{text}")
        self._shown = drawn
        if cursor is None:
            parts.append("\x1b[?25l" if parts else "")
        else:
            parts.append(f"\x1b[{cursor[1] + 1};{cursor[0] + 1}H\x1b[?25h")
        return "".join(parts)
