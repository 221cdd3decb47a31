"""A database may hold anything: what cannot be read of it is skipped, and nothing in it holds the reader up."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from missioncontrol.runtimes.base import Transcript
from missioncontrol.runtimes.files import database as databases
from missioncontrol.runtimes.files.jsonl import Position
from missioncontrol.runtimes.files.regular import open_regular
from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.openclaw.messages import read_messages
from missioncontrol.runtimes.openclaw.state_database import StateDatabase, StatePosition
from missioncontrol.runtimes.records import Message, Record, Turn, UnreadableError
from missioncontrol.threads import OwnerThread, WorkStopped
from tests.runtimes.installs import add_event, answer, begin_session, create, insert
from tests.runtimes.reading import infos, reader_of, total

ENDLESS = "WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)"
LOOSE = {
    "session_nodes": "session_key, current_session_id, status, updated_at, parent_session_key, spawned_by, label",
    "session_windows": "session_id, session_key, display_name, model_provider, model",
    "transcript_events": "session_id, seq, event_json, event_zstd, created_at",
    "audit_events": "sequence, occurred_at, action, status, error_code, agent_id, session_key, session_id",
    "state_leases": "scope, expires_at, payload_json",
}
"""The columns that are read, without types: any value may stand in them."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents/scout/agent/openclaw-agent.sqlite"


@pytest.fixture
def loose(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with the tables that are read, whose columns take any value."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path, isolation_level=None)
    for table, columns in LOOSE.items():
        connection.execute(f"CREATE TABLE {table} ({columns})")
    yield connection
    connection.close()


def read_all(path: Path, stop: Callable[[], bool] = lambda: False) -> tuple[list[Record], AgentPosition]:
    """Read to the end; that it comes to one is part of what is tested."""
    database = AgentDatabase(path, "scout", stop)
    position, records = AgentPosition(), list[Record]()
    try:
        for _ in range(50):
            more, after = database.read(position)
            records += more
            if after == position:
                return records, after
            position = after
    finally:
        database.close()
    raise AssertionError("it goes on and on")


def messages_of(path: Path, thread: OwnerThread) -> list[Message]:
    return read_messages(Transcript(path, "openclaw-agent", "scout"), None, 0, thread, str)[0]


@pytest.mark.parametrize("table", ["session_nodes", "session_windows", "transcript_events"])
def test_an_endless_view_under_a_tables_name_is_refused_at_once(path: Path, table: str) -> None:
    connection = create(path)
    connection.execute(f"DROP TABLE {table}")
    columns = ", ".join(f"n AS {name}" for name in LOOSE[table].split(", "))
    connection.execute(f"CREATE VIEW {table} AS {ENDLESS} SELECT {columns} FROM forever")
    connection.close()
    began = monotonic()
    with pytest.raises(UnreadableError, match=f"its {table} is not a table"):
        read_all(path)
    assert monotonic() - began < 5


def test_an_endless_view_holds_no_reader_of_messages_up(path: Path) -> None:
    connection = create(path)
    connection.execute("DROP TABLE transcript_events")
    view = f"CREATE VIEW transcript_events AS {ENDLESS} SELECT n AS session_id, n AS seq FROM forever"
    connection.execute(view)
    connection.close()
    with pytest.raises(UnreadableError, match="not a table"):
        messages_of(path, OwnerThread("reader"))


def test_a_virtual_table_and_a_computed_column_are_not_read(loose: sqlite3.Connection, path: Path) -> None:
    loose.execute("DROP TABLE session_nodes")
    loose.execute(
        "CREATE TABLE session_nodes (session_key, current_session_id, updated_at, "
        "label TEXT GENERATED ALWAYS AS (hex(zeroblob(30000000))) VIRTUAL)"
    )
    loose.execute("INSERT INTO session_nodes VALUES ('agent:scout:main', 'one', 5)")
    records, _ = read_all(path)
    assert [(info.session, info.title) for info in infos(records)] == [("one", None)]
    loose.execute("DROP TABLE session_nodes")
    loose.execute(
        "CREATE VIRTUAL TABLE session_nodes USING fts5(session_key, current_session_id, updated_at)"
    )
    with pytest.raises(UnreadableError, match="its session_nodes is not a table"):
        read_all(path)


ODD: list[Any] = [b"\x00\xff", 7, 1.5, None, "", "x" * 10_000, "\x00", "\ud7ff", 1 << 62, -(1 << 62)]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("column", range(7))
def test_an_odd_value_in_a_node_is_skipped_and_the_others_are_read(
    loose: sqlite3.Connection, path: Path, column: int, odd: Any
) -> None:
    row: list[Any] = ["agent:scout:odd", "odd", "running", 4, "agent:scout:main", None, "A label"]
    row[column] = odd
    marks = ", ".join("?" * 7)
    loose.execute(f"INSERT INTO session_nodes VALUES ({marks})", row)
    good = ["agent:scout:main", "good", "running", 5, None, None, "Good"]
    loose.execute(f"INSERT INTO session_nodes VALUES ({marks})", good)
    records, position = read_all(path)
    assert "good" in [info.session for info in infos(records)]
    assert all(len(info.session) <= 200 for info in infos(records))
    assert position.broken <= 1
    # What comes later is not hidden by a time that has not come yet.
    later = ["agent:scout:late", "late", "done", 8, None, None, None]
    loose.execute(f"INSERT INTO session_nodes VALUES ({marks})", later)
    database = AgentDatabase(path, "scout")
    records, _ = database.read(position)
    database.close()
    assert "late" in [info.session for info in infos(records)]


def test_a_blob_as_session_key_is_skipped_and_counted_once(loose: sqlite3.Connection, path: Path) -> None:
    row = (b"\x00key", "one", None, 5, None, None, None)
    loose.execute("INSERT INTO session_nodes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    records, position = read_all(path)
    assert (infos(records), position.broken) == ([], 1)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("column", range(5))
def test_an_odd_value_in_an_event_is_skipped_and_the_others_are_counted(
    loose: sqlite3.Connection, path: Path, column: int, odd: Any
) -> None:
    row: list[Any] = ["one", 3, json.dumps(answer(3)), None, 1000]
    row[column] = odd
    for values in (["one", 1, json.dumps(answer(1)), None, 1000], row):
        loose.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?, ?)", values)
    loose.execute("INSERT INTO transcript_events VALUES ('two', 1, ?, NULL, 1000)", [json.dumps(answer(2))])
    loose.execute("DROP TABLE session_windows")
    records, position = read_all(path)
    assert total(records).calls in (2, 3)
    assert position.sessions["two"] == 1
    assert len(messages_of(path, OwnerThread("reader"))) in (2, 3)


def test_an_event_that_is_too_long_is_skipped_and_those_behind_it_are_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(databases._LIMITS, sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
    connection = create(path)
    begin_session(connection, "one")
    add_event(connection, "one", 1, answer(1))
    for seq in (2, 3):
        row = {"session_id": "one", "seq": seq, "event_json": "x" * 1_100_000, "created_at": 5}
        insert(connection, "transcript_events", row)
    add_event(connection, "one", 4, answer(4))
    connection.close()
    records, position = read_all(path)
    assert (total(records).calls, position.broken, position.sessions["one"]) == (2, 2, 4)
    assert [message.key for message in messages_of(path, OwnerThread("reader"))] != []


def make_slow(loose: sqlite3.Connection) -> None:
    """Make a database of real tables that takes SQLite hours to read: they have no index."""
    count = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {}) "
    loose.execute(
        "INSERT INTO session_windows " + count.format(20_000) + "SELECT 's' || n, 'k', '', '', '' FROM c"
    )
    loose.execute(
        "INSERT INTO transcript_events " + count.format(200_000) + "SELECT 's' || n, n, '{}', NULL, n FROM c"
    )


def test_a_database_that_takes_too_long_is_given_up(
    loose: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_slow(loose)
    monkeypatch.setattr(databases, "READING_SECONDS", 0.3)
    began = monotonic()
    with pytest.raises(UnreadableError, match=r"takes longer than 0\.3 seconds"):
        read_all(path)
    assert monotonic() - began < 10


def test_a_stop_ends_a_query_that_is_under_way(loose: sqlite3.Connection, path: Path) -> None:
    make_slow(loose)
    stop, ended = Event(), list[type[BaseException]]()

    def read() -> None:
        try:
            read_all(path, stop.is_set)
        except WorkStopped as error:
            ended.append(type(error))

    reader = Thread(target=read)
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()
    began = monotonic()
    stop.set()
    reader.join(20)
    assert ended == [WorkStopped]
    assert monotonic() - began < 5


def test_a_table_with_more_rows_than_are_expected_is_refused(
    loose: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "MAX_ROWS", 100)
    loose.executemany(
        "INSERT INTO session_nodes VALUES (?, 'one', 'done', 5, NULL, NULL, NULL)",
        [(f"agent:scout:{number}",) for number in range(101)],
    )
    with pytest.raises(UnreadableError, match="more than 100 rows"):
        read_all(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_pipe_in_place_of_a_file_is_no_reason_to_wait(path: Path, suffix: str) -> None:
    create(path).close()
    target = path.with_name(f"{path.name}{suffix}")
    target.unlink(missing_ok=True)
    os.mkfifo(target)
    began = monotonic()
    with pytest.raises(UnreadableError, match="no regular file"):
        read_all(path)
    assert monotonic() - began < 5


def test_a_link_in_place_of_a_log_is_not_followed(path: Path, tmp_path: Path) -> None:
    create(path).close()
    (tmp_path / "secret").write_bytes(b"x" * 100)
    path.with_name(f"{path.name}-wal").symlink_to(tmp_path / "secret")
    with pytest.raises(UnreadableError, match="no regular file"):
        read_all(path)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("column", range(8))
def test_an_odd_value_in_the_gateways_events_is_skipped(
    loose: sqlite3.Connection, path: Path, column: int, odd: Any
) -> None:
    row: list[Any] = [2, 1000, "agent.run.finished", "failed", "why", "scout", "key", "odd"]
    row[column] = odd
    good = [1, 1000, "agent.run.started", "started", None, "scout", "key", "good"]
    marks = ", ".join("?" * 8)
    loose.execute(f"INSERT INTO audit_events VALUES ({marks})", good)
    loose.execute(f"INSERT INTO audit_events VALUES ({marks})", row)
    database = StateDatabase(path)
    position = StatePosition()
    records: list[Record] = []
    for _ in range(20):
        more, after = database.read(position)
        records += more
        if after == position:
            break
        position = after
    else:
        raise AssertionError("it goes on and on")
    database.close()
    assert "good" in [record.session for record in records if isinstance(record, Turn)]


@pytest.mark.parametrize("expires", [None, b"soon", "soon", 1.5, 1 << 62])
@pytest.mark.parametrize("payload", [None, b"{}", 7, "{", "[" * 100_000, '{"owner":{"pid":%d,"host":"%s"}}'])
@pytest.mark.parametrize("pid", [-1, 0, 1 << 40])
def test_an_odd_lease_says_nothing_of_the_gateway(
    loose: sqlite3.Connection, path: Path, expires: Any, payload: Any, pid: int
) -> None:
    if isinstance(payload, str) and "%d" in payload:
        payload %= pid, socket.gethostname()
    loose.execute("INSERT INTO state_leases VALUES ('gateway-owner', ?, ?)", (expires, payload))
    database = StateDatabase(path)
    assert database.is_alive(1000) in (True, None)
    database.close()


def test_a_pipe_in_place_of_a_transcript_is_no_reason_to_wait(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    os.mkfifo(path)
    with pytest.raises(UnreadableError, match="no regular file"):
        reader_of(path, "claude").read(Position())
    with pytest.raises(UnreadableError, match="no regular file"):
        open_regular(path)


def test_a_schema_that_is_damaged_in_bytes_that_are_no_text_is_unreadable(path: Path) -> None:
    create(path).close()
    data = path.read_bytes()
    # SQLite quotes the name of a table that it cannot make out.
    data = data.replace(b"tablesession_nodessession_nodes", b"tablesess\xbaon_nodessess\xbaon_nodes")
    path.write_bytes(data.replace(b"CREATE TABLE session_nodes", b"CREATE TABEL session_nodes"))
    with pytest.raises(UnreadableError):
        read_all(path)
