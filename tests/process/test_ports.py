"""A default port that is taken is no reason to end, and commands find the server wherever it is."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from missioncontrol.cli.running import FILE_NAME, read_running
from missioncontrol.client import call
from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.process, pytest.mark.timeout(120), pytest.mark.xdist_group("default ports")]


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Let another program listen on ports; one that is taken already will do."""
    with ExitStack() as stack:
        for port in ports:
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen(1)
            except OSError:
                continue
        yield


def serve(tmp_path: Path, *options: str, name: str = "workspace", **env: str) -> Started:
    (tmp_path / name).mkdir(exist_ok=True)
    arguments = ["serve", "--workspace", str(tmp_path / name), *options]
    return Started(arguments, env=clean_environment(tmp_path, **env), folder=tmp_path)


def run(
    tmp_path: Path, *arguments: str, folder: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "missioncontrol.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(tmp_path, **(env or {})),
        cwd=folder or tmp_path,
    )


def test_a_taken_default_port_is_left_for_another_one_and_commands_find_it(tmp_path: Path) -> None:
    with taken(3001, 3002), serve(tmp_path) as server:
        server.ready()
        port = int(server.url.rpartition(":")[2])
        assert port not in (3001, 3002)
        assert server.ws_url == f"ws://127.0.0.1:{port}/api/ws"
        assert "ports.default_taken" in server.stderr
        assert "ports.second_left_out" in server.stderr
        said = [json.loads(line) for line in server.stderr.splitlines()]
        assert {"taken": 3001, "port": port}.items() <= next(
            e for e in said if e["event"] == "ports.default_taken"
        ).items()
        published = run(tmp_path, "publish", "custom:event", '{"n": 7}')
        assert published.returncode == 0, published.stderr
        status = json.loads(run(tmp_path, "status", "--json").stdout)
        assert status["health"]["status"] == "ok"
        assert b'"n":7' in call(server.url, "/api/system/events?limit=5")
        doctor = json.loads(
            run(tmp_path, "doctor", "--workspace", str(tmp_path / "workspace"), "--json").stdout
        )
        assert {check["verdict"] for check in doctor if check["name"].startswith("port")} == {"warn"}
        server.signal(signal.SIGTERM)
        assert server.status() == 0


def test_a_taken_second_port_alone_is_left_out(tmp_path: Path) -> None:
    with taken(3002), serve(tmp_path, "--port", "0") as server:
        server.ready()
        assert server.ws_url == server.url.replace("http", "ws") + "/api/ws"
        assert "ports.second_left_out" in server.stderr
        assert "ports.default_taken" not in server.stderr


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_a_port_that_was_asked_for_and_is_taken_ends_with_one_line(tmp_path: Path, how: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[server]\nport = 3001\n" if how == "file" else "")
    env = {"MISSION_CONTROL_PORT": "3001"} if how == "environment" else {}
    flags = ["--port", "3001"] if how == "flag" else []
    with taken(3001), serve(tmp_path, "--config", str(config), *flags, **env) as server:
        assert server.line() == ""
        assert server.status() == 2
        assert server.stderr.count("\n") == 1
        assert "The port 3001" in server.stderr


def test_a_second_port_that_was_asked_for_and_is_taken_ends_with_one_line(tmp_path: Path) -> None:
    with taken(3002), serve(tmp_path, "--port", "0", "--ws-port", "3002") as server:
        assert server.status() == 2
        assert server.stderr.count("\n") == 1
        assert "--ws-port" in server.stderr


def test_the_file_that_says_where_a_server_is_belongs_to_its_user_and_goes_with_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(tmp_path, "--port", "0", "--ws-port", "none", "--data", str(data)) as server:
        server.ready()
        assert stat.S_IMODE((data / FILE_NAME).stat().st_mode) == 0o600
        running = read_running(data)
        assert running is not None
        assert (running.url, running.pid) == (server.url, server.pid)
        (data / FILE_NAME).chmod(0o666)
        assert read_running(data) is None
        (data / FILE_NAME).chmod(0o600)
        server.signal(signal.SIGTERM)
        assert server.status() == 0
        assert not (data / FILE_NAME).exists()
        links = tmp_path / ".local/share/mission-control/running"
        assert list(links.iterdir()) == []


def test_what_a_killed_server_has_left_is_ignored_and_replaced(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = ("--port", "0", "--ws-port", "none", "--data", str(data))
    with serve(tmp_path, *options) as server:
        server.ready()
        server.signal(signal.SIGKILL)
        server.status()
    assert (data / FILE_NAME).exists()
    assert read_running(data) is None
    with serve(tmp_path, *options) as server:
        server.ready()
        running = read_running(data)
        assert running is not None
        assert running.url == server.url
        assert run(tmp_path, "status").returncode == 0


def test_of_several_servers_the_one_of_the_current_folder_is_meant(tmp_path: Path) -> None:
    options = ("--port", "0", "--ws-port", "none")
    with ExitStack() as stack:
        one = stack.enter_context(serve(tmp_path, *options, name="one"))
        one.ready()
        # Only now: of several, the one that was started last is chosen.
        two = stack.enter_context(serve(tmp_path, *options, name="two"))
        two.ready()
        for server, name in ((one, "one"), (two, "two")):
            inner = tmp_path / name / "inner"
            inner.mkdir()
            assert (
                run(tmp_path, "publish", "custom:here", json.dumps({"at": name}), folder=inner).returncode
                == 0
            )
            assert f'"at":"{name}"'.encode() in call(server.url, "/api/system/events?limit=5")
            env = {"MISSION_CONTROL_WORKSPACE": str(tmp_path / name)}
            assert run(tmp_path, "publish", "custom:env", json.dumps({"env": name}), env=env).returncode == 0
            assert f'"env":"{name}"'.encode() in call(server.url, "/api/system/events?limit=5")
        # Nothing names one: it is said which is chosen.
        assert two.url in run(tmp_path, "status").stderr


def test_two_servers_that_start_on_one_data_folder_at_once_are_one_server(tmp_path: Path) -> None:
    options = ("--port", "0", "--ws-port", "none", "--data", str(tmp_path / "data"))
    for _ in range(3):
        with ExitStack() as stack:
            racers = [stack.enter_context(serve(tmp_path, *options)) for _ in range(3)]
            lines = [racer.line() for racer in racers]
            winners = [racer for racer, line in zip(racers, lines, strict=True) if line.startswith("ready")]
            assert len(winners) == 1, [racer.stderr for racer in racers]
            for racer in racers:
                if racer is not winners[0]:
                    assert racer.status() == 2
                    assert racer.stderr.count("\n") == 1, racer.stderr
                    assert "is in use by another mission-control" in racer.stderr
            os.kill(winners[0].pid, signal.SIGTERM)
            assert winners[0].status() == 0
