"""What a tool is: an asynchronous function over a `Call`, whose signature and docstring say all that clients are told.

Invariants:

- arguments and results are msgspec Structs; their JSON Schemas are what clients see, and what is held;
- every result has a `message`, one sentence for a model to read; what is wrong is an error whose sentence says what to
  do next.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from missioncontrol.config import Scope
from missioncontrol.errors import BadMessage
from missioncontrol.events import Data
from missioncontrol.events.author import act_as
from missioncontrol.events.hosts import host_of
from missioncontrol.server.access import Caller
from missioncontrol.server.mcp.sessions import Sessions
from missioncontrol.server.service import Service

MAX_AGENT_ID = 100
MAX_TEXT = 16_000

Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Agent = Annotated[
    Annotated[str, Meta(max_length=MAX_AGENT_ID)] | None,
    Meta(description="Your agent id, as in 'scout'. Leave it out if your client was set up with one."),
]

_AGENT_ID = re.compile(rf"[\w.+:@-](?:[\w .+:@-]{{0,{MAX_AGENT_ID - 2}}}[\w.+:@-])?")
_PATH = re.compile(r"`\$\.(\w+)")
_NOT_IN_ID = re.compile(r"[^\w.+:@-]+")


class Arguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a tool takes."""


class Result(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """What a tool answers; `message` says in a sentence what happened, and what may be done next."""

    message: str


Progress = Callable[[float, float | None, str], Awaitable[None]]


@dataclass
class Call:
    """One call of a tool: who calls, and what the tool works on.

    `session` is the key of the caller's session among `sessions`, None where the protocol knows none. `progress` tells
    the client how far it is (done, of how much, in words), `closing` is set when the server is about to stop.
    """

    service: Service
    caller: Caller
    sessions: Sessions
    session: str | None
    closing: asyncio.Event
    progress: Progress
    named: str | None = None
    client: str | None = None

    def agent(self, given: str | None = None) -> str:
        """Return the id of the agent that calls: as given, as the session was set up, or else the client's name.

        In a fleet of several hosts it is the full one, `scout@alpha`.

        Raises:
            BadMessage: it is no id, or nobody says who calls.
        """
        id_ = self.caller.agent_for(given or self.named)
        if id_ is None and self.client is not None:
            id_ = _NOT_IN_ID.sub("-", self.client).strip("-")[:MAX_AGENT_ID]
        if not id_:
            raise BadMessage(
                "Nobody says which agent you are: give `agent`, or have your client send the header X-Agent."
            )
        if not _AGENT_ID.fullmatch(id_):
            raise BadMessage(
                f"{id_[:MAX_AGENT_ID]!r} is no agent id: it has 1 to {MAX_AGENT_ID} letters, digits, blanks and any "
                "of . _ - + : @, as in 'scout'."
            )
        host = self.service.host_name
        id_ = id_ if host is None or host_of(id_) is not None else f"{id_}@{host}"
        self.sessions.heard(self.session, id_)
        return id_


A = TypeVar("A", bound=Arguments)
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Tool(Generic[A, R]):
    """A tool; the hints are those of the protocol's `ToolAnnotations`."""

    name: str
    title: str
    description: str
    arguments: type[A]
    result: type[R]
    scope: Scope
    read_only: bool
    idempotent: bool
    run: Callable[[Call, A], Awaitable[R]]

    async def __call__(self, call: Call, arguments: Data) -> R:
        """Check the arguments and the caller, and do it.

        Raises:
            Forbidden: the caller's token lacks the scope.
            BadMessage: the arguments are not what the schema asks for.
            MissionControlError: whatever else the tool has against it.
        """
        call.caller.require(self.scope)
        act_as(call.caller.by)
        try:
            msgspec.json.encode(arguments)
        except (ValueError, OverflowError, RecursionError) as error:
            # Half of a character, a number or a depth that no event can have.
            raise BadMessage(f"The arguments of {self.name} cannot be written as JSON: {error}.") from None
        try:
            given = msgspec.convert(arguments, self.arguments)
        except msgspec.ValidationError as error:
            raise BadMessage(_explain(self, str(error))) from None
        return await self.run(call, given)


def _explain(tool: Tool[Any, Any], error: str) -> str:
    """Say what is wrong with an argument, and what it must be; of one that there is not, which ones there are."""
    known: dict[str, Data] = schema_of(tool.arguments).get("properties", {})
    found = _PATH.search(error)
    if found is None or found[1] not in known:
        return f"{error}. {tool.name} takes: {', '.join(known) or 'nothing'}."
    wanted = known[found[1]]
    words = f" One of {', '.join(map(str, wanted['enum']))}." if "enum" in wanted else ""
    return f"{error}. {found[1]}: {wanted.get('description', '')}{words}"


def tool(
    title: str, *, scope: Scope = "publish", idempotent: bool = False
) -> Callable[[Callable[[Call, A], Awaitable[R]]], Tool[A, R]]:
    """Make a tool of a function: its name, its docstring and its annotations are the tool's.

    Args:
        title: what people read.
        scope: what a token needs for it; with `read` nothing is changed.
        idempotent: calling it again with the same arguments changes nothing more.
    """

    def make(run: Callable[[Call, A], Awaitable[R]]) -> Tool[A, R]:
        hints = get_type_hints(run)
        # Prepares the type for `msgspec.convert`, which two threads must not do at the same time.
        msgspec.json.Decoder(hints["arguments"])
        return Tool(
            name=run.__name__,
            title=title,
            description=inspect.cleandoc(run.__doc__ or ""),
            arguments=hints["arguments"],
            result=hints["return"],
            scope=scope,
            read_only=scope == "read",
            idempotent=idempotent or scope == "read",
            run=run,
        )

    return make


def schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a Struct as one object, as the protocol wants it at the root."""
    _, components = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    root: dict[str, Any] = components.pop(struct.__name__)
    root.pop("title", None)
    root.pop("description", None)
    return {**root, **({"$defs": components} if components else {})}
