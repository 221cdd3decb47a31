"""The fold against its vectors, and its laws by property."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.errors import Damaged
from missioncontrol.events import CATALOGUE, Record
from missioncontrol.state import KINDS, FleetState, kind_of
from missioncontrol.state.limits import MAX_RECORD_BYTES
from tests.state.histories import KEYS, Histories

SPEC = Path(__file__).parents[2] / "spec"
VECTORS: list[dict[str, Any]] = json.loads((SPEC / "fold.json").read_text(encoding="utf-8"))
STATUSES: list[dict[str, str]] = json.loads((SPEC / "status.json").read_text(encoding="utf-8"))


def record(event: dict[str, Any]) -> Record:
    time = round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
    return Record(event["id"], event["type"], time, json.dumps(event).encode())


def record_of(id_: int, type_: str, data: dict[str, Any]) -> Record:
    return record(
        {"type": type_, "id": id_, "time": "2026-11-23T10:15:00.123Z", "source": "test", "data": data}
    )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_fold_gives_what_the_vector_says(vector: dict[str, Any]) -> None:
    state = FleetState()
    state.apply(record(event) for event in vector["events"])
    assert state.snapshot() == vector["state"]


def test_every_type_of_the_catalogue_that_is_state_has_a_vector() -> None:
    told = {event["type"] for vector in VECTORS for event in vector["events"]}
    assert set(CATALOGUE) <= told


@pytest.mark.parametrize("case", STATUSES, ids=[repr(case["status"]) for case in STATUSES])
def test_a_status_in_anybodys_words_has_a_kind(case: dict[str, str]) -> None:
    assert kind_of(case["status"]) == case["kind"]


@given(st.text())
def test_any_text_has_a_kind(status: str) -> None:
    assert kind_of(status) in KINDS


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "idle", "busy", "warning", "2026-11-23T10:15:00.000Z"])
)
names = st.sampled_from(KEYS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=6,
)
shaped = st.one_of(
    st.fixed_dictionaries({"agentId": st.sampled_from("ab"), "status": st.sampled_from(["idle", "busy"])}),
    st.fixed_dictionaries(
        {"agentId": st.sampled_from("ab"), "updates": st.dictionaries(names, values, max_size=3)}
    ),
    st.fixed_dictionaries({"task": st.fixed_dictionaries({"id": st.sampled_from("ab"), "n": scalars})}),
    st.fixed_dictionaries({"taskId": st.sampled_from("ab"), "updates": st.dictionaries(names, values)}),
    st.fixed_dictionaries({"lead": st.fixed_dictionaries({"leadId": st.sampled_from("ab")})}),
    st.fixed_dictionaries(
        {"agent": st.sampled_from("abc"), "tokens": st.integers(0, 9), "cost": st.floats(0, 9)}
    ),
    st.fixed_dictionaries({"message": st.text(max_size=3), "level": scalars}),
)
histories = st.lists(
    st.tuples(
        st.sampled_from([*CATALOGUE, "custom:event"]), shaped | st.dictionaries(names, values, max_size=5)
    ),
    max_size=25,
)


@given(histories, st.data())
def test_any_split_of_the_events_with_dumps_in_between_gives_the_same_state(
    history: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    records = [record_of(id_, type_, value) for id_, (type_, value) in enumerate(history, 1)]
    whole = FleetState()
    whole.apply(records)
    parts = FleetState()
    rest = records
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        parts.apply(rest[:size])
        rest = rest[size:]
        if data.draw(st.booleans()):
            parts.encoded()
        if data.draw(st.booleans()):
            parts = FleetState.load(parts.dump())
    assert parts.snapshot() == whole.snapshot()
    assert parts.id == whole.id == len(records)
    assert json.loads(whole.encoded()) == whole.snapshot()


@given(histories)
def test_no_event_makes_the_fold_raise_or_change_its_data(history: list[tuple[str, dict[str, Any]]]) -> None:
    state = FleetState()
    for id_, (type_, value) in enumerate(history, 1):
        one = record_of(id_, type_, value)
        before = json.dumps(one.data)
        state.apply([one])
        state.snapshot()
        assert json.dumps(one.data) == before
    assert state.faults == 0, state.fault


@pytest.mark.parametrize("seed", range(20))
def test_data_that_is_nearly_right_is_folded_without_a_fault_and_survives_a_dump(seed: int) -> None:
    histories = Histories(seed)
    for _ in range(60):
        state = FleetState()
        for id_, (type_, data, _host) in enumerate(histories.history(), 1):
            state.apply([record_of(id_, type_, data)])
        assert state.faults == 0, state.fault
        assert FleetState.load(state.dump()).snapshot() == state.snapshot()


def test_a_fault_of_one_part_costs_nothing_but_its_own_change(monkeypatch: pytest.MonkeyPatch) -> None:
    state = FleetState()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setitem(state._folds, "task:created", [broken])
    state.apply(
        [
            record_of(1, "task:created", {"task": {"id": "T"}}),
            record_of(2, "lead:added", {"lead": {"id": "L"}}),
        ]
    )
    assert (state.id, state.faults) == (2, 1)
    assert "event 1 (task:created)" in str(state.fault)
    assert list(state.table("leads")) == ["L"]


def test_an_event_is_folded_once() -> None:
    state = FleetState()
    records = [
        record_of(1, "system:alert", {"level": "info", "message": "one"}),
        record_of(2, "system:alert", {"level": "info", "message": "two"}),
    ]
    state.apply(records)
    state.apply(records)
    assert [alert["message"] for alert in state.snapshot()["system"]["alerts"]] == ["two", "one"]


def test_a_snapshot_belongs_to_whoever_asked_for_it() -> None:
    state = FleetState()
    state.apply([record_of(1, "task:created", {"task": {"id": "T", "tags": ["a"]}})])
    state.snapshot()["tasks"][0]["tags"].append("b")
    assert state.snapshot()["tasks"] == [{"id": "T", "tags": ["a"]}]


def test_a_change_encodes_the_record_that_changed_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    state = FleetState()
    state.apply([record_of(id_, "task:created", {"task": {"id": f"T{id_}"}}) for id_ in range(1, 1_001)])
    state.encoded()
    encoded: list[Any] = []

    def encode(value: Any) -> bytes:
        encoded.append(value)
        return json.dumps(value).encode()

    monkeypatch.setattr("missioncontrol.state.tables.encode_json", encode)
    state.apply([record_of(1_001, "task:updated", {"taskId": "T7", "updates": {"status": "review"}})])
    assert b'"review"' in state.part("tasks")
    # What the event adds is measured, and the record encoded when it is asked for.
    assert encoded == [{"status": "review"}, {"id": "T7", "status": "review"}]


def test_many_changes_of_a_large_record_encode_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = FleetState()
    task = {"id": "T", "notes": "x" * 40_000}
    state.apply([record_of(1, "task:created", {"task": task})])
    encoded: list[int] = []

    def encode(value: Any) -> bytes:
        encoded.append(len(json.dumps(value)))
        return json.dumps(value).encode()

    monkeypatch.setattr("missioncontrol.state.tables.encode_json", encode)
    state.apply(
        [
            record_of(number, "task:updated", {"taskId": "T", "updates": {"n": number}})
            for number in range(2, 1_002)
        ]
    )
    assert json.loads(state.record("tasks", "T") or b"") == {**task, "n": 1_001}
    assert len([size for size in encoded if size > 40_000]) == 1


def test_a_record_grows_up_to_its_limit_and_not_beyond_however_it_was_measured() -> None:
    state = FleetState()
    state.apply([record_of(1, "task:created", {"task": {"id": "T"}})])
    state.apply(
        [
            record_of(number, "task:updated", {"taskId": "T", "updates": {f"k{number}": "v" * 990}})
            for number in range(2, 102)
        ]
    )
    kept = json.loads(state.record("tasks", "T") or b"")
    assert len(kept) - 1 == (MAX_RECORD_BYTES - len('{"id":"T"}')) // len(',"k2":"' + "v" * 990 + '"')
    assert state.left_out()["tasks"] == 100 - (len(kept) - 1)


def test_the_json_is_made_once_per_change() -> None:
    state = FleetState()
    state.apply([record_of(1, "task:created", {"task": {"id": "T"}})])
    first = state.encoded()
    state.apply([record_of(2, "custom:event", {})])
    assert state.encoded() is first
    agents = state.part("agents")
    state.apply([record_of(3, "task:deleted", {"taskId": "T"})])
    assert state.encoded() != first
    assert state.part("agents") is agents


@pytest.mark.parametrize(
    "dump", [b"", b"{}", b'{"id":1,"state":[]}', b"\xff", b'{"id":1,"state":{"agents":[{}]}}', b'{"id":"x"}']
)
def test_what_is_no_dump_is_refused(dump: bytes) -> None:
    with pytest.raises(Damaged):
        FleetState.load(dump)


def test_numbers_too_large_to_be_summed_are_passed_over() -> None:
    state = FleetState()
    state.apply([record_of(1, "token:usage", {"agent": "a", "tokens": 10**400, "cost": 0.5})])
    assert state.snapshot()["tokens"]["total"] == {"tokens": 0, "cost": 0.5}


def test_events_that_are_not_folded_cost_next_to_nothing() -> None:
    one = record_of(1, "file:change", {"path": "a"})
    many = [Record(id_, one.type, one.time, one.body) for id_ in range(1, 200_001)]
    state = FleetState()
    started = perf_counter()
    state.apply(many)
    # A microsecond is the aim; ten leave room for a busy machine.
    assert (perf_counter() - started) / len(many) < 10e-6
