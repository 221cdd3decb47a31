"""Search over HTTP, with a real index next to a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.server.site import Site, check_problem

from missioncontrol.search import Search

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site()
    site.service.search = search = Search(site.log, tmp_path)
    site.log.listen(search.committed)
    search.start()
    for number in range(30):
        await site.tell("task:created", task={"id": f"TASK-{number:04}", "description": "Prüfe den Laden"})
    await site.tell("system:alert", level="warning", message="Nobody answers", details={"agentId": "scout"})
    async with asyncio.timeout(10):
        while search.trouble is not None or search.lag:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    yield site
    await search.stop()


async def test_what_is_found_says_where_it_stands_and_how_far_was_looked(
    client: httpx.AsyncClient, site: Site
) -> None:
    found = (await client.get("/api/search", params={"q": "answers agent:scout"})).json()
    (result,) = found["results"]
    text, ((begin, end),) = result["snippet"]["text"], result["snippet"]["matches"]
    assert text[begin:end] == "answers"
    assert (result["kind"], result["id"], result["cursor"]) == ("event", 31, site.cursor(31))
    assert (result["type"], result["agentId"], result["event"]["data"]["level"]) == (
        "system:alert",
        "scout",
        "warning",
    )
    assert (found["count"], found["countIsExact"], found["indexedTo"], found["lag"]) == (
        *(1, True, site.cursor(31)),
        0,
    )


async def test_pages_go_on_where_the_one_before_ended(client: httpx.AsyncClient) -> None:
    ids: list[int] = []
    params: dict[str, str | int] = {"q": "laden", "type": "task", "limit": 12}
    while True:
        page = (await client.get("/api/search", params=params)).json()
        ids += [result["id"] for result in page["results"]]
        if "next" not in page:
            break
        params["after"] = page["next"]
    assert ids == list(range(30, 0, -1))


async def test_times_narrow_it_down(client: httpx.AsyncClient) -> None:
    params = {"q": "laden", "until": "2000-01-01T00:00:00Z"}
    assert (await client.get("/api/search", params=params)).json()["results"] == []
    params = {"q": "laden", "since": "2000-01-01T00:00:00Z", "limit": "1"}
    assert (await client.get("/api/search", params=params)).json()["count"] == 30


async def test_a_pattern_of_all_types_narrows_nothing_down_and_breaks_nothing(
    client: httpx.AsyncClient, site: Site
) -> None:
    for query in ("type:*", "type:*,custom:*", "-laden type:*"):
        check_problem(await client.get("/api/search", params={"q": query}), 400, "bad_query")
    answer = await client.get("/api/search", params={"q": "laden type:*", "types": "*"})
    assert answer.json()["count"] == 30
    assert site.service.search is not None
    assert site.service.search.trouble is None


async def test_what_has_no_meaning_is_said_to_have_none(client: httpx.AsyncClient, site: Site) -> None:
    for params in ({"q": ""}, {"q": "-no"}, {"q": "x", "since": "soon"}, {"q": "x", "after": "x"}):
        check_problem(await client.get("/api/search", params=params), 400, "bad_query")
    check_problem(await client.get("/api/search", params={"q": "x type:!"}), 400, "bad_pattern")
    site.service.search = None
    check_problem(await client.get("/api/search", params={"q": "x"}), 404, "not_found")
