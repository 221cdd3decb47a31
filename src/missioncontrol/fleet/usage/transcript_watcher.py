"""Watches the folders where runtimes keep their files.

Each folder has a watch of its own, which begins and ends with it. If the system gives no notifications, or not for all
of it, everything is scanned every `POLL_SECONDS`; in any case every `RESCAN_SECONDS`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from missioncontrol.background import reason_of
from missioncontrol.fleet.source import Feed, Inbox
from missioncontrol.fleet.watcher import POLL_SECONDS, RESCAN_SECONDS
from missioncontrol.watch.notifications import FolderFilter, WorkspaceGone, open_notices

logger = logging.getLogger(__name__)


class TranscriptWatcher:
    """The watches. What may have changed is put into `inbox`, as absolute paths."""

    def __init__(self, feed: Feed) -> None:
        self.inbox = Inbox()
        self._feed = feed
        self._watches: dict[Path, asyncio.Task[None]] = {}
        self._troubles: dict[Path, str] = {}

    async def attend(self, roots: Mapping[Path, FolderFilter]) -> None:
        """Listen to these folders, and to no others; returns once each is listened to."""
        for root in self._watches.keys() - roots.keys():
            self._watches.pop(root).cancel()
        placed: list[asyncio.Event] = []
        for root, passes in roots.items():
            watch = self._watches.get(root)
            if watch is None or watch.done():
                ready = asyncio.Event()
                self._watches[root] = asyncio.create_task(self._listen(root, passes, ready))
                placed.append(ready)
        for ready in placed:
            await ready.wait()

    async def close(self) -> None:
        """Stop listening."""
        for watch in self._watches.values():
            watch.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
        self._watches.clear()

    async def _listen(self, root: Path, passes: FolderFilter, ready: asyncio.Event) -> None:
        try:
            notices = open_notices(root, passes)
        except OSError as error:
            ready.set()
            await self._poll(root, f"the system gives no file notifications: {error.strerror or error}")
            return
        failed: str | None = None
        try:
            await notices.place()
            ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_again(root, notices.trouble))
                while True:
                    paths, trees, at = await notices.next()
                    self.inbox.put((str(root / path) for path in paths), [""] if trees else [], at)
        except* WorkspaceGone:
            # The tracker, which finds the folders, notices when it is back.
            self.inbox.put(trees=[""])
        except* Exception as group:
            logger.exception("usage.watch_failed", extra={"folder": str(root)})
            failed = reason_of(group)
        finally:
            ready.set()
            self._note(root, None)
            await notices.close()
        if failed is not None:
            await self._poll(root, f"its notifications have failed: {failed}")

    async def _look_again(self, root: Path, trouble: str | None) -> None:
        if trouble is not None:
            await self._poll(root, trouble)
        while True:
            await asyncio.sleep(RESCAN_SECONDS)
            self.inbox.put(trees=[""])

    async def _poll(self, root: Path, reason: str) -> None:
        self._note(root, f"polling {root} every {POLL_SECONDS:g} seconds: {reason}")
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.inbox.put(trees=[""])

    def _note(self, root: Path, trouble: str | None) -> None:
        if trouble is None:
            self._troubles.pop(root, None)
        else:
            self._troubles[root] = trouble
        self._feed.note("; ".join(self._troubles.values()) or None)
