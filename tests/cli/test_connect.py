"""`connect` and `disconnect`: settings files of every kind, and what is printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.cli import main
from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.errors import ConfigError
from missioncontrol.json_text import edit as json_text
from missioncontrol.runtimes.claude import settings as claude
from missioncontrol.runtimes.claude.settings import EVENTS, Wanted
from missioncontrol.runtimes.codex import settings as codex
from missioncontrol.testing import start_server

URL = "http://127.0.0.1:9"
"""Where nobody answers."""

HERE = Wanted(URL)
FOREIGN: dict[str, Any] = {
    "model": "opus",
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "check.sh"}]},
            {"hooks": [{"type": "http", "url": "http://audit.example/hook"}]},
        ],
        "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}],
        "WorktreeCreate": [{"hooks": [{"type": "command", "command": "svn.sh"}]}],
    },
    "permissions": {"allow": ["Bash(git *)"], "deny": []},
    "unknown": [1, 2.50, None, "ü"],
}
LAYOUTS = {
    "two blanks": json.dumps(FOREIGN, indent=2, ensure_ascii=False) + "\n",
    "four blanks": json.dumps(FOREIGN, indent=4),
    "tabs": json.dumps(FOREIGN, indent="\t"),
    "one line": json.dumps(FOREIGN),
    "minified": json.dumps(FOREIGN, separators=(",", ":")),
    "by hand": '{\r\n  "model" : "opus", "big": 12345678901234567890, "half": 1.50e1,\r\n'
    '  "hooks": { "Stop": [ { "hooks": [\r\n    {"type": "command", "command": "x"} ] } ] }\r\n}\r\n',
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.setenv("MISSION_CONTROL_URL", URL)
    # Whoever runs the tests may have a Claude Code.
    monkeypatch.setenv("PATH", os.pathsep.join(("/usr/bin", "/bin")))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "claude" / "settings.json"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "codex" / "config.toml"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def our_hooks(path: Path) -> dict[str, dict[str, Any]]:
    """Our hook of each event, which must be there once."""
    found: dict[str, dict[str, Any]] = {}
    for event, groups in json.loads(path.read_text(encoding="utf-8-sig"))["hooks"].items():
        for hook in [hook for group in groups for hook in group["hooks"]]:
            if claude.PATH in hook.get("url", ""):
                assert event not in found
                found[event] = hook
    return found


def test_it_writes_one_hook_for_each_event_into_a_new_file_that_only_its_owner_reads(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "claude"]) == 0
    assert set(our_hooks(settings)) == set(EVENTS)
    for hook in our_hooks(settings).values():
        assert hook == {"type": "http", "url": f"{URL}/api/hooks/claude", "timeout": claude.TIMEOUT_SECONDS}
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert f"connected to {URL}" in told.out
    assert "Nobody answers" in told.err
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_no_hook_is_written_that_claude_would_not_run_or_that_could_make_it_fail() -> None:
    assert not {"SessionStart", "Setup", "WorktreeCreate"} & set(EVENTS)


def test_twice_changes_nothing_and_another_url_changes_ours(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["connect", "claude"])
    before, written = settings.read_bytes(), settings.stat()
    assert main(["connect", "claude"]) == 0
    assert "already" in capsys.readouterr().out
    assert settings.read_bytes() == before
    assert settings.stat().st_mtime_ns == written.st_mtime_ns
    assert main(["connect", "claude", "--url", "http://office.example:3001/mc"]) == 0
    hooks = our_hooks(settings).values()
    assert {hook["url"] for hook in hooks} == {"http://office.example:3001/mc/api/hooks/claude"}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_everything_else_stays_as_it_was_written(text: str) -> None:
    connected = claude.connected(text, HERE)
    before, after = json.loads(text), json.loads(connected)
    assert list(after) == list(before)
    assert {**after, "hooks": None} == {**before, "hooks": None}
    for event, groups in before["hooks"].items():
        assert after["hooks"][event][: len(groups)] == groups
    assert claude.connected(connected, HERE) == connected
    assert claude.disconnected(connected) == text
    # Line by line: what was there is there, but for commas and brackets that share a line.
    head = text[: text.index('"hooks"')]
    assert connected.startswith(head)


@pytest.mark.parametrize(
    "text",
    ["{}", "{}\n", "{\n}", '{"a":1}', '{\n  "a": 1\n}\n', '{"a": {"hooks": {}}}', '{"hook": "\\"hooks\\""}'],
)
def test_settings_without_hooks_come_back_as_they_were(text: str) -> None:
    connected = claude.connected(text, HERE)
    assert set(json.loads(connected)["hooks"]) == set(EVENTS)
    assert json.loads(claude.disconnected(connected)) == json.loads(text)


def test_what_somebody_has_added_to_our_hook_stays(settings: Path) -> None:
    main(["connect", "claude"])
    tree = json.loads(settings.read_text())
    tree["hooks"]["Stop"][0]["hooks"][0]["statusMessage"] = "telling the office"
    tree["hooks"]["PreToolUse"][0]["matcher"] = "Bash"
    write(settings, json.dumps(tree))
    main(["connect", "claude", "--url", "http://other.example"])
    assert our_hooks(settings)["Stop"]["statusMessage"] == "telling the office"
    assert json.loads(settings.read_text())["hooks"]["PreToolUse"][0]["matcher"] == "Bash"


def test_a_hook_of_ours_that_is_there_twice_or_is_no_longer_used_goes(settings: Path) -> None:
    hook = {"type": "http", "url": "http://old.example/api/hooks/claude"}
    group = {"hooks": [hook]}
    write(settings, json.dumps({"hooks": {"Stop": [group, {"hooks": [hook, hook]}], "OldEvent": [group]}}))
    main(["connect", "claude"])
    assert set(our_hooks(settings)) == set(EVENTS)


def test_answers_and_budgets_are_only_asked_for_where_that_is_wanted() -> None:
    hooks = claude.hooks(Wanted(URL, answer_seconds=600, budgets=True))
    assert hooks["PermissionRequest"]["url"].endswith("/api/hooks/claude?answer=1")
    assert hooks["PermissionRequest"]["timeout"] == 610
    assert hooks["PreToolUse"]["url"].endswith("?budgets=1")
    assert hooks["PreToolUse"]["timeout"] == claude.TIMEOUT_SECONDS
    short = claude.hooks(Wanted(URL, answer_seconds=60))
    assert short["PermissionRequest"]["url"].endswith("?answer=1&wait=60")
    assert "?" not in short["PreToolUse"]["url"]


def test_a_token_is_written_as_its_variable_or_in_clear_when_that_is_asked_for(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "claude", "--token-variable", "OFFICE_TOKEN"]) == 0
    hook = our_hooks(settings)["Stop"]
    assert hook["headers"] == {"Authorization": "Bearer ${OFFICE_TOKEN}"}
    assert hook["allowedEnvVars"] == ["OFFICE_TOKEN"]
    assert "$OFFICE_TOKEN" in capsys.readouterr().out
    assert main(["connect", "claude", "--token", "mct_secret"]) == 0
    hook = our_hooks(settings)["Stop"]
    assert hook["headers"] == {"Authorization": "Bearer mct_secret"}
    assert "allowedEnvVars" not in hook
    assert "mct_secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ("// mine\n{}", "not JSON"),
        ("[]", "not as Claude Code has them"),
        ('{"hooks": []}', "not as Claude Code has them"),
        ('{"hooks": {"Stop": {}}}', "not as Claude Code has them"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_settings_that_cannot_be_understood_are_left_alone(
    settings: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, text)
    for command in ("connect", "disconnect"):
        assert main([command, "claude"]) == 2
        told = capsys.readouterr().err
        assert reason in told
        assert str(settings) in told
        assert settings.read_text() == text
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_settings_that_are_not_utf_8_are_left_alone(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.parent.mkdir()
    settings.write_bytes(b'{"a": "\xff"}')
    assert main(["connect", "claude"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_an_empty_file_and_a_byte_order_mark_are_no_obstacle(settings: Path) -> None:
    write(settings, "")
    assert main(["connect", "claude"]) == 0
    write(settings, '\ufeff{"a": 1}')
    assert main(["connect", "claude"]) == 0
    assert settings.read_bytes().startswith(b"\xef\xbb\xbf{")
    assert set(our_hooks(settings)) == set(EVENTS)


def test_a_link_stays_one_and_the_mode_stays(settings: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "claude.json"
    write(real, LAYOUTS["two blanks"])
    real.chmod(0o640)
    settings.parent.mkdir()
    settings.symlink_to(real)
    assert main(["connect", "claude"]) == 0
    assert settings.is_symlink()
    assert set(our_hooks(real)) == set(EVENTS)
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert main(["disconnect", "claude"]) == 0
    assert real.read_text(encoding="utf-8") == LAYOUTS["two blanks"]


def test_a_read_only_file_is_left_alone(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(settings, "{}")
    settings.chmod(0o444)
    assert main(["connect", "claude"]) == 2
    assert "read-only" in capsys.readouterr().err
    assert settings.read_text() == "{}"


def test_what_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claude").write_text("a file where the folder should be")
    assert main(["connect", "claude"]) == 2
    assert "cannot be" in capsys.readouterr().err


def test_two_at_once_both_succeed(settings: Path) -> None:
    write(settings, LAYOUTS["two blanks"])
    command = [sys.executable, "-m", "missioncontrol.cli", "connect", "claude", "--url"]
    running = [
        subprocess.Popen([*command, f"http://{name}.example:1"], stderr=subprocess.DEVNULL) for name in "ab"
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len({hook["url"] for hook in our_hooks(settings).values()}) == 1
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_what_the_runtime_writes_meanwhile_is_taken_in(settings: Path) -> None:
    write(settings, '{"a": 1}')
    seen: list[str] = []

    def edit(text: str) -> str:
        if not seen:
            write(settings, '{"a": 2}')
        seen.append(text)
        return claude.connected(text, HERE)

    assert SettingsFile(settings).change(edit)
    assert seen == ['{"a": 1}', '{"a": 2}']
    assert json.loads(settings.read_text())["a"] == 2

    def never_done(text: str) -> str:
        write(settings, f"{text} ")
        return f"{text}x"

    with pytest.raises(ConfigError, match="again and again"):
        SettingsFile(settings).change(never_done)


def test_a_failure_while_writing_leaves_the_file_as_it_was(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, LAYOUTS["tabs"])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["connect", "claude"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert settings.read_text() == LAYOUTS["tabs"]
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_print_and_project_and_settings_choose_where(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "claude", "--print"]) == 0
    assert set(json.loads(capsys.readouterr().out)["hooks"]) == set(EVENTS)
    assert main(["connect", "claude", "--project"]) == 0
    assert main(["connect", "claude", "--settings", str(tmp_path / "mine.json")]) == 0
    assert not settings.exists()
    for path in (tmp_path / ".claude" / "settings.json", tmp_path / "mine.json"):
        assert set(our_hooks(path)) == set(EVENTS)
    assert main(["disconnect", "claude", "--project"]) == 0
    assert json.loads((tmp_path / ".claude" / "settings.json").read_text()) == {}


def test_what_keeps_the_hooks_from_working_is_said(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, '{"disableAllHooks": true, "allowedHttpHookUrls": ["https://audit.example/*"]}')
    assert main(["connect", "claude"]) == 0
    told = capsys.readouterr().err
    assert "disableAllHooks" in told
    assert "allowedHttpHookUrls" in told


def install(folder: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `claude` into the path that says which release it is."""
    folder.mkdir()
    command = folder / "claude"
    command.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {said}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(folder), "/usr/bin", "/bin")))


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ("echo '2.1.63 (Claude Code)'", {"PermissionDenied", "TaskCreated", "PostCompact", "StopFailure"}),
        ("echo '2.1.80 (Claude Code)'", {"PermissionDenied", "TaskCreated"}),
        ("echo '2.1.295 (Claude Code)'", set()),
        ("echo '3.0.0'", set()),
        ("exit 1", set()),
        ("echo nonsense", set()),
    ],
)
def test_only_events_are_written_that_the_installed_release_knows(
    said: str, left_out: set[str], settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Claude Code passes over settings as a whole that have an event in them that it does not know.
    main(["connect", "claude"])
    install(tmp_path / "bin", said, monkeypatch)
    assert main(["connect", "claude"]) == 0
    assert set(our_hooks(settings)) == set(EVENTS) - left_out


def test_a_release_without_http_hooks_is_refused(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "bin", "echo '2.1.62 (Claude Code)'", monkeypatch)
    assert main(["connect", "claude"]) == 2
    assert "2.1.63 and later" in capsys.readouterr().err
    assert not settings.exists()


def test_the_release_is_found_in_the_newest_transcript(settings: Path) -> None:
    project = settings.parent / "projects" / "-home-anna-shop"
    project.mkdir(parents=True)
    for name, version, time in (("old", "2.1.90", 1_000), ("new", "2.1.79", 2_000)):
        (project / f"{name}.jsonl").write_text(json.dumps({"type": "user", "version": version}) + "\n")
        os.utime(project / f"{name}.jsonl", (time, time))
    assert main(["connect", "claude"]) == 0
    assert set(EVENTS) - set(our_hooks(settings)) == {"PermissionDenied", "TaskCreated"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(
    tree=st.dictionaries(st.text(max_size=5), _JSON, max_size=4),
    groups=st.dictionaries(
        st.sampled_from([*EVENTS, "Other"]), st.lists(_JSON, min_size=1, max_size=2), max_size=4
    ),
    layout=st.sampled_from([None, 1, 2, 4, "\t"]),
)
def test_any_settings_are_connected_and_come_back_with_the_same_meaning(
    tree: dict[str, Any], groups: dict[str, Any], layout: int | str | None
) -> None:
    before = (
        {**tree, "hooks": groups} if groups else {key: value for key, value in tree.items() if key != "hooks"}
    )
    text = json.dumps(before, indent=layout)
    connected = claude.connected(text, HERE)
    told = claude.connected_to(connected)
    assert told == (URL, len(EVENTS))
    assert claude.connected(connected, HERE) == connected
    assert json.loads(claude.disconnected(connected)) == before


def test_a_part_is_found_by_its_last_name_as_readers_of_json_do() -> None:
    text = '{"a": 1, "a": [2]}'
    found = json_text.member(text, 0, "a")
    assert found is not None
    assert json_text.value_of(text, found) == [2]


# Codex

CODEX = {
    "no file": "",
    "no section": 'model = "gpt-5" # mine\n\n[mcp_servers.docs]\ncommand = "docs"\n',
    "a section": '[otel]\nenvironment = "dev"\nlog_user_prompt = false\n\n[tui]\ntheme = "x"\n',
    "a dotted section": 'a = 1\n\n[otel.metrics_exporter.otlp-http]\nendpoint = "http://o/v1/metrics"\n',
}


@pytest.mark.parametrize("text", CODEX.values(), ids=CODEX)
def test_codex_gets_an_exporter_for_its_logs_and_everything_else_stays(text: str) -> None:
    connected = codex.connected(text, URL)
    before, after = tomllib.loads(text), tomllib.loads(connected)
    assert after["otel"].pop("exporter") == {
        "otlp-http": {"endpoint": f"{URL}/v1/logs", "protocol": "binary"}
    }
    assert {**after, "otel": after["otel"] or None} == {**before, "otel": before.get("otel")}
    assert all(line in connected for line in text.splitlines())
    assert codex.connected(connected, URL) == connected
    assert codex.connected_to(connected) == URL
    moved = codex.connected(connected, "http://other.example", "mct_x")
    exporter = tomllib.loads(moved)["otel"]["exporter"]["otlp-http"]
    assert exporter["endpoint"] == "http://other.example/v1/logs"
    assert exporter["headers"] == {"authorization": "Bearer mct_x"}
    assert tomllib.loads(codex.disconnected(moved)) == before
    assert codex.disconnected(codex.disconnected(connected)) == codex.disconnected(connected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '[otel.exporter.otlp-http]\nendpoint = "http://localhost:4318/v1/logs"\nprotocol = "binary"\n',
            "another",
        ),
        ('[otel]\nexporter = { otlp-grpc = { endpoint = "http://localhost:4317" } }\n', "another"),
        ('otel = { environment = "dev" }\n', "[otel]"),
        ("otel = 3\n", "[otel]"),
        ("[otel\n", "not TOML"),
    ],
)
def test_codex_settings_that_are_somebody_elses_are_left_alone(
    config: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(config, text)
    assert main(["connect", "codex"]) == 2
    assert reason in capsys.readouterr().err
    assert config.read_text() == text


def test_codex_is_connected_and_disconnected_by_command(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(config, CODEX["a section"])
    assert main(["connect", "codex"]) == 0
    assert main(["connect", "codex"]) == 0
    assert "already" in capsys.readouterr().out
    assert main(["disconnect", "codex"]) == 0
    assert config.read_text() == CODEX["a section"]
    assert main(["disconnect", "codex"]) == 0
    assert "not connected" in capsys.readouterr().out


# What is only printed, and the list


def test_the_list_says_what_is_connected(
    settings: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect"]) == 0
    assert "connected to" not in capsys.readouterr().out
    main(["connect", "claude"])
    write(config, "[broken")
    capsys.readouterr()
    assert main(["connect"]) == 0
    told = capsys.readouterr().out
    assert f"connected to {URL} ({settings})" in told
    assert f"{config} cannot be understood" in told
    assert all(name in told for name in ("openclaw", "otel", "mcp"))


def test_openclaw_otel_and_mcp_only_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "openclaw", "--print"]) == 0
    assert f"openclaw config set diagnostics.otel.endpoint {URL}\n" in capsys.readouterr().out
    assert main(["connect", "otel", "--print"]) == 0
    assert f"export OTEL_EXPORTER_OTLP_ENDPOINT={URL}\n" in capsys.readouterr().out
    assert main(["connect", "mcp"]) == 0
    told = capsys.readouterr().out
    assert f"claude mcp add --transport http mission-control {URL}/mcp\n" in told
    assert '"command": "mission-control"' in told
    assert list(tmp_path.iterdir()) == []


def test_what_is_printed_for_a_shell_means_the_same_there(capsys: pytest.CaptureFixture[str]) -> None:
    main(["connect", "otel", "--token-variable", "OFFICE_TOKEN"])
    script = capsys.readouterr().out + "printenv OTEL_EXPORTER_OTLP_HEADERS"
    done = subprocess.run(["sh", "-c", script], env={"OFFICE_TOKEN": "mct_x"}, capture_output=True, text=True)
    assert done.stdout == "authorization=Bearer%20mct_x\n"
    main(["connect", "openclaw", "--token-variable", "OFFICE_TOKEN"])
    line = next(line for line in capsys.readouterr().out.splitlines() if "headers" in line)
    script = f'openclaw() {{ printf "%s" "$4"; }}\n{line}'
    done = subprocess.run(["sh", "-c", script], env={"OFFICE_TOKEN": "mct_x"}, capture_output=True, text=True)
    assert json.loads(done.stdout) == {"Authorization": "Bearer mct_x"}


@pytest.mark.process
def test_a_server_with_tokens_is_noticed_and_its_token_stays_in_the_environment(
    tmp_path: Path, settings: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with start_server(tmp_path / "workspace", env={"MISSION_CONTROL_TOKEN": "mct_everything"}) as server:
        assert main(["connect", "claude", "--url", server.url]) == 0
        hook = our_hooks(settings)["Stop"]
        assert hook["headers"] == {"Authorization": "Bearer ${MISSION_CONTROL_TOKEN}"}
        assert "$MISSION_CONTROL_TOKEN" in capsys.readouterr().out
        assert main(["connect", "codex", "--url", server.url]) == 2
        assert "--token" in capsys.readouterr().err
        assert not config.exists()


# The pages


PAGES = [
    Path(__file__).parents[2] / "docs" / "how-to" / f"{name}.md"
    for name in ("claude-code", "codex", "openclaw")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_the_pages_works(page: Path) -> None:
    lines = re.findall(
        r"^mission-control ((?:connect|disconnect).*)$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert lines[0].startswith("connect")
    for line in lines:
        assert main(shlex.split(line.partition("|")[0], comments=True)) == 0


def test_the_page_of_claude_code_names_every_event_and_every_option() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert [event for event in EVENTS if f"`{event}`" not in text] == []
    table = re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)
    assert set(table) | {"--answer", "--wait", "--enforce-budgets"} == {
        "--url", "--answer", "--wait", "--enforce-budgets", "--project", "--settings", "--token", "--token-variable",
        "--print",
    }  # fmt: skip
