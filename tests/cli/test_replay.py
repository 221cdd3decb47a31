"""`replay`, as its users run it, against real servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from missioncontrol.cli.replay import Pace, read_speed
from missioncontrol.client import call, publish
from missioncontrol.errors import ConfigError
from missioncontrol.testing import ServerProcess, start_server
from tests.cli.conftest import BesideServer

COMMAND = [sys.executable, "-m", "missioncontrol.cli", "replay"]


def replay(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--url", url, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def events(server: ServerProcess, pattern: str) -> list[dict[str, Any]]:
    page = json.loads(call(server.url, f"/api/system/events?limit=1000&events={pattern}"))
    return list(reversed(page))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("replay") / "workspace") as server:
        for number in range(40):
            publish(server.url, "custom:thing" if number % 2 else "agent:statusChange", thing(number))
        yield server


def thing(number: int) -> dict[str, Any]:
    return {"agentId": "scout", "status": "busy", "n": number}


def test_a_pause_is_what_lay_between_divided_by_the_speed() -> None:
    pace = Pace(10.0, 5.0)
    assert pace.step("2026-11-23T10:00:00.000Z") == (0.0, 0.0)
    assert pace.step("2026-11-23T10:00:01.000Z") == pytest.approx((0.1, 0.0))
    pace.waited(0.1)
    assert pace.step("2026-11-23T12:00:01.000Z") == (5.0, 7200.0)
    assert pace.step("2026-11-23T12:00:01.000Z") == pytest.approx((0.0, 0.0))
    assert Pace(None, 5.0).step("2026-11-23T10:00:00.000Z") == (0.0, 0.0)


def test_pauses_too_short_to_wait_for_add_up() -> None:
    pace = Pace(1.0, 5.0)
    pauses = [pace.step(f"2026-11-23T10:00:00.{milli:03}Z")[0] for milli in range(10)]
    assert pauses[-1] == pytest.approx(0.009)


@pytest.mark.parametrize(("text", "speed"), [("10", 10.0), ("10x", 10.0), ("0.5", 0.5), ("MAX", None)])
def test_a_speed_is_a_factor_or_max(text: str, speed: float | None) -> None:
    assert read_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="how many times as fast"):
        read_speed(text)


@pytest.mark.process
def test_it_prints_sentences_as_watch_does(server: ServerProcess) -> None:
    done = replay(server.url, "--speed", "max", "agent")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20
    assert "agent:statusChange  scout is now busy" in done.stdout
    assert done.stderr.endswith("mission-control: 20 events shown\n")


@pytest.mark.process
def test_with_json_each_line_is_the_event_as_the_log_has_it(server: ServerProcess) -> None:
    done = replay(server.url, "--speed", "max", "--json", "custom:thing")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [
        {key: value for key, value in event.items() if key not in ("timestamp", "_timestamp")}
        for event in events(server, "custom:thing")
    ]


@pytest.mark.process
def test_moments_bound_it(server: ServerProcess) -> None:
    told = events(server, "custom:thing")
    begin, end = told[5]["time"], told[10]["id"]
    epoch = json.loads(call(server.url, "/api/snapshot"))["cursor"].partition(":")[0]
    done = replay(server.url, "--speed=max", "--json", "--from", begin, "--to", f"{epoch}:{end}", "custom")
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["id"] for event in shown] == [
        event["id"] for event in told if event["time"] >= begin and event["id"] <= end
    ]
    assert replay(server.url, "--from", "1s", "--to", "1h").returncode == 2
    assert "of another log" in replay(server.url, "--from", "abc:1").stderr


@pytest.mark.process
def test_a_replay_into_another_server_tells_nothing_twice(server: ServerProcess, tmp_path: Path) -> None:
    with start_server(tmp_path / "other") as other:
        for _ in range(2):
            done = replay(server.url, "--speed", "max", "--into", other.url, "custom")
            assert done.returncode == 0, done.stderr
        copies = events(other, "custom:thing")
        originals = events(server, "custom:thing")
        assert [copy["data"] for copy in copies] == [
            {**event["data"], "timestamp": event["time"]} for event in originals
        ]
        assert {copy["source"] for copy in copies} == {"api"}


@pytest.mark.process
def test_a_log_is_not_replayed_into_itself(server: ServerProcess) -> None:
    done = replay(server.url, "--into", server.url)
    assert done.returncode == 2
    assert "the very log that is to be replayed" in done.stderr


@pytest.mark.process
def test_the_file_of_a_log_is_read_without_a_server(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        publish(server.url, "custom:thing", {"n": 1})
    done = replay("http://127.0.0.1:9", "--speed", "max", "--json", "--data", str(server.data), "custom")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == {"n": 1}
    nothing = replay("http://127.0.0.1:9", "--data", str(tmp_path))
    assert nothing.returncode == 2
    assert "There is no log in" in nothing.stderr


def remember(beside: BesideServer, *times: str) -> None:
    """Have the fake server hold events of these times."""
    beside.run(beside.fake.tell(len(times)))
    for event, time in zip(beside.fake.events, times, strict=True):
        event["time"] = time
    status = {"log": {"epoch": "abc", "first": beside.fake.first, "head": len(times)}}
    beside.fake.pages["/api/system/status"] = web.json_response(status)


def test_a_gap_is_said_aloud(beside: BesideServer) -> None:
    remember(beside, *["2026-11-23T10:15:00.123Z"] * 6)
    beside.fake.first = 4
    done = replay(beside.url, "--from", "abc:1", "--speed", "max")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "GAP: Events 2 to 3 are missing: older than what the log keeps; going on after abc:3"
    assert len(rest) == 3


def test_a_long_silence_is_shortened_with_a_note(beside: BesideServer) -> None:
    remember(beside, "2026-11-23T10:00:00.000Z", "2026-11-23T12:00:00.000Z")
    done = replay(beside.url, "--speed", "1", "--max-pause", "0.1")
    assert len(done.stdout.splitlines()) == 2
    assert "mission-control: 2 h without an event, shortened to 0.1 s\n" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_with_the_place_to_go_on(
    beside: BesideServer, number: signal.Signals
) -> None:
    remember(beside, "2026-11-23T10:00:00.000Z", "2026-11-23T12:00:00.000Z")
    command = [*COMMAND, "--url", beside.url, "--speed", "1", "--max-pause", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "agent:activity" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr.read().endswith("stopped after 1 event; go on with --from abc:1\n")
