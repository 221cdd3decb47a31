"""A day of the fleet, reckoned from the log."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from missioncontrol.errors import InputError, NotFound
from missioncontrol.events import EVERYTHING, now, read_record, rfc3339
from missioncontrol.fleet.usage.budgets import day_of
from missioncontrol.past import PAGE_EVENTS, state_at
from missioncontrol.server.responses import AnyRequest, answer, documented, service_of, state_cursor
from missioncontrol.server.routes.snapshot import REWINDS
from missioncontrol.server.service import Service
from missioncontrol.state import LEDGER_EVENTS, DayLedger, DaySummary, FleetState


class DayBefore(msgspec.Struct):
    """What the day before came to; tasks and leads are null where the log does not know all of it."""

    day: str
    tasks: int | None
    leads: int | None
    tokens: int
    cost: float


class Ledger(DaySummary, rename={"from_": "from", "day_before": "before"}):
    """A day of the fleet; costs in US dollars.

    `from` and `to` are its beginning and its end, `over` says whether it has ended. `since` is the moment from which
    the log knows it, null where it knows nothing of it. `budget` is what may be spent in a day, now.
    """

    day: str
    from_: str
    to: str
    over: bool
    since: str | None
    budget: float
    day_before: DayBefore
    cursor: str


class Span(msgspec.Struct):
    """The events of a day: those after the id `after`, up to `last`; from `since` on, in milliseconds since 1970."""

    begin: int
    end: int
    after: int
    last: int
    since: int | None


@get(
    "/api/ledger",
    responses=documented(Ledger, 503),
    tags=["state"],
    summary="A day: what was finished and found, what it cost, and who has earned the award",
)
async def get_ledger(
    request: AnyRequest,
    day: Annotated[
        str | None,
        QueryParameter(
            description="The day, in the server's time zone; without it, today.",
            schema_extra={"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": ["2026-11-23"]},
        ),
    ] = None,
) -> Response[bytes]:
    """Reckon a day from the log."""
    service = service_of(request)
    wanted = _read_day(day_of(now()) if day is None else day)
    yesterday = wanted - timedelta(days=1)
    cursor = state_cursor(service)
    async with request.app.state[REWINDS]:
        span, before = await _span_of(service, wanted), await _span_of(service, yesterday)
        state = await _begin(service, before)
        earlier = await _reckon(service, yesterday, before, state)
        reckoned = await _reckon(service, wanted, span, state)
    known = before.since == before.begin
    ledger = Ledger(
        **msgspec.structs.asdict(reckoned),
        day=wanted.isoformat(),
        from_=rfc3339(span.begin).decode(),
        to=rfc3339(span.end).decode(),
        over=now() >= span.end,
        since=None if span.since is None else rfc3339(span.since).decode(),
        budget=service.config.budgets.daily,
        day_before=DayBefore(
            yesterday.isoformat(),
            len(earlier.tasks) if known else None,
            len(earlier.leads) if known else None,
            earlier.tokens,
            earlier.cost,
        ),
        cursor=str(cursor),
    )
    return answer(msgspec.json.encode(ledger))


def _read_day(text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not 1970 < day.year < 9999:
        raise InputError("day is a day, as in 2026-11-23.")
    return day


def _midnight(day: date) -> int:
    """Return when a day begins on the server's clock, in milliseconds since 1970."""
    return round(datetime(day.year, day.month, day.day).astimezone().timestamp() * 1000)


async def _span_of(service: Service, day: date) -> Span:
    log = service.log
    begin, end = _midnight(day), _midnight(day + timedelta(days=1))
    after, last = await log.id_at(begin - 1), await log.id_at(end - 1)
    if after >= log.first:
        return Span(begin, end, after, last, begin)
    # Nothing is left, or was ever told, from before this day.
    oldest = (await log.newest(EVERYTHING, limit=1, before=log.first + 1)) if log.head else []
    since = oldest[0].time if oldest and oldest[0].time < end else None
    return Span(begin, end, log.first - 1, max(last, log.first - 1), since)


async def _begin(service: Service, span: Span) -> FleetState:
    """Return the state at the beginning of a day, or what the oldest events that are left begin with."""
    try:
        return await state_at(service.log, span.after)
    except NotFound:
        return FleetState()


async def _reckon(service: Service, day: date, span: Span, state: FleetState) -> DaySummary:
    """Read the events of a day, and reckon it."""
    ledger = DayLedger(day.isoformat(), state)
    after = span.after
    while after < span.last:
        page = await service.log.read(after, LEDGER_EVENTS, limit=1000)
        for start in range(0, len(page.bodies), PAGE_EVENTS):
            records = map(read_record, page.bodies[start : start + PAGE_EVENTS])
            ledger.add([record for record in records if record.id <= span.last])
            await asyncio.sleep(0)
        after = page.last
    return ledger.reckoning(service.state)
