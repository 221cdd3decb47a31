"""Texts that others wrote, within a Markdown document: they can make no markup, no HTML and no link."""

from __future__ import annotations

import re
from html import escape, unescape

from missioncontrol.events.sentences import clean, defuse

_MARKUP = re.compile(r"([\\`*_{}\[\]#|~!()+])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]#|~!()+])")
_LINE_ENDS = re.compile(r"[\r\n]+")


def markdown_text(value: object) -> str:
    """Write anything as a line of plain text (CommonMark, section 2.4)."""
    return _escaped(clean(value))


def markdown_cell(value: object) -> str:
    """Write anything as the cell of a table; its lines are parted by `<br>`."""
    return "<br>".join(_escaped(defuse(line)) for line in _LINE_ENDS.split(str(value)))


def plain_cell(cell: str) -> str:
    """Read what `markdown_cell` has written."""
    return unescape(_ESCAPED.sub(r"\1", cell.replace("<br>", "\n")))


def _escaped(text: str) -> str:
    # As entities: some readers of Markdown pass on HTML whose bracket has a backslash before it.
    return _MARKUP.sub(r"\\\1", escape(text, quote=False))
