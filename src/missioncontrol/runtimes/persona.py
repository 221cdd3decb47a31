"""The agent's name in the first message of a session.

The agents are not known where transcripts are read, and may change later. So the text after "You are" is kept, up to
the length of a name, and compared with the names when they are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from unicodedata import category, normalize

import msgspec

from missioncontrol.runtimes.lines import BrokenLineError, decode, shorten
from missioncontrol.runtimes.records import MAX_FIRST_MESSAGE

_SEARCHED = 4_000
_LENGTHS = (64, 40, 40, 40)
"""How many characters are kept after each "You are"; together no more than a name may have."""

_YOU_ARE = re.compile(r"\byou[^\S\n]+are[^\S\n]+(?=([^\n]{1,400}))", re.IGNORECASE)
_SIGNS = "*_`\"'“”‘’«»„「」 "
"""What a name may be set in."""

_BRACKETS = "([{<"
_SYMBOLS = frozenset({"So", "Sk", "Cn"})
"""The Unicode categories of emoji; one that is newer than Python's tables has no character yet."""

_ALIKE = {
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10))),
    **dict.fromkeys((0x2018, 0x2019, 0x02BC), "'"),
}
"""Characters that are not seen, such as an emoji's choice of colour, and the forms of an apostrophe."""

_LEADING = (re.compile(r"now (?=.)"), re.compile(r"(?:the|an?) (?=.)"), re.compile(r"agent (?=.)"))
_WORD = re.compile(r"[^\W_]+|.", re.DOTALL)
_GOES_ON = re.compile(r"_*[^\W_]|[-'][^\W_]")
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
    """Return a name as names are compared: whatever its case, its blanks and the code of its accents and signs."""
    return " ".join(normalize("NFC", normalize("NFC", name).casefold()).translate(_ALIKE).split())


def without_signs(name: str) -> str:
    """Return a folded name without the emoji and quotes before and after it; "" where it is nothing else."""
    start, end = 0, len(name)
    while start < end and _is_sign(name[start]):
        start += 1
    while start < end and _is_sign(name[end - 1]):
        end -= 1
    return name[start:end]


def _is_sign(character: str) -> bool:
    return character in _SIGNS or category(character) in _SYMBOLS


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
    """Return the texts that may begin with a name: unchanged, without signs, without "now", "the" and "agent"."""
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
            for text in (rest, _without_leading_signs(rest)):
                if text and text != words:
                    words = text
                    yield words


def _without_leading_signs(words: str) -> str:
    start = 0
    while start < len(words) and (_is_sign(words[start]) or words[start] in _BRACKETS):
        start += 1
    return words[start:]
