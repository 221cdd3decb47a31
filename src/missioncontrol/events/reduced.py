"""Events and records without the texts that the scope `fleet` does not include.

Those are the texts of questions, permissions, their answers, and messages between people and agents, also where a
notification, a standup or an alert repeats them, and what agents' records and events have from transcripts: why an
agent waits or has failed (`statusDetail`), and the tool that it has called (`activity`). Ids, kinds, times and statuses
remain, so that a fold of reduced events has the same records, and ids remain consecutive.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from missioncontrol.events.decoding import decode_json
from missioncontrol.events.event import Data, Record, read_event

HIDDEN_TEXT = "(hidden: this needs the scope read)"
"""What reduced events have in the place of a text."""

REDUCED_CATEGORIES = ("question", "message", "notification", "standup", "agent")

_TYPES = (*(f"{category}:" for category in REDUCED_CATEGORIES), "state:baseline", "system:alert")
_MARKED = tuple(f'{{"type":"{begin}'.encode() for begin in _TYPES)
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


_OF_TRANSCRIPTS = frozenset({"statusDetail", "activity"})
"""The fields of agents that come from transcripts and hooks."""

_OF_CALLS = frozenset({"tool", "call", "questionId"})
"""What the details of an alert have that is about one call of a tool, and tells it in its message."""

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
        return {name: _reduced_standup(value) for name, value in data.items()}
    if category == "agent":
        return reduced_agent(data)
    if type_ == "state:baseline":
        return {
            name: _without_transcripts(value) if name == "agents" else value for name, value in data.items()
        }
    if type_ == "system:alert":
        return reduced_alert(data)
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


def reduced_agent(agent: Data) -> Data:
    """Return an agent's record, or the data of an event about one, without what comes from transcripts."""
    return {
        name: HIDDEN_TEXT if name in _OF_TRANSCRIPTS and value else _without_transcripts(value)
        for name, value in agent.items()
    }


def reduced_alert(alert: Data) -> Data:
    """Return an alert; one about a call of a tool without the call."""
    details = alert.get("details")
    if not isinstance(details, dict) or _OF_CALLS.isdisjoint(details):
        return alert
    kept = {name: value for name, value in details.items() if name == "questionId" or name not in _OF_CALLS}
    return {**alert, "message": HIDDEN_TEXT, "details": kept}


def reduced_system(system: Data) -> Data:
    """Return the part of a state about the system, its alerts as `reduced_alert` has them."""
    return {**system, "alerts": [reduced_alert(one) for one in system["alerts"]]}


def reduced_snapshot(snapshot: bytes) -> bytes:
    """Return the JSON of a state without those texts."""
    parts = _parts.decode(snapshot)
    agents, questions, standups = (
        decode_json(parts.get(name, b"[]")) for name in ("agents", "questions", "standups")
    )
    system = decode_json(parts.get("system", b'{"alerts":[]}'))
    return msgspec.json.encode(
        {
            **parts,
            "agents": [reduced_agent(one) for one in agents],
            "system": reduced_system(system),
            "questions": [reduced_question(one) for one in questions],
            "standups": [_reduced_standup(one) for one in standups],
        }
    )


def _only(data: Data, names: frozenset[str]) -> Data:
    return {name: value for name, value in data.items() if name in names}


def _without_transcripts(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_transcripts(one) for one in value]
    return reduced_agent(value) if isinstance(value, dict) else value


def _reduced_standup(value: Any) -> Any:
    """Hide the texts of the questions and alerts of a standup, which does not say what its alerts are about."""
    if isinstance(value, list):
        return [_reduced_standup(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _hidden(inner) if name in ("questions", "alerts") else _reduced_standup(inner)
        for name, inner in value.items()
    }


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    if isinstance(value, dict):
        return {
            name: HIDDEN_TEXT if name in ("text", "message") else _hidden(inner)
            for name, inner in value.items()
        }
    return value
