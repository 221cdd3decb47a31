"""Several nodes and hosts over one stream: the promise of one server, word for word."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event, Gap
from tests.nats_process import NatsProcess
from tests.process.history import History, read_log
from tests.process.nodes import Campus, get, head
from tests.process.server_probe import eventually
from tests.process.traffic import TRANSPORTS, publish_over_http, publish_over_websocket

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.nats, pytest.mark.timeout(180)]


@pytest.fixture
async def campus(nats: NatsProcess, tmp_path: Path) -> AsyncIterator[Campus]:
    campus = Campus(tmp_path, nats.url)
    yield campus
    await asyncio.to_thread(campus.close)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A NATS server that may be killed."""
    with NatsProcess(tmp_path / "nats") as server:
        server.start()
        yield server


@pytest.fixture
async def own(server: NatsProcess, tmp_path: Path) -> AsyncIterator[Campus]:
    campus = Campus(tmp_path, server.url)
    yield campus
    server.resume()
    await asyncio.to_thread(campus.close)


async def send(url: str, method: str, path: str, body: Any) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession(url) as session, session.request(method, path, json=body) as answer:
        return answer.status, await answer.json(), answer.headers


async def roam(history: History, urls: list[str], name: str, since: str) -> None:
    """Read until cancelled, and move to another node and transport with the cursor at any moment."""
    reading = history.reads(name, ["*"])
    chance = Random(name)
    while True:
        url, transport = chance.choice(urls), chance.choice(TRANSPORTS)
        async with Client(url, since=since, transport=transport) as client:
            async for item in client:
                assert isinstance(item, Event), f"{name} was told of {item}, though nothing is lost"
                assert client.cursor is not None
                since = client.cursor
                history.is_handed(reading, item, since)
                if chance.random() < 0.01:
                    break


async def test_clients_move_between_nodes_in_mid_burst_and_see_all_once_in_order(campus: Campus) -> None:
    alpha, beta = campus.add("alpha"), campus.add("beta")
    await campus.in_step()
    history, stop = History(), asyncio.Event()
    epoch, _ = await read_log(alpha.url)
    async with asyncio.TaskGroup() as tasks:
        readers = [
            tasks.create_task(roam(history, [alpha.url, beta.url], f"reader {n}", f"{epoch}:0"))
            for n in range(6)
        ]
        publishers = [
            tasks.create_task(publish_over_http(history, alpha.url, "http", stop)),
            tasks.create_task(publish_over_http(history, beta.url, "other", stop)),
            tasks.create_task(publish_over_websocket(history, beta.ws_url, "websocket", stop)),
        ]
        await history.grows_by(1_500)
        stop.set()
        await asyncio.gather(*publishers)
        await campus.in_step()
        epoch, log = await read_log(beta.url)
        await history.is_read_to_the_end(log)
        for reader in readers:
            reader.cancel()
    history.check(epoch, log)
    assert (epoch, log) == await read_log(alpha.url)
    assert {event.host for event in log} == {"alpha", "beta"}


async def test_of_two_agents_who_claim_a_task_at_two_nodes_one_gets_it(campus: Campus) -> None:
    alpha, beta = campus.add("alpha"), campus.add("beta")
    for turn in range(15):
        _, task, _ = await send(alpha.url, "POST", "/api/tasks", {"description": f"task {turn}"})
        await campus.in_step()
        path = f"/api/tasks/{task['id']}/assign"
        claims = await asyncio.gather(
            send(alpha.url, "POST", path, {"agentId": "scout", "claim": True}),
            send(beta.url, "POST", path, {"agentId": "nova", "claim": True}),
        )
        assert sorted(status for status, _, _ in claims) == [200, 409]
        (winner,) = [answer for status, answer, _ in claims if status == 200]
        await campus.in_step()
        for node in (alpha, beta):
            assert (await get(node.url, f"/api/tasks/{task['id']}"))["assignedTo"] == winner["assignedTo"]


async def test_agents_and_tasks_of_the_same_name_are_told_apart(campus: Campus) -> None:
    for host, status in (("alpha", "busy"), ("beta", "idle")):
        campus.put_state(host, "scout", status=status)
        queue = campus.workspace(host) / "mission-control" / "TASK_QUEUE.json"
        queue.parent.mkdir()
        queue.write_text(json.dumps({"tasks": [{"id": "TASK-0001", "description": host}], "nextId": 2}))
    alpha, beta = campus.add("alpha"), campus.add("beta")
    await campus.in_step()
    for node, other in ((alpha, beta), (beta, alpha)):
        agents = await get(node.url, "/api/agents")
        assert [(a["id"], a["host"], a["name"], a["status"]) for a in agents] == [
            ("scout@alpha", "alpha", "scout", "busy"),
            ("scout@beta", "beta", "scout", "idle"),
        ]
        home = "alpha" if node is alpha else "beta"
        assert (await get(node.url, "/api/agents/scout"))["host"] == home
        assert (await get(node.url, "/api/tasks/TASK-0001"))["description"] == home
        assert (await get(other.url, f"/api/tasks/TASK-0001@{home}"))["description"] == home
    code, changed, _ = await send(beta.url, "PUT", "/api/tasks/TASK-0001@alpha", {"priority": "P0"})
    assert (code, changed["id"]) == (200, "TASK-0001@alpha")

    async def written() -> bool:
        files = [
            json.loads((campus.workspace(host) / "mission-control" / "TASK_QUEUE.json").read_text())
            for host in ("alpha", "beta")
        ]
        return [file["tasks"][0].get("priority") for file in files] == ["P0", None]

    await eventually(written)
    queue = campus.workspace("alpha") / "mission-control" / "TASK_QUEUE.json"
    assert '"id": "TASK-0001"' in queue.read_text()


async def test_a_change_at_one_host_is_told_at_all_nodes_under_its_host(campus: Campus) -> None:
    campus.put_state("alpha", "scout", status="idle")
    alpha, beta = campus.add("alpha"), campus.add("beta")
    await campus.in_step()
    async with Client(beta.url, events=["agent:*"]) as client:
        following = asyncio.create_task(anext(aiter(client)))

        async def there() -> bool:
            return bool((await get(beta.url, "/health"))["wsClients"] == 1)

        await eventually(there)
        campus.put_state("alpha", "scout", status="busy")
        event = await asyncio.wait_for(following, 15)
    assert isinstance(event, Event)
    assert (event.host, event.data["agentId"], event.data["status"]) == ("alpha", "scout@alpha", "busy")

    async def folded() -> bool:
        return bool((await get(alpha.url, "/api/agents/scout"))["status"] == "busy")

    # Each node follows the stream by itself, and either may be the first.
    await eventually(folded)


async def test_while_nats_is_away_reading_goes_on_and_nothing_is_lost(
    own: Campus, server: NatsProcess
) -> None:
    own.put_state("alpha", "scout", status="idle")
    alpha, beta = own.add("alpha"), own.add("beta")
    await send(alpha.url, "POST", "/api/events", {"type": "custom:before"})
    await own.in_step()
    async with Client(beta.url, since=f"{(await read_log(beta.url))[0]}:0") as client:
        server.kill()

        async def away() -> bool:
            return bool((await get(alpha.url, "/health"))["status"] == "failing")

        await eventually(away)
        health = await get(alpha.url, "/health")
        assert health["cluster"]["engine"]["status"] == "away"
        status, problem, headers = await send(alpha.url, "POST", "/api/events", {"type": "custom:lost"})
        assert (status, int(headers["Retry-After"]) >= 1) == (503, True)
        assert "NATS is away" in problem["detail"]
        assert (await send(alpha.url, "POST", "/api/tasks", {"description": "x"}))[0] == 503
        assert (await get(alpha.url, "/api/agents/scout"))["status"] == "idle"
        assert (await get(beta.url, "/api/events?since=" + (await get(beta.url, "/api/events"))["cursor"]))[
            "events"
        ] == []
        own.put_state("alpha", "scout", status="busy")
        await asyncio.sleep(0.5)
        own.put_state("alpha", "scout", status="waiting")
        server.start()
        told = []
        async with asyncio.timeout(30):
            async for item in client:
                assert isinstance(item, Event)
                told.append(item)
                if item.data.get("status") == "waiting":
                    break
    ids = [event.id for event in told]
    assert ids == list(range(1, ids[-1] + 1))
    assert "custom:lost" not in {event.type for event in told}
    assert (await send(beta.url, "POST", "/api/events", {"type": "custom:after"}))[0] == 201

    async def well() -> bool:
        return bool((await get(alpha.url, "/health"))["status"] == "ok")

    await eventually(well)


async def test_a_node_that_was_killed_and_lost_its_data_tells_nothing_twice(campus: Campus) -> None:
    for n in range(3):
        campus.put_state("alpha", f"agent-{n}", status="idle")
    alpha, beta = campus.add("alpha"), campus.add("beta")
    for n in range(3):
        campus.put_state("alpha", f"agent-{n}", status="busy")

    async def told() -> bool:
        agents = await get(beta.url, "/api/agents")
        return [agent["status"] for agent in agents] == ["busy"] * 3

    await eventually(told)
    before = await read_log(beta.url)
    alpha.kill()
    shutil.rmtree(campus.folder / "alpha-data")
    campus.put_state("alpha", "agent-0", status="waiting")
    # A lease that nobody gives back ends by itself.
    await asyncio.to_thread(alpha.start)

    async def waiting() -> bool:
        return bool((await get(beta.url, "/api/agents/agent-0@alpha"))["status"] == "waiting")

    await eventually(waiting, 40.0)
    await campus.in_step()
    epoch, log = await read_log(alpha.url)
    assert (epoch, log[: len(before[1])]) == before
    assert [
        event.data["agentId"] for event in log[len(before[1]) :] if event.type.startswith("agent:status")
    ] == ["agent-0@alpha"]


async def test_of_two_nodes_on_one_workspace_one_watches_and_the_other_takes_over(campus: Campus) -> None:
    shared = campus.workspace("alpha")
    campus.put_state("alpha", "scout", status="idle")
    first = campus.add("alpha")
    second = campus.add("second", workspace=shared, MISSION_CONTROL_CLUSTER_HOST="alpha")
    await campus.in_step()
    for turn, status in enumerate(["busy", "idle", "busy"]):
        campus.put_state("alpha", "scout", status=status)

        async def told(turn: int = turn) -> bool:
            log = (await read_log(second.url))[1]
            return len([event for event in log if event.type == "agent:statusChange"]) == turn + 1

        await eventually(told)

    async def one_watches() -> bool:
        nodes = (await get(second.url, "/health"))["cluster"]["nodes"]
        return sorted(node["sources"] for node in nodes) == [False, True]

    await eventually(one_watches)
    first.kill()
    del campus.nodes["alpha"]
    campus.put_state("alpha", "scout", status="waiting")

    async def taken_over() -> bool:
        return bool((await get(second.url, "/api/agents/scout"))["status"] == "waiting")

    await eventually(taken_over, 40.0)
    log = (await read_log(second.url))[1]
    statuses = [event.data["status"] for event in log if event.type == "agent:statusChange"]
    assert statuses == ["busy", "idle", "busy", "waiting"]
    first.close()


async def test_each_node_knows_the_clients_of_all(campus: Campus) -> None:
    alpha, beta = campus.add("alpha"), campus.add("beta")
    async with Client(alpha.url), Client(beta.url), Client(beta.url):

        async def known() -> bool:
            for node in (alpha, beta):
                cluster = (await get(node.url, "/health"))["cluster"]
                clients = {one["host"]: one["clients"] for one in cluster["nodes"]}
                if (clients, cluster["clients"]) != ({"alpha": 1, "beta": 2}, 3):
                    return False
            return True

        await eventually(known)
        metrics = await get(alpha.url, "/health")
        assert metrics["wsClients"] == 1
    beta.kill()

    async def away() -> bool:
        hosts = (await get(alpha.url, "/api/system/status"))["cluster"]["hosts"]
        return not hosts["beta"]["online"] and hosts["beta"]["since"] is not None

    await eventually(away, 30.0)


async def test_a_host_s_name_that_is_taken_is_refused(campus: Campus) -> None:
    campus.add("alpha")
    with pytest.raises(Exception, match=r"called 'alpha' already.*cluster\.host"):
        await asyncio.to_thread(campus.add, "other", MISSION_CONTROL_CLUSTER_HOST="alpha")


async def test_more_replicas_than_there_are_servers_are_refused_with_the_reason(campus: Campus) -> None:
    thrice = partial(campus.add, "alpha", MISSION_CONTROL_CLUSTER_REPLICAS="3")
    with pytest.raises(Exception, match=r"replicas > 1 not supported.*change \[cluster\]") as refusal:
        await asyncio.to_thread(thrice)
    assert "does not answer" not in str(refusal.value)


async def test_a_stream_that_is_made_again_is_told_as_a_new_epoch(own: Campus, server: NatsProcess) -> None:
    alpha = own.add("alpha")
    for _ in range(3):
        await send(alpha.url, "POST", "/api/events", {"type": "custom:before"})
    epoch, _ = await read_log(alpha.url)
    async with Client(alpha.url, since=f"{epoch}:3") as client:
        following = asyncio.create_task(anext(aiter(client)))
        server.kill()
        server.erase()
        server.start()
        gap = await asyncio.wait_for(following, 60)
    assert isinstance(gap, Gap)
    assert (await send(alpha.url, "POST", "/api/events", {"type": "custom:after"}))[0] == 201
    assert (await read_log(alpha.url))[0] != epoch
    assert await head(alpha.url) >= 1
