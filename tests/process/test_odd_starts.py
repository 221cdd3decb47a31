"""A server starts and ends in order in whatever surroundings it is started, or says in one line why it cannot."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from missioncontrol.cli.running import Running, read_running
from missioncontrol.client import call, publish
from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

OPTIONS = ["--workspace", "workspace", "--data", "data", "--port", "0", "--ws-port", "none"]


def serve(tmp_path: Path, shell: str = "", command: str = "serve", **env: str) -> Started:
    (tmp_path / "workspace").mkdir(exist_ok=True)
    return Started([command, *OPTIONS], env=clean_environment(tmp_path, **env), folder=tmp_path, shell=shell)


def found(tmp_path: Path, server: Started) -> Running:
    """Wait until a server can be found, where nothing can be read of what it prints."""
    until = time.monotonic() + 40
    while (running := read_running(tmp_path / "data")) is None:
        assert server.process.poll() is None, server.stderr
        assert time.monotonic() < until
        time.sleep(0.05)
    return running


def works_and_drains(tmp_path: Path, server: Started) -> None:
    url = found(tmp_path, server).url
    assert publish(url, "custom:event", {"n": 1}) > 0
    # Anything that was written to a standard stream must not have ended up in a file of the server's.
    assert json.loads(call(url, "/health"))["status"] == "ok"
    server.signal(signal.SIGTERM)
    assert server.status() == 0, server.stderr
    database = (tmp_path / "data" / "events.sqlite").read_bytes()
    assert database.startswith(b"SQLite format 3\0")


@pytest.mark.parametrize(
    "shell",
    [
        "exec >&-",
        "exec 2>&-",
        "exec <&-",
        "exec <&- >&- 2>&-",
        "exec > /dev/full",
        "exec > >(exec true); sleep 0.2",
    ],
    ids=["no output", "no errors", "no input", "no streams", "full output", "output that nobody reads"],
)
def test_it_runs_with(tmp_path: Path, shell: str) -> None:
    with serve(tmp_path, shell) as server:
        works_and_drains(tmp_path, server)


@pytest.mark.parametrize(
    ("shell", "env"),
    [
        ("unset HOME", {}),
        ("", {"TMPDIR": "/proc/no-such-folder"}),
        ("", {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("umask 077", {}),
        ("unset PATH", {}),
    ],
    ids=["no home", "no folder for temporary files", "the C locale", "a strict umask", "no path"],
)
def test_it_runs_in_surroundings_with(tmp_path: Path, shell: str, env: dict[str, str]) -> None:
    home = tmp_path / "workspace" / "agents" / "scout"
    home.mkdir(parents=True)
    (home / "SOUL.md").write_text("**Name:** Schöne Späherin 🛰\n", encoding="utf-8")
    with serve(tmp_path, shell, **env) as server:
        url = found(tmp_path, server).url
        until = time.monotonic() + 30
        while not json.loads(call(url, "/api/agents")) and time.monotonic() < until:
            time.sleep(0.05)
        assert json.loads(call(url, "/api/agents"))[0]["name"] == "Schöne Späherin 🛰"
        works_and_drains(tmp_path, server)


@pytest.mark.parametrize(
    "spoil",
    [
        "touch data",
        "touch data.file && ln -s data.file data",
        "ln -s data data",
        "rm -r workspace",
        "rm -r workspace && touch workspace",
        "rm -r workspace && ln -s workspace workspace",
        "mkdir -p data/events.sqlite",
        "mkdir -p data/lock",
    ],
)
def test_it_says_in_one_line_why_it_cannot_start_after(tmp_path: Path, spoil: str) -> None:
    with serve(tmp_path, spoil) as server:
        assert server.line() == ""
        assert server.status() in (1, 2)
        complaint = server.stderr.splitlines()
        assert len(complaint) == 1, complaint
        assert complaint[0].startswith("mission-control: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_workspace_in_which_nothing_can_be_read_is_served_with_the_reason(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    (workspace / "mission-control" / "agents" / "scout").mkdir(parents=True)
    (workspace / "mission-control" / "TASK_QUEUE.json").write_text("{}")
    (workspace / "file").touch()
    hidden = (workspace / "mission-control", workspace / "file")
    for path in hidden:
        path.chmod(0)
    try:
        with serve(tmp_path) as server:
            url = found(tmp_path, server).url
            assert publish(url, "custom:event", {"n": 1}) > 0
            server.signal(signal.SIGTERM)
            assert server.status() == 0
    finally:
        for path in hidden:
            path.chmod(0o755)


@pytest.mark.parametrize("name", ["head", "lock", "events.sqlite", "damaged"])
def test_a_pipe_in_place_of_a_file_of_the_data_folder_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / name)
    with serve(tmp_path) as server:
        assert server.status() == 2
        (line,) = server.stderr.splitlines()
        assert line.startswith(f"mission-control: {tmp_path / 'data' / name} is a named pipe; ")
