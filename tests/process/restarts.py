"""Starts and stops of a real server over OpenClaw databases that are read and written all the while.

The server switches threads as often as it can, so that threads that share an object meet on it. It prints where it was
when it dies of a signal.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from missioncontrol.testing import ServerProcess, start_server
from tests.runtimes.installs import add_event, answer, asked, begin_session, create, install

SESSIONS, EVENTS = 2_000, 4
"""How many sessions each database has, and events each of them: reading them takes longer than a start."""

START_SECONDS = 120.0
STOP_SECONDS = 60.0
"""Far more than a start and a stop take: what is looked for here is how they end."""

_SWITCHING = "import sys\nsys.setswitchinterval(1e-6)\n"
_WRITER = """
import json, sqlite3, sys, time
paths, event = sys.argv[2:], json.loads(sys.argv[1])
connections = [sqlite3.connect(path, isolation_level=None, timeout=30) for path in paths]
for connection in connections:
    connection.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
number = 1_000_000
print("writing", flush=True)
while True:
    number += 1
    event["id"] = f"entry-{number}"
    for connection in connections:
        row = ("long", number, json.dumps(event), number)
        connection.execute(
            "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, ?)", row
        )
        connection.execute("UPDATE session_nodes SET updated_at = ?", (number,))
    if number % 50 == 0:
        connections[number // 50 % len(connections)].execute("PRAGMA wal_checkpoint(PASSIVE)")
    time.sleep(0.01)
"""


def make_installation(folder: Path, sessions: int = SESSIONS) -> Path:
    """Make a state folder with `openclaw.json`, databases with many sessions, and a workspace; return that."""
    state = install(folder, "2026.9.6-sqlite")
    for path in _databases(state):
        connection = create(path.with_name("other.sqlite"))
        connection.execute("BEGIN")
        begin_session(connection, "long", f"agent:{path.parts[-3]}:long")
        for session in range(sessions):
            begin_session(connection, f"session-{session}", f"agent:{path.parts[-3]}:{session}")
            for number in range(EVENTS):
                event = answer(session * EVENTS + number) if number % 2 else asked(number, "Go on.")
                add_event(connection, f"session-{session}", number, event)
        connection.execute("COMMIT")
        connection.close()
        path.with_name("other.sqlite").replace(path)
    workspace = state / "workspace"
    for agent in ("main", "scout", "forge"):
        (workspace / "agents" / agent).mkdir(parents=True)
        (workspace / "agents" / agent / "state.json").write_text('{"status": "idle"}', encoding="utf-8")
    return workspace


@contextmanager
def writing(workspace: Path) -> Iterator[None]:
    """Write to the databases within this, as a gateway does."""
    paths = [str(path) for path in _databases(workspace.parent)]
    command = [sys.executable, "-c", _WRITER, json.dumps(answer(0)), *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        try:
            yield
            assert writer.poll() is None
        finally:
            writer.kill()


def switching(folder: Path) -> dict[str, str]:
    """Return an environment in which Python switches threads as often as it can."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SWITCHING, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "PYTHONFAULTHANDLER": "1"}


def survive_restarts(folder: Path, rounds: int) -> None:
    """Start and stop a server so many times, each time over a log that is new: everything is read again."""
    workspace = make_installation(folder)
    env = switching(folder)
    with writing(workspace):
        for number in range(rounds):
            data = folder / "data"
            with start_server(workspace, data, env=env, timeout=START_SECONDS) as server:
                # Now at once, now in the midst of the first reading.
                sleep(number % 5 * 0.1)
                _stop(server, number)
            shutil.rmtree(data)


def _stop(server: ServerProcess, number: int) -> None:
    began = monotonic()
    status = server.stop(timeout=STOP_SECONDS)
    assert status == 0, (number, status, server.log[-6_000:])
    assert "Fatal Python error" not in server.log
    assert "Traceback" not in server.log, server.log[-6_000:]
    assert monotonic() - began < STOP_SECONDS


def _databases(state: Path) -> list[Path]:
    return sorted(state.glob("agents/*/agent/openclaw-agent.sqlite"))
