"""Tools for tasks: look, take one, say how it goes, finish it, add one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from missioncontrol.errors import Conflict, PreconditionFailed
from missioncontrol.events import Data, now, rfc3339
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.tasks.task import (
    STATUSES,
    UNASSIGNED,
    Task,
    checked_priority,
    checked_status,
)
from missioncontrol.server.mcp.stops import stopped
from missioncontrol.server.mcp.tool import Agent, Arguments, Call, Line, Result, Text, tool

TaskId = Annotated[
    Annotated[str, Meta(min_length=1, max_length=200)],
    Meta(description="The task's id, as in TASK-0042."),
]
Priority = Annotated[
    str | int | None,
    Meta(description="P0 (most urgent) to P3, or a word such as critical, high, normal, low."),
]
Tags = Annotated[list[Line], Meta(max_length=50)]
Due = Annotated[Line | None, Meta(description="When it is due, RFC 3339, as in 2026-11-30T18:00:00Z.")]


class ListTasks(Arguments):
    """Which tasks."""

    status: Annotated[
        list[Line] | Line | None,
        Meta(description=f"Only these statuses, one or several of {', '.join(STATUSES)}."),
    ] = None
    assignee: Annotated[
        Line | None, Meta(description=f"Only this agent's; '{UNASSIGNED}' for those nobody has.")
    ] = None
    mine: Annotated[bool, Meta(description="Only yours.")] = False
    text: Annotated[Line | None, Meta(description="Only those in which this text occurs.")] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most.")] = 20
    agent: Agent = None


class TaskList(Result):
    """Tasks, the most urgent first; `count` is of all that there are, `summary` how the whole queue stands."""

    tasks: list[dict[str, Any]]
    count: int
    summary: dict[str, Any]


class OneTask(Arguments):
    """Which task."""

    task: TaskId


class TaskResult(Result):
    """The task as it is now."""

    task: dict[str, Any]


class ClaimTask(Arguments):
    """Which task, and for whom."""

    task: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(
            description="The task's id, as in TASK-0042. Leave it out for the most urgent one that is free."
        ),
    ] = None
    tags: Annotated[Tags, Meta(description="Without a task's id: only one that has any of these tags.")] = (
        msgspec.field(default_factory=list)
    )
    start: Annotated[bool, Meta(description="Begin it at once: its status becomes in_progress.")] = True
    agent: Agent = None


class Claim(Result):
    """Whether you have a task now, and which."""

    claimed: bool
    task: dict[str, Any] | None = None
    stop: bool = False


class UpdateTask(Arguments):
    """What is to be changed; what is left out stays."""

    task: TaskId
    status: Annotated[Line | None, Meta(description=f"One of {', '.join(STATUSES)}.")] = None
    progress: Annotated[
        Annotated[float, Meta(ge=0, le=100)] | None, Meta(description="How much is done, in percent.")
    ] = None
    note: Annotated[Text | None, Meta(description="A line for its notes; what they say already stays.")] = (
        None
    )
    priority: Priority = None
    due: Due = None
    assigned_to: Annotated[
        Line | None,
        Meta(description=f"Hand it over to this agent; '{UNASSIGNED}' gives it back for anybody to claim."),
    ] = None
    agent: Agent = None


class CompleteTask(Arguments):
    """Which task, and what came of it."""

    task: TaskId
    result: Annotated[Text | None, Meta(description="What came of it, in a few sentences.")] = None
    agent: Agent = None


class AddTask(Arguments):
    """What is to be done."""

    description: Annotated[
        Text, Meta(description="What is to be done, so that somebody else understands it.")
    ]
    priority: Priority = None
    assigned_to: Annotated[
        Line | None, Meta(description="The agent that is to have it; left out, anybody may claim it.")
    ] = None
    due: Due = None
    tags: Annotated[Tags, Meta(description="Words to find it by.")] = msgspec.field(default_factory=list)
    notes: Annotated[Text | None, Meta(description="What else there is to know.")] = None
    parent: Annotated[Line | None, Meta(description="The id of the task that it is a part of.")] = None
    agent: Agent = None


@tool("List tasks", scope="read")
async def list_tasks(call: Call, arguments: ListTasks) -> TaskList:
    """List the tasks of the fleet's queue, the most urgent first.

    Use `mine` for those that are yours, or status `pending` to see what there is to do. To take one, call claim_task.
    """
    queue = call.service.tasks
    await queue.fresh()
    words = [arguments.status] if isinstance(arguments.status, str) else arguments.status or []
    statuses = {checked_status(word) for word in words}
    holders = {name.casefold() for name in (arguments.assignee,) if name is not None}
    if arguments.mine:
        me = call.agent(arguments.agent)
        holders |= {me.casefold()}
    host, text = call.service.host_name, None if arguments.text is None else arguments.text.casefold()

    def fits(task: Task) -> bool:
        return (
            (not statuses or task.get("status") in statuses)
            and (not holders or not holders.isdisjoint(_names(task, host)))
            and (text is None or queue.contains(task, text))
        )

    every = not statuses and not holders and text is None
    page = await queue.page(None if every else fits, limit=arguments.limit)
    more = f", of which these are the first {len(page.tasks)}" if page.more else ""
    return TaskList(
        message=f"{_count(page.total, 'task')}{more}.",
        tasks=page.tasks,
        count=page.total,
        summary=queue.summary(),
    )


@tool("Show a task", scope="read")
async def get_task(call: Call, arguments: OneTask) -> TaskResult:
    """Return one task with all its fields: notes, subtasks, result."""
    await call.service.tasks.fresh()
    task = call.service.tasks.find(arguments.task)
    return TaskResult(message=_describe(task), task=task)


@tool("Claim a task")
async def claim_task(call: Call, arguments: ClaimTask) -> Claim:
    """Take a task, so that nobody else works on it: a named one, or else the most urgent one that is free.

    Of several agents who try at once exactly one gets it. Call this before you begin to work on a task. When it is
    done, call complete_task; to give it back, call update_task with assignedTo 'Unassigned' and status 'pending'.
    """
    agent = call.agent(arguments.agent)
    if (reason := stopped(call.service, agent)) is not None:
        return Claim(message=reason, claimed=False, stop=True)
    queue = call.service.tasks
    if arguments.task:
        task: Task | None = await queue.assign(arguments.task, agent, start=arguments.start, claim=True)
    else:
        task = await queue.claim_next(agent, tags=arguments.tags, start=arguments.start)
    if task is None:
        return Claim(
            message="No task is free at the moment. Try again later, or end your work.", claimed=False
        )
    return Claim(
        message=f"You have {_describe(task)} Call complete_task when it is done.", claimed=True, task=task
    )


@tool("Update a task")
async def update_task(call: Call, arguments: UpdateTask) -> TaskResult:
    """Say how a task goes: its status, how much of it is done, a line for its notes; or hand it over.

    Only its holder may, or anybody while nobody has it.
    """
    agent = call.agent(arguments.agent)
    fields: Data = {}
    if arguments.status is not None:
        fields["status"] = checked_status(arguments.status)
    if arguments.priority is not None:
        fields["priority"] = checked_priority(arguments.priority)
    for name, value in (
        ("progress", arguments.progress),
        ("due", arguments.due),
        ("assignedTo", arguments.assigned_to),
    ):
        if value is not None:
            fields[name] = value

    def change(task: Task) -> Data:
        if arguments.note is None:
            return fields
        line = f"[{rfc3339(now()).decode()}] {agent}: {arguments.note}"
        return {**fields, "notes": f"{task.get('notes') or ''}\n{line}".lstrip("\n")}

    task = await _change(call.service.tasks, arguments.task, agent, change)
    return TaskResult(message=_describe(task), task=task)


@tool("Complete a task", idempotent=True)
async def complete_task(call: Call, arguments: CompleteTask) -> TaskResult:
    """Finish a task that is yours, and say what came of it. Then claim_task gives you the next one."""
    agent = call.agent(arguments.agent)

    def change(task: Task) -> Data:
        result = arguments.result
        if task.get("status") == "completed" and result in (None, task.get("result")):
            return {}
        if task.get("status") == "cancelled":
            raise Conflict(
                f"{task['id']} was cancelled meanwhile; drop it, and call claim_task for another one."
            )
        done: Data = {"status": "completed"}
        if "progress" in task:
            done["progress"] = 100
        if result is not None:
            done["result"] = result
        return done if _names(task) - _NOBODY else {**done, "assignedTo": agent}

    task = await _change(call.service.tasks, arguments.task, agent, change)
    return TaskResult(message=f"{task['id']} is completed. Call claim_task for the next one.", task=task)


@tool("Add a task")
async def add_task(call: Call, arguments: AddTask) -> TaskResult:
    """Add a task to the fleet's queue, for yourself, another agent, or whoever claims it.

    Use it for work that you find and shall not do now. It is kept before you are answered.
    """
    agent = call.agent(arguments.agent)
    given = {
        "description": arguments.description,
        "priority": arguments.priority,
        "assignedTo": arguments.assigned_to,
        "due": arguments.due,
        "tags": arguments.tags or None,
        "notes": arguments.notes,
        "parentId": arguments.parent,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    task = await call.service.tasks.create(fields, by=agent)
    return TaskResult(message=f"Added {_describe(task)}", task=task)


TOOLS = (list_tasks, get_task, claim_task, update_task, complete_task, add_task)


async def _change(queue: TaskQueue, id_: str, agent: str, change: Callable[[Task], Data]) -> Task:
    """Change a task that is the agent's or nobody's, by what it is at that moment.

    Raises:
        Conflict: it is somebody else's.
    """
    while True:
        await queue.fresh()
        task = queue.find(id_)
        others = _names(task) - _NOBODY - {agent.casefold()}
        if others:
            raise Conflict(
                f"{task['id']} is {task.get('assignedTo')}'s, not yours ({agent}); leave it to them, "
                "or call claim_task for another one."
            )
        fields = change(task)
        if not fields:
            return task
        try:
            return await queue.update(task["id"], fields, if_match=queue.etag(task))
        except PreconditionFailed:
            # Somebody else has changed it at this moment: decided again, by what it is now.
            continue


_NOBODY = {UNASSIGNED.casefold()}


def _names(task: Task, host: str | None = None) -> set[str]:
    """Return what its holder is called, in small letters: also without the host where that is this one."""
    holder = str(task.get("assignedTo") or UNASSIGNED)
    return {holder.casefold(), holder.removesuffix(f"@{host}").casefold()} if host else {holder.casefold()}


def _describe(task: Task) -> str:
    holder = task.get("assignedTo") or UNASSIGNED
    description = " ".join(str(task.get("description") or "").split())
    description = f"{description[:117]}…" if len(description) > 118 else description
    return f"{task['id']} ({task.get('priority')}, {task.get('status')}, {holder}): {description}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
