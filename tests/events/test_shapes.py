"""What data of the catalogue's types must be, and how deep any data may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.errors import BadEvent, ReservedType
from missioncontrol.events import (
    CATALOGUE,
    MAX_ID_LENGTH,
    Draft,
    convert_drafts,
    decode_drafts,
    encode_data,
    read_event,
    read_record,
)
from missioncontrol.events.limits import MAX_DEPTH, deeper_than, is_deeper
from missioncontrol.events.shapes import fit
from missioncontrol.server.asyncapi import EXAMPLES

SEED: list[tuple[str, dict[str, Any]]] = [
    ("agent:statusChange", {"agentId": "scout", "status": "online", "previousStatus": "offline"}),
    ("agent:activity", {"agentId": "scout", "fileCount": 3, "lastActivity": "2026-02-18T10:00:00Z"}),
    ("task:created", {"task": {"id": "TASK-0001", "description": "look", "status": "pending"}}),
    ("task:updated", {"taskId": "TASK-0001", "updates": {"priority": "P1"}}),
    ("task:completed", {"taskId": "TASK-0001", "result": {"found": 3}}),
    ("task:completed", {"taskId": "TASK-0001"}),
    ("task:assigned", {"taskId": "TASK-0001", "agentId": "scout", "assignedBy": "nexus"}),
    ("lead:added", {"lead": {"id": "lead_001", "name": "Ada"}}),
    ("lead:added", {"lead": {"leadId": "lead_001", "name": "Ada"}}),
    ("lead:updated", {"leadId": "lead_001", "updates": {"company": "Engines"}}),
    ("lead:scored", {"leadId": "lead_001", "score": 85, "factors": {"funding": 30, "team": 25}}),
    ("token:usage", {"agent": "scout", "tokens": 15000, "cost": 0.45, "session": {"sessions": 3}}),
    ("token:usage", {"agent": "scout", "tokens": 15000, "cost": 0.45, "sessions": 3}),
    (
        "token:threshold",
        {"agent": "scout", "currentCost": 9.5, "threshold": 10.0, "percentUsed": 95, "alert": "warning"},
    ),
    ("system:alert", {"level": "warning", "message": "High memory usage", "details": {"memory": "85%"}}),
    ("system:status", {"status": "running", "details": {"gatewayVersion": "1.2.3"}}),
    (
        "file:change",
        {"action": "created", "path": "agents/scout/report.md", "agentId": "scout", "size": 2048},
    ),
]


@pytest.mark.parametrize(("type_", "data"), SEED, ids=[type_ for type_, _ in SEED])
def test_what_the_earlier_systems_helpers_send_passes_with_every_field_of_the_shape(
    type_: str, data: dict[str, Any]
) -> None:
    fitted = fit(type_, data)
    assert set(CATALOGUE[type_].__struct_encode_fields__) <= set(fitted)
    assert {name: fitted[name] for name in data} == data
    assert all(fitted[name] is None for name in fitted.keys() - data.keys())


@pytest.mark.parametrize("type_", CATALOGUE)
def test_an_event_of_the_documentation_passes(type_: str) -> None:
    fit(type_, EXAMPLES[type_])


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("agent:statusChange", {}, "`agentId` must be a string that is not empty; it is missing"),
    ("agent:statusChange", {"agentId": ""}, "`agentId` must be a string that is not empty"),
    ("agent:statusChange", {"agentId": None}, "`agentId` must be a string that is not empty; it is null"),
    ("agent:statusChange", {"agentId": "x" * 513}, "not empty and has at most 512 characters"),
    (
        "agent:statusChange",
        {"agentId": "a", "status": 5},
        "`status` must be a string, or null; it is a whole",
    ),
    ("agent:statusChange", {"agentId": "a", "stats": []}, "`stats` must be an object, or null; it is a list"),
    ("agent:activity", {"agentId": "a", "fileCount": 1.5}, "`fileCount` must be a whole number, or null"),
    (
        "agent:updated",
        {"agentId": "a", "updates": "x"},
        "`updates` must be an object, or null; it is a string",
    ),
    ("task:created", {}, "`task` must be an object; it is missing"),
    ("task:created", {"task": {}}, "`task.id` must be a string that is not empty"),
    ("task:created", {"task": {"id": 5}}, "`task.id` must be a string that is not empty"),
    ("task:updated", {"updates": {}}, "`taskId` must be"),
    (
        "task:updated",
        {"taskId": "t", "removed": [1]},
        "`removed` must be a list, each of it a string, or null",
    ),
    ("lead:added", {"lead": {"name": "Ada"}}, "`lead.id` must be"),
    ("lead:scored", {"leadId": "l", "score": "high"}, "`score` must be a number, or null; it is a string"),
    (
        "token:usage",
        {"agent": "a", "tokens": True},
        "`tokens` must be a number, or null; it is true or false",
    ),
    ("token:usage", {"agent": "a", "tokens": 10**400}, "`tokens` must be a number"),
    ("token:usage", {"agent": "a", "delta": [1]}, "`delta` must be an object"),
    (
        "token:usage",
        {"agent": "a", "delta": {"uses": [{"day": "2026-11-23"}, {"day": "z0"}]}},
        "`delta.uses[1].day` must be a day as in 2026-11-23",
    ),
    (
        "token:threshold",
        {"agent": "a", "alert": "bad"},
        '`alert` must be one of "critical", "info", "warning"',
    ),
    ("question:asked", {"question": {"text": "?"}}, "`question.id` must be"),
    ("question:asked", {"question": {"id": "q"}}, "`question.text` must be"),
    ("system:alert", {"level": "info"}, "`message` must be a string that is not empty; it is missing"),
    ("file:change", {"action": "created"}, "`path` must be"),
]


@pytest.mark.parametrize(("type_", "data", "reason"), REFUSED)
def test_a_refusal_names_the_field_and_what_it_must_be(type_: str, data: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadEvent) as refused:
        encode_data(Draft(type_, data))
    assert reason in str(refused.value)
    assert repr(type_) in str(refused.value)


def test_data_of_other_types_is_kept_as_it_is() -> None:
    draft = Draft("custom:event", {"agentId": 5})
    assert json.loads(encode_data(draft)) == draft.data == {"agentId": 5}


def test_a_timestamp_that_is_null_is_filled_in() -> None:
    draft = Draft("agent:removed", {"agentId": "a", "timestamp": None})
    assert json.loads(encode_data(draft))["timestamp"]


RESERVED = ["state:baseline", "state:x", "notification:sent", "log:unreadable", "question:answered"]
RESERVED += [
    "question:closed",
    "message:delivered",
    "message:failed",
    "message:sent",
    "standup:held",
    "standup:x",
]
RESERVED += ["Question:answered", "question:ANSWERED", "State:baseline", "MESSAGE:sent", "permission:granted"]


@pytest.mark.parametrize("type_", RESERVED)
def test_a_type_of_the_servers_own_is_refused_from_a_client(type_: str) -> None:
    for form in ("{}", "[{}]", '{{"type":"custom:a"}}\n{}'):
        with pytest.raises(ReservedType, match="by the server alone"):
            decode_drafts(form.format(json.dumps({"type": type_, "data": {}})).encode())
    with pytest.raises(ReservedType):
        convert_drafts([{"type": "custom:a"}, {"type": type_}])


def nested(depth: int, brackets: str = "[]") -> bytes:
    return (brackets[0] * depth + brackets[1] * depth).encode()


@pytest.mark.parametrize("depth", [1, 63, 64, 65, 66, 978, 100_000])
def test_the_depth_of_a_text_is_found_without_decoding_it(depth: int) -> None:
    assert is_deeper(nested(depth)) == (depth > MAX_DEPTH)
    flat = b'{"a":"' + b"[" * 500 + b'\\"' + b"[{" * 500 + b'","b":' + nested(depth - 1) + b"}"
    assert is_deeper(flat) == (depth > MAX_DEPTH)


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.sampled_from(["[", "]]", '"[', "\\", '\\"{']),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=20,
    ),
    st.integers(1, 6),
)
def test_the_depth_of_a_text_is_that_of_what_it_says(value: Any, depth: int) -> None:
    assert is_deeper(json.dumps(value).encode(), depth) == deeper_than(value, depth)


def test_data_of_64_levels_is_accepted_and_of_65_refused() -> None:
    deepest: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deepest = [deepest]
    encode_data(Draft("custom:a", {"a": deepest}))
    with pytest.raises(BadEvent, match="more than 64 levels deep"):
        encode_data(Draft("custom:a", {"a": [deepest]}))


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"system:alert","id":7,"time":"2026-11-23T10:15:00.123Z","source":"a","host":"alpha","data":{"a":'
        + nested(978)
        + b"}}",
        b'{"type":"system:alert","id":7,"time":"2026-11-23T10:15:00.123Z","source":"a","data":{"a":\xff}}',
    ],
)
def test_an_event_that_cannot_be_decoded_is_read_without_its_data(body: bytes) -> None:
    event = read_event(body)
    assert (event.type, event.id, event.source, event.data) == ("system:alert", 7, "a", {})
    record = read_record(body)
    assert (record.id, record.type, record.time, record.body) == (7, "system:alert", 1795428900123, body)


@given(st.binary(max_size=200))
def test_reading_an_event_never_raises(body: bytes) -> None:
    assert read_event(body).data is not None


@pytest.mark.parametrize(
    ("type_", "field", "rest"),
    [
        ("task:created", "task.id", {}),
        ("lead:added", "lead.id", {}),
        ("lead:added", "lead.leadId", {"id": "short"}),
        ("question:asked", "question.id", {"text": "Go on?"}),
    ],
)
def test_an_id_has_one_limit_in_a_record_and_where_it_is_named(
    type_: str, field: str, rest: dict[str, Any]
) -> None:
    record, _, name = field.partition(".")
    fit(type_, {record: {**rest, name: "x" * MAX_ID_LENGTH}})
    with pytest.raises(BadEvent, match=f"`{field}` must be a string that is not empty and has at most 512"):
        fit(type_, {record: {**rest, name: "x" * (MAX_ID_LENGTH + 1)}})


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("task:deleted", "taskId"),
        ("lead:removed", "leadId"),
        ("agent:removed", "agentId"),
        ("question:closed", "questionId"),
    ],
)
def test_what_an_earlier_release_has_accepted_can_be_removed(type_: str, field: str) -> None:
    assert fit(type_, {field: "x" * 2_048})[field] == "x" * 2_048
    with pytest.raises(BadEvent, match="2048"):
        fit(type_, {field: "x" * 2_049})
