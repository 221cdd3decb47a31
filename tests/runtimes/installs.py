"""State folders of OpenClaw, made from the samples: what real releases left behind, with known totals."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"


def install(folder: Path, sample: str) -> Path:
    """Make a state folder from a sample, and return it."""
    state = folder / ".openclaw"
    shutil.copytree(
        SAMPLES / sample, state, ignore=shutil.ignore_patterns("forge.*", "main.*", "scout.*", "state.*")
    )
    for rows in (SAMPLES / sample).glob("*.jsonl"):
        agent = rows.stem
        path = state / "state/openclaw.sqlite"
        if agent != "state":
            path = state / "agents" / agent / "agent/openclaw-agent.sqlite"
        fill(create(path), rows)
    for archive in state.glob("*.zst"):
        (state / "agents/scout/sessions").mkdir(parents=True)
        archive.rename(state / "agents/scout/sessions" / archive.name)
    return state


def create(path: Path) -> sqlite3.Connection:
    """Create an empty database with the real schema, written through a log as the gateway does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    # The schema's checks use a function that SQLite has from 3.43 on.
    connection.create_function("octet_length", 1, lambda text: len(text.encode()), deterministic=True)
    connection.execute("PRAGMA journal_mode = WAL")
    schema = "state.sql" if path.name == "openclaw.sqlite" else "agent.sql"
    connection.executescript((SAMPLES / schema).read_text(encoding="utf-8"))
    return connection


def fill(connection: sqlite3.Connection, rows: Path) -> None:
    """Enter the rows of a sample, and close the database."""
    with rows.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            insert(connection, entry["table"], entry["row"])
    connection.close()


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def begin_session(connection: sqlite3.Connection, session: str, key: str = "agent:scout:main") -> None:
    """Enter a session that has no events yet."""
    node = {"session_key": key, "current_session_id": session, "entry_json": "{}", "updated_at": 1}
    insert(connection, "session_nodes", node)
    window = {"session_id": session, "session_key": key, "created_at": 1, "updated_at": 1}
    insert(connection, "session_windows", window)


def add_event(connection: sqlite3.Connection, session: str, seq: int, event: dict[str, Any]) -> None:
    row = {"session_id": session, "seq": seq, "event_json": json.dumps(event), "created_at": 1000 + seq}
    insert(connection, "transcript_events", row)


def answer(number: int, **message: Any) -> dict[str, Any]:
    """Write the entry of a model's answer that used 100 tokens of input and 7 of output."""
    return {
        "type": "message",
        "id": f"entry-{number}",
        "timestamp": 1_795_395_000_000 + number,
        "message": {
            "role": "assistant",
            "content": [{"type": "text", "text": "Done."}],
            "provider": "fake",
            "model": "fake-1",
            "usage": {"input": 100, "output": 7, "cacheRead": 0, "cacheWrite": 0, "cost": {"total": 0.5}},
            "stopReason": "stop",
            **message,
        },
    }


def asked(number: int, text: str) -> dict[str, Any]:
    """Write the entry of a user's message."""
    message = {"role": "user", "content": text}
    return {
        "type": "message",
        "id": f"entry-{number}",
        "timestamp": 1_795_395_000_000 + number,
        "message": message,
    }
