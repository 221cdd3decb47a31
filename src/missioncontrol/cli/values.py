"""Arguments whose values a shell offers when Tab is pressed: ids from the server, types from the catalogue.

A shell waits while this runs, so a server is asked once and briefly, and one that does not answer offers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from missioncontrol.cli.settings import read_token, read_url
from missioncontrol.client import call
from missioncontrol.errors import MissionControlError
from missioncontrol.events import CATALOGUE
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.sentences import clean

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

PATIENCE = 1.0
MOST = 200
"""How many ids are offered; a list that is longer helps nobody."""

Offer = dict[str, str]


def task_ids(context: CompletionContext) -> Offer:
    """Offer the tasks, each with what it is about."""
    tasks = _list_of(_ask(context, f"/api/tasks?limit={MOST}"), "tasks")
    return {clean(task["id"]): clean(task.get("description") or "")[:60] for task in tasks}


def agent_ids(context: CompletionContext) -> Offer:
    """Offer the agents, each with its status."""
    agents = _ask(context, f"/api/agents?limit={MOST}")
    return {clean(agent["id"]): clean(agent.get("status") or "") for agent in _objects(agents)}


def question_ids(context: CompletionContext) -> Offer:
    """Offer the open questions, each with its text."""
    questions = _list_of(_ask(context, "/api/questions?status=open"), "questions")
    return {clean(question["id"]): clean(question["text"])[:60] for question in questions}


def event_patterns(context: CompletionContext) -> Offer:
    """Offer the categories and the types of events."""
    categories = {type_.partition(":")[0]: "" for type_ in CATALOGUE}
    types = {type_: (shape.__doc__ or "").partition("\n")[0].strip() for type_, shape in CATALOGUE.items()}
    return {**categories, **types}


def _list_of(body: Any, name: str) -> list[dict[str, Any]]:
    return _objects(body.get(name)) if isinstance(body, dict) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _ask(context: CompletionContext, path: str) -> Any:
    try:
        body = call(
            read_url(_given(context, "--url"), remark=False),
            path,
            token=read_token(_given(context, "--token")),
            timeout=PATIENCE,
        )
        return decode_json(body)
    except (MissionControlError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _given(context: CompletionContext, name: str) -> str | None:
    found = context.get(name)
    return None if found is None else found.raw


EventPatterns = Annotated[
    str,
    Parameter(
        help="Which events: types (`task:completed`), categories (`agent`), or `*`. Default: all.",
        completer=event_patterns,
    ),
]
TaskId = Annotated[str, Parameter(name="ID", help="The task's id, as in TASK-0042.", completer=task_ids)]
AgentId = Annotated[str, Parameter(name="AGENT", help="The agent's id.", completer=agent_ids)]
