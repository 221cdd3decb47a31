"""What OpenClaw's gateway has written down of runs, of its jobs, and of itself."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from missioncontrol.runtimes.openclaw import state_database as openclaw_state
from missioncontrol.runtimes.openclaw.session_index import read_index
from missioncontrol.runtimes.openclaw.state_database import CronJob, StateDatabase, StatePosition
from missioncontrol.runtimes.records import Record, SessionInfo, Turn, UnreadableError
from tests.runtimes.installs import SAMPLES, create, insert, install
from tests.runtimes.reading import infos, statuses

LEASED_UNTIL = 1_795_395_530_755
NEVER_GIVEN = 2**22 + 1
"""A process number that Linux does not give."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/openclaw.sqlite"


@pytest.fixture
def gateway(path: Path) -> Iterator[sqlite3.Connection]:
    connection = create(path)
    yield connection
    connection.close()


@pytest.fixture
def state(path: Path) -> Iterator[StateDatabase]:
    state = StateDatabase(path)
    yield state
    state.close()


def lease(gateway: sqlite3.Connection, **owner: Any) -> None:
    insert(
        gateway,
        "state_leases",
        {
            "scope": "gateway-owner",
            "lease_key": "global",
            "owner": "x",
            "expires_at": LEASED_UNTIL,
            "payload_json": json.dumps({"owner": owner, "port": 18789}),
            "created_at": 1,
            "updated_at": 1,
        },
    )


def read_on(state: StateDatabase, position: StatePosition) -> tuple[list[Record], StatePosition]:
    records: list[Record] = []
    while True:
        more, after = state.read(position)
        records += more
        if after == position:
            return records, after
        position = msgspec.json.decode(msgspec.json.encode(after), type=StatePosition)


def test_runs_tell_how_their_sessions_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openclaw_state, "EVENTS", 5)
    state = StateDatabase(install(tmp_path, "2026.9.6-sqlite") / "state/openclaw.sqlite")
    records, position = read_on(state, StatePosition())
    main = "79a56fa3-e376-40f2-8173-63044f10b707"
    ends = [
        turn for turn in records if isinstance(turn, Turn) and turn.session == main and turn.status != "busy"
    ]
    assert [(turn.status, turn.detail) for turn in ends] == [
        ("idle", None),
        ("idle", None),
        ("error", "run_failed"),
        ("idle", "aborted"),
    ]
    assert SessionInfo(main, "openclaw", agent="main", key="agent:main:main") in infos(records)
    assert read_on(state, position) == ([], position)
    state.close()


def test_a_session_is_introduced_once_and_each_event_told_once(
    gateway: sqlite3.Connection, state: StateDatabase
) -> None:
    event = {"event_id": "1", "source_id": "1", "source_sequence": 1, "occurred_at": 7, "kind": "agent_run"}
    event |= {"action": "agent.run.started", "status": "started", "actor_type": "agent", "actor_id": "scout"}
    insert(gateway, "audit_events", {**event, "session_id": "one", "agent_id": "scout"})
    records, position = read_on(state, StatePosition())
    assert records == [SessionInfo("one", "openclaw", agent="scout"), Turn("one", 7, "busy")]
    again = {"event_id": "2", "source_id": "2", "action": "tool.action.started", "occurred_at": 8}
    insert(gateway, "audit_events", {**event, **again, "session_id": "one"})
    insert(gateway, "audit_events", {**event, "event_id": "3", "source_id": "3"})
    records, position = read_on(state, position)
    assert records == [Turn("one", 8, "busy")]


def test_a_killed_gateway_is_alive_until_its_lease_has_run_out(tmp_path: Path) -> None:
    state = StateDatabase(install(tmp_path, "2026.9.6-sqlite-crashed") / "state/openclaw.sqlite")
    assert state.is_alive(LEASED_UNTIL - 1) is True
    assert state.is_alive(LEASED_UNTIL) is False
    state.close()


def test_a_gateway_that_was_stopped_is_not_alive(tmp_path: Path) -> None:
    state = StateDatabase(install(tmp_path, "2026.9.6-sqlite") / "state/openclaw.sqlite")
    assert state.is_alive(LEASED_UNTIL - 1) is False
    state.close()


def test_a_gateway_whose_process_is_gone_from_this_machine_is_not_alive(
    gateway: sqlite3.Connection, state: StateDatabase
) -> None:
    lease(gateway, pid=NEVER_GIVEN, host=socket.gethostname(), startedAt=5)
    assert state.is_alive(LEASED_UNTIL - 1) is False


def test_a_gateway_whose_number_another_process_has_now_is_not_alive(
    gateway: sqlite3.Connection, state: StateDatabase
) -> None:
    lease(gateway, pid=os.getpid(), host=socket.gethostname(), startedAt=5)
    assert state.is_alive(LEASED_UNTIL - 1) is False


def test_a_gateway_on_another_machine_is_believed(gateway: sqlite3.Connection, state: StateDatabase) -> None:
    lease(gateway, pid=NEVER_GIVEN, host="elsewhere.example", startedAt=5)
    assert state.is_alive(LEASED_UNTIL - 1) is True


def test_nobody_knows_of_a_gateway_that_has_left_nothing(
    gateway: sqlite3.Connection, state: StateDatabase
) -> None:
    assert state.is_alive(1) is None
    insert(gateway, "gateway_boot_lifecycle", {"boot_id": "b", "pid": 1, "started_at_ms": 5})
    assert state.is_alive(9) is None


def test_the_jobs_of_the_gateway_are_told_apart_from_those_of_its_users(tmp_path: Path) -> None:
    state = StateDatabase(install(tmp_path, "2026.9.6-sqlite") / "state/openclaw.sqlite")
    beat, nightly = state.cron_jobs()
    state.close()
    assert (beat.name, beat.builtin, beat.enabled) == ("heartbeat-main", True, False)
    assert nightly == CronJob(
        id="f395cc5e-21d7-41b3-a642-9e832240e9ca",
        name="nightly-check",
        agent="scout",
        next_run=1_795_402_800_000,
        last_run=1_795_395_563_373,
        last_status="ok",
    )


def test_the_older_index_tells_who_sessions_are_and_how_they_stand() -> None:
    index = SAMPLES / "2026.7.35-jsonl/agents/scout/sessions/sessions.json"
    main, turn, cron = read_index(index, "scout")
    assert isinstance(main, SessionInfo)
    assert isinstance(cron, SessionInfo)
    assert (main.agent, main.key) == ("scout", "agent:scout:main")
    assert turn == Turn(main.session, 1_795_395_249_897, "idle")
    assert cron.title == "Cron: nightly-check"


def test_the_older_index_names_the_parent_of_a_sub_agent(tmp_path: Path) -> None:
    index = tmp_path / "sessions.json"
    entries = {
        "agent:main:main": {"sessionId": "one"},
        "agent:main:subagent:x": {
            "sessionId": "two",
            "spawnedBy": "agent:main:main",
            "status": "running",
            "updatedAt": 5,
        },
        "agent:main:odd": 7,
        "agent:main:empty": {},
    }
    index.write_text(json.dumps(entries), encoding="utf-8")
    records = read_index(index, "main")
    assert [info.parent for info in infos(records)] == [None, "one"]
    assert statuses(records) == ["busy"]


def test_an_index_that_is_half_written_is_an_error_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "sessions.json").write_text('{"agent:main', encoding="utf-8")
    with pytest.raises(UnreadableError, match="not JSON"):
        read_index(tmp_path / "sessions.json", "main")


@pytest.mark.parametrize(
    "odd", [{}, {"claude-cli": None}, {"other-cli": "x"}, ["claude-cli"], {"claude-cli": "s"}]
)
def test_the_index_names_the_sessions_of_the_programs_that_run_a_sessions_turns(
    tmp_path: Path, odd: Any
) -> None:
    index = tmp_path / "sessions.json"
    ids = {"claude-cli": "claude-session", "codex-cli": "codex-session", "other-cli": "x"}
    index.write_text(
        json.dumps(
            {"k": {"sessionId": "s", "cliSessionIds": ids}, "o": {"sessionId": "s", "cliSessionIds": odd}}
        )
    )
    found = [(one.session, one.runtime, one.parent) for one in infos(read_index(index, "main"))]
    assert found == [
        ("s", "openclaw", None),
        ("claude-session", "claude", "s"),
        ("codex-session", "codex", "s"),
        ("s", "openclaw", None),
    ]
