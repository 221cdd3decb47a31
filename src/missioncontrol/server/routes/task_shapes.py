"""What the routes of tasks take and return, for the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from missioncontrol.events import MAX_ID_LENGTH
from missioncontrol.server.requests import takes, text_schema

MAX_BULK = 1_000


Object = dict[str, Any]


TaskId = Annotated[str, PathParameter(description="The task's id, as in TASK-0042.")]


SubtaskId = Annotated[str, PathParameter(description="The subtask's id, as in TASK-0042-SUB-1.")]


IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the task as it was read: refused with 412 if it has changed since.",
        schema_extra={"pattern": r'^(\*|"[!#-~]*"(, ?"[!#-~]*")*)$'},
    ),
]


Words = Annotated[
    str | None,
    QueryParameter(description="Only those with one of these; several, repeated or separated by commas."),
]


class Summary(msgspec.Struct, rename="camel"):
    """How the queue stands; `critical` and `high` are of priority P0 and P1, and not over.

    `queueFile` is the file in the workspace that is the queue, null before there is one; others next to it are not
    read. `completed` counts the history's too; `archived` of them are in its history alone.
    """

    pending: int
    in_progress: int
    review: int
    completed: int
    critical: int
    high: int
    total: int
    archived: int
    queue_file: str | None
    updated: str


class Stats(msgspec.Struct, rename="camel"):
    """The tasks by status, priority and assignee; `completed` counts the history's too.

    Those without a status, or a priority, are counted as `unknown`.
    """

    total: int
    by_status: dict[str, int]
    by_priority: dict[str, int]
    by_assignee: dict[str, int]
    completed: int
    updated: str


class TaskList(msgspec.Struct, omit_defaults=True):
    """Tasks by priority, then age; `count` is of all that the filter lets through.

    `next` is the `after` of the page that follows.
    """

    tasks: list[Object]
    count: int
    summary: Summary
    cursor: str
    next: str = ""


class Export(msgspec.Struct):
    """The whole queue, with the file's entries of tasks that are over."""

    tasks: list[Object]
    history: list[Any]


def _or_null(type_: OpenAPIType, *more: OpenAPIType, **rest: Any) -> Schema:
    """Describe a field that may be null, which says that there is none."""
    return Schema(type=[type_, *more, OpenAPIType.NULL], **rest)


_PRIORITY = Schema(type=[OpenAPIType.STRING, OpenAPIType.INTEGER])


_OPTIONAL: Mapping[str, Schema] = {
    "priority": _or_null(OpenAPIType.STRING, OpenAPIType.INTEGER),
    "assignedTo": _or_null(OpenAPIType.STRING, description="The agent that has it; null: nobody."),
    "notes": _or_null(OpenAPIType.STRING),
    "due": _or_null(OpenAPIType.STRING),
    "parentId": _or_null(OpenAPIType.STRING),
    "tags": _or_null(OpenAPIType.ARRAY, items=text_schema()),
    "metadata": _or_null(OpenAPIType.OBJECT),
    "subtasks": _or_null(OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.OBJECT)),
    "createdBy": _or_null(OpenAPIType.STRING),
}


_STATUS = "A status, in any spelling that can be understood."


_FIELDS: Mapping[str, Schema] = {
    "description": text_schema(),
    "status": text_schema(description=_STATUS),
    **_OPTIONAL,
}


CREATES = takes(
    "What the task is made of; all of it is optional, and null is the same as left out.",
    {
        "description": _or_null(OpenAPIType.STRING),
        "status": _or_null(OpenAPIType.STRING, description=_STATUS),
        **_OPTIONAL,
        "id": _or_null(OpenAPIType.STRING, min_length=1, max_length=MAX_ID_LENGTH),
    },
)


CHANGES = takes(
    "The fields to change. Null says that there is none: nobody has it, no tags, no notes. A field that is as the task "
    "has it is no change, whatever it is.",
    _FIELDS,
)


ASSIGNS = takes(
    "Who is to have it. `claim`: only if nobody else has it, and it is not over.",
    {
        "agentId": text_schema(min_length=1, pattern=r"\S"),
        "assignedBy": text_schema(),
        "claim": Schema(type=OpenAPIType.BOOLEAN),
        "options": Schema(
            type=OpenAPIType.OBJECT,
            properties={"autoStart": Schema(type=OpenAPIType.BOOLEAN), "notes": text_schema()},
        ),
    },
    ["agentId"],
)


PRIORITISES = takes("The priority.", {"priority": _PRIORITY}, ["priority"])


ADDS_SUBTASK = takes("What is to be done.", {"description": text_schema()}, ["description"])


BULK = takes(
    "Which tasks, and the fields to change in each.",
    {
        "ids": Schema(type=OpenAPIType.ARRAY, items=text_schema(), max_items=MAX_BULK),
        "updates": Schema(type=OpenAPIType.OBJECT, properties=dict(_FIELDS)),
    },
    ["ids", "updates"],
)


@dataclass
class ExportOperation(Operation):
    """The documentation of an answer that comes in either of two forms."""

    def __post_init__(self) -> None:
        """Say what else the answer may be."""
        success = (self.responses or {}).get("200")
        if isinstance(success, OpenAPIResponse) and success.content is not None:
            success.content["text/markdown"] = OpenAPIMediaType(schema=text_schema())
