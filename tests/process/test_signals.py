"""Signals: whatever asks a process to end drains it, twice is once, and those with another meaning never end it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from missioncontrol.client import call, publish
from missioncontrol.testing import start_server
from tests.process.claude_session import until
from tests.process.raw_socket import RawSocket
from tests.process.started import Started, clean_environment
from tests.process.test_drain import until_told

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]

SERVE = ["serve", "--workspace", "workspace", "--data", "data", "--port", "0", "--ws-port", "none"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
async def test_a_server_drains_on(tmp_path: Path, number: signal.Signals) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with await RawSocket.websocket(server.url) as socket_:
            await socket_.receive_message("connected")
            assert publish(server.url, "custom:event", {"n": 1}, key="kept") > 0
            os.kill(server.pid, number)
            assert (await until_told(socket_))[1] == 1001
        assert await asyncio.to_thread(server.wait) == 0
        server.restart()
        assert b'"n":1' in call(server.url, "/api/events?since=" + server_epoch(server.url) + ":0")


def server_epoch(url: str) -> str:
    epoch: str = json.loads(call(url, "/api/snapshot"))["cursor"].partition(":")[0]
    return epoch


def test_a_demo_drains_on_sighup_and_removes_its_folder(tmp_path: Path) -> None:
    env = clean_environment(tmp_path, TMPDIR=str(tmp_path))
    with Started(["demo", "--port", "0", "--ws-port", "none"], env=env, folder=tmp_path) as demo:
        demo.ready()
        assert list(tmp_path.glob("mission-control-demo-*"))
        # The kernel and the shell both send it when a terminal is closed.
        for _ in range(20):
            demo.signal(signal.SIGHUP)
            time.sleep(0.01)
        assert demo.status() == 0
        assert not list(tmp_path.glob("mission-control-demo-*"))


def test_a_browser_that_runs_on_does_not_hold_up_the_end(tmp_path: Path) -> None:
    browser, pid = tmp_path / "browser", tmp_path / "pid"
    browser.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    browser.chmod(0o755)
    env = clean_environment(tmp_path, TMPDIR=str(tmp_path), BROWSER=f"{browser} %s")
    with Started(["demo", "--open", "--port", "0", "--ws-port", "none"], env=env, folder=tmp_path) as demo:
        demo.ready()
        until(lambda: pid.exists() and pid.read_text().strip())
        demo.signal(signal.SIGTERM)
        try:
            assert demo.status() == 0
        finally:
            os.kill(int(pid.read_text()), signal.SIGKILL)
        assert not list(tmp_path.glob("mission-control-demo-*"))


def test_a_signal_that_comes_twice_at_once_asks_once(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with Started(SERVE, env=clean_environment(tmp_path), folder=tmp_path) as server:
        server.ready()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server.signal(number)
            time.sleep(0.005)
        assert server.status() == 0
        assert '"event": "stopped"' in server.stderr


def test_a_second_signal_a_second_later_ends_a_drain_that_waits_for_a_client(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with Started(SERVE, env=clean_environment(tmp_path), folder=tmp_path) as server:
        server.ready()
        # A client that never answers the close frame holds the drain up.
        host, _, port = server.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"GET /api/ws HTTP/1.1\r\nHost: %b:%b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                % (host.encode(), port.encode())
            )
            assert b"101" in client.recv(100)
            server.signal(signal.SIGTERM)
            while '"stopping"' not in server.stderr:
                time.sleep(0.01)
            time.sleep(1.3)
            assert server.process.poll() is None
            server.signal(signal.SIGTERM)
            assert server.status() == 128 + signal.SIGTERM


def test_sigusr1_shows_every_thread_and_sigusr2_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with Started(SERVE, env=clean_environment(tmp_path), folder=tmp_path) as server:
        server.ready()
        server.signal(signal.SIGUSR2)
        server.signal(signal.SIGUSR1)
        until(lambda: "Thread MainThread" in server.stderr and "in run_server" in server.stderr)
        assert json.loads(call(server.url, "/health"))["status"] == "ok"
        server.signal(signal.SIGTERM)
        assert server.status() == 0


def test_a_busy_server_survives_many_requests_for_its_threads(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server, ThreadPoolExecutor(2) as clients:
        busy = [
            clients.submit(lambda: [call(server.url, "/api/snapshot") for _ in range(60)]) for _ in range(2)
        ]
        while not all(client.done() for client in busy):
            os.kill(server.pid, signal.SIGUSR1)
            time.sleep(0.003)
        for client in busy:
            client.result()
        assert json.loads(call(server.url, "/health"))["status"] == "ok"


def test_under_nohup_a_server_outlives_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with Started(SERVE, env=clean_environment(tmp_path), folder=tmp_path, shell="trap '' HUP") as server:
        server.ready()
        server.signal(signal.SIGHUP)
        assert json.loads(call(server.url, "/health"))["status"] == "ok"
        server.signal(signal.SIGTERM)
        assert server.status() == 0


def test_a_question_is_withdrawn_when_its_terminal_is_closed(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        # A terminal of its own, whose other end is closed: the kernel sends SIGHUP, and nothing can be printed.
        child, terminal = pty.fork()
        if child == 0:
            os.execv(
                sys.executable,
                [sys.executable, "-m", "missioncontrol.cli", "ask", "Closed?", "--url", server.url],
            )
        until = time.monotonic() + 30
        while b"Closed?" not in call(server.url, "/api/questions?status=open"):
            assert time.monotonic() < until
            time.sleep(0.05)
        os.close(terminal)
        os.waitpid(child, 0)
        asked = json.loads(call(server.url, "/api/questions?status=closed"))["questions"]
        assert [(question["text"], question["reason"]) for question in asked] == [("Closed?", "withdrawn")]


def test_a_watch_says_its_cursor_when_it_is_hung_up(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        command = [sys.executable, "-m", "missioncontrol.cli", "watch", "--json", "--url", server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stderr is not None
            assert "connected" in watch.stderr.readline()
            watch.send_signal(signal.SIGHUP)
            assert watch.wait(30) == 0
            assert "go on with --since" in watch.stderr.read()
