"""`export`: its forms by themselves, and the command against a real server."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet
import pytest
from aiohttp import web

from missioncontrol.cli import main
from missioncontrol.cli.export.columns import (
    ENVELOPE,
    Column,
    event_columns,
    event_rows,
    record_table,
    token_table,
)
from missioncontrol.cli.export.target import open_target
from missioncontrol.cli.export.writers import harmless, make_writer
from missioncontrol.client import call, publish
from missioncontrol.errors import ConfigError
from missioncontrol.events import EVERYTHING, Patterns
from missioncontrol.testing import ServerProcess, start_server
from tests.cli.conftest import BesideServer

PUBLISHED: list[tuple[str, dict[str, Any]]] = [
    ("agent:statusChange", {"agentId": "scout", "status": "busy", "stats": {"a": 1}}),
    ("custom:thing", {"text": 'a "quoted", thing\nin two lines', "umlaut": "ä — 🦊"}),
    ("system:alert", {"level": "critical", "message": '=HYPERLINK("http://evil.example")'}),
    ("token:usage", {"agent": "scout", "tokens": 1200, "cost": -0.25}),
    ("token:usage", {"agent": "nobody", "tokens": None}),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("export") / "workspace") as server:
        for type_, data in PUBLISHED:
            publish(server.url, type_, data)
        body = msgspec.json.encode({"description": "Read", "tags": ["a"], "metadata": {"deep": {"x": 1}}})
        call(server.url, "/api/tasks", method="POST", body=body)
        yield server


def export(server: ServerProcess, *arguments: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "missioncontrol.cli", "export", *arguments, "--url", server.url],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_columns_follow_from_the_patterns_and_end_with_all_data() -> None:
    columns = event_columns(Patterns(["token:usage"]))
    assert columns[: len(ENVELOPE)] == list(ENVELOPE)
    assert [(name, kind) for name, kind in columns[len(ENVELOPE) :]] == [
        ("data.agent", "text"),
        ("data.tokens", "number"),
        ("data.cost", "number"),
        ("data.timestamp", "text"),
        ("data", "text"),
    ]
    assert [column.name for column in event_columns(Patterns(["custom"]))[len(ENVELOPE) :]] == ["data"]
    names = [column.name for column in event_columns(EVERYTHING)]
    assert len(names) == len(set(names))


def test_a_value_of_another_kind_leaves_its_cell_empty_and_stays_in_the_data() -> None:
    columns = event_columns(Patterns(["token:usage"]))
    body = b'{"type":"token:usage","id":7,"time":"t","source":"s","data":{"agent":5,"tokens":true,"cost":2}}'
    (row,) = event_rows(columns, [body])
    assert row == [
        7,
        "t",
        "token:usage",
        "s",
        None,
        None,
        None,
        2.0,
        None,
        '{"agent":5,"tokens":true,"cost":2}',
    ]


def test_records_begin_with_the_fields_that_all_have() -> None:
    columns, rows = record_table(
        [{"z": 1, "id": "a", "n": {"m": {"k": True}}}, {"z": 1.5, "l": [1]}], ["id", "x"]
    )
    assert [tuple(column) for column in columns] == [
        ("id", "text"),
        ("x", "text"),
        ("l", "text"),
        ("n.m.k", "flag"),
        ("z", "number"),
    ]
    assert rows == [["a", None, None, True, 1], [None, None, "[1]", None, 1.5]]


def test_tokens_have_a_row_for_each_agent_and_day() -> None:
    use = {"days": {"2026-11-22": {"tokens": 5, "cost": 0.5, "calls": 1}, "2026-11-23": {"tokens": 7}}}
    columns, rows = token_table({"agents": {"scout": use, "old": {"tokens": 3}}}, "2026-11-23")
    assert [column.name for column in columns] == ["agent", "day", "tokens", "cost", "calls"]
    assert rows == [["scout", "2026-11-23", 7.0, None, None]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_a_cell_has_no_control_sequences_unless_raw_is_asked_for() -> None:
    row = ["\x1b]0;title\x07 red \x1b[31m", "two\nlines\tand a tab"]
    columns = [Column("a", "text"), Column("b", "text")]
    for raw, expected in ((False, ["\ufffd]0;title\ufffd red \ufffd[31m", row[1]]), (True, row)):
        output = io.BytesIO()
        writer = make_writer("csv", output, columns, raw=raw)
        writer.write([row])
        writer.close()
        assert list(csv.reader(io.StringIO(output.getvalue().decode(), newline="")))[1] == expected


@pytest.mark.parametrize("text", ["", "a=1", "1-1", " =1", "'=1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    failing = open_target(str(path), force=False)
    failing.__enter__().write(b"half")
    assert not failing.__exit__(RuntimeError, RuntimeError(), None)
    assert list(tmp_path.iterdir()) == []
    with open_target(str(path), force=False) as output:
        output.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert list(tmp_path.iterdir()) == [path]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_that_exists_is_only_replaced_with_force(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with pytest.raises(ConfigError, match="--force"), open_target(str(path), force=False):
        pass
    with open_target(str(path), force=True) as output:
        output.write(b"new")
    assert path.read_bytes() == b"new"
    late = tmp_path / "late.csv"
    with pytest.raises(ConfigError, match="--force"), open_target(str(late), force=False) as output:
        late.write_bytes(b"somebody else's")
    assert late.read_bytes() == b"somebody else's"


def test_without_pyarrow_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install mission-control\[parquet\]"):
        make_writer("parquet", io.BytesIO(), list(ENVELOPE))


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["tasks", "agent"], "Patterns choose among events"),
        (["agents", "--from", "2h"], "give it with --to"),
        (["events", "--from", "soon"], "is no moment"),
        (["events", "a:b:*?"], "is no pattern"),
        (["everything"], "everything"),
    ],
)
def test_a_wrong_use_is_one_clear_line(
    arguments: list[str], wrong: str, capsys: pytest.CaptureFixture[str], beside: BesideServer
) -> None:
    status = {"log": {"epoch": "abc", "first": 1, "head": 0}}
    beside.fake.pages["/api/system/status"] = web.json_response(status)
    assert main(["export", *arguments, "--url", beside.url]) == 2
    err = capsys.readouterr().err
    assert wrong in err
    assert err.count("\n") == 1


@pytest.mark.process
def test_ndjson_is_byte_for_byte_what_the_log_has(server: ServerProcess) -> None:
    lines = export(server, "events").splitlines()
    page = call(server.url, f"/api/events?limit=1000&since={_epoch(server)}:0")
    assert lines == [bytes(raw) for raw in msgspec.json.decode(page, type=_Raw).events]
    assert len(lines) > len(PUBLISHED)
    only = [
        json.loads(line)["type"] for line in export(server, "events", "custom", "system:alert").splitlines()
    ]
    assert only == ["custom:thing", "system:alert"]


class _Raw(msgspec.Struct):
    events: list[msgspec.Raw]


def _epoch(server: ServerProcess) -> str:
    epoch: str = json.loads(call(server.url, "/api/snapshot"))["cursor"].partition(":")[0]
    return epoch


@pytest.mark.process
def test_csv_is_read_again_by_any_reader(server: ServerProcess) -> None:
    written = export(server, "events", "custom", "token", "system:alert", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(written.decode(), newline="")))
    assert b"\r\n" in written
    assert [row["type"] for row in rows] == [type_ for type_, _ in PUBLISHED[1:]]
    assert json.loads(rows[0]["data"])["text"] == PUBLISHED[1][1]["text"]
    assert rows[1]["data.message"] == "'" + PUBLISHED[2][1]["message"]
    assert rows[2]["data.cost"] == "-0.25"
    assert rows[3]["data.tokens"] == ""
    raw = export(server, "events", "system:alert", "--format", "csv", "--raw").decode()
    assert next(csv.DictReader(io.StringIO(raw)))["data.message"] == PUBLISHED[2][1]["message"]


@pytest.mark.process
def test_parquet_has_types(server: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    export(server, "events", "token:usage", "--output", str(path))
    table = pyarrow.parquet.read_table(path)
    assert table.column("data.cost").to_pylist() == [-0.25, None]
    assert table.column("time").to_pylist()[0].date() == datetime.now(UTC).date()
    assert [json.loads(text)["tokens"] for text in table.column("data").to_pylist()] == [1200, None]


@pytest.mark.process
def test_the_state_is_exported_as_of_a_moment(server: ServerProcess) -> None:
    (task,) = [json.loads(line) for line in export(server, "tasks").splitlines()]
    assert (task["description"], task["metadata"]) == ("Read", {"deep": {"x": 1}})
    (row,) = csv.DictReader(io.StringIO(export(server, "tasks", "--format", "csv").decode()))
    assert (row["tags"], row["metadata.deep.x"], row["assignedTo"]) == ('["a"]', "1", "Unassigned")
    assert json.loads(export(server, "agents"))["id"] == "scout"
    assert export(server, "agents", "--to", f"{_epoch(server)}:0") == b""
    assert export(server, "tokens", "--format", "csv") == b"agent,day,tokens,cost,calls\r\n"


@pytest.mark.process
def test_a_data_folder_tells_the_same_as_its_server(server: ServerProcess) -> None:
    kinds = ("events", "tasks", "agents")
    for _ in range(10):
        with_server = [export(server, what) for what in kinds]
        from_file = [export(server, what, "--data", str(server.data)) for what in kinds]
        # The server may report something of its own in between.
        if from_file == with_server:
            break
    assert from_file == with_server
