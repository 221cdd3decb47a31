"""Token use and its cost, in the shape that the earlier system's token pages read, with more alongside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get

from missioncontrol.events import Data, now, rfc3339
from missioncontrol.events.hosts import find_id
from missioncontrol.fleet.usage.budgets import day_of
from missioncontrol.server.responses import AnyRequest, answer, documented, service_of, state_cursor
from missioncontrol.server.service import Service

MAX_RECENT_SESSIONS = 50


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


class AgentUse(msgspec.Struct, rename="camel"):
    """What an agent has used so far: `tokensIn` is its input with the cache, `cost` is in US dollars.

    `sessions` counts its sessions: all that this server keeps the ledger of, of other hosts those among the newest 200
    of the fleet. Further fields are those of the snapshot.
    """

    id: str
    name: str
    role: str
    tokens: float
    tokens_in: float
    tokens_out: float
    cost: float
    sessions: int


class DayUse(msgspec.Struct):
    """What the fleet has used on a day; `sessions` counts those of the newest 200 that were last used on it."""

    date: str
    tokens: float
    cost: float
    sessions: int


class SessionUse(msgspec.Struct, rename="camel"):
    """A session, and what it has used so far; `timestamp` is its last use."""

    session_id: str
    agent: str
    timestamp: str | None
    tokens: float
    cost: float


class UseOfToday(msgspec.Struct):
    """What the fleet has used today."""

    cost: float
    tokens: float


class UseSummary(msgspec.Struct):
    """What the fleet has used lately."""

    today: UseOfToday


class UseMeta(msgspec.Struct, rename="camel"):
    """How many sessions and agents there are; the sessions are counted as those of an agent are."""

    session_count: int
    agent_count: int


class TokenTotals(msgspec.Struct, rename="camel"):
    """Token use by agent, day and session, and the sum; costs in US dollars.

    `models`, `days`, `sessions`, `thresholds` and `total` are those of the snapshot. `unpriced` names the models that
    have no price: their tokens are in the sums, and cost nothing there.
    """

    last_updated: str
    total_tokens: float
    total_cost: float
    period: str
    agents: list[AgentUse]
    summary: UseSummary
    daily_usage: list[DayUse]
    recent_sessions: list[SessionUse]
    meta: UseMeta
    models: dict[str, Any]
    days: dict[str, Any]
    sessions: list[dict[str, Any]]
    thresholds: dict[str, Any]
    total: dict[str, float]
    budgets: Budgets
    unpriced: list[str]
    cursor: str


@get("/api/tokens", responses=documented(TokenTotals), tags=["state"], summary="Token use and its cost")
async def get_tokens(request: AnyRequest) -> Response[bytes]:
    """Return token use so far, the agents with the highest cost first, and how much of the budgets is spent."""
    service = service_of(request)
    tokens = service.state.tokens
    value = tokens.value()
    sessions: list[Data] = value["sessions"]
    # The state keeps the newest sessions of the fleet; the ledger of this host knows far more.
    owners = service.tokens.agents_of_sessions() | {session["id"]: session["agent"] for session in sessions}
    today = day_of(now())
    used_today = tokens.day(today)
    body = {
        "lastUpdated": rfc3339(now()).decode(),
        "totalTokens": value["total"]["tokens"],
        "totalCost": value["total"]["cost"],
        "period": "all",
        "agents": _agents(value["agents"], Counter(owners.values()), service.state.table("agents")),
        "summary": UseSummary(UseOfToday(_number(used_today, "cost"), _number(used_today, "tokens"))),
        "dailyUsage": _days(service, value["days"], sessions),
        "recentSessions": [_session(service, session) for session in sessions[:MAX_RECENT_SESSIONS]],
        "meta": UseMeta(len(owners), len(value["agents"])),
        "models": value["models"],
        "days": value["days"],
        "sessions": sessions,
        "thresholds": value["thresholds"],
        "total": value["total"],
        "budgets": _budgets(service, today),
        "unpriced": tokens.unpriced(),
        "cursor": str(state_cursor(service)),
    }
    return answer(msgspec.json.encode(body))


def _agents(
    used: Mapping[str, Data], sessions: Mapping[str, int], known: Mapping[str, Data]
) -> list[dict[str, Any]]:
    agents = []
    for id_, use in used.items():
        agent = known.get(id_, {})
        read = sum(_number(use, name) for name in ("input", "cacheRead", "cacheWrite"))
        agents.append(
            {
                **use,
                "id": id_,
                "name": agent.get("name") or id_,
                "role": agent.get("role") or "Unknown",
                "tokensIn": read,
                "tokensOut": _number(use, "output"),
                "sessions": sessions.get(id_, 0),
            }
        )
    return sorted(agents, key=lambda agent: (-agent["cost"], agent["id"]))


def _days(service: Service, days: Mapping[str, Data], sessions: list[Data]) -> list[DayUse]:
    known = service.tokens.sessions
    counts = known.by_day.copy()
    for session in sessions:
        here = known.get(session["id"])
        if here is None or here.totals is None:
            # Of a session of another host only the last use is known.
            counts[str(session.get("updated"))[:10]] += 1
    return [
        DayUse(day, _number(use, "tokens"), _number(use, "cost"), counts[day]) for day, use in days.items()
    ]


def _session(service: Service, session: Data) -> SessionUse:
    # The state knows when the use was published, which at a first start is long after it.
    known = service.tokens.session(session["id"])
    used = session.get("updated") if known is None or not known.at else rfc3339(known.at).decode()
    return SessionUse(
        session["id"],
        session["agent"],
        used,
        _number(session, "tokens"),
        _number(session, "cost"),
    )


def _budgets(service: Service, day: str) -> Budgets:
    tokens, config = service.state.tokens, service.config.budgets
    agents = service.state.table("agents").keys()
    return Budgets(
        day,
        _budget_use(config.daily, tokens.spent(day)),
        {
            agent: _budget_use(budget, tokens.spent(day, find_id(agent, agents, service.host_name) or agent))
            for agent, budget in sorted(config.agents.items())
        },
    )


def _budget_use(budget: float, spent: float) -> BudgetUse:
    return BudgetUse(budget, round(spent, 6), round(spent / budget * 100, 2) if budget > 0 else 0.0)


def _number(use: Data, name: str) -> float:
    value = use.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
