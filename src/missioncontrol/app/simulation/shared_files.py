"""The files that the whole simulated fleet shares: the task queue and the leads.

They are edited as agents edit them: read, changed and written back, since others may write them too.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random
from typing import Any

from missioncontrol.app.simulation.fleet import FLEET
from missioncontrol.temporary import replace_file

PLANNER = "nexus"
"""Who creates the tasks of the simulated fleet."""

OPEN_TASKS = 6
"""How many tasks wait for somebody, at least."""

KEPT_TASKS = 24
KEPT_HISTORY = 20
KEPT_LEADS = 30

_COMPANIES = ("Northwind", "Alder", "Quayside", "Brightwell", "Fjord", "Lattice", "Summit", "Harbour")
_TRADES = ("Logistics", "Payments", "Energy", "Robotics", "Foods", "Mobility", "Insurance", "Studios")
_TITLES = ("Founder", "Head of Operations", "CTO", "Buyer")

Object = dict[str, Any]


def read_text(path: Path) -> str | None:
    """Return what a file contains; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _parse(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


class TaskBoard:
    """`TASK_QUEUE.json`, from which the agents take their work.

    Others write it at any time: the server for its clients, people by hand. What they have decided holds: a task that
    was completed, deleted or given to another agent is no longer the work of its agent.
    """

    def __init__(self, folder: Path, chance: Random, time: Callable[[], str]) -> None:
        self._path = folder / "mission-control" / "TASK_QUEUE.json"
        self._chance = chance
        self._time = time
        self._highest = 0
        self._text: str | None = None

    def take(self, agent: str, others: Collection[str] = ()) -> Object | None:
        """Give an agent the most urgent task that is its own or unassigned.

        Args:
            agent: the agent's id.
            others: the ids of tasks that agents work on already.

        Returns:
            The task; None where there is none, or the queue cannot be read or was changed at the same moment.
        """
        queue = self._queue()
        if queue is None:
            return None
        self._plan(queue)
        free = [
            task
            for task in _objects(queue["tasks"])
            if isinstance(task.get("id"), str)
            and (
                (task.get("status") == "pending" and task.get("assignedTo") in (agent, "Unassigned", None))
                # Given to this agent while it was in progress, or left over from before a restart.
                or (
                    task.get("status") == "in_progress"
                    and task.get("assignedTo") == agent
                    and task["id"] not in others
                )
            )
        ]
        if not free:
            return None
        task: Object = min(free, key=lambda one: (str(one.get("priority")), str(one.get("created"))))
        task |= {"status": "in_progress", "assignedTo": agent, "startedAt": self._time()}
        return task if self._save(queue, task) else None

    def is_work_of(self, id_: str, agent: str) -> bool:
        """Say whether an agent is still to work on a task; a queue that cannot be read changes nothing."""
        queue = self._queue()
        if queue is None:
            return True
        task = next((task for task in _objects(queue["tasks"]) if task.get("id") == id_), None)
        return (
            task is not None
            and task.get("status") == "in_progress"
            and task.get("assignedTo") in (agent, None)
        )

    def finish(self, id_: str) -> bool:
        """Mark a task as completed; False where the queue was changed at the same moment."""
        queue = self._queue()
        task = (
            next((task for task in _objects(queue["tasks"]) if task.get("id") == id_), None)
            if queue
            else None
        )
        if queue is None or task is None or task.get("status") != "in_progress":
            return True
        task |= {"status": "completed", "completedAt": self._time()}
        # Tasks of people stay where they were put.
        done = [
            task
            for task in _objects(queue["tasks"])
            if task.get("status") == "completed" and task.get("createdBy") == PLANNER
        ]
        history = queue["history"] if isinstance(queue["history"], list) else []
        for old in done[: max(0, len(queue["tasks"]) - KEPT_TASKS)]:
            queue["tasks"].remove(old)
            history = queue["history"] = [old, *history][:KEPT_HISTORY]
        return self._save(queue, task)

    def release(self, id_: str, agent: str) -> None:
        """Offer the task of an agent that is gone to the others."""
        queue = self._queue()
        task = (
            next((task for task in _objects(queue["tasks"]) if task.get("id") == id_), None)
            if queue
            else None
        )
        if queue is None or task is None:
            return
        if (task.get("status"), task.get("assignedTo")) == ("in_progress", agent):
            task |= {"status": "pending", "assignedTo": "Unassigned"}
            self._save(queue, task)

    def _plan(self, queue: Object) -> None:
        """See to it that enough waits to be done."""
        waiting = sum(task.get("status") == "pending" for task in _objects(queue["tasks"]))
        next_ = queue["nextId"] if isinstance(queue["nextId"], int) else 1
        numbers = [_number(task.get("id"), "TASK-") for task in _objects(queue["tasks"])]
        # Ids are not given twice, whatever has become of the file or its `nextId`.
        self._highest = max(self._highest, next_ - 1, *numbers, 0)
        for _ in range(OPEN_TASKS - waiting):
            number = self._highest = self._highest + 1
            queue["nextId"] = number + 1
            queue["tasks"].append(
                {
                    "id": f"TASK-{number:04}",
                    "description": self._chance.choice(self._chance.choice(FLEET).work),
                    "status": "pending",
                    "priority": self._chance.choice(("P0", "P1", "P1", "P2", "P2", "P3")),
                    "assignedTo": "Unassigned",
                    "createdBy": PLANNER,
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
        self._text = read_text(self._path)
        if self._text is None:
            return None if os.path.lexists(self._path) else {"tasks": [], "history": [], "nextId": 1}
        queue = _parse(self._text)
        whole = isinstance(queue, dict) and isinstance(queue.get("tasks"), list)
        return {"history": [], "nextId": 1, **queue} if whole else None

    def _save(self, queue: Object, task: Object) -> bool:
        """Write the queue, unless somebody has written it since it was read."""
        task["updated"] = self._time()
        if read_text(self._path) != self._text:
            return False
        replace_file(self._path, _encode(queue))
        return True


class LeadList:
    """`leads.json`, in which the fleet notes whom to talk to."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self._path = folder / "mission-control" / "data" / "leads.json"
        self._chance = chance

    def find_or_score(self) -> None:
        """Add a new lead, or score an existing one again; a file of another shape is left alone."""
        leads = _parse(read_text(self._path)) if os.path.lexists(self._path) else []
        if not isinstance(leads, list):
            return
        scored = [
            lead
            for lead in _objects(leads)
            if isinstance(lead.get("score"), int | float) and math.isfinite(lead["score"])
        ]
        if len(scored) < 5 or self._chance.random() < 0.5:
            numbers = [_number(lead.get("id"), "lead_") for lead in _objects(leads)]
            leads.append(self._lead(max(numbers, default=0) + 1))
            del leads[:-KEPT_LEADS]
        else:
            lead = self._chance.choice(scored)
            lead["score"] = max(0, min(100, lead["score"] + self._chance.randint(-12, 15)))
            lead["priority"] = _priority(lead["score"])
        replace_file(self._path, _encode(leads))

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


def _objects(items: list[Any]) -> list[Object]:
    """Return the items that are objects; people also write other things into lists."""
    return [item for item in items if isinstance(item, dict)]


def _number(id_: Any, prefix: str) -> int:
    """Return the number in an id; 0 where it has another form."""
    digits = id_.removeprefix(prefix) if isinstance(id_, str) and id_.startswith(prefix) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _encode(value: Any) -> bytes:
    # A lone surrogate that somebody has escaped in the file is written as it was.
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return (json.dumps(value, indent=2) + "\n").encode()


def _priority(score: int) -> str:
    return "P0" if score >= 85 else "P1" if score >= 65 else "P2" if score >= 45 else "P3"
