"""Events in the shapes of the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.client import AgentStatusChange, Event, FileChange, TokenUsage


def event(type_: str, data: dict[str, Any]) -> Event:
    return Event(type_, 1, "2026-11-23T10:15:00.123Z", "agents", data)


def test_an_event_of_the_catalogue_is_matched_by_its_fields() -> None:
    told = event("agent:statusChange", {"agentId": "scout", "status": "busy", "something": "new"}).typed()
    match told:
        case AgentStatusChange(agent_id=agent, status="busy"):
            assert agent == "scout"
        case _:
            pytest.fail(str(told))


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("custom:thing", {"agentId": "scout", "status": "busy"}),
        ("agent:statusChange", {}),
        ("agent:statusChange", {"agentId": 7, "status": "busy"}),
        ("file:change", {"action": "painted", "path": "a"}),
    ],
)
def test_what_has_no_shape_or_not_its_own_is_none(type_: str, data: dict[str, Any]) -> None:
    assert event(type_, data).typed() is None


def test_names_on_the_wire_become_names_of_python() -> None:
    told = event("file:change", {"action": "created", "path": "a", "foundAtStart": True}).typed()
    assert isinstance(told, FileChange)
    assert told.found_at_start
    usage = event("token:usage", {"agent": "scout", "tokens": 12, "cost": 1}).typed()
    assert isinstance(usage, TokenUsage)
    assert usage.delta is None
