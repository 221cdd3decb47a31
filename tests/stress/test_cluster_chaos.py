"""Three NATS servers, three nodes, clients that move at random, while everything is killed, stopped and cut off."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from random import Random

import pytest

from missioncontrol.testing import ServerProcess
from tests.nats_process import NatsProcess, free_port
from tests.process.history import History, read_log
from tests.process.link import Link
from tests.process.nodes import Campus
from tests.process.test_cluster import roam
from tests.process.traffic import publish_over_http, publish_over_websocket

pytestmark = [pytest.mark.anyio, pytest.mark.stress, pytest.mark.nats]

CLIENTS = int(os.environ.get("MISSION_CONTROL_CHAOS_CLIENTS", "300"))
SECONDS = float(os.environ.get("MISSION_CONTROL_CHAOS_SECONDS", "180"))
SEED = int(os.environ.get("MISSION_CONTROL_CHAOS_SEED", "1"))


def start_nats(folder: Path, stack: ExitStack) -> list[NatsProcess]:
    """Start three servers that make up one cluster; none tells clients of the others."""
    ports = [free_port() for _ in range(3)]
    servers = [
        stack.enter_context(
            NatsProcess(
                folder / f"nats-{n}",
                name=f"nats-{n}",
                cluster_port=port,
                routes=[p for p in ports if p != port],
            )
        )
        for n, port in enumerate(ports)
    ]
    for server in servers:
        server.start(wait=False)
    for server in servers:
        server.wait_ready()
    return servers


class Chaos:
    """Breaks one thing at a time, and mends it."""

    def __init__(self, servers: list[NatsProcess], nodes: list[ServerProcess], links: list[Link]) -> None:
        self._servers = servers
        self._nodes = nodes
        self._links = links
        self.done: list[str] = []

    async def break_something(self, chance: Random) -> None:
        """Do one of the things that happen to machines."""
        what = chance.choice(
            ["kill a server", "kill a node", "stop a server", "stop a node", "cut a link", "kill all servers"]
        )
        self.done.append(what)
        rest = chance.uniform(0.2, 3.0)
        server, node = chance.choice(self._servers), chance.choice(self._nodes)
        if what == "kill a server":
            server.kill()
            await asyncio.sleep(rest)
            await asyncio.to_thread(server.start)
        elif what == "kill a node":
            node.kill()
            await asyncio.sleep(rest / 2)
            await asyncio.to_thread(node.start)
        elif what == "stop a server":
            server.pause()
            await asyncio.sleep(rest * 2)
            server.resume()
        elif what == "stop a node":
            node.pause()
            await asyncio.sleep(rest)
            node.resume()
        elif what == "cut a link":
            chance.choice(self._links).silence(
                to_server=chance.random() < 0.7, to_client=chance.random() < 0.7
            )
        else:
            for one in self._servers:
                one.kill()
            await asyncio.sleep(rest)
            for one in self._servers:
                one.start(wait=False)
            for one in self._servers:
                await asyncio.to_thread(one.wait_ready)


@pytest.mark.timeout(1800)
async def test_every_acknowledged_event_is_seen_once_in_one_order_by_every_client(tmp_path: Path) -> None:
    chance = Random(SEED)
    history, stop = History(), asyncio.Event()
    with ExitStack() as processes:
        servers = start_nats(tmp_path, processes)
        async with AsyncExitStack() as stack:
            links = [
                await stack.enter_async_context(Link(f"http://127.0.0.1:{server.port}"))
                for _ in range(3)
                for server in servers
            ]
            campus = Campus(tmp_path, "", MISSION_CONTROL_CLUSTER_REPLICAS="3")
            processes.callback(campus.close)
            for n, name in enumerate(("alpha", "beta", "gamma")):
                hosts = [link.url.removeprefix("http://") for link in links[3 * n : 3 * n + 3]]
                campus.nats = f"nats://{','.join(hosts)}"
                await asyncio.to_thread(campus.add, name)
            nodes = list(campus.nodes.values())
            urls = [node.url for node in nodes]
            epoch, _ = await read_log(urls[0])
            chaos = Chaos(servers, nodes, links)
            async with asyncio.TaskGroup() as tasks:
                readers = [
                    tasks.create_task(roam(history, urls, f"reader {n}", f"{epoch}:0"))
                    for n in range(CLIENTS)
                ]
                publishers = [
                    tasks.create_task(publish_over_http(history, urls[n % 3], f"http {n}", stop, most=8))
                    for n in range(3)
                ]
                publishers.append(
                    tasks.create_task(
                        publish_over_websocket(history, nodes[0].ws_url, "websocket", stop, most=8)
                    )
                )
                end = asyncio.get_running_loop().time() + SECONDS
                while asyncio.get_running_loop().time() < end:
                    await asyncio.sleep(chance.uniform(0.5, 3.0))
                    await chaos.break_something(chance)
                stop.set()
                await asyncio.gather(*publishers)
                await campus.in_step()
                epoch, log = await read_log(urls[0])
                await history.is_read_to_the_end(log, 300.0)
                for reader in readers:
                    reader.cancel()
            history.check(epoch, log)
            for url in urls[1:]:
                assert (epoch, log) == await read_log(url)
    print(
        f"{len(chaos.done)} times something broke ({dict(Counter(chaos.done))}); "
        f"{history.acknowledged:,} events were acknowledged, "
        f"{sum(len(reading.events) for reading in history.readings):,} were handed to {CLIENTS} clients"
    )
