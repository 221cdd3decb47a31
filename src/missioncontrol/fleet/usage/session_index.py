"""The sessions as the event loop sees them: by id, and counted by day as they come, not when it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from missioncontrol.fleet.usage.sessions import KnownSession


class SessionIndex(dict[str, KnownSession]):
    """Sessions by id; only `put` and `forget` change it. `by_day` counts those that have used anything on a day.

    A session is counted if all of its use is known: if it has `totals`.
    """

    def __init__(self, sessions: Mapping[str, KnownSession] | None = None) -> None:
        """Begin with these sessions."""
        super().__init__()
        self.by_day: Counter[str] = Counter()
        self.put(sessions or {})

    def put(self, sessions: Mapping[str, KnownSession]) -> None:
        """Add sessions, or replace them."""
        for id_, session in sessions.items():
            self._count(self.get(id_), -1)
            self[id_] = session
            self._count(session, 1)

    def forget(self, ids: Iterable[str]) -> None:
        """Remove sessions."""
        for id_ in ids:
            self._count(self.pop(id_, None), -1)

    def _count(self, session: KnownSession | None, number: int) -> None:
        if session is not None and session.totals is not None:
            for day in session.totals.days:
                self.by_day[day] += number
