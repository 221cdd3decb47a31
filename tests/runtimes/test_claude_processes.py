"""Claude Code's running processes: what their files say, and when they are over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.runtimes.base import Transcript
from missioncontrol.runtimes.claude.processes import EVIDENCE, ProcessFile, _here
from missioncontrol.runtimes.processes import is_running
from missioncontrol.runtimes.records import SessionInfo, Turn, UnreadableError
from missioncontrol.threads import OwnerThread

AT = 1_795_994_829_847


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        yield running
        running.kill()


def started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def read(folder: Path, **fields: Any) -> tuple[ProcessFile, list[Any]]:
    file = folder / "1.json"
    usual = {
        "pid": 1,
        "sessionId": "s",
        "cwd": "/home/user/proj",
        "version": "2.1.332",
        "statusUpdatedAt": AT,
    }
    file.write_text(json.dumps({**usual, **fields}))
    reader = ProcessFile(Transcript(file, "claude-process"), OwnerThread("test"))
    return reader, reader.read(None)[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by /proc")
def test_a_process_is_over_when_it_is_killed_or_its_number_is_anothers(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    fields = {"pid": process.pid, "procStart": started(process.pid), "status": "busy"}
    reader, (info, turn) = read(tmp_path, **fields)
    assert info == SessionInfo("s", "claude", cwd="/home/user/proj", version="2.1.332")
    assert turn == Turn("s", AT, "busy", None, EVIDENCE)
    assert (reader.session, reader.is_over()) == ("s", False)
    assert read(tmp_path, **{**fields, "procStart": "1"})[0].is_over() is True
    process.kill()
    # Until its parent asks for its end it is a zombie, which runs no more.
    assert is_running(process.pid, None) in (False, True)
    process.wait()
    assert reader.is_over() is True
    # What it did last says nothing any more.
    assert read(tmp_path, **fields)[1] == [info]


@pytest.mark.parametrize(
    ("status", "waiting_for", "shown"),
    [
        ("idle", None, ("idle", None)),
        ("waiting", "permission prompt", ("waiting", "permission prompt")),
        ("busy", "left over", ("busy", None)),
        ("sleeping", None, None),
        (None, None, None),
    ],
)
def test_its_status_is_the_sessions(
    tmp_path: Path,
    process: subprocess.Popen[bytes],
    status: str | None,
    waiting_for: str | None,
    shown: tuple[str, str | None] | None,
) -> None:
    _, records = read(tmp_path, pid=process.pid, status=status, waitingFor=waiting_for)
    turns = [(one.status, one.detail) for one in records if isinstance(one, Turn)]
    assert turns == ([] if shown is None else [shown])


def test_a_file_of_another_machine_or_container_says_nothing_about_processes_here(tmp_path: Path) -> None:
    for domain in ("linux:another:pid:[1]", "odd", f"linux:{next(iter(_here()[0]), 'x')}:pid:[7]"):
        assert read(tmp_path, pid=999_999_999, pidDomain=domain)[0].is_over() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"sessionId": 7}', "\xff"])
def test_a_file_of_another_shape_is_unreadable_or_says_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "2.json"
    file.write_bytes(text.encode("latin-1"))
    reader = ProcessFile(Transcript(file, "claude-process"), OwnerThread("test"))
    try:
        assert reader.read(None) == ([], None)
    except UnreadableError:
        pass
    assert reader.session is None
    assert reader.is_over() is None


@pytest.mark.parametrize("pid", [0, -1, 1 << 40])
def test_a_number_that_no_process_has_is_not_known(pid: int) -> None:
    assert is_running(pid, None) is None
