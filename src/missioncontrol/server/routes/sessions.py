"""The conversations: the sessions that are known, newest first, each with its agent, its cost and its first line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from missioncontrol.errors import Unavailable
from missioncontrol.events import Data, rfc3339
from missioncontrol.fleet.messages import SessionSpan
from missioncontrol.fleet.usage.sessions import SessionTotals
from missioncontrol.server.responses import (
    AfterPlace,
    AnyRequest,
    Place,
    array_page,
    documented,
    limit_parameter,
    page_of_places,
    read_place,
    service_of,
    state_cursor,
)
from missioncontrol.server.routes.agents import find_agent
from missioncontrol.server.service import Service

MAX_SESSIONS_PAGE = 200
FIRST_LINE = 200
"""How many characters of a session's first line are shown."""


class SessionBody(msgspec.Struct, rename="camel"):
    """A session of an agent.

    `firstLine` is the beginning of what the user said first, null where no transcript is kept (`transcript` is false).
    `tokens` and `cost` (US dollars) are null where not all of its use is known. `unpriced` is how many of the tokens
    have no price. `started` is null where only its use is known.
    """

    id: str
    agent_id: str | None
    runtime: str | None
    model: str | None
    first_line: str | None
    transcript: bool
    tokens: float | None
    cost: float | None
    unpriced: float
    started: str | None
    updated: str


@get(
    "/api/sessions",
    opt={"scope": "read"},
    responses=documented(list[SessionBody], 503),
    tags=["state"],
    summary="The conversations, newest first",
)
async def list_sessions(
    request: AnyRequest,
    agent: Annotated[
        str | None, QueryParameter(description="Only those of this agent, by its id or name.")
    ] = None,
    limit: Annotated[int, limit_parameter(MAX_SESSIONS_PAGE)] = 50,
    after: AfterPlace = None,
) -> Response[bytes]:
    """Return the sessions of which a transcript is kept or whose use is known, the one used last first.

    `X-Total-Count` is the number of all; `Link` leads to the next page where there is one.
    """
    service = service_of(request)
    place = read_place(after)
    spans: list[SessionSpan] = []
    if service.messages.enabled:
        try:
            spans = await service.messages.sessions()
        except Unavailable:
            # While transcripts are being opened, what is known of use is all there is.
            spans = []
    used = {str(one["id"]): one for one in service.state.tokens.sessions()}
    owners = service.tokens.agents_of_sessions()
    known = {
        id_: session.at for id_, session in service.tokens.sessions.items() if session.totals and session.at
    }
    wanted = None if agent is None else (find_agent(service, agent) or agent)
    page, following, total = await asyncio.to_thread(_page, spans, known, used, owners, wanted, place, limit)
    kept = {span.id: span for span in spans}
    shown = [id_ for _, id_ in page if id_ in kept]
    texts = await service.messages.first_texts(shown, FIRST_LINE) if shown else {}
    bodies = [
        _body(service, id_, at, used.get(id_, {}), owners.get(id_), kept.get(id_), texts.get(id_))
        for at, id_ in page
    ]
    next_after = None if following is None else str(following)
    return array_page(request, bodies, total, state_cursor(service), next_after)


def _page(
    spans: list[SessionSpan],
    known: Mapping[str, int],
    used: Mapping[str, Data],
    owners: Mapping[str, str],
    agent: str | None,
    after: Place | None,
    limit: int,
) -> tuple[list[Place], Place | None, int]:
    """Return a page of sessions, the place of the next page, and how many there are in all."""
    times = {id_: _milliseconds(one.get("updated")) for id_, one in used.items()}
    for span in spans:
        times[span.id] = max(span.last, times.get(span.id, 0))
    # The state knows when a use was published, which at a first start is long after it.
    times.update(known)
    found = [
        Place(at, id_)
        for id_, at in times.items()
        if agent is None or agent == (owners.get(id_) or used.get(id_, {}).get("agent"))
    ]
    page, following = page_of_places(found, limit, after)
    return page, following, len(found)


def _body(
    service: Service,
    id_: str,
    at: int,
    used: Data,
    owner: str | None,
    span: SessionSpan | None,
    text: str | None,
) -> dict[str, Any]:
    known = service.tokens.session(id_)
    totals = _totals(used) if known is None or known.totals is None else known.totals
    return {
        "id": id_,
        "agentId": owner or used.get("agent"),
        "runtime": used.get("runtime") or (None if known is None else known.runtime),
        "model": used.get("model"),
        "firstLine": None if text is None else " ".join(text.split()),
        "transcript": span is not None,
        "tokens": None if totals is None else totals.tokens,
        "cost": None if totals is None else totals.cost,
        "unpriced": 0 if totals is None else totals.unpriced,
        "started": None if span is None else rfc3339(span.first).decode(),
        "updated": rfc3339(at).decode(),
    }


def _totals(used: Data) -> SessionTotals | None:
    """Return what a session has used as the state has it, which knows those used last, of all hosts."""
    if "tokens" not in used:
        return None
    unpriced = used.get("unpriced")
    tokens = unpriced.get("tokens", 0) if isinstance(unpriced, dict) else 0
    return SessionTotals(used["tokens"], tokens, used.get("cost", 0.0), ())


def _milliseconds(value: Any) -> int:
    try:
        return max(0, round(datetime.fromisoformat(value).timestamp() * 1000))
    except (TypeError, ValueError, OverflowError):
        return 0
