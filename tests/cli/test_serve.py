"""The real server as its users start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from missioncontrol.client import Refused, call, publish
from missioncontrol.testing import ServerFailed, ServerProcess, start_server

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def run(*arguments: str, timeout: float = 30, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "missioncontrol.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=os.environ | env, check=False
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_it_says_where_it_is_and_drains_on_sigterm(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", ws_port=0) as server:
        assert server.ws_url.endswith("/api/ws")
        assert urlsplit(server.url).port != urlsplit(server.ws_url).port
        health = msgspec.json.decode(call(server.url, "/health"))
        assert health["status"] == "ok"
        assert server.stop() == 0
        entries = [json.loads(line) for line in server.log.splitlines()]
    assert [entry["event"] for entry in entries if entry["logger"] == "missioncontrol.cli"] == [
        *("serving", "stopping", "stopped"),
    ]


def test_sigint_drains_too(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        os.kill(server.pid, signal.SIGINT)
        assert server.wait() == 0


def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        url = server.url
        first = publish(server.url, "custom:event", {"n": 1}, key="once")
        server.kill()
        assert server.exit_status == -signal.SIGKILL
        server.restart()
        assert server.url == url
        assert publish(server.url, "custom:event", {"n": 1}, key="once") == first


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        folders = ["--workspace", str(server.workspace), "--data", str(server.data)]
        second = run("serve", *folders, "--port", "0", "--ws-port", "none")
        assert second.returncode == 2
        assert "in use" in one_line(second)
        assert publish(server.url, "custom:event") > 0


def test_a_port_in_use_is_refused_with_one_line(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        port = str(urlsplit(server.url).port)
        folders = ["--workspace", str(tmp_path), "--data", str(tmp_path / "other")]
        second = run("serve", *folders, "--port", port, "--ws-port", "none")
        assert second.returncode == 2
        assert port in one_line(second)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--workspace", "/nowhere/at/all", "/nowhere/at/all"),
        ("--host", "0.0.0.0", "token"),
        ("--config", "wrong.toml", "colour"),
    ],
)
def test_what_cannot_be_started_ends_with_one_line_and_status_2(
    option: str, value: str, expected: str, tmp_path: Path
) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text('[server]\ncolour = "red"\n')
    options = {"--workspace": str(tmp_path), "--data": str(tmp_path / "data")}
    options |= {"--port": "0", "--ws-port": "none"}
    options[option] = str(config) if option == "--config" else value
    result = run("serve", *(part for pair in options.items() for part in pair))
    assert result.returncode == 2
    assert expected in one_line(result)


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_with_a_token_nobody_else_comes_in_and_it_is_logged_nowhere(tmp_path: Path, how: str) -> None:
    token = "correct-horse-battery-staple"
    options = ["--token", token] if how == "flag" else []
    env = {"MISSION_CONTROL_TOKEN": token} if how == "environment" else {}
    with start_server(tmp_path / "workspace", options=options, env=env) as server:
        with pytest.raises(Refused, match="401"):
            publish(server.url, "custom:event")
        with pytest.raises(Refused, match="401"):
            publish(server.url, "custom:event", token="wrong")
        assert publish(server.url, "custom:event", token=token) > 0
        server.stop()
        assert token not in server.log


def test_status_and_doctor_know_the_running_server(tmp_path: Path) -> None:
    agent = tmp_path / "workspace" / "agents" / "scout"
    agent.mkdir(parents=True)
    (agent / "state.json").write_text('{"status": "busy"}')
    with start_server(tmp_path / "workspace") as server:
        status = run("status", "--json", "--url", server.url)
        assert status.returncode == 0
        found = json.loads(status.stdout)
        assert [agent["id"] for agent in found["agents"]] == ["scout"]
        assert run("status", "--url", server.url).returncode == 0
        port = str(urlsplit(server.url).port)
        folders = ["--workspace", str(server.workspace), "--data", str(server.data)]
        doctor = run("doctor", *folders, "--port", port, "--ws-port", "none", "--json")
        verdicts = {check["name"]: check for check in json.loads(doctor.stdout)}
        assert verdicts["server"]["found"] == "running and well"
        assert "Mission Control" in verdicts[f"port {port}"]["found"]


def test_a_demo_shows_life_says_that_it_is_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "missioncontrol.cli", "demo", "--port", "0", "--ws-port", "none"]
    demo = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    try:
        assert demo.stdout is not None
        with demo.stdout:
            url = demo.stdout.readline().split()[1]
            assert msgspec.json.decode(call(url, "/health"))["simulation"] is True
            query = "/api/events?events=agent:statusChange,file:change&wait=50"
            page = msgspec.json.decode(call(url, query, timeout=60))
            assert page["events"]
            demo.terminate()
            assert demo.wait(30) == 0
            (sign_in,) = demo.stdout.read().splitlines()
            assert sign_in.startswith(f"sign-in {url}/#sign-in=")
    finally:
        demo.kill()
        demo.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_demo_goes_on_in_its_own_former_folder(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    for _ in range(2):
        command = [sys.executable, "-m", "missioncontrol.cli", "demo", "--workspace", str(folder)]
        demo = subprocess.Popen(
            [*command, "--port", "0", "--ws-port", "none"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert demo.stdout is not None
        with demo.stdout:
            assert demo.stdout.readline().startswith(b"ready ")
            demo.terminate()
            assert demo.wait(30) == 0
    assert (tmp_path / "fleet-data").is_dir()


class TestServerProcess:
    """What `missioncontrol.testing` promises."""

    def test_a_server_that_cannot_start_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(ServerFailed, match="other machines can reach") as caught:
            start_server(tmp_path / "workspace", options=["--host", "0.0.0.0"])
        assert caught.value.exit_status == 2

    def test_it_does_not_inherit_the_settings_of_whoever_runs_the_tests(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MISSION_CONTROL_TOKEN", "a token")
        monkeypatch.setenv("MC_API_PORT", "nonsense")
        with start_server(tmp_path / "workspace") as server:
            assert publish(server.url, "custom:event") > 0

    def test_a_paused_server_answers_nothing_until_it_is_resumed(self, tmp_path: Path) -> None:
        with start_server(tmp_path / "workspace") as server:
            server.pause()
            with pytest.raises(Exception, match=r"answered within|timed out"):
                call(server.url, "/health", timeout=0.3)
            server.resume()
            assert call(server.url, "/health", timeout=10)
            server.pause()
        # A paused server is ended too.

    def test_a_restart_stops_what_still_runs(self, tmp_path: Path) -> None:
        with start_server(tmp_path / "workspace") as server:
            before = server.pid
            server.restart()
            assert server.pid != before
            assert server.exit_status is None
            assert server.log.count('"serving"') == 2

    def test_its_folders_are_made_and_named(self, tmp_path: Path) -> None:
        with start_server(tmp_path / "fleet", tmp_path / "log") as server:
            assert isinstance(server, ServerProcess)
            assert (server.workspace, server.data) == (tmp_path / "fleet", tmp_path / "log")
            assert server.data.is_dir()
