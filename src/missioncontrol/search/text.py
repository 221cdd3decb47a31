"""The searchable text of an event, and where in it the matches are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from missioncontrol.events import Event
from missioncontrol.events.hosts import UNASSIGNED
from missioncontrol.redaction import LONGEST_SECRET, redact_field
from missioncontrol.search.query import Term, tag

MAX_TEXT = 4_000
"""How many characters of an event are searchable."""

MAX_DEPTH = 6
AROUND = 80
"""How many characters are shown before the first match, and twice as many after it."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_AGENTS = ("agentId", "agent", "assignedTo")


def text_of(event: Event, *, redacts: bool = True) -> str:
    """Return the words of an event: its type, and every text in its data but times, each once, on a line of its own.

    Args:
        event: the event.
        redacts: whether secrets are masked.
    """
    lines = {event.type: None}
    room = MAX_TEXT
    for name, line in _texts(event.data, MAX_DEPTH):
        if room <= 0:
            break
        if not _MOMENT.match(line):
            if redacts:
                line = redact_field(name, line[: room + LONGEST_SECRET])
            lines[line[:room]] = None
            room -= len(line)
    return "\n".join(lines)


def agents_of(event: Event) -> list[str]:
    """Return the agents that an event is about."""
    found: dict[str, None] = {}
    places = [event.data, *(event.data.get(name) for name in ("task", "updates", "details", "question"))]
    for place in places:
        if isinstance(place, dict):
            for name in _AGENTS:
                value = place.get(name)
                if isinstance(value, str) and value and value.casefold() != UNASSIGNED:
                    found[value] = None
    agent = event.data.get("agent")
    if isinstance(agent, dict) and isinstance(agent.get("id"), str):
        found[agent["id"]] = None
    return list(found)


def tags_of(event: Event) -> str:
    """Return the tags of an event: its type, category, agents and host."""
    category = event.type.partition(":")[0]
    tags = [tag("type", event.type), tag("category", category)]
    for agent in agents_of(event):
        tags.append(tag("agent", agent))
        if event.host is not None and agent.endswith(f"@{event.host}"):
            tags.append(tag("agent", agent.removesuffix(f"@{event.host}")))
    if event.host is not None:
        tags.append(tag("host", event.host))
    return " ".join(tags)


def _texts(value: Any, depth: int, name: str = "") -> Iterator[tuple[str, str]]:
    """Return the texts in a value, each with the name of the field that it is in."""
    if isinstance(value, str):
        if value:
            yield name, value
    elif depth and isinstance(value, dict):
        for field, inner in value.items():
            yield from _texts(inner, depth - 1, field)
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _texts(inner, depth - 1, name)


def snippet(text: str, terms: Sequence[Term]) -> tuple[str, list[tuple[int, int]]]:
    """Return the part of a text around the first match.

    Returns:
        the part, and the matches in it as beginning and end.
    """
    plain = _plain(text)
    pattern = _pattern(tuple(term for term in terms if not term.unwanted))
    matches = [] if pattern is None else [match.span() for match in pattern.finditer(plain)]
    first = matches[0][0] if matches else 0
    begin = 0 if first <= AROUND else _word_boundary(text, first - AROUND)
    end = min(len(text), first + 2 * AROUND)
    shown = [(start - begin, stop - begin) for start, stop in matches if begin <= start and stop <= end]
    head, tail = ("…" if begin else ""), ("…" if end < len(text) else "")
    part = f"{head}{text[begin:end]}{tail}".replace("\n", " ")
    return part, [(start + len(head), stop + len(head)) for start, stop in shown]


def _word_boundary(text: str, at: int) -> int:
    space = text.find(" ", at, at + 20)
    return at if space < 0 else space + 1


@lru_cache(maxsize=256)
def _pattern(terms: tuple[Term, ...]) -> re.Pattern[str] | None:
    parts = []
    for term in sorted(terms, key=lambda one: -len(one.text)):
        # The index does not take an underscore for a letter.
        words = re.findall(r"[^\W_]+", _plain(term.text))
        if words:
            ending = r"(?![^\W_])" if term.exact else r"[^\W_]*"
            parts.append(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, words)) + ending)
    return re.compile("|".join(parts)) if parts else None


def _plain(text: str) -> str:
    """Return a text without case and accents, with every character at its original position."""
    if text.isascii():
        return text.lower()
    return "".join(unicodedata.normalize("NFD", character)[0].lower()[:1] or character for character in text)
