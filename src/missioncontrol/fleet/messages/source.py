"""Stores the messages of transcripts, independently of the source that counts their use.

The source of tokens reports which transcripts exist and were written to. Here each is read from a separate position,
so this source may be behind, fail, or begin again without affecting others.

Secrets are masked before a message is stored, so that they are neither shown nor found nor copied. Messages that an
earlier release stored, or that were masked with other rules, are masked in steps after the start, and until then when
they are shown.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ParamSpec, TypeVar

from missioncontrol.errors import Unavailable
from missioncontrol.fleet.messages.index import MessageIndex, SessionSpan, Utterance
from missioncontrol.fleet.source import Feed, Workspace
from missioncontrol.redaction import LONGEST_SECRET, redact, revision
from missioncontrol.runtimes import registry
from missioncontrol.runtimes.base import Transcript
from missioncontrol.runtimes.records import UnreadableError
from missioncontrol.store.clock import Clock, ClockDoubt
from missioncontrol.threads import OwnerThread, WorkStopped

DAY_MS = 86_400_000
TRIM_SECONDS = 30.0
TRIM_PAUSE_SECONDS = 0.05
RETRY_SECONDS = 2.0
"""After how many seconds a caller may ask again."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class Messages:
    """The messages of this machine's transcripts; nothing is kept where the settings turn it off."""

    name = "messages"

    def __init__(self, workspace: Workspace) -> None:
        config = workspace.config
        self.enabled = config.search.enabled and config.search.transcripts
        self._days, self._bytes = config.search.transcript_days, config.search.transcript_bytes
        self._redacts = config.search.redact
        self._written = workspace.written
        self._index = MessageIndex(config.data_path)
        self._pending: deque[Transcript] = deque()
        self._open = self._unmasked = False
        self._trouble: str | None = None
        self._clock = Clock()
        self._doubt = ClockDoubt(self._clock, 0)

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
            await feed.in_thread(self._index.open)
            self._unmasked = self._redacts and await feed.in_thread(self._index.begin_redaction, revision())
            self._doubt = ClockDoubt(self._clock, await feed.in_thread(self._index.newest))
            self._open, self._trouble = True, None
            self._pending.clear()
            self._written.put_again()
            feed.running()
            trim_at = 0.0
            while True:
                patience = 0.0 if self._pending or self._unmasked else max(0.0, trim_at - monotonic())
                self._pending.extend(await self._written.take(patience))
                if self._trouble is not None:
                    raise sqlite3.OperationalError(self._trouble)
                if self._pending:
                    began = monotonic()
                    transcript = self._pending.popleft()
                    try:
                        if await feed.in_thread(self._read_some, transcript, feed.thread):
                            # It comes again after all others.
                            self._pending.append(transcript)
                    except FileNotFoundError:
                        self._written.forget(transcript)
                    # Half of the time at most: everybody else goes first.
                    await asyncio.sleep(monotonic() - began)
                if self._unmasked:
                    began = monotonic()
                    self._unmasked = await feed.in_thread(self._index.redact_some, redact)
                    await asyncio.sleep(monotonic() - began)
                if monotonic() >= trim_at:
                    trimmed = await feed.in_thread(self._index.trim, self._since(), self._bytes)
                    trim_at = monotonic() + (TRIM_PAUSE_SECONDS if trimmed else TRIM_SECONDS)
        finally:
            self._open = False
            # On the thread that reads and writes, and so after its current work.
            await feed.thread.close(self._index.close)

    async def find(
        self, match: str, *, first: int, before: int, sessions: Sequence[str] | None, limit: int, most: int
    ) -> tuple[list[Utterance], int]:
        """Search for messages; see `MessageIndex.find`.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: the index cannot be read at the moment.
        """
        found, count = await self._ask(
            self._index.find, match, first=first, before=before, sessions=sessions, limit=limit, most=most
        )
        return await self._masked(found), count

    async def page(
        self, session: str, *, after: int, before: int, limit: int, newest: bool
    ) -> list[Utterance] | None:
        """Return messages of a session; None if it was never stored. See `MessageIndex.page`.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: nothing can be read at the moment.
        """
        found = await self._ask(
            self._index.page, session, after=after, before=before, limit=limit, newest=newest
        )
        if not found and not await self._ask(self._index.knows, session):
            return None
        return await self._masked(found)

    async def sessions(self) -> list[SessionSpan]:
        """Return the sessions that have stored messages, in no particular order.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: nothing can be read at the moment.
        """
        return await self._ask(self._index.sessions)

    async def first_texts(self, sessions: Sequence[str], length: int) -> dict[str, str]:
        """Return the first user message of sessions; see `MessageIndex.first_texts`.

        Raises:
            QueryTooSlow: it takes too long.
            Unavailable: nothing can be read at the moment.
        """
        read = length + LONGEST_SECRET if self._unmasked else length
        texts = await self._ask(self._index.first_texts, sessions, read)
        return {id_: self._shown(text)[:length] for id_, text in texts.items()}

    async def _masked(self, found: list[Utterance]) -> list[Utterance]:
        """Mask messages, as long as the index may have unmasked ones."""
        if not self._unmasked:
            return found
        return await asyncio.to_thread(lambda: [said._replace(text=redact(said.text)) for said in found])

    def _shown(self, text: str) -> str:
        return redact(text) if self._unmasked else text

    async def _ask(self, look: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Read the index in a thread. If that fails, the run of the source ends, and the next one repairs the index."""
        if not self._open:
            reason = self._trouble or "the index of transcripts is being opened"
            raise Unavailable(f"Nothing can be read at the moment: {reason}.", retry_after=RETRY_SECONDS)
        try:
            return await asyncio.to_thread(look, *args, **kwargs)
        except sqlite3.Error as error:
            if self._open:
                self._open, self._trouble = False, f"the index of transcripts cannot be read ({error})"
                self._written.wake()
            raise Unavailable(
                f"Nothing can be read at the moment: {self._trouble}.", retry_after=RETRY_SECONDS
            ) from None

    def _since(self) -> int:
        """Return the time before which nothing is kept; 0 for an hour after the clock has jumped, as for the log."""
        self._doubt.jump()
        return 0 if self._doubt.left else int(self._clock.wall() - self._days * DAY_MS)

    def _read_some(self, transcript: Transcript, thread: OwnerThread) -> bool:
        """Read the next portion of a file; return whether there may be more.

        Raises:
            FileNotFoundError: it is gone.
        """
        path = str(transcript.path)
        thread.checkpoint(f"reading {path}")
        read = registry.kinds()[transcript.kind].messages
        if read is None:
            return False
        kept = self._index.position(path)
        try:
            messages, position = read(
                transcript, kept, self._since(), thread, redact if self._redacts else str
            )
        except FileNotFoundError:
            self._index.forget_file(path)
            raise
        except (UnreadableError, OSError):
            # The source of tokens reports the file, and when it can be read again.
            return False
        except WorkStopped:
            raise
        except Exception:
            # The file has caused the error, so the other files are still read.
            logger.exception("messages.unreadable", extra={"path": path})
            return False
        if not position or position == kept:
            return False
        self._index.enter(messages, path, position, self._since())
        return True
