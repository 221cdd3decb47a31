"""Two scenarios: a client that reads nothing among many that do, and one that is very far behind."""

from __future__ import annotations

import asyncio
import json
from statistics import quantiles
from time import monotonic
from typing import NamedTuple

import aiohttp
import msgspec

from missioncontrol.client import Client, Event, Publisher, Transport
from missioncontrol.testing import ServerProcess
from tests.process.crowd import listening
from tests.process.raw_socket import TEXT, RawSocket
from tests.process.server_probe import PeakMemory, figure, figure_reaches

BURST = "custom:burst"
EVENT_BYTES = 10_000
EVENTS_AT_ONCE = 32
LEAST_TICKS = 40


class _Numbered(msgspec.Struct):
    type: str
    id: int = 0


class Crawl(NamedTuple):
    """What a run has shown: bytes of memory, seconds."""

    memory: int
    behind: float


async def crawl_among(server: ServerProcess, count: int, events: int) -> Crawl:
    """Publish large events to `count` listeners and clients of all transports, and to one that reads nothing."""
    body = "\n".join([json.dumps({"type": BURST, "data": {"pad": "x" * EVENT_BYTES}})] * EVENTS_AT_ONCE)
    async with (
        listening(server.url, count) as crowd,
        await RawSocket.websocket(server.url, f"?events={BURST}", receive_buffer=32 * 1024) as crawler,
        aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        clients = [
            asyncio.create_task(_read_by(server.url, transport, events)) for transport in ("sse", "poll")
        ]
        await figure_reaches(server.url, "live_clients", count + 2)
        ids: list[int] = []
        async with PeakMemory(server) as memory:
            for _ in range(events // EVENTS_AT_ONCE):
                async with session.post("/api/events", data=body) as answer:
                    assert answer.status == 201
                    ids += (await answer.json())["ids"]
            acknowledged = monotonic()
            await asyncio.gather(*(listener.has_come_to(ids[-1], 60) for listener in crowd))
            behind = monotonic() - acknowledged
        for listener in crowd:
            assert listener.ids == ids
        assert await asyncio.gather(*clients) == [ids, ids]
        assert await figure(server.url, "slow_clients_total") >= 1
        assert await figure(server.url, "too_slow_closes_total") == 0
        assert await _read_ids(crawler, len(ids)) == ids
    return Crawl(memory.grown, behind)


async def _read_by(url: str, transport: Transport, count: int) -> list[int]:
    ids: list[int] = []
    async with Client(url, events=BURST, transport=transport) as client:
        while len(ids) < count:
            item = await anext(client)
            assert isinstance(item, Event)
            ids.append(item.id)
    return ids


async def _read_ids(socket: RawSocket, count: int) -> list[int]:
    ids: list[int] = []
    while len(ids) < count:
        frame = await socket.receive()
        assert frame is not None, f"the connection ended after {len(ids)} events"
        if frame.opcode == TEXT:
            found = msgspec.json.decode(frame.payload, type=_Numbered)
            if found.type == BURST:
                ids.append(found.id)
    return ids


class CatchUp(NamedTuple):
    """What a run has shown: bytes of memory, seconds, and the latency of a live client in seconds."""

    memory: int
    seconds: float
    median: float
    slowest_twentieth: float


async def catch_up_from(server: ServerProcess, events: int) -> CatchUp:
    """Let one client come from `events` behind, while another one is live."""
    async with Publisher(server.url) as publisher:
        # Larger than what a listener must see of an event to count it.
        drafts = [{"type": BURST, "data": {"n": n, "pad": "x" * 60}} for n in range(events)]
        ids = await publisher.publish_many(drafts)
        del drafts
        latencies: list[float] = []
        async with Client(server.url, events="custom:tick") as live:
            await live.ready()
            assert live.cursor is not None
            since = f"{live.cursor.split(':')[0]}:{ids[0] - 1}"
            stop = asyncio.Event()
            ticking = asyncio.create_task(_tick(live, publisher, latencies, stop))
            async with PeakMemory(server) as memory:
                started = monotonic()
                async with listening(server.url, 1, f"?events={BURST}&since={since}") as (far_behind,):
                    await far_behind.has_come_to(ids[-1], 120)
                    seconds = monotonic() - started
                    assert far_behind.ids == ids
            stop.set()
            async with asyncio.timeout(20):
                await ticking
    cuts = quantiles(latencies, n=20)
    return CatchUp(memory.grown, seconds, cuts[9], cuts[-1])


async def _tick(live: Client, publisher: Publisher, latencies: list[float], stop: asyncio.Event) -> None:
    """Publish one event after another, and note how long each took to come; at least enough for a median."""
    while not stop.is_set() or len(latencies) < LEAST_TICKS:
        started = monotonic()
        await publisher.publish("custom:tick")
        assert isinstance(await anext(live), Event)
        latencies.append(monotonic() - started)
