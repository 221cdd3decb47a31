"""When events are told: by the invariant that each is told once, whatever comes."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.config import NotifyConfig, NotifyRule
from missioncontrol.events import Event, rfc3339
from missioncontrol.notify.delivery import Delivery, pause, settle
from missioncontrol.notify.planner import HOUR, Planner, RuleState
from missioncontrol.notify.rules import read_rules
from missioncontrol.notify.text import compose

BEGIN = 1_700_000_000.0
LEVELS = ["info", "warning", "critical"]


def planner(**settings: Any) -> Planner:
    return Planner(read_rules(NotifyConfig(urls=["json://one"], rules=[NotifyRule(name="r", **settings)])))


def alert(id_: int, time: float, level: str) -> Event:
    data = {"level": level, "message": f"number {id_ % 30}"}
    return Event("system:alert", id_, rfc3339(round(time * 1000)).decode(), "api", data)


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 7200), st.sampled_from(LEVELS), st.floats(0, 9000)), min_size=1, max_size=80
    ),
    storm=st.sampled_from([0.0, 10.0, 600.0]),
    per_hour=st.integers(1, 5),
    quiet=st.sampled_from([None, "22:00-07:00", "12:00-13:00"]),
    restart_every=st.integers(1, 20),
)
def test_each_event_is_told_once_and_never_too_many_messages(
    steps: list[tuple[float, str, float]], storm: float, per_hour: int, quiet: str | None, restart_every: int
) -> None:
    settings: dict[str, Any] = {"storm_seconds": storm, "per_hour": per_hour, "min_level": "info"}
    if quiet is not None:
        settings |= {"quiet_hours": quiet, "quiet_zone": "UTC", "quiet_except": "critical"}
    plan = planner(**settings)
    (rule,) = plan.rules
    now, told, sent = BEGIN, 0, list[float]()

    def take() -> None:
        nonlocal told
        for _, batch in plan.take(now):
            told += batch.count
            sent.append(now)
            title, body = compose(batch, "r", None, None, None, per_hour)
            assert title
            assert len(body) < 20_000
            if rule.quiet is not None and rule.quiet.ends(now) is not None:
                assert batch.level == "critical"

    for number, (wait, level, age) in enumerate(steps):
        due = plan.next_due(now)
        while due is not None and due <= now + wait:
            now = max(now, due)
            take()
            later = plan.next_due(now)
            assert later is None or later > now
            due = later
        now += wait
        assert plan.add(alert(number + 1, now - age, level), now)
        if number % restart_every == 0:
            kept = msgspec.json.decode(msgspec.json.encode(plan.states), type=dict[str, RuleState])
            plan = Planner([rule], kept)
    while (due := plan.next_due(now)) is not None:
        now = max(now, due)
        take()
    assert told == len(steps)
    for at in sent:
        assert sum(at <= other < at + HOUR for other in sent) <= per_hour


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    plan = planner(storm_seconds=10.0, per_hour=1)
    plan.add(alert(1, BEGIN, "critical"), BEGIN)
    assert [batch.count for _, batch in plan.take(BEGIN + 10)] == [1]
    plan.add(alert(2, BEGIN, "critical"), BEGIN + 11)
    earlier = BEGIN - 10 * HOUR
    due = plan.next_due(earlier)
    assert due is not None
    assert due <= earlier + HOUR
    assert [batch.count for _, batch in plan.take(due)] == [1]


def test_a_rule_that_has_failed_waits_longer_each_time_and_gives_up() -> None:
    delivery = Delivery()
    plan = planner()
    plan.add(alert(1, BEGIN, "critical"), BEGIN)
    ((_, batch),) = plan.take(BEGIN + 10)
    delivery.put("r", batch)
    now, waits = BEGIN, list[float]()
    while True:
        outcome = settle(delivery, "no", now)
        if outcome.over:
            break
        waits.append(delivery.queue[0].not_before - now)
        now = delivery.queue[0].not_before
    assert outcome.failed
    assert len(waits) == 9
    assert 2 * 0.75 <= waits[0] <= 2 * 1.25
    assert 300 * 0.75 <= waits[-1] <= 300 * 1.25
    assert 8 * 60 < now - BEGIN < 18 * 60
    assert delivery.failing_since == BEGIN
    assert pause(1000) <= 375


def test_a_standup_is_told_in_figures_with_a_line_for_each_agent() -> None:
    tasks = [{"id": f"T-{number}", "description": f"Read report {number}"} for number in range(2)]
    agents = [
        {
            "name": "Scout",
            "completed": {"count": 4, "newest": tasks},
            "blocked": {"count": 1, "newest": tasks[:1]},
        },
        {"name": "Idle", "completed": {"count": 0, "newest": []}},
        "odd",
        {"name": "Odd", "started": {"count": 1, "newest": "odd"}},
    ]
    totals = {"completed": 4, "started": 0, "blocked": 1, "tokens": 1200, "cost": 0.5, "openQuestions": 1}
    standup = {"id": "S-1", "agents": agents, "totals": totals}
    plan = planner(events=["standup:held"], storm_seconds=0.0)
    event = Event("standup:held", 1, rfc3339(round(BEGIN * 1000)).decode(), "standups", {"standup": standup})
    assert plan.add(event, BEGIN)
    ((_, batch),) = plan.take(BEGIN)
    title, body = compose(batch, "r", None, None, None, 30)
    assert title == "Standup"
    assert body.split("\n") == [
        "Standup S-1 was held: 4 completed, 0 started, 1 blocked, 1,200 tokens, $0.50, 1 open question",
        "- Scout completed Read report 0, Read report 1 and 2 more; is blocked on Read report 0",
        "- Odd started 1 task",
    ]
