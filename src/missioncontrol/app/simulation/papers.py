"""The files that the whole simulated fleet shares: the task queue and the leads.

They are edited as agents edit them: read, changed and written back, since others may write them too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from missioncontrol.app.simulation.fleet import FLEET

OPEN_TASKS = 6
"""How many tasks wait for somebody, at least."""

KEPT_TASKS = 24
KEPT_HISTORY = 20
KEPT_LEADS = 30

_COMPANIES = ("Northwind", "Alder", "Quayside", "Brightwell", "Fjord", "Lattice", "Summit", "Harbour")
_TRADES = ("Logistics", "Payments", "Energy", "Robotics", "Foods", "Mobility", "Insurance", "Studios")
_TITLES = ("Founder", "Head of Operations", "CTO", "Buyer")

Object = dict[str, Any]


def write_whole(path: Path, content: str) -> None:
    """Replace a file whole, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


class TaskBoard:
    """`TASK_QUEUE.json`, from which the agents take their work."""

    def __init__(self, folder: Path, chance: Random, time: Callable[[], str]) -> None:
        self._path = folder / "mission-control" / "TASK_QUEUE.json"
        self._chance = chance
        self._time = time

    def take(self, agent: str) -> Object | None:
        """Give an agent the most urgent task that is its own or nobody's; None where the queue cannot be read."""
        queue = self._queue()
        if queue is None:
            return None
        self._plan(queue)
        free = [
            task
            for task in queue["tasks"]
            if task.get("status") == "pending" and task.get("assignedTo") in (agent, "Unassigned", None)
        ]
        task: Object = min(free, key=lambda one: (str(one.get("priority")), str(one.get("created"))))
        task |= {"status": "in_progress", "assignedTo": agent, "startedAt": self._time()}
        self._save(queue, task)
        return task

    def finish(self, id_: str, status: str) -> None:
        """Mark a task as done, or as standing in another way."""
        queue = self._queue()
        task = next((task for task in queue["tasks"] if task.get("id") == id_), None) if queue else None
        if queue is None or task is None or task.get("status") == status:
            return
        task["status"] = status
        if status == "completed":
            task["completedAt"] = self._time()
        done = [task for task in queue["tasks"] if task.get("status") == "completed"]
        for old in done[: max(0, len(queue["tasks"]) - KEPT_TASKS)]:
            queue["tasks"].remove(old)
            queue["history"] = [old, *queue["history"]][:KEPT_HISTORY]
        self._save(queue, task)

    def _plan(self, queue: Object) -> None:
        """See to it that enough waits to be done."""
        waiting = sum(task.get("status") == "pending" for task in queue["tasks"])
        for _ in range(OPEN_TASKS - waiting):
            number = queue["nextId"]
            queue["nextId"] = number + 1
            queue["tasks"].append(
                {
                    "id": f"TASK-{number:04}",
                    "description": self._chance.choice(self._chance.choice(FLEET).work),
                    "status": "pending",
                    "priority": self._chance.choice(("P0", "P1", "P1", "P2", "P2", "P3")),
                    "assignedTo": "Unassigned",
                    "createdBy": "nexus",
                    "created": self._time(),
                    "updated": self._time(),
                    "due": None,
                    "tags": [],
                    "metadata": {},
                    "notes": "",
                    "parentId": None,
                    "subtasks": [],
                }
            )

    def _queue(self) -> Object | None:
        if not self._path.exists():
            return {"tasks": [], "history": [], "nextId": 1}
        queue = _read(self._path)
        whole = isinstance(queue, dict) and isinstance(queue.get("tasks"), list)
        return {"history": [], "nextId": 1, **queue} if whole else None

    def _save(self, queue: Object, task: Object) -> None:
        task["updated"] = self._time()
        write_whole(self._path, json.dumps(queue, indent=2, ensure_ascii=False) + "\n")


class LeadList:
    """`leads.json`, in which the fleet notes whom to talk to."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self._path = folder / "mission-control" / "data" / "leads.json"
        self._chance = chance

    def find_or_score(self) -> None:
        """Note a new lead, or think again about one that is there."""
        leads = _read(self._path) if self._path.exists() else []
        if not isinstance(leads, list):
            return
        if len(leads) < 5 or self._chance.random() < 0.5:
            numbers = [int(lead["id"].removeprefix("lead_")) for lead in leads]
            leads.append(self._lead(max(numbers, default=0) + 1))
            del leads[:-KEPT_LEADS]
        else:
            lead = self._chance.choice(leads)
            lead["score"] = max(0, min(100, lead["score"] + self._chance.randint(-12, 15)))
            lead["priority"] = _priority(lead["score"])
        write_whole(self._path, json.dumps(leads, indent=2) + "\n")

    def _lead(self, number: int) -> Object:
        company = f"{self._chance.choice(_COMPANIES)} {self._chance.choice(_TRADES)}"
        score = self._chance.randint(30, 95)
        return {
            "id": f"lead_{number:03}",
            "name": f"Contact {number}",
            "company": company,
            "title": self._chance.choice(_TITLES),
            "domain": f"{company.partition(' ')[0].lower()}.example",
            "region": self._chance.choice(("Europe", "Asia", "Americas")),
            "industry": company.partition(" ")[2],
            "priority": _priority(score),
            "score": score,
        }


def _priority(score: int) -> str:
    return "P0" if score >= 85 else "P1" if score >= 65 else "P2" if score >= 45 else "P3"
