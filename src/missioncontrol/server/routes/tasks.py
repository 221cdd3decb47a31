"""Tasks over HTTP: what there is, and what can be done with them.

Bodies are read as they are, since a task may have fields of its own; what they may be is said in the document, and the
queue judges them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.params import QueryParameter

from missioncontrol.errors import BadTask, NotFound
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.tasks.index import Place
from missioncontrol.fleet.tasks.task import Task, priority_of, status_of, urgency
from missioncontrol.server.access import check_actors
from missioncontrol.server.requests import read_json
from missioncontrol.server.responses import (
    AnyRequest,
    Limit,
    answer,
    answer_to,
    documented,
    identify,
    service_of,
    state_cursor,
)
from missioncontrol.server.routes.task_shapes import (
    ADDS_SUBTASK,
    ASSIGNS,
    BULK,
    CHANGES,
    CREATES,
    MAX_BULK,
    PRIORITISES,
    Export,
    ExportOperation,
    IfMatch,
    Object,
    Stats,
    SubtaskId,
    Summary,
    TaskId,
    TaskList,
    Words,
)

MAX_BODY_BYTES = 1024 * 1024
MAX_PAGE_BYTES = 8 * 1024 * 1024
"""How much of the tasks one page has at most."""

TURN_BYTES = 1024 * 1024
TURN_ITEMS = 2_000
"""After so much is encoded, others have their turn."""

MAX_HOURS = 24 * 366 * 10


_TASK = documented(Object, 404, 409, 412, 413, 503)


def _queue(request: AnyRequest) -> TaskQueue:
    return service_of(request).tasks


async def _fresh_queue(request: AnyRequest) -> TaskQueue:
    """Return the queue to read from, with what agents have just written into its file."""
    queue = service_of(request).tasks
    await queue.fresh()
    return queue


def _tell(request: AnyRequest, task: Task, *, status: int = 200) -> Response[bytes]:
    return answer_to(request, task, status=status, tag=TaskQueue.etag(task))


@get("/api/tasks", responses=documented(TaskList), tags=["tasks"], summary="The tasks")
async def list_tasks(
    request: AnyRequest,
    limit: Limit = 1000,
    after: Annotated[
        str | None, QueryParameter(description="Go on after this place: the `next` of the page before.")
    ] = None,
    status: Words = None,
    priority: Words = None,
    assigned_to: Annotated[
        str | None, QueryParameter(name="assignedTo", description="Only this agent's, whatever its case.")
    ] = None,
    tags: Words = None,
) -> Response[bytes]:
    """Return the tasks, the most urgent first."""
    service = service_of(request)
    queue = await _fresh_queue(request)
    wanted = {
        "status": {status_of(word) or word for word in _words(request, "status")},
        "priority": {priority_of(word) or word for word in _words(request, "priority")},
    }
    some_tags = set(_words(request, "tags"))
    holder = None if assigned_to is None else assigned_to.casefold()

    def fits(task: Task) -> bool:
        return (
            all(not words or task.get(name) in words for name, words in wanted.items())
            and (holder is None or str(task.get("assignedTo")).casefold() == holder)
            and (not some_tags or not some_tags.isdisjoint(_tags_of(task)))
        )

    every = holder is None and not some_tags and not any(wanted.values())
    # The cursor is taken first: what changes while the page is made comes again as an event.
    cursor = str(state_cursor(service))
    page = await queue.page(
        None if every else fits, after=None if after is None else _place(after), limit=limit
    )
    listed, shown = await _encoded(page.tasks, MAX_PAGE_BYTES)
    more = _token(page.tasks[shown - 1]) if shown < len(page.tasks) or page.more else ""
    rest = msgspec.json.encode(
        {
            "count": page.total,
            "summary": queue.summary(),
            "cursor": cursor,
            **({"next": more} if more else {}),
        }
    )
    return answer(b'{"tasks":%b,%b' % (listed, rest[1:]))


@post(
    "/api/tasks",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(Object, 409, 413, 429, 503, status=201),
    operation_class=CREATES,
    tags=["tasks"],
    summary="Add a task",
)
async def create_task(request: AnyRequest) -> Response[bytes]:
    """Add a task to the queue; it is durable and in the queue's file before the answer."""
    body, caller = await read_json(request), identify(request)
    check_actors(caller, body)
    return _tell(request, await _queue(request).create(body, by=caller.agent), status=201)


@get("/api/tasks/stats", responses=documented(Stats), tags=["tasks"], summary="The tasks, counted")
async def task_stats(request: AnyRequest) -> Response[bytes]:
    """Count the tasks by status, priority and assignee."""
    return answer(msgspec.json.encode((await _fresh_queue(request)).stats()))


@get("/api/tasks/summary", responses=documented(Summary), tags=["tasks"], summary="How the queue stands")
async def task_summary(request: AnyRequest) -> Response[bytes]:
    """Say in a few numbers how the queue stands."""
    return answer(msgspec.json.encode((await _fresh_queue(request)).summary()))


@get("/api/tasks/due", responses=documented(list[Object]), tags=["tasks"], summary="What is due soon")
async def due_tasks(
    request: AnyRequest,
    hours: Annotated[
        float, QueryParameter(ge=0, le=MAX_HOURS, description="Due within so many hours, or overdue.")
    ] = 24.0,
) -> Response[bytes]:
    """Return the tasks that are due soon and not over, the soonest first."""
    return answer((await _encoded((await _fresh_queue(request)).due(hours)))[0])


@get("/api/tasks/search", responses=documented(list[Object]), tags=["tasks"], summary="Find tasks")
async def search_tasks(
    request: AnyRequest,
    q: Annotated[str, QueryParameter(description="What is looked for, whatever its case.")] = "",
) -> Response[bytes]:
    """Return the tasks in whose id, description, assignee, tags or notes the text occurs."""
    page = await (await _fresh_queue(request)).search(q)
    return answer((await _encoded(page.tasks))[0])


@put(
    "/api/tasks/bulk",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(list[Object], 413, 503),
    operation_class=BULK,
    tags=["tasks"],
    summary="Change several tasks",
)
async def change_tasks(request: AnyRequest) -> Response[bytes]:
    """Change the same fields of several tasks; each answers for itself, with the task or an `error`."""
    body = await read_json(request)
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids) or len(ids) > MAX_BULK:
        raise BadTask(
            f'ids must be a list of at most {MAX_BULK:,} ids, as in {{"ids": ["TASK-0001"], "updates": {{}}}}.'
        )
    if not isinstance(body.get("updates"), dict):
        raise BadTask("updates must be an object with the fields to change.")
    for id_ in ids:
        _check_change(request, id_, body["updates"])
    return answer_to(request, await _queue(request).bulk_update(ids, body["updates"]))


@get("/api/tasks/{task_id:str}", responses=documented(Object, 404), tags=["tasks"], summary="A task")
async def get_task(request: AnyRequest, task_id: TaskId) -> Response[bytes]:
    """Return one task, also one that is only in the file's history."""
    return _tell(request, (await _fresh_queue(request)).find(task_id))


@patch(
    "/api/tasks/{task_id:str}",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=_TASK,
    operation_class=CHANGES,
    tags=["tasks"],
    summary="Change a task",
)
async def change_task(request: AnyRequest, task_id: TaskId, if_match: IfMatch = None) -> Response[bytes]:
    """Change the fields that are given; `metadata` is merged into what there is, null says that there is none."""
    return await _change(request, task_id, if_match)


@put(
    "/api/tasks/{task_id:str}",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=_TASK,
    operation_class=CHANGES,
    tags=["tasks"],
    summary="Change a task",
)
async def put_task(request: AnyRequest, task_id: TaskId, if_match: IfMatch = None) -> Response[bytes]:
    """Do the same as PATCH: change the fields that are given, and leave the others as they are."""
    return await _change(request, task_id, if_match)


@delete(
    "/api/tasks/{task_id:str}",
    opt={"scope": "publish"},
    status_code=200,
    responses=_TASK,
    tags=["tasks"],
    summary="Remove a task",
)
async def delete_task(request: AnyRequest, task_id: TaskId, if_match: IfMatch = None) -> Response[bytes]:
    """Remove a task, and return it as it was."""
    await read_json(request)
    return answer_to(request, await _queue(request).delete(task_id, if_match=if_match))


@post(
    "/api/tasks/{task_id:str}/assign",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_TASK,
    operation_class=ASSIGNS,
    tags=["tasks"],
    summary="Give a task to an agent",
)
async def assign_task(request: AnyRequest, task_id: TaskId, if_match: IfMatch = None) -> Response[bytes]:
    """Give a task to an agent; with `claim` or `If-Match`, of two who try exactly one gets it."""
    return await _assign(request, task_id, if_match, claim=False)


@post(
    "/api/tasks/{task_id:str}/claim",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_TASK,
    operation_class=ASSIGNS,
    tags=["tasks"],
    summary="Claim a task",
)
async def claim_task(request: AnyRequest, task_id: TaskId, if_match: IfMatch = None) -> Response[bytes]:
    """Give a task to an agent if nobody else has it and it is not over: of two exactly one gets it."""
    return await _assign(request, task_id, if_match, claim=True)


@put(
    "/api/tasks/{task_id:str}/priority",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=_TASK,
    operation_class=PRIORITISES,
    tags=["tasks"],
    summary="Change a task's priority",
)
async def prioritise_task(request: AnyRequest, task_id: TaskId) -> Response[bytes]:
    """Change a task's priority."""
    body = await read_json(request)
    if not isinstance(body, dict) or "priority" not in body:
        raise BadTask('The body names the priority, as in {"priority": "P1"}.')
    return _tell(request, await _queue(request).set_priority(task_id, body["priority"]))


@post(
    "/api/tasks/{task_id:str}/subtasks",
    opt={"scope": "publish"},
    request_max_body_size=MAX_BODY_BYTES,
    responses=documented(Object, 404, 409, 413, 503, status=201),
    operation_class=ADDS_SUBTASK,
    tags=["tasks"],
    summary="Add a subtask",
)
async def add_subtask(request: AnyRequest, task_id: TaskId) -> Response[bytes]:
    """Add a subtask, and return it."""
    body = await read_json(request)
    check_actors(identify(request), body)
    added = await _queue(request).add_subtask(task_id, body)
    return answer_to(request, added, status=201)


@post(
    "/api/tasks/{task_id:str}/subtasks/{subtask_id:str}/complete",
    opt={"scope": "publish"},
    status_code=200,
    responses=_TASK,
    tags=["tasks"],
    summary="Complete a subtask",
)
async def complete_subtask(request: AnyRequest, task_id: TaskId, subtask_id: SubtaskId) -> Response[bytes]:
    """Complete a subtask, and return it; when all are, the task goes into review."""
    return await _complete(request, task_id, subtask_id)


@put(
    "/api/tasks/{task_id:str}/subtasks/{subtask_id:str}/complete",
    opt={"scope": "publish"},
    responses=_TASK,
    tags=["tasks"],
    summary="Complete a subtask",
)
async def complete_subtask_with_put(
    request: AnyRequest, task_id: TaskId, subtask_id: SubtaskId
) -> Response[bytes]:
    """Do the same as POST."""
    return await _complete(request, task_id, subtask_id)


@get(
    "/api/export/tasks",
    responses=documented(Export),
    operation_class=ExportOperation,
    tags=["tasks"],
    summary="The whole queue, as JSON or Markdown",
)
async def export_tasks(
    request: AnyRequest,
    form: Annotated[
        str,
        QueryParameter(
            name="format", description="`json` or `markdown`.", schema_extra={"enum": ["json", "markdown"]}
        ),
    ] = "json",
) -> Response[bytes]:
    """Return the tasks and the history as they are in the file, each once, or a Markdown document of them."""
    queue = await _fresh_queue(request)
    if form == "markdown":
        headers = {"content-disposition": 'attachment; filename="TASK_QUEUE.md"', "cache-control": "no-store"}
        text = await queue.markdown()
        return Response(text.encode(), media_type="text/markdown", headers=headers)
    if form != "json":
        raise BadTask(f"format {form[:40]!r} is neither json nor markdown.")
    tasks, _ = await _encoded(queue.in_queue())
    history, _ = await _encoded(queue.history())
    return answer(b'{"tasks":%b,"history":%b}' % (tasks, history))


ROUTES = (
    list_tasks,
    create_task,
    task_stats,
    task_summary,
    due_tasks,
    search_tasks,
    change_tasks,
    get_task,
    change_task,
    put_task,
    delete_task,
    assign_task,
    claim_task,
    prioritise_task,
    add_subtask,
    complete_subtask,
    complete_subtask_with_put,
    export_tasks,
)
"""All of them, in the order in which the reference shows them."""


async def _assign(request: AnyRequest, task_id: str, if_match: str | None, *, claim: bool) -> Response[bytes]:
    body = await read_json(request)
    if not isinstance(body, dict) or not isinstance(body.get("agentId"), str):
        raise BadTask('The body names the agent, as in {"agentId": "scout"}.')
    options = body.get("options", {})
    if not isinstance(options, dict):
        raise BadTask('options must be an object, as in {"autoStart": true}.')
    for name, value, kind, wanted in (
        ("claim", body.get("claim", False), bool, "true or false"),
        ("autoStart", options.get("autoStart", False), bool, "true or false"),
        ("notes", options.get("notes", ""), str, "a text"),
        ("assignedBy", body.get("assignedBy", ""), str, "a text"),
    ):
        if not isinstance(value, kind):
            raise BadTask(f"{name} must be {wanted}.")
    caller = identify(request)
    check_actors(caller, body)
    task = await _queue(request).assign(
        task_id,
        body["agentId"],
        by=body.get("assignedBy", caller.agent),
        start=options.get("autoStart", False),
        notes=options.get("notes"),
        claim=claim or body.get("claim", False),
        if_match=if_match,
    )
    return _tell(request, task)


async def _change(request: AnyRequest, task_id: str, if_match: str | None) -> Response[bytes]:
    body = await read_json(request)
    _check_change(request, task_id, body)
    return _tell(request, await _queue(request).update(task_id, body, if_match=if_match))


def _check_change(request: AnyRequest, task_id: str, fields: Any) -> None:
    """Refuse that a bound token names somebody else in a task; whoever is named there already may be repeated."""
    caller = identify(request)
    if caller.agent is None:
        return
    known: Task | None = None
    with suppress(NotFound):
        known = _queue(request).find(task_id)
    check_actors(caller, fields, known)


async def _complete(request: AnyRequest, task_id: str, subtask_id: str) -> Response[bytes]:
    await read_json(request)
    return answer_to(request, await _queue(request).complete_subtask(task_id, subtask_id))


def _words(request: AnyRequest, name: str) -> list[str]:
    """Return all words of a query's parameter, however often it stands there."""
    values = request.query_params.getall(name, [])
    return [word.strip() for value in values for word in str(value).split(",") if word.strip()]


def _tags_of(task: Task) -> list[str]:
    tags = task.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _token(task: Task) -> str:
    """Write a place in the order of tasks, which stays one when the task is gone."""
    rank, created, id_ = urgency(task)
    return f"{rank}~{created}~{id_}"


def _place(token: str) -> Place:
    """Read a place in the order of tasks.

    Raises:
        BadTask: it is none.
    """
    parts = token.split("~", 2)
    if len(parts) == 3 and parts[0].isdigit():
        return int(parts[0][:4]), parts[1], parts[2]
    raise BadTask("after is the `next` of the page before; leave it out for the first page.")


async def _encoded(items: Sequence[Any], most: int | None = None) -> tuple[bytes, int]:
    """Encode a list, with turns for others in between; return it and how many of the items are in it.

    Args:
        items: what is in the list.
        most: about how many bytes it may have; there is at least one item in it.
    """
    parts: list[bytes] = []
    size = since = 0
    for item in items:
        part = msgspec.json.encode(item)
        if most is not None and parts and size + len(part) > most:
            break
        parts.append(part)
        size += len(part)
        if size - since > TURN_BYTES or not len(parts) % TURN_ITEMS:
            since = size
            await asyncio.sleep(0)
    return b"[%b]" % b",".join(parts), len(parts)
