"""Tasks that run in the background, supervised: none of them dies silently.

Invariants:

- a task that is to go on is run again whenever it fails or ends, after a pause that doubles from 0.5 to 30 seconds;
- a failure is logged with its traceback, and shows in `health` until the task runs well again;
- what fails here raises nowhere else: nobody awaits these tasks but `stop`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Literal

import msgspec

from missioncontrol.backoff import Backoff

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
WELL_SECONDS = 5.0
"""How long a task runs after a failure until it counts as well."""

STOP_SECONDS = 2.0

Work = Callable[[], Coroutine[Any, Any, None]]

logger = logging.getLogger(__name__)


class TaskHealth(msgspec.Struct, rename="camel"):
    """How a background task is doing; `error` says why it has failed, `failures` counts how often it has."""

    status: Literal["ok", "failed"] = "ok"
    error: str | None = None
    failures: int = 0


class BackgroundTasks:
    """The background tasks of one server, each under a name."""

    def __init__(self) -> None:
        self._health: dict[str, TaskHealth] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run something that goes on until it is cancelled; it is run again whenever it fails.

        Args:
            name: what `/health` and the log call it.
            work: makes a new coroutine for each run.

        Returns:
            the task that supervises it; cancelling it ends the work.
        """
        self._health.setdefault(name, TaskHealth())
        return self._add(name, self._keep(name, work))

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that ends by itself, once.

        Args:
            name: what `/health` and the log call it; the last one of a name shows.
            work: what to run.
        """
        return self._add(name, self._run_once(name, work))

    def report(self, name: str, error: BaseException | str | None) -> None:
        """Note that a task of this name, which retries by itself, has failed; or with None that it is well."""
        health = self._health.setdefault(name, TaskHealth())
        if error is None:
            health.status, health.error = "ok", None
            return
        health.status, health.error = "failed", error if isinstance(error, str) else reason_of(error)
        health.failures += 1

    def health(self) -> dict[str, TaskHealth]:
        """Return how the tasks that go on and those that have failed are doing, by name."""
        return dict(self._health)

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Cancel all tasks, and wait for their ends, at most so many seconds."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=seconds)
            for task in left:
                logger.warning("task.left_behind", extra={"task": task.get_name()})

    def _add(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep(self, name: str, work: Work) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            began = monotonic()
            well = asyncio.get_running_loop().call_later(WELL_SECONDS, self.report, name, None)
            try:
                await work()
                error: BaseException | str = "it ended by itself"
                logger.warning("task.ended", extra={"task": name})
            except Exception as raised:
                error = raised
                logger.exception("task.failed", extra={"task": name})
            finally:
                well.cancel()
            self.report(name, error)
            if monotonic() - began > LONGEST_PAUSE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _run_once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            logger.exception("task.failed", extra={"task": name})
            self.report(name, error)
        else:
            if name in self._health:
                self.report(name, None)


def reason_of(error: BaseException) -> str:
    """Return in a few words why something has failed; of a group with one error, that one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"[:500]
