"""Tools that tell the fleet something: a lead, an alert, any other event."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from missioncontrol.errors import Conflict
from missioncontrol.events import Data, Draft, refuse_foreign
from missioncontrol.server.live import check_agents
from missioncontrol.server.mcp.sessions import SOURCE
from missioncontrol.server.mcp.tool import Agent, Arguments, Call, Line, Result, Text, tool

Object = Annotated[dict[str, Any], Meta(description="Any other fields.")]


class AddLead(Arguments):
    """What was found."""

    name: Annotated[Line, Meta(description="Who or what it is: a person, or a company.")]
    company: Annotated[Line | None, Meta(description="The company.")] = None
    title: Annotated[Line | None, Meta(description="The person's position.")] = None
    domain: Annotated[Line | None, Meta(description="The company's domain, as in example.com.")] = None
    score: Annotated[
        Annotated[float, Meta(ge=0, le=100)] | None, Meta(description="How promising it is, 0 to 100.")
    ] = None
    notes: Annotated[Text | None, Meta(description="Why it is one, and where it was found.")] = None
    fields: Object = msgspec.field(default_factory=dict)
    id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="An id of yours: the same lead told again is then refused. Left out, one is made."),
    ] = None
    agent: Agent = None


class Lead(Result):
    """The lead as it is kept."""

    lead: dict[str, Any]


class Alert(Arguments):
    """What needs attention."""

    alert: Annotated[
        Text, Meta(description="What is wrong, and what should be done about it, in a sentence.")
    ]
    level: Annotated[
        Literal["info", "warning", "critical"],
        Meta(
            description="critical: somebody must act at once; warning: somebody should look; info: good to know."
        ),
    ] = "warning"
    details: Object = msgspec.field(default_factory=dict)
    agent: Agent = None


class Publish(Arguments):
    """The event."""

    type: Annotated[
        Annotated[str, Meta(max_length=128)],
        Meta(
            description="CATEGORY:NAME, as in build:finished; of the fleet's own types only with its fields."
        ),
    ]
    data: Annotated[dict[str, Any], Meta(description="What it tells, at most 256 KiB.")] = msgspec.field(
        default_factory=dict
    )
    key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256)] | None,
        Meta(description="Sent again with the same key, it is not told again."),
    ] = None
    agent: Agent = None


class EventView(Result):
    """The id of the event, which is durable."""

    event: int


@tool("Add a lead")
async def add_lead(call: Call, arguments: AddLead) -> Lead:
    """Add a lead to those that the fleet has found: a person or company that may become a customer.

    It is kept in the log and the state, not written into the workspace's files of leads.
    """
    agent = call.agent(arguments.agent)
    id_ = arguments.id or f"lead_{secrets.token_hex(4)}"
    host = call.service.host_name
    leads = call.service.state.table("leads")
    if id_ in leads or f"{id_}@{host}" in leads:
        raise Conflict(f"There is a lead {id_!r} already; nothing was added.")
    named = {
        name: value
        for name in ("name", "company", "title", "domain", "score", "notes")
        if (value := getattr(arguments, name)) is not None
    }
    lead = {**arguments.fields, **named, "id": id_, "foundBy": agent}
    await _append(call, "lead:added", {"lead": lead})
    kept = leads.get(id_) or leads.get(f"{id_}@{host}") or lead
    return Lead(message=f"Added the lead {kept['id']}: {arguments.name}.", lead=kept)


@tool("Raise an alert")
async def raise_alert(call: Call, arguments: Alert) -> EventView:
    """Tell people that something needs their attention: it stands in the dashboard, and may be sent to their phones.

    For a decision or an answer use ask_person instead, which waits for it.
    """
    agent = call.agent(arguments.agent)
    data: Data = {
        "level": arguments.level,
        "message": arguments.alert,
        "details": {**arguments.details, "agentId": agent},
    }
    id_ = await _append(call, "system:alert", data)
    return EventView(message=f"The alert ({arguments.level}) is raised. Nobody answers it; go on.", event=id_)


@tool("Publish an event")
async def publish_event(call: Call, arguments: Publish) -> EventView:
    """Append any event to the fleet's log, for whoever follows it: programs, other agents, the dashboard's history.

    For statuses, tasks, leads and alerts use their own tools.
    """
    data = dict(arguments.data)
    if call.named is not None or arguments.agent is not None:
        data.setdefault("agentId", call.agent(arguments.agent))
    id_ = await _append(call, arguments.type, data, arguments.key)
    return EventView(message=f"{arguments.type} is told.", event=id_)


TOOLS = (add_lead, raise_alert, publish_event)


async def _append(call: Call, type_: str, data: Data, key: str | None = None) -> int:
    draft = Draft(type_, data, key, SOURCE)
    refuse_foreign([draft])
    check_agents(call.caller, [draft])
    return (await call.service.publish([draft], by=call.caller.by))[0]
