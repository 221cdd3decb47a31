"""Standups over HTTP: holding one, the list of those that are kept, and one of them, also as Markdown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from missioncontrol.errors import BadMessage
from missioncontrol.server.requests import read_json, takes, text_schema
from missioncontrol.server.responses import (
    AnyRequest,
    answer,
    array_page,
    documented,
    identify,
    limit_parameter,
    service_of,
    state_cursor,
)
from missioncontrol.standups import MAX_KEY, write_markdown
from missioncontrol.state.limits import MAX_STANDUPS

MARKDOWN = "text/markdown"
MAX_BODY_BYTES = 16 * 1024


class StandupPlace(msgspec.Struct):
    """A beginning or an end: the time, and the cursor of the log."""

    time: str
    cursor: str


class StandupTask(msgspec.Struct):
    """A task, with the beginning of its description."""

    id: str
    description: str


class StandupTasks(msgspec.Struct):
    """How many tasks, and the newest few."""

    count: int
    newest: list[StandupTask]


class StandupFiles(msgspec.Struct):
    """How many files changed, and the paths of the newest few."""

    count: int
    newest: list[str]


class StandupQuestion(msgspec.Struct):
    """An open question, with the beginning of its text."""

    id: str
    text: str


class StandupQuestions(msgspec.Struct):
    """How many questions are open, and the newest few."""

    count: int
    newest: list[StandupQuestion]


class StandupAgent(msgspec.Struct, rename="camel"):
    """What one agent did in the period, and its status at the end.

    `completed` are tasks that were completed and not taken up again, `started` those that were begun, `blocked` those
    that were blocked and still are. `tokens` and `cost` (in US dollars) are null where the events do not tell them;
    `unpricedTokens` is how many tokens have no price, so that the cost is at least what it says.
    """

    id: str
    name: str
    status: str
    kind: str
    last_activity: str | None
    completed: StandupTasks
    started: StandupTasks
    blocked: StandupTasks
    tokens: float | None
    cost: float | None
    unpriced_tokens: float
    files: StandupFiles
    questions: StandupQuestions
    host: str | msgspec.UnsetType = msgspec.UNSET


class StandupAlertCounts(msgspec.Struct):
    """How many alerts there were of each level."""

    critical: int
    warning: int
    info: int


class StandupTotals(msgspec.Struct, rename="camel"):
    """The whole fleet in numbers; work that was no agent's is in them."""

    agents: int
    completed: int
    started: int
    blocked: int
    tokens: float | None
    cost: float | None
    unpriced_tokens: float
    files: int
    leads: int
    alerts: StandupAlertCounts
    open_questions: int


class StandupAlert(msgspec.Struct):
    """An alert of the period; `id` is its event."""

    id: int
    level: Literal["critical", "warning"]
    message: str


class Standup(msgspec.Struct, rename="camel"):
    """What each agent did from the end of the standup before (`from`) to the moment this one was held (`to`).

    Agents with the most to report come first; `agentsLeftOut` is how many there was no room for. Where the log no
    longer reaches back to `from`, `complete` is false, and the figures count from `since` (null where nothing is left).
    `event` is the event that recorded it, `scheduled` the local time that it was scheduled for.
    """

    id: str
    trigger: Literal["request", "schedule"]
    held_at: str
    from_: StandupPlace = msgspec.field(name="from")
    to: StandupPlace
    since: str | None
    complete: bool
    agents: list[StandupAgent]
    agents_left_out: int
    totals: StandupTotals
    alerts: list[StandupAlert]
    event: int
    by: str | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType = msgspec.UNSET
    scheduled: str | msgspec.UnsetType = msgspec.UNSET


StandupId = Annotated[str, PathParameter(description="The standup's id, as in S-7K3M9PXA.")]
_HOLDS = takes(
    "Asked for again under the same `key`, it is the same standup.",
    {"key": text_schema(min_length=1, max_length=MAX_KEY)},
)


@post(
    "/api/standups",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(Standup, 413, 503, status=201),
    operation_class=_HOLDS,
    tags=["standups"],
    summary="Hold a standup",
)
async def hold_standup(
    request: AnyRequest,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="The `key`, as a header.",
            schema_extra={"minLength": 1, "maxLength": MAX_KEY},
        ),
    ] = None,
) -> Response[bytes]:
    """Sum up what each agent did since the last standup, and keep it; a caller that may not read gets its id alone."""
    body = await read_json(request)
    key = body.get("key", idempotency_key) if isinstance(body, dict) else 0
    if (key is not None and not isinstance(key, str)) or set(body) - {"key"}:
        raise BadMessage('The body is empty, or has the form {"key": "TEXT"}.')
    if idempotency_key not in (None, key):
        raise BadMessage("Idempotency-Key and the body's 'key' differ; leave one of them out.")
    caller = identify(request)
    held = await service_of(request).standups.hold(key=key, by=caller.name)
    if not caller.may("read"):
        held = {name: held[name] for name in ("id", "event") if name in held}
    return answer(msgspec.json.encode(held), status=201)


@get(
    "/api/standups",
    opt={"scope": "read"},
    responses=documented(list[Standup], 404),
    tags=["standups"],
    summary="The standups that are kept, newest first",
)
async def list_standups(
    request: AnyRequest,
    limit: Annotated[int, limit_parameter(MAX_STANDUPS)] = 20,
    after: Annotated[
        str | None, QueryParameter(description="Go on after the standup with this id, to older ones.")
    ] = None,
) -> Response[bytes]:
    """Return the standups that are kept, newest first.

    `X-Total-Count` is the number of all; `Link` leads to the next page where there is one.
    """
    service = service_of(request)
    kept = service.standups.listed()
    start = 0 if after is None else 1 + kept.index(service.standups.find(after))
    page = kept[start : start + limit]
    following = page[-1]["id"] if start + limit < len(kept) else None
    return array_page(request, page, len(kept), state_cursor(service), following)


@get(
    "/api/standups/{standup_id:str}",
    opt={"scope": "read"},
    responses=documented(Standup, 404),
    tags=["standups"],
    summary="A standup, also as Markdown",
)
async def get_standup(
    request: AnyRequest,
    standup_id: StandupId,
    format_: Annotated[
        Literal["json", "markdown"] | None,
        QueryParameter(
            name="format", description="`json` or `markdown`; without it, what `Accept` asks for."
        ),
    ] = None,
) -> Response[bytes]:
    """Return a standup; as Markdown with `format=markdown`, or where `Accept` names `text/markdown`."""
    standup = service_of(request).standups.find(standup_id)
    wants_markdown = MARKDOWN in request.headers.get("accept", "").lower()
    if format_ == "markdown" or (format_ is None and wants_markdown):
        return Response(
            write_markdown(standup).encode(),
            media_type=MARKDOWN,
            headers={"cache-control": "no-store", "vary": "accept"},
        )
    return answer(msgspec.json.encode(standup), headers={"vary": "accept"})


ROUTES: tuple[Any, ...] = (hold_standup, list_standups, get_standup)
"""All of them, in the order in which the reference shows them."""
