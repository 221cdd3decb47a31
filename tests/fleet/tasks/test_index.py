"""The index of tasks: after any changes it says what going through all tasks would say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fleet.tasks.desk import task

from missioncontrol.fleet.tasks import index
from missioncontrol.fleet.tasks.index import TaskIndex
from missioncontrol.fleet.tasks.task import CLOSED, is_unassigned, moment, urgency

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)

fields = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["pending", "review", "completed", "odd", ["a", "list"], None]),
        "priority": st.sampled_from(["P0", "P1", "P9", 5]),
        "assignedTo": st.sampled_from(["scout", "", None, "Unassigned"]),
        "due": st.sampled_from([None, "2026-01-01", "2026-05-05T10:00:00Z", "2027-01-01", "soon", 7]),
        "created": st.sampled_from(["2026-01-01", "2026-01-02", None]),
    },
)
changes = st.lists(st.tuples(st.integers(0, 30), st.none() | fields), max_size=80)


@settings(deadline=None, max_examples=200)
@given(changes, changes, st.integers(1, 20))
def test_it_says_what_going_through_all_tasks_says(first: Any, more: Any, asked_every: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_CHUNK", 3)
        tasks: dict[str, Any] = {}
        change(tasks, first)
        kept = TaskIndex(tasks)
        for number, one in enumerate(more):
            kept.touch(change(tasks, [one]))
            if number % asked_every == 0:
                check(kept, tasks)
        check(kept, tasks)


def change(tasks: dict[str, Any], some: Any) -> list[str]:
    ids = []
    for number, new in some:
        id_ = f"TASK-{number:04}"
        ids.append(id_)
        if new is None:
            tasks.pop(id_, None)
        else:
            tasks[id_] = task(number, **new)
    return ids


def word(value: Any) -> str:
    return "unknown" if value is None else str(value)


def check(kept: TaskIndex, tasks: dict[str, Any]) -> None:
    ordered = sorted(tasks.values(), key=urgency)
    ids = [one["id"] for one in ordered]
    assert kept.ids() == ids
    for place in (0, len(ids) // 2, len(ids) - 1):
        if ids:
            assert kept.page(urgency(ordered[place]), 4) == ids[place + 1 : place + 5]
    assert kept.page(None, 3) == ids[:3]
    assert +Counter(kept.by_status()) == Counter(word(one["status"]) for one in ordered)
    assert +Counter(kept.by_priority()) == Counter(word(one["priority"]) for one in ordered)
    assert kept.by_assignee() == Counter(str(one["assignedTo"] or "Unassigned") for one in ordered)
    is_over = [isinstance(one["status"], str) and one["status"] in CLOSED for one in ordered]
    alive = [one for one, over in zip(ordered, is_over, strict=True) if not over]
    assert kept.urgent("P0") == sum(one["priority"] == "P0" for one in alive)
    open_ = [one for one in ordered if one["status"] == "pending" and is_unassigned(one)]
    assert kept.first_open(lambda one: True) == (open_[0] if open_ else None)
    due = [(at, one["id"]) for one in alive if (at := moment(one["due"])) is not None and at <= UNTIL]
    assert list(kept.due(UNTIL)) == [id_ for _, id_ in sorted(due)]
