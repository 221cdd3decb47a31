"""Publishers and readers that go on whatever happens to the server, and note everything in a `History`."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any, get_args

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from missioncontrol.client import Client, Event, Transport
from missioncontrol.client.route import Choice
from tests.process.history import History, Publication

TYPES = ["agent:step", "task:step", "custom:step"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
PATIENCE = 5.0
"""Seconds that a publisher waits for one answer."""
PAUSE = 0.2
"""Seconds that a publisher rests at most, so that the readers in the same process have their share of it."""


def make_events(
    history: History, name: str, number: int, chance: Random, most: int
) -> tuple[Publication, Any]:
    """Make 1 to `most` events to be published together, each with a key that also stands in its data."""
    keys = [f"{name}-{number}-{place}" for place in range(chance.randint(1, most))]
    events = [
        {"type": chance.choice(TYPES), "key": key, "data": {"key": key, "pad": "x" * chance.randint(0, 160)}}
        for key in keys
    ]
    return history.asks(keys), events


async def publish_over_http(
    history: History, url: str, name: str, stop: asyncio.Event, *, most: int = 40, patient: bool = True
) -> None:
    """Publish NDJSON again and again; whoever is not patient asks once and never learns what became of it."""
    chance = Random(name)
    number = 0
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        while not stop.is_set():
            publication, events = make_events(history, name, number, chance, most)
            number += 1
            body = "\n".join(json.dumps(event) for event in events)
            while publication.ids is None and not stop.is_set():
                try:
                    async with session.post("/api/events", data=body) as answer:
                        if answer.status == 201:
                            history.is_told(publication, (await answer.json())["ids"])
                        else:
                            assert answer.status == 503, await answer.text()
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(chance.random() * PAUSE)
                if not patient:
                    break


async def publish_over_websocket(
    history: History, ws_url: str, name: str, stop: asyncio.Event, *, most: int = 40
) -> None:
    """Publish over one WebSocket after another, each publication until it is acknowledged."""
    chance = Random(name)
    number = 0
    waiting: tuple[Publication, Any] | None = None
    while not stop.is_set():
        try:
            async with connect(
                f"{ws_url}?events=none:of-them", ping_interval=None, close_timeout=0.2
            ) as socket:
                while not stop.is_set():
                    if waiting is None:
                        waiting = make_events(history, name, number, chance, most)
                        number += 1
                    publication, events = waiting
                    ids = await _publish(socket, events, number)
                    if ids is not None:
                        history.is_told(publication, ids)
                        waiting = None
                    await asyncio.sleep(chance.random() * PAUSE)
        except (OSError, WebSocketException, TimeoutError, EOFError):
            pass
        await asyncio.sleep(PAUSE)


async def _publish(socket: ClientConnection, events: Any, ref: int) -> list[int] | None:
    async with asyncio.timeout(PATIENCE):
        await socket.send(json.dumps({"type": "publish", "events": events, "ref": ref}))
        while True:
            message = json.loads(await socket.recv())
            if message.get("ref") == ref:
                if message["type"] == "published":
                    ids: list[int] = message["data"]["ids"]
                    return ids
                assert message["data"]["code"] in {"draining", "disk_full", "overloaded"}, message
                return None


async def read(
    history: History,
    url: str,
    name: str,
    patterns: list[str],
    transport: Choice,
    since: str,
    *,
    switching: float = 0.0,
    forgetting: float = 0.0,
) -> None:
    """Read until cancelled.

    After an event a reader may change its transport, with the probability `switching`, or give up its client and
    go on with a new one from the cursor it has kept, with the probability `forgetting`.
    """
    reading = history.reads(name, patterns)
    chance = Random(name)
    while True:
        async with Client(url, events=patterns, since=since, transport=transport) as client:
            async for item in client:
                assert isinstance(item, Event), f"{name} was told of {item}, though nothing is lost"
                assert client.cursor is not None
                since = client.cursor
                history.is_handed(reading, item, since)
                if chance.random() < switching:
                    client.switch(chance.choice(TRANSPORTS))
                if chance.random() < forgetting:
                    break
