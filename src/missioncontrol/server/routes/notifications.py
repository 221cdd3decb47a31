"""Notifications: what was sent, how it stands with rules and destinations, and a message to try them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType

from missioncontrol.errors import BadMessage, Conflict
from missioncontrol.events import Data, read_event
from missioncontrol.notify import (
    KEPT,
    NOTIFICATIONS,
    DestinationStatus,
    NotifyFigures,
    RuleStatus,
    Trial,
)
from missioncontrol.server.requests import read_json, takes
from missioncontrol.server.responses import (
    AnyRequest,
    answer,
    documented,
    limit_parameter,
    service_of,
    state_cursor,
)

MAX_BODY_BYTES = 16 * 1024


class Notification(msgspec.Struct):
    """A message that was sent, or given up: its place in the log, and what the event tells."""

    id: int
    time: str
    type: str
    data: Data


class NotificationPage(msgspec.Struct):
    """The newest notifications, newest first, and how it stands with rules and destinations.

    `active` says whether this node is the one that sends; any other one does not know what waits. `counters` count
    since this node's start.
    """

    notifications: list[Notification]
    active: bool
    rules: list[RuleStatus]
    destinations: list[DestinationStatus]
    counters: NotifyFigures
    cursor: str


class Trials(msgspec.Struct):
    """What came of a test message at each destination."""

    results: list[Trial]


_TRIES = takes(
    "Which rule's destinations are tried; without one, all.",
    {"rule": Schema(type=[OpenAPIType.STRING, OpenAPIType.NULL])},
)


@get(
    "/api/notifications",
    opt={"scope": "read"},
    responses=documented(NotificationPage, 503),
    tags=["notifications"],
    summary="What was sent outside the dashboard, newest first, and what waits",
)
async def list_notifications(
    request: AnyRequest,
    limit: Annotated[int, limit_parameter(KEPT)] = 100,
) -> Response[bytes]:
    """Return the newest notifications from the log, with the rules and destinations of this node."""
    service = service_of(request)
    records = await service.log.newest(NOTIFICATIONS, limit=limit)
    events = [read_event(record.body) for record in records]
    notifier = service.notifier
    page = NotificationPage(
        notifications=[Notification(event.id, event.time, event.type, event.data) for event in events],
        active=notifier is not None and notifier.active,
        rules=[] if notifier is None else notifier.rules(),
        destinations=[] if notifier is None else notifier.destinations(),
        counters=NotifyFigures() if notifier is None else notifier.figures,
        cursor=str(state_cursor(service)),
    )
    return answer(msgspec.json.encode(page))


@post(
    "/api/notifications/test",
    opt={"scope": "admin"},
    operation_class=_TRIES,
    responses=documented(Trials, 404, 409, 413, 503),
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    tags=["notifications"],
    summary="Send a test message",
)
async def try_notifications(request: AnyRequest) -> Response[bytes]:
    """Send a test message to the destinations of a rule, or of all, and say what came of each, within 30 seconds."""
    body = await read_json(request)
    rule = body.get("rule") if isinstance(body, dict) else 0
    if rule is not None and not isinstance(rule, str):
        raise BadMessage('The body has the form {"rule": "NAME"}.')
    notifier = service_of(request).notifier
    if notifier is None:
        raise Conflict("The settings name nobody to be told: put apprise URLs into notify.urls.")
    return answer(msgspec.json.encode(Trials(await notifier.test(rule))))
