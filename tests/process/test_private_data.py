"""Nothing below the data folder can be read by another user, whatever the umask and the folder's creator."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from missioncontrol.client import call, publish
from tests.process.claude_session import until
from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

OPEN_TO_OTHERS = 0o077


def everything_below(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent) / name for name in (*folders, *files))


def open_to_others(folder: Path) -> list[str]:
    """Return what others could read, write or look into, with its mode."""
    found = []
    for path in everything_below(folder):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISLNK(mode) and mode & OPEN_TO_OTHERS:
            found.append(f"{path.relative_to(folder.parent)} {mode & 0o7777:o}")
    return found


def write_transcript(home: Path) -> None:
    project = home / ".claude" / "projects" / "-work"
    project.mkdir(parents=True)
    entry = {
        "type": "user",
        "uuid": "u1",
        "sessionId": "s1",
        "timestamp": "2026-11-23T10:00:00.000Z",
        "message": {"role": "user", "content": "find the flaky test"},
    }
    (project / "s1.jsonl").write_text(json.dumps(entry) + "\n")


def do_everything(url: str) -> None:
    publish(url, "custom:event", {"text": "something to be found"})
    for path, body in (
        ("/api/tasks", {"description": "write the report"}),
        ("/api/standups", {}),
        ("/api/hooks/claude", {"hook_event_name": "SessionStart", "session_id": "s1", "cwd": "/work"}),
    ):
        head = {"Content-Type": "application/json"}
        with urlopen(Request(url + path, json.dumps(body).encode(), head), timeout=20) as answer:
            assert answer.status < 300, path
    assert until(lambda: json.loads(call(url, "/api/search?in=events&q=found"))["count"])
    assert until(lambda: json.loads(call(url, "/api/search?in=transcripts&q=flaky"))["count"])


def serve(tmp_path: Path, before: str) -> Started:
    (tmp_path / "workspace").mkdir(exist_ok=True)
    (tmp_path / "config.toml").write_text(
        f'[notify]\nurls = ["json://127.0.0.1:9/"]\n[sources]\nclaude = "{tmp_path}/.claude/projects"\n'
    )
    options = ["--workspace", "workspace", "--data", "data", "--port", "0", "--ws-port", "none"]
    return Started(
        ["serve", *options, "--config", "config.toml"],
        env=clean_environment(tmp_path, XDG_DATA_HOME=str(tmp_path / "data")),
        folder=tmp_path,
        shell=before,
    )


@pytest.mark.parametrize("before", ["umask 000", "umask 000; mkdir -m 777 data"], ids=["new", "open to all"])
def test_nothing_in_the_data_folder_is_open_to_others(tmp_path: Path, before: str) -> None:
    write_transcript(tmp_path)
    with serve(tmp_path, before) as server:
        url = server.line().split()[1]
        do_everything(url)
        assert open_to_others(tmp_path / "data") == []
        names = {path.name for path in everything_below(tmp_path / "data")}
        assert {"events.sqlite-wal", "search.sqlite", "transcripts.sqlite", "lock", "server.json"} <= names
        server.signal(signal.SIGKILL)
        server.status()
    assert open_to_others(tmp_path / "data") == []


def test_what_an_earlier_release_has_left_open_is_closed(tmp_path: Path) -> None:
    write_transcript(tmp_path)
    with serve(tmp_path, "umask 000") as server:
        do_everything(server.line().split()[1])
        # Killed, so that the write-ahead logs are left too.
        server.signal(signal.SIGKILL)
        server.status()
    for path in everything_below(tmp_path / "data"):
        if not path.is_symlink() and path.name not in ("server.json", "owner.key"):
            path.chmod(0o777 if path.is_dir() else 0o666)
    foreign = tmp_path / "data" / "notes.txt"
    foreign.write_text("of the user")
    foreign.chmod(0o644)
    with serve(tmp_path, "umask 000") as server:
        url = server.line().split()[1]
        publish(url, "custom:event", {})
        assert open_to_others(tmp_path / "data") == ["data/notes.txt 644"]
        server.signal(signal.SIGTERM)
        assert server.status() == 0


def test_a_folder_of_all_users_is_refused_in_one_line(tmp_path: Path) -> None:
    with serve(tmp_path, "umask 000; mkdir data; chmod 1777 data") as server:
        assert server.status() == 2
        (line,) = server.stderr.splitlines()
    assert "shared by all users" in line
    assert "--data" in line
    assert list((tmp_path / "data").iterdir()) == []
