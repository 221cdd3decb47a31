"""Watches the workspace and the agents' workspaces, and passes changed paths to all sources.

It runs as a source, so that it is supervised and shown like the others. Notifications are hints and may be lost, so a
scan of the whole workspace is requested every `RESCAN_SECONDS`, and every `POLL_SECONDS` if the system does not give
notifications for all of it.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from time import monotonic

from missioncontrol.fleet.source import Feed, Inbox, Step, Workspace
from missioncontrol.fleet.workspace_finder import WorkspaceFinder
from missioncontrol.watch.notifications import FileSystemEvents, WorkspaceGone, open_notices

RESCAN_SECONDS = 60.0
POLL_SECONDS = 2.0
FIND_SECONDS = 2.0
"""Seconds between two searches for agents' workspaces: no notification reports a new or newly configured one."""

REST = 0.02
"""Seconds that a walk in the background rests after each 5 ms of work."""


class Watcher:
    """Puts the places to scan into the inboxes."""

    name = "workspace"

    def __init__(
        self,
        workspace: Workspace,
        inboxes: Iterable[Inbox],
        watched: asyncio.Event,
    ) -> None:
        """Prepare the watch.

        Args:
            workspace: the workspace to watch.
            inboxes: the inboxes of all sources.
            watched: set once watches are in place.
        """
        self._workspace = workspace
        self._inboxes = list(inboxes)
        self._watched = watched
        self._polling_reported = False
        self._agents = workspace.agent_workspaces
        self._finder = WorkspaceFinder(workspace.root, workspace.config.sources, workspace.config.data_path)

    async def run(self, feed: Feed) -> None:
        """Watch until cancelled; ends with an error when the workspace is gone."""
        await self._find_workspaces(feed)
        try:
            notices = open_notices(self._workspace.root, self._agents)
        except OSError as error:
            await self._poll(feed, f"the system gives no file notifications: {error.strerror or error}")
            return
        try:
            await notices.follow(self._agents.tops)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_again(feed, notices))
                tasks.create_task(self._listen(notices))
                tasks.create_task(self._follow_workspaces(feed, notices))
        finally:
            await notices.close()

    async def _listen(self, notices: FileSystemEvents) -> None:
        while True:
            paths, trees, at = await notices.next()
            for inbox in self._inboxes:
                inbox.put(paths, trees, at)

    async def _find_workspaces(self, feed: Feed) -> list[str]:
        """Find the agents' workspaces, and return those that were added, removed or changed."""
        return self._agents.replace(await feed.in_thread(self._finder.find))

    async def _follow_workspaces(self, feed: Feed, notices: FileSystemEvents) -> None:
        version = self._agents.version
        while True:
            await asyncio.sleep(FIND_SECONDS)
            changed = await self._find_workspaces(feed)
            # Before the scan, so that no change is missed in between.
            await notices.follow(self._agents.tops)
            if self._agents.version == version:
                continue
            version = self._agents.version
            for inbox in self._inboxes:
                inbox.put(trees=changed, noticed=monotonic())

    async def _look_again(self, feed: Feed, notices: FileSystemEvents) -> None:
        rest = 0.0
        while True:
            started = monotonic()
            await notices.place(rest=rest)
            await self._hand_out_everything(feed)
            # Only the first scan is urgent: the start waits for it.
            rest = REST
            if notices.trouble is None:
                feed.note(None)
                await asyncio.sleep(RESCAN_SECONDS)
            else:
                await self._say_polling(feed, notices.trouble)
                await asyncio.sleep(max(POLL_SECONDS, monotonic() - started))

    async def _poll(self, feed: Feed, reason: str) -> None:
        while True:
            await self._find_workspaces(feed)
            await self._hand_out_everything(feed)
            await self._say_polling(feed, reason)
            await asyncio.sleep(POLL_SECONDS)

    async def _hand_out_everything(self, feed: Feed) -> None:
        if not await feed.in_thread(self._workspace.root.is_dir):
            raise WorkspaceGone(errno.ENOENT, "There is no such folder", str(self._workspace.root))
        if self._watched.is_set():
            for inbox in self._inboxes:
                inbox.put(trees=[""])
        self._watched.set()
        feed.running()

    async def _say_polling(self, feed: Feed, reason: str) -> None:
        feed.note(f"polling every {POLL_SECONDS:g} seconds: {reason}")
        if not self._polling_reported:
            self._polling_reported = True
            message = f"The workspace is scanned every {POLL_SECONDS:g} seconds: {reason}."
            await feed.publish([Step([feed.alert("warning", message)], {})])
