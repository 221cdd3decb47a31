"""Publishes the gateway's status, and the alerts that Sentry raises.

The status comes from the gateway itself if it can be reached, else from Sentry's file. A status is published when it
changes, and an alert once for as long as it is in Sentry's list.
"""

from __future__ import annotations

import asyncio
import os
from time import monotonic
from typing import Any

import msgspec

from missioncontrol.events import Data, Draft, now, rfc3339
from missioncontrol.fleet.agent_status import RuntimeAgent
from missioncontrol.fleet.layout import AGENT_FOLDERS, STATE_FILE
from missioncontrol.fleet.sentry import SentryReport, read_report
from missioncontrol.fleet.source import MARK, Batch, Feed, Inbox, Step, Workspace
from missioncontrol.runtimes import registry
from missioncontrol.runtimes.base import GatewayClient, Runtime
from missioncontrol.watch.debounce import Debounce
from missioncontrol.watch.paths import folders_above
from missioncontrol.watch.tree import Content, read_file

MAX_FILE_BYTES = 1024 * 1024
SETTLE = 0.02
RUNNING = "running"
UNREACHABLE = "unreachable"
TOKEN_VARIABLE = "MISSION_CONTROL_GATEWAY_TOKEN"  # noqa: S105 - a name, not a token

_FILES = tuple(f"{folder}/sentry/{STATE_FILE}" for folder in AGENT_FOLDERS)
_ABOVE = frozenset(_FILES).union(*map(folders_above, _FILES))


class Kept(msgspec.Struct):
    """What is remembered: the last published status, the current alerts, and the reported error of the file."""

    status: str | None = None
    alerts: list[str] = []
    complaint: str = ""


_kept = msgspec.json.Decoder(Kept)


class Gateway:
    """The gateway of the fleet."""

    name = "gateway"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._root = workspace.root
        self._kept = Kept()
        self._doubt = Debounce(_FILES[0])
        self._live: tuple[bool, Data] | None = None
        self._runs: dict[tuple[str, str], tuple[bool, int]] = {}
        self._inbox: Inbox | None = None
        self._runtime: Runtime | None = None
        self.report: SentryReport | None = None
        """Sentry's report as it was last read; None if there is none."""

    async def run(self, feed: Feed) -> None:
        """Watch until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._kept = _kept.decode(memory["kept"]) if "kept" in memory else Kept()
        self._doubt = Debounce(_FILES[0], self._kept.complaint)
        self._live = None
        self._inbox = feed.inbox
        await feed.watched()
        client = await feed.in_thread(self._find_client)
        async with asyncio.TaskGroup() as tasks:
            if client is not None:
                tasks.create_task(client.run(self))
            await self._watch(feed, client, first)

    async def _watch(self, feed: Feed, client: GatewayClient | None, first: bool) -> None:
        due: float | None = monotonic()
        start = True
        while True:
            if due is not None and due <= monotonic():
                wait = await self._look(feed, first=first, at_start=start)
                due = None if wait is None else monotonic() + wait
                if wait is None or wait > 1.0:
                    if start:
                        feed.running()
                    first = start = False
            batch = await feed.inbox.take(None if due is None else max(0.0, due - monotonic()))
            feed.note(None if client is None else client.note)
            if _concerns(batch) or self._live is not None:
                soon = monotonic() + SETTLE
                due = soon if due is None else min(due, soon)

    async def _look(self, feed: Feed, *, first: bool, at_start: bool) -> float | None:
        """Publish changes of the status and alerts; return the seconds until the file is to be read again."""
        path, content = await feed.in_thread(self._read)
        report = SentryReport(None, {}, [])
        before = msgspec.json.encode(self._kept)
        drafts: list[Draft] = []
        wait: float | None = None
        if isinstance(content, Content):
            try:
                report = read_report(content.data)
                self._doubt.whole()
            except ValueError as error:
                wait = self._complain(feed, path, content, str(error), drafts)
        elif isinstance(content, str):
            wait = self._complain(feed, path, content, content, drafts)
        self._kept.complaint = self._doubt.reported
        if wait is not None and wait <= 1.0:
            return wait
        known = isinstance(content, Content) and wait is None and not self._doubt.reported
        if known or content is None:
            self.report = report if known else None
        status, details = self._status(report)
        if first:
            self._take_baseline(feed, report, status, details, drafts)
        else:
            if known:
                self._publish_alerts(feed, report, drafts, at_start=at_start)
            if status is not None and status != self._kept.status:
                self._publish_status(feed, status, details, drafts, at_start=at_start)
        after = msgspec.json.encode(self._kept)
        if drafts or after != before or first:
            await feed.publish([Step(drafts, {"kept": after, MARK: b"1"})])
        return wait

    def _status(self, report: SentryReport) -> tuple[str | None, Data]:
        if self._live is None:
            return report.status, report.details
        runs, details = self._live
        return (RUNNING if runs else UNREACHABLE), details

    def _take_baseline(
        self, feed: Feed, report: SentryReport, status: str | None, details: Data, drafts: list[Draft]
    ) -> None:
        self._kept.status = status
        self._kept.alerts = [alert.key for alert in report.alerts]
        if status is not None:
            gateway = {"status": status, "details": details, "updated": rfc3339(now()).decode()}
            drafts.append(feed.draft("state:baseline", {"source": self.name, "gateway": gateway}))

    def _publish_alerts(
        self, feed: Feed, report: SentryReport, drafts: list[Draft], *, at_start: bool
    ) -> None:
        known = set(self._kept.alerts)
        for alert in report.alerts:
            if alert.key not in known:
                known.add(alert.key)
                data: Data = {"level": alert.level, "message": alert.message, "details": alert.details}
                drafts.append(feed.draft("system:alert", _marked(data, at_start)))
        self._kept.alerts = list(dict.fromkeys(alert.key for alert in report.alerts))

    def _publish_status(
        self, feed: Feed, status: str, details: Data, drafts: list[Draft], *, at_start: bool
    ) -> None:
        previous = self._kept.status
        self._kept.status = status
        # The earlier system's pages read the previous status from the details.
        details = {**details, "previousStatus": previous}
        data: Data = {"status": status, "previousStatus": previous, "details": details}
        drafts.append(feed.draft("system:status", _marked(data, at_start)))
        if previous is None or RUNNING not in (status, previous):
            return
        level = "info" if status == RUNNING else "critical"
        alert: Data = {
            "level": level,
            "message": f"Gateway status changed to {status}",
            "details": {"previousStatus": previous, "source": details.get("source", self.name)},
        }
        drafts.append(feed.draft("system:alert", _marked(alert, at_start)))

    def _complain(
        self, feed: Feed, path: str, content: Content | str, wrong: str, drafts: list[Draft]
    ) -> float | None:
        verdict = self._doubt.broken(content)
        if verdict.complain:
            # The source of agents publishes an alert about the broken file; here it is only noted.
            feed.note(f"{path} cannot be used as it is: {wrong}")
        return verdict.wait

    def _read(self) -> tuple[str, Content | str | None]:
        """Read Sentry's file at the first place where it exists; in a thread."""
        for path in _FILES:
            content = read_file(self._root, path, MAX_FILE_BYTES)
            if content is not None:
                return path, content
        return _FILES[0], None

    # The gateway itself.

    def _find_client(self) -> GatewayClient | None:
        sources = self._workspace.config.sources
        if sources.gateway == "off":
            return None
        url = None if sources.gateway == "auto" else sources.gateway
        for runtime in registry.runtimes().values():
            place = registry.find(runtime.name, sources, self._root)
            client = runtime.gateway(place, url, os.environ.get(TOKEN_VARIABLE))
            if client is not None:
                self._runtime = runtime
                return client
        return None

    def health(self, *, running: bool, details: Data) -> None:
        """Note whether the gateway runs."""
        self._live = (running, details)
        self._wake()

    def run_state(self, agent: str, session: str, *, running: bool, at: int) -> None:
        """Note whether a session of an agent runs, since when, in milliseconds since 1970."""
        if self._runtime is None:
            return
        self._runs[agent, session] = (running, at)
        of_agent = [run for (other, _), run in self._runs.items() if other == agent]
        shown = RuntimeAgent(
            self._runtime.name,
            agent,
            "busy" if any(runs for runs, _ in of_agent) else "idle",
            max(when for _, when in of_agent),
            f"{self._runtime.title} gateway",
        )
        self._workspace.runtimes.say(agent, shown)

    def silence(self) -> None:
        """Note that the sessions' states are no longer known."""
        self._runs.clear()
        self._workspace.runtimes.forget_live()
        self._wake()

    def _wake(self) -> None:
        if self._inbox is not None:
            self._inbox.put()


def _concerns(batch: Batch) -> bool:
    return not batch.trees.isdisjoint(_ABOVE) or not batch.paths.isdisjoint(_ABOVE)


def _marked(data: dict[str, Any], at_start: bool) -> dict[str, Any]:
    return {**data, "foundAtStart": True} if at_start else data
