"""What happened, and whether it may have happened.

Publishers note what they asked for and what they were told, readers note what they were handed; `History.check`
holds both against the log as it stands at the end. The rules:

- what was acknowledged is in the log exactly once, at the id that was acknowledged;
- what was not is there whole, at ids without a hole, or not at all; never twice;
- each reader has every event of its patterns exactly once, in order, and within one epoch.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec

from missioncontrol.events import Cursor, Event, Patterns


class LogPage(msgspec.Struct):
    """What `GET /api/events` answers."""

    events: list[Event]
    cursor: str
    gap: dict[str, object] | None = None


@dataclass
class Publication:
    """Events that were published together, named by their keys; `ids` once they are acknowledged."""

    keys: list[str]
    ids: list[int] | None = None


@dataclass
class Reading:
    """What one reader was handed: ids and keys in the order in which they came."""

    name: str
    patterns: Patterns
    events: list[tuple[int, str]] = field(default_factory=list)
    epochs: set[str] = field(default_factory=set)


class History:
    """Everything that was asked for, told and handed over in one run."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []
        self.readings: list[Reading] = []
        self.acknowledged = 0
        self._changed = asyncio.Event()

    def asks(self, keys: list[str]) -> Publication:
        """Note that events are about to be published."""
        publication = Publication(keys)
        self.publications.append(publication)
        return publication

    def is_told(self, publication: Publication, ids: list[int]) -> None:
        """Note an acknowledgement."""
        assert len(ids) == len(publication.keys)
        publication.ids = ids
        self.acknowledged += len(ids)
        self._changed.set()

    def reads(self, name: str, patterns: list[str]) -> Reading:
        """Begin the notes of a reader."""
        reading = Reading(name, Patterns(patterns))
        self.readings.append(reading)
        return reading

    def is_handed(self, reading: Reading, event: Event, cursor: str) -> None:
        """Note an event, and the epoch of the cursor that the reader has after it."""
        reading.epochs.add(Cursor.parse(cursor).epoch)
        reading.events.append((event.id, str(event.data.get("key"))))
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for something to be true of this history."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def grows_by(self, events: int, seconds: float = 60.0) -> None:
        """Wait until so many more events are acknowledged, and every reader has been handed another one."""
        goal = self.acknowledged + events
        before = {reading.name: len(reading.events) for reading in self.readings}
        await self.until(
            lambda: (
                self.acknowledged >= goal
                and all(len(r.events) > before.get(r.name, 0) for r in self.readings)
            ),
            seconds,
        )

    async def is_read_to_the_end(self, log: list[Event], seconds: float = 60.0) -> None:
        """Wait until every reader has come to the last event of its patterns."""
        last = {
            reading.name: max((e.id for e in log if reading.patterns.matches(e.type)), default=0)
            for reading in self.readings
        }
        await self.until(
            lambda: all(r.events and r.events[-1][0] >= last[r.name] for r in self.readings), seconds
        )

    def check(self, epoch: str, log: list[Event]) -> None:
        """Hold everything against the log, whole and from its first event on.

        Raises:
            AssertionError: something happened that may not; the message names it.
        """
        assert [event.id for event in log] == list(range(1, len(log) + 1)), "the log has a hole"
        place = self._places(log)
        for publication in self.publications:
            _check_publication(publication, place)
        for reading in self.readings:
            _check_reading(reading, epoch, log)

    def _places(self, log: list[Event]) -> dict[str, int]:
        asked = {key for publication in self.publications for key in publication.keys}
        found = [(str(event.data["key"]), event.id) for event in log if "key" in event.data]
        counts = Counter(key for key, _ in found)
        doubled = [key for key, count in counts.items() if count > 1]
        assert not doubled, f"in the log more than once: {doubled[:5]}"
        assert asked.issuperset(counts), "the log holds what nobody published"
        return dict(found)


def _check_publication(publication: Publication, place: dict[str, int]) -> None:
    there = [place[key] for key in publication.keys if key in place]
    first = publication.keys[0]
    if publication.ids is not None:
        assert there == publication.ids, f"{first} … was acknowledged as {publication.ids}, and is at {there}"
    assert len(there) in {0, len(publication.keys)}, f"{first} … was torn: {there}"
    assert not there or there == list(range(there[0], there[0] + len(there))), (
        f"{first} … has a hole: {there}"
    )


def _check_reading(reading: Reading, epoch: str, log: list[Event]) -> None:
    assert reading.epochs <= {epoch}, (
        f"{reading.name} was in the epochs {reading.epochs}, the log is in {epoch}"
    )
    wanted = [(e.id, str(e.data.get("key"))) for e in log if reading.patterns.matches(e.type)]
    for place, (got, due) in enumerate(zip(reading.events, wanted, strict=False)):
        assert got == due, f"{reading.name} was handed {got} as its event {place}, where {due} was due"
    assert len(reading.events) == len(wanted), (
        f"{reading.name} was handed {len(reading.events)}, not {len(wanted)}"
    )


async def read_log(url: str) -> tuple[str, list[Event]]:
    """Read the whole log by long-poll; returns its epoch and its events."""
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=60)) as session:
        async with session.get("/api/events") as answer:
            head = Cursor.parse(msgspec.json.decode(await answer.read(), type=LogPage).cursor)
        events: list[Event] = []
        at = Cursor(head.epoch, 0)
        while at.id < head.id:
            async with session.get("/api/events", params={"since": str(at), "limit": "1000"}) as answer:
                page = msgspec.json.decode(await answer.read(), type=LogPage)
            assert page.gap is None, page.gap
            events += page.events
            at = Cursor.parse(page.cursor)
    return head.epoch, events
