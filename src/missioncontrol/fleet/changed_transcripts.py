"""Transcripts that have been written to, for a second reader of transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from missioncontrol.runtimes.base import Transcript


class ChangedTranscripts:
    """A queue of transcripts. Each is in it once, however often it is written to before it is taken."""

    def __init__(self) -> None:
        self._transcripts: dict[str, Transcript] = {}
        self._known: dict[str, Transcript] = {}
        self._something = asyncio.Event()

    def put(self, transcripts: Iterable[Transcript]) -> None:
        """Add transcripts."""
        named = {str(transcript.path): transcript for transcript in transcripts}
        self._known |= named
        self._transcripts |= named
        if self._transcripts:
            self._something.set()

    def put_again(self) -> None:
        """Add all transcripts that were ever added: their reader begins again."""
        self.put([*self._known.values()])

    def forget(self, transcript: Transcript) -> None:
        """Forget a transcript that is gone."""
        self._known.pop(str(transcript.path), None)

    def wake(self) -> None:
        """End a `take` that waits, also without transcripts."""
        self._something.set()

    async def take(self, seconds: float) -> list[Transcript]:
        """Wait at most `seconds` for transcripts, and return all; none after a timeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            pass
        taken, self._transcripts = [*self._transcripts.values()], {}
        self._something.clear()
        return taken
