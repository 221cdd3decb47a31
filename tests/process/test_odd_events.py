"""No event that a client publishes, or that an old log holds, costs another client an event or the server its start."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event
from missioncontrol.store.schema import DATABASE_NAME
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(60)]

MALFORMED_BASELINE = {"source": "x", "tokens": {"agents": {"a": {"tokens": 1, "cost": 1, "costs": "x"}}}}
USAGE = {
    "agent": "a",
    "tokens": 5,
    "cost": 1,
    "delta": {
        "uses": [{"model": "m", "day": "2026-11-29", "tokens": 1, "cost": 0.1, "costSource": "prices"}]
    },
}


async def post(server: ServerProcess, events: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/api/events", json=events) as answer,
    ):
        return answer.status, await answer.json()


async def get(server: ServerProcess, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}{path}") as answer:
        return answer.status, await answer.json()


def insert_events(server: ServerProcess, events: list[tuple[str, str]]) -> None:
    """Add events to the log of a server that has stopped, as a release without checks would have accepted them."""
    with sqlite3.connect(server.data / DATABASE_NAME) as database:
        id_, time, end = database.execute(
            "SELECT id, time, end FROM events ORDER BY id DESC LIMIT 1"
        ).fetchone()
        for type_, data in events:
            id_ += 1
            body = (
                f'{{"type":"{type_}","id":{id_},"time":"2026-11-29T10:15:00.123Z",'
                f'"source":"old","data":{data}}}'
            ).encode()
            end += len(body)
            database.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                (id_, time, end, type_, None, body),
            )
    database.close()


async def test_an_event_that_does_not_fit_costs_its_neighbour_and_the_next_start_nothing(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events="*") as client:
            await client.ready()
            await post(server, {"type": "state:baseline", "data": MALFORMED_BASELINE})
            _, body = await post(
                server, [{"type": "token:usage", "data": USAGE}, {"type": "custom:b", "data": {}}]
            )
            seen: list[int] = []
            while not seen or seen[-1] < body["ids"][-1]:
                item = await anext(client)
                if isinstance(item, Event):
                    seen.append(item.id)
            assert seen == list(range(seen[0], body["ids"][-1] + 1))
        server.kill()
        server.start()
        status, page = await get(server, f"/api/snapshot?at={body['cursor']}")
        assert status == 200
        assert page["state"]["tokens"]["agents"]["a"]["tokens"] == 5


async def test_a_log_of_an_earlier_release_with_malformed_and_deep_events_is_read_everywhere(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        await post(server, {"type": "custom:first", "data": {}})
        assert server.stop() == 0
        deep = '{"message":"deepest zebra","a":' + "[" * 978 + "]" * 978 + "}"
        insert_events(
            server,
            [
                ("state:baseline", json.dumps(MALFORMED_BASELINE)),
                ("token:usage", json.dumps(USAGE)),
                ("system:alert", deep),
                ("custom:deep", deep.replace("zebra", "giraffe")),
                ("custom:last", '{"note":"zebra"}'),
            ],
        )
        server.start()
        status, newest = await get(server, "/api/system/events?limit=1&events=custom")
        assert (status, newest[0]["type"]) == (200, "custom:last")
        last = newest[0]["id"]
        epoch = (await get(server, "/api/snapshot"))[1]["cursor"].partition(":")[0]
        for id_ in range(last - 5, last + 1):
            status, page = await get(server, f"/api/snapshot?at={epoch}:{id_}")
            assert status == 200, page
        assert page["state"]["tokens"]["agents"]["a"]["tokens"] == 5
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{server.url}/api/search?q=zebra") as answer:
                    assert answer.status in (200, 503)
                    found = await answer.json()
                if answer.status == 200 and str(last) in json.dumps(found):
                    break
        async with Client(server.url, events="*", since=f"{epoch}:0") as client:
            seen: list[int] = []
            while not seen or seen[-1] < last:
                item = await anext(client)
                if isinstance(item, Event):
                    seen.append(item.id)
        assert seen == list(range(1, last + 1))
