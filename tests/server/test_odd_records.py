"""Whatever the fields of an event contain, every page that shows them can be read."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from tests.server.site import Site

from missioncontrol.errors import BadEvent
from missioncontrol.events import Draft

pytestmark = pytest.mark.anyio

ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1e300,
    "x",
    [],
    [1],
    {},
    {"a": [1]},
    "9999-99-99",
    "\u0000",
    10**30,
    1e308,
)

FIELDS = {
    "task": "description status priority assignedTo tags due createdAt completedAt created title progress notes",
    "agent": "name role status specialties activeProjects stats lastActivity emoji model currentTask",
    "lead": "company contactName score priorityTier scoredAt breakdown recommendedAction factors email status",
    "use": "model day tokens input output cost session time host",
}

PAGES = [
    "/health",
    "/metrics",
    "/api/health",
    "/api/snapshot",
    "/api/ledger",
    "/api/logs/activity",
    "/api/files/activity",
    "/api/files/agents/scout",
    "/api/agents",
    "/api/agents/scout",
    "/api/leads",
    "/api/opportunities",
    "/api/tokens",
    "/api/questions",
    "/api/notifications",
    "/api/tasks",
    "/api/tasks/T-1",
    "/api/tasks/stats",
    "/api/tasks/summary",
    "/api/tasks/due",
    "/api/tasks/search?q=x",
    "/api/search?q=x",
    "/api/system/status",
    "/api/system/events",
    "/api/export/tasks",
    "/api/export/tasks?format=markdown",
]


def drafts(odd: Any) -> list[Draft]:
    """Return events of which every field that a page shows contains something odd."""
    record = {kind: dict.fromkeys(names.split(), odd) for kind, names in FIELDS.items()}
    tokens = {"agents": {"scout": {"tokens": 1, "cost": 1, "days": odd, "costs": odd}}, "sessions": odd}
    return [
        Draft("task:created", {"task": {"id": "T-1", **record["task"]}}),
        Draft("task:updated", {"taskId": "T-1", "updates": record["task"]}),
        Draft("task:completed", {"taskId": "T-1", "result": odd}),
        Draft("agent:statusChange", {"agentId": "scout", "status": odd, "agent": record["agent"]}),
        Draft("lead:added", {"lead": {"id": "L-1", **record["lead"]}}),
        Draft("lead:scored", {"leadId": "L-1", **record["lead"]}),
        # A second one, since some numbers have no sum.
        Draft("lead:added", {"lead": {"id": "L-2", **record["lead"]}}),
        Draft(
            "token:usage", {"agent": "forge", "tokens": odd, "cost": odd, "delta": {"uses": [record["use"]]}}
        ),
        Draft(
            "token:usage", {"agent": "scout", "tokens": odd, "cost": odd, "delta": {"uses": [record["use"]]}}
        ),
        Draft("state:baseline", {"source": "tokens", "tokens": tokens}),
        Draft("message:agent", {"from": odd, "to": odd, "message": odd}),
        Draft("question:asked", {"question": {"id": "q", "options": odd, "agent": odd, "text": odd}}),
    ]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_every_page_is_served_whatever_the_fields_of_a_record_contain(odd: Any) -> None:
    site = Site()
    async with site.client() as client:
        for draft in drafts(odd):
            # A shape may exclude it: what is not in the log is shown nowhere.
            with suppress(BadEvent):
                await site.log.append([draft])
        assert site.log.head > 0
        for page in PAGES:
            response = await client.get(page)
            assert response.status_code in (200, 404), f"{page}: {response.text[:300]}"
    site.hub.close()
