"""Holding standups: which period the next one is about, what it comes to, and that it is recorded once.

Invariants:

- a standup begins where the one before it ended, so that each event counts once;
- it says from when it counts where the log does not reach back to that;
- of one key, and of one scheduled time, there is one standup, whichever node is asked and however often.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, NamedTuple

from missioncontrol.errors import BadCursor, BadMessage, NotFound, Overloaded
from missioncontrol.events import EVERYTHING, Cursor, Data, Draft, now, read_record, rfc3339
from missioncontrol.past import state_at
from missioncontrol.standups.period import PERIOD_EVENTS, Period
from missioncontrol.standups.summary import summarise
from missioncontrol.state import FleetState
from missioncontrol.store import Log

SOURCE = "standups"
FIRST_PERIOD_MS = 86_400_000
"""How far the first standup looks back."""

MAX_EVENTS = 200_000
"""How many events a standup is made of at most: the newest, and it says from when it counts."""

PAGE_EVENTS = 500
MAX_WAITING = 20
"""How many may wait while one is held: each reads the log of its period."""

MAX_KEY = 100

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another one when it is read aloud."""


class _Span(NamedTuple):
    """The events of a period: after `start` up to `end`; `since` is the time from which they count."""

    begin: Data
    start: int
    end: int
    since: str | None
    complete: bool


class Standups:
    """The standups of the fleet; one is made at a time."""

    def __init__(self, log: Log, state: FleetState) -> None:
        """Prepare.

        Args:
            log: what standups are made of, and recorded in.
            state: the state at the head of the log, which has the standups that are kept.
        """
        self._log = log
        self._state = state
        self._making = asyncio.Lock()
        self._waiting = 0

    def listed(self) -> list[Data]:
        """Return the standups that are kept, newest first."""
        return list(self._state.standups)

    def find(self, id_: str) -> Data:
        """Return a standup by its id.

        Raises:
            NotFound: there is none of this id, or it is no longer kept.
        """
        wanted = id_.upper()
        found = next((one for one in self._state.standups if str(one["id"]).upper() == wanted), None)
        if found is None:
            raise NotFound(f"There is no standup {id_[:MAX_KEY]!r}; /api/standups lists those that are kept.")
        return found

    def scheduled(self, time: str) -> Data | None:
        """Return the standup of a scheduled time; None where it was not held, or is no longer kept."""
        return next((one for one in self._state.standups if one.get("scheduled") == time), None)

    async def hold(
        self, *, key: str | None = None, by: str | None = None, scheduled: str | None = None
    ) -> Data:
        """Hold a standup; returns it once it is durable.

        Args:
            key: under the same key it is the same standup.
            by: who asked for it.
            scheduled: the time that it was scheduled for, as in `2026-11-23T09:00`; None where it was asked for.

        Raises:
            BadMessage: the key is empty or too long.
            Overloaded: too many are waiting to be held.
            Unavailable: the log cannot be read or written.
        """
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise BadMessage(f"key must be a text of 1 to {MAX_KEY} characters, or left out.")
        if self._waiting >= MAX_WAITING:
            raise Overloaded("More standups are asked for than can be held; ask again in a moment.")
        self._waiting += 1
        try:
            return await self._hold(key, by, scheduled)
        finally:
            self._waiting -= 1

    async def _hold(self, key: str | None, by: str | None, scheduled: str | None) -> Data:
        async with self._making:
            if (held := self._held(key, scheduled)) is not None:
                return held
            made = await self._make(key, by, scheduled)
            draft = Draft("standup:held", {"standup": made, "timestamp": made["heldAt"]}, None, SOURCE)
            if scheduled is not None:
                draft.key = f"standup:at:{scheduled}"
            elif key is not None:
                draft.key = f"standup:{key}"
            (id_,) = await self._log.append([draft])
            # Another node may have been first, and its event is the one that counts.
            await self._log.reach(id_)
            return next((one for one in self._state.standups if one["event"] == id_), made)

    def _held(self, key: str | None, scheduled: str | None) -> Data | None:
        # The log may have trimmed the key of a standup that is still kept.
        if scheduled is not None:
            return self.scheduled(scheduled)
        if key is not None:
            return next((one for one in self._state.standups if one.get("key") == key), None)
        return None

    async def _make(self, key: str | None, by: str | None, scheduled: str | None) -> Data:
        span = await self._span()
        # Values that do not change any more, taken in one turn of the loop: the fleet as it is at the end.
        agents = dict(self._state.table("agents"))
        questions = [one for one in self._state.table("questions").values() if one["status"] == "open"]
        end = self._place(span.end, rfc3339(now()).decode())
        period, span = await self._sum_up(span)
        made: Data = {
            "id": _new_id(),
            "trigger": "request" if scheduled is None else "schedule",
            "heldAt": end["time"],
            "from": span.begin,
            "to": end,
            "since": span.since,
            "complete": span.complete,
            **await asyncio.to_thread(summarise, period, agents, questions),
        }
        for name, value in (("by", by), ("key", key), ("scheduled", scheduled)):
            if value is not None:
                made[name] = value
        return made

    async def _span(self) -> _Span:
        """Find the period: from the end of the standup before, else a day back, as far as the log reaches."""
        log, end = self._log, self._state.id
        oldest = max(log.first - 1, end - MAX_EVENTS)
        previous = self._state.standups[0] if self._state.standups else None
        if previous is None:
            time = now() - FIRST_PERIOD_MS
            start = max(await log.id_at(time), oldest)
            since = rfc3339(time).decode() if start > log.first - 1 else await self._time_after(start)
            begin = self._place(start, since or rfc3339(now()).decode())
            return _Span(begin, start, end, begin["time"], True)
        begin = previous["to"] if _is_place(previous.get("to")) else self._place(oldest, "")
        before = _id_in(begin, log.epoch)
        if before is not None and oldest <= before <= end:
            return _Span(begin, before, end, begin["time"], True)
        return _Span(begin, oldest, end, await self._time_after(oldest), False)

    async def _time_after(self, id_: int) -> str | None:
        """Return the time of the first event after an id; None where there is none."""
        page = await self._log.read(id_, EVERYTHING, limit=1)
        return rfc3339(read_record(page.bodies[0]).time).decode() if page.bodies else None

    async def _sum_up(self, span: _Span) -> tuple[Period, _Span]:
        """Enter the events of a period; the span comes back with what of it was trimmed meanwhile."""
        try:
            state = await state_at(self._log, span.start)
        except NotFound:
            # The state at the beginning cannot be had any more: what the events themselves say is counted.
            state = FleetState()
        period = Period(state)
        after = span.start
        while after < span.end:
            page = await self._log.read(after, PERIOD_EVENTS, limit=PAGE_EVENTS)
            await asyncio.to_thread(_enter, period, page.bodies, span.end)
            if page.first > after + 1:
                span = span._replace(since=await self._time_after(page.first - 1), complete=False)
            after = max(page.last, page.first - 1)
        return period, span

    def _place(self, id_: int, time: str) -> Data:
        return {"time": time, "cursor": str(Cursor(self._log.epoch, id_))}


def _enter(period: Period, bodies: list[bytes], last: int) -> None:
    period.add(record for record in map(read_record, bodies) if record.id <= last)


def _is_place(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("time", "cursor"))


def _id_in(place: Data, epoch: str) -> int | None:
    """Return the id of a place in the log; None where it is of another epoch."""
    try:
        cursor = Cursor.parse(place["cursor"])
    except BadCursor:
        return None
    return cursor.id if cursor.epoch == epoch else None


def _new_id() -> str:
    bits = int.from_bytes(secrets.token_bytes(5), "big")
    return "S-" + "".join(_LETTERS[bits >> shift & 31] for shift in range(0, 40, 5))
