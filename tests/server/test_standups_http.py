"""Standups over HTTP: what they say of each agent, that they are kept, and how they are listed and read."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.server.site import PUBLISHER, READER, Site, check_problem

from missioncontrol.events import Draft
from missioncontrol.server.routes.standups import MARKDOWN
from missioncontrol.standups import standups as standups_module
from missioncontrol.store import memory

pytestmark = pytest.mark.anyio

NINE = 1_795_424_400_000
MINUTE = 60_000


class Clock:
    def __init__(self) -> None:
        self.now = NINE

    def read(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "now", clock.read)
    monkeypatch.setattr(standups_module, "now", clock.read)
    return clock


async def hold(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post("/api/standups", json=body)
    assert response.status_code == 201, response.text
    held: dict[str, Any] = response.json()
    return held


def agent_in(standup: dict[str, Any], id_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(agent for agent in standup["agents"] if agent["id"] == id_)
    return found


async def task(site: Site, id_: str, agent: str | None = "scout", **fields: object) -> None:
    made = {"id": id_, "description": f"Do {id_}", "status": "pending", "assignedTo": agent, **fields}
    await site.tell("task:created", task=made)


async def use(site: Site, tokens: int, cost: float, **more: Any) -> None:
    uses = [{"tokens": tokens, "cost": cost, "day": "2026-11-23", **more}]
    totals = site.state.tokens.of("scout")
    await site.tell(
        "token:usage",
        agent="scout",
        tokens=totals.get("tokens", 0) + tokens,
        cost=totals.get("cost", 0) + cost,
        delta={"tokens": tokens, "cost": cost, "uses": uses},
    )


async def test_it_says_what_each_agent_did_since_the_one_before(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy", agent={"name": "Scout"})
    for id_ in ("T-1", "T-2", "T-3", "T-4"):
        await task(site, id_)
    await task(site, "T-5", None)
    await site.tell("task:completed", taskId="T-1")
    await use(site, 100, 0.5)
    first = await hold(client)
    assert (agent_in(first, "scout")["tokens"], first["totals"]["completed"]) == (100, 1)

    clock.now += 60 * MINUTE
    await use(site, 40, 0.25)
    await use(site, 2, 0.0, costSource="none")
    await site.tell("task:completed", taskId="T-2")
    await site.tell("task:completed", taskId="T-5")
    await site.tell("task:updated", taskId="T-3", updates={"status": "in_progress"})
    await site.tell("task:updated", taskId="T-4", updates={"status": "blocked"})
    for path in ("agents/scout/a.md", "agents/scout/b.md", "agents/scout/a.md"):
        await site.tell("file:change", action="modified", path=path, agentId="scout")
    await site.tell("question:asked", question={"id": "Q-1", "text": "Which one?", "agentId": "scout"})
    await site.tell("system:alert", level="critical", message="The disk is full.")
    await site.tell("lead:added", lead={"id": "L-1"})
    await site.tell("agent:statusChange", agentId="scout", status="waiting")
    second = await hold(client)

    assert second["from"] == first["to"]
    assert second["to"]["cursor"] == site.cursor(site.state.id - 1)
    assert (second["complete"], second["since"]) == (True, first["to"]["time"])
    scout = agent_in(second, "scout")
    assert (scout["name"], scout["status"], scout["kind"]) == ("Scout", "waiting", "waiting")
    assert scout["completed"] == {"count": 1, "newest": [{"id": "T-2", "description": "Do T-2"}]}
    assert [one["id"] for one in scout["started"]["newest"]] == ["T-3"]
    assert [one["id"] for one in scout["blocked"]["newest"]] == ["T-4"]
    assert (scout["tokens"], scout["cost"], scout["unpricedTokens"]) == (42, 0.25, 2)
    assert scout["files"] == {"count": 2, "newest": ["agents/scout/a.md", "agents/scout/b.md"]}
    assert scout["questions"] == {"count": 1, "newest": [{"id": "Q-1", "text": "Which one?"}]}
    assert scout["lastActivity"] == second["to"]["time"]
    totals = second["totals"]
    # The task that no agent had is the fleet's.
    assert (totals["completed"], totals["started"], totals["blocked"]) == (2, 1, 1)
    assert (totals["files"], totals["leads"], totals["openQuestions"]) == (2, 1, 1)
    assert totals["alerts"] == {"critical": 1, "warning": 0, "info": 0}
    assert [alert["message"] for alert in second["alerts"]] == ["The disk is full."]


async def test_work_counts_for_the_agent_that_had_it_then_and_only_while_it_stays_done(
    client: httpx.AsyncClient, site: Site
) -> None:
    await task(site, "T-1", "scout")
    await task(site, "T-2", "scout")
    await task(site, "T-3", "scout", status="blocked")
    await hold(client)
    await site.tell("task:completed", taskId="T-1")
    await site.tell("task:assigned", taskId="T-1", agentId="forge")
    await site.tell("task:deleted", taskId="T-1")
    await site.tell("task:completed", taskId="T-2")
    await site.tell("task:updated", taskId="T-2", updates={"status": "review", "assignedTo": "forge"})
    await site.tell("task:updated", taskId="T-3", updates={"status": "in_progress"})
    held = await hold(client)
    scout = agent_in(held, "scout")
    assert [one["id"] for one in scout["completed"]["newest"]] == ["T-1"]
    assert [one["id"] for one in scout["started"]["newest"]] == ["T-3"]
    assert scout["blocked"]["count"] == 0
    assert all(agent["id"] != "forge" for agent in held["agents"])


async def test_use_of_which_the_events_do_not_say_how_much_is_new_is_unknown(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.tell("token:usage", agent="scout", tokens=5_000, cost=1.5)
    held = await hold(client)
    assert (agent_in(held, "scout")["tokens"], agent_in(held, "scout")["cost"]) == (None, None)
    assert (held["totals"]["tokens"], held["totals"]["cost"]) == (None, None)
    await site.tell("token:usage", agent="scout", tokens=5_600, cost=1.75)
    assert agent_in(await hold(client), "scout")["tokens"] == 600


async def test_where_the_log_was_trimmed_it_says_from_when_it_counts(
    client: httpx.AsyncClient, site: Site, clock: Clock
) -> None:
    await hold(client)
    clock.now += MINUTE
    await task(site, "T-1", status="in_progress")
    clock.now += MINUTE
    await site.tell("custom:event")
    await task(site, "T-2", status="in_progress")
    site.log.trim(2)
    held = await hold(client)
    assert (held["complete"], held["totals"]["started"]) == (False, 1)
    assert held["from"]["time"] < held["since"] == held["to"]["time"]


async def test_the_first_one_looks_a_day_back(client: httpx.AsyncClient, site: Site, clock: Clock) -> None:
    await task(site, "T-1", status="in_progress")
    clock.now += 25 * 60 * MINUTE
    await task(site, "T-2", status="in_progress")
    held = await hold(client)
    assert (held["complete"], held["totals"]["started"]) == (True, 1)
    assert held["from"]["cursor"] == site.cursor(1)


async def test_a_standup_of_nothing_is_one(client: httpx.AsyncClient, site: Site) -> None:
    held = await hold(client)
    assert (held["agents"], held["complete"]) == ([], True)
    assert (await client.get(f"/api/standups/{held['id'].lower()}")).json() == held


async def test_under_one_key_there_is_one(client: httpx.AsyncClient, site: Site) -> None:
    first = await hold(client, key="monday")
    await site.tell("custom:event")
    assert await hold(client, key="monday") == first
    header = await client.post("/api/standups", headers={"idempotency-key": "monday"})
    assert header.json() == first
    both = await client.post("/api/standups", headers={"idempotency-key": "a"}, json={"key": "b"})
    check_problem(both, 400, "bad_message")
    for wrong in ({"key": 1}, {"key": ""}, {"key": "x" * 101}, [1], {"other": 1}):
        check_problem(await client.post("/api/standups", json=wrong), 400, "bad_message")


async def test_more_than_can_be_held_are_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standups_module, "MAX_WAITING", 2)
    answers = await asyncio.gather(*(client.post("/api/standups") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 503, 503]
    assert (await client.post("/api/standups")).status_code == 201


async def test_the_list_is_led_on_from_newest_to_oldest(client: httpx.AsyncClient, site: Site) -> None:
    ids = [(await hold(client))["id"] for _ in range(5)][::-1]
    page = await client.get("/api/standups?limit=2")
    assert [one["id"] for one in page.json()] == ids[:2]
    assert page.headers["x-total-count"] == "5"
    found: list[str] = []
    url: str | None = "/api/standups?limit=2"
    while url is not None:
        page = await client.get(url)
        found += [one["id"] for one in page.json()]
        url = page.links.get("next", {}).get("url")
    assert found == ids
    check_problem(await client.get("/api/standups?after=S-NONE"), 404, "not_found")
    check_problem(await client.get("/api/standups/S-NONE"), 404, "not_found")
    assert len((await client.get("/api/standups?limit=0")).json()) == 1


async def test_it_can_be_read_as_markdown_and_makes_no_markup_of_what_others_wrote(
    client: httpx.AsyncClient, site: Site
) -> None:
    hostile = "<img src=x> [a](http://b) **b**\n# c `d`"
    await site.tell("agent:statusChange", agentId="scout", status="busy", agent={"name": "Scout"})
    await site.tell("agent:statusChange", agentId="idle", status="idle", agent={"name": "Idle"})
    await task(site, "T-1", description=hostile, status="in_progress")
    await use(site, 1_000, 0.5)
    held = await hold(client)
    for path, accept in (("?format=markdown", "*/*"), ("", MARKDOWN)):
        response = await client.get(f"/api/standups/{held['id']}{path}", headers={"accept": accept})
        assert response.headers["content-type"] == "text/markdown; charset=utf-8"
        text = response.text
        assert text.startswith("# Standup 20")
        assert "0 tasks completed, 1 started" in text
        assert "## Scout (busy)" in text
        assert "1,000 tokens for $0.50" in text
        assert "## Nothing to report\n\nIdle (idle)" in text
        assert "<img" not in text
        assert "\n# c" not in text
        assert "[a](" not in text
    json = await client.get(f"/api/standups/{held['id']}?format=json", headers={"accept": "text/markdown"})
    assert json.json() == held


async def test_a_large_fleet_makes_a_standup_that_is_kept(client: httpx.AsyncClient, site: Site) -> None:
    agents = [{"id": f"a{n:03}", "name": "é" * 150, "status": "idle"} for n in range(300)]
    await site.tell("state:baseline", source="agents", agents=agents)
    await task(site, "T-1", "a299", status="in_progress")
    held = await hold(client)
    assert held["agents"][0]["id"] == "a299"
    assert held["agentsLeftOut"] == 300 - len(held["agents"]) > 0
    assert [one["id"] for one in site.state.standups] == [held["id"]]


async def test_only_the_server_publishes_it(client: httpx.AsyncClient, site: Site) -> None:
    event = {"type": "standup:held", "data": {"standup": {"id": "S-1"}}}
    problem = check_problem(await client.post("/api/events", json=event), 403, "reserved_type")
    assert "POST /api/standups" in problem["detail"]


async def test_who_may_not_read_gets_the_id_alone(guarded: Site) -> None:
    async with guarded.client(READER) as reader, guarded.client(PUBLISHER) as publisher:
        check_problem(await reader.post("/api/standups"), 403, "forbidden")
        answered = (await publisher.post("/api/standups")).json()
        assert sorted(answered) == ["event", "id"]
        held = (await reader.get(f"/api/standups/{answered['id']}")).json()
        assert held["by"] == "publisher"


async def test_a_previous_standup_of_another_epoch_makes_it_incomplete(
    client: httpx.AsyncClient, site: Site
) -> None:
    old = {"id": "S-OLD", "to": {"time": "2026-11-22T09:00:00.000Z", "cursor": "gone:77"}}
    await site.log.append([Draft("standup:held", {"standup": old}, None, "standups")])
    held = await hold(client)
    assert (held["complete"], held["from"]) == (False, old["to"])
