"""A stretch of the past, read page by page: from a running server, or from the file of its log.

A page holds bodies as the log has them, byte for byte. What can no longer be had is a gap on the page, never
silence; a log that begins again in the midst of reading ends it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from missioncontrol.cli.moments import read_moment
from missioncontrol.client import ClientError, Gap, Unreachable
from missioncontrol.client.http import USER_AGENT, Address, Api
from missioncontrol.errors import BadCursor
from missioncontrol.events import EVERYTHING, Cursor, Event, Patterns, Record, read_record
from missioncontrol.events.decoding import read_float
from missioncontrol.protocol.encoding import body_id
from missioncontrol.state import FleetState

if TYPE_CHECKING:
    from missioncontrol.store.file import LogFile

PAGE_EVENTS = 1000
_Form = TypeVar("_Form")

PATIENCE = 60.0
"""Seconds for which a server that does not answer is asked again: long enough for a restart."""


class HistoryPage(NamedTuple):
    """The bodies of the wanted events up to the id `last`; `gap` is what was lost before them."""

    bodies: list[bytes]
    last: int
    gap: Gap | None = None


class Past(Protocol):
    """A log that can be read: `first` and `head` are its oldest and its newest id as it was opened."""

    epoch: str
    first: int
    head: int

    async def page(self, after: int, patterns: Patterns) -> HistoryPage:
        """Read the page after an id."""

    async def id_at(self, moment: datetime) -> int:
        """Return the id of the last event told before a moment."""

    async def state(self, at: int | None) -> dict[str, Any]:
        """Return the state as it stood after an event; None for the newest."""


class Stretch(NamedTuple):
    """The events after the id `after`, up to `to`; `note` says what of it the log cannot have, empty where it can."""

    after: int
    to: int
    note: str = ""


async def find_stretch(past: Past, begin: str | None, end: str | None) -> Stretch:
    """Find what lies between two moments as people write them; all that there is where they are None.

    An event of the very moment belongs to what begins there, and not to what ends there.

    Raises:
        BadCursor: a moment is not one, is of another log, or they lie the wrong way round.
    """
    now = datetime.now().astimezone()
    from_ = None if begin is None else read_moment(begin, now)
    after = past.first - 1 if from_ is None else await _find(past, from_)
    to = past.head if end is None else await _find(past, read_moment(end, now))
    if begin is not None and end is not None and after > to:
        raise BadCursor(f"--from {begin!r} is later than --to {end!r}.")
    note = ""
    # Of a cursor that is too old the log itself tells, by a gap.
    if isinstance(from_, datetime) and after == past.first - 1 > 0:
        note = f"the log no longer reaches back to {begin!r}; it begins with the event {past.first}"
    return Stretch(after, to, note)


async def _find(past: Past, moment: datetime | Cursor) -> int:
    if isinstance(moment, datetime):
        return min(past.head, await past.id_at(moment))
    if moment.epoch != past.epoch:
        raise BadCursor(f"The cursor {moment} is of another log; this one is called {past.epoch!r}.")
    return min(moment.id, past.head)


async def read_stretch(past: Past, stretch: Stretch, patterns: Patterns) -> AsyncIterator[HistoryPage]:
    """Read a stretch, oldest first.

    Raises:
        ClientError: the log has begun again, or could not be read.
    """
    after = stretch.after
    while after < stretch.to:
        page = await past.page(after, patterns)
        if page.gap is not None and page.gap.reason != "trimmed":
            raise ClientError("The log has begun again meanwhile; what was to follow is gone.")
        if page.last <= after:
            raise ClientError("The log ends before the end that was asked for.")
        after = page.last
        bodies = page.bodies
        if after > stretch.to:
            bodies = [body for body in bodies if body_id(body) <= stretch.to]
        yield HistoryPage(bodies, min(after, stretch.to), page.gap)


class _Where(msgspec.Struct):
    epoch: str
    head: int
    first: int


class _Status(msgspec.Struct):
    log: _Where


class _Answer(msgspec.Struct):
    events: list[msgspec.Raw]
    cursor: str
    gap: dict[str, Any] | None = None


class _Moment(msgspec.Struct):
    id: int
    time: str


class _Kept(msgspec.Struct):
    state: dict[str, Any]


_statuses = msgspec.json.Decoder(_Status)
_answers = msgspec.json.Decoder(_Answer, float_hook=read_float)
_moments = msgspec.json.Decoder(_Moment)
_kept = msgspec.json.Decoder(_Kept, float_hook=read_float)
_gaps = msgspec.json.Decoder(Gap)


class ServerPast:
    """The log of a running server, over its API; an async context manager. A restart of it is waited for."""

    def __init__(self, url: str, token: str | None) -> None:
        self._address = Address(url)
        self._token = token
        self.epoch, self.first, self.head = "", 1, 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}, trust_env=True)
        self._api = Api(self._address, self._token, self._session)
        try:
            found = _decode(await self._api.attempt("GET", "/api/system/status", timeout=10.0), _statuses).log
        except BaseException:
            await self._session.close()
            raise
        self.epoch, self.first, self.head = found.epoch, found.first, found.head
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def page(self, after: int, patterns: Patterns) -> HistoryPage:
        """Read the page after an id."""
        answer = await self._ask(after, patterns, PAGE_EVENTS)
        cursor = Cursor.parse(answer.cursor)
        gap = None
        if answer.gap is not None:
            gap = msgspec.convert({"cursor": f"{self.epoch}:{answer.gap.get('to')}", **answer.gap}, Gap)
        return HistoryPage([bytes(raw) for raw in answer.events], cursor.id, gap)

    async def id_at(self, moment: datetime) -> int:
        """Find the last event before a moment by halving: times never go back."""
        low, high = self.first - 1, self.head
        while low < high:
            middle = (low + high + 1) // 2
            events = (await self._ask(middle - 1, EVERYTHING, 1)).events
            if not events:
                return low
            found = _moments.decode(events[0])
            if datetime.fromisoformat(found.time) < moment:
                low = max(middle, found.id)
            else:
                high = middle - 1
        return low

    async def state(self, at: int | None) -> dict[str, Any]:
        """Ask for the state as it stood after an event."""
        query = "" if at is None else f"?at={self.epoch}:{at}"
        body = await self._api.insist("GET", f"/api/snapshot{query}", deadline=PATIENCE)
        return _decode(body, _kept).state

    async def _ask(self, after: int, patterns: Patterns, limit: int) -> _Answer:
        query = {"since": f"{self.epoch}:{after}", "events": ",".join(patterns.names()), "limit": str(limit)}
        path = f"/api/events?{urlencode(query, safe=':,*')}"
        return _decode(await self._api.insist("GET", path, deadline=PATIENCE), _answers)


class FilePast:
    """The log of a data folder, without a server; what is appended after it was opened is not seen."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self.epoch, self.first, self.head = file.epoch, file.first, file.head

    async def page(self, after: int, patterns: Patterns) -> HistoryPage:
        """Read the page after an id."""
        try:
            page = self._file.read(after, patterns)
        except sqlite3.Error as error:
            raise ClientError(f"The log's file cannot be read: {error}.") from None
        gap = None
        if page.first > after + 1:
            gap = Gap(after + 1, page.first - 1, "trimmed", f"{self.epoch}:{page.first - 1}")
        return HistoryPage(page.bodies, max(page.last, page.first - 1), gap)

    async def id_at(self, moment: datetime) -> int:
        """Return the id of the last event told before a moment."""
        return self._file.id_at(math.ceil(moment.timestamp() * 1000) - 1)

    async def state(self, at: int | None) -> dict[str, Any]:
        """Fold the state as it stood after an event.

        Raises:
            ClientError: events that it would need are no longer in the log.
        """
        end = self.head if at is None else at
        kept = self._file.load_state(end)
        fleet = FleetState() if kept is None else FleetState.load(kept.state)
        async for page in read_stretch(self, Stretch(fleet.id, end), EVERYTHING):
            if page.gap is not None:
                raise ClientError("The log no longer holds what the state of that moment is made of.")
            fleet.apply(map(read_record, page.bodies))
        return fleet.snapshot()


def as_record(event: Event, body: bytes = b"") -> Record:
    """Make what the fold takes of an event that was read from the wire."""
    time = round(datetime.fromisoformat(event.time).timestamp() * 1000)
    if not body and event.by is not None:
        # Who has published it is read from the body.
        head = {name: getattr(event, name) for name in ("type", "id", "time", "source", "by")}
        body = msgspec.json.encode(head)
    return Record(event.id, event.type, time, body, event.data, event.host)


@asynccontextmanager
async def open_past(url: str, token: str | None, data: Path | None) -> AsyncIterator[Past]:
    """Open the log of a server, or of a data folder where one is named.

    Raises:
        ClientError: the server does not answer, or says no.
        OpenError: there is no log in the folder that can be read.
    """
    if data is None:
        async with ServerPast(url, token) as past:
            yield past
        return
    # Here, since the store brings the libraries of all its logs along.
    from missioncontrol.store.file import LogFile

    with LogFile(data) as file:
        yield FilePast(file)


def _decode(body: bytes, decoder: msgspec.json.Decoder[_Form]) -> _Form:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unreachable("What answers there is not a Mission Control server.") from None
