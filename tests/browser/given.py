"""Events that a client publishes to give a fleet agents and tasks; a baseline is published by a server alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Draft = tuple[str, dict[str, Any]]


def agents_given(agents: Iterable[dict[str, Any]]) -> Iterator[Draft]:
    """One event for each agent, with its whole record."""
    for agent in agents:
        yield (
            "agent:statusChange",
            {"agentId": agent["id"], "status": agent["status"], "agent": agent},
        )


def tasks_given(tasks: Iterable[dict[str, Any]]) -> Iterator[Draft]:
    """One event for each task."""
    for task in tasks:
        yield "task:created", {"task": task}
