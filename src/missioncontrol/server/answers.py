"""What the routes have in common: how they get at the running parts, how they answer, how that is documented.

Bodies are made from bytes that exist already wherever that is possible; the Structs here and in the routes are for
the OpenAPI document, and tests hold the answers against it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.connection import Request
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from missioncontrol.errors import BadPattern
from missioncontrol.events import EVERYTHING, Cursor, Patterns
from missioncontrol.server.access import Caller
from missioncontrol.server.problems import MEDIA_TYPE, Problem
from missioncontrol.server.service import Service

SERVICE = "service"
SCOPE = "scope"
PUBLIC = "public"
"""What a route has as its scope that anybody may use, with a token or without."""

OPTIONAL_TOKEN: list[dict[str, list[str]]] = [{}]
"""What the document says of such a route."""

AnyRequest = Request[Any, Any, Any]

JSON = "application/json"
MAX_LIMIT = 1_000

_NEVER = re.compile(r"\s*q=0(\.0*)?\s*")
_CURSOR_PATTERN = r"^[A-Za-z0-9]{1,32}:(0|[1-9][0-9]{0,17})$"
_ONE_PATTERN = r"(\*|[A-Za-z][A-Za-z0-9_.-]{0,59}(:(\*|[A-Za-z0-9_][A-Za-z0-9_.:-]{0,59}))?)"
_PATTERNS_PATTERN = rf"^{_ONE_PATTERN}(,{_ONE_PATTERN}){{0,15}}$"

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many at most.")]
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
    access = service_of(request).access
    headers = request.scope["headers"]
    page = access.check_origin(headers, secure=request.scope["scheme"] == "https")
    return access.identify(headers, page)


async def require_scope(request: AnyRequest) -> None:
    """Let a request pass that has the scope of its route; a route that names none needs `read`.

    Raises:
        Unauthorized: a token is needed and there is none, or it is not known.
        Forbidden: the token lacks the scope.
    """
    scope = request.route_handler.opt.get(SCOPE, "read")
    if scope != PUBLIC:
        identify(request).require(scope)


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
        errors: the error statuses that it may answer with, beside those of every route.
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


class _Identified(msgspec.Struct):
    id: str


_decode_ids = msgspec.json.Decoder(list[_Identified]).decode
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode


def find_record(records: bytes, id_: str) -> bytes | None:
    """Find a record by its id in a JSON array in the order of ids; None where it is not there."""
    ids = [record.id for record in _decode_ids(records)]
    place = bisect_right(ids, id_) - 1
    if place < 0 or ids[place] != id_:
        return None
    return bytes(_decode_raw(records)[place])


def list_records(noun: str, records: bytes, cursor: Cursor, limit: int, after: str | None) -> Response[bytes]:
    """Answer with a page of a JSON array that is in the order of ids.

    Args:
        noun: the key of the array in the answer.
        records: the whole array.
        cursor: where the state stands that it is from.
        limit: how many records at most.
        after: the id after which the page begins.
    """
    known = _decode_ids(records)
    start = 0 if after is None else bisect_right(known, after, key=lambda record: record.id)
    more = ""
    if start or len(known) > limit:
        page = b"[%b]" % b",".join(_decode_raw(records)[start : start + limit])
        if start + limit < len(known):
            more = known[start + limit - 1].id
    else:
        page = records
    return answer(
        b'{"%b":%b,"count":%d,"cursor":"%b"%b}'
        % (
            noun.encode(),
            page,
            len(known),
            str(cursor).encode(),
            b',"next":%b' % msgspec.json.encode(more) if more else b"",
        )
    )


def state_cursor(service: Service) -> Cursor:
    """Return the cursor that the folded state stands at."""
    return Cursor(service.log.epoch, service.state.id)
