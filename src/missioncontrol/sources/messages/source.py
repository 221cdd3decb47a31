"""Keeps what is said in transcripts, behind whoever counts their use.

Which transcripts there are, and when they were written to, the source of tokens says; here each is read on from a
position of its own, so that this may be behind, fail, or begin anew without anything else noticing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic

from missioncontrol.errors import Unavailable
from missioncontrol.events import now
from missioncontrol.sources.messages.index import MessageIndex, Said
from missioncontrol.sources.messages.reading import reader_of
from missioncontrol.sources.source import Feed, Workspace
from missioncontrol.sources.transcripts.places import Transcript
from missioncontrol.sources.transcripts.records import UnreadableError

DAY_MS = 86_400_000
TRIM_SECONDS = 30.0
TRIM_PAUSE_SECONDS = 0.05


class Messages:
    """The messages of this machine's transcripts; nothing is kept where the settings turn it off."""

    name = "messages"

    def __init__(self, workspace: Workspace) -> None:
        config = workspace.config
        self.enabled = config.search.enabled and config.search.transcripts
        self._days, self._bytes = config.search.transcript_days, config.search.transcript_bytes
        self._written = workspace.written
        self._index = MessageIndex(config.data_path)
        self._pending: deque[Transcript] = deque()
        self._open = False

    @property
    def waiting(self) -> int:
        """How many files are still to be read on."""
        return len(self._pending)

    async def run(self, feed: Feed) -> None:
        """Read and keep until cancelled."""
        if not self.enabled:
            feed.note("turned off")
            feed.running()
            await asyncio.Event().wait()
        try:
            await asyncio.to_thread(self._index.open)
            self._open = True
            self._pending.clear()
            self._written.put_again()
            feed.running()
            trim_at = 0.0
            while True:
                patience = 0.0 if self._pending else max(0.0, trim_at - monotonic())
                self._pending.extend(await self._written.take(patience))
                if self._pending:
                    began = monotonic()
                    await asyncio.to_thread(self._read_some)
                    # Half of the time at most: everybody else goes first.
                    await asyncio.sleep(monotonic() - began)
                if monotonic() >= trim_at:
                    more = await asyncio.to_thread(self._index.trim, self._since(), self._bytes)
                    trim_at = monotonic() + (TRIM_PAUSE_SECONDS if more else TRIM_SECONDS)
        finally:
            self._open = False
            await asyncio.to_thread(self._index.close)

    async def find(
        self, match: str, *, first: int, before: int, sessions: Sequence[str] | None, limit: int, most: int
    ) -> tuple[list[Said], int]:
        """Look for messages; see `MessageIndex.find`.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: nothing can be looked for at the moment.
        """
        self._check()
        return await asyncio.to_thread(
            self._index.find, match, first=first, before=before, sessions=sessions, limit=limit, most=most
        )

    async def page(
        self, session: str, *, after: int, before: int, limit: int, newest: bool
    ) -> list[Said] | None:
        """Return what was said in a session; None where nothing of it was ever kept. See `MessageIndex.page`.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: nothing can be read at the moment.
        """
        self._check()
        found = await asyncio.to_thread(
            self._index.page, session, after=after, before=before, limit=limit, newest=newest
        )
        if not found and not await asyncio.to_thread(self._index.knows, session):
            return None
        return found

    def _check(self) -> None:
        if not self._open:
            raise Unavailable("The transcripts are being opened; ask again in a moment.", retry_after=2.0)

    def _since(self) -> int:
        return int(now() - self._days * DAY_MS)

    def _read_some(self) -> None:
        """Read the next file on, by one portion; it comes again after all others where there may be more."""
        transcript = self._pending.popleft()
        read = reader_of(transcript.kind)
        if read is None:
            return
        path = str(transcript.path)
        kept = self._index.position(path)
        try:
            messages, position = read(transcript, kept, self._since())
        except FileNotFoundError:
            self._written.forget(transcript)
            self._index.forget_file(path)
        except (UnreadableError, OSError):
            # The source of tokens complains of it, and says when it can be read again.
            return
        else:
            if position and position != kept:
                self._index.enter(messages, path, position, self._since())
                self._pending.append(transcript)
