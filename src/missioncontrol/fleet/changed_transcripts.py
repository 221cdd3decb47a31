"""Transcripts that have been written to, for a second reader of transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from missioncontrol.runtimes.base import Transcript


class ChangedTranscripts:
    """Each transcript once, however often it is written to before somebody takes it."""

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
        """Add all that were ever added: whoever takes them begins again."""
        self.put([*self._known.values()])

    def forget(self, transcript: Transcript) -> None:
        """It is gone."""
        self._known.pop(str(transcript.path), None)

    def wake(self) -> None:
        """End a `take` that waits, also without transcripts."""
        self._something.set()

    async def take(self, seconds: float) -> list[Transcript]:
        """Wait for transcripts, at most so many seconds, and take all; none after the time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            pass
        taken, self._transcripts = [*self._transcripts.values()], {}
        self._something.clear()
        return taken
