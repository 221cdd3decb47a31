"""Tools to ask a person, and to wait for the answer for as long as the client lets a call take."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from missioncontrol.errors import Forbidden, MissionControlError
from missioncontrol.events import Data
from missioncontrol.events.asking import MAX_OPTION, MAX_OPTIONS
from missioncontrol.fleet.questions import MAX_EXPIRY_SECONDS, MAX_TEXT
from missioncontrol.server.mcp.tool import Agent, Arguments, Call, Line, Result, tool

PROGRESS_SECONDS = 5.0
"""How often a client is told that its call is still alive: well below the time that clients allow."""

MAX_WAIT_SECONDS = 3600

Wait = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="Seconds to wait for the answer, within what your client allows a call to take. "
        "When they are over, get_answer goes on waiting.",
    ),
]


class AskPerson(Arguments):
    """What is asked."""

    text: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)],
        Meta(description="The question, with all that a person needs to know to answer it."),
    ]
    options: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=MAX_OPTION)]],
        Meta(
            max_length=MAX_OPTIONS, description="The answers to choose from; left out, any text is an answer."
        ),
    ] = msgspec.field(default_factory=list)
    wait: Wait = 45.0
    expires: Annotated[
        Annotated[float, Meta(ge=1, le=MAX_EXPIRY_SECONDS)] | None,
        Meta(description="Seconds after which an answer is of no use any more; left out, it stays open."),
    ] = None
    task: Annotated[Line | None, Meta(description="The id of the task that it is about.")] = None
    withdraw: Annotated[
        bool,
        Meta(description="Take the question back where this call is cancelled, instead of leaving it open."),
    ] = False
    agent: Agent = None


class GetAnswer(Arguments):
    """Which question."""

    question: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)],
        Meta(description="The id that ask_person gave you, as in Q-7K3M9PXA."),
    ]
    wait: Wait = 45.0
    withdraw: Annotated[bool, Meta(description="Take the question back if there is no answer by then.")] = (
        False
    )


class Asked(Result):
    """The question as it stands: `answer` is there once it is `answered`."""

    status: str
    question: dict[str, Any]
    answer: str | None = None


@tool("Ask a person")
async def ask_person(call: Call, arguments: AskPerson) -> Asked:
    """Ask the people who watch this fleet, and wait for their answer.

    Use it for what you must not or cannot decide yourself. If nobody has answered when the time is up, you get the
    question's id: go on with other work, or call get_answer with it to go on waiting. Do not ask the same thing twice.
    """
    agent = call.agent(arguments.agent)
    record = await call.service.questions.ask(
        arguments.text,
        agent_id=agent,
        options=arguments.options,
        task_id=arguments.task,
        expires_in=arguments.expires,
    )
    return await _wait(call, record, arguments.wait, arguments.withdraw)


@tool("Wait for an answer", idempotent=True)
async def get_answer(call: Call, arguments: GetAnswer) -> Asked:
    """Return the answer to a question that you have asked; wait for it if there is none yet."""
    record = await call.service.questions.wait(arguments.question, 0)
    asked = await _wait(call, record, arguments.wait, False)
    if asked.status == "open" and arguments.withdraw:
        _check_own(call, record)
        record = await call.service.questions.close(arguments.question, "withdrawn")
        return _tell(record)
    return asked


def _check_own(call: Call, record: Data) -> None:
    """Let an agent withdraw what it has asked itself, and no permission or budget.

    Raises:
        Forbidden: it is another's.
    """
    if record["kind"] != "question" or record["agentId"] != call.agent():
        raise Forbidden(f"Only the agent that asked {record['id']} can withdraw it, or a person.")


TOOLS = (ask_person, get_answer)


async def _wait(call: Call, record: Data, seconds: float, withdraw: bool) -> Asked:
    """Wait until a question is no longer open, so many seconds are over, or the server stops."""
    began = monotonic()
    id_ = record["id"]
    closing = asyncio.ensure_future(call.closing.wait())
    try:
        while record["status"] == "open" and not closing.done():
            passed = monotonic() - began
            if passed >= seconds:
                break
            await call.progress(passed, seconds, f"Waiting for a person to answer {id_}.")
            waiting = asyncio.ensure_future(
                call.service.questions.wait(id_, min(PROGRESS_SECONDS, seconds - passed))
            )
            try:
                await asyncio.wait({waiting, closing}, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    record = waiting.result()
            finally:
                waiting.cancel()
    except asyncio.CancelledError:
        if withdraw:
            with suppress(MissionControlError):
                await asyncio.shield(call.service.questions.close(id_, "withdrawn"))
        raise
    finally:
        closing.cancel()
    return _tell(record)


def _tell(record: Data) -> Asked:
    id_, status = record["id"], record["status"]
    if status == "answered":
        by = f" ({record['answeredBy']})" if record.get("answeredBy") else ""
        message = f"The answer{by}: {record.get('answer')}"
    elif status == "open":
        message = (
            f"Nobody has answered yet. The question stays open: call get_answer with {id_} to wait for it, "
            "or go on with what does not depend on it."
        )
    else:
        message = f"The question was closed without an answer ({record.get('reason')}); decide by yourself."
    return Asked(message=message, status=status, question=record, answer=record.get("answer"))
