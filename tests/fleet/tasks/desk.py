"""A workspace with a task queue alone, whose file can be edited as agents do it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fleet.world import World

from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.tasks.reading import read_queue

QUEUE = "mission-control/TASK_QUEUE.json"
Task = dict[str, Any]
Root = dict[str, Any]


def task(number: int, **fields: Any) -> Task:
    """A task as the earlier server wrote it."""
    return {
        "id": f"TASK-{number:04}",
        "description": f"Task {number}",
        "status": "pending",
        "priority": "P2",
        "assignedTo": "Unassigned",
        "createdBy": "System",
        "created": "2026-11-20T10:00:00.000Z",
        "updated": "2026-11-20T10:00:00.000Z",
        "due": None,
        "tags": [],
        "metadata": {},
        "notes": "",
        "parentId": None,
        "subtasks": [],
        **fields,
    }


def root(*tasks: Any, **fields: Any) -> Root:
    return {"tasks": list(tasks), "history": [], "nextId": len(tasks) + 1, **fields}


class Desk:
    """The world, seen from the queue."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.kinds = [TaskQueue]

    @property
    def path(self) -> Path:
        return self.world.root / QUEUE

    @property
    def queue(self) -> TaskQueue:
        assert self.world.supervisor is not None
        return self.world.supervisor.source(TaskQueue)

    @property
    def state(self) -> dict[str, Task]:
        return dict(self.world.folded.table("tasks"))

    def write(self, content: str | bytes | Root | list[Any]) -> None:
        """Write the file in place."""
        if not isinstance(content, str | bytes):
            content = json.dumps(content, indent=2, ensure_ascii=False)
        self.world.write(QUEUE, content)

    def read(self) -> Root:
        read: Root = json.loads(self.path.read_bytes())
        return read

    @contextmanager
    def edited(self) -> Iterator[dict[str, Task]]:
        """Edit the file's tasks by id, as somebody does who reads it, changes it and writes it back at once."""
        whole = self.read()
        tasks = {task["id"]: task for task in whole["tasks"]}
        yield tasks
        self.write({**whole, "tasks": list(tasks.values())})

    async def started(self, *tasks: Any, **fields: Any) -> None:
        """Start over a file with these tasks."""
        self.write(root(*tasks, **fields))
        await self.world.start()

    async def in_step(self) -> None:
        """Wait until file and state have the same tasks."""
        await eventually(self._is_in_step)

    def _is_in_step(self) -> bool:
        try:
            copy = read_queue(self.path.read_bytes())
        except (OSError, ValueError):
            return False
        state = self.state
        entries = copy.entries
        return (
            all(state.get(str(entry.id)) == entry.task for entry in entries)
            and len({entry.id for entry in entries}) == len(entries)
            and all(copy.task(id_, task) == task for id_, task in state.items())
        )

    def told(self, *types: str) -> list[tuple[str, dict[str, Any]]]:
        """What was told about tasks: the types, and the data without the time and without what is null."""
        return [
            (
                record.type,
                {
                    name: value
                    for name, value in record.data.items()
                    if name != "timestamp" and value is not None
                },
            )
            for record in self.world.records
            if record.type in types or (not types and record.type.startswith("task:"))
        ]


async def eventually(condition: Callable[[], object], patience: float = 30.0) -> None:
    """Wait until something outside of the log is so."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
