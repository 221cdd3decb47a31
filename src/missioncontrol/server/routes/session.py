"""A browser's session: its token in a cookie that no script can read."""

from __future__ import annotations

import re

import msgspec
from litestar import Response, delete, get, post

from missioncontrol.errors import Forbidden, InputError, Unauthorized
from missioncontrol.server.access import COOKIE, bearer_token
from missioncontrol.server.answers import (
    OPTIONAL_TOKEN,
    PUBLIC,
    AnyRequest,
    answer,
    documented,
    identify,
    service_of,
)

MAX_AGE_SECONDS = 30 * 86_400

_COOKIE_VALUE = re.compile(rb"[!#-+\--:<-\[\]-~]+")


class SessionPage(msgspec.Struct, rename="camel"):
    """Who the caller is: the name of the token, and its scopes.

    `token_required` says whether this server asks for one at all.
    """

    token_required: bool
    name: str | None
    scopes: list[str]


@get(
    "/api/session",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(SessionPage),
    tags=["session"],
    summary="Who the caller is",
)
async def get_session(request: AnyRequest) -> Response[bytes]:
    """Say what the caller's token, if any, allows; without one where one is needed: no scopes."""
    try:
        return _describe(request)
    except Unauthorized:
        return answer(msgspec.json.encode(SessionPage(token_required=True, name=None, scopes=[])))


@post(
    "/api/session",
    opt={"scope": PUBLIC},
    responses=documented(SessionPage, status=201, description="The cookie is set."),
    tags=["session"],
    summary="Put the token into a cookie",
)
async def open_session(request: AnyRequest) -> Response[bytes]:
    """Take the token of the `Authorization` header into a cookie, for pages of this server.

    The cookie is HttpOnly and SameSite=Strict (RFC 6265bis, sections 5.6.6 and 5.6.7), and Secure over TLS.
    """
    service = service_of(request)
    secure = request.scope["scheme"] == "https"
    page = service.access.check_origin(request.scope["headers"], secure=secure)
    if page.foreign:
        raise Forbidden(
            "Only a page of this server itself can open a session; send the token with each request."
        )
    response = _describe(request, status=201)
    if not service.access.token_required:
        return response
    token = bearer_token(request.scope["headers"])
    if token is None:
        raise Unauthorized("A session is opened with a token; send it as 'Authorization: Bearer TOKEN'.")
    if not _COOKIE_VALUE.fullmatch(token):
        raise InputError(
            "The token has characters that a cookie cannot carry; `mission-control token new` makes one without."
        )
    response.set_cookie(
        key=COOKIE,
        value=token.decode("ascii"),
        max_age=MAX_AGE_SECONDS,
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
    responses=documented(None, status=204, description="The cookie is gone."),
    tags=["session"],
    summary="Take the token out of the cookie",
)
async def close_session(request: AnyRequest) -> Response[None]:
    """Clear the cookie; the token itself stays valid."""
    response: Response[None] = Response(None, status_code=204)
    secure = request.scope["scheme"] == "https"
    response.set_cookie(
        key=COOKIE, value="", max_age=0, path="/", httponly=True, samesite="strict", secure=secure
    )
    return response


def _describe(request: AnyRequest, status: int = 200) -> Response[bytes]:
    caller = identify(request)
    page = SessionPage(
        token_required=service_of(request).access.token_required,
        name=caller.name,
        scopes=sorted(caller.scopes),
    )
    return answer(msgspec.json.encode(page), status=status)
