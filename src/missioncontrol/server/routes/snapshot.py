"""The whole state, now or as it was: a kept state, folded forward to the moment that is asked for."""

from __future__ import annotations

import re
from asyncio import Semaphore
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from missioncontrol.errors import BadCursor, NotFound
from missioncontrol.events import Cursor
from missioncontrol.events.reduced import reduced_snapshot
from missioncontrol.past import gone, state_at
from missioncontrol.server.live import wait_for
from missioncontrol.server.responses import AnyRequest, answer, documented, identify, service_of, state_cursor
from missioncontrol.server.service import Service
from missioncontrol.state import FleetState

REWINDS = "rewinds"
MAX_REWINDS = 2
"""How many pasts are folded at a time; more would only make each other slow."""

MAX_MILLISECONDS = 253_402_300_799_999
"""The last moment of the year 9999, where RFC 3339 ends."""

_MILLISECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class State(msgspec.Struct):
    """The state of the fleet."""

    agents: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    tokens: dict[str, Any]
    leads: list[dict[str, Any]]
    system: dict[str, Any]
    questions: list[dict[str, Any]]
    standups: list[dict[str, Any]]


class StateSnapshot(msgspec.Struct):
    """A state and the cursor it stands at: read on from there, and nothing is missed or told twice."""

    state: State
    cursor: str


@get(
    "/api/snapshot",
    responses=documented(StateSnapshot, 404, 503),
    tags=["state"],
    summary="The whole state, now or at an earlier moment",
)
async def snapshot(
    request: AnyRequest,
    at: Annotated[
        str | None,
        QueryParameter(
            description="A cursor, or a time: RFC 3339, or milliseconds since 1970. Without it, now.",
            schema_extra={"examples": ["2026-11-23T10:15:00Z", "1795428900000"]},
        ),
    ] = None,
) -> Response[bytes]:
    """Return the state with the cursor it stands at; with `at`, as it was after the last event up to then."""
    service = service_of(request)
    if at is None:
        # What an agent has just written into the queue's file is in it.
        await service.tasks.fresh()
        return _answer(request, service.state, state_cursor(service))
    id_ = await _find(service, at)
    async with request.app.state[REWINDS]:
        state = await state_at(service.log, id_)
    return _answer(request, state, Cursor(service.log.epoch, id_))


def make_rewinds() -> Semaphore:
    """Make the gate that pasts are folded behind."""
    return Semaphore(MAX_REWINDS)


def read_time(text: str) -> int | None:
    """Read RFC 3339 or milliseconds since 1970, as milliseconds; None where the text is neither."""
    if _MILLISECONDS.fullmatch(text):
        time = int(text)
        return time if time <= MAX_MILLISECONDS else None
    if not _RFC3339.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)


async def _find(service: Service, at: str) -> int:
    """Find the id of the last event up to the moment that is asked for."""
    first, head = service.log.first, service.state.id
    if ":" in at and "-" not in at:
        cursor = Cursor.parse(at)
        await wait_for(service, cursor)
        head = service.state.id
        id_ = cursor.id_in(service.log.epoch)
        if id_ > head:
            raise NotFound(f"The cursor is ahead of the log, whose newest event is {head}.")
        return id_
    # A plus sign that was not percent-encoded has become a space on its way.
    time = read_time(at) or read_time(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", at))
    if time is None:
        raise BadCursor(
            "at is a cursor (EPOCH:ID), a time as in '2026-11-23T10:15:00Z', or milliseconds since 1970."
        )
    id_ = min(await service.log.id_at(time), head)
    if id_ < first:
        raise gone(service.log)
    return id_


def _answer(request: AnyRequest, state: FleetState, cursor: Cursor) -> Response[bytes]:
    body = state.encoded()
    if not identify(request).may("read"):
        body = reduced_snapshot(body)
    return answer(b'{"state":%b,"cursor":"%b"}' % (body, str(cursor).encode()))
