"""Agents that work off one queue over MCP: no task twice, none lost, whoever else is at it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import anyio

from mcp import Client
from tests.mcp.callers import do

QUEUE = "mission-control/TASK_QUEUE.json"
PATIENCE_SECONDS = 20.0


class Shift:
    """What is to be done, and who has had what."""

    def __init__(self) -> None:
        self.added: set[str] = set()
        self.claimed: Counter[str] = Counter()
        self.holders: dict[str, str] = {}
        self.adding = 0

    async def add(self, connection: AbstractAsyncContextManager[Client], seconds: float, number: int) -> None:
        """Add tasks for so long, at most so many, with anything that is a priority."""
        chance = Random(number)
        self.adding += 1
        deadline = monotonic() + seconds
        async with connection as client:
            while number and monotonic() < deadline:
                number -= 1
                priority = f"P{chance.randrange(4)}"
                told = await do(client, "add_task", description="Work", priority=priority, agent="foreman")
                self.added.add(told["task"]["id"])
        self.adding -= 1

    async def work(
        self, connection: AbstractAsyncContextManager[Client], agent: str, key: Any = None
    ) -> None:
        """Claim, do and complete until there has been nothing to do for a while."""
        idle_since: float | None = None
        async with connection as client:
            while self.adding or idle_since is None or monotonic() - idle_since < 1.0:
                claim = await do(client, "claim_task", agent=agent)
                if not claim["claimed"]:
                    idle_since = monotonic() if idle_since is None else idle_since
                    await asyncio.sleep(0.05)
                    continue
                idle_since = None
                id_ = claim["task"]["id"]
                self.claimed[id_] += 1
                self.holders[id_] = claim["task"]["assignedTo"]
                await do(client, "update_task", task=id_, progress=50, note="half", agent=agent)
                await do(client, "complete_task", task=id_, result=agent, agent=agent)

    def check(self, tasks: dict[str, Any]) -> None:
        """Hold what was done against the tasks as the server has them in the end."""
        assert [id_ for id_, times in self.claimed.items() if times > 1] == [], "claimed twice"
        assert self.added - self.claimed.keys() == set(), "lost"
        assert self.claimed.keys() == tasks.keys()
        for id_, holder in self.holders.items():
            task = tasks[id_]
            assert (task["status"], task["assignedTo"]) == ("completed", holder), task
            assert task["result"] == holder.partition("@")[0]
            assert "half" in task["notes"]


@contextmanager
def edited_by_hand(workspace: Path, shift: Shift, seconds: float) -> Iterator[None]:
    """Have somebody edit the queue's file all the time, as agents do: read, change, write; and add tasks there."""
    over = threading.Event()

    def edit() -> None:
        chance = Random(7)
        deadline = monotonic() + seconds
        path = workspace / QUEUE
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(json.dumps({"tasks": [], "history": [], "nextId": 1}))
        number = 0
        while monotonic() < deadline and not over.wait(0.03):
            try:
                queue = json.loads(path.read_text())
            except ValueError:
                continue
            if chance.random() < 0.3:
                number += 1
                fields = {"status": "pending", "priority": "P1", "assignedTo": "Unassigned"}
                queue["tasks"].append({"id": f"HAND-{number}", "description": "By hand", **fields})
                shift.added.add(f"HAND-{number}")
            elif queue["tasks"]:
                task = chance.choice(queue["tasks"])
                task["tags"] = [f"seen-{number}"]
            beside = path.with_suffix(".new")
            beside.write_text(json.dumps(queue, indent=2))
            os.replace(beside, path)  # noqa: PTH105
        shift.adding -= 1

    shift.adding += 1
    editing = threading.Thread(target=edit)
    editing.start()
    try:
        yield
    finally:
        over.set()
        editing.join()


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[anyio.abc.TaskGroup]:
    """Run tasks side by side, and fail where they do not come to an end."""
    async with asyncio.timeout(seconds + PATIENCE_SECONDS), anyio.create_task_group() as tasks:
        yield tasks
