"""The steps of a plan, in portions: between two of them other publishers can append to the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Literal

import msgspec

from missioncontrol.events import Draft
from missioncontrol.fleet.layout import TASK_FILES
from missioncontrol.fleet.source import Feed, Step
from missioncontrol.fleet.tasks.ids import Ids
from missioncontrol.fleet.tasks.plan import Plan, shortened
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task, task_ids

MAX_BASELINE_BYTES = 180 * 1024
PORTION = 500
PORTION_BYTES = 512 * 1024
"""How many tasks, and about how many bytes of them, are in one portion."""

MAX_REPORTED = 40

Kind = Literal["baseline", "start", "change"]
"""When a plan is made: when the queue is first read, at a later start, or during synchronization."""


def portions(
    feed: Feed, plan: Plan, past: RevisionHistory, ids: Ids, kind: Kind, last: Callable[[], Step]
) -> Iterator[list[Step]]:
    """Return the steps of a plan, task by task.

    Args:
        feed: makes the events.
        plan: the plan; in a baseline, new tasks are state instead of events.
        past: its memory of each task is stored with the task's event.
        ids: their memory is stored first.
        kind: when the plan is made.
        last: makes the last step, once all others are in the log.
    """
    waiting = past.take_changed()
    steps = [Step([], ids.changes())]
    new: list[Task] = []
    size = 0
    for id_, events in plan.events.items():
        if kind == "baseline" and events[0].type == "task:created":
            new.append(plan.tasks[id_])
            continue
        drafts = [feed.draft(one.type, _marked(one.data, kind)) for one in events]
        changes = past.remembered([id_]) if id_ in waiting else {}
        waiting.discard(id_)
        steps.append(Step(drafts, changes))
        size += sum(len(kept) for kept in changes.values() if kept is not None)
        if len(steps) >= PORTION or size > PORTION_BYTES:
            yield steps
            steps, size = [], 0
    for part, length in _parts(new):
        steps.append(Step([feed.draft("state:baseline", {"source": "tasks", "tasks": part})], {}))
        size += length
        if size + MAX_BASELINE_BYTES > PORTION_BYTES:
            yield steps
            steps, size = [], 0
    # In the order of the keys, so that they are stored next to each other in the log's table.
    for some in slices(sorted(waiting), PORTION):
        changes = past.remembered(some)
        size += sum(len(kept) for kept in changes.values() if kept is not None)
        steps.append(Step([], changes))
        if size > PORTION_BYTES:
            yield steps
            steps, size = [], 0
    steps.append(last())
    yield [step for step in steps if step.drafts or step.changes]


def let_go(feed: Feed, past: RevisionHistory, ids: Iterable[str]) -> list[Step]:
    """Return the steps that remove tasks from the state, each with what the past has to remember of it."""
    ids = list(ids)
    past.let_go(ids)
    forgotten = past.take_changed().difference(ids)
    steps = [
        Step([feed.draft("task:deleted", {"taskId": id_, "archived": True})], past.remembered([id_]))
        for id_ in ids
    ]
    return [*steps, Step([], past.remembered(forgotten))] if forgotten else steps


def _marked(data: dict[str, Any], kind: Kind) -> dict[str, Any]:
    return {**data, "foundAtStart": True} if kind == "start" else dict(data)


def about(steps: Iterable[Step]) -> set[str]:
    """Return the ids of the tasks that steps are about."""
    return {id_ for step in steps for draft in step.drafts for id_ in task_ids(draft.type, draft.data)}


def slices(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Return ids in lists of at most `size`."""
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some


def _parts(tasks: list[Task]) -> Iterator[tuple[list[Task], int]]:
    """Split tasks into lists, each for one event, with their sizes in bytes."""
    part: list[Task] = []
    size = 0
    for task in tasks:
        length = len(msgspec.json.encode(task))
        if part and size + length > MAX_BASELINE_BYTES:
            yield part, size
            part, size = [], 0
        part.append(task)
        size += length
    if part:
        yield part, size


def report(feed: Feed, plan: Plan) -> Draft:
    """Return the alert about the fields that both sides have edited."""
    details = [
        {"task": id_, "field": one.field, "kept": shortened(one.kept), "dropped": shortened(one.dropped)}
        for id_, found in plan.conflicts.items()
        for one in found
    ]
    file = TASK_FILES[0]
    some = ", ".join(f"{one['task']} {one['field']}" for one in details[:10])
    more = f" and {len(details) - 10} more" if len(details) > 10 else ""
    message = f"The same was edited in {file} and here; the later edit was kept: {some}{more}."
    return feed.alert("info", message, path=file, conflicts=details[:MAX_REPORTED])
