"""One file that cannot be read holds up none of the others, nor the stop; it is named once, and health has it."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from tests.fleet.world import World
from tests.runtimes.installs import add_event, answer, asked, begin_session, create

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet import source
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.source import Feed, SourceHealth, Workspace
from missioncontrol.fleet.usage import transcript_scanner as reading
from missioncontrol.fleet.usage.tracker import UsageTracker

pytestmark = pytest.mark.anyio

ENDLESS = "WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)"


@pytest.fixture
def state(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of an OpenClaw with one agent that is well; what is unreadable is soon tried again."""
    monkeypatch.setattr("missioncontrol.fleet.usage.tracker.RETRY_SECONDS", 0.05)
    state = tmp_path / "openclaw"
    world.config.sources = SourcesConfig(places={"openclaw": str(state), "claude": "off", "codex": "off"})
    world.kinds = [UsageTracker, Messages]
    fill(state / "agents/scout/agent/openclaw-agent.sqlite", "good")
    return state


def fill(path: Path, session: str, number: int = 1) -> None:
    connection = create(path)
    begin_session(connection, session)
    add_event(connection, session, 0, asked(0, "Go on."))
    add_event(connection, session, 1, answer(number))
    connection.close()


def make_endless(path: Path) -> None:
    connection = create(path)
    connection.execute("DROP TABLE transcript_events")
    connection.execute(
        f"CREATE VIEW transcript_events AS {ENDLESS} SELECT n AS session_id, n AS seq FROM forever"
    )
    connection.close()


def health(world: World) -> SourceHealth:
    assert world.supervisor is not None
    return world.supervisor.health()["tokens"]


def calls(world: World, agent: str) -> int:
    return int(world.folded.tokens.of(agent).get("calls", 0))


async def test_names_that_are_not_utf_8_are_named_once_and_the_others_are_counted(
    world: World, state: Path, tmp_path: Path
) -> None:
    claude, codex = tmp_path / "claude", tmp_path / "codex"
    world.config.sources = SourcesConfig(
        places={"openclaw": str(state), "claude": str(claude), "codex": str(codex)}
    )
    line = json.dumps({"type": "session", "version": 3, "id": "s1", "cwd": "/"}).encode() + b"\n"
    odd = [
        os.fsencode(state) + b"/agents/\xff/sessions/s1.jsonl",
        os.fsencode(state) + b"/agents/scout/sessions/\xff.jsonl",
        os.fsencode(state) + b"/agents/\xfe/agent/openclaw-agent.sqlite",
        os.fsencode(claude) + b"/projects/-x/\xff.jsonl",
        os.fsencode(codex) + b"/sessions/2026/11/30/rollout-\xff.jsonl",
    ]
    for name in odd:
        path = Path(os.fsdecode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(line)
    await world.start()
    await world.until(lambda: calls(world, "scout") == 1)
    for name in odd:
        Path(os.fsdecode(name)).write_bytes(line * 2)
    fill(state / "agents/forge/agent/openclaw-agent.sqlite", "later", 2)
    await world.until(lambda: calls(world, "forge") == 1)
    named = [alert for alert in world.alerts() if "not UTF-8" in alert]
    assert len(named) == len(set(named)) == len(odd)
    assert health(world).restarts == 0
    assert world.log.trouble is None


async def test_a_line_of_very_many_elements_is_skipped(world: World, state: Path) -> None:
    sessions = state / "agents/scout/sessions"
    sessions.mkdir(parents=True)
    lines = [
        json.dumps({"type": "session", "version": 3, "id": "s1", "cwd": "/"}),
        f'{{"a":[{"0," * 2_000_000}0]}}',
    ]
    entry = {
        "type": "message",
        "id": "entry-7",
        "timestamp": "2026-11-20T10:00:00.000Z",
        "message": answer(7)["message"],
    }
    (sessions / "s1.jsonl").write_text("\n".join([*lines, json.dumps(entry)]) + "\n")
    await world.start()
    await world.until(lambda: calls(world, "scout") == 2)


async def test_a_hostile_database_is_named_once_and_the_others_are_counted(world: World, state: Path) -> None:
    hostile = state / "agents/forge/agent/openclaw-agent.sqlite"
    make_endless(hostile)
    await world.start()
    await world.until(lambda: any("forge" in alert for alert in world.alerts()))
    assert calls(world, "scout") == 1
    add = create_event(state, 2)
    await world.until(lambda: calls(world, "scout") == 2)
    named = [alert for alert in world.alerts() if "forge" in alert]
    assert named == [
        f"{hostile} cannot be read: its transcript_events is not a table. "
        "It is skipped, and tried again when it changes."
    ]
    found = health(world)
    assert (found.status, found.unreadable, found.restarts) == ("running", 1, 0)
    assert found.note is not None
    assert str(hostile) in found.note
    add.close()
    began = monotonic()
    await world.stop()
    assert monotonic() - began < 5
    assert len([alert for alert in world.alerts() if "forge" in alert]) == 1


def create_event(state: Path, number: int) -> sqlite3.Connection:
    connection = sqlite3.connect(state / "agents/scout/agent/openclaw-agent.sqlite", isolation_level=None)
    connection.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
    add_event(connection, "good", number, answer(number))
    return connection


async def test_a_database_that_was_mended_is_counted(world: World, state: Path) -> None:
    hostile = state / "agents/forge/agent/openclaw-agent.sqlite"
    make_endless(hostile)
    await world.start()
    await world.until(lambda: any("forge" in alert for alert in world.alerts()))
    fill(hostile.with_name("mended.sqlite"), "mended", number=5)
    hostile.with_name("mended.sqlite").replace(hostile)
    await world.until(lambda: calls(world, "forge") == 1)
    await world.eventually(lambda: health(world).unreadable == 0)
    assert health(world).note is None


async def test_a_pipe_is_no_transcript_and_holds_nothing_up(world: World, state: Path) -> None:
    sessions = state / "agents/main/sessions"
    sessions.mkdir(parents=True)
    os.mkfifo(sessions / "one.jsonl")
    os.mkfifo(sessions / "sessions.json")
    (state / "agents/forge/agent").mkdir(parents=True)
    os.mkfifo(state / "agents/forge/agent/openclaw-agent.sqlite")
    await world.start()
    await world.until(lambda: calls(world, "scout") == 1)
    began = monotonic()
    await world.stop()
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    "odd",
    [
        b"\x00" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'"' + b"x" * 3_000_000,
        b"\xff\xfe\xfa{}",
        b'{"type":"message","id":1e999,"message":{"role":"assistant","usage":{"input":1e999}}}',
        b'{"type":"session","id":"' + b"s" * 2_000_000 + b'","cwd":"/' + b"c" * 2_000_000 + b'"}',
        b'{"type":"message","message":{"role":"assistant","usage":{"input":5,"cost":{"total":1e308}}}}',
        b'{"type":"message","timestamp":9e99,"message":{"role":"user","content":"\\ud800"}}',
    ],
    ids=range(9),
)
async def test_an_odd_line_costs_none_of_the_others(world: World, state: Path, odd: bytes) -> None:
    path = state / "agents/scout/sessions/s1.jsonl"
    path.parent.mkdir(parents=True)
    first = {"type": "session", "id": "s1", "cwd": str(world.root / "agents/scout")}
    lines = [json.dumps(first).encode(), json.dumps(answer(7)).encode(), odd, json.dumps(answer(8)).encode()]
    path.write_bytes(b"\n".join(lines) + b"\n")
    await world.start()
    await world.until(lambda: calls(world, "scout") >= 3)
    await world.eventually(lambda: health(world).status == "running")
    assert health(world).restarts == 0
    # What was told can be written as JSON, and read again.
    assert json.loads(world.folded.encoded())


async def test_an_error_that_nobody_has_thought_of_skips_the_file_alone(
    world: World, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = state / "agents/scout/sessions/sessions.json"
    index.parent.mkdir(parents=True)
    index.write_text("{}")

    def fail(path: Path, agent: str | None) -> None:
        raise ZeroDivisionError("nobody has thought of it")

    monkeypatch.setattr("missioncontrol.runtimes.openclaw.runtime.read_index", fail)
    await world.start()
    await world.until(lambda: any("ZeroDivisionError" in alert for alert in world.alerts()))
    assert calls(world, "scout") == 1
    assert health(world).restarts == 0


class Hanging:
    """A source whose thread hangs as one that reads from a file system that does not answer."""

    name = "hanging"
    go_on = Event()

    def __init__(self, workspace: Workspace) -> None:
        pass

    async def run(self, feed: Feed) -> None:
        feed.running()
        await feed.in_thread(self._hang, feed)

    def _hang(self, feed: Feed) -> None:
        feed.thread.checkpoint("reading /mnt/gone/agent.sqlite")
        self.go_on.wait(60)


async def test_a_thread_that_hangs_is_seen_in_health_and_no_stop_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "STALLED_SECONDS", 0.2)
    world.kinds = [Hanging]
    await world.start()
    supervisor = world.supervisor
    assert supervisor is not None
    await world.eventually(lambda: supervisor.health()["hanging"].status == "stalled")
    error = supervisor.health()["hanging"].error
    assert error is not None
    assert error.startswith("it has not moved for ")
    assert error.endswith(" s (reading /mnt/gone/agent.sqlite)")
    began = monotonic()
    await world.stop()
    assert monotonic() - began < 5
    Hanging.go_on.set()
    await asyncio.sleep(0)


async def test_a_slow_file_that_changes_all_the_time_is_given_a_tenth_of_the_time() -> None:
    failure = reading.FailedFile(reading.PATIENT_TRIES, looked=(1,), at=100.0, took=5.0)
    assert not failure.is_due((2,), now=149.0)
    assert failure.is_due((2,), now=150.0)
    assert not failure.is_due((1,), now=150.0)
    assert failure.is_due((1,), now=100.0 + reading.RETRY_SECONDS)
    assert failure._replace(tries=1).is_due((1,), now=100.0)
