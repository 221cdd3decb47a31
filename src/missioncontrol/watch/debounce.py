"""Files that cannot be used as they are: when to look again, and when to say so.

A file that is missing, broken or half written at this instant may be whole in the next. So a doubt is looked into a
few times before it is believed; a broken file is told once for each way in which it is broken, and one that goes on
breaking in new ways ever more seldom.
"""

from __future__ import annotations

from time import monotonic, time_ns
from typing import NamedTuple

from missioncontrol.watch.tree import Content, fingerprint

SECOND_LOOKS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.25)
"""Seconds between the looks at something doubtful: a second in all."""

HALF_WRITTEN_SECONDS = 2.0
"""Age from which a broken file is not one that somebody is writing."""

LONGEST_SILENCE = 300.0
"""Seconds after which a file that goes on breaking in new ways is complained about again, at most."""


class RepeatLimit:
    """When each broken file was last complained about, so that one that breaks ever again cannot flood the log."""

    def __init__(self) -> None:
        self._silence: dict[str, tuple[float, float]] = {}

    def wait(self, path: str) -> float:
        """Return for how many seconds there is nothing more to be said about a file."""
        last, silence = self._silence.get(path, (0.0, 0.0))
        return max(0.0, last + silence - monotonic())

    def made(self, path: str) -> None:
        """Note a complaint; the next one has to wait twice as long."""
        _, silence = self._silence.get(path, (0.0, 0.5))
        self._silence[path] = (monotonic(), min(silence * 2, LONGEST_SILENCE))

    def settled(self, path: str) -> None:
        """Note that the file is whole again."""
        self._silence.pop(path, None)


class DebounceDecision(NamedTuple):
    """What to do about a file: look again after `wait` seconds, or say that it is broken. Neither: believe it."""

    wait: float | None = None
    complain: bool = False


class Debounce:
    """One file whose content is read whole, and what is thought of it. `told` is to be remembered."""

    def __init__(self, path: str, told: str = "") -> None:
        """Begin without any doubt.

        Args:
            path: the file's.
            told: the fingerprint of the content that has been complained about.
        """
        self.path = path
        self.told = told
        self._looks = 0
        self._complaints = RepeatLimit()

    def whole(self) -> None:
        """Note that the file is as it should be."""
        self._looks, self.told = 0, ""
        self._complaints.settled(self.path)

    def missing(self) -> DebounceDecision:
        """Judge a file that is not there: somebody may be about to put another in its place."""
        return self._again() or DebounceDecision()

    def broken(self, content: Content | str, mark: str | None = None) -> DebounceDecision:
        """Judge a file that cannot be used.

        Args:
            content: what is in it, or why it has no content.
            mark: the fingerprint of that, where it is at hand: of a large file it takes long.
        """
        if mark is None:
            mark = fingerprint(content.encode() if isinstance(content, str) else content.data)
        if mark == self.told:
            return DebounceDecision()
        young = not isinstance(content, str) and (time_ns() - content.mtime_ns) / 1e9 < HALF_WRITTEN_SECONDS
        if young and (again := self._again()) is not None:
            return again
        if (silence := self._complaints.wait(self.path)) > 0:
            return DebounceDecision(wait=silence)
        self._complaints.made(self.path)
        self.told = mark
        return DebounceDecision(complain=True)

    def _again(self) -> DebounceDecision | None:
        if self._looks >= len(SECOND_LOOKS):
            return None
        self._looks += 1
        return DebounceDecision(wait=SECOND_LOOKS[self._looks - 1])
