"""How a refusal or a failure looks over HTTP: problem details (RFC 9457), whatever went wrong.

Invariants:

- every answer with an error status has this one form, with a `detail` that says what to change;
- of an error that nobody foresaw the client learns nothing but that it happened; the log has the rest.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, Response
from litestar.connection import Request
from litestar.exceptions import HTTPException, InternalServerException, MethodNotAllowedException
from litestar.types import Method, Scope, Send
from litestar.utils.path import normalize_path

from missioncontrol.errors import InputError, MissionControlError, Unauthorized, Unavailable
from missioncontrol.server.access import CALLER, Caller
from missioncontrol.server.segments import shown_path

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/api/docs#problem-"
INTERNAL_DETAIL = "Something went wrong in the server; its log has the details."

ENDLESS = "endless"
"""What a route has among its options whose answer does not end, so that there is no HEAD for it."""

_METHODS: tuple[Method, ...] = ("DELETE", "GET", "PATCH", "POST", "PUT")
_TITLES = {"method_not_allowed": "The path is right, the method is not."}
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

logger = logging.getLogger(__name__)


_REVEALING = ("conflict", "outdated", "precondition_failed")
"""The codes of problems whose details may repeat what is kept."""


class Problem(msgspec.Struct, omit_defaults=True):
    """What went wrong, and what to change.

    `code` is a word for programs; `error` repeats `detail` for clients of earlier versions; `instance` is the
    request's path; `parameter` names the one that is at fault.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
    instance: str
    parameter: str | None = None


Headers = dict[str, str]


def describe_error(error: Exception, path: str) -> tuple[Problem, Headers]:
    """Make the problem details for an exception, and the headers that go with them.

    Args:
        error: what was raised.
        path: the request's path, without its query.
    """
    if isinstance(error, MissionControlError):
        return _own(error, path)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _litestar(error, path)
    return _problem(MissionControlError, path, 500, "internal", INTERNAL_DETAIL), {}


def answer_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn what a handler raised into its answer; the exception handler of the whole application."""
    path = request.scope["path"]
    problem, headers = describe_error(error, path)
    caller: Caller | None = request.scope.get(CALLER)  # type: ignore[assignment]
    if caller is not None and not caller.may("fleet") and problem.code in _REVEALING:
        # What it is about may have texts that the caller may not read.
        problem.detail = problem.error = f"{problem.title} A token with the scope 'read' gets the details."
    if problem.status == 500 and not _is_client_gone(error):
        logger.error("http.failed", exc_info=error, extra={"method": request.method, "path": path})
    if isinstance(error, MethodNotAllowedException):
        headers["allow"] = ", ".join(methods_of(request.app, path))
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **headers},
    )


def _is_client_gone(error: Exception) -> bool:
    """Whether the body of a request ended before its time, which Litestar tells as a failure of the server."""
    return isinstance(error, InternalServerException) and "disconnected" in error.detail


async def send_problem(scope: Scope, send: Send, error: MissionControlError) -> None:
    """Answer an ASGI request that never reaches a handler."""
    problem, headers = describe_error(error, scope["path"])
    body = msgspec.json.encode(problem)
    head = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in head.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


_ANSWERING = ("missioncontrol.errors", "missioncontrol.server")


def error_classes() -> list[type[MissionControlError]]:
    """Return every class of the tree that can be an answer, in the order of the tree.

    Errors of the other side, the client's and the test harness's, are in the same tree when they are imported.
    """
    found: list[type[MissionControlError]] = []

    def visit(cls: type[MissionControlError]) -> None:
        if cls.code not in {"config", "open"} and cls.__module__.startswith(_ANSWERING):
            found.append(cls)
        for child in cls.__subclasses__():
            visit(child)

    visit(MissionControlError)
    return found


def title_of(cls: type[MissionControlError]) -> str:
    """Return the first sentence of what a class of errors means."""
    return (cls.__doc__ or cls.code).partition("\n")[0]


def _own(error: MissionControlError, path: str) -> tuple[Problem, Headers]:
    headers: Headers = {}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = 'Bearer realm="mission-control"'
    if error.status == 500:
        return _problem(type(error), path, 500, error.code, INTERNAL_DETAIL), headers
    return _problem(type(error), path, error.status, error.code, str(error)), headers


def _litestar(error: HTTPException, path: str) -> tuple[Problem, Headers]:
    status = error.status_code
    code = _CODES.get(status, "bad_request")
    detail = HTTPStatus(status).description or HTTPStatus(status).phrase
    parameter = None
    if status == 404:
        detail = "There is nothing at this path; /api/docs lists what there is."
    elif status == 405:
        detail = "This path does not take this method; the Allow header lists those it takes."
    elif status == 413:
        detail = "The body is larger than this path takes; send it in parts."
    elif isinstance(error.extra, list) and error.extra and isinstance(error.extra[0], dict):
        first = error.extra[0]
        parameter = str(first["key"]) if first.get("key") else None
        message = str(first.get("message") or "it cannot be read")
        detail = f"The parameter {parameter!r} is wrong: {message}." if parameter else message
    elif error.detail:
        detail = error.detail
    problem = _problem(InputError, path, status, code, detail)
    problem.parameter = parameter
    return problem, {}


def _problem(cls: type[MissionControlError], path: str, status: int, code: str, detail: str) -> Problem:
    for known in error_classes():
        if known.code == code:
            cls = known
            break
    return Problem(
        type=f"{TYPE_PREFIX}{code}",
        title=_TITLES.get(code) or title_of(cls),
        status=status,
        detail=detail,
        code=code,
        error=detail,
        instance=shown_path(path),
    )


def methods_of(app: Litestar, path: str) -> list[str]:
    """Ask the router which methods a path takes (RFC 9110, section 15.5.6)."""
    allowed = ["OPTIONS"]
    for method in _METHODS:
        try:
            _, handler, *_ = app.asgi_router.handle_routing(path=normalize_path(path), method=method)
        except HTTPException:
            continue
        allowed.append(method)
        if method == "GET" and not handler.opt.get(ENDLESS):
            allowed.append("HEAD")
    return sorted(allowed)
