"""Files that are missing or broken: when to check again, and when to report them.

A file that is missing, broken or half written may be whole a moment later, so it is checked a few times before the
result counts. Each broken content is reported once; reports about a file that keeps breaking in new ways become
rarer.
"""

from __future__ import annotations

from time import monotonic, time_ns
from typing import NamedTuple

from missioncontrol.watch.tree import Content, fingerprint

SECOND_LOOKS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.25)
"""Seconds between the checks of a missing or broken file: one second in total."""

HALF_WRITTEN_SECONDS = 2.0
"""Age in seconds from which a broken file is no longer taken for one that is being written."""

LONGEST_SILENCE = 300.0
"""The longest time in seconds between reports about a file that keeps breaking in new ways."""


class RepeatLimit:
    """When each broken file was last reported, so that a file that breaks repeatedly cannot flood the log."""

    def __init__(self) -> None:
        self._silence: dict[str, tuple[float, float]] = {}

    def wait(self, path: str) -> float:
        """Return for how many more seconds nothing is reported about a file."""
        last, silence = self._silence.get(path, (0.0, 0.0))
        return max(0.0, last + silence - monotonic())

    def made(self, path: str) -> None:
        """Note a report; the next one has to wait twice as long."""
        _, silence = self._silence.get(path, (0.0, 0.5))
        self._silence[path] = (monotonic(), min(silence * 2, LONGEST_SILENCE))

    def settled(self, path: str) -> None:
        """Note that the file is whole again."""
        self._silence.pop(path, None)


class DebounceDecision(NamedTuple):
    """What to do about a file: check again after `wait` seconds, or report it as broken. Neither: accept the result."""

    wait: float | None = None
    complain: bool = False


class Debounce:
    """The checks of one file whose content is read whole. `reported` has to be kept across restarts."""

    def __init__(self, path: str, reported: str = "") -> None:
        """Begin with a file that is assumed to be whole.

        Args:
            path: the file's path.
            reported: the fingerprint of the content that was reported as broken; "" for none.
        """
        self.path = path
        self.reported = reported
        self._looks = 0
        self._complaints = RepeatLimit()

    def whole(self) -> None:
        """Note that the file is whole."""
        self._looks, self.reported = 0, ""
        self._complaints.settled(self.path)

    def missing(self) -> DebounceDecision:
        """Judge a file that does not exist; a program may be about to replace it."""
        return self._again() or DebounceDecision()

    def broken(self, content: Content | str, mark: str | None = None) -> DebounceDecision:
        """Judge a file that cannot be used.

        Args:
            content: the content, or the reason why there is none.
            mark: the fingerprint of `content` if it is known; computing it takes long for a large file.
        """
        if mark is None:
            mark = fingerprint(content.encode() if isinstance(content, str) else content.data)
        if mark == self.reported:
            return DebounceDecision()
        young = not isinstance(content, str) and (time_ns() - content.mtime_ns) / 1e9 < HALF_WRITTEN_SECONDS
        if young and (again := self._again()) is not None:
            return again
        if (silence := self._complaints.wait(self.path)) > 0:
            return DebounceDecision(wait=silence)
        self._complaints.made(self.path)
        self.reported = mark
        return DebounceDecision(complain=True)

    def _again(self) -> DebounceDecision | None:
        if self._looks >= len(SECOND_LOOKS):
            return None
        self._looks += 1
        return DebounceDecision(wait=SECOND_LOOKS[self._looks - 1])
