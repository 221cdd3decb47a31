"""What the fold knows, by noun: agents, leads and token use."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import PathParameter

from missioncontrol.errors import NotFound
from missioncontrol.events import now
from missioncontrol.events.hosts import find_id
from missioncontrol.server.answers import (
    After,
    AnyRequest,
    Limit,
    answer,
    documented,
    find_record,
    list_records,
    service_of,
    state_cursor,
)
from missioncontrol.sources.usage.budgets import day_of

Id = Annotated[str, PathParameter(description="The id, as the list shows it.")]


class AgentList(msgspec.Struct, omit_defaults=True):
    """Agents in the order of their ids; `count` is of all, and `next` the `after` of the page that follows."""

    agents: list[dict[str, Any]]
    count: int
    cursor: str
    next: str = ""


class LeadList(msgspec.Struct, omit_defaults=True):
    """Leads in the order of their ids; `count` is of all, and `next` the `after` of the page that follows."""

    leads: list[dict[str, Any]]
    count: int
    cursor: str
    next: str = ""


class BudgetUse(msgspec.Struct, rename="camel"):
    """A daily budget and what of it is spent today, in US dollars."""

    budget: float
    spent: float
    percent_used: float


class Budgets(msgspec.Struct):
    """What may be spent today: by the fleet, and by each agent that has a budget of its own."""

    day: str
    fleet: BudgetUse
    agents: dict[str, BudgetUse]


class TokenTotals(msgspec.Struct):
    """Token use by agent, model, day and session, and the sum; costs in US dollars.

    `sessions` are the newest 200. `thresholds` has the last one that each agent has crossed, `unpriced` the models that
    nobody has a price for: their tokens are in the sums, and cost nothing there.
    """

    agents: dict[str, Any]
    models: dict[str, Any]
    days: dict[str, Any]
    sessions: list[dict[str, Any]]
    thresholds: dict[str, Any]
    total: dict[str, float]
    budgets: Budgets
    unpriced: list[str]
    cursor: str


@get("/api/agents", responses=documented(AgentList), tags=["state"], summary="The agents")
async def list_agents(request: AnyRequest, limit: Limit = 1000, after: After = None) -> Response[bytes]:
    """Return the agents as the state knows them."""
    return _list(request, "agents", limit, after)


@get(
    "/api/agents/{agent_id:str}",
    responses=documented(dict[str, Any], 404),
    tags=["state"],
    summary="An agent",
)
async def get_agent(request: AnyRequest, agent_id: Id) -> Response[bytes]:
    """Return one agent."""
    return _one(request, "agents", agent_id)


@get("/api/leads", responses=documented(LeadList), tags=["state"], summary="The leads")
async def list_leads(request: AnyRequest, limit: Limit = 1000, after: After = None) -> Response[bytes]:
    """Return the leads as the state knows them."""
    return _list(request, "leads", limit, after)


@get("/api/tokens", responses=documented(TokenTotals), tags=["state"], summary="Token use and its cost")
async def get_tokens(request: AnyRequest) -> Response[bytes]:
    """Return token use so far, by agent, model, day and session, and how it stands with the budgets."""
    service = service_of(request)
    tokens = service.state.tokens
    day, config = day_of(now()), service.config.budgets
    agents = service.state.table("agents").keys()
    budgets = Budgets(
        day,
        _budget_use(config.daily, tokens.spent(day)),
        {
            agent: _budget_use(budget, tokens.spent(day, find_id(agent, agents, service.host_name) or agent))
            for agent, budget in sorted(config.agents.items())
        },
    )
    more = {"budgets": budgets, "unpriced": tokens.unpriced(), "cursor": str(state_cursor(service))}
    return answer(b"%b,%b" % (service.state.part("tokens")[:-1], msgspec.json.encode(more)[1:]))


def _budget_use(budget: float, spent: float) -> BudgetUse:
    return BudgetUse(budget, round(spent, 6), round(spent / budget * 100, 2) if budget > 0 else 0.0)


def _list(
    request: AnyRequest, noun: Literal["agents", "leads"], limit: int, after: str | None
) -> Response[bytes]:
    service = service_of(request)
    return list_records(noun, service.state.part(noun), state_cursor(service), limit, after)


def _one(request: AnyRequest, noun: Literal["agents", "tasks"], id_: str) -> Response[bytes]:
    service = service_of(request)
    full = find_id(id_, service.state.table(noun).keys(), service.host_name)
    record = None if full is None else find_record(service.state.part(noun), full)
    if record is None:
        raise NotFound(
            f"There is no {noun.removesuffix('s')} {id_[:100]!r}; /api/{noun} lists those there are."
        )
    return answer(record)
