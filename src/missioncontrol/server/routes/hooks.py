"""Hooks: what Claude Code says itself, as it happens, and what it is answered.

Almost always the answer is empty, and Claude goes on. It has content only where somebody has asked for that in the
hook's URL: the decision about a permission (`answer`), or that a budget is spent (`budgets`). Whatever goes wrong here,
Claude goes on as well: of an HTTP hook it takes every status but 2xx as an error that blocks nothing
(https://code.claude.com/docs/en/hooks, HTTP response handling).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter
from litestar.types import Receive

from missioncontrol.errors import MissionControlError
from missioncontrol.events import now
from missioncontrol.fleet.permissions import ALLOW
from missioncontrol.runtimes.claude import hooks as claude
from missioncontrol.runtimes.claude.hooks import Asked, Hook
from missioncontrol.runtimes.records import Turn
from missioncontrol.server.access import refuse_bound
from missioncontrol.server.requests import text_schema
from missioncontrol.server.responses import JSON, AnyRequest, answer, documented, identify, service_of
from missioncontrol.server.routes.events import disconnected
from missioncontrol.server.service import Service

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_WAIT_SECONDS = 3_600
LONG_BYTES = 256 * 1024
"""A hook that is longer, with a file in it, is read off the loop."""

Flag = Literal["0", "1"]
Object = dict[str, Any]


class HookCounts(msgspec.Struct):
    """The hooks of a runtime since the server's start.

    `events` are those that are understood, `unknown` those of which only the name is; `late` were answered before they
    were kept, `lost` were not kept; `held` wait for a person's answer now. `last` is when the last one came.
    """

    events: dict[str, int]
    unknown: dict[str, int]
    late: int
    lost: int
    held: int
    last: str | None


class HookReport(msgspec.Struct):
    """The hooks by runtime."""

    claude: HookCounts


@dataclass
class _HookOperation(Operation):
    """The documentation of a body of which only what is needed is read."""

    def __post_init__(self) -> None:
        schema = Schema(
            type=OpenAPIType.OBJECT,
            properties={"hook_event_name": text_schema(min_length=1, max_length=claude.MAX_EVENT)},
            required=["hook_event_name"],
        )
        self.request_body = RequestBody(
            required=True,
            description="A hook as Claude Code sends it; fields and events that nobody knows are passed over.",
            content={JSON: OpenAPIMediaType(schema=schema)},
        )


_ANSWERS = {
    **documented(Object, 413, 503, description="What Claude is to do; only where the URL asks for that."),
    204: ResponseSpec(None, generate_examples=False, description="Taken in: Claude goes on."),
}


@post(
    "/api/hooks/claude",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ANSWERS,
    operation_class=_HookOperation,
    tags=["runtimes"],
    summary="Take in a hook of Claude Code",
)
async def claude_hook(
    request: AnyRequest,
    ask: Annotated[
        Flag,
        QueryParameter(
            name="answer", description="`1`: hold a permission request until it is answered here."
        ),
    ] = "0",
    wait: Annotated[
        int,
        QueryParameter(
            ge=1,
            le=MAX_WAIT_SECONDS,
            description="With `answer`: the seconds after which nobody waits any more.",
        ),
    ] = claude.ANSWER_SECONDS,
    budgets: Annotated[
        Flag, QueryParameter(description="`1`: say stop to an agent whose spent budget a person has stopped.")
    ] = "0",
) -> Response[bytes] | Response[None]:
    """Enter a hook into the ledger, and answer as soon as it is kept; an event that nobody knows is only counted."""
    service = service_of(request)
    refuse_bound(identify(request), "hooks")
    permissions = service.hooks.permissions
    body = await request.body()
    if len(body) > LONG_BYTES:
        hook = await asyncio.to_thread(claude.read, body, now())
    else:
        hook = claude.read(body, now())
    hook = permissions.standing(hook)
    if (reason := _refusal(service)) is not None:
        raise service.hooks.refuse(hook, reason)
    await permissions.close(permissions.settled(hook))
    await permissions.check_denied(hook)
    await service.hooks.enter(hook)
    if hook.asked is not None:
        return await _permission(service, hook, hook.asked, wait if ask == "1" else 0, request.receive)
    if budgets == "1" and hook.event in claude.BUDGETED and (said := _stopped(service, hook)) is not None:
        return answer(msgspec.json.encode(claude.stop(hook.event, said)))
    return _nothing()


@get(
    "/api/hooks",
    responses=documented(HookReport),
    tags=["runtimes"],
    summary="The hooks that runtimes have sent, counted",
)
async def list_hooks(request: AnyRequest) -> Response[bytes]:
    """Return how many hooks have come since the server's start, by event."""
    desk = service_of(request).hooks
    counts = HookCounts(
        dict(desk.events), dict(desk.unknown), desk.late, desk.lost, desk.permissions.held, desk.last
    )
    return answer(msgspec.json.encode(HookReport(counts)))


ROUTES = (claude_hook, list_hooks)
"""All of them, in the order in which the reference shows them."""


def _refusal(service: Service) -> str | None:
    """Return why nothing can be kept at the moment."""
    return "the server is about to stop." if service.draining else service.log.trouble


async def _permission(
    service: Service, hook: Hook, asked: Asked, seconds: float, receive: Receive
) -> Response[bytes] | Response[None]:
    """Ask; where the request is to be held, wait for the answer and pass it on."""
    permissions = service.hooks.permissions
    try:
        question = await permissions.ask(hook, asked, seconds=seconds)
    except MissionControlError:
        # Nobody can be asked here: Claude asks in the terminal anyway.
        service.hooks.lost += 1
        return _nothing()
    if not question["options"]:
        return _nothing()
    decided = await permissions.wait(question["id"], seconds, disconnected(receive))
    if decided["status"] != "answered":
        return _nothing()
    allowed = decided["answer"] == ALLOW
    if not allowed:
        permissions.deny(hook, decided)
    by = f" by {name}" if (name := decided.get("answeredBy")) else ""
    with suppress(MissionControlError):
        await service.hooks.report([Turn(hook.session, now(), "busy", evidence=claude.EVIDENCE)])
    verdict = claude.decision("allow" if allowed else "deny", f"Denied{by} in Mission Control.")
    return answer(msgspec.json.encode(verdict))


def _stopped(service: Service, hook: Hook) -> str | None:
    session = service.tokens.session(hook.session)
    return None if session is None else service.tokens.stopped(session.agent)


def _nothing() -> Response[None]:
    """Answer without a body: text would become part of what Claude reads."""
    return Response(None, status_code=204)
