"""Changes: what one costs the server, with few tasks and with many, with few agents and with many.

Measured is the CPU time of the server for one change, from its beginning until all that follows from it is done: an
edit of the task queue's file by hand, a PATCH over HTTP until the file has it, one that completes a task and so moves
it into the file's history, an event of an agent, a status in a `state.json`, a score in a file of leads. A file that
was changed has to be read, and one that is written has to be written; what that alone costs is measured here, on the
same file, and taken off. What is left is what the server decides, and must not grow with what has not changed.

    python -m benchmarks.changes
    python -m benchmarks.changes --sizes 1000 10000 --agents 100 --leads 1000
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.servers import PEERS, BenchmarkError, Server, prepare, running
from benchmarks.targets import Check, at_most, conclude

SUBJECT = PEERS["mission-control"]
RATIO = 2.0
"""How much more one change may cost with a hundred times as much around it."""

LEAST_MS = 5.0
"""Below this a figure is mostly what any event costs; it is what growth is measured from, at least."""

PATIENCE = 60.0
QUIET = 1.2
"""Seconds after a change in which what follows from it is done."""


def task(number: int) -> dict[str, Any]:
    """Give a task of about 400 bytes."""
    return {
        "id": f"TASK-{number:04}",
        "description": f"Compare offer {number} with those of the last quarter, and write down what is new",
        "status": ("pending", "in_progress", "review", "completed")[number % 4],
        "priority": f"P{number % 4}",
        "assignedTo": "Unassigned",
        "createdBy": "System",
        "created": "2026-11-20T10:00:00.000Z",
        "updated": "2026-11-20T10:00:00.000Z",
        "due": None,
        "tags": ["offers"],
        "metadata": {},
        "notes": "",
        "parentId": None,
        "subtasks": [],
    }


def over(number: int) -> dict[str, Any]:
    """Give an entry of the history, which no task of the state is about."""
    return {
        **task(number),
        "id": f"OLD-{number:04}",
        "description": f"Read the offer {number} of the year before",
        "status": "completed",
        "archived": "2026-11-21T10:00:00.000Z",
    }


def lead(number: int) -> dict[str, Any]:
    """Give a lead of about 200 bytes."""
    return {
        "id": f"lead-{number}",
        "company": f"Company {number} Ltd",
        "score": number % 100,
        "note": "x" * 100,
    }


class Fleet:
    """A workspace with so many tasks, agents and leads, and a server over it."""

    def __init__(self, folder: Path, tasks: int, agents: int, leads: int) -> None:
        self.root = folder / "workspace" / "mission-control"
        self.tasks, self.agents, self.leads = tasks, agents, leads
        self.queue = self.root / "TASK_QUEUE.json"
        self.lead_file = self.root / "data" / "leads.json"
        self.lead_file.parent.mkdir(parents=True)
        queue = {
            "tasks": [task(number) for number in range(1, tasks + 1)],
            "history": [over(number) for number in range(1, tasks + 1)],
            "nextId": tasks + 1,
        }
        self.queue.write_text(json.dumps(queue, indent=2), encoding="utf-8")
        self.lead_file.write_text(json.dumps([lead(number) for number in range(leads)]), encoding="utf-8")
        for number in range(agents):
            self.set_status(number, "idle")

    def set_status(self, agent: int, status: str) -> None:
        """Write an agent's `state.json`, as agents do."""
        path = self.root / "agents" / f"agent-{agent}" / "state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps({"status": status, "lastActive": "2026-11-23T10:15:00Z"}).encode())

    def edit_by_hand(self, number: int) -> None:
        """Change a task's description in the file."""
        place = self.tasks // 2 + number
        data = self.queue.read_bytes()
        replace(self.queue, data.replace(b"Compare offer %d with" % place, b"Refuse offer %d with" % place))

    def score(self, number: int) -> None:
        """Change a lead's score in the file."""
        data = self.lead_file.read_bytes()
        old = json.dumps(lead(self.leads // 2 + number)).encode()
        replace(self.lead_file, data.replace(old, old.replace(b'"score": ', b'"score": 10')))


def replace(path: Path, data: bytes) -> None:
    """Write a file in one step."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(data)
    beside.replace(path)


class Site:
    """The server as a client sees it."""

    def __init__(self, server: Server, events: ClientConnection) -> None:
        self.server = server
        self._events = events
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Make a request, and give the answer's JSON."""
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, {"content-type": "application/json"} if data else {})
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise BenchmarkError(f"{method} {path} was answered with {answer.status}: {text[:200]!r}")
        return json.loads(text)

    async def event(self, fits: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for an event."""
        async with asyncio.timeout(PATIENCE):
            async for message in self._events:
                if fits(json.loads(message)):
                    return

    async def settled(self) -> None:
        """Wait until the server has nothing to do."""
        async with asyncio.timeout(PATIENCE * 5):
            while True:
                before = self.server.cpu_seconds()
                await asyncio.sleep(QUIET)
                if self.server.cpu_seconds() - before < 0.02:
                    return


def floor_ms(path: Path, work: Callable[[bytes], None]) -> float:
    """Give the CPU milliseconds of something that is done with a file."""
    data = path.read_bytes()
    best = []
    for _ in range(5):
        began = time.process_time()
        work(data)
        best.append((time.process_time() - began) * 1e3)
    return sorted(best)[2]


async def per_change(site: Site, changes: int, change: Callable[[int], Any]) -> float:
    """Give the CPU milliseconds of the server for one change."""
    await site.settled()
    # What it does anyway: the least of a few seconds, since something may still follow from what was before.
    seconds = []
    for _ in range(4):
        began, cpu = time.monotonic(), site.server.cpu_seconds()
        await asyncio.sleep(1)
        seconds.append((site.server.cpu_seconds() - cpu) / (time.monotonic() - began))
    idle = min(seconds)
    costs = []
    for number in range(changes):
        began, cpu = time.monotonic(), site.server.cpu_seconds()
        await change(number)
        await asyncio.sleep(QUIET)
        costs.append(site.server.cpu_seconds() - cpu - idle * (time.monotonic() - began))
    return sorted(costs)[len(costs) // 2] * 1e3


async def measure(server: Server, fleet: Fleet, changes: int) -> dict[str, float]:
    """Give the milliseconds of each kind of change, without what its file alone costs."""
    url = f"ws://127.0.0.1:{server.port}/api/ws"
    # Without pings: the requests below block this loop, on a busy machine for longer than a ping may take.
    async with connect(url, max_size=None, ping_interval=None) as events:
        site = Site(server, events)
        drain = asyncio.create_task(events.recv())
        async with asyncio.timeout(PATIENCE * 5):
            while site.ask("GET", "/api/tasks?limit=1")["count"] < fleet.tasks:
                await asyncio.sleep(0.2)
        drain.cancel()
        site.ask("PATCH", "/api/tasks/TASK-0001", {"notes": "begun"})

        async def by_hand(number: int) -> None:
            id_ = f"TASK-{fleet.tasks // 2 + number:04}"
            fleet.edit_by_hand(number)
            await site.event(lambda one: one["type"] == "task:updated" and one["data"]["taskId"] == id_)

        async def patch(number: int) -> None:
            wanted = f"patched for the {number}th time"
            await change(fleet.tasks // 3 + number, {"notes": wanted}, wanted)

        async def complete(number: int) -> None:
            # Every fourth task is pending.
            wanted = f"completed as the {number}th"
            await change(4 * (fleet.tasks // 16 + number), {"status": "completed", "notes": wanted}, wanted)

        async def change(task: int, updates: dict[str, str], wanted: str) -> None:
            before = fleet.queue.stat()
            site.ask("PATCH", f"/api/tasks/TASK-{task:04}", updates)
            async with asyncio.timeout(PATIENCE):
                while (after := fleet.queue.stat()).st_ino == before.st_ino or after.st_size == 0:
                    await asyncio.sleep(0.01)
            if wanted.encode() not in fleet.queue.read_bytes():
                raise BenchmarkError("a PATCH did not come to the file")

        async def report(number: int) -> None:
            data = {"agent": f"agent-{number}", "tokens": 100 * number, "cost": 0.1}
            site.ask("POST", "/api/events", {"type": "token:usage", "data": data})

        async def status(number: int) -> None:
            fleet.set_status(number, "busy")
            id_ = f"agent-{number}"
            await site.event(
                lambda one: one["type"] == "agent:statusChange" and one["data"]["agentId"] == id_
            )

        async def score(number: int) -> None:
            id_ = f"lead-{fleet.leads // 2 + number}"
            fleet.score(number)
            await site.event(lambda one: one["type"] == "lead:scored" and one["data"]["leadId"] == id_)

        read = floor_ms(fleet.queue, lambda data: _read(fleet.queue, data))
        beside = fleet.queue.with_name("floor.json")
        written = floor_ms(fleet.queue, lambda data: _write(beside, data)) if fleet.tasks else 0.0
        beside.unlink(missing_ok=True)
        leads = floor_ms(fleet.lead_file, lambda data: _read(fleet.lead_file, data))
        whole = {
            "edit by hand": await per_change(site, changes, by_hand),
            "PATCH": await per_change(site, changes, patch),
            "completion": await per_change(site, changes, complete),
            "token:usage": await per_change(site, changes, report),
            "state.json": await per_change(site, changes, status),
            "lead": await per_change(site, changes, score),
        }
    # A file that was written is read once more, when the system says that it has changed.
    floors = {"edit by hand": read, "PATCH": written + read, "completion": written + read, "lead": leads}
    for name, value in whole.items():
        print(f"  {name:14} {value:8.1f} ms, of which the file alone {floors.get(name, 0.0):6.1f} ms")
    return {name: max(0.0, value - floors.get(name, 0.0)) for name, value in whole.items()}


def _read(path: Path, before: bytes) -> None:
    if path.read_bytes() != before:
        raise BenchmarkError("a file has changed")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def run(tasks: int, agents: int, leads: int, changes: int) -> dict[str, float]:
    """Measure one size."""
    print(f"{tasks:,} tasks, {agents:,} agents, {leads:,} leads")
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as name,
        _fleet(name, tasks, agents, leads) as fleet,
        running(SUBJECT, Path(name)) as server,
    ):
        return asyncio.run(measure(server, fleet, changes))


@contextlib.contextmanager
def _fleet(name: str, tasks: int, agents: int, leads: int) -> Iterator[Fleet]:
    yield Fleet(Path(name), tasks, agents, leads)


def growth(kind: str, of: str, sizes: Sequence[int], figures: Sequence[dict[str, float]]) -> Check:
    """Hold what a change costs in the largest fleet to what it costs in the smallest."""
    least, most = (max(figure[kind], LEAST_MS) for figure in (figures[0], figures[-1]))
    return at_most(f"{kind}, {sizes[-1]:,} over {sizes[0]:,} {of}", most / least, RATIO, "times")


def main() -> int:
    """Measure once; 1 when a target is missed, 2 when the run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.changes", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="tasks")
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 2_000])
    parser.add_argument("--leads", type=int, nargs="+", default=[1_000, 50_000])
    parser.add_argument("--changes", type=int, default=9, help="of each kind, at each size")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    if min(arguments.sizes) < 100 or min(arguments.agents) < 20 or arguments.changes < 1:
        parser.error("there must be 100 tasks, 20 agents and one change at least")
    prepare([SUBJECT.name])
    failures: list[str] = []
    checks: list[Check] = []
    record: dict[str, object] = {}
    few = arguments.agents[0], arguments.leads[0]
    fleets = {
        "tasks": [(size, *few) for size in arguments.sizes],
        "agents": [(arguments.sizes[0], size, few[1]) for size in arguments.agents],
        "leads": [(arguments.sizes[0], few[0], size) for size in arguments.leads],
    }
    kinds = {
        "tasks": ("edit by hand", "PATCH", "completion", "token:usage"),
        "agents": ("state.json", "token:usage"),
        "leads": ("lead",),
    }
    done: dict[tuple[int, int, int], dict[str, float]] = {}
    try:
        for of, sizes in fleets.items():
            for size in sizes:
                if size not in done:
                    done[size] = run(*size, arguments.changes)
            figures = [done[size] for size in sizes]
            column = ("tasks", "agents", "leads").index(of)
            checks += [growth(kind, of, [size[column] for size in sizes], figures) for kind in kinds[of]]
            record[of] = [
                {"size": size, "own_ms": figure} for size, figure in zip(sizes, figures, strict=True)
            ]
    except (BenchmarkError, OSError, TimeoutError, http.client.HTTPException) as error:
        failures.append(f"{type(error).__name__}: {error}")
    return conclude(checks, failures, record, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
