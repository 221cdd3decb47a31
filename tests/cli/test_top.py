"""The parts of `top` that need no terminal: its lines, its keys, its choices, and the screen of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from missioncontrol.cli import main
from missioncontrol.cli.top.choices import Answer, ConnectionStatus, Mode, Quit, Sort, View
from missioncontrol.cli.top.fleet import Budget, Fleet, Picture
from missioncontrol.cli.top.keys import Keyboard
from missioncontrol.cli.top.lines import Cell, Line, Screen, Styles, as_text, draw, fit, wrap
from missioncontrol.cli.top.view import age, gauge, lay_out, tokens, typed_at
from missioncontrol.client import Event, Gap, Snapshot, publish
from missioncontrol.state import FleetState
from missioncontrol.testing import start_server

NOW = 1_795_428_900.0
TIME = "2026-11-23T10:15:00.000Z"
LIVE = ConnectionStatus("●", "Live", stale=False, heard=NOW)
PLAIN = Styles(colour=False, plain=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["\x1b[2J", "\x9b31m", "🦊👩‍👩‍👧‍👦✈️", "日本語の名前", "שלום ‮", "a\nb\tc", "e\u0301" * 9]
)
SIZES = [(80, 24), (120, 40), (200, 60), (40, 10), (64, 12)]


def event(id_: int, type_: str, **data: Any) -> Event:
    return Event(type_, id_, TIME, "test", {"timestamp": TIME, **data})


def make_fleet(*events: Event) -> Fleet:
    fleet = Fleet()
    fleet.take(Snapshot(FleetState().snapshot(), "abc:0"))
    fleet.budget = Budget("2026-11-23", 10.0)
    for each in events:
        fleet.take(each)
    return fleet


def busy_fleet() -> Picture:
    events = [
        event(1, "agent:statusChange", agentId="scout", status="busy"),
        event(2, "agent:statusChange", agentId="forge", status="idle"),
        event(3, "agent:statusChange", agentId="atlas", status="error: no disk"),
        event(4, "agent:statusChange", agentId="zed", status="offline"),
        event(
            5, "agent:updated", agentId="scout", updates={"currentTask": {"id": "TASK-1", "title": "Read"}}
        ),
        event(
            6,
            "token:usage",
            agent="scout",
            tokens=1500,
            cost=9,
            delta={"uses": [use("2026-11-23", 1500, 9.0)]},
        ),
        event(7, "question:asked", question=asked("Q-1", "forge", "Deploy?", ["yes", "no"])),
        event(8, "question:asked", question=asked("Q-2", "zed", "What is it called?", [])),
        event(9, "system:alert", level="critical", message="the disk is full"),
        event(10, "system:alert", level="info", message="just so"),
    ]
    return make_fleet(*events).picture(NOW)


def use(day: str, count: int, cost: float) -> dict[str, Any]:
    return {"session": "s", "model": "m", "day": day, "tokens": count, "cost": cost, "calls": 1}


def asked(id_: str, agent: str, text: str, options: list[str]) -> dict[str, Any]:
    return {"id": id_, "text": text, "agentId": agent, "options": options, "askedAt": TIME}


def screen(
    picture: Picture,
    view: View | None = None,
    size: tuple[int, int] = (80, 24),
    lamp: ConnectionStatus = LIVE,
) -> str:
    lines = lay_out(picture, view or View(), lamp, size, NOW)
    assert len(lines) <= size[1]
    return "\n".join(as_text(line, PLAIN) for line in lines)


@given(TEXTS, st.integers(0, 60), st.booleans())
def test_a_fitted_text_has_its_width_and_no_control_characters(text: str, width: int, right: bool) -> None:
    fitted = fit(text, width, right=right)
    assert cell_len(fitted) == width
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in fitted)


@given(TEXTS, st.integers(2, 40), st.integers(1, 4))
def test_a_wrapped_text_keeps_to_its_width_and_number_of_lines(text: str, width: int, most: int) -> None:
    lines = wrap(text, width, most)
    assert len(lines) <= most
    assert all(cell_len(line) <= width for line in lines)


def test_each_cell_is_put_at_its_column() -> None:
    line = (Cell(0, 3, "abcdef", "bold"), Cell(5, 4, "x", right=True))
    assert draw(line, Styles(colour=True)) == "\x1b[1G\x1b[1mab…\x1b[m\x1b[6G   x"
    assert as_text(line, PLAIN) == "ab…     x"


def test_without_colour_no_colour_is_written() -> None:
    for style in ("title", "brand", "bar", "bad", "busy", "error", "agent", "key", "selected", "dim"):
        drawn = draw((Cell(0, 3, "abc", style),), Styles(colour=False))
        assert not any(f"{code}m" in drawn or f"{code};" in drawn for code in range(30, 108))


def test_only_lines_that_changed_are_written() -> None:
    screen = Screen(PLAIN)
    one: list[Line] = [(Cell(0, 3, "one"),), (Cell(0, 3, "two"),)]
    assert "one" in screen.update(one, (20, 3))
    assert screen.update(one, (20, 3)) == ""
    changed = screen.update([one[0], (Cell(0, 3, "six"),)], (20, 3))
    assert "six" in changed
    assert "one" not in changed
    assert "one" in screen.update(one, (21, 3))
    screen.forget()
    assert "one" in screen.update(one, (21, 3))


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        ([b"q"], ["q"]),
        ([b"\x1b[A\x1b[B\x1bOA"], ["up", "down", "up"]),
        ([b"\x1b"], ["escape"]),
        ([b"\x1b[", b"5~x"], ["page-up", "x"]),
        ([b"\x1b[1;5Cx"], ["x"]),
        (["ü🦊".encode()[:3], "ü🦊".encode()[3:]], ["ü", "🦊"]),
        ([b"a\r\x7f\t\x15\x03"], ["a", "enter", "backspace", "tab", "clear", "quit"]),
        ([b"\x1b[" + b"1" * 60], ["[", *["1"] * 60]),
        ([b"\x01\x02"], []),
        ([b"\xff"], ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_bytes_are_keys(pieces: list[bytes], keys: list[str]) -> None:
    keyboard = Keyboard()
    assert [key for piece in pieces for key in keyboard.read(piece)] == keys


@given(st.lists(st.binary(max_size=8), max_size=20))
def test_no_bytes_break_the_keyboard(pieces: list[bytes]) -> None:
    keyboard = Keyboard()
    for piece in pieces:
        keyboard.read(piece)
    assert keyboard.read(b"q" * 40)[-1] == "q"


def test_the_screen_says_who_works_what_it_costs_and_what_needs_somebody() -> None:
    shown = screen(busy_fleet())
    assert "● Live" in shown
    assert "1 of 4 at work" in shown
    assert "1.5k tokens, $9.00 today" in shown
    assert "90% of $10.00" in shown
    assert "! 4 need you" in shown
    assert "TASK-1 Read" in shown
    assert "Deploy? [yes / no]" in shown
    assert "the disk is full" in shown
    assert "just so" not in shown.partition("EVENTS")[0]
    assert shown.index("forge") < shown.index("atlas") < shown.index("scout")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_fits_every_size(size: tuple[int, int], mode: Mode) -> None:
    picture, view = busy_fleet(), View()
    if mode is Mode.ANSWER:
        view.press("a", picture)
    view.mode = mode
    lines = lay_out(picture, view, LIVE, size, NOW)
    assert len(lines) == size[1]
    for line in lines:
        assert all(cell.column + cell.width <= size[0] for cell in line), line


def test_too_small_a_terminal_is_told_so() -> None:
    assert screen(busy_fleet(), size=(39, 24)).startswith("Too small")


def test_a_lost_connection_is_seen_and_what_is_shown_is_pale() -> None:
    lamp = ConnectionStatus(
        "↻", "Reconnecting, stale for 3s", stale=True, heard=NOW - 90, reason="It is gone."
    )
    lines = lay_out(busy_fleet(), View(), lamp, (120, 24), NOW)
    assert "↻ Reconnecting, stale for 3s  last event 1m ago  It is gone." in as_text(lines[0], PLAIN)
    assert all("dim" in cell.style for line in lines[2:-1] for cell in line)


def test_an_empty_fleet_says_what_would_fill_it() -> None:
    shown = screen(make_fleet().picture(NOW))
    assert "No agents yet" in shown
    assert "nothing needs you" in shown


def test_names_cannot_command_the_terminal() -> None:
    evil = "\x1b]0;pwned\x07\x9b2J‮"
    fleet = make_fleet(
        event(
            1,
            "agent:statusChange",
            agentId=evil,
            status=evil,
            agent={"name": evil, "model": evil, "role": evil},
        ),
        event(2, "question:asked", question=asked("Q-1", evil, evil, [evil])),
        event(3, "system:alert", level="critical", message=evil),
        event(4, "custom:thing", text=evil),
    )
    picture, view = fleet.picture(NOW), View()
    for key in ("enter", "escape", "a"):
        view.press(key, picture)
        for line in lay_out(picture, view, LIVE, (100, 30), NOW):
            assert not set("\x07\x1b\x9b‮") & set(as_text(line, PLAIN))


def test_keys_select_sort_filter_and_search() -> None:
    picture, view = busy_fleet(), View()

    def names() -> list[str]:
        return [agent.name for agent in view.shown(picture)]

    assert names() == ["forge", "zed", "atlas", "scout"]
    view.press("j", picture)
    assert view.selected(picture) == view.shown(picture)[1]
    view.press("end", picture)
    assert view.selected(picture) == view.shown(picture)[3]
    view.press("s", picture)
    assert (view.sort, names()) == (Sort.NAME, ["atlas", "forge", "scout", "zed"])
    assert view.selected(picture) == view.shown(picture)[2]
    view.press("s", picture)
    assert names()[0] == "scout"
    filtered = []
    for _ in range(4):
        view.press("f", picture)
        filtered.append(sorted(names()))
    assert filtered == [
        ["scout"],
        ["atlas", "forge", "zed"],
        ["atlas", "forge", "scout"],
        ["atlas", "forge", "scout", "zed"],
    ]
    for key in "/rea":
        view.press(key, picture)
    assert names() == ["scout"]
    view.press("enter", picture)
    assert "(by cost, /rea)" in screen(picture, view)
    view.press("escape", picture)
    assert len(names()) == 4
    assert view.press("q", picture) == Quit()


def test_the_sheet_shows_all_that_is_known_of_an_agent() -> None:
    picture, view = busy_fleet(), View()
    view.press("end", picture)
    view.press("enter", picture)
    shown = screen(picture, view, (100, 40))
    for wanted in (
        "scout",
        "▶ busy, confirmed 0s ago by event",
        "TASK-1 Read",
        "1.5k tokens, $9.00",
        "now busy",
    ):
        assert wanted in shown
    assert "forge" not in shown
    view.press("left", picture)
    assert view.mode is Mode.TABLE


def test_a_question_is_answered_by_number_or_by_text() -> None:
    picture, view = busy_fleet(), View()
    view.press("a", picture)
    lines = lay_out(picture, view, LIVE, (80, 24), NOW)
    assert "forge asks (Q-1, 0s ago)" in "\n".join(as_text(line, PLAIN) for line in lines)
    assert view.press("enter", picture) is None
    for key in ("x", "backspace", "1"):
        view.press(key, picture)
    assert typed_at(view, lay_out(picture, view, LIVE, (80, 24), NOW), (80, 24)) == (16, 22)
    first, second = picture.questions
    assert view.press("enter", picture) == Answer("Q-1", "yes", first.digest)
    view.press("a", picture)
    view.press("tab", picture)
    for key in "Fox 🦊":
        view.press(key, picture)
    assert view.press("enter", picture) == Answer("Q-2", "Fox 🦊", second.digest)


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "permission", "details": {"tool": "Bash", "input": {"command": "ls"}}},
        {"text": "Which one? " * 40},
        {"text": "Which\u202e one?"},
        {"details": {"notes": "x" * 500}},
        {"text": "DROP the database?"},
    ],
    ids=["permission", "long", "hidden characters", "long details", "dangerous"],
)
def test_what_has_to_be_read_whole_is_answered_by_a_command_of_its_own(more: dict[str, Any]) -> None:
    question = {**asked("Q-1", "forge", "Deploy?", ["yes", "no"]), **more}
    picture, view = make_fleet(event(1, "question:asked", question=question)).picture(NOW), View()
    view.press("a", picture)
    assert "All of it, and the answer: mission-control answer Q-1" in screen(picture, view)
    view.press("1", picture)
    assert view.press("enter", picture) is None
    assert "Run: mission-control answer Q-1" in screen(picture, view)


def test_nobody_asks_anything_is_said() -> None:
    picture, view = make_fleet().picture(NOW), View()
    view.press("a", picture)
    assert "Nobody asks anything." in screen(picture, view)


def test_what_is_shown_goes_on_from_a_snapshot_and_over_a_gap() -> None:
    fleet = make_fleet(event(1, "agent:statusChange", agentId="scout", status="busy"))
    later = FleetState().snapshot()
    fleet.take(Gap(2, 8, "trimmed", "abc:8"))
    fleet.take(Snapshot(later, "abc:9"))
    fleet.take(event(9, "agent:statusChange", agentId="old", status="busy"))
    fleet.take(event(10, "agent:statusChange", agentId="new", status="idle"))
    fleet.recall([event(11, "custom:next"), event(9, "custom:again"), event(1, "custom:older")])
    fleet.take(event(11, "custom:next"))
    picture = fleet.picture(NOW)
    assert [agent.id for agent in picture.agents] == ["new"]
    assert screen(picture).count("custom") == 1
    assert "GAP: Events 2 to 8 are missing" in screen(picture)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_999, "1.0M"),
        (3e9, "3.0G"),
    ],
)
def test_tokens_are_short(count: float, text: str) -> None:
    assert tokens(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3600, "1h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (9e9, ">999d"),
    ],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_a_gauge_is_never_longer_than_its_width() -> None:
    assert [gauge(part, 4) for part in (-1, 0, 0.5, 1, 7)] == ["▱▱▱▱", "▱▱▱▱", "▰▰▱▱", "▰▰▰▰", "▰▰▰▰"]


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    with start_server(tmp_path / "workspace") as server:
        yield server.url


@pytest.mark.process
def test_in_a_pipe_it_prints_the_fleet_once_without_codes(
    server_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        data = {"agentId": f"agent-{number}", "status": "busy"}
        publish(server_url, "agent:statusChange", data, key=f"k{number}")
    body = msgspec.json.encode({"level": "critical", "message": "the disk is full"})
    publish(server_url, "system:alert", msgspec.json.decode(body))
    assert main(["top", "--url", server_url]) == 0
    shown = capsys.readouterr().out
    assert "30 of 30 at work" in shown
    assert sum("▶ busy" in line for line in shown.splitlines()) == 30
    assert "the disk is full" in shown
    assert "\x1b" not in shown
