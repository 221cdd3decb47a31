from __future__ import annotations

import json
import resource
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from missioncontrol.cli import doctor as doctor_module
from missioncontrol.cli import main
from missioncontrol.cli.doctor import (
    Check,
    check_clock,
    check_data,
    check_descriptors,
    check_inotify,
    check_nats,
    check_port,
    check_python,
    check_runtimes,
    check_server,
    check_sqlite,
    check_workspace,
)
from missioncontrol.config import Config, SourcesConfig
from tests.cli.conftest import BesideServer
from tests.nats_process import NatsProcess


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def test_a_machine_that_is_fit_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agents" / "scout").mkdir(parents=True)
    arguments = ["--workspace", str(tmp_path), "--data", str(tmp_path / "new" / "data")]
    assert main(["doctor", *arguments, "--port", str(free_port()), "--ws-port", "none", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert {check["name"].partition(" ")[0] for check in checks} >= {
        *("python", "sqlite", "workspace", "data", "inotify", "file", "port", "clock", "server")
    }
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]


def test_a_failure_is_shown_with_what_to_do_and_is_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    assert main(["doctor", "--workspace", str(missing), "--port", "0", "--ws-port", "0"]) == 1
    shown = capsys.readouterr().out
    assert "fail" in shown
    assert "--workspace" in shown


def test_python_and_sqlite_are_checked_against_the_least_that_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (check_python().verdict, check_sqlite().verdict) == ("ok", "ok")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert check_sqlite().verdict == "fail"
    monkeypatch.setattr(doctor_module, "LEAST_PYTHON", (9, 0))
    assert check_python().verdict == "fail"


def test_a_workspace_without_agents_is_doubtful(tmp_path: Path) -> None:
    assert check_workspace(tmp_path).verdict == "warn"
    (tmp_path / "mission-control" / "agents" / "scout").mkdir(parents=True)
    assert check_workspace(tmp_path).found.endswith("1 agent")


def test_a_runtime_that_is_named_and_not_there_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "claude/projects").mkdir(parents=True)

    def check(claude: str) -> Check:
        return check_runtimes(
            Config(sources=SourcesConfig(places={"openclaw": "off", "codex": "off", "claude": claude}))
        )

    there = check(str(tmp_path / "claude"))
    assert (there.verdict, there.found) == ("ok", f"claude at {tmp_path / 'claude'}")
    missing = check(str(tmp_path / "cloud"))
    assert missing.verdict == "warn"
    assert "sources.claude" in missing.found
    assert check("off").verdict == "ok"


def test_a_data_folder_needs_room_for_what_the_log_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(count: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": count}))

    free(1 << 40)
    assert check_data(tmp_path / "a" / "b", 1 << 30).verdict == "ok"
    free(1 << 28)
    assert check_data(tmp_path, 1 << 30).verdict == "warn"
    free(1 << 20)
    assert check_data(tmp_path, 1 << 30).verdict == "fail"
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot be written" in check_data(file, 0).found


@pytest.mark.parametrize(("limit", "verdict"), [(1000, "ok"), (12, "warn"), (6, "fail")])
def test_the_limit_of_watches_is_held_against_the_folders_there_are(
    tmp_path: Path, limit: int, verdict: str
) -> None:
    limits = tmp_path / "limits"
    limits.mkdir()
    (limits / "max_user_watches").write_text(f"{limit}\n")
    (limits / "max_user_instances").write_text("128\n")
    workspace = tmp_path / "workspace"
    for number in range(6):
        (workspace / str(number)).mkdir(parents=True)
    (workspace / ".git" / "objects").mkdir(parents=True)
    check = check_inotify(workspace, limits)
    assert check.verdict == verdict
    assert check.found.startswith("7 folders")
    assert bool(check.advice) == (verdict != "ok")


def test_a_system_without_such_limits_passes(tmp_path: Path) -> None:
    assert check_inotify(tmp_path, tmp_path / "nothing").verdict == "ok"


def test_descriptors_are_held_against_the_clients_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    assert check_descriptors(1000).verdict == "ok"
    assert "ulimit -Hn 10256" in check_descriptors(10_000).advice


def test_a_port_is_free_or_ours_or_somebody_elses(beside: BesideServer) -> None:
    check, health = check_port("127.0.0.1", free_port(), "--port", None)
    assert (check.verdict, health) == ("ok", None)
    check, health = check_port("127.0.0.1", beside.fake.port, "--port", None)
    assert (check.verdict, health) == ("fail", None)
    assert "--port" in check.advice
    page: dict[str, Any] = {"status": "failing", "timestamp": "…", "reason": "The disk is full."}
    beside.fake.pages = {"/health": web.json_response(page, status=503)}
    check, health = check_port("127.0.0.1", beside.fake.port, "--port", None)
    assert (check.verdict, health) == ("ok", page)


def test_an_address_that_is_not_of_this_machine_is_said_to_be_so() -> None:
    # A documentation address (RFC 5737): no machine has it.
    check, _ = check_port("192.0.2.1", 3001, "--port", None)
    assert check.verdict == "fail"
    assert "--host" in check.advice


def test_a_running_server_that_is_not_well_fails_with_its_reason() -> None:
    assert check_server(None).verdict == "ok"
    assert check_server({"status": "ok"}).verdict == "ok"
    check = check_server({"status": "failing", "reason": "The disk is full."})
    assert (check.verdict, check.found) == ("fail", "failing: The disk is full.")


def test_a_clock_that_cannot_be_right_fails_and_one_that_differs_is_doubtful(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check_clock({"timestamp": "2001-01-01T00:00:00Z"}).verdict == "warn"
    assert check_clock({"timestamp": "nonsense"}).verdict == "ok"
    assert check_clock(None).verdict == "ok"
    monkeypatch.setattr(doctor_module, "time", lambda: 0.0)
    assert check_clock(None).verdict == "fail"


@pytest.mark.nats
def test_a_nats_server_is_asked_whether_it_will_do(nats: NatsProcess) -> None:
    check = check_nats(nats.url)
    assert (check.verdict, "nats-server 2." in check.found) == ("ok", True)


def test_a_nats_server_that_is_away_old_or_without_jetstream_is_said_to_be(tmp_path: Path) -> None:
    assert check_nats(f"nats://127.0.0.1:{free_port()}").verdict == "fail"
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = f"nats://127.0.0.1:{sock.getsockname()[1]}"
        for said, found in (
            (b'INFO {"version": "2.9.1", "jetstream": true}\r\n', "2.9.1"),
            (b'INFO {"version": "2.12.0"}\r\n', "without JetStream"),
            (b"HTTP/1.1 400 Bad Request\r\n", "does not answer"),
        ):

            def answer(said: bytes = said) -> None:
                connection, _ = sock.accept()
                connection.sendall(said)
                connection.close()

            thread = threading.Thread(target=answer)
            thread.start()
            check = check_nats(address)
            thread.join()
            assert (check.verdict, found in check.found) == ("fail", True), check
