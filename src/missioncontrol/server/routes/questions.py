"""Questions over HTTP: asking a person, waiting for the answer, answering."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, delete, get, post
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter, QueryParameter

from missioncontrol.errors import BadQuestion
from missioncontrol.events import Data, Patterns
from missioncontrol.events.asking import CLIENT_KIND, MAX_OPTION, MAX_OPTIONS, refuse_reserved_kind
from missioncontrol.fleet.questions import (
    MAX_ANSWER,
    MAX_EXPIRY_SECONDS,
    MAX_NAME,
    MAX_TEXT,
    id_of_key,
)
from missioncontrol.review import Review, digest_of, review
from missioncontrol.server.requests import read_json, takes, text_schema
from missioncontrol.server.responses import (
    AnyRequest,
    answer,
    answer_to,
    documented,
    identify,
    service_of,
    state_cursor,
)
from missioncontrol.server.routes.events import MAX_WAIT_SECONDS, POLLS, Polls

MAX_BODY_BYTES = 256 * 1024

QuestionId = Annotated[str, PathParameter(description="The question's id, as in Q-7K3M9PXA.")]
_T = TypeVar("_T")
Kind = Literal["question", "permission", "budget"]


class Question(msgspec.Struct, kw_only=True, rename="camel"):
    """A question to a person, and what became of it.

    `options` are the answers there are; none where any text will do. `status` is `open`, `answered` (then with
    `answer`, `answeredBy`, `answeredAt`) or `closed` (with `reason`, `closedAt`). `event` is the id of the last event
    about it. `askedBy` is who has published it: a token's name, `operator` for a person, else the source; a log of an
    earlier release does not know. `digest` is that of what is shown of it; an answer carries it.
    """

    id: str
    kind: Kind
    text: str
    options: list[str]
    agent_id: str | None
    asked_at: str
    status: Literal["open", "answered", "closed"]
    event: int
    digest: str
    asked_by: str | msgspec.UnsetType = msgspec.UNSET
    task_id: str | msgspec.UnsetType = msgspec.UNSET
    details: Any = msgspec.UNSET
    expires_at: str | msgspec.UnsetType = msgspec.UNSET
    answer: str | msgspec.UnsetType = msgspec.UNSET
    answered_by: str | msgspec.UnsetType | None = msgspec.UNSET
    answered_at: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    closed_at: str | msgspec.UnsetType = msgspec.UNSET
    host: str | msgspec.UnsetType = msgspec.UNSET


class ReviewedQuestion(Question, kw_only=True):
    """A question, and all that a person is shown of it before deciding."""

    review: Review


class QuestionList(msgspec.Struct):
    """Questions, the open ones first, each group by when it was asked; `open` is how many of all wait for an answer."""

    questions: list[Question]
    open: int
    cursor: str


class Asking(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a question is made of; see `Questions.ask`. Clients have one `kind`, and may leave it out."""

    text: str
    agent_id: str | None = None
    options: list[str] = []
    kind: str = CLIENT_KIND
    details: dict[str, Any] | None = None
    task_id: str | None = None
    expires_in: float | None = None
    key: str | None = None


class Answering(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An answer, who gives it, and the digest of what was shown to them."""

    answer: str
    answered_by: str | None = None
    digest: str | None = None


def _name() -> Schema:
    return text_schema(min_length=1, max_length=MAX_NAME)


_ASKS = takes(
    "What is asked. Asked again under the same `key`, it is the same question; `expiresIn` is in seconds.",
    {
        "text": text_schema(min_length=1, max_length=MAX_TEXT, pattern=r"\S"),
        "agentId": _name(),
        "options": Schema(
            type=OpenAPIType.ARRAY,
            items=text_schema(min_length=1, max_length=MAX_OPTION, pattern=r"\S"),
            max_items=MAX_OPTIONS,
            unique_items=True,
        ),
        "kind": text_schema(enum=[CLIENT_KIND]),
        "details": Schema(type=OpenAPIType.OBJECT),
        "taskId": _name(),
        "expiresIn": Schema(type=OpenAPIType.NUMBER, minimum=1, maximum=MAX_EXPIRY_SECONDS),
        "key": _name(),
    },
    ["text"],
)
_ANSWERS = takes(
    "The answer: one of the question's options, where it has any. `digest` is that of the question as it was shown; "
    "an answer to a permission needs it.",
    {
        "answer": text_schema(min_length=1, max_length=MAX_ANSWER, pattern=r"\S"),
        "answeredBy": _name(),
        "digest": text_schema(min_length=64, max_length=64, pattern="[0-9a-f]{64}"),
    },
    ["answer"],
)
_WITHDRAWS = takes(
    "The `key` that the question was asked under, which only the asker knows; a person needs none. Permissions and "
    "budgets are withdrawn by a person alone.",
    {"key": _name()},
)
_ONE = documented(ReviewedQuestion, 404, 409, 413, 503)


@get(
    "/api/questions",
    opt={"scope": "read"},
    responses=documented(QuestionList),
    tags=["questions"],
    summary="The questions",
)
async def list_questions(
    request: AnyRequest,
    status: Annotated[
        str | None,
        QueryParameter(
            description="Only those that are so.", schema_extra={"enum": ["open", "answered", "closed"]}
        ),
    ] = None,
) -> Response[bytes]:
    """Return what a person is asked: all that is open, and the newest of what is over."""
    service = service_of(request)
    listed = {
        "questions": [{**one, "digest": digest_of(one)} for one in service.questions.listed(status)],
        "open": len(service.questions.listed("open")),
        "cursor": str(state_cursor(service)),
    }
    return answer(msgspec.json.encode(listed))


@post(
    "/api/questions",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(ReviewedQuestion, 409, 413, 429, 503, status=201),
    operation_class=_ASKS,
    tags=["questions"],
    summary="Ask a person",
)
async def ask_question(request: AnyRequest) -> Response[bytes]:
    """Ask a person; `GET /api/questions/{id}?wait=` waits for the answer."""
    asking = await _read(request, Asking)
    refuse_reserved_kind(asking.kind)
    asked = await service_of(request).questions.ask(
        asking.text,
        agent_id=identify(request).agent_for(asking.agent_id),
        options=asking.options,
        details=asking.details,
        task_id=asking.task_id,
        expires_in=asking.expires_in,
        key=asking.key,
    )
    return answer_to(request, await _reviewed(asked), status=201)


@get(
    "/api/questions/{question_id:str}",
    opt={"scope": "read"},
    responses=documented(ReviewedQuestion, 404, 503),
    tags=["questions"],
    summary="A question, and what became of it",
)
async def get_question(
    request: AnyRequest,
    question_id: QuestionId,
    wait: Annotated[
        float,
        QueryParameter(
            ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait while nobody has answered yet."
        ),
    ] = 0.0,
) -> Response[bytes]:
    """Return a question; with `wait`, as soon as it is answered or closed."""
    service = service_of(request)
    polls: Polls = request.app.state[POLLS]
    about, deadline = Patterns.parse("question"), monotonic() + wait
    asked = service.questions.find(question_id)
    while asked["status"] == "open" and (left := deadline - monotonic()) > 0:
        if not await polls.wait(service, about, left, request.receive):
            break
        asked = service.questions.find(question_id)
    return answer(msgspec.json.encode(await _reviewed(asked)))


@post(
    "/api/questions/{question_id:str}/answer",
    opt={"scope": "answer"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ONE,
    operation_class=_ANSWERS,
    tags=["questions"],
    summary="Answer a question",
)
async def answer_question(request: AnyRequest, question_id: QuestionId) -> Response[bytes]:
    """Answer a question; of two who do, the first counts, and the other one is told so."""
    given = await _read(request, Answering)
    answered = await service_of(request).questions.answer(
        question_id, given.answer, by=given.answered_by, digest=given.digest
    )
    return answer(msgspec.json.encode(await _reviewed(answered)))


@delete(
    "/api/questions/{question_id:str}",
    opt={"scope": "publish"},
    status_code=200,
    responses=_ONE,
    operation_class=_WITHDRAWS,
    tags=["questions"],
    summary="Withdraw a question",
)
async def withdraw_question(request: AnyRequest, question_id: QuestionId) -> Response[bytes]:
    """Withdraw a question that needs no answer any more; with its `key`, or as a person."""
    body = await read_json(request)
    key = body.get("key") if isinstance(body, dict) else None
    questions = service_of(request).questions
    if (
        not isinstance(key, str)
        or id_of_key(key) != question_id.partition("@")[0]
        or not questions.is_of_client(question_id)
    ):
        identify(request).require("answer")
    closed = await questions.close(question_id)
    return answer_to(request, await _reviewed(closed))


ROUTES = (list_questions, ask_question, get_question, answer_question, withdraw_question)
"""All of them, in the order in which the reference shows them."""


# Prepared for `msgspec.convert`, before any thread needs them.
_prepared = [msgspec.json.Decoder(kind) for kind in (Asking, Answering)]


async def _reviewed(question: Data) -> Data:
    shown = await asyncio.to_thread(review, question)
    return {**question, "digest": shown.digest, "review": shown}


async def _read(request: AnyRequest, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(await read_json(request), kind)
    except msgspec.ValidationError as error:
        raise BadQuestion(f"The body is not as it should be: {error}.") from None
