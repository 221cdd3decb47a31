"""Questions to a person: asking one and waiting for its answer, and answering.

A question is asked under a key, so that asking again after a loss of the network is the same question; waiting
for its answer goes on over restarts of the server.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from time import monotonic, sleep
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from missioncontrol.client.http import Api, call
from missioncontrol.client.items import Unreachable
from missioncontrol.events import Data

HOLD_SECONDS = 50.0
"""How long the server is asked to hold one request for an answer; it takes up to 55."""

PAUSE_SECONDS = 1.0
DEADLINE = 60.0

_PATH = "/api/questions"


class Question(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A question to a person, and what became of it.

    `options` are the answers there are; none where any text will do. `status` is `open`, `answered` (then with
    `answer` and `answered_by`) or `closed` (with `reason`: `expired`, `withdrawn`, `elsewhere`).
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


class Asking(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a question is made of, as the server takes it; `expires_in` in seconds."""

    text: str
    agent_id: str | None = None
    options: list[str] = []
    kind: Literal["question", "permission", "budget"] = "question"
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


async def give_answer(api: Api, id_: str, answer: str, by: str | None) -> Question:
    """Answer a question; see `Client.answer`."""
    # Once: where the first attempt has arrived, a second one would find the question answered.
    body = _answering(answer, by)
    return _read(await api.attempt("POST", _answer_path(id_), body=body, timeout=10.0))


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
    asking = Asking(text, agent_id, list(options), "question", task_id, details, expires_in)
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


def answer(
    url: str, id_: str, answer: str, *, by: str | None = None, token: str | None = None, timeout: float = 10.0
) -> Question:
    """Answer a question from a script, and return it as it stands then.

    Args:
        url: where the server is, `http://HOST:PORT`.
        id_: the question's id, as in `Q-7K3M9PXA`.
        answer: one of its options, or any text where it has none.
        by: who answers.
        token: for a server that asks for one.
        timeout: seconds to wait for the server.

    Raises:
        ConfigError: the address or the token is not one.
        Refused: there is no such question, it is no longer open, or this is none of its answers.
        Unreachable: there was no acknowledgement.
    """
    body = _answering(answer, by)
    return _read(call(url, _answer_path(id_), method="POST", body=body, token=token, timeout=timeout))


def _waiting(question: Question) -> str:
    return f"{_PATH}/{quote(question.id, safe='')}?wait={HOLD_SECONDS:g}"


def _answer_path(id_: str) -> str:
    return f"{_PATH}/{quote(id_, safe='')}/answer"


def _answering(answer: str, by: str | None) -> bytes:
    return msgspec.json.encode({"answer": answer} if by is None else {"answer": answer, "answeredBy": by})


def _read(body: bytes) -> Question:
    try:
        return msgspec.json.decode(body, type=Question)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreachable(f"The server's answer is not of this protocol: {error}.") from None
