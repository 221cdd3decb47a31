"""What was said in a session, page by page."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import PathParameter, QueryParameter

from missioncontrol.errors import BadQuery, NotFound
from missioncontrol.events import rfc3339
from missioncontrol.fleet.messages import END, Messages, Utterance
from missioncontrol.runtimes.records import Role
from missioncontrol.server.responses import AnyRequest, answer, documented, limit_parameter, service_of

MAX_PAGE = 200


class TranscriptMessage(msgspec.Struct, omit_defaults=True):
    """Something that was said; `cut` says how many characters of the text are not kept here."""

    id: str
    time: str
    role: Role
    text: str
    tool: str | None = None
    cut: int = 0


class TranscriptPage(msgspec.Struct, rename="camel", omit_defaults=True):
    """What was said in a session, the oldest first.

    `older` is the `before` of the page in front of this one, `newer` the `after` of the one behind it, if there is one.
    """

    session: str
    agent_id: str | None
    runtime: str | None
    messages: list[TranscriptMessage]
    older: str = ""
    newer: str = ""


MessageId = Annotated[str | None, QueryParameter(description="The id of a message.")]


@get(
    "/api/sessions/{session:str}/transcript",
    opt={"scope": "read"},
    responses=documented(TranscriptPage, 404, 503),
    tags=["state"],
    summary="What was said in a session",
)
async def read_transcript(
    request: AnyRequest,
    session: Annotated[str, PathParameter(description="The session's id.")],
    before: MessageId = None,
    after: MessageId = None,
    around: MessageId = None,
    limit: Annotated[int, limit_parameter(MAX_PAGE)] = 50,
) -> Response[bytes]:
    """Return the newest messages of a session, or those before, after or around one."""
    service = service_of(request)
    messages = service.messages
    if not messages.enabled:
        raise NotFound("Transcripts are not kept; set search.enabled and search.transcripts to true.")
    named = [
        name for name, id_ in (("before", before), ("after", after), ("around", around)) if id_ is not None
    ]
    if len(named) > 1:
        raise BadQuery(f"{named[0]} and {named[1]} exclude each other; give one of them.")
    if around is not None:
        page, older, newer = await _around(messages, session, _id(around), limit)
    else:
        page, older, newer = await _page(
            messages,
            session,
            after=None if after is None else _id(after),
            before=None if before is None else _id(before),
            limit=limit,
        )
    known = service.tokens.session(session)
    answered: dict[str, Any] = {
        "session": session,
        "agentId": service.tokens.agents_of_sessions().get(session),
        "runtime": None if known is None else known.runtime,
        "messages": [_message(said) for said in page],
    }
    if older:
        answered["older"] = str(page[0].id)
    if newer:
        answered["newer"] = str(page[-1].id)
    return answer(msgspec.json.encode(answered))


async def _page(
    messages: Messages, session: str, *, after: int | None, before: int | None, limit: int
) -> tuple[list[Utterance], bool, bool]:
    """Return a page, and whether there is more in front of it and behind it."""
    forward = after is not None
    found = await messages.page(
        session,
        after=after or 0,
        before=END if before is None else before,
        limit=limit + 1,
        newest=not forward,
    )
    if found is None:
        raise NotFound(
            f"Nothing that was said in a session {session[:100]!r} is kept here: "
            "it is unknown, too old, or of another host."
        )
    more = len(found) > limit
    if forward:
        return found[:limit], bool(found), more
    return found[-limit:], more, before is not None and bool(found)


async def _around(
    messages: Messages, session: str, id_: int, limit: int
) -> tuple[list[Utterance], bool, bool]:
    front, older, _ = await _page(messages, session, after=None, before=id_, limit=max(1, limit // 2))
    back, _, newer = await _page(messages, session, after=id_ - 1, before=None, limit=limit - len(front) or 1)
    return [*front, *back], older, newer


def _message(said: Utterance) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": str(said.id),
        "time": rfc3339(said.at).decode(),
        "role": said.role,
        "text": said.text,
    }
    if said.tool is not None:
        message["tool"] = said.tool
    if said.cut:
        message["cut"] = said.cut
    return message


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= END):
        raise BadQuery("before, after and around take the id of a message, as it stands in a page.")
    return int(text)
