"""What every command has in common, and the small ones."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from missioncontrol.cli import main
from missioncontrol.cli.publish import read_drafts
from missioncontrol.cli.settings import read_config, read_url
from missioncontrol.cli.status import MAX_SHOWN
from missioncontrol.config import Config
from missioncontrol.errors import BadEvent, ConfigError
from tests.cli.conftest import BesideServer

COMMANDS = ["serve", "demo", "watch", "publish", "status", "doctor", "token"]


class _Pieces:
    """Standard input that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read1(self, size: int, /) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(command in listed for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        *([name] for name in COMMANDS if name != "token"),
        ["token", "new"],
        *(["connect", name] for name in ("claude", "codex", "openclaw", "otel", "mcp")),
        *(["disconnect", name] for name in ("claude", "codex")),
    ],
)
def test_each_command_explains_itself_with_examples(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "For example:" in text
    assert f"mission-control {' '.join(command)}" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["wutch"], 'Did you mean "watch"?'),
        (["serve", "--prt", "1"], "--port"),
        (["serve", "--port", "many"], '"many"'),
        (["serve", "--port", "70000", "--workspace", "."], "server.port is 70000"),
        (["serve", "--log", "paper", "--workspace", "."], "log.url"),
        (["serve", "--config", "/nowhere.toml"], "/nowhere.toml cannot be read"),
        (["serve", "--token", " ", "--workspace", "."], "The token is empty"),
        (["watch", "a:b:*?"], "is no pattern"),
        (["watch", "--since", "yesterday"], "EPOCH:ID"),
        (["watch", "--url", "ftp://host"], "address has the form"),
        (["publish"], "TYPE"),
        (["connect", "nope"], "There is no place for 'nope' here"),
        (["status", "a", "b"], "There is no place for 'a', 'b' here"),
        (["publish", "no-category"], "category:name"),
        (["publish", "a:b", "{"], "not a JSON object"),
        (["publish", "a:b", "[1]"], "not a JSON object"),
        (["publish", "-", "{}"], "leave the data out"),
        (["publish", "-", "--key", "k"], "--key is for a single event"),
        (["token", "new", "--scopes", "everything"], "read, fleet, publish, answer, admin"),
    ],
)
def test_a_wrong_use_is_one_clear_line_and_status_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("mission-control: ")
    assert output.err.count("\n") == 1
    assert expected in output.err


@pytest.mark.parametrize("command", [["status"], ["publish", "a:b", "--timeout", "0.1"]])
def test_a_server_that_is_not_there_is_one_clear_line_and_status_1(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Port 1 of this machine: nobody listens there.
    assert main([*command, "--url", "http://127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert "cannot be reached: Connection refused." in error
    assert error.count("\n") == 1


def test_a_refusal_that_repeats_somebodys_words_cannot_act_on_the_terminal(
    beside: BesideServer, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "The task is \x1b]0;mine\x07\x9b2J's."
    problem = {"status": 409, "code": "conflict", "detail": said, "title": "Conflict"}
    beside.fake.pages = {
        "/api/tasks/ESC": web.json_response(problem, status=409, content_type="application/problem+json")
    }
    assert main(["tasks", "show", "ESC", "--url", beside.url]) == 1
    error = capsys.readouterr().err
    assert "The task is \N{REPLACEMENT CHARACTER}]0;mine" in error
    assert not {"\x1b", "\x07", "\x9b"} & set(error)


def test_a_new_token_comes_with_its_lines_for_the_config_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["token", "new", "--name", 'the "ops" team', "--scopes", "read, publish,read"]) == 0
    made, _, lines = capsys.readouterr().out.partition("\n")
    assert made.startswith("mc_")
    (entry,) = tomllib.loads(lines)["server"]["tokens"]
    assert entry == {
        "name": 'the "ops" team',
        "sha256": hashlib.sha256(made.encode()).hexdigest(),
        "scopes": ["read", "publish"],
    }
    file = tmp_path / "mission-control.toml"
    file.write_text(lines)
    assert read_config({}, file=file, environment={}).server.tokens[0].name == 'the "ops" team'


def test_settings_come_from_flag_environment_file_and_default_in_this_order(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nport = 1\nws_port = 1\nmax_clients = 1\n")
    environment = {"MISSION_CONTROL_CONFIG": str(file), "MISSION_CONTROL_WS_PORT": "2", "WS_PORT": "9"}
    config = read_config({"server.port": 3, "server.host": None}, environment=environment)
    server = config.server
    assert (server.port, server.ws_port, server.max_clients, server.host) == (3, 2, 1, "127.0.0.1")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("[budgets]\ndaily = -1", "budgets.daily is -1"),
        ("[budgets]\ndaily = nan", "budgets.daily is nan"),
        ("[budgets]\nwarn_at = 500", "budgets.warn_at is 500"),
        ("[budgets]\nwarn_at = -1", "budgets.warn_at is -1"),
        ("[budgets.agents]\nscout = -5.0", "budgets.agents.scout is -5"),
        ("[budgets.agents]\nscout = inf", "budgets.agents.scout is inf"),
        ("[server]\nheartbeat_interval = nan", "server.heartbeat_interval is nan"),
        ("[server]\nheartbeat_interval = inf", "server.heartbeat_interval is inf"),
        ("[log]\nretention_days = nan", "log.retention_days is nan"),
        ("[cluster]\npublish_timeout = nan", "cluster.publish_timeout is nan"),
        ('[[notify.rules]]\nname = "ops"\nstorm_seconds = nan', "storm_seconds is nan"),
    ],
)
def test_a_number_that_cannot_be_is_named(tmp_path: Path, settings: str, expected: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(settings)
    with pytest.raises(ConfigError, match=re.escape(expected)):
        read_config({}, file=file, environment={})


@pytest.mark.parametrize("name", ["workspace", "data"])
def test_a_folder_without_a_name_is_refused(name: str, tmp_path: Path) -> None:
    # It would be the current one: whoever left a variable empty would find a log there.
    file = tmp_path / "config.toml"
    file.write_text(f'{name} = " "\n')
    for source in (
        {"flags": {name: ""}},
        {"environment": {f"MISSION_CONTROL_{name.upper()}": ""}},
        {"file": file},
    ):
        with pytest.raises(ConfigError, match=f"{name} is empty"):
            read_config(**{"flags": {}, "environment": {}} | source)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nmax_clients = 1\n")
    for variable in ("MISSION_CONTROL_PORT", "MC_API_PORT"):
        with pytest.raises(ConfigError, match=rf"{variable} is ''") as refusal:
            read_config({}, file=file, environment={variable: ""})
        assert str(file) not in str(refusal.value)


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_token_is_hashed_at_once_and_may_do_everything(how: str) -> None:
    environment = {"MISSION_CONTROL_TOKEN": "secret"} if how == "environment" else {}
    config = read_config({}, token="secret" if how == "flag" else None, environment=environment)
    (token,) = config.server.tokens
    assert token.sha256 == hashlib.sha256(b"secret").hexdigest()
    assert token.scopes == ["read", "publish", "admin"]
    assert "secret" not in str(msgspec.to_builtins(config)).replace(token.sha256, "")
    assert Config().server.tokens == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "http://127.0.0.1:3001"),
        ({"MISSION_CONTROL_URL": "http://h:1"}, "http://h:1"),
        ({"MISSION_CONTROL_PORT": "4001", "MC_API_PORT": "5001"}, "http://127.0.0.1:4001"),
        ({"MC_API_PORT": "5001"}, "http://127.0.0.1:5001"),
        ({"MISSION_CONTROL_PORT": "0"}, "http://127.0.0.1:3001"),
    ],
)
def test_clients_find_the_server_where_the_environment_says(
    environment: dict[str, str], expected: str
) -> None:
    assert read_url(None, environment) == expected
    assert read_url("http://other", environment) == "http://other"


def test_publish_prints_the_id(beside: BesideServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "custom:event", '{"a": 1}', "--key", "k", "--url", beside.url]) == 0
    assert main(["publish", "custom:event", '{"a": 1}', "--key", "k", "--url", beside.url]) == 0
    assert main(["publish", "custom:bare", "--url", beside.url]) == 0
    assert capsys.readouterr().out == "1\n1\n2\n"
    assert [event["data"] for event in beside.fake.events] == [{"a": 1}, {}]


def test_publish_reads_ndjson_and_repeats_without_doubling(
    beside: BesideServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b'{"n": 1}\n\n{"n": 2}\n{"n": 3}'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(lines))))
    beside.fake.answers = [web.Response(status=503)]
    assert main(["publish", "custom:step", "-", "--url", beside.url]) == 0
    assert capsys.readouterr().out == "1\n2\n3\n"
    assert [event["data"]["n"] for event in beside.fake.events] == [1, 2, 3]


def test_publish_says_which_line_is_wrong_after_it_has_published_those_before(
    beside: BesideServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b'{"type": "custom:a", "data": {}}\n{"type": "custom:b"}\nnonsense\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(lines))))
    assert main(["publish", "-", "--url", beside.url]) == 2
    output = capsys.readouterr()
    assert output.out == "1\n2\n"
    assert "Line 3 of standard input is not an event" in output.err


def test_lines_are_taken_as_they_come_however_they_are_cut() -> None:
    source = _Pieces(b'{"n"', b': 1}\n{"n": 2}\n', b'{"n": 3}\n{"n', b'": 4}')
    batches = [[draft.data["n"] for draft in batch] for batch in read_drafts(source, "custom:step")]
    assert batches == [[1, 2], [3], [4]]


def test_a_line_that_is_an_array_is_no_data() -> None:
    with pytest.raises(BadEvent, match="Line 2"):
        list(read_drafts(_Pieces(b"{}\n[]\n"), "custom:step"))


def pages(server: BesideServer, health: dict[str, Any], status: int = 200) -> None:
    agent = {"id": "scout", "name": "Scout\x1b[31m", "status": "busy", "lastActive": "2026-11-23T10:15:00Z"}
    server.fake.pages = {
        "/health": web.json_response(health, status=status),
        "/api/agents": web.json_response([agent] * (MAX_SHOWN + 2)),
        "/api/tokens": web.json_response({"budgets": {"fleet": {"budget": 10.0, "spent": 2.5}}}),
        "/api/system/status": web.json_response(
            {
                "server": {
                    "version": "0.1.0",
                    "uptime": 93784,
                    "clients": 2,
                    "maxClients": 10_000,
                    "workspace": "/w",
                },
                "log": {"epoch": "abc", "first": 3, "head": 7, "trouble": None},
                "sources": {"agents": {"status": "running"}},
            }
        ),
    }


def test_status_shows_health_agents_and_the_log(
    beside: BesideServer, capsys: pytest.CaptureFixture[str]
) -> None:
    pages(beside, {"status": "ok", "timestamp": "2026-11-23T10:15:00Z", "simulation": True})
    assert main(["status", "--url", beside.url]) == 0
    shown = capsys.readouterr().out
    for part in (
        "ok",
        "simulated",
        "abc:7, 5 events held",
        "1 d 2 h",
        "2 of 10,000",
        "$2.50 of $10.00",
        "scout",
        "busy",
        "and 2 more",
    ):
        assert part in shown
    assert "\x1b" not in shown


def test_status_of_a_server_that_is_not_well_says_why_and_is_a_failure(
    beside: BesideServer, capsys: pytest.CaptureFixture[str]
) -> None:
    pages(beside, {"status": "failing", "timestamp": "…", "reason": "The disk is full."}, status=503)
    assert main(["status", "--url", beside.url]) == 1
    assert "The disk is full." in capsys.readouterr().out
    assert main(["status", "--json", "--url", beside.url]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["health"]["reason"] == "The disk is full."
    assert found["agents"][0]["id"] == "scout"


def test_status_of_something_else_is_a_failure(
    beside: BesideServer, capsys: pytest.CaptureFixture[str]
) -> None:
    beside.fake.pages = {"/api/system/status": web.Response(text="<html>")}
    assert main(["status", "--url", beside.url]) == 1
    assert "not a Mission Control server" in capsys.readouterr().err


def test_a_demo_does_not_write_into_a_folder_that_is_not_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    assert main(["demo", "--workspace", str(tmp_path)]) == 2
    assert "neither empty nor a former demo's" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_empty_token_in_the_environment_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="empty"):
        read_config({}, environment={"MISSION_CONTROL_TOKEN": ""})
