"""Who comes in at a real server: another user, a proxy of another user, tokens that are revoked while in use."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.nats_process import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start programs of another user")

NGINX = """user www-data;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {url}; proxy_set_header Host $proxy_host; }}
    }}
}}
"""
UPGRADE = (
    *("-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13"),
    *("-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
)


def curl(*arguments: str, user: str | None = None) -> str:
    """Return status and body of one request, made by a program of this or another user."""
    command = ["curl", "-s", "--max-time", "10", "-w", "\n%{http_code}", *arguments]
    if user is not None:
        command = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    return done.stdout.decode("utf-8", "replace")


def config(tokens: dict[str, str], scopes: str = '["read", "publish"]') -> str:
    return "".join(
        f'[[server.tokens]]\nname = "{name}"\nsha256 = "{sha256(token.encode()).hexdigest()}"\nscopes = {scopes}\n'
        for name, token in tokens.items()
    )


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("access") / "workspace") as server:
        yield server


@as_root
def test_a_program_of_another_user_needs_a_token_over_every_transport(open_server: ServerProcess) -> None:
    url = open_server.url
    assert curl(f"{url}/api/agents").endswith("200")
    for path in ("/api/agents", "/api/events", "/api/events/stream", "/api/snapshot"):
        refused = curl(url + path, user="nobody")
        assert refused.endswith("401"), refused
        assert "another user" in refused
    publishing = ("-d", '{"type": "a:b"}')
    for path in ("/api/events", "/api/hooks/claude", "/v1/logs", "/mcp"):
        assert curl(*publishing, url + path, user="nobody").endswith("401")
    websocket = curl("-N", *UPGRADE, f"{url}/api/ws", user="nobody")
    assert "A token is needed" in websocket
    assert "clientId" not in websocket


@as_root
def test_the_owners_secret_is_no_secret_of_another_user(open_server: ServerProcess) -> None:
    file = str(open_server.data / "owner.key")
    reading = subprocess.run(
        ["setpriv", "--reuid", "nobody", "--clear-groups", "cat", file], capture_output=True, check=False
    )
    assert reading.returncode != 0
    bearer = ("-H", f"Authorization: Bearer {open_server.owner_secret}")
    assert curl(*bearer, f"{open_server.url}/api/system/connections").endswith("200")
    assert curl(*bearer, f"{open_server.url}/api/system/connections", user="nobody").endswith("401")


@as_root
def test_a_browser_session_that_another_user_was_sent_opens_nothing(open_server: ServerProcess) -> None:
    # A tab that is open sends both secrets to whoever takes the port while the server is stopped.
    url = open_server.url
    bearer = ("-H", f"Authorization: Bearer {open_server.owner_secret}")
    link = json.loads(curl("-X", "POST", *bearer, f"{url}/api/session/links").rpartition("\n")[0])["link"]
    opened = curl("-i", "-d", json.dumps({"link": link}), f"{url}/api/session")
    cookie = re.search(r"(?i)set-cookie: ([^;]+)", opened)
    key = re.search(r'"key":"([^"]+)"', opened)
    assert cookie is not None
    assert key is not None
    session = ("-H", f"Cookie: {cookie[1]}", "-H", f"X-Session-Key: {key[1]}")
    assert '"operator"' in curl(*session, f"{url}/api/session")
    assert '"scopes":[]' in curl(*session, f"{url}/api/session", user="nobody")
    assert curl(*session, f"{url}/api/questions", user="nobody").endswith("401")
    websocket = curl("-N", *UPGRADE, *session, f"{url}/api/ws", user="nobody")
    assert "A token is needed" in websocket


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example{}", "421"),
        ("HTTP://evil.example:3001{}", "421"),
        ("http://localhost@evil.example{}", "421"),
        ("http://localhost:3001{}", "200"),
        ("{}?since=&next=http://evil.example/", "200"),
    ],
)
def test_the_host_of_a_target_counts_instead_of_the_header(
    open_server: ServerProcess, target: str, status: str
) -> None:
    url = open_server.url
    assert curl("--request-target", target.format("/api/agents"), url).endswith(status)
    if status == "421":
        for at in (url, open_server.ws_url.replace("ws://", "http://")):
            said = curl("-i", "-N", *UPGRADE, "--request-target", target.format("/api/ws"), at)
            assert " 101 " not in said
            assert said.endswith(status)


@contextmanager
def nginx(folder: Path, url: str) -> Iterator[str]:
    port = free_port()
    folder.chmod(0o755)
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=port, url=url))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program is not None, "There is no nginx; `make proxies` installs it."
    process = subprocess.Popen([program, "-c", str(file), "-g", "daemon off;"])
    try:
        deadline = monotonic() + 15
        while not curl(f"http://127.0.0.1:{port}/health").endswith("200"):
            assert monotonic() < deadline
            assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(15)


@as_root
def test_a_proxy_of_another_user_brings_no_one_in_without_a_token(tmp_path: Path) -> None:
    # It says nothing of itself in the headers: only the kernel knows.
    token = "a-token-of-the-proxy"
    for settings, expected in (("", "401"), (config({"ops": token}), "200")):
        file = tmp_path / "config.toml"
        file.write_text(settings)
        (tmp_path / "proxy").mkdir(exist_ok=True)
        with (
            start_server(tmp_path / "workspace", options=["--config", str(file)]) as server,
            nginx(tmp_path / "proxy", server.url) as url,
        ):
            assert curl(f"{url}/api/agents").endswith("401")
            assert curl("-H", f"Authorization: Bearer {token}", f"{url}/api/agents").endswith(expected)


def rewrite(server: ServerProcess, file: Path, text: str) -> None:
    file.write_text(text)


def replace_and_signal(server: ServerProcess, file: Path, text: str) -> None:
    changed = file.with_suffix(".new")
    changed.write_text(text)
    changed.replace(file)
    os.kill(server.pid, signal.SIGHUP)


@pytest.mark.parametrize("change", [rewrite, replace_and_signal])
async def test_what_a_revoked_token_has_open_is_closed_within_a_second(
    tmp_path: Path, change: Callable[[ServerProcess, Path, str], None]
) -> None:
    old, new = "the-token-that-goes", "the-token-that-comes"
    file = tmp_path / "config.toml"
    file.write_text(config({"old": old, "kept": "the-token-that-stays"}))
    with start_server(tmp_path / "workspace", options=["--config", str(file)]) as server:
        async with aiohttp.ClientSession(server.url) as session:

            def headers(token: str) -> dict[str, str]:
                return {"Authorization": f"Bearer {token}"}

            async def opened(token: str) -> list[asyncio.Task[None]]:
                socket = await session.ws_connect("/api/ws", headers=headers(token))
                await socket.receive()
                stream = await session.get("/api/events/stream", headers=headers(token))

                async def end_of_socket() -> None:
                    async for _ in socket:
                        pass
                    assert socket.close_code == 1008

                async def end_of_stream() -> None:
                    try:
                        await stream.read()
                    except aiohttp.ClientError:
                        pass

                async def end_of_poll() -> None:
                    try:
                        await (await session.get("/api/events?wait=50", headers=headers(token))).read()
                    except aiohttp.ClientError:
                        pass

                return [asyncio.create_task(work()) for work in (end_of_socket, end_of_stream, end_of_poll)]

            gone, staying = await opened(old), await opened("the-token-that-stays")
            # The polls wait.
            await asyncio.sleep(0.2)
            began = monotonic()
            change(server, file, config({"kept": "the-token-that-stays", "new": new}))
            await asyncio.wait_for(asyncio.gather(*gone), 10)
            # A second for the server, and something for a machine that is busy.
            assert monotonic() - began < 1.5
            assert not any(task.done() for task in staying)
            for token, status in ((old, 401), (new, 200)):
                async with session.get("/api/agents", headers=headers(token)) as response:
                    assert response.status == status
            for task in staying:
                task.cancel()
            await asyncio.gather(*staying, return_exceptions=True)


async def test_a_config_file_with_an_error_changes_no_token(tmp_path: Path) -> None:
    token = "the-token-that-stays"
    file = tmp_path / "config.toml"
    file.write_text(config({"kept": token}))
    with start_server(tmp_path / "workspace", options=["--config", str(file)]) as server:
        async with aiohttp.ClientSession(server.url, headers={"Authorization": f"Bearer {token}"}) as session:
            for text in (
                "[[server",
                'colour = "red"',
                '[[server.tokens]]\nname = "operator"\nsha256 = "x"\n',
            ):
                file.write_text(text)
                os.kill(server.pid, signal.SIGHUP)
                deadline = monotonic() + 10
                while "was not taken" not in server.log and monotonic() < deadline:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
                assert "was not taken" in server.log
                async with session.get("/api/agents") as response:
                    assert response.status == 200


async def test_a_wrong_token_is_logged_with_its_address_and_without_itself(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config({"ops": "a-token-that-is-right"}))
    with start_server(tmp_path / "workspace", options=["--config", str(file)]) as server:
        headers = {"Authorization": "Bearer a-token-that-is-wrong"}
        async with aiohttp.ClientSession(server.url) as session:

            async def status() -> int:
                async with session.get("/api/agents", headers=headers) as response:
                    return response.status

            began = monotonic()
            assert [await status() for _ in range(5)] == [401] * 5
            assert monotonic() - began < 0.9 * 5
            began = monotonic()
            assert await status() == 401
            async with session.ws_connect("/api/ws", headers=headers) as socket:
                await socket.receive()
                assert socket.close_code == 1008
            assert monotonic() - began > 1.9
            right = {"Authorization": "Bearer a-token-that-is-right"}
            async with session.get("/metrics", headers=right) as response:
                metrics = await response.text()
        assert "mission_control_wrong_tokens_total 7.0" in metrics
        assert '"address": "127.0.0.1"' in server.log
        assert "a-token-that-is-wrong" not in server.log
