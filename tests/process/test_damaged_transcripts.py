"""The index of transcripts is damaged under a running server: 503 with the reason, then an index made again."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.process.server_probe import call

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

READS = ("/api/sessions", "/api/search?q=importer&in=transcripts", "/api/sessions/s1/transcript")
SECONDS = 30.0


class Transcripts:
    """Claude Code's transcripts in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self._project = home / "projects" / "-home-user"
        self._project.mkdir(parents=True)
        self._count = 0

    def say(self, session: str, *texts: str) -> None:
        with (self._project / f"{session}.jsonl").open("a") as file:
            for text in texts:
                self._count += 1
                line = {
                    "type": "user",
                    "uuid": f"line-{self._count}",
                    "timestamp": round(time.time() * 1000),
                    "cwd": "/home/user",
                    "message": {"role": "user", "content": text},
                }
                file.write(json.dumps(line) + "\n")


def said(server: ServerProcess, session: str) -> list[str]:
    status, page = call(server, f"/api/sessions/{session}/transcript")
    return [message["text"] for message in page["messages"]] if status == 200 else []


def until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + SECONDS
    while not condition():
        assert monotonic() < deadline
        sleep(0.05)


def spoil(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(os.urandom(length))


@pytest.mark.parametrize("parts", [["-wal"], ["-wal", ""]])
def test_a_damaged_index_answers_503_until_it_is_made_again(tmp_path: Path, parts: list[str]) -> None:
    home = tmp_path / "home"
    transcripts = Transcripts(home)
    for number in range(5):
        transcripts.say(f"s{number}", *(f"Refactor the importer, step {step}" for step in range(200)))
    with start_server(tmp_path / "workspace", env={"CLAUDE_CONFIG_DIR": str(home)}) as server:
        until(lambda: len(call(server, "/api/sessions")[1]) == 5)
        until(lambda: said(server, "s4"))
        for part in parts:
            spoil(server.data / f"transcripts.sqlite{part}", 0, 100_000)
        transcripts.say("s1", "One line more")
        answers: list[tuple[int, Any]] = []
        health: list[tuple[int, Any]] = []

        def is_made_again() -> bool:
            answers.extend(call(server, path) for path in READS)
            health.append(call(server, "/health"))
            assert call(server, "/api/events", {"type": "custom:step", "data": {}})[0] == 201
            return "One line more" in said(server, "s1") and health[-1][0] == 200

        until(is_made_again)
        assert 503 in {status for status, _ in answers}
        assert {status for status, _ in answers} <= {200, 404, 503}
        assert all("transcripts" in problem["detail"] for status, problem in answers if status == 503)
        assert all("messages" in page["reason"] for status, page in health if status == 503)
        until(lambda: len(said(server, "s0")) == 50)
        assert [call(server, path)[0] for path in READS] == [200, 200, 200]
        assert call(server, "/health")[1]["services"]["messages"]["restarts"] == 1
        assert any(status == 503 for status, _ in health)


def test_a_data_folder_that_is_renamed_is_no_internal_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    transcripts = Transcripts(home)
    transcripts.say("s1", "Refactor the importer")
    with start_server(tmp_path / "workspace", env={"CLAUDE_CONFIG_DIR": str(home)}) as server:
        until(lambda: said(server, "s1"))
        elsewhere = tmp_path / "elsewhere"
        server.data.rename(elsewhere)
        answers: list[tuple[int, Any]] = []
        for number in range(20):
            transcripts.say("s1", f"Line {number}")
            answers.extend(call(server, path) for path in READS)
            sleep(0.1)
        assert {status for status, _ in answers} <= {200, 503}
        shutil.rmtree(server.data, ignore_errors=True)
        elsewhere.rename(server.data)
        until(lambda: "Line 19" in said(server, "s1"))
