"""One scenario: the server is killed in mid-burst, again and again, while everybody publishes and reads on."""

from __future__ import annotations

import asyncio
import json
from random import Random

import aiohttp

from missioncontrol.client.route import Choice
from missioncontrol.testing import ServerProcess
from tests.process.history import History, read_log
from tests.process.traffic import publish_over_http, publish_over_websocket, read

READERS: list[tuple[str, list[str], Choice]] = [
    ("all by WebSocket", ["*"], "websocket"),
    ("agents by SSE", ["agent"], "sse"),
    ("tasks by long-poll", ["task:step"], "poll"),
    ("two kinds by what gets through", ["agent:*", "custom:step"], "auto"),
]


async def survive_kills(server: ServerProcess, rounds: int, seed: int) -> History:
    """Kill and restart the server so many times, then check everything; returns what happened."""
    chance = Random(seed)
    history = History()
    stop = asyncio.Event()
    epoch, _ = await read_log(server.url)
    start = f"{epoch}:0"
    url, ws_url = server.url, server.ws_url
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(read(history, url, *reader, start)) for reader in READERS]
        readers += [
            tasks.create_task(read(history, url, "all, switching", ["*"], "auto", start, switching=0.002)),
            tasks.create_task(read(history, url, "all, forgetting", ["*"], "auto", start, forgetting=0.0005)),
        ]
        publishers = [
            tasks.create_task(publish_over_http(history, url, "http", stop)),
            tasks.create_task(publish_over_http(history, url, "large", stop, most=200)),
            tasks.create_task(publish_over_http(history, url, "impatient", stop, most=200, patient=False)),
            tasks.create_task(publish_over_websocket(history, ws_url, "websocket", stop)),
        ]
        for _ in range(rounds):
            await history.grows_by(chance.randint(200, 1_500))
            # Not always right after an acknowledgement: at any moment of a publication.
            await asyncio.sleep(chance.random() * 0.02)
            server.kill()
            await asyncio.to_thread(server.start)
        await history.grows_by(200)
        stop.set()
        await asyncio.gather(*publishers)
        epoch, log = await read_log(url)
        await history.is_read_to_the_end(log)
        for reader in readers:
            reader.cancel()
    history.check(epoch, log)
    await _check_keys_still_hold(history, url, chance)
    return history


async def _check_keys_still_hold(history: History, url: str, chance: Random) -> None:
    """Whoever asks again under the same keys is told the same ids, however often the server was killed since."""
    told = [publication for publication in history.publications if publication.ids is not None]
    async with aiohttp.ClientSession(url) as session:
        for publication in chance.sample(told, min(20, len(told))):
            body = "\n".join(json.dumps({"type": "custom:again", "key": key}) for key in publication.keys)
            async with session.post("/api/events", data=body) as answer:
                assert (await answer.json())["ids"] == publication.ids
