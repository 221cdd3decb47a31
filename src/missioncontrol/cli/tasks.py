"""`tasks`: the queue of a server, from the terminal."""

from __future__ import annotations

import sys
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from missioncontrol.cli.sentences import write_text
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url
from missioncontrol.cli.values import AgentId, TaskId, agent_ids
from missioncontrol.errors import BadTask
from missioncontrol.events import Data
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.sentences import clean

tasks = App(name="tasks", help="List, add, assign and finish the tasks of a server.")

TaskStatus = Literal[
    "pending", "in_progress", "review", "completed", "failed", "delegated", "blocked", "cancelled"
]

_COLOURS = {
    "in_progress": "green",
    "review": "cyan",
    "blocked": "red",
    "failed": "red",
    "completed": "dim",
    "cancelled": "dim",
}


@tasks.command(name="list")
def list_tasks(
    *,
    status: Annotated[str | None, Parameter(help="Only these statuses, separated by commas.")] = None,
    priority: Annotated[str | None, Parameter(help="Only these priorities, separated by commas.")] = None,
    agent: Annotated[str | None, Parameter(help="Only this agent's.", completer=agent_ids)] = None,
    search: Annotated[str | None, Parameter(help="Only those in which this text occurs.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 100,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """List tasks, the most urgent first.

    For example:

        mission-control tasks list --status pending,in_progress
        mission-control tasks list --agent scout --json
    """
    server = Server(url, token)
    if search is not None:
        chosen = {"status": status, "priority": priority, "assignedTo": agent}
        found = [
            task
            for task in server.ask(f"/api/tasks/search?{urlencode({'q': search})}")
            if all(wanted is None or task.get(field) in wanted.split(",") for field, wanted in chosen.items())
        ]
        answer: Data = {"tasks": found[:limit], "count": len(found)}
    else:
        wanted = {"status": status, "priority": priority, "assignedTo": agent, "limit": str(limit)}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        answer = server.ask(f"/api/tasks?{query}")
    if json:
        print_json(answer["tasks"])
    else:
        _show(answer["tasks"], answer["count"])
    return 0


@tasks.command
def search(
    text: Annotated[str, Parameter(name="TEXT", help="What is looked for, whatever its case.")],
    /,
    *,
    limit: Annotated[int, Parameter(help="How many at most.")] = 100,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Find tasks in whose id, description, assignee, tags or notes a text occurs.

    For example:

        mission-control tasks search report
    """
    return list_tasks(search=text, limit=limit, url=url, token=token, json=json)


@tasks.command
def due(
    *,
    hours: Annotated[float, Parameter(help="Due within so many hours, or overdue.")] = 24.0,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """List what is due soon and not over, the soonest first.

    For example:

        mission-control tasks due
        mission-control tasks due --hours 168 --json
    """
    found = Server(url, token).ask(f"/api/tasks/due?{urlencode({'hours': hours})}")
    if json:
        print_json(found)
    else:
        _show(found, len(found))
    return 0


@tasks.command
def show(id_: TaskId, /, *, url: Url = None, token: ClientToken = None, json: Json = False) -> int:
    """Show a task with all its fields, as JSON, with or without `--json`.

    For example:

        mission-control tasks show TASK-0042
    """
    print_json(Server(url, token).ask(_path(id_)))
    return 0


@tasks.command
def add(
    description: Annotated[str, Parameter(name="DESCRIPTION", help="What is to be done.")],
    /,
    *,
    priority: Annotated[str | None, Parameter(help="P0 to P3, or a word such as high.")] = None,
    agent: Annotated[str | None, Parameter(help="The agent that is to have it.", completer=agent_ids)] = None,
    due: Annotated[str | None, Parameter(help="When it is due, as in 2026-11-30T18:00:00Z.")] = None,
    tag: Annotated[list[str] | None, Parameter(help="A tag; may be given several times.")] = None,
    notes: Annotated[str | None, Parameter(help="What else there is to say.")] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Add a task, and print its id.

    For example:

        mission-control tasks add "Read the report" --priority high --agent scout --tag reading
    """
    given = {
        "description": description,
        "priority": priority,
        "assignedTo": agent,
        "due": due,
        "tags": tag,
        "notes": notes,
        "createdBy": "cli",
    }
    body = {name: value for name, value in given.items() if value is not None}
    task = Server(url, token).ask("/api/tasks", "POST", body)
    if json:
        print_json(task)
    else:
        print(task["id"])
    return 0


@tasks.command
def assign(
    id_: TaskId,
    agent: AgentId,
    /,
    *,
    start: Annotated[bool, Parameter(help="Begin it at once.", negative="")] = False,
    notes: Annotated[str | None, Parameter(help="What to add to its notes.")] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Give a task to an agent, whoever has it.

    For example:

        mission-control tasks assign TASK-0042 scout --start
    """
    options = {"autoStart": start, **({} if notes is None else {"notes": notes})}
    body: Data = {"agentId": agent, "assignedBy": "cli", "options": options}
    return _done(Server(url, token).ask(f"{_path(id_)}/assign", "POST", body), json=json)


@tasks.command
def claim(
    id_: TaskId, agent: AgentId, /, *, url: Url = None, token: ClientToken = None, json: Json = False
) -> int:
    """Give a task to an agent if nobody else has it; of two who try exactly one gets it.

    The exit status is 2 where somebody else has it.

    For example:

        mission-control tasks claim TASK-0042 scout && ./work-on-it
    """
    return _done(Server(url, token).ask(f"{_path(id_)}/claim", "POST", {"agentId": agent}), json=json)


@tasks.command
def start(id_: TaskId, /, *, url: Url = None, token: ClientToken = None, json: Json = False) -> int:
    """Put a task in progress.

    For example:

        mission-control tasks start TASK-0042
    """
    return _done(Server(url, token).ask(_path(id_), "PATCH", {"status": "in_progress"}), json=json)


@tasks.command
def move(
    id_: TaskId,
    status: Annotated[TaskStatus, Parameter(name="STATUS", help="Where it is to be.")],
    /,
    *,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Move a task to another status, as on the board.

    For example:

        mission-control tasks move TASK-0042 review
    """
    return _done(Server(url, token).ask(_path(id_), "PATCH", {"status": status}), json=json)


@tasks.command
def done(
    id_: TaskId,
    /,
    *,
    result: Annotated[str | None, Parameter(help="What came of it.")] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Complete a task.

    For example:

        mission-control tasks done TASK-0042 --result "All read"
    """
    body: Data = {"status": "completed", **({} if result is None else {"result": result})}
    return _done(Server(url, token).ask(_path(id_), "PATCH", body), json=json)


@tasks.command(name="set")
def set_fields(
    id_: TaskId,
    fields: Annotated[
        tuple[str, ...],
        Parameter(name="FIELD=VALUE", help="What to change; the value is JSON where it can be read as such."),
    ],
    /,
    *,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Change fields of a task.

    For example:

        mission-control tasks set TASK-0042 priority=P0 'tags=["urgent"]' due=null
    """
    body: Data = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals or not name:
            raise BadTask(f"{field!r} is not of the form FIELD=VALUE, as in priority=P0.")
        try:
            body[name] = decode_json(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            body[name] = value
    return _done(Server(url, token).ask(_path(id_), "PATCH", body), json=json)


@tasks.command
def delete(id_: TaskId, /, *, url: Url = None, token: ClientToken = None, json: Json = False) -> int:
    """Remove a task.

    For example:

        mission-control tasks delete TASK-0042
    """
    return _done(Server(url, token).ask(_path(id_), "DELETE"), json=json)


@tasks.command
def export(
    form: Annotated[Literal["json", "markdown"], Parameter(name="FORMAT", help="json or markdown.")] = "json",
    /,
    *,
    url: Url = None,
    token: ClientToken = None,
) -> int:
    """Write the whole queue to standard output.

    For example:

        mission-control tasks export markdown > TASK_QUEUE.md
    """
    write_text(Server(url, token).text(f"/api/export/tasks?format={form}"))
    return 0


def _path(id_: str) -> str:
    return f"/api/tasks/{quote(id_, safe='')}"


def _done(task: Data, *, json: bool) -> int:
    if json:
        print_json(task)
        return 0
    agent = task.get("assignedTo") or "nobody"
    print(
        f"{clean(task.get('id'))}: {clean(task.get('status'))}, {clean(task.get('priority'))}, {clean(agent)}"
    )
    return 0


def _show(found: list[Data], count: int) -> None:
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not found:
        console.print("no tasks")
        return
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("task", "priority", "status", "agent", "due", "description"):
        table.add_column(heading, header_style="bold")
    for task in found:
        status = clean(task.get("status") or "unknown")
        table.add_row(
            clean(task.get("id")),
            clean(task.get("priority") or ""),
            Text(status, style=_COLOURS.get(status, "default")),
            clean(task.get("assignedTo") or ""),
            clean(task.get("due") or ""),
            clean(task.get("description") or ""),
        )
    console.print(table)
    if count > len(found):
        console.print(f"and {count - len(found):,} more")
