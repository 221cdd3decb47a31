"""What the first words that a session is told say about who it is."""

from __future__ import annotations

import re

import msgspec

from missioncontrol.runtimes.lines import BrokenLineError, decode, shorten
from missioncontrol.runtimes.records import MAX_FIRST_MESSAGE

_SEARCHED = 4_000
_OPENING = r"\b[Yy]ou are (?:now )?(?:the |an? )?(?:agent )?[*_`\"'“‘]*"
_NAMED = re.compile(_OPENING + r"([A-Z0-9][\w-]*(?: [A-Z][\w-]*){0,2})")
_SMALL = re.compile(_OPENING + r"([a-z][\w-]*)(?:[*`\"'”’][*_`\"'”’]*)?(?:[,.;:!—–(\n]| [-—–] |$)")
_NO_NAMES = frozenset({"A", "Agent", "An", "And", "At", "For", "From", "In", "Of", "On", "The", "To", "With"})


class _Item(msgspec.Struct):
    type: str | None = None
    text: str | None = None


_items = msgspec.json.Decoder(list[_Item | str])
_text = msgspec.json.Decoder(str)


def text_of(content: bytes) -> str:
    """Return the text of a message's content, JSON of a string or of a list of items; "" where it has none."""
    content = bytes(content)
    try:
        if content.lstrip()[:1] == b'"':
            return decode(_text, content) or ""
        for item in decode(_items, content) or []:
            if isinstance(item, str):
                return item
            if item.text and item.type in ("text", "input_text", None):
                return item.text
    except BrokenLineError:
        pass
    return ""


def first_words(text: str) -> str:
    """Return the beginning of a first user message, as it is shown."""
    return shorten(text, MAX_FIRST_MESSAGE)


def persona_of(text: str) -> str | None:
    """Return NAME where a first user message says "You are NAME".

    A name is one to three words with capital letters; a single small word is one where the sentence goes on after it as
    after a name: "You are scout, …".
    """
    beginning = text[:_SEARCHED]
    for match in _NAMED.finditer(beginning):
        words = match[1].split(" ")
        name = words[: next((at for at, word in enumerate(words) if word in _NO_NAMES), len(words))]
        if name:
            return " ".join(name)
    small = _SMALL.search(beginning)
    return small[1] if small else None
