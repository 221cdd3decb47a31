"""Tokens that are bound to an agent: whom what they send may name.

Source of the rule: "speaks for that agent alone" in `docs/reference/access.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from missioncontrol.errors import Forbidden
from missioncontrol.server.access.scopes import Caller

_ACTOR = re.compile(r"agentId|by|moved(From|To)|[a-z]+(ed|en|ound|one)(By|_by)", re.ASCII)
"""The names of fields that say who did something: `createdBy`, `assignedBy`, `completedBy`, `foundBy` and the like."""

_OPAQUE = frozenset({"input", "metadata", "result"})
"""What is somebody else's: the arguments of a tool, the fields of another program."""


def check_actors(caller: Caller, data: Any, known: Any = None) -> None:
    """Refuse data of a bound token in which a field that says who did something names somebody else.

    Args:
        caller: who sends it.
        data: what is sent, of any depth that JSON may have.
        known: what is there already: what is repeated of it is nobody's word but that of who has written it.

    Raises:
        Forbidden: the token is bound to another agent than the one that is named.
    """
    if caller.agent is None:
        return
    there = set(_named(known, ()))
    for place, name in _named(data, ()):
        if name and (place, name) not in there:
            caller.agent_for(name)


def refuse_bound(caller: Caller, what: str) -> None:
    """Refuse a bound token where what is sent names sessions of its own accord, which may be anybody's.

    Raises:
        Forbidden: the token is bound to an agent.
    """
    if caller.agent is not None:
        raise Forbidden(
            f"The token {caller.name!r} speaks for the agent {caller.agent!r} alone, and {what} name sessions "
            f"themselves, which may be those of any agent; use a token without `agent` for them."
        )


def _named(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield who is named where."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from _named(one, (*place, at))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if _ACTOR.fullmatch(name):
                yield from _texts(inner, (*place, name))
            elif name == "agent" and not place:
                # The agent itself, or its whole record.
                yield from _texts(inner.get("id") if isinstance(inner, dict) else inner, (name,))
                yield from _named(inner, (name,))
            elif name not in _OPAQUE:
                yield from _named(inner, (*place, name))


def _texts(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _texts(one, (*place, at))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, (*place, name))
