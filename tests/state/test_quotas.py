"""The quotas, for what sources find: what is over is left out and reported once, and costs the rest nothing."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.config import MAX_QUOTAS, QuotasConfig, load_config
from missioncontrol.errors import ConfigError, TooLarge
from missioncontrol.events import Draft
from missioncontrol.state import FleetState, limits
from missioncontrol.state.quotas import MAX_USES, Quotas
from tests.state.test_fold import record_of


def quotas_over(state: FleetState, **settings: int) -> tuple[Quotas, list[str]]:
    quotas = Quotas(QuotasConfig(**settings), state)
    reported: list[str] = []
    quotas.report = reported.append
    return quotas, reported


def test_a_baseline_is_admitted_without_the_records_that_are_over() -> None:
    state = FleetState()
    state.apply([record_of(1, "agent:statusChange", {"agentId": "known", "status": "idle"})])
    quotas, reported = quotas_over(state, agents=3, tasks=1, record_bytes=100)
    data: dict[str, Any] = {
        "agents": [{"id": id_} for id_ in ("a", "known", "b", "c", "d")],
        "tasks": [{"id": "large", "notes": "x" * 70_000}, {"id": "t"}, {"id": "u"}, "none"],
        "leads": [{"id": "l"}],
    }
    draft = Draft("state:baseline", data, "key", "agents")
    (admitted,), left_out = quotas.admit([draft])
    assert left_out == {"agents": {"c", "d"}, "tasks": {"u"}}
    assert [agent["id"] for agent in admitted.data["agents"]] == ["a", "known", "b"]
    assert admitted.data["tasks"] == [{"id": "t"}, "none"]
    assert admitted.data["leads"] == [{"id": "l"}]
    assert (admitted.key, admitted.source) == ("key", "agents")
    assert draft.data is data
    assert (quotas.figures.agents, quotas.figures.tasks, quotas.figures.record) == (2, 1, 1)
    assert len(reported) == 3
    quotas.admit([draft])
    assert len(reported) == 3


def test_what_a_source_tells_of_known_records_is_always_admitted() -> None:
    state = FleetState()
    state.apply([record_of(1, "task:created", {"task": {"id": "t"}})])
    quotas, _ = quotas_over(state, tasks=1)
    drafts = [
        Draft("task:created", {"task": {"id": "new"}}),
        Draft("task:updated", {"taskId": "t", "updates": {"status": "review"}}),
        Draft("file:change", {"path": "a"}),
    ]
    assert quotas.admit(drafts) == (drafts[1:], {"tasks": {"new"}})
    assert quotas.room("tasks") == 0


def test_an_event_of_a_client_has_at_most_a_thousand_uses() -> None:
    quotas = Quotas(QuotasConfig(), FleetState())
    use = {"model": "m", "day": "2026-11-23", "tokens": 1, "cost": 0}

    def usage(count: int) -> Draft:
        return Draft("token:usage", {"agent": "a", "tokens": 1, "cost": 0, "delta": {"uses": [use] * count}})

    quotas.check([usage(MAX_USES)])
    with pytest.raises(TooLarge, match="Send several events"):
        quotas.check([usage(MAX_USES + 1)])
    quotas.check([usage(MAX_USES + 1)], own=True)


def test_no_setting_goes_beyond_the_bounds_of_the_fold() -> None:
    assert MAX_QUOTAS == {
        "agents": limits.MAX_AGENTS,
        "tasks": limits.MAX_TASKS,
        "leads": limits.MAX_LEADS,
        "record_bytes": limits.MAX_RECORD_BYTES,
        "questions": limits.MAX_OPEN_QUESTIONS,
        "questions_per_asker": limits.MAX_OPEN_QUESTIONS,
        "questions_per_author": limits.MAX_OPEN_QUESTIONS,
    }
    for name, most in MAX_QUOTAS.items():
        for value in (0, most + 1):
            with pytest.raises(ConfigError, match=rf"quotas\.{name}"):
                load_config(flags={f"quotas.{name}": value, "quotas.questions_reserved": 0})
    with pytest.raises(ConfigError, match="questions_reserved"):
        load_config(flags={"quotas.questions": 10, "quotas.questions_reserved": 10})
