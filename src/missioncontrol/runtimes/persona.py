"""The agent's name in the first message of a session.

The agents are not known where transcripts are read, and may change later. So the text after "You are" is kept, up to
the length of a name, and compared with the names when they are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from unicodedata import normalize

import msgspec

from missioncontrol.runtimes.lines import BrokenLineError, decode, shorten
from missioncontrol.runtimes.records import MAX_FIRST_MESSAGE

_SEARCHED = 4_000
_LENGTHS = (64, 40, 40, 40)
"""How many characters are kept after each "You are"; together no more than a name may have."""

_YOU_ARE = re.compile(r"\byou[^\S\n]+are[^\S\n]+(?=([^\n]{1,400}))", re.IGNORECASE)
_SIGNS = "*_`\"'“”‘’«»„「」 "
"""What a name may be set in."""

_LEADING = (re.compile(r"now (?=.)"), re.compile(r"(?:the|an?) (?=.)"), re.compile(r"agent (?=.)"))
_WORD = re.compile(r"\w+|\W")
_GOES_ON = re.compile(r"\w|[-'’]\w")
"""What makes a name part of a longer word: Scout is not meant by Scouting, scout-2 or Scout's."""


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
    """Return what a first user message says after "You are", a line for each time it says so; None where it does not.

    It is bounded, whatever the message is; see `Names.called` for what it is kept for.
    """
    found: list[str] = []
    for match in _YOU_ARE.finditer(text[:_SEARCHED]):
        words = " ".join(match[1].split())[: _LENGTHS[len(found)]].strip()
        found += [words] if words else []
        if len(found) == len(_LENGTHS):
            break
    return "\n".join(found) or None


def folded(name: str) -> str:
    """Return a name as names are compared: whatever its case, its blanks and the code of its accents."""
    return " ".join(normalize("NFC", normalize("NFC", name).casefold()).split())


class Names:
    """The names by which sessions may be called, and whose each is."""

    def __init__(self, owners: Mapping[str, str] | None = None) -> None:
        """Take names, folded, with the ids of their agents."""
        self.owners = owners or {}
        # Of the names that begin with a word, how long the longest is.
        self._longest: dict[str, int] = {}
        for name in self.owners:
            word = first_word(name)
            self._longest[word] = max(len(name), self._longest.get(word, 0))

    def called(self, persona: str) -> str | None:
        """Return the id of the agent that a session is called by; None where it is by no name.

        It is by the longest name that the words after "You are" begin with, where no word goes on after it; of several
        times that it says so, by the first that begin with a name.
        """
        for words in _spellings(persona):
            for end in range(min(len(words), self._longest.get(first_word(words), 0)), 0, -1):
                if (owner := self.owners.get(words[:end])) is not None and _ends(words, end):
                    return owner
        return None


def first_words_of(persona: str) -> set[str]:
    """Return the words one of which a name must begin with that may be meant; see `first_word`."""
    return {first_word(words) for words in _spellings(persona)}


def first_word(name: str) -> str:
    """Return the first word of a name, folded, or the sign that it begins with; "" of an empty one."""
    found = _WORD.match(name)
    return found[0] if found else ""


def _ends(words: str, end: int) -> bool:
    return not words[end - 1].isalnum() or _GOES_ON.match(words, end) is None


def _spellings(persona: str) -> Iterator[str]:
    """Return the texts that may begin with a name: unchanged, without quotes, without "now", "the" and "agent"."""
    for line in persona.split("\n"):
        words = folded(line)
        if words:
            yield words
        for leading in (None, *_LEADING):
            rest = (
                words
                if leading is None
                else leading.sub("", words, count=1)
                if leading.match(words)
                else words
            )
            rest = rest.lstrip(_SIGNS)
            if rest and rest != words:
                words = rest
                yield words
