"""Transcripts over HTTP: a session page by page, and search over what was said next to what has happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.site import Site, check_problem

from missioncontrol.config import Config
from missioncontrol.events import now
from missioncontrol.fleet.messages import END, Messages
from missioncontrol.fleet.source import Feed, SourceHealth, Workspace
from missioncontrol.runtimes.base import Transcript
from missioncontrol.search import Search
from missioncontrol.server.routes.sessions import MAX_SESSIONS_PAGE
from missioncontrol.state import FleetState
from missioncontrol.watch.ignore import Ignore

pytestmark = pytest.mark.anyio

LINE = '{"type":"user","uuid":"%d","timestamp":%d,"message":{"role":"user","content":"deploy %d"}}\n'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Half of what is looked for has happened, the other half was said, in turn."""
    site = Site()
    site.service.search = search = Search(site.log, tmp_path)
    site.log.listen(search.committed)
    search.start()
    began = now()
    for number in range(20):
        await site.tell("custom:note", text=f"deploy {number}", agentId="scout")
        await asyncio.sleep(0.002)
    path = tmp_path / "s1.jsonl"
    path.write_text("".join(LINE % (number, began + 1 + 2 * number, number) for number in range(20)))
    state = FleetState()
    place = Workspace(tmp_path, Ignore(), Config(data=str(tmp_path / "data")), state, state)
    site.service.messages = messages = Messages(place)
    feed = Feed(messages.name, site.log, SourceHealth(messages.name), asyncio.Event())
    place.written.put([Transcript(path, "claude")])
    running = asyncio.create_task(messages.run(feed))
    async with asyncio.timeout(10):
        await feed.looked.wait()
        while search.trouble is not None or search.lag:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        while len(await messages.page("s1", after=0, before=END, limit=20, newest=True) or []) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    yield site
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await search.stop()


async def walk(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    while True:
        page = (await client.get("/api/search", params=params)).json()
        results += page["results"]
        if "next" not in page:
            return results
        params["after"] = page["next"]


async def test_pages_over_both_give_everything_once_the_newest_first(client: httpx.AsyncClient) -> None:
    for limit in (1, 7, 100):
        results = await walk(client, q="deploy", limit=limit)
        assert len({(result["kind"], result["id"]) for result in results}) == len(results) == 40
        times = [result["time"] for result in results]
        assert times == sorted(times, reverse=True)
    assert {result["kind"] for result in await walk(client, q="deploy")} == {"event", "message"}


async def test_one_place_can_be_asked_for(client: httpx.AsyncClient) -> None:
    said = await walk(client, q="deploy 7", **{"in": "transcripts"})
    assert [(one["session"], one["role"], one["snippet"]["text"]) for one in said] == [
        ("s1", "user", "deploy 7")
    ]
    assert {one["kind"] for one in await walk(client, q="deploy", **{"in": "events"})} == {"event"}
    assert {one["kind"] for one in await walk(client, q="deploy", type="custom")} == {"event"}
    problem = check_problem(
        await client.get("/api/search", params={"q": "x", "in": "mail"}), 400, "bad_query"
    )
    assert "transcripts" in problem["detail"]


async def test_without_one_is_left_out_in_both(client: httpx.AsyncClient) -> None:
    results = await walk(client, q="deploy -7")
    assert len(results) == 38


async def test_a_session_is_read_from_its_end_to_its_beginning_and_back(client: httpx.AsyncClient) -> None:
    path, pages = "/api/sessions/s1/transcript", list[dict[str, Any]]()
    params: dict[str, Any] = {"limit": 6}
    while True:
        page = (await client.get(path, params=params)).json()
        pages.insert(0, page)
        if "older" not in page:
            break
        params["before"] = page["older"]
    texts = [message["text"] for page in pages for message in page["messages"]]
    assert texts == [f"deploy {number}" for number in range(20)]
    forward, after = list[str](), pages[0]["messages"][0]["id"]
    while after:
        page = (await client.get(path, params={"limit": 6, "after": after})).json()
        forward += [message["text"] for message in page["messages"]]
        after = page.get("newer")
    assert forward == texts[1:]


async def test_around_a_message_stands_what_is_before_and_after_it(client: httpx.AsyncClient) -> None:
    (found,) = await walk(client, q='"deploy 10"', **{"in": "transcripts"})
    params = {"around": found["id"], "limit": 6}
    page = (await client.get("/api/sessions/s1/transcript", params=params)).json()
    assert [message["text"] for message in page["messages"]] == [
        f"deploy {number}" for number in range(7, 13)
    ]
    assert {"older", "newer"} <= page.keys()


async def test_what_cannot_be_read_says_why(client: httpx.AsyncClient, site: Site) -> None:
    path = "/api/sessions/s1/transcript"
    assert (
        "unknown"
        in check_problem(await client.get("/api/sessions/none/transcript"), 404, "not_found")["detail"]
    )
    check_problem(await client.get(path, params={"before": "x"}), 400, "bad_query")
    check_problem(await client.get(path, params={"before": "9" * 19}), 400, "bad_query")
    check_problem(await client.get(path, params={"before": "1", "after": "1"}), 400, "bad_query")
    site.service.messages = Messages(Workspace(Path("/fleet"), Ignore(), Config(), site.state, site.state))
    check_problem(await client.get(path), 503, "unavailable")
    both = (await client.get("/api/search", params={"q": "deploy"})).json()
    assert (both["count"], "being opened" in both["trouble"]) == (20, True)
    site.service.messages.enabled = False
    assert "search.transcripts" in check_problem(await client.get(path), 404, "not_found")["detail"]
    assert {one["kind"] for one in await walk(client, q="deploy")} == {"event"}


async def test_the_conversations_are_listed_with_what_is_known_of_them(
    client: httpx.AsyncClient, site: Site
) -> None:
    use = {
        "session": "s2",
        "model": "m",
        "runtime": "codex",
        "tokens": 9,
        "cost": 0.5,
        "costSource": "prices",
    }
    early = {**use, "session": "s1", "runtime": "claude"}
    for agent, entry, at in (
        ("scout", early, "2020-01-01T10:00:00Z"),
        ("forge", use, "2020-01-02T10:00:00Z"),
    ):
        delta = {"tokens": 9, "cost": 0.5, "uses": [entry]}
        await site.tell("token:usage", agent=agent, tokens=9, cost=0.5, delta=delta, timestamp=at)
    answer = await client.get("/api/sessions")
    assert answer.headers["x-total-count"] == "2"
    first, second = answer.json()
    assert (first["id"], first["firstLine"], first["transcript"]) == ("s1", "deploy 0", True)
    assert (first["agentId"], first["model"], first["cost"]) == ("scout", "m", 0.5)
    assert first["started"] < first["updated"]
    assert (second["id"], second["firstLine"], second["transcript"]) == ("s2", None, False)
    assert second["updated"] == "2020-01-02T10:00:00.000Z"

    page = await client.get("/api/sessions?limit=1")
    following = await client.get(page.links["next"]["url"])
    assert [one["id"] for one in (*page.json(), *following.json())] == ["s1", "s2"]
    assert "next" not in following.links
    assert [one["id"] for one in (await client.get("/api/sessions?agent=forge")).json()] == ["s2"]
    check_problem(await client.get("/api/sessions?after=x"), 400, "bad_query")
    assert (await client.get(f"/api/sessions?limit={MAX_SESSIONS_PAGE + 1}")).status_code == 200
    site.service.messages.enabled = False
    assert [one["firstLine"] for one in (await client.get("/api/sessions")).json()] == [None, None]
