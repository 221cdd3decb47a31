"""A host's own part of the fleet's state is what that host would have folded alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.app.host_view import HostView, state_of_host
from missioncontrol.errors import Conflict
from missioncontrol.events import Data, Record
from missioncontrol.events.hosts import find_id, full_id, host_named, is_host, told_at_home, told_to_fleet
from missioncontrol.state import FleetState

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "spec" / "fold.json").read_text(encoding="utf-8")
)
ALONE = [vector for vector in VECTORS if not any("host" in event for event in vector["events"])]
HOSTS = frozenset({"alpha", "beta"})


def as_told(events: list[dict[str, Any]], host: str, first: int) -> list[Record]:
    """Tell the events of a host to the fleet, beginning with an id."""
    records = []
    for id_, event in enumerate(events, first):
        data = told_to_fleet(event["type"], event["data"], host, HOSTS)
        body = json.dumps({**event, "id": id_, "host": host, "data": data}).encode()
        records.append(Record(id_, event["type"], 1_800_000_000_000 + id_, body))
    return records


def alone(events: list[dict[str, Any]], first: int) -> FleetState:
    state = FleetState()
    state.apply(
        [
            Record(id_, event["type"], 1_800_000_000_000 + id_, json.dumps({**event, "id": id_}).encode())
            for id_, event in enumerate(events, first)
        ]
    )
    return state


def comparable(state: FleetState) -> Data:
    snapshot = state.snapshot()
    # A sum over all time and hosts; the others are compared.
    snapshot["tokens"].pop("total")
    # Questions and standups are kept by the fleet alone.
    snapshot.pop("questions")
    snapshot.pop("standups")
    for alert in snapshot["system"]["alerts"]:
        alert.pop("host", None)
    return snapshot


def unbounded(state: FleetState) -> Data:
    """Leave out what the fleet's state keeps only the newest of, whoever they are of."""
    snapshot = comparable(state)
    snapshot["tokens"].pop("sessions")
    snapshot["system"].pop("alerts")
    return snapshot


@pytest.mark.parametrize("vector", ALONE, ids=lambda vector: vector["name"])
def test_home_is_as_if_there_were_no_others(vector: dict[str, Any]) -> None:
    events = vector["events"]
    ours = as_told(events, "alpha", 1)
    others = as_told(events, "beta", len(events) + 1)
    fleet = FleetState()
    home = HostView(fleet, "alpha")
    for records in (ours, others):
        fleet.apply(records)
        home.apply(records)
    expected = comparable(alone(events, 1))
    assert comparable(home.state) == expected
    assert home.state.id == fleet.id == 2 * len(events)
    for host, first in (("alpha", 1), ("beta", len(events) + 1)):
        assert unbounded(state_of_host(fleet, host)) == unbounded(alone(events, first))


@pytest.mark.parametrize("vector", ALONE, ids=lambda vector: vector["name"])
def test_an_event_comes_home_as_it_was_told(vector: dict[str, Any]) -> None:
    for event in vector["events"]:
        told = told_to_fleet(event["type"], event["data"], "alpha", HOSTS)
        assert told_to_fleet(event["type"], told, "beta", HOSTS) == told
        home = told_at_home(event["type"], told, "alpha", "alpha")
        if home is not None:
            assert home == told_at_home(
                event["type"], told_to_fleet(event["type"], home, "alpha", HOSTS), "alpha", "alpha"
            )


def test_a_task_that_another_host_gives_to_its_agent_is_home_with_both_names() -> None:
    data = {"taskId": "TASK-1@alpha", "agentId": "scout@beta", "updates": {"assignedTo": "scout@beta"}}
    assert told_to_fleet("task:assigned", data, "beta", HOSTS) == data
    assert told_at_home("task:assigned", data, "beta", "alpha") == {**data, "taskId": "TASK-1"}
    assert told_at_home("task:assigned", data, "beta", "beta") is None


def test_a_name_with_an_at_sign_is_no_host() -> None:
    assert full_id("bob@home", "alpha", HOSTS) == "bob@home@alpha"
    assert full_id("bob@beta", "alpha", HOSTS) == "bob@beta"
    assert told_to_fleet("custom:event", {"agentId": "scout"}, "alpha", HOSTS) == {"agentId": "scout"}
    assert told_to_fleet(
        "task:updated", {"taskId": "T", "updates": {"assignedTo": "Unassigned"}}, "alpha", HOSTS
    ) == {
        "taskId": "T@alpha",
        "updates": {"assignedTo": "Unassigned"},
    }


def test_who_is_meant_is_found_at_home_first() -> None:
    known = {"scout@alpha", "scout@beta", "nova@beta", "echo@beta", "echo@gamma"}
    assert find_id("scout", known, "alpha") == "scout@alpha"
    assert find_id("scout@beta", known, "alpha") == "scout@beta"
    assert find_id("nova", known, "alpha") == "nova@beta"
    assert find_id("nobody", known, "alpha") is None
    assert find_id("scout", known, None) is None
    with pytest.raises(Conflict, match="echo@beta, echo@gamma"):
        find_id("echo", known, "alpha")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Alpha", "alpha"), ("my mac.local", "my-mac.local"), ("-x-", "x"), ("☃", "host"), ("a" * 90, "a" * 63)],
)
def test_any_machine_s_name_becomes_a_host_s(text: str, name: str) -> None:
    assert host_named(text) == name
    assert is_host(name)
