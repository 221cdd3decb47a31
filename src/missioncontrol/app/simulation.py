"""A fleet that does not exist: writes a workspace as a dozen agents would, for demonstrations and for trying things.

It is an ordinary workspace in every respect, and what happens in it reaches the log through the same sources as
anybody's. With the same seed it lives through the same days, apart from the time of day. What the agents leave
behind is bounded, so that it may run for as long as anybody likes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

KEPT_FILES = 25
"""How many files each agent leaves lying about; the oldest is deleted for a new one."""

MOST_BUSY = 8


class Profile(NamedTuple):
    """Who an agent is, what it writes, and what it may be asked to do."""

    id: str
    name: str
    role: str
    codename: str
    division: str
    specialties: tuple[str, ...]
    file: str
    work: tuple[str, ...]


FLEET = (
    Profile(
        "nexus",
        "Nexus",
        "Coordinator",
        "The Switchboard",
        "Command",
        ("planning", "delegation", "conflict settling"),
        "plans/plan-{n:03}.md",
        (
            "Plan the week",
            "Settle who owns the importer",
            "Review yesterday's results",
            "Reorder the backlog",
        ),
    ),
    Profile(
        "scout",
        "Scout",
        "Researcher",
        "The Far Eye",
        "Intelligence",
        ("market research", "source checking", "trend spotting"),
        "reports/finding-{n:03}.md",
        ("Map the competitors' pricing", "Check three new data sources", "Summarise the week's news"),
    ),
    Profile(
        "forge",
        "Forge",
        "Builder",
        "The Smith",
        "Engineering",
        ("Python", "interfaces", "refactoring"),
        "code/module_{n:03}.py",
        ("Build the importer", "Split the billing module", "Write the retry logic", "Speed up the parser"),
    ),
    Profile(
        "sentry",
        "Sentry",
        "Watch officer",
        "The Night Light",
        "Operations",
        ("monitoring", "incident response", "capacity"),
        "logs/watch-{n:03}.log",
        ("Walk the health checks", "Rotate the keys", "Look into slow answers"),
    ),
    Profile(
        "quill",
        "Quill",
        "Writer",
        "The Plain Hand",
        "Communications",
        ("documentation", "newsletters", "editing"),
        "drafts/draft-{n:03}.md",
        ("Draft the release notes", "Rewrite the start page", "Edit the case study"),
    ),
    Profile(
        "pixel",
        "Pixel",
        "Designer",
        "The Grid",
        "Product",
        ("layout", "icons", "accessibility"),
        "design/screen-{n:03}.svg",
        ("Redraw the status icons", "Lay out the mobile view", "Check the contrast everywhere"),
    ),
    Profile(
        "audit",
        "Audit",
        "Reviewer",
        "The Second Look",
        "Engineering",
        ("code review", "test design", "licences"),
        "reviews/review-{n:03}.md",
        ("Review the importer", "Find what no test covers", "Check the licences"),
    ),
    Profile(
        "cipher",
        "Cipher",
        "Security analyst",
        "The Quiet Lock",
        "Operations",
        ("threat models", "secrets", "access"),
        "notes/threat-{n:03}.md",
        ("Model threats to the gateway", "Look for secrets in logs", "Review who may do what"),
    ),
    Profile(
        "atlas",
        "Atlas",
        "Data engineer",
        "The Cartographer",
        "Data",
        ("pipelines", "schemas", "quality checks"),
        "data/batch-{n:03}.json",
        ("Clean the contact list", "Load the March figures", "Draw the table lineage"),
    ),
    Profile(
        "ledger",
        "Ledger",
        "Accountant",
        "The Fine Pencil",
        "Finance",
        ("budgets", "forecasts", "invoices"),
        "sheets/forecast-{n:03}.csv",
        ("Forecast the token spend", "Match the invoices", "Find the costliest prompts"),
    ),
    Profile(
        "herald",
        "Herald",
        "Outreach",
        "The Open Door",
        "Growth",
        ("first contacts", "follow-ups", "meeting notes"),
        "outreach/letter-{n:03}.txt",
        ("Write to five new leads", "Follow up on last week", "Prepare the call on Thursday"),
    ),
    Profile(
        "echo",
        "Echo",
        "Support",
        "The Patient Ear",
        "Growth",
        ("tickets", "summaries", "known problems"),
        "answers/ticket-{n:03}.md",
        ("Answer the open tickets", "Group the complaints", "Update the known problems"),
    ),
)

_TROUBLES = ("error: no answer from the model", "error: the build failed", "error: out of disk quota")
_WAITS = ("waiting for approval", "waiting for review", "blocked by another task")


class Worker:
    """One simulated agent. `left` counts the steps until its task is done."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.status = "idle"
        self.task: dict[str, Any] | None = None
        self.left = 0
        self.files: deque[str] = deque()
        self.written = 0
        self.stats = {"tasksCompleted": 0, "tasksActive": 0, "filesWritten": 0, "errors": 0}


class Simulation:
    """Lives in a folder: `prepare` puts the fleet there, each `step` is one thing that somebody does."""

    def __init__(self, folder: Path, *, seed: int = 1, clock: Callable[[], datetime] | None = None) -> None:
        """Prepare a simulation; nothing is written yet.

        Args:
            folder: the workspace, which should be nobody else's.
            seed: the same seed gives the same story.
            clock: tells the time that is written into files; the time of day unless told otherwise.
        """
        self._folder = folder
        self._chance = Random(seed)  # noqa: S311
        self._clock = clock or (lambda: datetime.now(UTC))
        self._workers = {profile.id: Worker(profile) for profile in FLEET}
        self._tasks = 0
        self._burst = 0

    async def run(self) -> None:
        """Keep the fleet living until cancelled; `prepare` comes first.

        Raises:
            OSError: the folder cannot be written.
        """
        while True:
            pause = await asyncio.to_thread(self.step)
            await asyncio.sleep(pause)

    def prepare(self) -> None:
        """Write every agent's `SOUL.md` and first `state.json`; files of an earlier run are taken over."""
        for worker in self._workers.values():
            folder, _, form = worker.profile.file.partition("/")
            before, _, after = form.partition("{n:03}")
            names = (path.name for path in (self._home(worker) / folder).glob(f"{before}*{after}"))
            numbers = sorted(int(name.removeprefix(before).removesuffix(after)) for name in names)
            worker.files.extend(worker.profile.file.format(n=number) for number in numbers)
            worker.written = max(numbers, default=0)
            self._write(self._home(worker) / "SOUL.md", _soul(worker.profile))
            self._tell(worker)

    def step(self) -> float:
        """Do one thing, and return how many seconds to wait before the next."""
        chance = self._chance
        if self._burst == 0 and chance.random() < 0.04:
            self._burst = chance.randint(6, 15)
        working = [worker for worker in self._workers.values() if worker.task is not None]
        resting = [worker for worker in self._workers.values() if worker.task is None]
        if resting and (not working or (len(working) < MOST_BUSY and chance.random() < 0.3)):
            self._assign(chance.choice(resting))
        else:
            self._work(chance.choice(working))
        if self._burst:
            self._burst -= 1
            return chance.uniform(0.04, 0.15)
        return chance.uniform(0.4, 1.6)

    def _assign(self, worker: Worker) -> None:
        self._tasks += 1
        worker.task = {
            "id": f"SIM-{self._tasks:04}",
            "description": self._chance.choice(worker.profile.work),
            "assigned_by": "nexus" if worker.profile.id != "nexus" else "schedule",
            "priority": self._chance.choice(("P0", "P1", "P1", "P2", "P2", "P3")),
        }
        worker.left = self._chance.randint(2, 7)
        worker.stats["tasksActive"] = 1
        worker.status = "busy"
        self._tell(worker)

    def _work(self, worker: Worker) -> None:
        """Take a working agent one step further: back to work, into a wait or trouble, a file written, or done."""
        luck = self._chance.random()
        if worker.status != "busy":
            worker.status = "busy"
            self._tell(worker)
        elif luck < 0.05:
            worker.status = self._chance.choice(_TROUBLES)
            worker.stats["errors"] += 1
            self._tell(worker)
        elif luck < 0.13:
            worker.status = self._chance.choice(_WAITS)
            self._tell(worker)
        elif worker.left > 0:
            worker.left -= 1
            self._leave_file(worker)
        else:
            worker.task = None
            worker.status = "idle"
            worker.stats["tasksActive"] = 0
            worker.stats["tasksCompleted"] += 1
            self._tell(worker)

    def _leave_file(self, worker: Worker) -> None:
        """Write a new file, or go on with one that is there."""
        home = self._home(worker)
        if worker.files and self._chance.random() < 0.4:
            name = self._chance.choice(tuple(worker.files))
        else:
            worker.written += 1
            worker.stats["filesWritten"] += 1
            name = worker.profile.file.format(n=worker.written)
            worker.files.append(name)
            while len(worker.files) > KEPT_FILES:
                (home / worker.files.popleft()).unlink(missing_ok=True)
        task = worker.task or {}
        lines = [f"{worker.profile.name}: {task.get('description', '')} ({task.get('id', '')})"]
        lines += (
            f"{line + 1}. {self._chance.choice(_REMARKS)}" for line in range(self._chance.randint(2, 12))
        )
        self._write(home / name, "\n".join(lines) + "\n")

    def _tell(self, worker: Worker) -> None:
        """Write an agent's state, in the form that its kind of agent uses."""
        time = self._clock().isoformat(timespec="seconds")
        state: dict[str, Any] = {
            "agent": worker.profile.id,
            "codename": worker.profile.codename,
            "status": worker.status,
            "lastActive": time,
            "active_projects": [
                {
                    "id": worker.profile.division.lower(),
                    "name": worker.profile.division,
                    "status": "in_progress",
                }
            ],
            "stats": worker.stats,
            "current_task": worker.task,
        }
        if worker.profile.id == "sentry":
            active = sum(other.task is not None for other in self._workers.values())
            state["system"] = {"gatewayStatus": "running", "lastCheck": time}
            state["sessions"] = {"total": len(self._workers), "active": active, "failed": 0}
            state["alerts"] = []
        self._write(self._home(worker) / "state.json", json.dumps(state, indent=2) + "\n")

    def _home(self, worker: Worker) -> Path:
        return self._folder / "mission-control" / "agents" / worker.profile.id

    def _write(self, path: Path, content: str) -> None:
        """Replace a file whole, so that nobody ever reads half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.tmp")
        beside.write_text(content, encoding="utf-8")
        os.replace(beside, path)  # noqa: PTH105


_REMARKS = (
    "Looked at what was there before.",
    "Two sources agree, one does not.",
    "Left out what could not be checked.",
    "Simpler than expected; kept it that way.",
    "Needs another pair of eyes.",
    "Measured first, then changed.",
    "The old way is still in use in one place.",
    "Asked for the missing figures.",
    "Done, and written down why.",
)


def _soul(profile: Profile) -> str:
    specialties = "\n".join(f"- {specialty}" for specialty in profile.specialties)
    return f"""# SOUL.md

**Name:** {profile.name}
**Role:** {profile.role}
**Codename:** "{profile.codename}"
**Division:** {profile.division}

**Specialties:**
{specialties}

This agent is simulated.
"""
