"""The entries of the queue's file that are left unchanged, and which of them were reported."""

from __future__ import annotations

from collections.abc import Mapping

from missioncontrol.events import Draft
from missioncontrol.fleet.layout import TASK_FILES
from missioncontrol.fleet.source import Feed
from missioncontrol.fleet.tasks.plan import Plan
from missioncontrol.fleet.tasks.reading import Copy

_KEY = "odd"
"""The key under which the reported entries are remembered."""


class LeftEntries:
    """Entries that cannot be kept as tasks, and tasks over the quota: reported by an alert when they change.

    `refused` is whether there are tasks in the file for which there was no room.
    """

    def __init__(self, memory: Mapping[str, bytes], most: int) -> None:
        """Begin with what was remembered.

        Args:
            memory: what the source remembers.
            most: how many tasks the quota allows.
        """
        self._reported = memory.get(_KEY, b"").decode()
        self._most = most
        self.refused = False

    def changed(self, feed: Feed, plan: Plan, copy: Copy) -> tuple[Draft | None, dict[str, bytes | None]]:
        """Return the alert about a copy of the file, where it differs from the last one, and what to remember."""
        # A plan about some tasks does not include the others.
        self.refused = plan.refused > 0 or (self.refused and not plan.about_all)
        mark, odd = copy.odd_mark, copy.odd
        if self.refused:
            mark = f"{mark} over {self._most}"
            odd = [f"tasks beyond the limit of {self._most:,}", *odd]
        if mark == self._reported:
            return None, {}
        self._reported = mark
        file = TASK_FILES[0]
        message = f"{file} has entries that are left as they are: {'; '.join(odd)}"
        alert = feed.alert("warning", message[:1000], path=file) if mark else None
        return alert, {_KEY: mark.encode() or None}
