"""What the routes have in common: how they get at the running parts, how they answer, how that is documented.

Bodies are made from bytes that exist already wherever that is possible; the Structs here and in the routes are for
the OpenAPI document, and tests hold the answers against it.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlencode

import msgspec
from litestar import Response
from litestar.connection import Request
from litestar.openapi import ResponseSpec
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import KwargDefinition, QueryParameter

from missioncontrol.config import Scope
from missioncontrol.errors import BadPattern, BadQuery, Forbidden, Unauthorized
from missioncontrol.events import EVERYTHING, Cursor, Patterns
from missioncontrol.events.author import act_as
from missioncontrol.server.access import CALLER, PEER, Caller, bearer_token
from missioncontrol.server.problems import MEDIA_TYPE, Problem
from missioncontrol.server.segments import shown_path
from missioncontrol.server.service import Service

SERVICE = "service"
SCOPE = "scope"
DEFAULT_SCOPE: Scope = "fleet"
"""What a route needs that names no scope."""

_REFUSED = "mission_control.refused"
"""The key in an ASGI scope of what was said against the caller, once it is known."""

PUBLISHED_FIELDS = ("id", "taskId", "status", "error", "code")
"""What of a record callers get that may only publish."""

PUBLIC = "public"
"""What a route has as its scope that anybody may use, with a token or without."""

OPTIONAL_TOKEN: list[dict[str, list[str]]] = [{}]
"""What the document says of such a route."""

AnyRequest = Request[Any, Any, Any]

JSON = "application/json"
MAX_LIMIT = 1_000
MAX_ARRAY = 5_000
"""How many records an array of the earlier system's API has at most; a `Link` header leads on (RFC 8288)."""

_NEVER = re.compile(r"\s*q=0(\.0*)?\s*")
_CURSOR_PATTERN = r"^[A-Za-z0-9]{1,32}:(0|[1-9][0-9]{0,17})$"
_ONE_PATTERN = r"(\*|[A-Za-z][A-Za-z0-9_.-]{0,59}(:(\*|[A-Za-z0-9_][A-Za-z0-9_.:-]{0,59}))?)"
_PATTERNS_PATTERN = rf"^{_ONE_PATTERN}(,{_ONE_PATTERN}){{0,15}}$"

_LIMIT = b"limit"
_WHOLE_NUMBER = re.compile(rb"-?[0-9]+")


def limit_parameter(most: int) -> QueryParameter:
    """Describe the parameter `limit`. `clamp_limit` brings what is beyond its bounds within them."""
    return QueryParameter(
        ge=1,
        le=most,
        description=f"How many at most, from 1 to {most:,}. A number beyond that counts as the nearest within it, "
        "an empty one as if it were left out.",
        # Neither a number beyond the bounds is wrong, nor an empty text.
        schema_extra={
            "minimum": None,
            "maximum": None,
            "type": [OpenAPIType.INTEGER, OpenAPIType.STRING],
            "pattern": r"^(-?[0-9]+)?$",
        },
    )


Limit = Annotated[int, limit_parameter(MAX_LIMIT)]
ArrayLimit = Annotated[int, limit_parameter(MAX_ARRAY)]
Since = Annotated[
    str | None,
    QueryParameter(
        description="The cursor up to which everything has been seen; without it, the head of the log.",
        schema_extra={"pattern": _CURSOR_PATTERN},
    ),
]
Before = Annotated[
    str | None,
    QueryParameter(
        description="Only events older than this cursor: the `next` of the page before.",
        schema_extra={"pattern": _CURSOR_PATTERN},
    ),
]
AfterPlace = Annotated[
    str | None, QueryParameter(description="Go on after this place: as the `Link` header has it.")
]
After = Annotated[
    str | None,
    QueryParameter(description="Go on after the record with this id: the `next` of the page before."),
]
Events = Annotated[
    str | None,
    QueryParameter(
        description="Which events, separated by commas: types, categories (`agent` or `agent:*`), or `*`.",
        schema_extra={"pattern": _PATTERNS_PATTERN},
    ),
]

_ERRORS = {
    400: "A parameter, a cursor or the body is wrong, or a token was put into the URL.",
    401: "A token is needed, or it is not known.",
    403: "The token lacks the scope, or the page's origin is not allowed.",
    404: "There is no such thing.",
    409: "It is somebody else's, or over, or there already.",
    412: "What `If-Match` names is not what is there any more.",
    413: "The body, or an event in it, is too large.",
    415: "The body is of a kind, or packed in a way, that this path does not take.",
    421: "The request names a host that is not this server's.",
    429: "There is as much of it as there may be; `detail` names the quota.",
    500: "Something went wrong that nobody foresaw; the server's log has the details.",
    503: "Not now; `Retry-After` says when to try again.",
}
_ALWAYS = (400, 401, 403, 421, 500)


def service_of(request: AnyRequest) -> Service:
    """Return the running parts."""
    service: Service = request.app.state[SERVICE]
    return service


def identify(request: AnyRequest) -> Caller:
    """Find out who makes a request; see `Access.identify`."""
    return identify_scope(service_of(request), request.scope)


def identify_scope(service: Service, scope: Any) -> Caller:
    """Find out who makes a request, by its ASGI scope; see `Access.identify`."""
    known: Caller | None = scope.get(CALLER)
    if known is not None:
        return known
    if (refused := scope.get(_REFUSED)) is not None:
        raise Unauthorized(refused)
    access, headers = service.access, scope["headers"]
    page = access.check_origin(headers, secure=scope["scheme"] == "https")
    client = scope.get("client")
    try:
        caller = access.identify(headers, page, scope.get(PEER), client[0] if client else None)
    except Unauthorized as error:
        # A wrong token counts, and waits, once a request.
        scope[_REFUSED] = str(error)
        raise
    scope[CALLER] = caller
    act_as(caller.by)
    return caller


async def prepare(request: AnyRequest) -> None:
    """Do what comes before every route: bring its `limit` within bounds, and require its scope; see both."""
    clamp_limit(request)
    await require_scope(request)


def clamp_limit(request: AnyRequest) -> None:
    """Bring a query's `limit` within the bounds of its route, and leave an empty one out.

    Pages of the earlier system ask for nothing, for 0 and for a million alike, and read an array from whatever comes.
    """
    query: bytes = request.scope["query_string"]
    if _LIMIT not in query:
        return
    field = request.route_handler.parsed_fn_signature.parameters.get(_LIMIT.decode())
    bounds = None if field is None else field.kwarg_definition
    if not isinstance(bounds, KwargDefinition) or bounds.ge is None or bounds.le is None:
        return
    kept = []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        value = unquote_to_bytes(value.replace(b"+", b" ")).strip()
        if name == _LIMIT and not value:
            continue
        if name == _LIMIT and _WHOLE_NUMBER.fullmatch(value):
            # A number of thousands of digits is none that Python reads.
            part = b"limit=%d" % min(max(int(value[:20]), bounds.ge), bounds.le)
        kept.append(part)
    request.scope["query_string"] = b"&".join(kept)


async def require_scope(request: AnyRequest) -> None:
    """Let a request pass that has the scope of its route; a route that names none needs `fleet`.

    Raises:
        Unauthorized: a token is needed and there is none, or it is not known.
        Forbidden: the caller lacks the scope.
    """
    scope = request.route_handler.opt.get(SCOPE, DEFAULT_SCOPE)
    if scope != PUBLIC:
        await slow_down(service_of(request), partial(identify, request), scope)
        return
    with suppress(Unauthorized, Forbidden):
        # What anybody may use may still tell a good token from a wrong one: that is looked at here as everywhere.
        if bearer_token(request.scope["headers"]) is not None:
            await slow_down(service_of(request), partial(identify, request))


async def slow_down(service: Service, identify: Callable[[], Caller], scope: Scope | None = None) -> Caller:
    """Identify a caller, require a scope, and let the refusal of wrong tokens wait.

    Raises:
        Unauthorized: a token is needed and there is none, or it is not known.
        Forbidden: the caller lacks the scope.
    """
    try:
        caller = identify()
    except Unauthorized as error:
        if error.delay:
            wrong = service.access.wrong_tokens
            wrong.delayed += 1
            try:
                await asyncio.sleep(error.delay)
            finally:
                wrong.delayed -= 1
        raise
    if scope is not None:
        caller.require(scope)
    return caller


def answer_to(
    request: AnyRequest, value: Any, *, status: int = 200, tag: str | None = None
) -> Response[bytes]:
    """Respond with a record that was changed; callers that may not read get its id and status alone.

    Args:
        request: the request.
        value: the record, or a list of records.
        status: the status of the response.
        tag: the ETag, if the record has one.
    """
    if not identify(request).may("fleet"):
        value = ids_of(value)
    headers = {} if tag is None else {"etag": tag}
    return answer(msgspec.json.encode(value), status=status, headers=headers)


def ids_of(value: Any) -> Any:
    """Return what a caller learns that may only publish: ids and statuses."""
    if isinstance(value, list):
        return [ids_of(one) for one in value]
    if not isinstance(value, dict):
        return {}
    return {name: value[name] for name in PUBLISHED_FIELDS if isinstance(value.get(name), str | int)}


def answer(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Answer with JSON that exists already."""
    return Response(
        body, status_code=status, media_type=JSON, headers={"cache-control": "no-store", **(headers or {})}
    )


def documented(
    model: Any, *errors: int, status: int = 200, media_type: str = JSON, description: str = ""
) -> dict[int, ResponseSpec]:
    """Describe what a route answers, for the OpenAPI document.

    Args:
        model: the body's type; None where there is no body.
        errors: the error statuses that it may answer with, in addition to those of every route.
        status: the status of a success.
        media_type: the body's.
        description: what the success means.
    """
    specs = {
        status: ResponseSpec(
            model,
            generate_examples=False,
            description=description or HTTPStatus(status).phrase,
            media_type=media_type,
        )
    }
    for code in sorted({*_ALWAYS, *errors}):
        specs[code] = ResponseSpec(
            Problem, generate_examples=False, description=_ERRORS[code], media_type=MEDIA_TYPE
        )
    return specs


def read_patterns(events: str | None) -> Patterns:
    """Read the `events` parameter; everything without it.

    Raises:
        BadPattern: it is empty, or holds something that is no pattern.
    """
    if events is None:
        return EVERYTHING
    patterns = Patterns.parse(events)
    if not patterns:
        raise BadPattern("events is empty; leave it out for everything, or name types or categories.")
    return patterns


def read_cursor(text: str | None) -> Cursor | None:
    """Read a cursor parameter.

    Raises:
        BadCursor: it is not of the form EPOCH:ID.
    """
    return None if text is None else Cursor.parse(text)


def read_before(text: str | None, epoch: str) -> int | None:
    """Read a cursor parameter that pages go back from.

    Raises:
        BadCursor: it is not of the form EPOCH:ID.
        NotFound: it is of another life of the log, where its id is the place of another event.
    """
    cursor = read_cursor(text)
    return None if cursor is None else cursor.id_in(epoch)


def takes_gzip(accepted: str) -> bool:
    """Say whether an Accept-Encoding names gzip, and does not rule it out (RFC 9110, section 12.5.3)."""
    codings = (coding.partition(";") for coding in accepted.lower().split(","))
    return any(name.strip() == "gzip" and not _NEVER.fullmatch(weight) for name, _, weight in codings)


def array_page(
    request: AnyRequest, records: Sequence[Any], total: int, cursor: Cursor | None, next_after: str | None
) -> Response[bytes]:
    """Respond with a page of an array, as the earlier system's pages expect it.

    Args:
        request: the request, whose query the link to the next page repeats.
        records: the records of this page.
        total: the number of records of all pages, for `X-Total-Count`.
        cursor: the position of the state that the records are from, for `X-Cursor`; None where they are not from it.
        next_after: the `after` of the next page, for `Link: …; rel="next"` (RFC 8288); None on the last page.
    """
    headers = {"x-total-count": str(total)}
    if cursor is not None:
        headers["x-cursor"] = str(cursor)
    if next_after is not None:
        headers |= next_link(request, "after", next_after)
    return answer(msgspec.json.encode(records), headers=headers)


def next_link(request: AnyRequest, parameter: str, value: str) -> dict[str, str]:
    """Return the `Link` header that leads to the next page: this request with `parameter` set to `value`."""
    query = [(name, old) for name, old in request.query_params.multi_items() if name != parameter]
    target = f"{shown_path(request.scope['path'])}?{urlencode([*query, (parameter, value)])}"
    return {"link": f'<{target}>; rel="next"'}


def page_of_ids(ids: Sequence[str], limit: int, after: str | None) -> tuple[Sequence[str], str | None]:
    """Return a page of sorted ids, and the `after` of the next page; None on the last page."""
    start = 0 if after is None else bisect_right(ids, after)
    page = ids[start : start + limit]
    return page, page[-1] if page and start + limit < len(ids) else None


class Place(NamedTuple):
    """Where a record is in a list that has the newest first: its time in milliseconds since 1970, and its id."""

    at: int
    id: str

    def __str__(self) -> str:
        return f"{self.at}:{self.id}"


def read_place(text: str | None) -> Place | None:
    """Read the `after` of a page as a `Link` header has it.

    Raises:
        BadQuery: it is none.
    """
    if text is None:
        return None
    at, _, id_ = text.partition(":")
    if not (at.isascii() and at.isdigit() and len(at) <= 15 and id_):
        raise BadQuery("after is a place as the Link header has it.")
    return Place(int(at), id_)


def page_of_places(
    places: Iterable[Place], limit: int, after: Place | None
) -> tuple[list[Place], Place | None]:
    """Return a page of places, the newest first, and the `after` of the next page; None on the last page."""
    found = places if after is None else (one for one in places if (-one.at, one.id) > (-after.at, after.id))
    page = nsmallest(limit + 1, found, key=lambda one: (-one.at, one.id))
    return page[:limit], page[limit - 1] if len(page) > limit else None


def state_cursor(service: Service) -> Cursor:
    """Return the cursor that the folded state stands at."""
    return Cursor(service.log.epoch, service.state.id)
