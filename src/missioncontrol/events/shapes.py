"""The door for data of the catalogue's types: what is checked, what is filled in, and which types clients may not use.

Invariants:

- data that passes `fit` has every field of its shape, with the shape's type or null; fields beyond it are kept;
- a refusal names the field and what it must be;
- nothing here depends on the state: the same event is accepted or refused at any time, over any transport.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import inspect

from missioncontrol.errors import BadEvent, ReservedType
from missioncontrol.events.asking import refuse_reserved_kind, wrong_options
from missioncontrol.events.catalogue import CATALOGUE, MAX_ID_LENGTH, Shape

RESERVED_TYPES = frozenset({"question:answered", "question:closed"})
RESERVED_PREFIXES = ("state:", "notification:", "log:", "message:", "standup:", "permission:")
"""What only the server itself publishes, in whatever case it is written: types, and whole categories.

Nothing is published as `permission:…` today; it would read as what a person has decided.
"""

ASKED = "question:asked"
"""Clients publish it, but only for questions of their own kind."""

_INSTEAD = {
    "question:answered": ", or answer with POST /api/questions/{id}/answer",
    "standup:held": ", or hold one with POST /api/standups",
}


class _Record(NamedTuple):
    """A field that holds a whole record, and the names of which one must be a text there; then `also` those."""

    field: str
    ids: tuple[str, ...]
    also: tuple[str, ...] = ()


class _Fit(NamedTuple):
    shape: type[Shape]
    nulls: dict[str, Any]
    record: _Record | None


_RECORDS = {
    "task:created": _Record("task", ("id",)),
    "lead:added": _Record("lead", ("id", "leadId")),
    "question:asked": _Record("question", ("id",), ("text",)),
    "standup:held": _Record("standup", ("id",)),
}

_FITS = {
    type_: _Fit(shape, dict.fromkeys(shape.__struct_encode_fields__), _RECORDS.get(type_))
    for type_, shape in CATALOGUE.items()
}
_KINDS: dict[type, str] = {
    inspect.StrType: "a string",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.DictType: "an object",
    inspect.AnyType: "any JSON",
}
_GOTTEN = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_AT = " - at `$."
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")
_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_LONGEST = re.compile(r"length <= (?P<length>[0-9]+)")
_GOT = re.compile(r"got `(?P<kind>[^`]+)`")

_convert: Callable[..., Any] = msgspec.convert


def _prepare() -> None:
    # What msgspec knows of a type it finds out with its first use, which must not happen in two threads at once:
    # the loop and the log's writer both check data.
    for found in _FITS.values():
        with suppress(msgspec.ValidationError):
            _convert({}, found.shape)


_prepare()


def is_reserved(type_: str) -> bool:
    """Return whether only the server itself publishes events of a type."""
    folded = type_.lower()
    return folded in RESERVED_TYPES or folded.startswith(RESERVED_PREFIXES)


def refuse_reserved(types: Iterable[str]) -> None:
    """Check types that a client wants to publish.

    Raises:
        ReservedType: one of them is the server's own.
    """
    for type_ in types:
        if is_reserved(type_):
            raise ReservedType(
                f"Events of type {type_[:128]!r} are published by the server alone; use another type"
                f"{_INSTEAD.get(type_.lower(), '')}."
            )


def check_asked(data: dict[str, Any]) -> None:
    """Check the data of a `question:asked` that a client wants to publish, beyond its shape.

    Raises:
        ReservedKind: the question is of a kind that the server alone asks.
        BadEvent: its options are not as they should be.
    """
    question = data.get("question")
    if isinstance(question, dict):
        refuse_reserved_kind(question.get("kind"))
        _check_options(question.get("options"))


def fit(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return data with every field of its type's shape, null where it has none; of other types as it is.

    Raises:
        BadEvent: a field has not the type of the shape, or the one that identifies what the event is about is missing.
    """
    found = _FITS.get(type_)
    if found is None:
        return data
    try:
        _convert(data, found.shape)
    except msgspec.ValidationError as error:
        raise BadEvent(_explain(type_, found.shape, str(error))) from None
    except (RecursionError, OverflowError, ValueError) as error:
        raise BadEvent(f"The data of {type_!r} cannot be read: {error}.") from None
    if found.record is not None:
        _check_record(type_, data[found.record.field], found.record)
    elif type_ == "token:usage":
        _check_days(type_, data)
    return found.nulls | data


def describe_field(info: inspect.Type) -> str:
    """Return what a field must be, in words."""
    if isinstance(info, inspect.UnionType):
        return " or ".join(describe_field(one) for one in info.types if not isinstance(one, inspect.NoneType))
    if isinstance(info, inspect.LiteralType):
        return "one of " + ", ".join(f'"{value}"' for value in info.values)
    if isinstance(info, inspect.ListType):
        return f"a list, each of it {describe_field(info.item_type)}"
    if isinstance(info, inspect.StrType) and info.min_length:
        return "a string that is not empty"
    return _KINDS.get(type(info), "something else")


def _check_record(type_: str, record: dict[str, Any], rule: _Record) -> None:
    if not any(_is_text(record.get(name)) for name in rule.ids):
        raise BadEvent(_must(type_, f"{rule.field}.{rule.ids[0]}", "a string that is not empty", None))
    for name in (*rule.ids, *rule.also):
        value = record.get(name)
        if (value is not None or name in rule.also) and not _is_text(value):
            raise BadEvent(_must(type_, f"{rule.field}.{name}", "a string that is not empty", None))
        if name in rule.ids and value is not None and len(value) > MAX_ID_LENGTH:
            wanted = f"a string that is not empty and has at most {MAX_ID_LENGTH} characters"
            raise BadEvent(_must(type_, f"{rule.field}.{name}", wanted, None))


def _check_options(options: Any) -> None:
    if options is None:
        return
    if not isinstance(options, list):
        raise BadEvent(_must(ASKED, "question.options", "a list, each of it a string, or null", None))
    if (wrong := wrong_options(options)) is not None:
        raise BadEvent(f"In the data of {ASKED!r}, `question.options`: {wrong}")


def _check_days(type_: str, data: dict[str, Any]) -> None:
    delta = data.get("delta")
    uses = delta.get("uses") if isinstance(delta, dict) else None
    for index, use in enumerate(uses if isinstance(uses, list) else ()):
        day = use.get("day") if isinstance(use, dict) else None
        if isinstance(day, str) and _DAY.fullmatch(day) is None:
            raise BadEvent(_must(type_, f"delta.uses[{index}].day", "a day as in 2026-11-23", None))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _explain(type_: str, shape: type[Shape], message: str) -> str:
    """Put what msgspec reports into words: which field, and what it must be."""
    if missing := _MISSING.search(message):
        name, got = missing["name"], cast("str | None", "missing")
    else:
        place = message.rpartition(_AT)[2].removesuffix("`") if _AT in message else ""
        kind = _GOT.search(message)
        name, got = place, _GOTTEN.get(kind["kind"]) if kind else None
    info = cast("inspect.StructType", inspect.type_info(shape))
    top = re.split(r"[.\[]", name, maxsplit=1)[0]
    field = next((field for field in info.fields if field.encode_name == top), None)
    if field is None:
        return f"The data of {type_!r} has not the shape of its type: {message}."
    wanted = describe_field(field.type)
    if longest := _LONGEST.search(message):
        wanted += f" and has at most {longest['length']} characters"
    if field.required:
        return _must(type_, top, wanted, got)
    return _must(type_, top, f"{wanted}, or null", got)


def _must(type_: str, name: str, wanted: str, got: str | None) -> str:
    return f"In the data of {type_!r}, `{name}` must be {wanted}" + (f"; it is {got}." if got else ".")
