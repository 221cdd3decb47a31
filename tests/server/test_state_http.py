"""The state over HTTP: lists and single records, snapshots now and earlier, the server itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.server.site import READER, Site, check_problem

from missioncontrol.events import Draft
from missioncontrol.server.metric_table import METRICS
from missioncontrol.server.metrics import collect_json
from missioncontrol.state import FleetState
from missioncontrol.store import StateCheckpoint

pytestmark = pytest.mark.anyio


async def get(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_lists_are_empty_before_the_first_event(client: httpx.AsyncClient, site: Site) -> None:
    response = await client.get("/api/agents")
    assert (response.json(), response.headers["x-total-count"]) == ([], "0")
    assert response.headers["x-cursor"] == site.cursor(0)
    leads = await get(client, "/api/leads")
    assert (leads["success"], leads["scoredLeads"], leads["leads"], leads["count"]) == (False, [], [], 0)
    assert (await get(client, "/api/tasks"))["tasks"] == []
    tokens = await get(client, "/api/tokens")
    assert tokens["budgets"]["fleet"] == {"budget": 10.0, "spent": 0.0, "percentUsed": 0.0}
    assert (tokens["agents"], tokens["dailyUsage"], tokens["recentSessions"]) == ([], [], [])
    assert tokens["total"] == {"tokens": 0, "cost": 0}
    assert tokens["cursor"] == site.cursor(0)


async def test_agents_tasks_leads_and_tokens_are_those_of_the_state(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy")
    await site.tell("task:created", task={"id": "TASK-0001", "description": "Look"})
    await site.tell("lead:added", lead={"id": "L-1", "name": "Acme"})
    await site.tell("token:usage", agent="scout", tokens=100, cost=0.5)
    assert (await get(client, "/api/agents"))[0]["status"] == "busy"
    assert (await get(client, "/api/agents/scout"))["id"] == "scout"
    assert (await get(client, "/api/tasks"))["tasks"][0]["description"] == "Look"
    assert (await get(client, "/api/tasks/TASK-0001"))["id"] == "TASK-0001"
    assert (await get(client, "/api/leads"))["leads"][0]["name"] == "Acme"
    tokens = await get(client, "/api/tokens")
    assert tokens["total"] == {"tokens": 100, "cost": 0.5}
    assert tokens["cursor"] == site.cursor(4)


async def test_an_agent_is_found_by_its_name_in_any_case(client: httpx.AsyncClient, site: Site) -> None:
    agent = {"id": "s-1", "name": "Scout", "status": "busy"}
    await site.tell("agent:statusChange", agentId="s-1", status="busy", agent=agent)
    for path in ("/api/agents/s-1", "/api/agents/S-1", "/api/agents/sCOUT"):
        assert (await get(client, path))["id"] == "s-1"


async def test_tokens_say_how_it_stands_with_todays_budgets_and_what_has_no_price(
    client: httpx.AsyncClient, site: Site
) -> None:
    site.service.config.budgets.agents["scout"] = 5.0
    today = (await get(client, "/api/tokens"))["budgets"]["day"]
    use = {
        "model": "fake-1",
        "day": today,
        "tokens": 100,
        "calls": 1,
        "cost": 1.0,
        "costSource": "transcript",
    }
    unknown = {**use, "model": "new-1", "cost": 0, "costSource": "none"}
    await site.tell("token:usage", agent="scout", tokens=200, cost=1.0, delta={"uses": [use, unknown]})
    tokens = await get(client, "/api/tokens")
    assert tokens["budgets"]["fleet"] == {"budget": 10.0, "spent": 1.0, "percentUsed": 10.0}
    assert tokens["budgets"]["agents"] == {"scout": {"budget": 5.0, "spent": 1.0, "percentUsed": 20.0}}
    assert tokens["unpriced"] == ["new-1"]


async def test_who_is_not_there_is_not_found(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy")
    for path in ["/api/agents/scou", "/api/agents/scoutt", "/api/tasks/x"]:
        problem = check_problem(await client.get(path), 404, "not_found")
        assert path.split("/")[3] in problem["detail"]


async def test_an_id_may_be_any_text(client: httpx.AsyncClient, site: Site) -> None:
    for id_ in ["with space", "ünïcode", "a'b\"c", "..", "%", "1"]:
        await site.tell("agent:statusChange", agentId=id_, status="idle")
    for id_ in ["with%20space", "%C3%BCn%C3%AFcode", "a%27b%22c", "%25", "1"]:
        assert (await client.get(f"/api/agents/{id_}")).status_code == 200


async def test_pages_of_agents_give_each_one_once(client: httpx.AsyncClient, site: Site) -> None:
    for number in range(25):
        await site.tell("agent:statusChange", agentId=f"agent-{number:02} ü", status="idle")
    seen, path = [], "/api/agents?limit=10"
    sizes = []
    while path:
        response = await client.get(path)
        assert response.headers["x-total-count"] == "25"
        sizes.append(len(response.json()))
        seen += [agent["id"] for agent in response.json()]
        path = response.links.get("next", {}).get("url", "")
    assert seen == [f"agent-{number:02} ü" for number in range(25)]
    assert sizes == [10, 10, 5]
    assert await get(client, "/api/agents?after=zzz") == []


async def test_a_snapshot_stands_at_its_cursor(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy")
    snapshot = await get(client, "/api/snapshot")
    assert snapshot == {"state": site.state.snapshot(), "cursor": site.cursor(1)}


async def history(site: Site, count: int) -> None:
    for number in range(1, count + 1):
        await site.tell("agent:statusChange", agentId="scout", status=f"step {number}")


async def status_at(client: httpx.AsyncClient, at: str) -> str:
    response = await client.get("/api/snapshot", params={"at": at})
    assert response.status_code == 200, response.text
    status: str = response.json()["state"]["agents"][0]["status"]
    return status


async def test_an_earlier_snapshot_is_the_state_as_it_was(client: httpx.AsyncClient, site: Site) -> None:
    await history(site, 20)
    for number in (1, 7, 20):
        response = await client.get("/api/snapshot", params={"at": site.cursor(number)})
        assert response.json()["cursor"] == site.cursor(number)
        assert response.json()["state"]["agents"][0]["status"] == f"step {number}"
    assert (await get(client, f"/api/snapshot?at={site.cursor(0)}"))["state"]["agents"] == []


async def test_an_earlier_snapshot_equals_what_was_folded_then(client: httpx.AsyncClient, site: Site) -> None:
    expected = []
    for number in range(30):
        await site.tell("token:usage", agent=f"a{number % 3}", tokens=number, cost=number / 7)
        await site.tell("system:alert", level="warning", message=f"alert {number}")
        expected.append(site.state.snapshot())
    for number, state in enumerate(expected):
        then = await get(client, f"/api/snapshot?at={site.cursor(2 * number + 2)}")
        assert then["state"] == state


async def test_a_kept_state_is_what_an_earlier_snapshot_is_folded_from(
    client: httpx.AsyncClient, site: Site
) -> None:
    await history(site, 10)
    await site.log.save_state(StateCheckpoint(site.state.id, site.state.dump()))
    await history(site, 10)
    site.log.trim(8)
    assert await status_at(client, site.cursor(10)) == "step 10"
    assert await status_at(client, site.cursor(12)) == "step 2"
    problem = check_problem(
        await client.get("/api/snapshot", params={"at": site.cursor(9)}), 404, "not_found"
    )
    assert site.cursor(9) in problem["detail"]


async def test_a_moment_may_be_given_in_any_usual_form(client: httpx.AsyncClient, site: Site) -> None:
    await history(site, 3)
    moment = site.log._records[-1].time
    iso = datetime.fromtimestamp(moment / 1000, UTC)
    for at in [str(moment), iso.isoformat(), iso.isoformat().replace("+00:00", "Z"), "2999-01-01T00:00:00Z"]:
        assert await status_at(client, at) == "step 3"
    # A plus sign that was not percent-encoded.
    response = await client.get(f"/api/snapshot?at={iso.isoformat()}")
    assert response.status_code == 200


async def test_a_moment_before_the_oldest_event_cannot_be_had(client: httpx.AsyncClient, site: Site) -> None:
    check_problem(await client.get("/api/snapshot?at=2001-01-01T00:00:00Z"), 404, "not_found")
    await history(site, 5)
    problem = check_problem(await client.get("/api/snapshot?at=1000"), 404, "not_found")
    assert site.cursor(1) in problem["detail"]


async def test_a_moment_of_another_life_or_ahead_cannot_be_had(client: httpx.AsyncClient, site: Site) -> None:
    await history(site, 2)
    check_problem(await client.get("/api/snapshot?at=other:1"), 404, "not_found")
    check_problem(await client.get(f"/api/snapshot?at={site.cursor(3)}"), 404, "not_found")


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-11-23",
        "2026-13-45T99:99:99Z",
        "2026-11-23T10:15:00",
        "-1",
        "1e9",
        "9" * 40,
        "a:b",
        ":",
        "\x00",
        "٣٤",
    ],
)
async def test_what_is_no_moment_is_refused(client: httpx.AsyncClient, at: str) -> None:
    check_problem(await client.get("/api/snapshot", params={"at": at}), 400, "bad_cursor")


async def test_a_kept_state_that_cannot_be_read_is_passed_over(client: httpx.AsyncClient, site: Site) -> None:
    await history(site, 3)
    await site.log.save_state(StateCheckpoint(2, b"garbage"))
    assert await status_at(client, site.cursor(2)) == "step 2"
    site.log.trim(2)
    check_problem(await client.get("/api/snapshot", params={"at": site.cursor(2)}), 404, "not_found")


async def test_what_is_watched_is_said(client: httpx.AsyncClient, site: Site) -> None:
    assert (await get(client, "/api/files/watch"))["watching"] is False
    site.sources["files"] = {"status": "running", "lag": 0.01}
    watch = await get(client, "/api/files/watch")
    assert watch["watching"] is True
    assert watch["workspace"] == "/fleet/workspace"
    assert watch["source"]["lag"] == 0.01


async def test_health_is_ok_and_says_what_the_older_server_said(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/api/health"):
        health = await get(client, path)
        assert health["status"] == "ok"
        assert health["wsClients"] == 0
        assert health["uptime"] >= 0
        assert health["timestamp"].endswith("Z")
        assert health["services"]["log"]["status"] == "ok"


async def test_health_says_why_it_is_not_ok(client: httpx.AsyncClient, site: Site) -> None:
    site.log.trouble = "There is no room for the log."
    response = await client.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "failing"
    assert int(response.headers["retry-after"]) >= 1
    assert response.json()["reason"] == "There is no room for the log."
    site.log.trouble = None
    site.sources["agents"] = {"status": "failed", "error": "the folder is gone"}
    response = await client.get("/health")
    assert response.status_code == 503
    assert "the folder is gone" in response.json()["reason"]
    site.sources["agents"] = {"status": "stalled", "error": "it has not moved for 42 s (reading /mnt/a)"}
    response = await client.get("/health")
    assert response.status_code == 503
    reason = "The source 'agents' hangs: it has not moved for 42 s (reading /mnt/a)."
    assert response.json()["reason"] == reason
    site.sources["agents"] = {"status": "running", "error": None}
    site.service.background.report("permissions", ValueError("no such time"))
    response = await client.get("/health")
    assert response.status_code == 503
    assert (
        "'permissions' has failed and is tried again: ValueError: no such time" in response.json()["reason"]
    )
    assert response.json()["services"]["permissions"]["failures"] == 1
    site.service.background.report("permissions", None)
    assert (await client.get("/health")).status_code == 200
    site.service.draining = True
    response = await client.get("/health")
    assert (response.status_code, response.json()["status"]) == (503, "draining")


async def test_health_without_the_token_says_no_more_than_whether(guarded: Site) -> None:
    guarded.log.trouble = "There is no room in /home/somebody."
    for token in (None, "wrong"):
        async with guarded.client(token) as client:
            response = await client.get("/health")
        assert response.status_code == 503
        assert response.json().keys() == {"status", "timestamp"}
    async with guarded.client(READER) as client:
        assert "no room" in (await client.get("/health")).json()["reason"]


async def test_the_system_status_has_gateway_server_and_log(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("system:status", status="running")
    await site.tell("system:alert", level="warning", message="Memory is short.")
    status = await get(client, "/api/system/status")
    assert status["gateway"]["status"] == "running"
    assert status["alerts"][0]["message"] == "Memory is short."
    assert status["log"] == {"epoch": site.log.epoch, "first": 1, "head": 2, "trouble": None}
    assert status["simulation"] is False
    assert status["cursor"] == site.cursor(2)


async def test_connections_are_listed(client: httpx.AsyncClient, site: Site) -> None:
    site.hub.connections = lambda: [  # type: ignore[method-assign]
        {"clientId": "young", "connectedSeconds": 1.0},
        {"clientId": "old", "connectedSeconds": 9.0},
    ]
    client.headers["authorization"] = f"Bearer {site.owner}"
    page = await get(client, "/api/system/connections?limit=1")
    assert page == {"connections": [{"clientId": "old", "connectedSeconds": 9.0}], "count": 2}


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient, site: Site) -> None:
    await site.log.append([Draft("a:b")] * 3)
    site.sources["files"] = {"status": "running", "lag": 0.25, "restarts": 2}
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = response.text.splitlines()
    assert "mission_control_events_total 3.0" in lines
    assert 'mission_control_source_lag_seconds{source="files"} 0.25' in lines
    assert "# TYPE mission_control_events_total counter" in lines
    for figure in METRICS:
        assert f"# TYPE {figure.name} {figure.kind}" in lines


async def test_metrics_are_open_metrics_where_that_is_asked_for(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


async def test_metrics_are_json_where_that_is_asked_for(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("a:b")
    response = await client.get("/metrics", headers={"accept": "application/json"})
    figures = response.json()
    assert figures["figures"]["mission_control_events_total"] == 1
    assert figures["clients"] == {"total": 0, "max": 10_000}
    assert figures["memory"]["rss"] > 0
    assert collect_json(site.service).keys() == figures.keys()


async def test_a_source_without_a_lag_has_none(site: Site) -> None:
    site.sources["files"] = {"status": "starting", "lag": None}
    figures = collect_json(site.service)["figures"]
    assert figures["mission_control_source_lag_seconds"] == {}
    assert figures["mission_control_source_up"] == {"files": 0.0}


async def test_the_websocket_says_what_it_is_to_plain_http(client: httpx.AsyncClient) -> None:
    page = await get(client, "/api/ws")
    assert "agent:statusChange" in page["events"]
    assert "subscribe" in page["clientMessages"]
    assert "gap" in page["serverMessages"]


async def test_a_state_of_its_own_is_not_changed_by_looking_back(
    client: httpx.AsyncClient, site: Site
) -> None:
    await history(site, 5)
    before = site.state.encoded()
    await status_at(client, site.cursor(2))
    assert site.state.encoded() == before
    assert isinstance(site.state, FleetState)


async def test_one_mad_publisher_makes_neither_metrics_nor_pages_long(
    client: httpx.AsyncClient, site: Site
) -> None:
    usage = [
        Draft("token:usage", {"agent": f"a{number:05}", "tokens": number, "cost": 1})
        for number in range(2_000)
    ]
    await site.log.append(usage)
    text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("mission_control_tokens_total{")]
    assert len(lines) == 201
    assert 'mission_control_tokens_total{agent="a01999"} 1999.0' in lines
    rest = sum(range(1_800))
    (other,) = [line for line in lines if 'agent="other"' in line]
    assert float(other.rpartition(" ")[2]) == rest
    # One that has grown since stays where it was, so that no counter goes down.
    await site.log.append([Draft("token:usage", {"agent": "a00001", "tokens": 9_999, "cost": 1})])
    figures = (await client.get("/metrics", headers={"accept": "application/json"})).json()["figures"]
    assert figures["mission_control_tokens_total"]["other"] == rest + 9_998
