"""What a standup makes of events: figures, bounds of its record, and the state that it begins with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from missioncontrol.errors import NotFound
from missioncontrol.events import Draft, Record, read_record
from missioncontrol.past import state_at
from missioncontrol.standups import standups as standups_module
from missioncontrol.standups.markdown import totals_line, write_markdown
from missioncontrol.standups.period import PERIOD_EVENTS, Period
from missioncontrol.standups.summary import MAX_AGENTS, summarise
from missioncontrol.state import FleetState
from missioncontrol.state.limits import MAX_RECORD_BYTES, MAX_STANDUPS_BYTES
from missioncontrol.state.standups import Standups
from missioncontrol.state.values import size_of
from missioncontrol.store import MemoryLog

pytestmark = pytest.mark.anyio


def records(*events: tuple[str, dict[str, Any]]) -> list[Record]:
    return [
        read_record(
            msgspec.json.encode(
                {"type": type_, "id": id_, "time": "2026-11-23T10:15:00.123Z", "source": "t", "data": data}
            )
        )
        for id_, (type_, data) in enumerate(events, 1)
    ]


ODD: list[tuple[str, dict[str, Any]]] = [
    ("task:created", {"task": "odd"}),
    ("task:updated", {"taskId": "T-9", "updates": {"status": "completed"}}),
    ("task:completed", {}),
    ("token:usage", {"agent": 7, "delta": "odd"}),
    ("token:usage", {"delta": {"tokens": 1}}),
    ("token:usage", {"agent": "scout", "delta": {"tokens": "x", "uses": ["odd", {"costSource": "none"}]}}),
    ("file:change", {"agentId": "scout"}),
    ("system:alert", {"level": 7}),
    ("system:alert", {"level": ["critical"], "message": "odd"}),
    ("lead:added", {"lead": "odd"}),
    ("agent:statusChange", {}),
]


def test_events_of_any_shape_are_entered_or_passed_over() -> None:
    period = Period(FleetState())
    period.add(records(*ODD))
    made = summarise(period, {}, [])
    assert (made["totals"]["completed"], made["totals"]["leads"]) == (0, 0)
    assert made["totals"]["alerts"] == {"critical": 0, "warning": 0, "info": 1}
    assert write_markdown({"id": "S-1", **made}).startswith("# Standup")


def use(session: str, tokens: int) -> dict[str, Any]:
    return {"session": session, "tokens": tokens, "cost": tokens / 100, "costSource": "prices"}


def test_a_session_that_moves_to_its_agent_is_no_use_and_is_that_agents_from_the_first() -> None:
    # 70 of the 100 tokens that move were used before the period.
    moved = {"uses": [use("s1", 100)]}
    taken = {"uses": [use("s1", -100)], "tokens": -100, "cost": -1.0, "movedTo": "scout"}
    period = Period(FleetState())
    period.add(
        records(
            ("token:usage", {"agent": "main", "delta": {"tokens": 30, "cost": 0.3, "uses": [use("s1", 30)]}}),
            ("token:usage", {"agent": "main", "delta": {"tokens": 5, "cost": 0.05, "uses": [use("s2", 5)]}}),
            ("token:usage", {"agent": "main", "delta": taken}),
            (
                "token:usage",
                {"agent": "scout", "delta": {**moved, "tokens": 100, "cost": 1.0, "movedFrom": "main"}},
            ),
        )
    )
    made = summarise(period, {}, [])
    used = {agent["id"]: (agent["tokens"], round(agent["cost"], 4)) for agent in made["agents"]}
    assert used == {"main": (5, 0.05), "scout": (30, 0.3)}
    assert (made["totals"]["tokens"], round(made["totals"]["cost"], 4)) == (35, 0.35)


def test_every_type_that_counts_is_asked_for() -> None:
    for type_ in (
        "task:updated",
        "token:usage",
        "file:change",
        "agent:activity",
        "system:alert",
        "lead:added",
    ):
        assert PERIOD_EVENTS.matches(type_)


def test_a_record_is_bounded_whatever_happened() -> None:
    long = "é" * 5_000
    events: list[tuple[str, dict[str, Any]]] = []
    for number in range(MAX_AGENTS + 50):
        agent = f"{number:04}{long[:900]}"
        task = {
            "id": f"T-{number}{long[:900]}",
            "status": "completed",
            "assignedTo": agent,
            "description": long,
        }
        events += [
            ("task:created", {"task": task}),
            ("file:change", {"path": long + str(number), "agentId": agent}),
            ("system:alert", {"level": "critical", "message": long}),
        ]
    period = Period(FleetState())
    period.add(records(*events))
    agents = {id_: {"id": id_, "name": long, "status": long, "kind": "busy"} for id_ in period.agents}
    questions = [{"id": "Q-1", "text": long, "agentId": id_, "event": 1} for id_ in agents]
    made = summarise(period, agents, questions)
    assert size_of(made) < MAX_RECORD_BYTES
    assert len(made["agents"]) + made["agentsLeftOut"] == MAX_AGENTS + 50
    assert made["totals"]["openQuestions"] == MAX_AGENTS + 50


def test_markdown_says_what_is_unknown_and_stands_missing_fields() -> None:
    assert "tokens unknown" in totals_line({"tokens": None})
    assert "10 tokens, cost unknown" in totals_line({"tokens": 10, "cost": None})
    assert "10 tokens for at least $0.50" in totals_line({"tokens": 10, "cost": 0.5, "unpricedTokens": 3})
    text = write_markdown({"id": "S-1", "complete": False, "agents": ["odd", {}], "agentsLeftOut": 2})
    assert "**Incomplete:**" in text
    assert "And 2 more agents." in text


def test_a_kept_list_of_another_shape_is_taken_over_as_far_as_it_goes() -> None:
    kept = Standups()
    large = {"id": "L", "event": 3, "text": "x" * (MAX_RECORD_BYTES + 1)}
    kept.restore([{"id": "S-2", "event": 9}, "odd", {"id": 7, "event": 1}, {"id": "S-1"}, large])
    assert [one["id"] for one in kept.records] == ["S-2"]
    fat = [{"id": f"S-{n}", "event": n, "text": "x" * 60_000} for n in range(12)]
    kept.restore(fat)
    assert 0 < len(kept.records) < 12
    assert sum(map(size_of, kept.records)) <= MAX_STANDUPS_BYTES


async def test_the_state_at_a_moment_is_folded_up_to_it_or_is_gone() -> None:
    log = MemoryLog()
    for number in range(1, 6):
        await log.append([Draft("task:created", {"task": {"id": f"T-{number}"}})])
    assert list((await state_at(log, 3)).table("tasks")) == ["T-1", "T-2", "T-3"]
    log.trim(2)
    with pytest.raises(NotFound, match="oldest event"):
        await state_at(log, 4)


async def test_very_many_events_are_counted_from_the_newest_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standups_module, "MAX_EVENTS", 5)
    log, state = MemoryLog(), FleetState()
    log.listen(state.apply)
    made = standups_module.Standups(log, state)
    await log.append([Draft("custom:event", {})])
    await made.hold()
    await log.append(
        [Draft("task:created", {"task": {"id": f"T-{n}", "status": "blocked"}}) for n in range(9)]
    )
    held = await made.hold()
    assert (held["complete"], held["totals"]["blocked"]) == (False, 5)
