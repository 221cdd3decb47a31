"""Runs the sources, and runs them again.

Invariants:

- a source that fails takes nothing else down: it is run again after a pause that doubles from 0.5 to 30 seconds,
  with jitter, and begins again small once it has run well for a minute;
- a series of failures is told once, as a `system:alert`;
- nothing here is needed to read the log or to publish: with every source failed, the server still serves.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from missioncontrol.background import reason_of
from missioncontrol.backoff import Backoff
from missioncontrol.config import Config
from missioncontrol.events import Record
from missioncontrol.fleet.agents import Agents
from missioncontrol.fleet.files import Files
from missioncontrol.fleet.gateway import Gateway
from missioncontrol.fleet.host import Host, HostFigures
from missioncontrol.fleet.leads import Leads
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.source import Feed, Following, Source, SourceHealth, Step, Workspace
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.fleet.watcher import Watcher
from missioncontrol.state import FleetState
from missioncontrol.store.log import Log
from missioncontrol.watch.ignore import Ignore

SOURCES: tuple[Callable[[Workspace], Source], ...] = (
    Agents,
    TaskQueue,
    Leads,
    UsageTracker,
    Messages,
    Gateway,
    Questions,
    Host,
    Files,
)
"""Every kind of source; a new one is added here."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
WELL_AGAIN_SECONDS = 60.0

RAN_SECONDS = 3.0
"""After how long a run the next failure is no part of those before: its pause is the first one again."""

FIRST_LOOK_SECONDS = 1.0
_OWN_FILES = ("events.sqlite", "search.sqlite", "transcripts.sqlite", "head", "lock")

logger = logging.getLogger(__name__)

_S = TypeVar("_S", bound=Source)


class Supervisor:
    """All sources of one workspace."""

    def __init__(
        self,
        workspace: Path,
        log: Log,
        config: Config,
        state: FleetState,
        sources: Sequence[Callable[[Workspace], Source]] = SOURCES,
        *,
        fleet: FleetState | None = None,
        host: str | None = None,
    ) -> None:
        """Prepare the sources; nothing is read before `start`.

        Args:
            workspace: the folder that is watched.
            log: where events go.
            config: `sources` and the data folder are read from it.
            state: the fold over the log, kept up to date by whoever owns it, who also calls `committed` afterwards.
            sources: the kinds to run.
            fleet: the fold over what all hosts tell, where there are several; `state` is then this host's part of it.
            host: what the fleet calls this one.

        Raises:
            ConfigError: a pattern of `sources.ignore` cannot be read.
        """
        root = workspace.resolve()
        ignore = Ignore(config.sources.ignore, _own_files(root, config.data_path))
        place = Workspace(root, ignore, config, state, fleet or state, host)
        self.quotas = place.quotas
        self.runtimes = place.runtimes
        self.workspace = place
        watched = self._watched = asyncio.Event()
        self._health: dict[str, SourceHealth] = {}
        self._feeds: dict[str, Feed] = {}
        self._sources: list[Source] = [make(place) for make in sources]
        self._log = log
        self._followers = [source for source in self._sources if isinstance(source, Following)]
        for source in self._sources:
            self._prepare(source.name, watched)
        watcher = Watcher(place, [feed.inbox for feed in self._feeds.values()], watched)
        self._sources.insert(0, watcher)
        self._prepare(watcher.name, watched)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the sources. Returns when each has looked once or failed, or after a second: the rest goes on."""
        for source in self._sources:
            self._tasks.append(asyncio.create_task(self._keep_running(source), name=f"source {source.name}"))
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                for feed in self._feeds.values():
                    await feed.looked.wait()
        except TimeoutError:
            pass

    def stand_by(self) -> None:
        """Let tasks be changed and questions be answered here while another node watches the workspace."""
        for source in (self.source(TaskQueue), self.source(Questions)):
            source.attach(self._feeds[source.name])

    async def stop(self) -> None:
        """Stop the sources. What they have not told they find at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._watched.clear()
        with suppress(LookupError):
            self.source(Questions).release()
        for feed in self._feeds.values():
            # Nobody is to wait for a first look that will not come.
            feed.looked.set()

    def source(self, kind: type[_S]) -> _S:
        """Return the source of a kind, for what can be done with it.

        Raises:
            LookupError: it is not among those that were prepared.
        """
        for source in self._sources:
            if isinstance(source, kind):
                return source
        raise LookupError(f"there is no source of the kind {kind.__name__}")

    def rescan(self, folder: str) -> None:
        """Have every source scan a folder of the workspace again; "" is the whole workspace."""
        for feed in self._feeds.values():
            feed.inbox.put(trees=[folder])

    def host(self) -> HostFigures | None:
        """Return how this machine is doing; None before the first look."""
        return next((source.figures for source in self._sources if isinstance(source, Host)), None)

    def health(self) -> dict[str, SourceHealth]:
        """Return how each source is doing, by name; `workspace` is the watch that they share."""
        return {name: feed.health() for name, feed in self._feeds.items()}

    def committed(self, records: Sequence[Record]) -> None:
        """Wake the sources that follow what these events are about."""
        for follower in self._followers:
            follower.committed(records)
        for feed in self._feeds.values():
            feed.committed(records)

    def _prepare(self, name: str, watched: asyncio.Event) -> None:
        self._health[name] = SourceHealth(name)
        self._feeds[name] = Feed(name, self._log, self._health[name], watched, self.quotas, self._feeds)

    async def _keep_running(self, source: Source) -> None:
        health, feed = self._health[source.name], self._feeds[source.name]
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        telling: asyncio.Task[set[str]] | None = None
        try:
            while True:
                started = monotonic()
                health.status = "starting"
                feed.begin_run()
                try:
                    try:
                        await source.run(feed)
                    finally:
                        # Before the next run: what the thread still does, it does to the same objects.
                        await feed.thread.close()
                    reason = "it ended by itself"
                except Exception as error:
                    reason = reason_of(error)
                    logger.warning(
                        "source.failed", extra={"source": source.name, "reason": reason}, exc_info=True
                    )
                health.status, health.error = "failed", reason
                health.restarts += 1
                feed.looked.set()
                ran = monotonic() - started
                if ran > RAN_SECONDS:
                    backoff.reset()
                if ran > WELL_AGAIN_SECONDS:
                    telling = None
                if telling is None:
                    message = f"The source {source.name} failed and is started again: {reason}."
                    telling = asyncio.create_task(feed.tell([Step([feed.alert("warning", message)], {})]))
                    telling.add_done_callback(_log_failure)
                await asyncio.sleep(backoff.next())
        finally:
            if telling is not None:
                telling.cancel()


def _log_failure(telling: asyncio.Task[set[str]]) -> None:
    if not telling.cancelled() and (error := telling.exception()) is not None:
        logger.error("source.alert_failed", extra={"reason": reason_of(error)}, exc_info=error)


def _own_files(root: Path, data: Path) -> list[str]:
    """Return what of our own lies in the workspace: telling it would never end, since telling writes it."""
    if data == root:
        return [f"{name}{tail}" for name in _OWN_FILES for tail in ("", "-wal", "-shm", "-journal")]
    # It may also lie in an agent's workspace.
    return [Path(os.path.relpath(data, root)).as_posix()]
