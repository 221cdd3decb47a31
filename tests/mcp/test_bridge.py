"""The bridge by itself: lines in, lines out, whatever the server does meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.mcp.callers import get
from tests.mcp.raw import INITIALIZE
from tests.mcp.test_access import write_tokens

pytestmark = pytest.mark.process

INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Lines:
    """A bridge whose lines a test writes and reads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[Any] = []

    def write(self, *messages: Any) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(message if isinstance(message, str) else json.dumps(message))
            self.process.stdin.write("\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        assert self.process.stdout is not None
        self.seen.append(json.loads(self.process.stdout.readline()))
        return self.seen[-1]

    def read_until(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(message := self.read()):
            pass
        return message

    def call(self, tool: str, id_: int = 7, **arguments: Any) -> Any:
        self.write(call(tool, id_, **arguments))
        return self.read()


def call(tool: str, id_: int = 7, **arguments: Any) -> Any:
    return {
        "jsonrpc": "2.0",
        "id": id_,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


@contextmanager
def bridge(url: str, *options: str) -> Iterator[Lines]:
    command = [sys.executable, "-m", "missioncontrol.cli", "mcp", "--url", url, *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Lines(process)
        finally:
            process.kill()


def test_it_answers_what_was_asked_before_its_input_ended(server: ServerProcess) -> None:
    lines = [INITIALIZE, INITIALIZED, call("report_status", status="busy"), call("fleet_status", 8)]
    done = subprocess.run(
        [sys.executable, "-m", "missioncontrol.cli", "mcp", "--url", server.url, "--agent", "piped"],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    answers = {message["id"]: message for message in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == {1, 7, 8}
    assert answers[1]["result"]["serverInfo"]["name"] == "mission-control"
    assert answers[7]["result"]["structuredContent"]["agent"]["id"] == "piped"
    assert done.stderr == ""


def test_a_line_that_is_no_message_is_refused_and_the_next_one_taken(server: ServerProcess) -> None:
    with bridge(server.url) as lines:
        for line in ("nonsense", "[]", '"text"'):
            lines.write(line)
            assert lines.read()["error"]["code"] == -32700
        lines.write("", INITIALIZE)
        assert lines.read()["id"] == 1
        lines.write({"jsonrpc": "2.0", "id": "x", "method": "no/such"})
        assert lines.read()["error"]["code"] == -32601


def test_a_session_goes_on_over_a_restart_of_the_server(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server, bridge(server.url, "--agent", "steady") as lines:
        lines.write(INITIALIZE)
        lines.read()
        lines.write(
            INITIALIZED, {"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": URI}}
        )
        lines.read_until(lambda message: message.get("id") == 2)
        server.stop()
        lines.write(call("report_status", 3, status="busy"))
        server.start()
        answer = lines.read_until(lambda message: message.get("id") == 3)
        assert answer["result"]["structuredContent"]["agent"]["status"] == "busy"
        # What was subscribed to is so again, and what was missed meanwhile is made good.
        assert UPDATED in lines.seen or lines.read_until(lambda message: message == UPDATED)
        server.kill()
        server.start()
        lines.write(call("fleet_status", 4))
        assert "result" in lines.read_until(lambda message: message.get("id") == 4)


def test_updates_that_were_missed_without_a_stream_are_reported_when_there_is_one_again(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server, bridge(server.url, "--agent", "steady") as lines:
        lines.write(INITIALIZE)
        lines.read()
        subscribe = {"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": URI}}
        lines.write(INITIALIZED)
        lines.write(subscribe)
        lines.read_until(lambda message: message.get("id") == 2)
        # Nothing changes after the restart: what is reported is what may have changed before.
        server.kill()
        server.start()
        assert lines.read_until(lambda message: message == UPDATED)


URI = "mission-control://agents/steady"
UPDATED = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": URI}}


def test_a_server_that_says_no_is_understood(tmp_path: Path) -> None:
    config, tokens = write_tokens(tmp_path)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        with bridge(server.url) as lines:
            lines.write(INITIALIZE)
            error = lines.read()["error"]["message"]
            assert "401" in error
            assert "A token is needed" in error
        with bridge(server.url, "--token", tokens["admin"]) as lines:
            lines.write(INITIALIZE)
            assert "result" in lines.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_the_agent_is_offline(server: ServerProcess, number: signal.Signals) -> None:
    with bridge(server.url, "--agent", f"ended-by-{number.value}") as lines:
        lines.write(INITIALIZE)
        lines.read()
        lines.write(INITIALIZED)
        lines.call("report_status", status="busy")
        lines.process.send_signal(number)
        assert lines.process.wait(10) == 0
    # It is told before the session's end is answered, or right after that.
    for _ in range(100):
        if get(server.url, f"/api/agents/ended-by-{number.value}")["kind"] == "offline":
            break
    else:
        pytest.fail("The agent is still there.")


def test_a_wrong_address_or_token_is_one_line_and_exit_status_2() -> None:
    for options, token in ((("--url", "ftp://x"), None), ((), "with blank")):
        environment = os.environ | ({} if token is None else {"MISSION_CONTROL_TOKEN": token})
        done = subprocess.run(
            [sys.executable, "-m", "missioncontrol.cli", "mcp", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=environment,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("mission-control: ")
        assert done.stderr.count("\n") == 1
