"""`top` in a real terminal: tmux draws it, presses its keys, and says what stands on the screen."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest

from missioncontrol.client import call, publish
from missioncontrol.testing import ServerProcess, start_server
from tests.terminal import SHELL_PROMPT, Terminal

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "workspace") as server:
        tell(server, "scout", "busy")
        yield server


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("tmux"), 80, 24)
    yield terminal
    terminal.close()


def start_top(terminal: Terminal, url: str, *, before: str = "") -> None:
    terminal.type(f"{before} {sys.executable} -m missioncontrol.cli top --url {url}")
    terminal.press("Enter")


def tell(server: ServerProcess, agent: str, status: str) -> None:
    publish(server.url, "agent:statusChange", {"agentId": agent, "status": status})


def ask(server: ServerProcess, text: str, *options: str) -> str:
    body = msgspec.json.encode({"text": text, "agentId": "scout", "options": options})
    asked = msgspec.json.decode(call(server.url, "/api/questions", method="POST", body=body))
    id_: str = asked["id"]
    return id_


def test_it_appears_follows_events_and_gives_the_terminal_back(
    server: ServerProcess, terminal: Terminal
) -> None:
    terminal.type("echo what was there before")
    terminal.press("Enter")
    terminal.wait_for(lambda shown: shown.count("what was there before") == 2)
    start_top(terminal, server.url)
    shown = terminal.wait_for("● Live")
    assert "1 of 1 at work" in shown
    assert "what was there before" not in shown
    assert terminal.ask("#{alternate_on} #{cursor_flag}") == "1 0"
    assert len(shown.splitlines()) == 24
    tell(server, "forge", "busy")
    terminal.wait_for("2 of 2 at work")
    terminal.press("q")
    shown = terminal.wait_for("what was there before")
    assert "● Live" not in shown
    assert terminal.ask("#{alternate_on} #{cursor_flag}") == "0 1"
    terminal.type("echo $((40 + 2))")
    terminal.press("Enter")
    terminal.wait_for("\n42")


def test_it_is_suspended_and_taken_up_again(server: ServerProcess, terminal: Terminal) -> None:
    start_top(terminal, server.url)
    terminal.wait_for("● Live")
    terminal.press("C-z")
    terminal.wait_for("Stopped")
    assert terminal.ask("#{alternate_on} #{cursor_flag}") == "0 1"
    tell(server, "forge", "busy")
    terminal.type("fg")
    terminal.press("Enter")
    terminal.wait_for("2 of 2 at work")
    terminal.press("q")
    terminal.wait_for(lambda shown: shown.rstrip().endswith(SHELL_PROMPT.strip()))


def test_a_window_that_is_closed_ends_it(server: ServerProcess, terminal: Terminal) -> None:
    start_top(terminal, server.url)
    terminal.wait_for("● Live")
    shell = terminal.ask("#{pane_pid}")
    (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    terminal.close()
    deadline = monotonic() + 10
    while Path(f"/proc/{child}").exists():
        assert monotonic() < deadline
        sleep(0.05)


def test_a_question_is_answered(server: ServerProcess, terminal: Terminal) -> None:
    start_top(terminal, server.url, before=f"MISSION_CONTROL_DATA={server.data}")
    terminal.wait_for("● Live")
    id_ = ask(server, "Deploy to production?", "yes", "no")
    terminal.wait_for("Deploy to production? [yes / no]")
    terminal.press("a")
    terminal.wait_for("Your answer:")
    assert terminal.ask("#{cursor_flag}") == "1"
    terminal.type("2")
    terminal.press("Enter")
    terminal.wait_for(f"{id_} is answered: no")
    assert msgspec.json.decode(call(server.url, f"/api/questions/{id_}"))["answer"] == "no"
    terminal.wait_for("nothing needs you")


def test_it_survives_a_restart_of_the_server_and_catches_up(
    server: ServerProcess, terminal: Terminal
) -> None:
    start_top(terminal, server.url)
    terminal.wait_for("● Live")
    server.kill()
    # At once, not after a heartbeat.
    terminal.wait_for("stale for", seconds=2.0)
    server.restart()
    tell(server, "forge", "busy")
    shown = terminal.wait_for("2 of 2 at work")
    assert "● Live" in shown


def test_it_follows_the_size_of_the_terminal(server: ServerProcess, terminal: Terminal) -> None:
    start_top(terminal, server.url)
    terminal.wait_for("● Live")
    for width, height in ((200, 60), (50, 12), (120, 40)):
        terminal.resize(width, height)
        shown = terminal.wait_for(lambda shown, lines=height: foot_is_last(shown, lines))  # type: ignore[misc]
        assert max(map(len, shown.splitlines())) <= width
        assert ("SOURCE" in shown) == (width >= 110)


def foot_is_last(shown: str, lines: int) -> bool:
    rows = shown.splitlines()
    return (
        len(rows) == lines and rows[-1].startswith(" q quit") and sum(" q quit" in row for row in rows) == 1
    )


def test_a_paused_picture_stands_still_and_catches_up(server: ServerProcess, terminal: Terminal) -> None:
    start_top(terminal, server.url)
    terminal.wait_for("● Live")
    terminal.press("p")
    terminal.wait_for("‖ Paused")
    tell(server, "forge", "busy")
    terminal.press("Down")
    sleep(1.0)
    assert "forge" not in terminal.screen()
    terminal.press("p")
    terminal.wait_for("2 of 2 at work")


def test_no_name_breaks_the_screen(server: ServerProcess, terminal: Terminal) -> None:
    names = [
        "\x1b[2J\x1b]0;pwned\x07",
        "🦊👩‍👩‍👧‍👦✈️🏳️‍🌈",
        "日本語エージェント名前",
        "שלום عالم",
        "e\u0301" * 30,
    ]
    for name in names:
        publish(
            server.url,
            "agent:statusChange",
            {"agentId": name, "status": "busy", "agent": {"name": name, "model": name, "currentTask": name}},
        )
    before = terminal.ask("#{pane_title}")
    start_top(terminal, server.url)
    shown = terminal.wait_for("6 of 6 at work")
    rows = shown.splitlines()
    assert rows[0].startswith(" MISSION CONTROL  ● Live")
    assert sum("▶ busy" in row for row in rows) == 6
    assert foot_is_last(shown, 24)
    assert terminal.ask("#{pane_title}") == before


@pytest.mark.parametrize(("before", "colours"), [("", True), ("NO_COLOR=1", False)])
def test_colours_are_left_out_where_they_are_not_wanted(
    server: ServerProcess, terminal: Terminal, before: str, colours: bool
) -> None:
    start_top(terminal, server.url, before=before)
    terminal.wait_for("● Live")
    shown = terminal.screen(codes=True).partition("EVENTS")[0]
    found = {int(code) for codes in re.findall(r"\x1b\[([\d;]+)m", shown) for code in codes.split(";")}
    # 39 and 49 are the terminal's own colours.
    assert bool(found & {*range(30, 38), *range(40, 48), *range(90, 108)}) is colours


def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path, terminal: Terminal) -> None:
    with start_server(tmp_path / "workspace") as server:
        server.stop()
        start_top(terminal, server.url)
        terminal.wait_for("○ Connecting")
        shown = terminal.wait_for("cannot be reached")
        assert "needs you" not in shown
        server.restart()
        terminal.wait_for("● Live")
        terminal.press("C-c")
        terminal.wait_for(lambda shown: shown.rstrip().endswith(SHELL_PROMPT.strip()))
