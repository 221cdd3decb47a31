"""Events and records without the texts that the scope `fleet` does not include.

Those are the texts of questions, permissions, their answers, and messages between people and agents, also where a
notification or a standup repeats them. Ids, kinds, times and statuses remain, so that a fold of reduced events has the
same records, and ids remain consecutive.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from missioncontrol.events.event import Data, Record, read_event

HIDDEN_TEXT = "(hidden: this needs the scope read)"
"""What reduced events have in the place of a text."""

REDUCED_CATEGORIES = ("question", "message", "notification", "standup")

_MARKED = tuple(f'{{"type":"{category}:'.encode() for category in REDUCED_CATEGORIES)
_TYPES = tuple(f"{category}:" for category in REDUCED_CATEGORIES)
_DATA = re.compile(rb',"data":\{')
_KEPT = {
    "question": frozenset(
        {"id", "kind", "agentId", "taskId", "askedAt", "askedBy", "expiresAt", "status", "event", "host"}
        | {"answeredBy", "answeredAt", "reason", "closedAt"}
    ),
    "question:answered": frozenset({"questionId", "answeredBy", "timestamp"}),
    "question:closed": frozenset({"questionId", "reason", "timestamp"}),
    "message": frozenset({"agentId", "messageId", "via", "timestamp"}),
    "notification": frozenset(
        {"rule", "rules", "destinations", "destination", "count", "eventIds", "attempts", "test", "timestamp"}
    ),
}


_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_reduced(type_: str) -> bool:
    """Return whether events of this type have texts that are left out."""
    return type_.startswith(_TYPES)


def reduced_record(record: Record) -> Record:
    """Return a record without those texts; the same one where it has none."""
    if not record.type.startswith(_TYPES):
        return record
    body = reduced_body(record.body)
    return Record(record.id, record.type, record.time, body)


def reduced_body(body: bytes) -> bytes:
    """Return the JSON of an event without those texts; the same bytes where it has none."""
    if not body.startswith(_MARKED):
        return body
    event = read_event(body)
    start = _DATA.search(body)
    # Every body is written by `write_body`, with `data` last.
    head = body[: start.start()] if start else body[:-1]
    return b'%b,"data":%b}' % (head, msgspec.json.encode(reduced_data(event.type, event.data)))


def reduced_data(type_: str, data: Data) -> Data:
    """Return the data of an event without those texts."""
    category = type_.partition(":")[0]
    if type_ == "question:asked":
        question = data.get("question")
        asked = reduced_question(question) if isinstance(question, dict) else None
        return {**_only(data, frozenset({"timestamp"})), "question": asked}
    if category == "standup":
        return {name: _without_questions(value) for name, value in data.items()}
    kept = _only(data, _KEPT.get(type_) or _KEPT.get(category) or frozenset({"timestamp"}))
    if type_ == "question:answered":
        kept["answer"] = HIDDEN_TEXT
    return kept


def reduced_question(question: Data) -> Data:
    """Return a question without its text, options, details and answer."""
    kept = {**_only(question, _KEPT["question"]), "text": HIDDEN_TEXT, "options": []}
    if "answer" in question:
        kept["answer"] = HIDDEN_TEXT
    return kept


def reduced_snapshot(snapshot: bytes) -> bytes:
    """Return the JSON of a state without those texts."""
    parts = _parts.decode(snapshot)
    questions = msgspec.json.decode(parts.get("questions", b"[]"))
    standups = msgspec.json.decode(parts.get("standups", b"[]"))
    return msgspec.json.encode(
        {
            **parts,
            "questions": [reduced_question(one) for one in questions],
            "standups": [_without_questions(one) for one in standups],
        }
    )


def _only(data: Data, names: frozenset[str]) -> Data:
    return {name: value for name, value in data.items() if name in names}


def _without_questions(value: Any) -> Any:
    """Hide the texts of the questions of a standup."""
    if isinstance(value, list):
        return [_without_questions(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _hidden(inner) if name == "questions" else _without_questions(inner)
        for name, inner in value.items()
    }


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    if isinstance(value, dict):
        return {name: HIDDEN_TEXT if name == "text" else _hidden(inner) for name, inner in value.items()}
    return value
