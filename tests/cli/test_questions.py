"""`ask` and `answer`, against a real server."""

from __future__ import annotations

import json
import os
import pty
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
from tests.asking import ask_permission

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("questions") / "workspace") as server:
        yield server


def run(server: ServerProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MISSION_CONTROL_DATA", str(server.data))
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


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
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


def on_a_terminal(
    server: ServerProcess, id_: str, *typed: tuple[str, str], given: tuple[str, ...] = ()
) -> tuple[int, str]:
    """Run `answer` on a real terminal; of each pair the first is waited for, then the second is typed."""
    command = [sys.executable, "-m", "missioncontrol.cli", "answer", id_, *given, "--url", server.url]
    child, screen = pty.fork()
    if child == 0:
        terminal = {"TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}
        os.execve(command[0], command, {**os.environ, **terminal, "MISSION_CONTROL_DATA": str(server.data)})
    shown = b""
    try:
        for wanted, text in (*typed, ("", "")):
            while not wanted or wanted.encode() not in shown:
                try:
                    shown += os.read(screen, 65_536)
                except OSError:
                    # The program has ended.
                    break
            if wanted:
                os.write(screen, f"{text}\n".encode())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(screen)


def status_of(server: ServerProcess, id_: str) -> str:
    found: str = json.loads(call(server.url, f"/api/questions/{id_}"))["status"]
    return found


def test_a_permission_is_shown_whole_on_the_terminal_before_it_is_given(server: ServerProcess) -> None:
    before = "\n".join(f"line {number}" for number in range(120))
    given = {
        "file_path": "/a\u202e",
        "old_string": before,
        "new_string": before.replace("line 7\n", "seven\x1b\n"),
    }
    id_ = ask_permission(server, "Edit", given)
    pages = [(f"Page {number} of 6; press Enter", "") for number in range(1, 6)]
    status, shown = on_a_terminal(
        server, id_, *pages, ("2) allow (dangerous): ", "2"), ("Type 'allow' again", "allow")
    )
    assert (status, shown.rstrip().endswith(f"{id_}: allow")) == (0, True), shown
    assert "claude-scout asks for permission" in shown
    assert "  /a⟦U+202E⟧\n" in shown
    assert "  -line 7\n  +seven⟦ESC⟧\n" in shown
    assert all(f"   line {number}\n" in shown for number in range(120) if number != 7)
    assert "! It has characters that cannot be seen" in shown
    assert "seven\x1b" not in shown
    assert "\u202e" not in shown


def test_each_page_is_on_the_terminal_before_the_next_one(server: ServerProcess) -> None:
    command = "\n".join([f"echo {number}" for number in range(30)] + ["x" * 5_000, "rm -r z"])
    id_ = ask_permission(server, "Bash", {"command": command})
    status, shown = on_a_terminal(server, id_, ("; press Enter", "\x04"))
    # What comes after the first page was not shown, and so nothing is asked.
    assert (status, "Nothing was sent: not all of it was shown" in shown) == (2, True), shown
    assert "echo 9\n" in shown
    assert "echo 29" not in shown
    assert "Your answer" not in shown
    assert status_of(server, id_) == "open"
    assert all(len(page.split("\n")) <= 25 for page in shown.split("-- Page 1 of ")), shown


def test_letters_from_right_to_left_are_code_points_on_a_terminal(server: ServerProcess) -> None:
    text = "cat \u05d0 1 > 2 \u05d1"
    _, shown = on_a_terminal(
        server, ask_permission(server, "Bash", {"command": text}), ("Your answer", "deny"), ("again", "")
    )
    assert "  cat ⟦U+05D0⟧ 1 > 2 ⟦U+05D1⟧\n" in shown
    assert "! It has letters that are written from right to left" in shown
    assert "\u05d0" not in shown
    body = json.dumps({"text": "rm -rf build?", "options": ["no", text]}).encode()
    id_ = json.loads(call(server.url, "/api/questions", method="POST", body=body))["id"]
    asked = (
        ("2) cat ⟦U+05D0⟧ 1 > 2 ⟦U+05D1⟧ (dangerous)", "2"),
        ("Type 'cat ⟦U+05D0⟧ 1 > 2 ⟦U+05D1⟧' again", "no"),
    )
    _, shown = on_a_terminal(server, id_, *asked)
    assert "\u05d0" not in shown


def test_what_is_dangerous_is_asked_for_twice(server: ServerProcess) -> None:
    body = json.dumps({"text": "DROP the production database?", "options": ["yes", "no"]}).encode()
    id_ = json.loads(call(server.url, "/api/questions", method="POST", body=body))["id"]
    status, shown = on_a_terminal(server, id_, ("Type 'yes' again", "no"), given=("yes",))
    assert status != 0
    assert "Nothing was sent" in shown
    assert status_of(server, id_) == "open"
    status, shown = on_a_terminal(server, id_, ("1) no  2) yes (dangerous): ", "1"))
    assert (status, "again" in shown) == (0, False), shown


def test_without_a_terminal_a_permission_needs_the_digest_of_what_was_shown(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    id_ = ask_permission(server, "Edit", {"file_path": "/a"})
    status, _, wrong = run(server, capsys, "answer", id_, "allow")
    assert status == 2
    assert "--digest" in wrong
    assert (
        "not the one that was shown" in run(server, capsys, "answer", id_, "allow", "--digest", "0" * 64)[2]
    )
    digest = json.loads(call(server.url, f"/api/questions/{id_}"))["digest"]
    assert run(server, capsys, "answer", id_, "allow", "--digest", digest)[:2] == (0, f"{id_}: allow\n")


def test_a_permission_of_the_terminal_alone_is_shown_and_not_asked_for(server: ServerProcess) -> None:
    id_ = ask_permission(server, "Edit", {"file_path": "/a"}, held=False)
    status, shown = on_a_terminal(server, id_)
    assert status == 2
    assert "in the terminal of the agent" in shown
