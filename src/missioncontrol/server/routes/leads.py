"""The leads, in the shape that the earlier system's lead-scoring page reads, with more alongside."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import msgspec
from litestar import Response, get

from missioncontrol.events import Data
from missioncontrol.fleet.lead_file import as_in_file
from missioncontrol.server.responses import (
    MAX_ARRAY,
    After,
    AnyRequest,
    ArrayLimit,
    answer,
    documented,
    page_of_ids,
    service_of,
    state_cursor,
)

TIERS = ("P0", "P1", "P2", "P3")


class LeadSummary(msgspec.Struct, rename="camel"):
    """All scored leads in numbers; `scoredAt` is the time of the newest score, null where no lead has one."""

    total_leads: int
    average_score: float
    tier_distribution: dict[str, int]
    scored_at: str | None


class LeadList(msgspec.Struct, rename="camel", omit_defaults=True):
    """The leads with the best score first in `scoredLeads`, and all in the order of their ids in `leads`.

    An id that is a number in the file is one in `scoredLeads`, and a text in `leads`.

    `success` is false where there is no lead. `count` is of all, and `next` the `after` of the page that follows.
    """

    success: bool
    scored_leads: list[dict[str, Any]]
    summary: LeadSummary
    last_updated: str | None
    leads: list[dict[str, Any]]
    count: int
    cursor: str
    next: str = ""


MAX_SCORE = 1e9
"""A larger number is no score, and the sum of many of them need not be a number."""


@get("/api/leads", responses=documented(LeadList), tags=["state"], summary="The leads")
async def list_leads(
    request: AnyRequest, limit: ArrayLimit = MAX_ARRAY, after: After = None
) -> Response[bytes]:
    """Return the leads: as the scored ones where there are any, else all of them as scored."""
    service = service_of(request)
    leads = service.state.table("leads")
    page, following = page_of_ids(sorted(leads), limit, after)
    scored = [lead for lead in leads.values() if _is_scored(lead)] or list(leads.values())
    summary = _summarise(scored)
    best = sorted(scored, key=lambda lead: (-_score(lead), str(lead.get("id"))))[:limit]
    body = LeadList(
        success=bool(leads),
        scored_leads=[as_in_file(lead) for lead in best],
        summary=summary,
        last_updated=summary.scored_at,
        leads=[leads[id_] for id_ in page],
        count=len(leads),
        cursor=str(state_cursor(service)),
        next=following or "",
    )
    return answer(msgspec.json.encode(body))


def _summarise(leads: list[Data]) -> LeadSummary:
    tiers = dict.fromkeys(TIERS, 0)
    for lead in leads:
        tier = lead.get("priorityTier") or lead.get("priority") or lead.get("tier")
        if isinstance(tier, str) and tier in tiers:
            tiers[tier] += 1
    times = [at for lead in leads if isinstance(at := lead.get("scoredAt"), str)]
    average = round(fmean(map(_score, leads)), 2) if leads else 0.0
    return LeadSummary(len(leads), average, tiers, max(times, default=None))


def _is_scored(lead: Data) -> bool:
    """Report whether a lead has the fields that only a scored one has."""
    return "totalScore" in lead or "breakdown" in lead or "priorityTier" in lead


def score_of(value: Any) -> float:
    """Return what a field that holds a score amounts to: 0 for what is no number, or one that is too large."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if abs(value) <= MAX_SCORE else 0.0


def _score(lead: Data) -> float:
    return score_of(lead.get("score"))
