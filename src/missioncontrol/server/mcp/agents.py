"""Tools for agents themselves: say what you do, and see how the fleet is."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from missioncontrol.events import Data, now
from missioncontrol.events.decoding import decode_json
from missioncontrol.fleet.usage.budgets import day_of
from missioncontrol.server.mcp.sessions import SOURCE, status_draft
from missioncontrol.server.mcp.stops import stopped
from missioncontrol.server.mcp.tool import Agent, Arguments, Call, Line, Result, tool
from missioncontrol.state import kind_of

CONFIRM_SECONDS = 60.0
"""How old the word for a status must be to be told again although nothing about it has changed."""


class Report(Arguments):
    """What you do."""

    status: Annotated[
        Line,
        Meta(
            description="In a word: busy, idle, waiting, error, offline. Words of your own are understood as far as "
            "they mean one of these."
        ),
    ]
    task: Annotated[
        Line | None,
        Meta(description="What you are working on: a task's id, or a few words. '-' for nothing."),
    ] = None
    detail: Annotated[Line | None, Meta(description="What people should know about it, in a sentence.")] = (
        None
    )
    name: Annotated[Line | None, Meta(description="What people call you; only needed once.")] = None
    role: Annotated[Line | None, Meta(description="What you are for; only needed once.")] = None
    agent: Agent = None


class Reported(Result):
    """How the fleet sees you now; with `stop` you have been told to begin nothing new."""

    agent: dict[str, Any]
    stop: bool = False


class NoArguments(Arguments):
    """No arguments."""


class FleetStatus(Result):
    """The figures of the fleet: agents and tasks by what they do, US dollars spent today, and what is open."""

    agents: dict[str, int]
    tasks: dict[str, Any]
    leads: int
    spent_today: float
    daily_budget: float
    open_questions: int
    alerts: list[dict[str, Any]]
    cursor: str


@tool("Report your status", idempotent=True)
async def report_status(call: Call, arguments: Report) -> Reported:
    """Tell the fleet what you are doing, so that people see it at once. An agent that is not known yet is added.

    Call it when you begin, when you wait for something, when you are done, and every few minutes of long work. When
    your session ends you are said to be offline by itself. If the answer has `stop`, begin nothing new.
    """
    agent = call.agent(arguments.agent)
    service = call.service
    kind = kind_of(arguments.status)
    if kind in ("busy", "online") and (reason := stopped(service, agent)) is not None:
        known = service.state.table("agents").get(agent)
        return Reported(message=reason, agent=known or {"id": agent}, stop=True)
    known = service.state.table("agents").get(agent)
    whole = _record(call, agent, known, arguments)
    if known is None or whole is not None or not _is_fresh(known, arguments.status):
        await service.publish([status_draft(agent, arguments.status, known, whole)], by=call.caller.by)
    if kind == "offline":
        call.sessions.left(agent)
    else:
        call.sessions.reported(call.session, agent)
    seen = service.state.table("agents").get(agent) or {"id": agent}
    return Reported(message=f"{agent} is {arguments.status} for everybody to see.", agent=seen)


def _record(call: Call, agent: str, known: Data | None, arguments: Report) -> Data | None:
    """Return the agent's whole record where more of it changes than its status."""
    fields: Data = {
        "name": arguments.name,
        "role": arguments.role,
        "currentTask": arguments.task,
        "statusDetail": arguments.detail,
        "client": call.client if known is None else None,
    }
    told = {name: value for name, value in fields.items() if value is not None}
    if told.get("currentTask") == "-":
        told["currentTask"] = None
    if known is None:
        return {"id": agent, "name": agent, **told, "status": arguments.status, "statusSource": SOURCE}
    if arguments.detail is None and known.get("statusDetail") and arguments.status != known.get("status"):
        # What was said of another status is not true of this one.
        told["statusDetail"] = None
    changed = {name: value for name, value in told.items() if known.get(name) != value}
    if not changed:
        return None
    return {**known, **changed, "status": arguments.status, "statusSource": SOURCE}


def _is_fresh(known: Data, status: str) -> bool:
    """Say whether an agent was said to be so over MCP just now."""
    if known.get("status") != status or known.get("statusSource") != SOURCE:
        return False
    try:
        confirmed = datetime.fromisoformat(known["confirmed"])
    except (KeyError, TypeError, ValueError):
        return False
    return now() / 1000 - confirmed.timestamp() < CONFIRM_SECONDS


@tool("How the fleet is", scope="read")
async def fleet_status(call: Call, arguments: NoArguments) -> FleetStatus:
    """Say in a sentence and in figures how the fleet is: its agents, tasks, leads, costs and open questions.

    For more, read the resource mission-control://state.
    """
    service = call.service
    await service.tasks.fresh()
    state = service.state
    agents = Counter(str(agent.get("kind")) for agent in state.table("agents").values())
    tasks = service.tasks.stats()
    spent = round(state.tokens.spent(day_of(now())), 6)
    budget = service.config.budgets.daily
    questions = sum(one.get("status") == "open" for one in state.table("questions").values())
    doing = ", ".join(f"{number} {kind}" for kind, number in agents.most_common())
    open_tasks = ", ".join(
        f"{tasks['byStatus'][status]} {status.replace('_', ' ')}"
        for status in ("pending", "in_progress", "review", "blocked")
        if tasks["byStatus"].get(status)
    )
    message = (
        f"{_some(agents.total(), 'agent')}{f' ({doing})' if doing else ''}; "
        f"{_some(tasks['total'], 'task')}{f' ({open_tasks})' if open_tasks else ''}; "
        f"${spent:,.2f} of ${budget:,.2f} spent today; {_some(questions, 'open question')}."
    )
    return FleetStatus(
        message=message,
        agents=dict(agents),
        tasks=tasks,
        leads=len(state.table("leads")),
        spent_today=spent,
        daily_budget=budget,
        open_questions=questions,
        alerts=decode_json(state.part("system"))["alerts"][:5],
        cursor=f"{service.log.epoch}:{state.id}",
    )


TOOLS = (report_status, fleet_status)


def _some(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
