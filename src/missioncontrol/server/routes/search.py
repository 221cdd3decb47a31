"""Search over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from missioncontrol.errors import BadQuery, NotFound
from missioncontrol.events import Event, Patterns
from missioncontrol.search import MAX_QUERY_LENGTH, Hit, parse_query
from missioncontrol.server.answers import AnyRequest, answer, documented, service_of
from missioncontrol.server.routes.snapshot import read_time

MAX_FOUND = 100


class Snippet(msgspec.Struct):
    """The part of what was found in which it stands; `matches` are beginnings and ends in characters of `text`."""

    text: str
    matches: list[tuple[int, int]]


class Result(msgspec.Struct, rename="camel"):
    """Something that was found, with the whole event."""

    kind: Literal["event"]
    id: int
    cursor: str
    time: str
    type: str
    agent_id: str | None
    snippet: Snippet
    event: Event


class Results(msgspec.Struct, rename="camel", omit_defaults=True):
    """What was found, newest first. `count` is of all, at least so many where `countIsExact` is false.

    `indexedTo` is the cursor up to which was looked, `lag` how many events came after it; `next` is the `after` of the
    page that follows.
    """

    results: list[Result]
    count: int
    count_is_exact: bool
    indexed_to: str
    lag: int
    next: str = ""


Time = Annotated[str | None, QueryParameter(description="RFC 3339, or milliseconds since 1970.")]


@get(
    "/api/search",
    responses=documented(Results, 404, 503),
    tags=["events"],
    summary="Search what has happened",
)
async def search_events(
    request: AnyRequest,
    q: Annotated[
        str,
        QueryParameter(
            max_length=MAX_QUERY_LENGTH,
            description='Words, "as they are", -without, agent:scout, type:task:*, host:alpha.',
        ),
    ] = "",
    type_: Annotated[
        str | None, QueryParameter(name="type", description="Only events of these types; patterns.")
    ] = None,
    agent: Annotated[str | None, QueryParameter(description="Only events about this agent.")] = None,
    host: Annotated[str | None, QueryParameter(description="Only events of this host.")] = None,
    since: Time = None,
    until: Time = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_FOUND, description="How many at most.")] = 20,
    after: Annotated[
        str | None, QueryParameter(description="Go on after this place: the `next` of the page before.")
    ] = None,
) -> Response[bytes]:
    """Return the newest events in which all that is looked for occurs."""
    service = service_of(request)
    if service.search is None:
        raise NotFound("Search is turned off; set search.enabled to true.")
    query = parse_query(
        q,
        agents=[agent] if agent else [],
        hosts=[host] if host else [],
        patterns=None if type_ is None else Patterns.parse(type_),
    )
    before = _place(after)
    if until is not None:
        last = await service.log.id_at(_moment("until", until))
        before = last + 1 if before is None else min(before, last + 1)
    first = 0 if since is None else await service.log.id_at(_moment("since", since) - 1) + 1
    found = await service.search.find(query, first=first, before=before, limit=limit)
    answered: dict[str, Any] = {
        "results": [_result(service.log.epoch, hit) for hit in found.hits],
        "count": found.total,
        "countIsExact": found.exact,
        "indexedTo": str(found.indexed),
        "lag": found.lag,
    }
    if found.next is not None:
        answered["next"] = str(found.next)
    return answer(msgspec.json.encode(answered))


def _result(epoch: str, hit: Hit) -> dict[str, Any]:
    event = hit.event
    return {
        "kind": "event",
        "id": event.id,
        "cursor": f"{epoch}:{event.id}",
        "time": event.time,
        "type": event.type,
        "agentId": hit.agent,
        "snippet": {"text": hit.snippet, "matches": hit.matches},
        "event": msgspec.Raw(hit.body),
    }


def _moment(name: str, text: str) -> int:
    time = read_time(text)
    if time is None:
        raise BadQuery(f"{name} is a time as in '2026-11-23T10:15:00Z', or milliseconds since 1970.")
    return time


def _place(after: str | None) -> int | None:
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise BadQuery("after is the `next` of the page before; leave it out for the first page.")
    return int(after)
