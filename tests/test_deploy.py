"""The files in `deploy/`, by whoever will read them or by their linter."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from missioncontrol.cli.entry import make_app
from missioncontrol.cli.settings import CONFIG_VARIABLE, TOKEN_VARIABLE
from missioncontrol.config import ENVIRONMENT, Config, ServerConfig, load_config
from missioncontrol.errors import OpenError
from missioncontrol.events import Draft
from missioncontrol.server.access import check_bind
from missioncontrol.server.routes.events import MAX_BODY_BYTES, MAX_WAIT_SECONDS
from missioncontrol.store.jetstream import JetStreamLog
from missioncontrol.testing import start_server
from tests.nats_process import find_nats_server, free_port

DEPLOY = Path(__file__).parents[1] / "deploy"
WEB = Path(__file__).parents[1] / "web"
PATH = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/usr/local/bin:{os.environ.get('PATH', '')}"

pytestmark = pytest.mark.process


def run(*command: str, cwd: Path = DEPLOY, **environment: str) -> str:
    program = shutil.which(command[0], path=PATH)
    assert program is not None, (
        f"There is no {command[0]}; `make setup proxies` installs what the tests need."
    )
    done = subprocess.run(
        [program, *command[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": PATH, **environment},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_the_settings_of_a_node_are_accepted() -> None:
    compose = (DEPLOY / "compose.yaml").read_text()
    (address,) = re.findall(r"MISSION_CONTROL_LOG: >-\n\s+(\S+)", compose)
    variables = {"MISSION_CONTROL_LOG": address.replace("${NATS_PASSWORD}", "p0password")}
    config = load_config(DEPLOY / "node.toml", environment=variables)
    check_bind(config)
    assert all(server.startswith("nats://mission-control:p0password@nats-") for server in config.nats_servers)
    assert len(config.nats_servers) == config.cluster.replicas == 3


def test_the_commands_are_ones_that_the_server_takes() -> None:
    unit = (DEPLOY / "mission-control.service").read_text()
    (started,) = re.findall(r"^ExecStart=\S+/mission-control (.+)$", unit, re.MULTILINE)
    image = (DEPLOY / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["mission-control"]' in image
    (command,) = re.findall(r"^CMD (\[.+\])$", image, re.MULTILINE)
    for words in (started.split(), json.loads(command)):
        function, given, _ = make_app().parse_args(words, exit_on_error=False, print_error=False)
        assert function.__name__ == "serve", words
        assert {"config", "data"} <= given.arguments.keys()


def test_every_variable_is_one_that_the_server_reads() -> None:
    names = set(re.findall(r"\bMISSION_CONTROL_\w+", (DEPLOY / "compose.yaml").read_text()))
    assert names
    assert names <= set(ENVIRONMENT) | {TOKEN_VARIABLE, CONFIG_VARIABLE}


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_what_an_example_tells_to_set_are_settings(name: str, tmp_path: Path) -> None:
    comments = re.findall(r"^#   (.*)$", (DEPLOY / name).read_text(), re.MULTILINE)
    (tmp_path / "node.toml").write_text("\n".join(comments))
    config = load_config(tmp_path / "node.toml")
    check_bind(config)
    assert config.server.trusted_proxies
    assert config.server.allowed_origins == ["https://fleet.example.com"]


def test_times_and_sizes_of_the_proxy_are_above_those_of_the_server() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text()
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        (seconds,) = re.findall(rf"{name} (\d+)s;", nginx)
        assert int(seconds) > max(2 * ServerConfig().heartbeat_interval, MAX_WAIT_SECONDS)
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", nginx)
    assert int(megabytes) * 2**20 >= MAX_BODY_BYTES


def test_each_file_is_explained() -> None:
    explained = set(re.findall(r"`([\w.-]+)`", (DEPLOY / "README.md").read_text()))
    assert {path.name for path in DEPLOY.iterdir()} - {"README.md"} <= explained


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this system has no systemd")
def test_the_service_is_a_whole_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "mission-control.service").read_text()
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    program = command.removeprefix("ExecStart=").split()[0]
    # systemd asks whether the program is there; on this machine it lies elsewhere.
    there = tmp_path / "mission-control.service"
    there.write_text(unit.replace(program, "/bin/true").replace("User=agents\n", "User=root\n"))
    said = run("systemd-analyze", "verify", "--man=no", str(there))
    assert "mission-control.service" not in said, said


def test_the_dockerfile_has_no_findings() -> None:
    assert run("hadolint", "Dockerfile") == ""


def test_the_image_s_health_check_says_whether_the_server_answers(tmp_path: Path) -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.+\])$", image, re.MULTILINE)
    options = ["--config", str(DEPLOY / "node.toml"), "--log", "sqlite", "--host", "127.0.0.1"]
    with start_server(tmp_path / "workspace", options=options) as server:
        port = server.url.rpartition(":")[2]
        program, *arguments = json.loads(command)
        asking = [sys.executable, *(word.replace(":3001/", f":{port}/") for word in arguments)]
        assert program == "python"
        assert f":{port}/" in asking[-1]
        assert subprocess.run(asking, capture_output=True, timeout=30).returncode == 0
        # The same that the proxies ask, by another name and without a token.
        for name in ("Caddyfile", "compose.Caddyfile"):
            (path,) = re.findall(r"health_uri (\S+)", (DEPLOY / name).read_text())
            request = Request(server.url + path, headers={"Host": "localhost"})
            assert urlopen(request, timeout=10).status == 200
        server.stop()
        assert subprocess.run(asking, capture_output=True, timeout=30).returncode != 0


def test_the_compose_file_is_one(tmp_path: Path) -> None:
    run("npx", "--no-install", "dclint", "--max-warnings", "0", str(DEPLOY / "compose.yaml"), cwd=WEB)


def nats_environment(ports: dict[int, int]) -> dict[str, str]:
    """Return the variables of `nats.conf` as `compose.yaml` gives them, for servers on this machine."""
    route = "nats://mission-control-route:p0password@127.0.0.1"
    return {
        "NATS_PASSWORD": "p0password",
        **{f"NATS_ROUTE_{n}": f"{route}:{port}" for n, port in ports.items()},
    }


def test_the_nats_servers_accept_their_file(tmp_path: Path) -> None:
    text = (DEPLOY / "nats.conf").read_text()
    (tmp_path / "nats.conf").write_text(text.replace('"/data"', json.dumps(str(tmp_path))))
    environment = nats_environment({1: 6222, 2: 6223, 3: 6224})
    said = run(
        *(find_nats_server(), "-t", "-c", str(tmp_path / "nats.conf")),
        cwd=DEPLOY,
        NATS_NAME="nats-1",
        **environment,
    )
    assert "is valid" in said


@pytest.mark.nats
@pytest.mark.anyio
async def test_without_the_password_no_client_reads_or_writes_in_nats(tmp_path: Path) -> None:
    text = (DEPLOY / "nats.conf").read_text()
    clients, routes = ({n: free_port() for n in (1, 2, 3)} for _ in range(2))
    environment = {**os.environ, **nats_environment(routes)}
    servers = []
    try:
        for n in (1, 2, 3):
            own = text.replace("0.0.0.0:4222", f"127.0.0.1:{clients[n]}").replace(
                "0.0.0.0:6222", f"127.0.0.1:{routes[n]}"
            )
            file = tmp_path / f"nats-{n}.conf"
            file.write_text(own.replace('"/data"', json.dumps(str(tmp_path / str(n)))))
            servers.append(start_nats(file, {**environment, "NATS_NAME": f"nats-{n}"}))
        address = f"127.0.0.1:{clients[1]}"
        flags = {"log.url": f"nats://mission-control:p0password@{address}", "cluster.replicas": 3}
        log = await first_open(tmp_path / "node", load_config(flags=flags))
        try:
            assert await log.append([Draft("custom:event")]) == [1]
            for who in (
                {},
                {"user": "mission-control", "pass": "wrong"},
                {"user": "mission-control-route", "pass": "p0password"},
            ):
                assert await asyncio.to_thread(refused, clients[1], who) == [
                    b"-ERR 'Authorization Violation'"
                ]
            # Nor does a server without it become a part of the cluster.
            assert await asyncio.to_thread(refused, routes[1], {"name": "stranger"}) == [
                b"-ERR 'Authorization Violation'"
            ]
            assert await log.append([Draft("custom:event")]) == [2]
        finally:
            await log.close()
    finally:
        for server in servers:
            server.terminate()
            server.wait(20)


def start_nats(file: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([find_nats_server(), "-c", str(file)], env=environment, stderr=subprocess.DEVNULL)


async def first_open(folder: Path, config: Config) -> JetStreamLog:
    """Open the log once the three servers have found each other and have chosen a leader."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await JetStreamLog.open(folder, config, "alpha")
            except OpenError:
                await asyncio.sleep(0.5)


def refused(port: int, who: dict[str, str]) -> list[bytes]:
    """Try to read and to write as a client of NATS; return what the server says but for its greeting."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as stranger,
        suppress(ConnectionResetError),
    ):
        said = b""
        # The greeting first: what is sent before is lost with a connection that is reset.
        while b"\r\n" not in said:
            said += stranger.recv(4096)
        wanted = b"SUB MISSION_CONTROL.> 1\r\nPUB MISSION_CONTROL.events.custom 2\r\n{}\r\nPING\r\n"
        stranger.sendall(b"CONNECT " + json.dumps({"verbose": False, **who}).encode() + b"\r\n" + wanted)
        while piece := stranger.recv(4096):
            said += piece
    return [line for line in said.split(b"\r\n") if line and not line.startswith(b"INFO ")]


@pytest.mark.parametrize("name", ["Caddyfile", "compose.Caddyfile"])
def test_caddy_accepts_its_file(name: str, tmp_path: Path) -> None:
    said = run(
        *("caddy", "validate", "--adapter", "caddyfile", "--config", name),
        HOME=str(tmp_path),
        XDG_DATA_HOME=str(tmp_path),
    )
    assert "Valid configuration" in said
