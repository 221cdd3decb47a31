"""The files in `deploy/`, by whoever will read them or by their linter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from missioncontrol.cli.entry import make_app
from missioncontrol.cli.settings import CONFIG_VARIABLE, TOKEN_VARIABLE
from missioncontrol.config import ENVIRONMENT, ServerConfig, load_config
from missioncontrol.server.access import check_bind
from missioncontrol.server.routes.events import MAX_BODY_BYTES, MAX_WAIT_SECONDS
from missioncontrol.testing import start_server
from tests.nats_process import find_nats_server

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
    config = load_config(DEPLOY / "node.toml")
    check_bind(config)
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


def test_the_nats_servers_accept_their_file(tmp_path: Path) -> None:
    text = (DEPLOY / "nats.conf").read_text()
    for n in (1, 2, 3):
        text = text.replace(f"//nats-{n}:", f"//127.0.0.{n}:")
    (tmp_path / "nats.conf").write_text(text.replace('"/data"', json.dumps(str(tmp_path))))
    said = run(find_nats_server(), "-t", "-c", str(tmp_path / "nats.conf"), NATS_NAME="nats-1")
    assert "is valid" in said


@pytest.mark.parametrize("name", ["Caddyfile", "compose.Caddyfile"])
def test_caddy_accepts_its_file(name: str, tmp_path: Path) -> None:
    said = run(
        *("caddy", "validate", "--adapter", "caddyfile", "--config", name),
        HOME=str(tmp_path),
        XDG_DATA_HOME=str(tmp_path),
    )
    assert "Valid configuration" in said
