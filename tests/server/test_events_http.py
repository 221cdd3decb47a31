"""Publishing and reading events over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.server.site import Site, check_problem, until

from missioncontrol.events import EVERYTHING, Draft
from missioncontrol.server.routes.events import Polls

pytestmark = pytest.mark.anyio


async def publish(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await client.post("/api/events", content=content, headers=headers)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'{"type":"a:b"}', 1),
        (b'  {"type":"a:b","data":{"x":1}}\n', 1),
        (b'[{"type":"a:b"},{"type":"c:d"}]', 2),
        (b'{"type":"a:b"}\n{"type":"c:d"}\n\n{"type":"e:f"}\n', 3),
        (b'{"type":"a:b","id":7,"time":"2026-11-23T10:15:00Z","source":"other","data":{}}', 1),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/plain", ""])
async def test_one_event_many_or_ndjson_are_told_apart_by_the_body(
    client: httpx.AsyncClient, site: Site, body: bytes, count: int, content_type: str
) -> None:
    response = await publish(client, body, **{"content-type": content_type})
    assert response.status_code == 201
    assert response.json() == {"ids": list(range(1, count + 1)), "cursor": site.cursor(count)}
    assert site.log.head == count


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_event"),
        (b"   \n ", 400, "bad_event"),
        (b"[]", 400, "bad_event"),
        (b"{", 400, "bad_message"),
        (b"\xff\xfe", 400, "bad_message"),
        (b"null", 400, "bad_event"),
        (b"1", 400, "bad_event"),
        (b'"text"', 400, "bad_event"),
        (b"{}", 400, "bad_event"),
        (b'{"type":"nocolon"}', 400, "bad_event"),
        (b'{"type":"server:draining"}', 400, "bad_event"),
        (b'{"type":"client:connected"}', 400, "bad_event"),
        (b'{"type":"a:b","data":[]}', 400, "bad_event"),
        (b'{"type":"a:b","key":""}', 400, "bad_event"),
        (b'{"type":"a:b"}\n{"type":"c:d"', 400, "bad_message"),
        (b'[{"type":"a:b"},{"type":1}]', 400, "bad_event"),
        (b"[" * 100_000, 400, "too_deep"),
        (b'{"type":"a:b","data":' + b'{"x":' * 100_000, 400, "too_deep"),
        (b'{"type":"a:b","data":{"x":"' + b"y" * 300_000 + b'"}}', 413, "too_large"),
    ],
)
async def test_what_is_no_event_is_refused_and_nothing_of_it_is_kept(
    client: httpx.AsyncClient, site: Site, body: bytes, status: int, code: str
) -> None:
    check_problem(await publish(client, body), status, code)
    assert site.log.head == 0


async def test_one_wrong_event_among_many_keeps_all_out(client: httpx.AsyncClient, site: Site) -> None:
    body = b"\n".join([b'{"type":"a:b"}'] * 99 + [b'{"type":"wrong"}'])
    check_problem(await publish(client, body), 400, "bad_event")
    assert site.log.head == 0


async def test_a_body_over_16_mib_is_too_large_with_a_length_and_without(
    client: httpx.AsyncClient, site: Site
) -> None:
    check_problem(await publish(client, b" " * (16 * 1024 * 1024 + 1)), 413, "too_large")

    async def endless() -> Any:
        while True:
            yield b" " * 1024 * 1024

    check_problem(await client.post("/api/events", content=endless()), 413, "too_large")
    assert site.log.head == 0


async def test_a_key_is_told_once(client: httpx.AsyncClient, site: Site) -> None:
    body = b'{"type":"a:b","key":"build-42"}'
    first, second = await publish(client, body), await publish(client, body)
    assert first.json() == second.json()
    assert second.status_code == 201
    assert site.log.head == 1


@pytest.mark.parametrize("header", ["build-42", '"build-42"'])
async def test_the_idempotency_key_header_is_the_key_of_a_single_event(
    client: httpx.AsyncClient, site: Site, header: str
) -> None:
    first = await publish(client, b'{"type":"a:b"}', **{"idempotency-key": header})
    second = await publish(client, b'{"type":"a:b","key":"build-42"}', **{"idempotency-key": header})
    assert first.json() == second.json()
    assert site.log.head == 1


async def test_the_idempotency_key_header_cannot_be_for_several_events_or_differ(
    client: httpx.AsyncClient, site: Site
) -> None:
    several = await publish(client, b'[{"type":"a:b"},{"type":"a:b"}]', **{"idempotency-key": "k"})
    check_problem(several, 400, "bad_event")
    differs = await publish(client, b'{"type":"a:b","key":"x"}', **{"idempotency-key": "k"})
    check_problem(differs, 400, "bad_event")
    too_long = await publish(client, b'{"type":"a:b"}', **{"idempotency-key": "k" * 257})
    check_problem(too_long, 400, "bad_event")
    assert site.log.head == 0


async def test_nothing_is_taken_while_draining(client: httpx.AsyncClient, site: Site) -> None:
    site.service.draining = True
    response = await publish(client, b'{"type":"a:b"}')
    check_problem(response, 503, "draining")
    assert int(response.headers["retry-after"]) >= 1
    assert site.log.head == 0


async def poll(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get("/api/events", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def test_without_a_cursor_a_poll_starts_at_the_head(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("a:b")
    assert await poll(client) == {"events": [], "cursor": site.cursor(1)}


async def test_polls_by_cursor_give_every_event_once_and_in_order(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.log.append([Draft("a:b", {"n": number}) for number in range(250)])
    cursor, seen = site.cursor(0), []
    while True:
        page = await poll(client, since=cursor, limit=100)
        if not page["events"]:
            break
        seen += [event["data"]["n"] for event in page["events"]]
        cursor = page["cursor"]
    assert seen == list(range(250))
    assert cursor == site.cursor(250)


async def test_a_filter_lets_its_events_through_and_moves_the_cursor_over_the_others(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.log.append([Draft("noise:tick")] * 7000)
    await site.tell("task:completed", taskId="T")
    await site.log.append([Draft("noise:tick")] * 10)
    page = await poll(client, since=site.cursor(0), events="task,agent:*", limit=1)
    assert [event["id"] for event in page["events"]] == [7001]
    page = await poll(client, since=page["cursor"], events="task,agent:*")
    assert page == {"events": [], "cursor": site.cursor(7011)}


async def test_a_filtered_page_that_is_cut_short_goes_on_behind_its_last_event(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.log.append([Draft("task:x" if number % 2 else "noise:x") for number in range(20)])
    first = await poll(client, since=site.cursor(0), events="task", limit=3)
    second = await poll(client, since=first["cursor"], events="task", limit=3)
    assert [event["id"] for event in first["events"] + second["events"]] == [2, 4, 6, 8, 10, 12]


async def test_a_waiting_poll_hears_of_the_event_it_waits_for(client: httpx.AsyncClient, site: Site) -> None:
    waiting = asyncio.create_task(poll(client, events="task", wait=50))
    await until(lambda: bool(site.hub._waiters))
    await site.tell("noise:tick")
    assert not waiting.done()
    await site.tell("task:completed", taskId="T")
    page = await asyncio.wait_for(waiting, 5)
    assert [event["type"] for event in page["events"]] == ["task:completed"]
    assert page["cursor"] == site.cursor(2)


async def test_a_poll_that_waits_in_vain_moves_its_cursor_on(client: httpx.AsyncClient, site: Site) -> None:
    waiting = asyncio.create_task(poll(client, since=site.cursor(0), events="task", wait=0.2))
    await until(lambda: bool(site.hub._waiters))
    await site.tell("noise:tick")
    assert await waiting == {"events": [], "cursor": site.cursor(1)}


async def test_draining_lets_waiting_polls_go(client: httpx.AsyncClient, site: Site) -> None:
    waiting = asyncio.create_task(poll(client, wait=50))
    await until(lambda: bool(site.hub._waiters))
    site.service.draining = True
    site.hub.release_waiters()
    assert (await asyncio.wait_for(waiting, 5))["events"] == []


async def test_each_waiting_poll_is_told_when_to_come_back(client: httpx.AsyncClient, site: Site) -> None:
    waiting = [
        asyncio.create_task(client.get("/api/events", params={"wait": 50, "events": pattern}))
        for pattern in ("a", "a", "b")
    ]
    await until(lambda: site.hub.waiting == 3)
    site.service.draining = True
    site.hub.drain_waiters([0.25, 1.5, 2.1234])
    answers = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    told = {answer.json()["reconnectAfter"]: answer.headers["retry-after"] for answer in answers}
    assert told == {0.25: "1", 1.5: "2", 2.123: "3"}
    assert site.hub.waiting == 0


async def test_no_more_polls_wait_than_clients_are_allowed() -> None:
    site = Site(max_clients=1)
    async with site.client() as client:
        waiting = asyncio.create_task(poll(client, wait=50))
        await until(lambda: bool(site.hub._waiters))
        refused = await client.get("/api/events", params={"wait": 50})
        check_problem(refused, 503, "overloaded")
        await site.tell("a:b")
        await waiting
        again = asyncio.create_task(poll(client, wait=50))
        await until(lambda: bool(site.hub._waiters))
        await site.tell("a:b")
        assert (await again)["cursor"] == site.cursor(2)


async def test_ids_that_are_gone_are_named(client: httpx.AsyncClient, site: Site) -> None:
    await site.log.append([Draft("a:b")] * 10)
    site.log.trim(6)
    page = await poll(client, since=site.cursor(2))
    assert page["gap"] == {"from": 3, "to": 6, "reason": "trimmed", "cursor": site.cursor(6)}
    assert [event["id"] for event in page["events"]] == [7, 8, 9, 10]
    # Up to its very edge nothing is missing.
    assert "gap" not in await poll(client, since=site.cursor(6))


async def test_a_cursor_of_another_life_or_ahead_gets_a_gap_at_once(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.tell("a:b")
    other = await poll(client, since="otherepoch:5", wait=50)
    assert other["gap"] == {"from": 6, "to": 6, "reason": "epoch", "cursor": site.cursor(1)}
    assert other["cursor"] == site.cursor(1)
    ahead = await poll(client, since=site.cursor(9), wait=50)
    assert ahead["gap"] == {"from": 2, "to": 9, "reason": "ahead", "cursor": site.cursor(1)}


async def test_a_poll_misses_nothing_after_it_has_read_the_log(site: Site) -> None:
    async def receive() -> Any:
        await asyncio.Event().wait()

    polls = Polls(1)
    waiting = asyncio.ensure_future(polls.wait(site.service, EVERYTHING, 30, receive))
    # What wakes it comes in the turn of the loop right after the one in which it began.
    await asyncio.sleep(0)
    site.hub.release_waiters()
    async with asyncio.timeout(5):
        assert await waiting


@pytest.mark.parametrize(
    "query",
    [
        "since=",
        "since=5",
        "since=a:b",
        "since=a:-1",
        "since=a:1e3",
        "since=a:99999999999999999999",
        "since=%00:1",
        "since=" + "a" * 60_000 + ":1",
        "events=",
        "events=,",
        "events=a:b:*",
        "events=**",
        "events=" + "a," * 300,
        "limit=1.5",
        "wait=-1",
        "wait=nan",
        "wait=inf",
        "wait=",
    ],
)
async def test_hostile_parameters_are_refused(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/api/events?{query}")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < 2000


async def test_the_newest_events_come_first_as_an_array(client: httpx.AsyncClient, site: Site) -> None:
    await site.log.append([Draft("a:b", {"n": number}) for number in range(20)])
    response = await client.get("/api/system/events?limit=10")
    events = response.json()
    assert [event["id"] for event in events] == list(range(20, 10, -1))
    assert all(event["time"] == event["timestamp"] == event["_timestamp"] for event in events)
    older = await client.get(response.links["next"]["url"])
    assert [event["id"] for event in older.json()] == list(range(10, 0, -1))
    assert "link" not in older.headers
    assert (await client.get("/api/system/events?events=task")).json() == []


async def test_pages_before_a_cursor_of_another_life_are_not_found(
    client: httpx.AsyncClient, site: Site
) -> None:
    path = "/api/system/events"
    await site.log.append([Draft("file:change", {"path": str(number)}) for number in range(20)])
    problem = check_problem(await client.get(f"{path}?before=former:11"), 404, "not_found")
    assert "another life" in problem["detail"]


async def test_a_stream_gives_what_was_missed_and_then_what_comes(site: Site) -> None:
    await site.tell("a:b", n=1)
    sent: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/events/stream",
        "raw_path": b"/api/events/stream",
        "query_string": f"since={site.cursor(0)}".encode(),
        "headers": [(b"host", b"localhost:3001"), (b"accept-encoding", b"gzip")],
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 3001),
        "asgi": {"version": "3.0"},
        "extensions": {},
    }
    task = asyncio.create_task(site.app(scope, receive, send))  # type: ignore[arg-type]

    def said() -> bytes:
        return b"".join(message.get("body", b"") for message in sent)

    await until(lambda: b'"n":1' in said())
    await site.tell("a:b", n=2)
    await until(lambda: b'"n":2' in said())
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    # So that no proxy holds it back, keeps it, or packs it.
    assert headers[b"x-accel-buffering"] == b"no"
    assert {"no-cache", "no-transform"} <= set(headers[b"cache-control"].decode().split(", "))
    assert b"content-encoding" not in headers
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert f"id: {site.cursor(2)}\n".encode() in said()
    gone.set()
    await asyncio.wait_for(task, 5)
    assert site.hub.clients == 0


async def test_a_stream_that_cannot_begin_is_a_problem(client: httpx.AsyncClient) -> None:
    check_problem(await client.get("/api/events/stream?since=wrong"), 400, "bad_cursor")
    check_problem(await client.get("/api/events/stream", headers={"last-event-id": "x"}), 400, "bad_cursor")


async def test_the_body_of_an_event_is_the_one_of_the_log(client: httpx.AsyncClient, site: Site) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy", note="ü\u2028")
    body = (await site.log.newest(EVERYTHING, limit=1))[0].body
    assert body in (await client.get("/api/events", params={"since": site.cursor(0)})).content
    assert json.loads(body)["data"]["note"] == "ü\u2028"
