"""`ask` and `answer`, against a real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.cli import main
from missioncontrol.cli.server import Server
from missioncontrol.client import call
from missioncontrol.testing import ServerProcess, start_server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("questions") / "workspace") as server:
        yield server


def run(server: ServerProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main([*arguments, "--url", server.url])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def asking(server: ServerProcess, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "missioncontrol.cli", "ask", *arguments, "--url", server.url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def listed(server: ServerProcess, text: str, status: str = "open") -> dict[str, str]:
    """Wait until a question is there, and return it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for asked in json.loads(call(server.url, f"/api/questions?status={status}"))["questions"]:
            if asked["text"] == text:
                found: dict[str, str] = asked
                return found
        time.sleep(0.05)
    raise AssertionError(f"nobody asks {text!r}")


def test_whoever_asks_prints_the_answer_also_after_a_restart(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    process = asking(server, "Deploy?", "--agent", "scout", "--option", "yes", "--option", "no")
    id_ = listed(server, "Deploy?")["id"]
    out = run(server, capsys, "answer")[1]
    assert all(part in out for part in (id_, "scout", "yes / no", "Deploy?"))
    assert "none of the answers" in run(server, capsys, "answer", id_, "perhaps")[2]
    server.restart()
    assert run(server, capsys, "answer", id_, "YES", "--by", "anna")[:2] == (0, f"{id_}: yes\n")
    assert process.communicate(timeout=30) == ("yes\n", "")
    assert process.returncode == 0
    status, _, wrong = run(server, capsys, "answer", id_, "no")
    assert status != 0
    assert "answered by anna already" in wrong


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_whoever_gives_up_withdraws_the_question(server: ServerProcess, ending: signal.Signals) -> None:
    text = f"Still there before {ending.name}?"
    process = asking(server, text)
    listed(server, text)
    process.send_signal(ending)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert listed(server, text, "closed")["reason"] == "withdrawn"


def test_whoever_gives_up_before_the_id_has_come_back_withdraws_the_question_too(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = Server.ask, []

    def interrupted(self: Server, *given: Any) -> Any:
        answer = ask(self, *given)
        asked.append(given[1])
        if len(asked) == 1:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Server, "ask", interrupted)
    assert main(["ask", "Too late?", "--url", server.url]) == 130
    assert asked == ["POST", "POST", "DELETE"]
    assert listed(server, "Too late?", "closed")["reason"] == "withdrawn"


def test_a_question_whose_time_is_up_is_said_to_be_so(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, capsys, "ask", "Now?", "--timeout", "1") == (
        1,
        "",
        "mission-control: nobody has answered (expired)\n",
    )


def test_a_question_can_be_asked_without_waiting(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("ask", "Which?", "--no-wait", "--key", "which")
    id_ = run(server, capsys, *arguments)[1]
    assert run(server, capsys, *arguments)[1] == id_
    status, _, wrong = run(server, capsys, "answer", id_.strip())
    assert status == 2
    assert f"mission-control answer {id_.strip()} TEXT" in wrong
    run(server, capsys, "answer", id_.strip(), "this")
    assert run(server, capsys, "ask", "Which?", "--key", "which")[1] == "this\n"
