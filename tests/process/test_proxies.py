"""Two nodes behind nginx and behind Caddy, with the example files as they are shipped, but for addresses."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event, Unreachable, publish
from missioncontrol.client.items import Transport
from missioncontrol.testing import ServerProcess, start_server
from tests.mcp.callers import connect, do
from tests.nats_process import NatsProcess, free_port
from tests.process.nodes import Campus
from tests.process.raw_socket import RawSocket
from tests.process.server_probe import eventually
from tests.process.traffic import TRANSPORTS

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.nats, pytest.mark.timeout(120)]

DEPLOY = Path(__file__).parents[2] / "deploy"
PUBLIC = "fleet.example.com"
TOKEN = "a-token-for-the-proxies"
AS_OPS = {"Authorization": f"Bearer {TOKEN}"}
WITH_TOKEN = {"MISSION_CONTROL_TOKEN": TOKEN}


def find(program: str) -> str:
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")
    assert found is not None, f"There is no {program}; `make proxies` installs it."
    return found


@contextmanager
def running(command: list[str], port: int, folder: Path, end: signal.Signals) -> Iterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )
        try:
            deadline = monotonic() + 15
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                said = (folder / "proxy.log").read_text()
                assert process.poll() is None, said
                assert monotonic() < deadline, said
                sleep(0.05)
            yield
        finally:
            process.send_signal(end)
            process.wait(15)


def with_upstreams(text: str, upstreams: list[str]) -> str:
    for example, upstream in zip(("127.0.0.1:3001", "127.0.0.1:3011"), upstreams, strict=True):
        assert example in text
        text = text.replace(example, upstream.removeprefix("http://"))
    return text


@contextmanager
def nginx(upstreams: list[str], folder: Path) -> Iterator[str]:
    """Start nginx with the shipped file, in a folder of its own and without any right."""
    port = free_port()
    site = with_upstreams((DEPLOY / "nginx.conf").read_text(), upstreams)
    assert "listen 80;" in site
    (folder / "site.conf").write_text(site.replace("listen 80;", f"listen 127.0.0.1:{port};"))
    temporary = "\n".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder / 'pid'}; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {temporary}\ninclude {folder / 'site.conf'}; }}\n"
    )
    with running(
        [find("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder, signal.SIGTERM
    ):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def caddy(upstreams: list[str], folder: Path) -> Iterator[str]:
    """Start Caddy with the shipped file, without TLS."""
    port = free_port()
    site = with_upstreams((DEPLOY / "Caddyfile").read_text(), upstreams)
    site, count = re.subn(
        rf"^{re.escape(PUBLIC)} {{$", f"http://:{port} {{\n\tbind 127.0.0.1", site, flags=re.M
    )
    assert count == 1
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    command = [find("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    # Not asked nicely: it would wait for the last of its connections.
    with running(command, port, folder, signal.SIGKILL):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def nodes(nats: NatsProcess, tmp_path: Path) -> AsyncIterator[list[ServerProcess]]:
    config = tmp_path / "behind.toml"
    config.write_text(
        f'[server]\ntrusted_proxies = ["127.0.0.1"]\nallowed_origins = ["http://{PUBLIC}", "https://{PUBLIC}"]\n'
    )
    campus = Campus(tmp_path, nats.url, "--config", str(config), **WITH_TOKEN)
    yield [campus.add("alpha"), campus.add("beta")]
    await asyncio.to_thread(campus.close)


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: Any, nodes: list[ServerProcess], tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with request.param([node.url for node in nodes], folder) as url:
        yield url


async def answers(url: str, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=AS_OPS | headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_session_of_an_agent_stays_with_its_node(proxy: str) -> None:
    for mode in ("legacy", "auto"):
        async with connect(proxy, mode=mode, token=TOKEN, agent="scout") as client:
            for number in range(10):
                await do(client, "report_status", status=f"busy with {number}")
            asked = await do(client, "ask_person", text="Still there?", wait=0.2)
            assert asked["status"] == "open"


async def test_pages_events_and_tasks_pass_through(proxy: str) -> None:
    assert (await answers(proxy, "/", Host=PUBLIC))[0] == 200
    assert (await answers(proxy, "/health"))[0] == 200
    async with (
        Client(proxy, transport="websocket", token=TOKEN) as socket_,
        Client(proxy, transport="sse", token=TOKEN) as stream,
    ):
        waiting = [asyncio.create_task(anext(aiter(client))) for client in (socket_, stream)]

        async def there() -> bool:
            return '"wsClients":1' in (await answers(proxy, "/health"))[1] or all(
                client.cursor for client in (socket_, stream)
            )

        await eventually(there)
        await asyncio.to_thread(publish, proxy, "custom:through", {"a": 1}, token=TOKEN)
        for event in await asyncio.wait_for(asyncio.gather(*waiting), 15):
            assert isinstance(event, Event)
            assert event.data == {"a": 1}
    cursor = json.loads((await answers(proxy, "/api/events"))[1])["cursor"]
    polling = asyncio.create_task(answers(proxy, f"/api/events?since={cursor}&wait=20"))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(publish, proxy, "custom:polled", {}, token=TOKEN)
    page = json.loads((await asyncio.wait_for(polling, 15))[1])
    assert [event["type"] for event in page["events"]] == ["custom:polled"]


async def test_the_public_address_is_ours_and_other_pages_are_refused(proxy: str) -> None:
    own = {"Host": PUBLIC, "Origin": f"http://{PUBLIC}"}
    assert (await answers(proxy, "/api/agents", **own))[0] == 200
    assert (await answers(proxy, "/api/agents", Host=PUBLIC, Origin="https://evil.example"))[0] == 403
    assert (await answers(proxy, "/api/agents", Host="evil.example"))[0] in (403, 421)
    host = proxy.removeprefix("http://")
    for origin, expected in ((f"http://{PUBLIC}", "connected"), ("https://evil.example", None)):
        async with await RawSocket.open(proxy) as raw:
            status = await raw.shake_hands(
                PUBLIC, headers=f"Origin: {origin}\r\nAuthorization: Bearer {TOKEN}\r\n"
            )
            assert status == 101, host
            if expected is not None:
                assert await raw.receive_message(expected)
            else:
                assert await raw.close_code() == 1008


async def test_who_asks_is_known_behind_the_proxy_whatever_else_they_say(
    proxy: str, nodes: list[ServerProcess]
) -> None:
    invented = {
        **AS_OPS,
        "Host": PUBLIC,
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=203.0.113.9;proto=https;host=localhost",
    }
    async with aiohttp.ClientSession(
        proxy, connector=aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
    ) as session:
        async with (
            session.ws_connect("/api/ws", headers=invented) as socket_,
            session.get("/api/events/stream", headers=invented) as stream,
        ):
            await socket_.receive_json()
            await stream.content.readline()
            found = [json.loads((await answers(node.url, "/api/system/connections"))[1]) for node in nodes]
            addresses = [one["address"] for page in found for one in page["connections"]]
            assert addresses == ["127.0.0.9"] * 2
        strange = {**invented, "Host": "evil.example"}
        for headers in (
            {**strange, "Forwarded": f"host={PUBLIC}"},
            {**strange, "X-Forwarded-Host": PUBLIC},
        ):
            async with session.get("/api/agents", headers=headers) as answer:
                assert answer.status == 421


@pytest.mark.parametrize("start_proxy", [nginx, caddy])
async def test_reading_goes_on_while_health_says_503_of_every_node(start_proxy: Any, tmp_path: Path) -> None:
    with NatsProcess(tmp_path / "nats") as nats:
        nats.start()
        campus = Campus(tmp_path, nats.url, **WITH_TOKEN)
        try:
            nodes = [campus.add("alpha"), campus.add("beta")]
            with start_proxy([node.url for node in nodes], tmp_path) as proxy:
                nats.kill()

                async def said() -> bool:
                    return [(await answers(node.url, "/health"))[0] for node in nodes] == [503, 503]

                await eventually(said, 30.0)
                for _ in range(5):
                    assert (await answers(proxy, "/health"))[0] == 503
                    assert (await answers(proxy, "/api/agents"))[0] == 200
        finally:
            await asyncio.to_thread(campus.close)


async def see_all_of_it(proxy: str, servers: list[ServerProcess]) -> None:
    """Restart one server after the other while events are published, and hold what clients see against that."""
    told: dict[Transport, list[int]] = {}

    async def follow(client: Client, seen: list[int]) -> None:
        async for item in client:
            assert isinstance(item, Event), item
            if item.type == "custom:count":
                seen.append(item.data["n"])

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        following = []
        for transport in TRANSPORTS:
            client = await stack.enter_async_context(Client(proxy, transport=transport, token=TOKEN))
            await client.ready()
            told[transport] = []
            following.append(tasks.create_task(follow(client, told[transport])))
        n = 0
        for server in servers:
            restart = asyncio.create_task(asyncio.to_thread(server.restart))
            while not restart.done() or n % 20:
                # A proxy does not send a POST again that may have been taken; whoever publishes does, with its key.
                with suppress(Unreachable):
                    await asyncio.to_thread(
                        publish, proxy, "custom:count", {"n": n}, key=f"n{n}", token=TOKEN
                    )
                    n += 1
            await restart

        async def all_told() -> bool:
            return all(len(seen) >= n for seen in told.values())

        await eventually(all_told, 40.0)
        for task in following:
            task.cancel()
    assert told == {transport: list(range(n)) for transport in TRANSPORTS}


async def test_a_rolling_restart_is_nothing_that_a_client_notices(
    proxy: str, nodes: list[ServerProcess]
) -> None:
    await see_all_of_it(proxy, nodes)


@pytest.mark.parametrize("start_proxy", [nginx, caddy])
async def test_a_node_that_is_away_is_left_out_and_takes_nobody_with_it(
    start_proxy: Any, tmp_path: Path
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with (
        start_server(tmp_path / "workspace", env=WITH_TOKEN) as server,
        start_proxy([server.url, nobody], tmp_path) as proxy,
    ):

        async def taken() -> bool:
            with suppress(Unreachable):
                return await asyncio.to_thread(publish, proxy, "custom:step", token=TOKEN) > 0
            return False

        await eventually(taken)
        # Longer than it takes until the one that is away is tried again.
        until = monotonic() + 4
        while monotonic() < until:
            assert await taken()
            assert (await answers(proxy, "/api/agents"))[0] == 200


@pytest.mark.parametrize("start_proxy", [nginx, caddy])
async def test_one_server_that_restarts_on_its_folder_is_seen_to_lose_and_double_nothing(
    start_proxy: Any, tmp_path: Path
) -> None:
    # The other one of the example is not there at all, which nobody is to notice either.
    nobody = f"http://127.0.0.1:{free_port()}"
    with (
        start_server(tmp_path / "workspace", env=WITH_TOKEN) as server,
        start_proxy([server.url, nobody], tmp_path) as proxy,
    ):
        await see_all_of_it(proxy, [server])
