"""Pages of tasks: some of them, in their order, wherever they are filtered."""

from __future__ import annotations

import pytest
from tests.fleet.tasks.desk import task

from missioncontrol.fleet.tasks import pages
from missioncontrol.fleet.tasks.index import TaskIndex
from missioncontrol.fleet.tasks.task import urgency

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("few", [0, 1_000])
async def test_a_page_goes_on_after_the_one_before(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(pages, "FEW_TASKS", few)
    tasks = {one["id"]: one for one in (task(number, x=number % 2) for number in range(1, 8))}
    index = TaskIndex(tasks)
    first = await pages.page_of(tasks, index, lambda one: one["x"] == 1, None, 3)
    assert ([one["id"] for one in first.tasks], first.total, first.more) == (
        ["TASK-0001", "TASK-0003", "TASK-0005"],
        4,
        True,
    )
    second = await pages.page_of(tasks, index, lambda one: one["x"] == 1, urgency(first.tasks[-1]), 3)
    assert ([one["id"] for one in second.tasks], second.total, second.more) == (["TASK-0007"], 4, False)
    every = await pages.page_of(tasks, index, None, urgency(tasks["TASK-0006"]), 3)
    assert ([one["id"] for one in every.tasks], every.total, every.more) == (["TASK-0007"], 7, False)
