"""A fleet that does not exist: writes a workspace as a dozen agents would, for demonstrations and for trying things.

It is an ordinary workspace in every respect, and what happens in it reaches the log through the same sources as
anybody's. With the same seed it lives through the same days, apart from the time of day. What the agents leave
behind is bounded, so that it may run for as long as anybody likes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from missioncontrol.app.simulation.fleet import FLEET, REMARKS, Profile, write_soul
from missioncontrol.app.simulation.shared_files import PLANNER, LeadList, TaskBoard
from missioncontrol.backoff import Backoff
from missioncontrol.runtimes.registry import simulated
from missioncontrol.temporary import remove_left_over, replace_file

MARK = ".mission-control-demo"
"""The file that says that a folder is a demo's, so that a later demo may go on in it."""

MARK_TEXT = "A simulated fleet writes here; made by `mission-control demo`.\n"

KEPT_FILES = 25
"""How many files each agent leaves lying about; the oldest is deleted for a new one."""

MOST_BUSY = 8

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 5.0
"""The pause after a step that failed; it doubles up to the second."""

logger = logging.getLogger(__name__)

_TROUBLES = ("error: no answer from the model", "error: the build failed", "error: out of disk quota")
_WAITS = ("waiting for approval", "waiting for review", "blocked by another task")


class Worker:
    """One simulated agent. `left` counts the steps until its task is done; `gone` says that its folder was removed."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.status = "idle"
        self.task: dict[str, Any] | None = None
        self.left = 0
        self.files: deque[str] = deque()
        self.written = 0
        self.gone = False
        self.stats = {"tasksCompleted": 0, "tasksActive": 0, "filesWritten": 0, "errors": 0}


class Simulation:
    """Lives in a folder: `prepare` puts the fleet there, each `step` is one thing that somebody does."""

    def __init__(
        self,
        folder: Path,
        *,
        runtime: Path | None = None,
        seed: int = 1,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Prepare a simulation; nothing is written yet.

        Args:
            folder: the workspace, which should be nobody else's.
            runtime: the runtime's folder that the agents' transcripts are written to; none without it.
            seed: the same seed gives the same story.
            clock: tells the time that is written into files; the time of day unless told otherwise.
        """
        self._folder = folder
        self._chance = Random(seed)  # noqa: S311
        self._clock = clock or (lambda: datetime.now(UTC))
        self._workers = {profile.id: Worker(profile) for profile in FLEET}
        self._board = TaskBoard(folder, self._chance, self._time)
        self._leads = LeadList(folder, self._chance)
        self._transcripts = (
            simulated.Transcripts(runtime, self._chance, self._clock) if runtime is not None else None
        )
        self._gateway = "running"
        self._burst = 0

    async def run(self) -> None:
        """Keep the fleet alive until cancelled; `prepare` comes first.

        It is supervised: whatever happens to its files, a step that fails is logged and the next one tries again. The
        same failure is logged once until it changes or is over.
        """
        failure, backoff = None, Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                wait = await asyncio.to_thread(self.step)
            except Exception as error:
                if (reason := f"{type(error).__name__}: {error}") != failure:
                    failure = reason
                    expected = isinstance(error, OSError)
                    logger.warning("simulation.step_failed", extra={"reason": reason}, exc_info=not expected)
                wait = backoff.next()
            else:
                if failure is not None:
                    logger.info("simulation.goes_on")
                failure = None
                backoff.reset()
            await asyncio.sleep(wait)

    def prepare(self) -> None:
        """Write every agent's `SOUL.md` and first `state.json`; files of an earlier run are kept.

        Raises:
            OSError: the folder cannot be written.
        """
        replace_file(self._folder / MARK, MARK_TEXT.encode())
        remove_left_over(self._folder / "mission-control" / "TASK_QUEUE.json")
        remove_left_over(self._folder / "mission-control" / "data" / "leads.json")
        if self._transcripts is not None:
            self._transcripts.prepare(list(self._workers))
        for worker in self._workers.values():
            self._settle(worker)

    def step(self) -> float:
        """Do one thing, and return how many seconds to wait before the next.

        Raises:
            OSError: a file cannot be read or written; the next step may do better.
        """
        chance = self._chance
        present = self._present()
        if self._burst == 0 and chance.random() < 0.04:
            self._burst = chance.randint(6, 15)
        working = [worker for worker in present if worker.task is not None]
        resting = [worker for worker in present if worker.task is None]
        if resting and (not working or (len(working) < MOST_BUSY and chance.random() < 0.3)):
            self._assign(chance.choice(resting))
        else:
            self._work(chance.choice(working))
        if self._burst:
            self._burst -= 1
            return chance.uniform(0.04, 0.15)
        return chance.uniform(0.4, 1.6)

    def _present(self) -> list[Worker]:
        """Return the agents that have a folder.

        An agent whose folder was removed is gone, and comes back with its folder. Where all are gone the fleet begins
        again: a demonstration of nothing helps nobody.
        """
        present = [worker for worker in self._workers.values() if self._home(worker).is_dir()]
        if not present:
            self.prepare()
            return list(self._workers.values())
        for worker in self._workers.values():
            if worker in present:
                if worker.gone:
                    self._settle(worker)
            elif not worker.gone:
                worker.gone = True
                task = self._drop(worker)
                if task is not None:
                    self._board.release(task["id"], worker.profile.id)
        return present

    def _settle(self, worker: Worker) -> None:
        """Begin with what an agent's folder contains; what people have written there is kept."""
        worker.gone = False
        worker.files.clear()
        folder, _, form = worker.profile.file.partition("/")
        before, _, after = form.partition("{n:03}")
        names = (path.name for path in (self._home(worker) / folder).glob(f"{before}*{after}"))
        digits = (name.removeprefix(before).removesuffix(after) for name in names)
        numbers = sorted(int(text) for text in digits if text.isascii() and text.isdigit() and len(text) < 10)
        worker.files.extend(worker.profile.file.format(n=number) for number in numbers)
        worker.written = max(numbers, default=0)
        soul = self._home(worker) / "SOUL.md"
        if not soul.exists():
            replace_file(soul, write_soul(worker.profile).encode())
        remove_left_over(self._home(worker) / "state.json")
        self._tell(worker)

    def _assign(self, worker: Worker) -> None:
        others = {other.task["id"] for other in self._workers.values() if other.task is not None}
        task = self._board.take(worker.profile.id, others)
        if task is None:
            return
        description = str(task.get("description") or "")
        worker.task = {
            "id": task["id"],
            "description": description,
            "assigned_by": task.get("createdBy") or PLANNER,
            "priority": task.get("priority"),
        }
        worker.left = self._chance.randint(2, 7)
        worker.stats["tasksActive"] = 1
        worker.status = "busy"
        if self._transcripts is not None:
            self._transcripts.asked(worker.profile.id, f"{task['id']}: {description}")
        self._tell(worker)

    def _work(self, worker: Worker) -> None:
        """Take a working agent one step further: back to work, into a wait or trouble, a file written, or done."""
        if worker.task is not None and not self._board.is_work_of(worker.task["id"], worker.profile.id):
            # Somebody has completed it, deleted it, or given it to another agent.
            self._drop(worker)
            if self._transcripts is not None:
                self._transcripts.answered(worker.profile.id, "Stopped: the task was changed.")
            self._tell(worker)
            return
        luck = self._chance.random()
        if worker.status != "busy":
            worker.status = "busy"
            if self._transcripts is not None:
                self._transcripts.asked(worker.profile.id, "Go on.")
            self._tell(worker)
        elif luck < 0.05:
            worker.status = self._chance.choice(_TROUBLES)
            worker.stats["errors"] += 1
            if self._transcripts is not None:
                self._transcripts.answered(worker.profile.id, worker.status, failed=True)
            self._tell(worker)
        elif luck < 0.13:
            worker.status = self._chance.choice(_WAITS)
            self._tell(worker)
        elif worker.left > 0:
            worker.left -= 1
            self._leave_file(worker)
        else:
            self._finish(worker)

    def _drop(self, worker: Worker) -> dict[str, Any] | None:
        """Take an agent off its task, and return the task."""
        task, worker.task = worker.task, None
        worker.status = "idle"
        worker.stats["tasksActive"] = 0
        return task

    def _finish(self, worker: Worker) -> None:
        if worker.task is not None and not self._board.finish(worker.task["id"]):
            # The queue was written at the same moment: the next step finds it as it is then.
            return
        if self._transcripts is not None:
            self._transcripts.answered(worker.profile.id, "Done, and written down why.")
        self._drop(worker)
        worker.stats["tasksCompleted"] += 1
        if worker.profile.division == "Growth":
            self._leads.find_or_score()
        if worker.profile.id == "sentry":
            # Its watch finds the gateway down now and then, and up again the next time.
            down = self._gateway == "running" and self._chance.random() < 0.1
            self._gateway = "restarting" if down else "running"
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
        remarks = [self._chance.choice(REMARKS) for _ in range(self._chance.randint(2, 12))]
        lines += (f"{number}. {remark}" for number, remark in enumerate(remarks, 1))
        content = "\n".join(lines) + "\n"
        replace_file(home / name, content.encode())
        if self._transcripts is not None:
            self._transcripts.called(worker.profile.id, name, content, remarks[-1])

    def _tell(self, worker: Worker) -> None:
        """Write an agent's state, in the form that its kind of agent uses."""
        time = self._time()
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
            state["system"] = {"gatewayStatus": self._gateway, "lastCheck": time}
            state["sessions"] = {"total": len(self._workers), "active": active, "failed": 0}
            state["alerts"] = []
        replace_file(self._home(worker) / "state.json", (json.dumps(state, indent=2) + "\n").encode())

    def _home(self, worker: Worker) -> Path:
        return self._folder / "mission-control" / "agents" / worker.profile.id

    def _time(self) -> str:
        return self._clock().isoformat(timespec="seconds")
