"""Browser sessions: who the caller is, signing in and out, and the browsers that are signed in.

A person signs in with a one-time link, with a code of six digits that the terminal shows, or with a token. See
`missioncontrol.server.access.sessions` for what the browser keeps.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec
from litestar import Response, delete, get, post
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter

from missioncontrol.errors import BadMessage, Forbidden, NotFound, Unauthorized
from missioncontrol.server.access import PEER, Caller, Peer, bearer_token
from missioncontrol.server.access.owner import CODE_SECONDS, LINK_SECONDS
from missioncontrol.server.access.sessions import SESSION_SECONDS
from missioncontrol.server.requests import read_json, takes, text_schema
from missioncontrol.server.responses import (
    OPTIONAL_TOKEN,
    PUBLIC,
    AnyRequest,
    answer,
    documented,
    identify,
    service_of,
    slow_down,
)

MAX_BODY_BYTES = 4_096
MAX_PROOF = 200


class SessionPage(msgspec.Struct, rename="camel"):
    """Who the caller is: the name of the token, or `operator`; its scopes; the agent that its token is bound to.

    `token_required` says whether this server asks programs for a token at all, `session` whether the caller came in by
    a browser session.
    """

    token_required: bool
    name: str | None
    scopes: list[str]
    agent: str | None = None
    session: bool = False


class OpenedSession(SessionPage, kw_only=True):
    """The same, with the key that the page keeps and sends as `X-Session-Key`; null where none is needed."""

    key: str | None


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """What a person signs in with; without either the token of the `Authorization` header."""

    link: str | None = None
    code: str | None = None


class ShownCode(msgspec.Struct, rename="camel"):
    """For how many seconds the code that the terminal shows is valid."""

    expires_in: float


class Link(msgspec.Struct, rename="camel"):
    """What a one-time link carries after `/#sign-in=`, and for how many seconds it is valid."""

    link: str
    expires_in: float


class Browser(msgspec.Struct, rename="camel"):
    """A browser that is signed in; `name` is what events show as `by`, `current` marks the one that asks."""

    id: str
    name: str
    began: str
    used: str
    expires: str
    address: str | None
    user_agent: str | None
    current: bool


class BrowserList(msgspec.Struct):
    """The browsers that are signed in, the last used first."""

    browsers: list[Browser]


_OPENS = takes(
    "A one-time link or a code; without either the token of the `Authorization` header is what opens the session.",
    {"link": text_schema(min_length=1, max_length=MAX_PROOF), "code": Schema(type=OpenAPIType.STRING)},
)
_prepared = msgspec.json.Decoder(Proof)


@get(
    "/api/session",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(SessionPage),
    tags=["session"],
    summary="Who the caller is",
)
async def get_session(request: AnyRequest) -> Response[bytes]:
    """Return what the caller may do; without a token where one is needed: no scopes."""
    try:
        caller = identify(request)
    except Unauthorized:
        return answer(msgspec.json.encode(SessionPage(token_required=True, name=None, scopes=[])))
    return answer(msgspec.json.encode(SessionPage(*_described(request, caller))))


@post(
    "/api/session",
    opt={"scope": PUBLIC},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(OpenedSession, 413, status=201, description="The cookie is set."),
    operation_class=_OPENS,
    tags=["session"],
    summary="Sign a browser in",
)
async def open_session(request: AnyRequest) -> Response[bytes]:
    """Begin a session of a page of this server, with a link, a code or a token.

    The cookie is HttpOnly and SameSite=Strict (RFC 6265bis, sections 5.6.6 and 5.6.7), and Secure over TLS. It is of
    use only along with the `key` of the answer.
    """
    access = service_of(request).access
    headers = request.scope["headers"]
    secure = request.scope["scheme"] == "https"
    if access.check_origin(headers, secure=secure).foreign:
        raise Forbidden(
            "Only a page of this server itself can open a session; send the token with each request."
        )
    proof = await _proof(request)
    token: str | None = None
    if proof.link is not None:
        _check_is_here(request)
        access.owner.use_link(proof.link)
    elif proof.code is not None:
        _check_is_here(request)
        access.owner.use_code("".join(proof.code.split()))
    else:
        caller = await slow_down(service_of(request), lambda: identify(request))
        if not access.token_required and caller.kind == "program":
            page = OpenedSession(*_described(request, caller), key=None)
            return answer(msgspec.json.encode(page), status=201)
        if bearer_token(headers) is None:
            raise Unauthorized("A session is opened with a link, a code or a token.")
        token = caller.credential
    agents = [value.decode("latin-1") for name, value in headers if name == b"user-agent"]
    client = request.scope.get("client")
    made = access.sessions.open(token, client[0] if client else None, agents[0] if agents else None)
    await asyncio.to_thread(access.sessions.save)
    session = access.sessions.find(made.cookie, made.key.encode())
    opened = access.caller_of(session) if session is not None else identify(request)
    described = _described(request, opened)
    response = answer(msgspec.json.encode(OpenedSession(*described, key=made.key)), status=201)
    response.set_cookie(
        key=access.cookie,
        value=made.cookie,
        max_age=round(SESSION_SECONDS),
        path="/",
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return response


@delete(
    "/api/session",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(None, status=204, description="The session has ended."),
    tags=["session"],
    summary="Sign this browser out",
)
async def close_session(request: AnyRequest) -> Response[None]:
    """End the session of the caller, close its connections, and clear the cookie; a token stays valid."""
    access = service_of(request).access
    secure = request.scope["scheme"] == "https"
    headers = request.scope["headers"]
    if access.check_origin(headers, secure=secure).trusted:
        session = access.session_of(headers, _peer(request))
        if session is not None:
            await _end(request, session.id)
    response: Response[None] = Response(None, status_code=204)
    response.set_cookie(
        key=access.cookie, value="", max_age=0, path="/", httponly=True, samesite="strict", secure=secure
    )
    return response


@post(
    "/api/session/codes",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(ShownCode, 503, status=202, description="The terminal shows a code."),
    tags=["session"],
    summary="Have the terminal show a code",
)
async def show_code(request: AnyRequest) -> Response[bytes]:
    """Show a code of six digits where the server runs; for a browser of this machine and this user."""
    access = service_of(request).access
    if access.check_origin(request.scope["headers"], secure=request.scope["scheme"] == "https").foreign:
        raise Forbidden("Only a page of this server itself can ask for a code.")
    _check_is_here(request)
    access.owner.show(access.owner.new_code())
    return answer(msgspec.json.encode(ShownCode(CODE_SECONDS)), status=202)


@post(
    "/api/session/links",
    opt={"scope": "admin"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(Link, status=201),
    tags=["session"],
    summary="Make a one-time sign-in link",
)
async def make_link(request: AnyRequest) -> Response[bytes]:
    """Make what signs one browser in as the owner, once."""
    link = Link(service_of(request).access.owner.new_link(), LINK_SECONDS)
    return answer(msgspec.json.encode(link), status=201)


@get(
    "/api/session/browsers",
    opt={"scope": "admin"},
    responses=documented(BrowserList),
    tags=["session"],
    summary="The browsers that are signed in",
)
async def list_browsers(request: AnyRequest) -> Response[bytes]:
    """Return the browsers that are signed in, the last used first."""
    access = service_of(request).access
    own = identify(request).credential
    browsers = [
        Browser(
            id=one.id,
            name=access.caller_of(one).by,
            began=_time(one.began),
            used=_time(one.used),
            expires=_time(one.expires),
            address=one.address,
            user_agent=one.user_agent,
            current=one.id == own,
        )
        for one in access.sessions.listed()
        if access.is_open(one)
    ]
    return answer(msgspec.json.encode(BrowserList(browsers)))


@delete(
    "/api/session/browsers/{browser_id:str}",
    opt={"scope": "admin"},
    responses=documented(None, 404, status=204, description="The browser is signed out."),
    tags=["session"],
    summary="Sign a browser out",
)
async def sign_out(
    request: AnyRequest,
    browser_id: Annotated[str, PathParameter(description="The id of the list.")],
) -> Response[None]:
    """End a session, and close its connections."""
    if not await _end(request, browser_id):
        raise NotFound("No browser with this id is signed in.")
    return Response(None, status_code=204)


ROUTES = (get_session, open_session, close_session, show_code, make_link, list_browsers, sign_out)
"""All of them, in the order in which the reference shows them."""


class _Described(NamedTuple):
    token_required: bool
    name: str | None
    scopes: list[str]
    agent: str | None
    session: bool


def _described(request: AnyRequest, caller: Caller) -> _Described:
    required = service_of(request).access.token_required
    return _Described(required, caller.name, sorted(caller.scopes), caller.agent, caller.kind == "session")


async def _proof(request: AnyRequest) -> Proof:
    if not await request.body():
        return Proof()
    try:
        return msgspec.convert(await read_json(request), Proof)
    except msgspec.ValidationError as error:
        raise BadMessage(f"The body is not as it should be: {error}.") from None


def _check_is_here(request: AnyRequest) -> None:
    """Let a browser of this machine and this user pass.

    Raises:
        Forbidden: the request comes from elsewhere.
    """
    if not service_of(request).access.may_be_owner(request.scope["headers"], _peer(request)):
        raise Forbidden(
            "Links and codes are for browsers of this machine and this user; sign in with a token from elsewhere."
        )


def _peer(request: AnyRequest) -> Peer | None:
    peer: Peer | None = request.scope.get(PEER)  # type: ignore[assignment]
    return peer


async def _end(request: AnyRequest, id_: str) -> bool:
    access = service_of(request).access
    ended = access.sessions.end(id_)
    if ended:
        access.close_revoked(but=_peer(request))
        await asyncio.to_thread(access.sessions.save)
    return ended


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
