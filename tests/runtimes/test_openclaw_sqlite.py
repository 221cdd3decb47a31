"""OpenClaw's databases of sessions are read while they are written, and never touched."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from backports import zstd

from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.records import Record, SessionInfo, Turn, UnreadableError
from tests.runtimes.installs import (
    add_event,
    answer,
    asked,
    begin_session,
    create,
    insert,
    install,
)
from tests.runtimes.reading import infos, statuses, total, usages

WRITER = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
connection.execute("PRAGMA wal_autocheckpoint = 20")
event = json.loads(sys.argv[2])
for number in range(int(sys.argv[3])):
    event["id"] = f"entry-{number}"
    session = ("one", "two")[number % 2]
    row = (session, number, json.dumps(event), number)
    connection.execute(
        "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, ?)", row
    )
    connection.execute("UPDATE session_nodes SET updated_at = ? WHERE current_session_id = ?", (number, session))
    if number % 50 == 0:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents/scout/agent/openclaw-agent.sqlite"


@pytest.fixture
def gateway(path: Path) -> Iterator[sqlite3.Connection]:
    """The only writer, with a session that has begun."""
    connection = create(path)
    begin_session(connection, "one")
    yield connection
    connection.close()


@pytest.fixture
def database(path: Path) -> Iterator[AgentDatabase]:
    database = AgentDatabase(path, "scout")
    yield database
    database.close()


def read_on(database: AgentDatabase, position: AgentPosition) -> tuple[list[Record], AgentPosition]:
    """Read to the end, with a position that is kept in between."""
    records: list[Record] = []
    while True:
        more, after = database.read(position, limit_bytes=2_000)
        records += more
        if after == position:
            return records, after
        position = msgspec.json.decode(msgspec.json.encode(after), type=AgentPosition)


def test_only_what_is_new_is_read(gateway: sqlite3.Connection, database: AgentDatabase) -> None:
    add_event(gateway, "one", 0, asked(0, "You are SCOUT."))
    add_event(gateway, "one", 1, answer(1))
    records, position = read_on(database, AgentPosition())
    assert total(records).calls == 1
    assert [info.persona for info in infos(records)] == [None, None, "SCOUT."]
    assert read_on(database, position) == ([], position)
    add_event(gateway, "one", 2, asked(2, "You are LATE."))
    add_event(gateway, "one", 3, answer(3))
    records, position = read_on(database, position)
    assert [usage.key.split(":")[1] for usage in usages(records)] == ["entry-3"]
    assert infos(records) == []


def test_what_is_written_all_the_time_is_read_without_a_loss(
    gateway: sqlite3.Connection, path: Path, database: AgentDatabase
) -> None:
    begin_session(gateway, "two", "agent:scout:side")
    count = 600
    command = [sys.executable, "-c", WRITER, str(path), json.dumps(answer(0)), str(count)]
    position, records = AgentPosition(), list[Record]()
    deadline = time.monotonic() + 60
    with subprocess.Popen(command) as writer:
        while len(usages(records)) < count and time.monotonic() < deadline:
            more, position = database.read(position)
            records += more
        assert writer.wait(30) == 0
    assert len(usages(records)) == total(records).calls == count
    assert position.sessions == {"one": count - 2, "two": count - 1}


@pytest.mark.parametrize("limit", [1, 700, 5_000])
def test_small_portions_tell_the_same_as_one_large(tmp_path: Path, limit: int) -> None:
    path = install(tmp_path, "2026.9.6-sqlite-crashed") / "agents/scout/agent/openclaw-agent.sqlite"
    database = AgentDatabase(path, "scout")
    expected, end = database.read(AgentPosition())
    position, records = AgentPosition(), list[Record]()
    while position != end:
        more, position = database.read(position, limit_bytes=limit)
        records += more
    database.close()
    assert usages(records) == usages(expected)
    assert [info for info in infos(records) if info.key is None] == [
        info for info in infos(expected) if info.key is None
    ]
    assert statuses(records) == statuses(expected)


def test_a_compressed_event_is_read_as_any_other(
    gateway: sqlite3.Connection, database: AgentDatabase
) -> None:
    data = json.dumps(answer(0)).encode()
    gateway.execute("PRAGMA ignore_check_constraints = 1")
    for seq, packed in enumerate((zstd.compress(data), b"damaged", zstd.compress(data)[:-9])):
        row = {
            "session_id": "one",
            "seq": seq,
            "event_zstd": packed,
            "event_utf8_bytes": len(data),
            "created_at": 5,
        }
        insert(gateway, "transcript_events", row)
    records, position = read_on(database, AgentPosition())
    assert (total(records).calls, position.broken) == (1, 2)


def test_a_broken_event_is_skipped_and_counted(gateway: sqlite3.Connection, database: AgentDatabase) -> None:
    row = {"session_id": "one", "seq": 0, "event_json": "{broken", "created_at": 5}
    insert(gateway, "transcript_events", row)
    add_event(gateway, "one", 1, answer(1))
    records, position = read_on(database, AgentPosition())
    assert (total(records).calls, position.broken) == (1, 1)


def test_a_session_that_is_gone_is_no_longer_read(
    gateway: sqlite3.Connection, database: AgentDatabase
) -> None:
    begin_session(gateway, "two", "agent:scout:side")
    for seq, session in enumerate(("one", "two")):
        add_event(gateway, session, seq, answer(seq))
    _, position = read_on(database, AgentPosition())
    for table in ("transcript_events", "session_windows"):
        gateway.execute(f"DELETE FROM {table} WHERE session_id = 'two'")
    records, position = read_on(database, position)
    assert records == []
    assert position.sessions == {"one": 0}


def test_a_session_that_comes_back_counts_nothing_twice(
    gateway: sqlite3.Connection, database: AgentDatabase
) -> None:
    add_event(gateway, "one", 5, answer(1))
    before, position = read_on(database, AgentPosition())
    gateway.execute("DELETE FROM transcript_events")
    add_event(gateway, "one", 0, answer(1))
    add_event(gateway, "one", 1, answer(2))
    after, _ = read_on(database, position)
    assert total([*before, *after]).calls == 2


def test_another_database_in_the_same_place_is_read_from_its_start(
    gateway: sqlite3.Connection, path: Path, database: AgentDatabase
) -> None:
    add_event(gateway, "one", 0, answer(1))
    _, position = read_on(database, AgentPosition())
    gateway.close()
    for file in path.parent.iterdir():
        file.unlink()
    other = create(path)
    begin_session(other, "one")
    add_event(other, "one", 0, answer(2))
    records, after = read_on(database, position)
    other.close()
    assert [usage.key.split(":")[1] for usage in usages(records)] == ["entry-2"]
    assert after.signature != position.signature


def test_a_conversation_tells_its_name_its_parent_and_how_it_stands(
    gateway: sqlite3.Connection, database: AgentDatabase
) -> None:
    node = {
        "session_key": "agent:scout:subagent:x",
        "current_session_id": "two",
        "entry_json": "{}",
        "updated_at": 50,
        "status": "running",
        "spawned_by": "agent:scout:main",
        "label": "Look at prices",
    }
    insert(gateway, "session_nodes", node)
    records, position = read_on(database, AgentPosition())
    assert records[-2:] == [
        SessionInfo(
            "two",
            "openclaw",
            agent="scout",
            key="agent:scout:subagent:x",
            parent="one",
            title="Look at prices",
        ),
        Turn("two", 50, "busy"),
    ]
    gateway.execute(
        "UPDATE session_nodes SET status = 'failed', updated_at = 60 WHERE current_session_id = 'two'"
    )
    records, position = read_on(database, position)
    assert statuses(records) == ["error"]


def test_where_nobody_runs_no_file_is_created(tmp_path: Path) -> None:
    state = install(tmp_path, "2026.9.6-sqlite")
    before = sorted(tmp_path.rglob("*"))
    database = AgentDatabase(state / "agents/main/agent/openclaw-agent.sqlite", "main")
    records, _ = read_on(database, AgentPosition())
    assert total(records).calls == 4
    assert sorted(tmp_path.rglob("*")) == before
    database.close()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_of_a_running_database_is_read_with_its_log_and_without_a_trace(
    gateway: sqlite3.Connection, path: Path, tmp_path: Path
) -> None:
    add_event(gateway, "one", 0, answer(1))
    backup = tmp_path / "backup"
    backup.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{backup / path.name}{suffix}")
    database = AgentDatabase(backup / path.name, "scout")
    records, position = read_on(database, AgentPosition())
    assert total(records).calls == 1
    assert sorted(file.name for file in backup.iterdir()) == [path.name, f"{path.name}-wal"]
    add_event(gateway, "one", 1, answer(2))
    shutil.copy(f"{path}-wal", f"{backup / path.name}-wal")
    records, position = read_on(database, position)
    assert total(records).calls == 1
    database.close()


def test_a_gateway_that_starts_later_is_heard(path: Path, database: AgentDatabase) -> None:
    connection = create(path)
    begin_session(connection, "one")
    connection.close()
    _, position = read_on(database, AgentPosition())
    gateway = create_again(path)
    add_event(gateway, "one", 0, answer(1))
    records, position = read_on(database, position)
    assert total(records).calls == 1
    gateway.close()
    assert read_on(database, position)[0] == []


def test_what_is_written_in_the_same_tick_of_the_file_system_is_read(
    path: Path, database: AgentDatabase
) -> None:
    connection = create(path)
    begin_session(connection, "one")
    connection.close()
    looks = path.stat()
    _, position = read_on(database, AgentPosition())
    gateway = create_again(path)
    add_event(gateway, "one", 0, answer(1))
    gateway.close()
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert path.stat().st_size == looks.st_size
    records, position = read_on(database, position)
    assert total(records).calls == 1
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns - 10**9))
    assert read_on(database, position)[0] == []


def create_again(path: Path) -> sqlite3.Connection:
    """Open a database as its gateway does when it starts again."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def test_reading_writes_nothing_into_the_database(
    gateway: sqlite3.Connection, database: AgentDatabase
) -> None:
    add_event(gateway, "one", 0, answer(1))
    version = gateway.execute("PRAGMA data_version").fetchone()
    read_on(database, AgentPosition())
    assert gateway.execute("PRAGMA data_version").fetchone() == version


def test_a_locked_database_is_read_when_it_is_free_again(
    gateway: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.runtimes.files.database._BUSY_SECONDS", 0.05)
    database = AgentDatabase(path, "scout")
    gateway.execute("PRAGMA journal_mode = DELETE")
    gateway.execute("BEGIN EXCLUSIVE")
    add_event(gateway, "one", 0, answer(1))
    with pytest.raises(UnreadableError, match="locked"):
        database.read(AgentPosition())
    gateway.execute("COMMIT")
    assert total(read_on(database, AgentPosition())[0]).calls == 1
    database.close()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1_000])
def test_what_is_no_database_is_an_error_with_a_reason_or_tells_nothing(
    path: Path, database: AgentDatabase, content: bytes
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    if content:
        with pytest.raises(UnreadableError, match="not a database"):
            database.read(AgentPosition())
    else:
        assert database.read(AgentPosition())[0] == []


def test_a_damaged_database_is_an_error_and_is_read_when_it_is_whole_again(
    gateway: sqlite3.Connection, path: Path, database: AgentDatabase
) -> None:
    for seq in range(200):
        add_event(gateway, "one", seq, answer(seq))
    gateway.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    with pytest.raises(UnreadableError, match="malformed"):
        read_on(database, AgentPosition())
    path.write_bytes(whole)
    assert total(read_on(database, AgentPosition())[0]).calls == 200


def test_a_database_that_is_not_there_or_a_link_is_not_read(path: Path, database: AgentDatabase) -> None:
    with pytest.raises(FileNotFoundError):
        database.read(AgentPosition())
    path.parent.mkdir(parents=True)
    other = path.with_name("other.sqlite")
    create(other).close()
    path.symlink_to(other)
    with pytest.raises(UnreadableError, match="symbolic link"):
        database.read(AgentPosition())


def test_a_database_of_a_release_that_had_fewer_columns_is_read(path: Path, database: AgentDatabase) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, event_json TEXT)")
    row = {"session_id": "one", "seq": 0, "event_json": json.dumps(answer(1))}
    insert(connection, "transcript_events", row)
    connection.close()
    assert total(read_on(database, AgentPosition())[0]).calls == 1
