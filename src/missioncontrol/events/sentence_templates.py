"""Sentences from templates: the catalogue of what people read about events, the same for the server and the browser.

A template is text with fields in braces and parts in brackets:

- `{task.id}` is the value at that path in an event's data, `{task.description|task.title}` the first that has one.
- `{cost:dollars}` writes the value in a format: one of those below, a list of `words` in the catalogue that has a word
  for it (also for `null`, and for a field that is `missing`), or one of its `plurals`.
- `[ by {assignedBy:agent}]` is left out where one of its fields has no value.

Of several templates for a type the first is taken whose fields all have values. `web/src/fleet/sentences.ts` does the
same with the same catalogue; `spec/sentences.json` holds events and sentences for both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

NameOf = Callable[[str], str]
"""Turns an agent's id into its name."""

MAX_LISTED = 20
"""How many elements of a list a sentence has."""
MAX_CHANGE = 40
"""How many characters of a field's new value a sentence has."""

_MAX_NUMBER = 2**53
"""From here on a browser cannot tell one whole number from the next."""

_MISSING = object()
_TOKEN = re.compile(r"\{([^{}]*)\}|([\[\]])|([^\[\]{}]+)")
_CAPITAL = re.compile(r"([A-Z])")


class Template(msgspec.Struct, frozen=True):
    """A sentence as its subject, which a page sets apart, and the rest."""

    subject: str
    text: str


class Catalogue(msgspec.Struct):
    """The sentences of one language, with what is between elements of lists, and words for values and counts."""

    language: str
    separators: dict[str, str]
    words: dict[str, dict[str, str]]
    plurals: dict[str, dict[str, str | None]]
    sentences: dict[str, list[Template]]
    gap: list[Template]


class Sentence(NamedTuple):
    """What is said of an event: who or what it is about, and what of it."""

    subject: str
    text: str


class _Value(NamedTuple):
    path: tuple[str, ...]
    format: str


class _Field(NamedTuple):
    values: tuple[_Value, ...]


class _Optional(NamedTuple):
    parts: tuple[_Part, ...]


_Part = str | _Field | _Optional


class Sentences:
    """The sentences of a catalogue, read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read the templates.

        Args:
            catalogue: the sentences of one language.

        Raises:
            ValueError: a template has brackets that are not closed.
        """
        self._catalogue = catalogue
        self._by_type = {type_: _read_all(found) for type_, found in catalogue.sentences.items()}
        self._gap = _read_all(catalogue.gap)

    @property
    def types(self) -> frozenset[str]:
        """The types of events that have sentences."""
        return frozenset(self._by_type)

    def of_event(self, type_: str, data: Mapping[str, Any], name_of: NameOf = str) -> Sentence | None:
        """Return what an event says; None where its type has no sentence, or its data not what the sentences need.

        Args:
            type_: the event's type.
            data: its data.
            name_of: turns an agent's id into its name; without it agents are called by their ids.
        """
        return self._first(self._by_type.get(type_, ()), data, name_of)

    def of_gap(self, start: int, end: int, reason: str) -> Sentence:
        """Return what a gap says.

        Args:
            start: the id of the first event that is missing.
            end: that of the last one.
            reason: why: `trimmed`, `epoch`, `ahead`, or what else a server says.
        """
        data: dict[str, Any] = {"from": start, "count": max(1, end - start + 1), "reason": reason}
        if end > start:
            data["to"] = end
        return self._first(self._gap, data, str) or Sentence(str(start), reason)

    def size(self, value: float) -> str:
        """Return a number of bytes as people read it."""
        if value < 1024:
            return self._plural("byteCount", value) or ""
        for unit in ("KiB", "MiB", "GiB"):
            value /= 1024
            if value < 1024:
                return f"{_rounded(value, 1)} {unit}"
        return f"{_rounded(value / 1024, 1)} TiB"

    def _first(
        self,
        templates: Sequence[tuple[tuple[_Part, ...], tuple[_Part, ...]]],
        data: Mapping[str, Any],
        name_of: NameOf,
    ) -> Sentence | None:
        for subject, text in templates:
            about = self._render(subject, data, name_of)
            rest = None if about is None else self._render(text, data, name_of)
            if about is not None and rest is not None:
                return Sentence(about, rest)
        return None

    def _render(self, parts: tuple[_Part, ...], data: Mapping[str, Any], name_of: NameOf) -> str | None:
        """Return the parts as text; None where a field that is not optional has no value."""
        found: list[str] = []
        for part in parts:
            if isinstance(part, str):
                found.append(part)
            elif isinstance(part, _Optional):
                found.append(self._render(part.parts, data, name_of) or "")
            elif (value := self._field(part, data, name_of)) is None:
                return None
            else:
                found.append(value)
        return "".join(found)

    def _field(self, field: _Field, data: Mapping[str, Any], name_of: NameOf) -> str | None:
        for path, format_ in field.values:
            written = self._write(format_, _at(data, path), data, name_of)
            if written is not None:
                return written
        return None

    def _write(self, format_: str, value: Any, data: Mapping[str, Any], name_of: NameOf) -> str | None:
        if (words := self._catalogue.words.get(format_)) is not None:
            return words.get(_key(value))
        if format_ in self._catalogue.plurals:
            return self._plural(format_, len(value) if isinstance(value, list) else _number(value))
        match format_:
            case "":
                return _text(value)
            case "agent":
                id_ = _text(value)
                return None if id_ is None else name_of(id_)
            case "path":
                return _path(value, data.get("agentId"))
            case "bytes":
                size = _number(value)
                return None if size is None else self.size(size)
            case "list" | "options":
                return self._listed(value, format_)
            case "changes":
                return self._changes(value)
        number = _number(value)
        if number is None:
            return None
        match format_:
            case "dollars":
                return f"{'-' if number < 0 else ''}${_rounded(abs(number), 2)}"
            case "percent":
                return f"{_rounded(number, 0)}%"
            case "amount":
                return _rounded(abs(number), 0)
            case "count":
                return _rounded(number, 0)
            case _:
                return _rounded(number, 2).rstrip("0").rstrip(".")

    def _plural(self, name: str, count: float | None) -> str | None:
        forms = self._catalogue.plurals[name]
        if count is None:
            return None
        if count == 0 and "=0" in forms:
            return forms["=0"]
        form = forms.get("one") if count == 1 else None
        return (form or forms["other"] or "").replace("{n}", _rounded(count, 0))

    def _listed(self, value: Any, format_: str) -> str | None:
        if not isinstance(value, list):
            return None
        texts = [text for one in value[:MAX_LISTED] if (text := _text(one)) is not None]
        if len(value) > MAX_LISTED:
            texts.append("…")
        return self._catalogue.separators[format_].join(texts) or None

    def _changes(self, value: Any) -> str | None:
        """Return the fields that have changed, with their values where those are short enough to read."""
        if not isinstance(value, dict):
            return None
        names = [name for name in value if name != "updated"] or list(value)
        parts = [self._change(name, value[name]) for name in names[:MAX_LISTED]]
        if len(names) > MAX_LISTED:
            parts.append("…")
        return self._catalogue.separators["changes"].join(parts) or None

    def _change(self, name: str, value: Any) -> str:
        # As words: `lastActive` is "last active".
        words = _CAPITAL.sub(r" \1", name).lower()
        text = self._catalogue.words["value"].get(_key(value)) or _text(value)
        if text is None:
            return words
        if len(text) > MAX_CHANGE:
            text = f"{text[:MAX_CHANGE]}…"
        return f"{words}{self._catalogue.separators['change']}{text}"


def _read_all(templates: Sequence[Template]) -> tuple[tuple[tuple[_Part, ...], tuple[_Part, ...]], ...]:
    return tuple((_read(one.subject), _read(one.text)) for one in templates)


def _read(template: str) -> tuple[_Part, ...]:
    if _TOKEN.sub("", template):
        raise ValueError(f"A bracket is not closed: {template}")
    stack: list[list[_Part]] = [[]]
    for field, bracket, text in _TOKEN.findall(template):
        if bracket == "[":
            stack.append([])
        elif bracket == "]":
            parts = stack.pop()
            if not stack:
                break
            stack[-1].append(_Optional(tuple(parts)))
        elif text:
            stack[-1].append(text)
        else:
            stack[-1].append(_Field(tuple(map(_value, field.split("|")))))
    if len(stack) != 1:
        raise ValueError(f"A bracket is not closed: {template}")
    return tuple(stack[0])


def _value(text: str) -> _Value:
    path, _, format_ = text.partition(":")
    return _Value(tuple(path.split(".")), format_)


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return _MISSING
        data = data[key]
    return data


def _key(value: Any) -> str:
    """Return under which key a list of words has a word for a value; an empty one for what has none."""
    if value is _MISSING:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    number = _number(value)
    return None if number is None else _plain(number)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN is not below either.
    return float(value) if abs(value) < _MAX_NUMBER else None


def _plain(number: float) -> str:
    """Return a number without separators, as an id has it."""
    return str(int(number)) if number == int(number) else str(number)


def _rounded(number: float, places: int) -> str:
    """Return a number with so many decimal places, halves rounded up, and with separators of thousands."""
    scale = 10**places
    scaled = math.floor(abs(number) * scale + 0.5)
    whole, rest = divmod(scaled, scale)
    sign = "-" if number < 0 and scaled else ""
    return f"{sign}{whole:,}" + (f".{rest:0{places}}" if places else "")


def _path(value: Any, agent: Any) -> str | None:
    """Return a path; one in the agent's own folder from there on: where that is is the same for all of its files."""
    path = _text(value)
    if path is None or not isinstance(agent, str):
        return path
    own = path.find(f"/agents/{agent}/")
    return path if own < 0 else path[own + 1 :]
