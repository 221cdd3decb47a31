"""Signals that come while a server starts, long before it serves: each ends it with status 0, without a traceback."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

PORTS = ["--port", "0", "--ws-port", "none"]


def catches(pid: int, number: signal.Signals) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def until_catching(command: Started) -> None:
    pid, deadline = command.process.pid, time.monotonic() + 60
    while not catches(pid, signal.SIGTERM):
        assert command.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_start_handles_signals_before_it_imports_what_takes_long(tmp_path: Path, command: str) -> None:
    env = clean_environment(tmp_path, TMPDIR=str(tmp_path))
    with Started([command, *PORTS], env=env, folder=tmp_path) as started:
        until_catching(started)
        mapped = Path(f"/proc/{started.process.pid}/maps").read_text()
        assert not [name for name in ("msgspec", "uvloop", "sqlite3") if name in mapped]
        started.signal(signal.SIGTERM)
        assert started.status() == 0
        assert started.stderr == ""


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_signal_at_any_moment_of_a_start_ends_it_with_0(tmp_path: Path, command: str) -> None:
    env = clean_environment(tmp_path, TMPDIR=str(tmp_path))
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    for turn in range(16):
        with Started([command, *PORTS], env=env, folder=tmp_path) as started:
            until_catching(started)
            time.sleep(turn * 0.1)
            started.signal(numbers[turn % 4])
            assert started.status() == 0, f"after {turn * 0.1:.1f} s: {started.stderr}"
            assert "Traceback" not in started.stderr
    assert not list(tmp_path.glob("mission-control-demo-*"))


def test_a_start_in_the_background_of_nohup_goes_on_after_sighup(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    with Started(["serve", *PORTS], env=env, folder=tmp_path, shell="trap '' HUP") as server:
        until_catching(server)
        server.signal(signal.SIGHUP)
        server.ready()
        server.signal(signal.SIGTERM)
        assert server.status() == 0
