"""The HTTP interface under whatever its own OpenAPI document allows, and what it does not."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from litestar.types import Receive, Scope, Send
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.server.site import ADMIN, TOKENS, Site

from missioncontrol.server.routes.events import Polls
from missioncontrol.server.routes.reference import build_openapi


@pytest.fixture
def loop_is_not_held() -> None:
    """Measure nothing here: each case makes an application of its own, which takes longer than any request."""


EXAMPLES = 15
BASE_URL = "http://localhost:3001"
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
    negative_data_rejection,
]


class FuzzedSite:
    """An ASGI application that is made on the loop that asks for it, since a hub belongs to its loop."""

    def __init__(self, **server: Any) -> None:
        self._server = server
        self._site: Site | None = None

    def begin_anew(self) -> None:
        """Forget what has been done so far."""
        self._site = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._site is None:
            self._site = Site(**self._server)
            await self._site.tell("agent:statusChange", agentId="scout", status="busy")
        await self._site.app(scope, receive, send)


def load_schema(**server: Any) -> Any:
    async def build() -> dict[str, Any]:
        return build_openapi(Site(**server).app)

    schema = schemathesis.openapi.from_dict(asyncio.run(build()))
    schema.app = FuzzedSite(**server)
    return schema


def operations(schema: Any) -> list[Any]:
    """All operations whose answer ends, in an order that is the same in every process."""
    found = sorted((result.ok() for result in schema.get_all_operations()), key=lambda one: str(one.label))
    return [operation for operation in found if operation.path != "/api/events/stream"]


OPEN = operations(load_schema())
GUARDED = operations(load_schema(tokens=TOKENS))


def fuzz(operation: Any, mode: GenerationMode, examples: int, **options: Any) -> None:
    """Try so many examples of an operation, on a site that no other operation has changed."""
    operation.app.begin_anew()
    bounded = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )

    def example(case: Any) -> None:
        case.call_and_validate(BASE_URL, **{"checks": CHECKS, **options})

    # Nothing happens while a poll waits, and the time passes at once.
    with patch.object(Polls, "wait", AsyncMock(return_value=False)):
        bounded(given(case=operation.as_strategy(generation_mode=mode))(example))()


@pytest.mark.parametrize("operation", OPEN, ids=lambda operation: operation.label)
def test_what_the_document_allows_gets_a_documented_answer(operation: Any) -> None:
    fuzz(operation, GenerationMode.POSITIVE, EXAMPLES)


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPEN if operation.query or operation.headers or operation.body],
    ids=lambda operation: operation.label,
)
def test_what_the_document_does_not_allow_is_refused_and_breaks_nothing(operation: Any) -> None:
    fuzz(operation, GenerationMode.NEGATIVE, EXAMPLES)


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.label)
def test_a_server_with_tokens_gives_nothing_away_without_one(operation: Any) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    fuzz(operation, GenerationMode.POSITIVE, 5, checks=[*CHECKS, ignored_auth], headers=headers)
