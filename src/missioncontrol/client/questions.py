"""Questions to a person: asking one and waiting for its answer, and answering.

A question is asked under a key, so that asking again after a loss of the network is the same question; waiting
for its answer goes on over restarts of the server.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import msgspec

from missioncontrol.client.http import Api, call
from missioncontrol.client.items import Unreachable
from missioncontrol.events import Data
from missioncontrol.events.decoding import read_float
from missioncontrol.review import Review

HOLD_SECONDS = 50.0
"""How long the server is asked to hold one request for an answer; it takes up to 55."""

PAUSE_SECONDS = 1.0
DEADLINE = 60.0

_PATH = "/api/questions"


class Question(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A question to a person, and what became of it.

    `options` are the answers there are; none where any text will do. `status` is `open`, `answered` (then with
    `answer` and `answered_by`) or `closed` (with `reason`: `expired`, `withdrawn`, `elsewhere`). `review` is all that a
    person is to be shown before deciding, and `digest` is its digest, which an answer carries.
    """

    id: str
    text: str
    status: str
    kind: str = "question"
    options: list[str] = []
    agent_id: str | None = None
    task_id: str | None = None
    details: Any = None
    asked_at: str | None = None
    expires_at: str | None = None
    answer: str | None = None
    answered_by: str | None = None
    reason: str | None = None
    digest: str | None = None
    review: Review | None = None


_questions = msgspec.json.Decoder(Question, float_hook=read_float)


class Asking(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a question is made of, as the server takes it; `expires_in` in seconds."""

    text: str
    agent_id: str | None = None
    options: list[str] = []
    task_id: str | None = None
    details: Data | None = None
    expires_in: float | None = None
    key: str = msgspec.field(default_factory=lambda: secrets.token_hex(16))

    def encoded(self) -> bytes:
        """Return the body of the request."""
        return msgspec.json.encode(self)


async def ask_and_wait(api: Api, asking: Asking) -> Question:
    """Ask, and return the question once it is answered or closed; see `Client.ask`."""
    question = _read(await api.insist("POST", _PATH, body=asking.encoded(), deadline=DEADLINE))
    loop = asyncio.get_running_loop()
    while question.status == "open":
        began = loop.time()
        try:
            body = await api.attempt("GET", _waiting(question), timeout=HOLD_SECONDS + 10)
            question = _read(body)
        except Unreachable as error:
            await asyncio.sleep(max(0.0, (error.retry_after or PAUSE_SECONDS) - (loop.time() - began)))
    return question


async def fetch_question(api: Api, id_: str) -> Question:
    """Read a question; see `Client.question`."""
    return _read(await api.attempt("GET", _path(id_), timeout=10.0))


async def give_answer(
    api: Api, question: str | Question, answer: str, by: str | None, digest: str | None
) -> Question:
    """Answer a question; see `Client.answer`."""
    # Once: where the first attempt has arrived, a second one would find the question answered.
    id_, body = _answering(question, answer, by, digest)
    return _read(await api.attempt("POST", f"{_path(id_)}/answer", body=body, timeout=10.0))


def ask(
    url: str,
    text: str,
    *,
    options: Iterable[str] = (),
    agent_id: str | None = None,
    task_id: str | None = None,
    details: Data | None = None,
    expires_in: float | None = None,
    key: str | None = None,
    token: str | None = None,
) -> Question:
    """Ask a person from a script or a hook, and wait until the question is answered or closed.

    Args:
        url: where the server is, `http://HOST:PORT`.
        text: what is asked.
        options: the answers there are; none where any text will do.
        agent_id: who asks.
        task_id: the task that it is about.
        details: what else helps to decide.
        expires_in: seconds after which no answer is needed any more; then the question is closed as `expired`.
        key: asked again under the same key, also by another process, it is the same question.
        token: for a server that asks for one.

    Raises:
        ConfigError: the address or the token is not one.
        Refused: the server does not take the question.
        Unreachable: it could not be asked; while it waits for the answer, the server may come and go.
    """
    asking = Asking(text, agent_id, list(options), task_id, details, expires_in)
    if key is not None:
        asking.key = key
    question = _read(call(url, _PATH, method="POST", body=asking.encoded(), token=token))
    while question.status == "open":
        began = monotonic()
        try:
            question = _read(call(url, _waiting(question), token=token, timeout=HOLD_SECONDS + 10))
        except Unreachable as error:
            sleep(max(0.0, (error.retry_after or PAUSE_SECONDS) - (monotonic() - began)))
    return question


def read_question(url: str, id_: str, *, token: str | None = None, timeout: float = 10.0) -> Question:
    """Read a question with all that is to be shown before it is answered.

    Args:
        url: where the server is, `http://HOST:PORT`.
        id_: the question's id, as in `Q-7K3M9PXA`.
        token: for a server that asks for one.
        timeout: seconds to wait for the server.

    Raises:
        ConfigError: the address or the token is not one.
        Refused: there is no such question.
        Unreachable: there was no answer.
    """
    return _read(call(url, _path(id_), token=token, timeout=timeout))


def answer(
    url: str,
    question: str | Question,
    answer: str,
    *,
    by: str | None = None,
    digest: str | None = None,
    token: str | None = None,
    timeout: float = 10.0,
) -> Question:
    """Answer a question from a script, and return it as it stands then.

    Args:
        url: where the server is, `http://HOST:PORT`.
        question: the question as it was read, or its id, as in `Q-7K3M9PXA`.
        answer: one of its options, or any text where it has none.
        by: who answers.
        digest: that of the question as it was shown, where only its id is given; a permission needs it.
        token: for a server that asks for one.
        timeout: seconds to wait for the server.

    Raises:
        ConfigError: the address or the token is not one.
        Refused: there is no such question, it is no longer open or not the one that was shown, or this is none of its
            answers.
        Unreachable: there was no acknowledgement.
    """
    id_, body = _answering(question, answer, by, digest)
    return _read(call(url, f"{_path(id_)}/answer", method="POST", body=body, token=token, timeout=timeout))


def _waiting(question: Question) -> str:
    return f"{_path(question.id)}?wait={HOLD_SECONDS:g}"


def _path(id_: str) -> str:
    return f"{_PATH}/{quote(id_, safe='')}"


def _answering(
    question: str | Question, answer: str, by: str | None, digest: str | None
) -> tuple[str, bytes]:
    """Return the id of the question and the body of the request."""
    if isinstance(question, Question):
        id_, digest = question.id, digest or question.digest
    else:
        id_ = question
    given = {"answer": answer, "answeredBy": by, "digest": digest}
    return id_, msgspec.json.encode({name: value for name, value in given.items() if value is not None})


def _read(body: bytes) -> Question:
    try:
        return _questions.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreachable(f"The server's answer is not of this protocol: {error}.") from None
