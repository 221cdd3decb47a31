"""Runs the sources, and restarts those that fail.

Invariants:

- a source that fails does not affect others: it is restarted after a pause that doubles from 0.5 to 30 seconds, with
  jitter, and is short again once a run has lasted for some seconds;
- a series of failures is reported once, as a `system:alert`, until the source has run well for a minute;
- reading the log and publishing do not depend on sources: with every source failed, the server still serves.
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
"""After a run of this many seconds the pause before a restart is the shortest one again."""

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
            log: the log that events are appended to.
            config: `sources` and the data folder are read from it.
            state: the fold over the log; its owner keeps it up to date, and calls `committed` after each change.
            sources: the kinds to run.
            fleet: the fold over the events of all hosts, if there are several; `state` is then this host's part of it.
            host: the name of this host in the fleet.

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
        """Start the sources. Returns when each has scanned once or failed, or after a second; scans continue."""
        for source in self._sources:
            self._tasks.append(asyncio.create_task(self._keep_running(source), name=f"source {source.name}"))
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                for feed in self._feeds.values():
                    await feed.looked.wait()
        except TimeoutError:
            pass

    def start_standby(self) -> None:
        """Accept changes of tasks and answers to questions while another node watches the workspace."""
        for source in (self.source(TaskQueue), self.source(Questions)):
            source.attach(self._feeds[source.name])

    async def stop(self) -> None:
        """Stop the sources. Changes that they have not published are found at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._watched.clear()
        with suppress(LookupError):
            self.source(Questions).release()
        for feed in self._feeds.values():
            # No task may wait for a first scan that will not happen.
            feed.looked.set()

    def source(self, kind: type[_S]) -> _S:
        """Return the source of a kind.

        Raises:
            LookupError: no such source was prepared.
        """
        for source in self._sources:
            if isinstance(source, kind):
                return source
        raise LookupError(f"there is no source of the kind {kind.__name__}")

    def rescan(self, folder: str) -> None:
        """Request a scan of a folder of the workspace by every source; "" is the whole workspace."""
        for feed in self._feeds.values():
            feed.inbox.put(trees=[folder])

    def host(self) -> HostFigures | None:
        """Return the figures of this machine; None before they are first read."""
        return next((source.figures for source in self._sources if isinstance(source, Host)), None)

    def health(self) -> dict[str, SourceHealth]:
        """Return the health of each source by name; `workspace` is the watcher that they share."""
        return {name: feed.health() for name, feed in self._feeds.items()}

    def committed(self, records: Sequence[Record]) -> None:
        """Wake the sources that follow these events."""
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
        alerting: asyncio.Task[set[str]] | None = None
        try:
            while True:
                started = monotonic()
                health.status = "starting"
                feed.begin_run()
                try:
                    try:
                        await source.run(feed)
                    finally:
                        # Before the next run: the thread may still work on the same objects.
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
                    alerting = None
                if alerting is None:
                    message = f"The source {source.name} failed and is started again: {reason}."
                    alerting = asyncio.create_task(feed.publish([Step([feed.alert("warning", message)], {})]))
                    alerting.add_done_callback(_log_failure)
                await asyncio.sleep(backoff.next())
        finally:
            if alerting is not None:
                alerting.cancel()


def _log_failure(alerting: asyncio.Task[set[str]]) -> None:
    if not alerting.cancelled() and (error := alerting.exception()) is not None:
        logger.error("source.alert_failed", extra={"reason": reason_of(error)}, exc_info=error)


def _own_files(root: Path, data: Path) -> list[str]:
    """Return the server's own files in the workspace: reporting their changes would change them again."""
    if data == root:
        return [f"{name}{tail}" for name in _OWN_FILES for tail in ("", "-wal", "-shm", "-journal")]
    # It may also lie in an agent's workspace.
    return [Path(os.path.relpath(data, root)).as_posix()]
