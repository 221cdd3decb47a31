"""The projection: what one change costs, however large the state is, and how long a snapshot holds the event loop.

Measured are CPU seconds of the fold for a change of one record among many, alternating between the sizes so that a busy
machine slows all of them alike; then the longest step that is taken on the loop for a snapshot.

    python -m benchmarks.projection
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.targets import Check, at_most, conclude
from missioncontrol.events import Record, write_body
from missioncontrol.state import FleetState

TASKS = (1_000, 10_000, 100_000)
AGENTS = (100, 2_000)
CHANGES = 300
ROUNDS = 15
MOST_RATIO = 2.0
MOST_HELD_MS = 50.0
NOTES = "What was found so far, and what is still to be done about it. " * 5


class Fleet:
    """A state of so many records, and changes to them."""

    def __init__(self, tasks: int, agents: int) -> None:
        """Fold what makes the records."""
        self.state = FleetState()
        self._tasks, self._agents, self._id = tasks, agents, 0
        self.fold(
            [
                ("task:created", {"task": {"id": f"TASK-{n:06}", "status": "pending", "notes": NOTES}})
                for n in range(tasks)
            ]
        )
        self.fold(
            [("agent:statusChange", {"agentId": f"agent-{n}", "status": "idle"}) for n in range(agents)]
        )
        self.state.encoded()

    def fold(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        """Fold events as they come from the log."""
        records = []
        for type_, data in events:
            self._id += 1
            body = write_body(type_, self._id, 1_795_428_900_000, b'"bench"', msgspec.json.encode(data))
            records.append(Record(self._id, type_, 1_795_428_900_000, body, data))
        self.state.apply(records)

    def change_tasks(self, count: int) -> None:
        """Change so many tasks."""
        self.fold(
            [
                (
                    "task:updated",
                    {"taskId": f"TASK-{n * 7919 % self._tasks:06}", "updates": {"status": "review"}},
                )
                for n in range(count)
            ]
        )

    def change_agents(self, count: int) -> None:
        """Change so many agents."""
        self.fold(
            [
                (
                    "agent:statusChange",
                    {"agentId": f"agent-{n * 31 % self._agents}", "status": ("busy", "idle")[n % 2]},
                )
                for n in range(count)
            ]
        )


def cpu_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process that something takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(
    sizes: tuple[int, ...], fleets: list[Fleet], change: Callable[[Fleet, int], None]
) -> dict[int, float]:
    """Return microseconds of CPU for a change, by size: the least of several rounds."""
    least = dict.fromkeys(sizes, float("inf"))
    for _ in range(ROUNDS):
        for size, fleet in zip(sizes, fleets, strict=True):
            seconds = cpu_of(lambda fleet=fleet: change(fleet, CHANGES))  # type: ignore[misc]
            least[size] = min(least[size], seconds / CHANGES * 1e6)
    return least


def held_by_snapshot(fleet: Fleet) -> float:
    """Return how long a snapshot after a change is put together, in milliseconds of CPU; the least of several."""
    least = float("inf")
    for _ in range(ROUNDS):
        fleet.change_tasks(1)
        least = min(least, cpu_of(fleet.state.encoded) * 1_000)
    return least


def main() -> int:
    """Measure, and hold what was measured to its targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a record of the run")
    options = parser.parse_args()
    by_tasks = [Fleet(size, 100) for size in TASKS]
    by_agents = [by_tasks[0], Fleet(1_000, AGENTS[1])]
    tasks = compare(TASKS, by_tasks, Fleet.change_tasks)
    agents = compare(AGENTS, by_agents, Fleet.change_agents)
    held = {size: held_by_snapshot(fleet) for size, fleet in zip(TASKS, by_tasks, strict=True)}
    for name, costs in (("task", tasks), ("agent", agents)):
        for size, cost in costs.items():
            print(f"a change of one {name} among {size:>7,}: {cost:6.1f} µs of CPU")
    for size, milliseconds in held.items():
        print(f"a snapshot of {size:>7,} tasks after a change: {milliseconds:6.1f} ms of CPU")
    checks: list[Check] = [
        at_most(
            "a change among 100,000 tasks over one among 1,000",
            tasks[100_000] / tasks[1_000],
            MOST_RATIO,
            "×",
        ),
        at_most(
            "a change among 2,000 agents over one among 100", agents[2_000] / agents[100], MOST_RATIO, "×"
        ),
        at_most("a snapshot of 10,000 tasks after a change", held[10_000], MOST_HELD_MS, "ms"),
    ]
    return conclude(checks, [], {"tasks": tasks, "agents": agents, "held": held}, options.json)


if __name__ == "__main__":
    sys.exit(main())
