"""Pages of tasks: some of them, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from missioncontrol.fleet.tasks.index import Place, TaskIndex
from missioncontrol.fleet.tasks.task import Task

FEW_TASKS = 1_000
"""So many are gone through at once; more are in a thread."""


class TaskPage(NamedTuple):
    """Some tasks; of how many, and whether more follow."""

    tasks: list[Task]
    total: int
    more: bool


def existing(tasks: Mapping[str, Task], ids: Iterable[str]) -> list[Task]:
    """Return the tasks of some ids; an id without a task is left out."""
    return [task for id_ in ids if (task := tasks.get(id_)) is not None]


async def page_of(
    tasks: Mapping[str, Task],
    index: TaskIndex,
    fits: Callable[[Task], bool] | None,
    after: Place | None,
    limit: int,
) -> TaskPage:
    """Return some of the tasks, the most urgent first.

    Args:
        tasks: all tasks by id.
        index: has their order.
        fits: says which; None for all.
        after: only those after this place in the order.
        limit: how many at most.
    """
    if fits is None:
        ids = index.page(after, limit + 1)
        return TaskPage(existing(tasks, ids[:limit]), len(tasks), len(ids) > limit)
    places = index.places()
    if len(places) <= FEW_TASKS:
        return _filtered(tasks, places, fits, after, limit)
    return await asyncio.to_thread(_filtered, tasks, places, fits, after, limit)


def _filtered(
    tasks: Mapping[str, Task],
    places: list[Place],
    fits: Callable[[Task], bool],
    after: Place | None,
    limit: int,
) -> TaskPage:
    found: list[Task] = []
    count, more = 0, False
    for place in places:
        task = tasks.get(place[2])
        if task is None or not fits(task):
            continue
        count += 1
        if after is None or place > after:
            if len(found) < limit:
                found.append(task)
            else:
                more = True
    return TaskPage(found, count, more)
