"""Hooks: what a runtime reports itself, as it happens, and what it is answered.

Almost always the answer is empty, and the runtime goes on. It has content only where the hook's URL asks for that: the
decision about a permission (`answer`), or that a budget is spent (`budgets`). Where something goes wrong here, the
runtime goes on as well: it takes every status but 2xx as an error that blocks nothing.
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
from litestar.params import PathParameter, QueryParameter
from litestar.types import Receive

from missioncontrol.errors import MissionControlError, NotFound
from missioncontrol.events import now
from missioncontrol.fleet.permissions import ALLOW
from missioncontrol.runtimes.hooks import Asked, Hook
from missioncontrol.runtimes.records import Turn
from missioncontrol.runtimes.registry import hook_readers
from missioncontrol.server.access import refuse_bound
from missioncontrol.server.requests import text_schema
from missioncontrol.server.responses import JSON, AnyRequest, answer, documented, identify, service_of
from missioncontrol.server.routes.events import disconnected
from missioncontrol.server.service import Service

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_WAIT_SECONDS = 3_600
MAX_EVENT = 100
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


@dataclass
class _HookOperation(Operation):
    """The documentation of a body of which only what is needed is read."""

    def __post_init__(self) -> None:
        fields = sorted({reader.event_field for reader in hook_readers().values()})
        schema = Schema(
            type=OpenAPIType.OBJECT,
            properties={name: text_schema(min_length=1, max_length=MAX_EVENT) for name in fields},
            required=fields if len(fields) == 1 else None,
        )
        self.request_body = RequestBody(
            required=True,
            description="A hook as the runtime sends it; fields and events that are not known are ignored.",
            content={JSON: OpenAPIMediaType(schema=schema)},
        )


_ANSWERS = {
    **documented(
        Object, 404, 413, 503, description="What the runtime is to do; only where the URL asks for that."
    ),
    204: ResponseSpec(None, generate_examples=False, description="Accepted: the runtime goes on."),
}


@post(
    "/api/hooks/{runtime:str}",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ANSWERS,
    operation_class=_HookOperation,
    tags=["runtimes"],
    summary="Accept a hook of a runtime",
)
async def accept_hook(
    request: AnyRequest,
    runtime: Annotated[
        str,
        PathParameter(
            description="The runtime's name, as in `/api/hooks`.",
            schema_extra={"enum": sorted(hook_readers())},
        ),
    ],
    ask: Annotated[
        Flag,
        QueryParameter(
            name="answer", description="`1`: hold a permission request until it is answered here."
        ),
    ] = "0",
    wait: Annotated[
        int | None,
        QueryParameter(
            ge=1,
            le=MAX_WAIT_SECONDS,
            description="With `answer`: the seconds that it is held; without it as long as is usual for the runtime.",
        ),
    ] = None,
    budgets: Annotated[
        Flag, QueryParameter(description="`1`: say stop to an agent whose spent budget a person has stopped.")
    ] = "0",
) -> Response[bytes] | Response[None]:
    """Enter a hook into the ledger, and answer as soon as it is kept; an event that is not known is only counted."""
    service = service_of(request)
    reader = hook_readers().get(runtime)
    if reader is None:
        raise NotFound(
            f"There is no runtime {runtime[:40]!r} with hooks; there are {', '.join(hook_readers())}."
        )
    refuse_bound(identify(request), "hooks")
    permissions = service.hooks.permissions
    body = await request.body()
    if len(body) > LONG_BYTES:
        hook = await asyncio.to_thread(reader.read, body, now())
    else:
        hook = reader.read(body, now())
    hook = permissions.standing(hook)
    if (reason := _refusal(service)) is not None:
        raise service.hooks.refuse(runtime, hook, reason)
    await permissions.close(permissions.settled(hook))
    await permissions.check_denied(hook)
    await service.hooks.enter(runtime, hook)
    if hook.asked is not None:
        seconds = 0 if ask == "0" else reader.answer_seconds if wait is None else wait
        return await _permission(service, runtime, hook, hook.asked, seconds, request.receive)
    if budgets == "1" and hook.may_stop and (reason := _stopped(service, hook)) is not None:
        return answer(msgspec.json.encode(reader.stop(hook, reason)))
    return _nothing()


@get(
    "/api/hooks",
    responses=documented(dict[str, HookCounts]),
    tags=["runtimes"],
    summary="The hooks that runtimes have sent, counted",
)
async def list_hooks(request: AnyRequest) -> Response[bytes]:
    """Return how many hooks have come since the server's start, by runtime and event."""
    hooks = service_of(request).hooks
    counts = {
        runtime: HookCounts(
            dict(counted.events),
            dict(counted.unknown),
            counted.late,
            counted.lost,
            hooks.permissions.held(runtime),
            counted.last,
        )
        for runtime, counted in hooks.counts.items()
    }
    return answer(msgspec.json.encode(counts))


ROUTES = (accept_hook, list_hooks)
"""All of them, in the order in which the reference shows them."""


def _refusal(service: Service) -> str | None:
    """Return why nothing can be kept at the moment."""
    return "the server is about to stop." if service.draining else service.log.trouble


async def _permission(
    service: Service, runtime: str, hook: Hook, asked: Asked, seconds: float, receive: Receive
) -> Response[bytes] | Response[None]:
    """Ask; where the request is to be held, wait for the answer and pass it on."""
    permissions = service.hooks.permissions
    try:
        question = await permissions.ask(runtime, hook, asked, seconds=seconds)
    except MissionControlError:
        # It cannot be asked here: the runtime asks in the terminal anyway.
        service.hooks.counts[runtime].lost += 1
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
    reader = hook_readers()[runtime]
    with suppress(MissionControlError):
        await service.hooks.report(runtime, [Turn(hook.session, now(), "busy", evidence=reader.evidence)])
    decision = reader.decision(allow=allowed, message=f"Denied{by} in Mission Control.")
    return answer(msgspec.json.encode(decision))


def _stopped(service: Service, hook: Hook) -> str | None:
    session = service.tokens.session(hook.session)
    return None if session is None else service.tokens.stopped(session.agent)


def _nothing() -> Response[None]:
    """Answer without a body: text would become part of what the model reads."""
    return Response(None, status_code=204)
