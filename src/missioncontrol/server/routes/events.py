"""Events over HTTP: publish, long-poll, the newest ones, and the stream.

The body of a publication goes from the wire to the log's own decoder, and bodies of events from the log to the
wire, without anything in between that would cost something per event.
"""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter, QueryParameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from missioncontrol.errors import BadEvent, Draining, Overloaded
from missioncontrol.events import Cursor, Draft, Event, Patterns, decode_long_drafts, is_traceparent
from missioncontrol.events.event import MAX_KEY_LENGTH
from missioncontrol.events.reduced import reduced_body, reduced_record
from missioncontrol.events.shapes import RESERVED_PREFIXES
from missioncontrol.hub import history_json
from missioncontrol.protocol.encoding import body_id
from missioncontrol.protocol.gaps import LogRange, locate, trimmed_gap
from missioncontrol.protocol.messages import Gap, Published
from missioncontrol.server.event_stream import serve_event_stream
from missioncontrol.server.live import check_agents, wait_for
from missioncontrol.server.problems import ENDLESS
from missioncontrol.server.responses import (
    JSON,
    AnyRequest,
    Before,
    Events,
    Limit,
    Since,
    answer,
    documented,
    identify,
    next_link,
    read_before,
    read_cursor,
    read_patterns,
    service_of,
)
from missioncontrol.server.service import Service
from missioncontrol.store.log import may_have_older

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_WAIT_SECONDS = 55
POLLS = "polls"
_KEY = "[!#-~]+"
_RESERVED = "|".join(
    "".join(f"[{letter}{letter.upper()}]" for letter in prefix.removesuffix(":"))
    for prefix in ("server:", "client:", *RESERVED_PREFIXES)
)
"""The categories that clients may not use, in any case: patterns of JSON Schema have no flags."""

SCAN_EVENTS = 5_000
SCAN_SECONDS = 0.5
"""How long one poll looks for events that its filter lets through before it answers with the cursor moved on."""


class EventPage(msgspec.Struct, omit_defaults=True):
    """Events after a cursor, oldest first, and the cursor to go on with.

    `gap` names ids that can no longer be had; the events after them are here. `reconnectAfter` comes where the server
    stops while the poll waits: the next one is to come after so many seconds, which differ from client to client.
    """

    events: list[Event]
    cursor: str
    gap: Gap | None = None
    reconnect_after: float | None = msgspec.field(name="reconnectAfter", default=None)


class NewestEvent(Event, frozen=True, kw_only=True):
    """An event, with the time at which it was appended as `timestamp` and `_timestamp`, ISO 8601."""

    timestamp: str
    _timestamp: str


@dataclass
class PublishOperation(Operation):
    """The documentation of a body that the handler reads as it is."""

    def __post_init__(self) -> None:
        """Say what the body may be."""
        event = Schema(
            type=OpenAPIType.OBJECT,
            required=["type"],
            properties={
                "type": Schema(
                    type=OpenAPIType.STRING,
                    max_length=128,
                    # `server` and `client` are categories that the server keeps for itself.
                    pattern=rf"^(?!({_RESERVED}):)[A-Za-z][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.:-]*$",
                ),
                "data": Schema(
                    type=OpenAPIType.OBJECT,
                    description="At most 256 KiB and 64 levels deep. Of a type that /api/asyncapi.json lists, it "
                    "must fit the schema that is there; fields that are missing become null.",
                ),
                "key": Schema(
                    type=[OpenAPIType.STRING, OpenAPIType.NULL], min_length=1, max_length=MAX_KEY_LENGTH
                ),
                "source": Schema(type=OpenAPIType.STRING, min_length=1, max_length=64),
                "traceparent": Schema(
                    type=[OpenAPIType.STRING, OpenAPIType.NULL],
                    pattern=r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
                    description="The trace that it belongs to (W3C Trace Context).",
                ),
            },
        )
        one_or_many = Schema(one_of=[event, Schema(type=OpenAPIType.ARRAY, items=event, min_items=1)])
        self.request_body = RequestBody(
            required=True,
            description="One event, an array of events, or one event a line (NDJSON); all are kept, or none.",
            content={JSON: OpenAPIMediaType(schema=one_or_many)},
        )


@post(
    "/api/events",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(
        Published,
        409,
        413,
        429,
        503,
        status=201,
        description="The events are durable; `ids` are in the order given.",
    ),
    operation_class=PublishOperation,
    tags=["events"],
    summary="Publish events",
)
async def publish_events(
    request: AnyRequest,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="The `key` of a single event: sent again with the same key, it is not told again.",
            schema_extra={"minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": f'^(?:{_KEY}|"{_KEY}")$'},
        ),
    ] = None,
) -> Response[bytes]:
    """Append one event, an array, or NDJSON: all of it or nothing, and durably before the answer."""
    service = service_of(request)
    if service.draining:
        raise Draining("The server is about to stop and takes nothing more; send it again in a moment.")
    drafts = await decode_long_drafts(await request.body())
    if not drafts:
        raise BadEvent("There is no event in the array; send at least one.")
    if idempotency_key is not None:
        _apply_key(drafts, idempotency_key)
    traceparent = request.headers.get("traceparent")
    # A header that is none is passed over (Trace Context, section 3.2); an event that has its own keeps it.
    if traceparent is not None and is_traceparent(traceparent):
        for draft in drafts:
            draft.traceparent = draft.traceparent or traceparent
    caller = identify(request)
    check_agents(caller, drafts)
    ids = await service.publish(drafts, by=caller.by)
    cursor = str(Cursor(service.log.epoch, max(ids)))
    return answer(msgspec.json.encode(Published(ids, cursor)), status=201)


def _apply_key(drafts: list[Draft], header: str) -> None:
    """Take the header for the event's key; both the bare and the quoted form of it are in use."""
    key = header[1:-1] if len(header) > 2 and header[0] == header[-1] == '"' else header
    if not re.fullmatch(_KEY, key):
        raise BadEvent("Idempotency-Key takes visible ASCII characters, without blanks and quotes.")
    if len(drafts) != 1:
        raise BadEvent(
            "Idempotency-Key is for a single event; give each of several events a 'key' of its own."
        )
    if drafts[0].key not in (None, key):
        raise BadEvent("Idempotency-Key and the event's 'key' differ; leave one of them out.")
    drafts[0].key = key


@get(
    "/api/events",
    responses=documented(EventPage, 503),
    tags=["events"],
    summary="Read or wait for events after a cursor",
)
async def poll_events(
    request: AnyRequest,
    since: Since = None,
    events: Events = None,
    limit: Limit = 100,
    wait: Annotated[
        float,
        QueryParameter(
            ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for an event where there is none yet."
        ),
    ] = 0,
) -> Response[bytes]:
    """Return the events after `since`; with `wait`, wait for the first of them as long as that.

    The cursor moves on even where the filter let nothing through, so that the next poll begins behind what this one
    has looked at.
    """
    service = service_of(request)
    reduced = not identify(request).may("read")
    patterns = read_patterns(events)
    cursor = read_cursor(since)
    if cursor is not None:
        await wait_for(service, cursor)
    log = LogRange(service.log.epoch, service.log.first, service.hub.head)
    after, gap = (log.head, None) if cursor is None else locate(cursor, log)
    deadline = monotonic() + wait
    reconnect_after: float | None = None
    while True:
        bodies, after, gap = await _scan(service, after, patterns, limit, gap)
        left = deadline - monotonic()
        if bodies or gap is not None or after < service.hub.head or left <= 0 or service.draining:
            break
        polls: Polls = request.app.state[POLLS]
        try:
            if not await polls.wait(service, patterns, left, request.receive):
                # Once more, to move the cursor over what the filter did not want.
                deadline = 0.0
        except Draining as error:
            deadline, reconnect_after = 0.0, round(error.retry_after, 3)
    if reduced:
        bodies = [reduced_body(one) for one in bodies]
    body = b'{"events":[%b],"cursor":"%b"%b%b}' % (
        b",".join(bodies),
        str(Cursor(service.log.epoch, after)).encode(),
        b"" if gap is None else b',"gap":%b' % msgspec.json.encode(gap),
        b"" if reconnect_after is None else b',"reconnectAfter":%b' % msgspec.json.encode(reconnect_after),
    )
    if reconnect_after is None:
        return answer(body)
    return answer(body, headers={"retry-after": str(math.ceil(reconnect_after))})


async def _scan(
    service: Service, after: int, patterns: Patterns, limit: int, gap: Gap | None
) -> tuple[list[bytes], int, Gap | None]:
    """Read on until there is something to tell, the head is reached, or enough time has gone by."""
    until = monotonic() + SCAN_SECONDS
    look = limit if patterns.everything else max(limit, SCAN_EVENTS)
    while after < service.hub.head:
        page = await service.log.read(after, patterns, limit=look, max_bytes=1024 * 1024)
        if page.first > after + 1:
            # Trimmed away between two pages: one gap with what was gone before.
            start = gap.from_ - 1 if gap is not None and gap.reason == "trimmed" else after
            gap = trimmed_gap(service.log.epoch, start, page.first)
        after = max(page.last, page.first - 1)
        if page.bodies:
            bodies = page.bodies[:limit]
            return bodies, after if len(bodies) == len(page.bodies) else body_id(bodies[-1]), gap
        if monotonic() >= until:
            break
    return [], after, gap


class Polls:
    """The polls that wait at the moment; each holds a connection and a place in the hub."""

    def __init__(self, limit: int) -> None:
        """Let at most `limit` wait at a time."""
        self._limit = limit
        self._waiting = 0

    async def wait(self, service: Service, patterns: Patterns, seconds: float, receive: Receive) -> bool:
        """Wait for an event of these patterns; False when the time is over or the client is gone.

        Raises:
            Overloaded: as many wait already as may.
            Draining: the server stops; see `Hub.waiter`.
        """
        if self._waiting >= self._limit:
            raise Overloaded("As many polls are waiting as are allowed; poll without `wait`.", retry_after=5)
        self._waiting += 1
        gone: asyncio.Future[None] = asyncio.ensure_future(disconnected(receive))
        try:
            with service.hub.waiter(patterns) as waiter:
                either: set[asyncio.Future[Any]] = {waiter, gone}
                await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if not waiter.done():
                    return False
                if (retry_after := waiter.result()) is not None:
                    raise Draining("The server is about to stop.", retry_after=retry_after)
                return True
        finally:
            self._waiting -= 1
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


async def disconnected(receive: Receive) -> None:
    """Wait until whoever made a request is gone; its body has to have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


@get(
    "/api/system/events",
    responses=documented(list[NewestEvent], 404, 503),
    tags=["events"],
    summary="The newest events, newest first",
)
async def newest_events(
    request: AnyRequest,
    limit: Limit = 100,
    events: Events = None,
    before: Before = None,
) -> Response[bytes]:
    """Return the newest events as an array, newest first; each also has its time as `timestamp` and `_timestamp`.

    `Link` leads to the page of older events where there is one; a page of large events has fewer than `limit`.
    `X-Total-Count` is the number of all that the log holds, where events of every type are asked for.
    """
    log = service_of(request).log
    patterns = read_patterns(events)
    records = await log.newest(patterns, limit=limit, before=read_before(before, log.epoch))
    has_older = may_have_older(records, limit) and records[-1].id > log.first
    if not identify(request).may("read"):
        records = [reduced_record(record) for record in records]
    headers = {}
    if patterns.everything:
        headers["x-total-count"] = str(log.head - log.first + 1)
    if has_older:
        headers |= next_link(request, "before", str(Cursor(log.epoch, records[-1].id)))
    return answer(history_json(records), headers=headers)


class StreamResponse(ASGIResponse):
    """Hands a request over to the stream, which answers by itself."""

    def __init__(self, service: Service) -> None:
        super().__init__(media_type="text/event-stream")
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until one of both sides ends it."""
        await serve_event_stream(self._service, scope, receive, send)


@get(
    "/api/events/stream",
    opt={ENDLESS: True},
    responses=documented(
        str,
        503,
        media_type="text/event-stream",
        description="One message per event, until either side ends it.",
    ),
    tags=["events"],
    summary="The events as Server-Sent Events",
)
async def stream_events(
    request: AnyRequest,
    since: Since = None,
    events: Events = None,
    snapshot: Annotated[
        str | None,
        QueryParameter(
            description="`1`: begin with the whole state where there is no `since`.",
            schema_extra={"enum": ["0", "1", "true", "false"]},
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        HeaderParameter(
            name="Last-Event-ID",
            description="As `since`, and stronger: browsers send it when they come back.",
            schema_extra={"pattern": r"^[A-Za-z0-9]{1,32}:(0|[1-9][0-9]{0,17})$"},
        ),
    ] = None,
) -> StreamResponse:
    """Stream the events after `since`, then live; the parameters are read by the stream itself."""
    return StreamResponse(service_of(request))
