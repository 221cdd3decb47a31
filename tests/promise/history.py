"""What happened, and whether it may have: publishers' acknowledgements against what readers were handed."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from missioncontrol.client import Client, Event, Gap, Snapshot, Transport
from missioncontrol.events import Patterns

TYPES = ["agent:step", "task:step", "custom:step"]


@dataclass
class History:
    """The keys of each publish, the ids that were acknowledged, and what each reader got."""

    groups: list[list[str]] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    read: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    patterns: dict[str, Patterns] = field(default_factory=dict)

    def has_acknowledged(self, count: int) -> bool:
        """Whether so many events have been acknowledged."""
        return len(self.acknowledged) >= count

    def check(self, log: list[dict[str, Any]]) -> None:
        """Hold everything against the log as it stands at the end."""
        ids = [event["id"] for event in log]
        assert ids == list(range(1, len(ids) + 1)), "the log has a hole"
        own = [event for event in log if "key" in event["data"]]
        place = {event["data"]["key"]: event["id"] for event in own}
        assert len(place) == len(own), "an event is in the log twice"
        for key, id_ in self.acknowledged.items():
            assert place.get(key) == id_, f"{key} was acknowledged as {id_} and stands at {place.get(key)}"
        for group in self.groups:
            there = [place[key] for key in group if key in place]
            assert len(there) in {0, len(group)}, "a publish was torn"
            assert not there or there == list(range(there[0], there[0] + len(group)))
        for name, got in self.read.items():
            wanted = [
                (event["id"], event["data"]["key"])
                for event in own
                if self.patterns[name].matches(event["type"])
            ]
            assert got == wanted, f"{name} was handed something else than what happened"


async def publish_over_http(history: History, url: str, name: str, stop: asyncio.Event) -> None:
    """Publish groups of random size; each is repeated until it is acknowledged."""
    chance = random.Random(name)
    number = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while not stop.is_set():
            keys = [f"{name}-{number}-{place}" for place in range(chance.randint(1, 40))]
            number += 1
            events = [
                {"type": chance.choice(TYPES), "key": key, "data": {"key": key, "pad": "x" * 80}}
                for key in keys
            ]
            history.groups.append(keys)
            body = "\n".join(json.dumps(event) for event in events)
            while True:
                try:
                    async with session.post(f"{url}/api/events", data=body) as answer:
                        if answer.status == 201:
                            ids = (await answer.json())["ids"]
                            history.acknowledged |= dict(zip(keys, ids, strict=True))
                            break
                        assert answer.status == 503, await answer.text()
                except (aiohttp.ClientError, TimeoutError):
                    pass
                if stop.is_set():
                    return
                await asyncio.sleep(0.02)


async def read(
    history: History,
    url: str,
    name: str,
    patterns: list[str],
    transport: Transport | Literal["auto"],
    since: str,
) -> None:
    """Read until cancelled; a reader whose transport is `auto` also changes it at random moments."""
    history.patterns[name] = Patterns(patterns)
    got = history.read[name] = []
    chance = random.Random(name)
    switching: list[Transport] = ["websocket", "sse", "poll"]
    async with Client(url, events=patterns, since=since, transport=transport) as client:
        async for item in client:
            match item:
                case Event():
                    if "key" in item.data:
                        got.append((item.id, item.data["key"]))
                case Gap() | Snapshot():
                    raise AssertionError(f"{name} was told of {item}, though nothing is lost")
            if transport == "auto" and chance.random() < 0.01:
                client.switch(chance.choice(switching))


async def whole_log(url: str) -> list[dict[str, Any]]:
    """Read everything that the log holds."""
    events: list[dict[str, Any]] = []
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/snapshot") as answer:
            head = (await answer.json())["cursor"]
        cursor = f"{head.split(':')[0]}:0"
        while int(cursor.split(":")[1]) < int(head.split(":")[1]):
            async with session.get(f"{url}/api/events", params={"since": cursor, "limit": "1000"}) as answer:
                page = await answer.json()
            assert "gap" not in page
            events += page["events"]
            cursor = page["cursor"]
    return events
