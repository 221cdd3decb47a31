"""The ledger of a day: reckoned from the log, in the days of the server's time zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.server.site import Site, check_problem

from missioncontrol.server.routes import ledger as ledger_route
from missioncontrol.store import memory

pytestmark = pytest.mark.anyio


class Clock:
    """The time as the log and the ledger see it, on the clock of this machine."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 12)

    def set(self, text: str) -> None:
        self.moment = datetime.fromisoformat(text)

    def now(self) -> int:
        return round(self.moment.astimezone().timestamp() * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "now", clock.now)
    monkeypatch.setattr(ledger_route, "now", clock.now)
    return clock


async def ledger(client: httpx.AsyncClient, day: str = "") -> dict[str, Any]:
    response = await client.get("/api/ledger", params={"day": day} if day else {})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def finish(site: Site, task: str, agent: str, **fields: object) -> None:
    made = {"id": task, "description": f"Do {task}", "assignedTo": agent, "status": "in_progress", **fields}
    await site.tell("task:created", task=made)
    await site.tell("task:completed", taskId=task)


async def spend(site: Site, agent: str, day: str, tokens: int, cost: float) -> None:
    uses = [{"day": day, "tokens": tokens, "cost": cost, "costSource": "prices"}]
    await site.tell("token:usage", agent=agent, tokens=tokens, cost=cost, delta={"uses": uses})


async def test_a_day_is_what_was_done_on_it(client: httpx.AsyncClient, site: Site, clock: Clock) -> None:
    clock.set("2026-11-22T23:59:59")
    await finish(site, "TASK-0001", "scout")
    clock.set("2026-11-23T00:00:00")
    await finish(site, "TASK-0002", "scout", priority="P0")
    await site.tell("lead:added", lead={"id": "L1", "company": "Northwind", "score": 60})
    await site.tell("lead:scored", leadId="L1", score=83)
    await spend(site, "scout", "2026-11-23", 1200, 0.5)
    clock.set("2026-11-24T00:00:00")
    await finish(site, "TASK-0003", "scout")

    told = await ledger(client, "2026-11-23")
    assert [(task["id"], task["agent"], task["priority"]) for task in told["tasks"]] == [
        ("TASK-0002", "scout", "P0")
    ]
    assert [(lead["name"], lead["score"]) for lead in told["leads"]] == [("Northwind", 83)]
    assert (told["tokens"], told["cost"], told["budget"]) == (1200, 0.5, 10.0)
    assert told["over"] is True
    assert told["since"] == told["from"]
    assert told["before"]["day"] == "2026-11-22"


async def test_the_day_before_is_known_where_the_log_reaches_it(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    clock.set("2026-11-21T12:00:00")
    await site.tell("custom:event")
    clock.set("2026-11-22T12:00:00")
    await finish(site, "TASK-0001", "scout")
    clock.set("2026-11-23T12:00:00")
    await site.tell("custom:event")
    assert (await ledger(client))["before"]["tasks"] == 1
    # Nothing was told before the 21st, and what was not told is not known to be nothing.
    assert (await ledger(client, "2026-11-22"))["before"]["tasks"] is None


async def test_a_log_that_began_later_says_from_when_it_knows(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    assert (await ledger(client, "2026-11-22"))["since"] is None
    clock.set("2026-11-22T15:00:00")
    await finish(site, "TASK-0001", "scout")
    told = await ledger(client, "2026-11-22")
    assert told["from"] < told["since"] < told["to"]
    assert len(told["tasks"]) == 1
    earlier = await ledger(client, "2026-11-20")
    assert (earlier["since"], earlier["tasks"]) == (None, [])


async def test_a_trimmed_log_says_from_when_it_knows(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    for hour in range(10, 14):
        clock.set(f"2026-11-22T{hour}:00:00")
        await finish(site, f"TASK-00{hour}", "scout")
    site.log.trim(4)
    told = await ledger(client, "2026-11-22")
    assert datetime.fromisoformat(told["since"]).astimezone().hour == 12
    assert [task["id"] for task in told["tasks"]] == ["TASK-0012", "TASK-0013"]


async def test_use_that_is_found_later_belongs_to_its_own_day(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    clock.set("2026-11-24T09:00:00")
    await spend(site, "scout", "2026-11-22", 700, 0.25)
    told = await ledger(client, "2026-11-22")
    assert (told["tokens"], told["cost"], told["since"]) == (700, 0.25, None)


async def test_a_task_that_is_taken_up_again_is_not_finished(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    await finish(site, "TASK-0001", "scout")
    await site.tell("task:updated", taskId="TASK-0001", updates={"status": "in_progress"})
    assert (await ledger(client))["tasks"] == []
    await site.tell("task:completed", taskId="TASK-0001")
    await site.tell("task:updated", taskId="TASK-0001", updates={"notes": "well done"})
    assert len((await ledger(client))["tasks"]) == 1


async def test_the_award_goes_to_the_most_tasks_then_the_lower_cost_then_the_name(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    assert (await ledger(client))["award"] is None
    await finish(site, "TASK-0001", "scout")
    await finish(site, "TASK-0002", "forge")
    assert (await ledger(client))["award"]["agent"] == "forge"
    await spend(site, "forge", "2026-11-22", 10, 0.01)
    assert (await ledger(client))["award"]["agent"] == "scout"
    await finish(site, "TASK-0003", "forge")
    assert (await ledger(client))["award"] == {"agent": "forge", "name": "forge", "tasks": 2, "cost": 0.01}


async def test_a_task_that_is_deleted_was_finished_all_the_same(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    await finish(site, "TASK-0001", "scout")
    await site.tell("task:deleted", taskId="TASK-0001")
    told = await ledger(client)
    assert [(task["description"], task["agent"]) for task in told["tasks"]] == [("Do TASK-0001", "scout")]
    assert told["award"]["agent"] == "scout"


async def test_who_has_a_task_when_it_is_finished_has_finished_it(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    await finish(site, "TASK-0001", "scout")
    clock.set("2026-11-23T08:00:00")
    await site.tell("task:assigned", taskId="TASK-0001", agentId="forge")
    assert (await ledger(client, "2026-11-22"))["award"]["agent"] == "scout"


@pytest.mark.parametrize("day", ["", "today", "2026-11-31", "20261123", "2026-W48-1", "0001-01-01"])
async def test_what_is_no_day_is_refused(client: httpx.AsyncClient, day: str) -> None:
    problem = check_problem(await client.get("/api/ledger", params={"day": day}), 400, "bad_request")
    assert "2026-11-23" in problem["detail"]
