"""A runtime of another package, by its entry point: what a built-in one gets, it gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.client import call
from missioncontrol.testing import start_server

pytestmark = pytest.mark.process

PACKAGE = '''
"""Acme's agents, as another package would add them."""

import os
from pathlib import Path

import msgspec

from missioncontrol.runtimes.base import FileKind, Runtime, Transcript, find_below
from missioncontrol.runtimes.connection import Connection
from missioncontrol.runtimes.files.jsonl import POSITIONS, LineFormat, opens, session_of
from missioncontrol.runtimes.files.jsonl_messages import reads_messages
from missioncontrol.runtimes.hooks import Asked, Hook, HookReader
from missioncontrol.runtimes.messages import MessageParser
from missioncontrol.runtimes.records import SessionInfo, Turn, Usage


class Memory(msgspec.Struct, tag="acme"):
    session: str = ""


class Line(msgspec.Struct):
    id: str
    at: int
    tokens: int = 0
    cwd: str | None = None


_lines = msgspec.json.Decoder(Line)


class Parser:
    def __init__(self, memory):
        self.memory = memory

    def parse(self, line):
        try:
            entry = _lines.decode(line)
        except msgspec.ValidationError:
            return []
        session = self.memory.session
        used = Usage(f"acme:{entry.id}", "acme", session, entry.at, "acme-1", input=entry.tokens, cost=0.25)
        info = SessionInfo(session, "acme", cwd=entry.cwd)
        return [info, used, Turn(session, entry.at, "busy")]


class AcmeHooks(HookReader):
    events = ("done", "asks")
    event_field = "event"
    evidence = "Acme hook"
    answer_seconds = 60

    def read(self, body, at):
        hook = msgspec.json.decode(body)
        session, event = hook["session"], hook["event"]
        asked = Asked("Allow Dig?", {"tool": "Dig", "input": {"where": "bed 3"}}, True) if event == "asks" else None
        status = "waiting" if asked else "idle"
        return Hook(event, session, None, [Turn(session, at, status, evidence=self.evidence)], asked=asked)

    def decision(self, *, allow, message):
        return {"may": allow}

    def stop(self, hook, reason):
        return {"stop": reason}


class AcmeConnection(Connection):
    what = "Acme's reports"
    help = "Print how Acme reports."

    def printed(self, target, options):
        return f"acme config url {target.url}"


class Acme(Runtime):
    name = "acme"
    title = "Acme Agent"
    variable = "ACME_HOME"
    kinds = (
        FileKind(
            "acme",
            opens(
                LineFormat(
                    msgspec.json.Decoder(Memory),
                    lambda transcript: Memory(session_of(transcript.path)),
                    lambda _, memory: Parser(memory),
                )
            ),
            POSITIONS,
            messages=reads_messages(MessageParser, lambda transcript: session_of(transcript.path)),
        ),
    )

    hooks = AcmeHooks()

    @property
    def connection(self):
        return AcmeConnection()

    def find(self, setting, workspace, environment):
        return find_below("acme", ("logs",), setting, environment.get("ACME_HOME") or "~/.acme")

    def transcript_of(self, place, path, parts):
        return Transcript(path, "acme") if path.suffix == ".jsonl" else None
'''


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which the package is installed, and Acme has worked."""
    site = tmp_path / "site"
    information = site / "acme_runtime-1.0.dist-info"
    information.mkdir(parents=True)
    (site / "acme_runtime.py").write_text(PACKAGE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-runtime\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[mission_control.runtimes]\nacme = acme_runtime:Acme\nbroken = no_such_module:Nothing\n"
    )
    logs = tmp_path / "acme/logs"
    logs.mkdir(parents=True)
    lines: list[dict[str, Any]] = [
        {"id": "1", "at": 1_795_428_900_000, "tokens": 120, "cwd": "/home/user/garden"},
        {
            "type": "user",
            "uuid": "u",
            "timestamp": 1_795_428_900_000,
            "message": {"role": "user", "content": "Plant a pear"},
        },
    ]
    (logs / "first.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"PYTHONPATH": str(site), "ACME_HOME": str(tmp_path / "acme")}


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("mission-control")), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_runtime_of_another_package_gets_what_the_built_in_ones_get(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with start_server(tmp_path / "workspace", env=environment) as server:

        def ask(path: str) -> Any:
            return json.loads(call(server.url, path))

        eventually(lambda: any(agent["id"] == "acme-garden" for agent in ask("/api/agents")))
        agent = ask("/api/agents/acme-garden")
        assert (agent["name"], agent["runtime"], agent["statusSource"]) == (
            "Acme Agent · garden",
            "acme",
            "Acme Agent transcript",
        )
        (used,) = [one for one in ask("/api/tokens")["agents"] if one["id"] == "acme-garden"]
        assert (used["tokens"], used["cost"]) == (120, 0.25)
        eventually(lambda: "Plant a pear" in json.dumps(ask("/api/sessions/first/transcript")))
        eventually(lambda: "first" in json.dumps(ask("/api/search?q=pear")))

        def hook(event: str) -> None:
            body = json.dumps({"event": event, "session": "first"}).encode()
            call(server.url, "/api/hooks/acme", method="POST", body=body)

        hook("done")
        eventually(lambda: ask("/api/agents/acme-garden")["statusSource"] == "Acme hook")
        hook("asks")
        (question,) = ask("/api/questions?status=open")["questions"]
        assert (question["text"], question["agentId"]) == ("Allow Dig?", "acme-garden")
        assert ask("/api/hooks")["acme"]["events"] == {"done": 1, "asks": 1}
        # The entry point that is broken holds up nothing, and is named.
        assert "no_such_module" in server.log


def test_its_connection_and_its_place_are_known_to_the_commands(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert "Acme's reports" in run(environment, "connect")
    assert "acme config url http://127.0.0.1:9" in run(
        environment, "connect", "acme", "--url", "http://127.0.0.1:9"
    )
    workspace = str(tmp_path / "workspace")
    assert "acme at" in run(environment, "doctor", "--workspace", workspace)
    config = tmp_path / "config.toml"
    config.write_text('[sources]\nacme = "off"\nacmee = "off"\n')
    refused = run(environment, "doctor", "--workspace", workspace, "--config", str(config))
    assert "sources.acmee is no setting, and there is no runtime of that name" in refused
