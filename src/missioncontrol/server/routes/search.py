"""Search over HTTP: what has happened, and what was said in transcripts, by words."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from missioncontrol.errors import BadQuery, NotFound, Unavailable
from missioncontrol.events import Event, Patterns, rfc3339
from missioncontrol.fleet.messages import END, Utterance, first_id
from missioncontrol.runtimes.records import Role
from missioncontrol.search import COUNT_UP_TO, MAX_QUERY_LENGTH, Hit, Query, Search, parse_query, snippet
from missioncontrol.server.responses import AnyRequest, answer, documented, limit_parameter, service_of
from missioncontrol.server.routes.snapshot import read_time
from missioncontrol.server.service import Service
from missioncontrol.store import Log

MAX_FOUND = 100
PLACES = ("events", "transcripts")

_NO_EVENT = 10**17
_PLACE = re.compile(r"(\d{1,18})(?:-(\d{1,19}))?", re.ASCII)


class Snippet(msgspec.Struct):
    """The part of what was found in which it stands; `matches` are beginnings and ends in characters of `text`."""

    text: str
    matches: list[tuple[int, int]]


class FoundEvent(msgspec.Struct, rename="camel", tag_field="kind", tag="event"):
    """An event that was found."""

    id: int
    cursor: str
    time: str
    type: str
    agent_id: str | None
    snippet: Snippet
    event: Event


class FoundMessage(msgspec.Struct, rename="camel", tag_field="kind", tag="message"):
    """Something that was said in a session; `tool` is the tool that a call or a result is of."""

    id: str
    time: str
    session: str
    agent_id: str | None
    role: Role
    tool: str | None
    snippet: Snippet


class Results(msgspec.Struct, rename="camel", omit_defaults=True):
    """What was found, newest first. `count` is of all, at least so many where `countIsExact` is false.

    `indexedTo` is the cursor up to which was looked, `lag` how many events came after it; `unread` is how many
    transcripts have more in them than can be found, `trouble` why none could be looked through. `next` is the `after`
    of the page that follows.
    """

    results: list[FoundEvent | FoundMessage]
    count: int
    count_is_exact: bool
    indexed_to: str
    lag: int
    unread: int = 0
    trouble: str = ""
    next: str = ""


class _Found(NamedTuple):
    """Something that was found: when it was, in milliseconds since 1970, where it stands, and what is answered."""

    at: int
    id: int
    answer: dict[str, Any]


class _Part(NamedTuple):
    """What was found in one place, and how many there are in all."""

    found: list[_Found]
    total: int
    exact: bool


Time = Annotated[str | None, QueryParameter(description="RFC 3339, or milliseconds since 1970.")]


@get(
    "/api/search",
    opt={"scope": "read"},
    responses=documented(Results, 404, 503),
    tags=["events"],
    summary="Search what has happened and what was said",
)
async def search_all(
    request: AnyRequest,
    q: Annotated[
        str,
        QueryParameter(
            max_length=MAX_QUERY_LENGTH,
            description='Words, "as they are", -without, agent:scout, type:task:*, host:alpha.',
        ),
    ] = "",
    in_: Annotated[
        str | None,
        QueryParameter(
            name="in", description="`events`, `transcripts`, or both (the default), with a comma."
        ),
    ] = None,
    type_: Annotated[
        str | None, QueryParameter(name="type", description="Only events of these types; patterns.")
    ] = None,
    agent: Annotated[str | None, QueryParameter(description="Only what is about this agent.")] = None,
    host: Annotated[str | None, QueryParameter(description="Only what is of this host.")] = None,
    since: Time = None,
    until: Time = None,
    limit: Annotated[int, limit_parameter(MAX_FOUND)] = 20,
    after: Annotated[
        str | None, QueryParameter(description="Go on after this place: the `next` of the page before.")
    ] = None,
) -> Response[bytes]:
    """Return the newest events and messages of transcripts in which all that is looked for occurs."""
    service = service_of(request)
    if service.search is None:
        raise NotFound("Search is turned off; set search.enabled to true.")
    query = parse_query(
        q,
        agents=[agent] if agent else [],
        hosts=[host] if host else [],
        patterns=None if type_ is None else Patterns.parse(type_),
    )
    wanted = _places(in_)
    times = (
        None if since is None else _moment("since", since),
        None if until is None else _moment("until", until),
    )
    before_event, before_message = _place(after)
    events, messages = _Part([], 0, True), _Part([], 0, True)
    indexed_to, lag = str(service.log.cursor()), 0
    if "events" in wanted:
        events, indexed_to, lag = await _find_events(
            service.search, service.log, query, times, before_event, limit
        )
    trouble = ""
    if "transcripts" in wanted:
        try:
            messages = await _find_messages(service, query, times, before_message, limit)
        except Unavailable as error:
            if "events" not in wanted:
                raise
            trouble = str(error)
    shown = sorted([*events.found, *messages.found], key=lambda one: one.at, reverse=True)[:limit]
    answered: dict[str, Any] = {
        "results": [one.answer for one in shown],
        "count": events.total + messages.total,
        "countIsExact": events.exact and messages.exact,
        "indexedTo": indexed_to,
        "lag": lag,
    }
    if "transcripts" in wanted and service.messages.waiting:
        answered["unread"] = service.messages.waiting
    if trouble:
        answered["trouble"] = trouble
    if len(shown) < events.total + messages.total:
        places = ((events, before_event, _NO_EVENT), (messages, before_message, END))
        answered["next"] = "-".join(
            str(
                min(
                    [one.id for one in part.found if one in shown],
                    default=unbounded if before is None else before,
                )
            )
            for part, before, unbounded in places
        )
    return answer(msgspec.json.encode(answered))


async def _find_events(
    search: Search,
    log: Log,
    query: Query,
    times: tuple[int | None, int | None],
    before: int | None,
    limit: int,
) -> tuple[_Part, str, int]:
    since, until = times
    if until is not None:
        last = await log.id_at(until)
        before = last + 1 if before is None else min(before, last + 1)
    first = 0 if since is None else await log.id_at(since - 1) + 1
    found = await search.find(query, first=first, before=before, limit=limit)
    results = [
        _Found(read_time(hit.event.time) or 0, hit.event.id, _event(log.epoch, hit)) for hit in found.hits
    ]
    return _Part(results, found.total, found.exact), str(found.indexed), found.lag


async def _find_messages(
    service: Service, query: Query, times: tuple[int | None, int | None], before: int | None, limit: int
) -> _Part:
    """Look in transcripts: only for words, and not where only some events are wanted."""
    words, messages = query.words(), service.messages
    elsewhere = bool(query.hosts) and service.host_name not in query.hosts
    if not words or not messages.enabled or elsewhere or query.patterns is not None:
        return _Part([], 0, True)
    agents = service.tokens.agents_of_sessions()
    narrowed = bool(query.agents or query.unwanted_tags)
    sessions = [id_ for id_, agent in agents.items() if query.wants_agent(agent)] if narrowed else None
    since, until = times
    end = END if until is None else first_id(until + 1)
    said, count = await messages.find(
        words,
        first=0 if since is None else first_id(since),
        before=end if before is None else min(before, end),
        sessions=sessions,
        limit=limit,
        most=COUNT_UP_TO + 1,
    )
    results = [_Found(one.at, one.id, _message(one, agents.get(one.session), query)) for one in said]
    return _Part(results, min(count, COUNT_UP_TO), count <= COUNT_UP_TO)


def _event(epoch: str, hit: Hit) -> dict[str, Any]:
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


def _message(said: Utterance, agent: str | None, query: Query) -> dict[str, Any]:
    part, matches = snippet(said.text, query.terms)
    return {
        "kind": "message",
        "id": str(said.id),
        "time": rfc3339(said.at).decode(),
        "session": said.session,
        "agentId": agent,
        "role": said.role,
        "tool": said.tool,
        "snippet": {"text": part, "matches": matches},
    }


def _places(text: str | None) -> set[str]:
    places = set(PLACES) if text is None else {part.strip() for part in text.split(",")}
    if not places or not places.issubset(PLACES):
        raise BadQuery(
            "in is 'events', 'transcripts', or both with a comma between them; leave it out for both."
        )
    return places


def _moment(name: str, text: str) -> int:
    time = read_time(text)
    if time is None:
        raise BadQuery(f"{name} is a time as in '2026-11-23T10:15:00Z', or milliseconds since 1970.")
    return time


def _place(after: str | None) -> tuple[int | None, int | None]:
    """Read below which event and which message a page begins."""
    if after is None:
        return None, None
    match = _PLACE.fullmatch(after)
    if match is None or int(match[2] or 0) > END:
        raise BadQuery("after is the `next` of the page before; leave it out for the first page.")
    return int(match[1]), None if match[2] is None else int(match[2])
