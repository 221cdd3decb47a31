"""The agents of the fleet, in the shape that the earlier system's pages read, with more fields alongside."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import PathParameter

from missioncontrol.errors import NotFound
from missioncontrol.events import Data
from missioncontrol.events.hosts import find_id
from missioncontrol.events.reduced import reduced_agent
from missioncontrol.server.responses import (
    MAX_ARRAY,
    After,
    AnyRequest,
    ArrayLimit,
    answer,
    array_page,
    documented,
    identify,
    page_of_ids,
    service_of,
    state_cursor,
)
from missioncontrol.server.service import Service

AgentId = Annotated[str, PathParameter(description="The agent's id, or its name in any case.")]


class AgentStats(msgspec.Struct, rename="camel"):
    """What an agent has done, with whatever else its `state.json` says under `stats`."""

    tasks_completed: float
    tasks_active: float


class AgentBody(msgspec.Struct, rename="camel"):
    """An agent. `status` is the agent's own word, `kind` what it means; further fields as in the snapshot."""

    id: str
    name: str
    role: str
    codename: str | None
    division: str | None
    specialties: list[str]
    status: str
    kind: str
    last_active: str | None
    stats: AgentStats


@get("/api/agents", responses=documented(list[AgentBody]), tags=["state"], summary="The agents")
async def list_agents(
    request: AnyRequest, limit: ArrayLimit = MAX_ARRAY, after: After = None
) -> Response[bytes]:
    """Return the agents in the order of their ids, as an array.

    `X-Total-Count` is the number of all agents, `X-Cursor` the cursor that the array is at; `Link` leads to the next
    page where there is one.
    """
    service = service_of(request)
    agents = service.state.table("agents")
    page, following = page_of_ids(sorted(agents), limit, after)
    bodies = [_told(request, agents[id_]) for id_ in page]
    return array_page(request, bodies, len(agents), state_cursor(service), following)


@get(
    "/api/agents/{agent_id:str}",
    responses=documented(AgentBody, 404),
    tags=["state"],
    summary="An agent",
)
async def get_agent(request: AnyRequest, agent_id: AgentId) -> Response[bytes]:
    """Return one agent, by its id or else by its name."""
    service = service_of(request)
    found = find_agent(service, agent_id)
    if found is None:
        raise NotFound(f"There is no agent {agent_id[:100]!r}; /api/agents lists the existing ones.")
    return answer(msgspec.json.encode(_told(request, service.state.table("agents")[found])))


def find_agent(service: Service, id_or_name: str) -> str | None:
    """Return the full id of the agent with this id, or else with this name in any case; None without such an agent."""
    agents = service.state.table("agents")
    if (full := find_id(id_or_name, agents.keys(), service.host_name)) is not None:
        return full
    wanted = id_or_name.casefold()
    matches = (
        id_ for id_, agent in agents.items() if wanted in (id_.casefold(), str(agent.get("name")).casefold())
    )
    return min(matches, default=None)


def _told(request: AnyRequest, agent: Data) -> dict[str, Any]:
    body = agent_body(agent)
    return body if identify(request).may("read") else reduced_agent(body)


def agent_body(agent: Data) -> dict[str, Any]:
    """Return an agent's record with every field that the earlier system's pages read.

    An agent of which nothing is known but its folder is `offline` there; `kind` tells the two apart.
    """
    status = agent.get("status")
    stats = agent.get("stats")
    projects = agent.get("activeProjects")
    return {
        **agent,
        "name": agent.get("name") or agent["id"],
        "role": agent.get("role") or "Unknown",
        "codename": agent.get("codename"),
        "division": agent.get("division"),
        "specialties": agent.get("specialties") or [],
        "status": "offline" if status in (None, "unknown") else status,
        "lastActive": agent.get("lastActive"),
        "stats": {
            "tasksCompleted": 0,
            "tasksActive": len(projects) if isinstance(projects, list) else 0,
            **(stats if isinstance(stats, dict) else {}),
        },
    }
