"""`watch` as its users run it, in a process of its own, against a server that does what the test says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import BesideServer
from tests.client.fake_server import Peer

pytestmark = pytest.mark.timeout(60)


class Watching:
    """A running `watch`, whose output is read as it comes."""

    def __init__(self, url: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "missioncontrol.cli", "watch", "--url", url, *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout, self.process.stderr

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        err = self.err.read()
        return self.process.wait(20), err

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.err.close()


@pytest.fixture
def started() -> Iterator[list[Watching]]:
    watching: list[Watching] = []
    yield watching
    for each in watching:
        each.close()


def watch(started: list[Watching], server: BesideServer, *arguments: str) -> Watching:
    watching = Watching(server.url, *arguments)
    started.append(watching)
    return watching


def test_events_are_lines_for_people_and_a_gap_is_said(beside: BesideServer, started: list[Watching]) -> None:
    fake = beside.fake
    beside.run(fake.tell(6))
    fake.first = 5
    fake.events[5] |= {
        "type": "agent:statusChange",
        "data": {"agentId": "scout", "status": "busy", "previousStatus": "idle"},
    }
    watching = watch(started, beside, "agent", "--since", "abc:1")
    gap, raw, sentence = (watching.out.readline() for _ in range(3))
    assert gap == "GAP: Events 2 to 4 are missing: older than what the log keeps; going on after abc:4\n"
    assert raw.endswith('{"n":5}\n')
    assert "agent:statusChange" in sentence
    assert sentence.endswith("scout is now busy (was idle)\n")
    status, err = watching.end()
    assert status == 0
    assert err.splitlines() == [
        "mission-control: connected",
        "mission-control: stopped; go on with --since abc:6",
    ]


def test_with_json_each_line_is_the_event_as_it_came(beside: BesideServer, started: list[Watching]) -> None:
    beside.run(beside.fake.tell(2))
    beside.fake.first = 2
    watching = watch(started, beside, "--json", "--since", "abc:0")
    gap, event = (json.loads(watching.out.readline()) for _ in range(2))
    assert gap == {"type": "gap", "data": {"from": 1, "to": 1, "reason": "trimmed", "cursor": "abc:1"}}
    assert event == beside.fake.events[1]
    assert list(event) == ["type", "id", "time", "source", "data"]
    assert watching.end(signal.SIGTERM)[0] == 0


def test_a_lost_connection_is_told_on_standard_error_and_nothing_is_missed(
    beside: BesideServer, started: list[Watching]
) -> None:
    async def drop(peer: Peer) -> None:
        await peer.hello()
        await peer.event(1)
        await peer.close(1011, "out of luck")

    beside.fake.script("websocket", drop)
    beside.run(beside.fake.tell(3))
    watching = watch(started, beside, "--json", "--since", "abc:0")
    assert [json.loads(watching.out.readline())["id"] for _ in range(3)] == [1, 2, 3]
    status, err = watching.end()
    assert status == 0
    assert "connection lost, coming back. The connection was closed: out of luck (1011)." in err
    assert err.count("mission-control: connected") == 2


def test_a_reader_that_has_had_enough_ends_it_without_noise(
    beside: BesideServer, started: list[Watching]
) -> None:
    beside.run(beside.fake.tell(3))
    watching = watch(started, beside, "--json", "--since", "abc:0")
    watching.out.readline()
    watching.out.close()
    beside.run(beside.fake.tell(3))
    assert watching.process.wait(20) == 0
    assert "Traceback" not in watching.err.read()


def test_a_refusal_ends_it_with_one_clear_line(beside: BesideServer, started: list[Watching]) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.accept()
        await peer.close(1008, "the token is not known")

    beside.fake.script("websocket", refuse)
    watching = watch(started, beside)
    assert watching.process.wait(20) == 1
    assert watching.err.read() == (
        "mission-control: The server closed the connection: the token is not known (1008).\n"
    )


def test_a_burst_is_printed_whole(beside: BesideServer, started: list[Watching]) -> None:
    beside.run(beside.fake.tell(5000))
    watching = watch(started, beside, "--json", "--since", "abc:0")
    ids: list[Any] = [json.loads(watching.out.readline())["id"] for _ in range(5000)]
    assert ids == list(range(1, 5001))
    assert watching.end()[0] == 0
