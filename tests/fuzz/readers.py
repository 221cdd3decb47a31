"""What hostile neighbours do to each reader: steps, drawn from chance and from what good neighbours write."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from tests.fuzz import samples
from tests.fuzz.mutation import Mutator, dumps
from tests.fuzz.parsers import as_protobuf
from tests.fuzz.steps import Frames, Patch, Place, Request, Sql, Step, Store, Write, insertion
from tests.mcp.raw import HEADERS, INITIALIZE
from tests.process.raw_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

Draw = Callable[[Mutator], list[Step]]


class Reader(NamedTuple):
    """Something that reads what others write.

    `draw` makes a few steps; `heal` are those after which a file that has been damaged is good again. `canaries` are
    those that must be heard all the same after each round.
    """

    draw: Draw
    canaries: tuple[str, ...]
    heal: tuple[Step, ...] = ()
    steps: int = 25


PLACES: tuple[Literal["folder", "fifo", "link", "loop", "gone", "short", "large", "unreadable"], ...] = (
    "folder",
    "fifo",
    "link",
    "loop",
    "gone",
    "short",
    "large",
    "unreadable",
)
JSON_HEADERS = {"Content-Type": "application/json"}
_STRANGE = ("x", "é", "a b", "a'b", "-", ".x", "x" * 200, "%41", "*", "\\", "a\nb")


def _name(mutator: Mutator) -> str:
    """Return a name of a file: of some few, that things happen to them again and again; now and then a strange one."""
    if mutator.chance.random() < 0.1:
        return mutator.chance.choice(_STRANGE)
    return f"mad-{mutator.chance.randrange(4)}"


def _file(mutator: Mutator, path: str, draw: Callable[[], bytes]) -> list[Step]:
    """Do something to a file: mostly write it, now and then put something else in its place."""
    chance = mutator.chance
    if chance.random() < 0.2:
        return [Place(path, chance.choice(PLACES))]
    return [Write(path, data=draw(), how=chance.choice(("over", "append", "rename")))]


# Transcripts.


def _lines(mutator: Mutator, lines: list[dict[str, Any]]) -> bytes:
    chosen = [mutator.chance.choice(lines) for _ in range(mutator.chance.choice((1, 3, 10)))]
    text = b"".join(mutator.document(line) + b"\n" for line in chosen)
    return text if mutator.chance.random() < 0.7 else mutator.text(text)


def claude(mutator: Mutator) -> list[Step]:
    name = _name(mutator)
    if mutator.chance.random() < 0.2:
        path = f"home/.claude/sessions/{mutator.chance.choice(('1', '0', name))}.json"
        return _file(mutator, path, lambda: mutator.document(samples.CLAUDE_PROCESS))
    below = mutator.chance.choice((f"{name}.jsonl", f"{name}/subagents/agent-{name}.jsonl"))
    return _file(
        mutator, f"home/.claude/projects/-mad/{below}", lambda: _lines(mutator, samples.CLAUDE_LINES)
    )


def codex(mutator: Mutator) -> list[Step]:
    path = f"home/.codex/sessions/2026/11/29/rollout-{_name(mutator)}.jsonl"
    return _file(mutator, path, lambda: _lines(mutator, samples.CODEX_LINES))


def openclaw(mutator: Mutator) -> list[Step]:
    name = _name(mutator)
    folder = f"home/.openclaw/agents/{name}/sessions"
    match mutator.chance.randrange(5):
        case 0:
            return _file(mutator, f"{folder}/sessions.json", lambda: mutator.document(samples.SESSIONS_INDEX))
        case 1:
            packed = _zstd(_lines(mutator, samples.openclaw_lines()))
            path = f"{folder}/{name}.jsonl.deleted.2026-11-23T00-50-42.129Z.zst"
            return _file(
                mutator, path, lambda: packed if mutator.chance.random() < 0.5 else mutator.text(packed)
            )
        case _:
            return _file(mutator, f"{folder}/{name}.jsonl", lambda: _lines(mutator, samples.openclaw_lines()))


def _zstd(data: bytes) -> bytes:
    from backports import zstd

    return zstd.compress(data)


# Databases.

_ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
_TABLES = {
    "agent": ("session_nodes", "session_windows", "transcript_events", "schema_meta"),
    "state": ("audit_events", "state_leases", "gateway_boot_lifecycle", "cron_jobs"),
}


def _database(path: str, kind: Literal["agent", "state"]) -> Draw:
    rows = samples.database_rows(kind)

    def draw(mutator: Mutator) -> list[Step]:
        chance = mutator.chance
        where = path.format(name=f"mad-{chance.randrange(3)}")
        match chance.randrange(10):
            case 0:
                return [Place(where, chance.choice(PLACES))]
            case 1:
                return [Patch(where, chance.randrange(1000), chance.randbytes(chance.choice((1, 16, 4096))))]
            case 2:
                return [Place(f"{where}{chance.choice(('-wal', '-shm'))}", chance.choice(PLACES))]
            case 3:
                return [Sql(where, _strange_schema(mutator, chance.choice(_TABLES[kind])), schema=kind)]
            case _:
                chosen = [chance.choice(rows) for _ in range(chance.choice((1, 5, 20)))]
                inserts = [insertion(one["table"], _cells(mutator, one["row"])) for one in chosen]
                # Checks and types are a schema's own; who has written it may have had none.
                loose = ["PRAGMA ignore_check_constraints = 1", "PRAGMA foreign_keys = 0"]
                return [Sql(where, [*loose, *inserts], kind)]

    return draw


def _cells(mutator: Mutator, row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _cell(mutator, value) if mutator.chance.random() < 0.15 else value
        for name, value in row.items()
    }


def _cell(mutator: Mutator, value: Any) -> Any:
    chance = mutator.chance
    if isinstance(value, str) and value[:1] == "{":
        return mutator.document(json.loads(value)).decode("utf-8", "replace")
    return chance.choice(
        (None, -1, 2**63 - 1, -(2**63), 1.5, 9e99, "", "x", "\0", b"", b"\xff\xfe", "9" * 40)
    )


def _strange_schema(mutator: Mutator, table: str) -> list[str]:
    """Return statements that make something else of a table, under its name and with its columns."""
    columns = {
        "session_nodes": "session_key, current_session_id, status, updated_at, parent_session_key, label",
        "session_windows": "session_id, session_key, display_name, model_provider, model",
        "transcript_events": "session_id, seq, event_json, event_zstd, created_at",
        "schema_meta": "meta_key, created_at",
        "audit_events": "sequence, occurred_at, action, status, error_code, agent_id, session_key, session_id",
        "state_leases": "scope, expires_at, payload_json",
        "gateway_boot_lifecycle": "started_at_ms, completed_at_ms",
        "cron_jobs": "job_id, name, agent_id, enabled, declaration_key, state_json, sort_order",
    }[table]
    names = columns.split(", ")
    drop = [f"DROP TABLE IF EXISTS {table}", f"DROP VIEW IF EXISTS {table}"]
    chance = mutator.chance
    match chance.randrange(7):
        case 0:
            cells = ", ".join("x" for _ in names)
            return [*drop, f"CREATE VIEW {table}({columns}) AS {_ENDLESS} SELECT {cells} FROM n"]
        case 1:
            cells = ", ".join("zeroblob(100000000)" for _ in names)
            return [*drop, f"CREATE VIEW {table}({columns}) AS SELECT {cells}"]
        case 2:
            # Any type in any column.
            cells = ", ".join("?" for _ in names)
            values = ", ".join(chance.choice(("NULL", "-1", "1.5", "'x'", "x'ff00'", "''")) for _ in names)
            insert = f"INSERT INTO {table} VALUES ({cells})".replace("?", "{}").format(*values.split(", "))
            return [*drop, f"CREATE TABLE {table} ({columns})", insert]
        case 3:
            generated = f"{names[0]}, " + ", ".join(
                f"{name} AS (randomblob(1000) || {names[0]})" for name in names[1:]
            )
            return [
                *drop,
                f"CREATE TABLE {table} ({generated})",
                f"INSERT INTO {table}({names[0]}) VALUES (1)",
            ]
        case 4:
            return drop
        case 5:
            return [*drop, f"CREATE VIRTUAL TABLE {table} USING fts5({columns})"]
        case _:
            return [
                f"ALTER TABLE {table} DROP COLUMN {chance.choice(names)}",
                "VACUUM",
                "PRAGMA user_version = 99",
            ]


# Settings.


def settings(mutator: Mutator) -> list[Step]:
    path = "home/.openclaw/openclaw.json"
    text = mutator.chance.choice((samples.OPENCLAW_CONFIG_TEXT, dumps(samples.OPENCLAW_CONFIG)))
    if mutator.chance.random() < 0.5:
        return _file(mutator, path, lambda: mutator.document(samples.OPENCLAW_CONFIG))
    return _file(mutator, path, lambda: mutator.text(text))


# The workspace.


def tasks(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    queue = "workspace/mission-control/TASK_QUEUE.json"
    match chance.randrange(6):
        case 0:
            path = "workspace/mission-control/TASK_QUEUE.md"
            return _file(mutator, path, lambda: mutator.text(samples.QUEUE_TABLE))
        case 1:
            body = mutator.document(samples.QUEUE["tasks"][0])
            return [Request("/api/tasks", headers=JSON_HEADERS, data=body)]
        case 2:
            body = mutator.document({"status": "review", "progress": 50, "note": "x"})
            path = f"/api/tasks/{chance.choice(('TASK-0001', '2', 'x', '%00', 'a%2Fb'))}"
            return [Request(path, chance.choice(("PATCH", "DELETE")), JSON_HEADERS, data=body)]
        case 3:
            indented = json.dumps(samples.QUEUE, indent=2).encode()
            return _file(mutator, queue, lambda: mutator.text(indented))
        case _:
            return _file(mutator, queue, lambda: mutator.document(samples.QUEUE))


def agents(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    folder = f"workspace/agents/{_name(mutator)}"
    match chance.randrange(4):
        case 0:
            return _file(mutator, f"{folder}/SOUL.md", lambda: mutator.text(samples.SOUL))
        case 1:
            return _file(
                mutator, "workspace/agents/sentry/state.json", lambda: mutator.document(samples.SENTRY)
            )
        case 2 if chance.random() < 0.2:
            return [Place(folder, chance.choice(PLACES))]
        case _:
            return _file(mutator, f"{folder}/state.json", lambda: mutator.document(samples.STATE))


def leads(mutator: Mutator) -> list[Step]:
    name = mutator.chance.choice(("leads.json", "scored-leads-v2.json"))
    return _file(mutator, f"workspace/mission-control/data/{name}", lambda: mutator.document(samples.LEADS))


# What runtimes say over HTTP.


def hooks(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    hook = chance.choice(samples.HOOKS)
    query = chance.choice(
        ("", "?budgets=1", "?answer=1&wait=1", "?answer=2", "?wait=-1", "?budgets=1&answer=0")
    )
    return [Request(f"/api/hooks/claude{query}", headers=JSON_HEADERS, data=mutator.document(hook))]


def telemetry(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    kind = chance.choice(("logs", "traces", "metrics"))
    tree = chance.choice(samples.EXPORTS[kind])
    headers = {"Content-Type": "application/json"}
    if chance.random() < 0.5:
        body = mutator.document(tree)
    else:
        headers = {"Content-Type": "application/x-protobuf"}
        body = mutator.text(as_protobuf(kind, tree))  # type: ignore[arg-type]
    match chance.randrange(8):
        case 0:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        case 1:
            body, headers["Content-Encoding"] = mutator.text(gzip.compress(body)), "gzip"
        case 2:
            # A few million empty elements, in a few kilobytes.
            empty = b"\x0a\x00" * chance.choice((10_000, 10_000, 100_000, 100_000, 4_000_000))
            body, headers = gzip.compress(empty), {"Content-Type": "application/x-protobuf"}
            headers["Content-Encoding"] = "gzip"
        case 3:
            body, headers["Content-Encoding"] = (
                zlib.compress(body),
                chance.choice(("deflate", "br", "GZIP", "")),
            )
        case 4:
            headers["Content-Type"] = chance.choice(
                ("", "text/plain", "application/json; charset=utf-16", "\xff")
            )
    return [Request(f"/v1/{kind}", headers=headers, data=body)]


_CALLS: list[dict[str, Any]] = [
    INITIALIZE,
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"cursor": "x"}},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "resources/read",
        "params": {"uri": "mission-control://agents/scout"},
    },
    {"jsonrpc": "2.0", "id": 4, "method": "ping"},
    *(
        {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        for name, arguments in (
            ("report_status", {"status": "busy", "agent": "mad", "task": "x", "detail": "y"}),
            ("add_task", {"description": "Look", "priority": "P1", "tags": ["a"], "agent": "mad"}),
            ("claim_task", {"agent": "mad"}),
            ("update_task", {"task": "TASK-0001", "progress": 50, "note": "x", "agent": "mad"}),
            ("publish_event", {"type": "custom:mad", "data": {"a": 1}, "agent": "mad"}),
            ("ask_person", {"text": "?", "options": ["a"], "wait": 0, "agent": "mad"}),
            ("get_answer", {"question": "q-1", "wait": 0}),
            ("list_tasks", {"status": "pending", "text": "a", "limit": 3}),
            ("add_lead", {"name": "A", "company": "B", "score": 3, "fields": {"a": 1}, "agent": "mad"}),
            ("raise_alert", {"alert": "x", "level": "warning", "details": {"a": 1}, "agent": "mad"}),
        )
    ),
]


def mcp(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    call = chance.choice(_CALLS)
    tree: Any = call if chance.random() < 0.9 else [call, call]
    headers = {**HEADERS, **JSON_HEADERS}
    if chance.random() < 0.3:
        headers["Mcp-Protocol-Version"] = chance.choice(("2025-11-25", "2026-07-28", "2024-11-05", "x", ""))
    if chance.random() < 0.2:
        headers["X-Session"] = chance.choice(("a", "é", "x" * 300))
    method = chance.choice(("POST",) * 12 + ("DELETE", "PUT", "OPTIONS"))
    return [Request(f"/mcp{chance.choice(('', '?agent=mad'))}", method, headers, data=mutator.document(tree))]


def websocket(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    parts: list[bytes] = []
    for _ in range(chance.choice((1, 4, 10))):
        body = mutator.document(chance.choice(samples.CLIENT_MESSAGES))
        opcode = chance.choice((TEXT,) * 8 + (BINARY, CLOSE, CONTINUATION, PING, PONG, 3, 11))
        if opcode in (CLOSE, PING, PONG):
            body = body[: chance.choice((0, 1, 2, 100, 126))]
        strange = chance.random() < 0.15
        parts.append(
            frame(
                body[:200_000],
                opcode,
                fin=chance.random() < 0.9,
                reserved=chance.randrange(8) if strange else 0,
                masked=not strange or chance.random() < 0.5,
                length=chance.choice((None, 0, 2**32, 2**63 - 1)) if strange else None,
            )
        )
    query = chance.choice(
        ("", "?events=*&transport=x", "?since=abcdefghij:1", "?since=a:99999999999999999999")
    )
    return [Frames(b"".join(parts), query)]


def events(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    some: Any = [chance.choice(samples.EVENTS) for _ in range(chance.choice((1, 2, 5)))]
    headers = {"Content-Type": chance.choice(("application/json", "application/x-ndjson", ""))}
    return [Request("/api/events", headers=headers, data=mutator.document(some))]


_PATHS = (
    "/api/events?after={0}&limit={1}&events={2}",
    "/api/snapshot?at={0}",
    "/api/search?q={2}&limit={1}",
    "/api/tasks?status={2}&limit={1}",
    "/api/system/events?limit={1}&type={2}",
    "/api/ledger?from={0}&to={1}",
    "/api/sessions/{2}/transcript?after={1}&limit={0}",
    "/api/files/activity?limit={1}&agent={2}",
    "/api/agents/{2}/files",
    "/api/tasks/search?q={2}",
    "/api/export/tasks?format={2}",
    "/api/notifications?limit={1}",
    "/api/questions?status={2}",
)
_WORDS = (
    "1",
    "-1",
    "0",
    "abcdefghij:1",
    "2026-11-29T10:00:00Z",
    "a",
    "*",
    "%00",
    "%ff",
    "a" * 600,
    "%22",
    "1e9",
)


def questions_about(mutator: Mutator) -> list[Step]:
    """Ask for what is there, by strange words."""
    words = [mutator.chance.choice(_WORDS) for _ in range(3)]
    return [Request(mutator.chance.choice(_PATHS).format(*words), "GET")]


def stream(mutator: Mutator) -> list[Step]:
    chance = mutator.chance
    event = chance.choice(samples.EVENTS)
    body = {"type": event["type"], "source": "mad", "host": "mad", "data": event["data"], "key": "k"}
    if chance.random() < 0.3:
        body = {**body, "traceparent": "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"}
    data = mutator.document(body)
    if chance.random() < 0.3:
        memory = {"source": chance.choice(("tokens", "tasks", "x")), "changes": {"": "MQ==", "a": None}}
        packed = zlib.compress(mutator.document(memory))
        data += b"\n" + (packed if chance.random() < 0.6 else mutator.text(packed))
    headers = {"Nats-Msg-Id": chance.choice(("a", "b", "é", "x" * 300))} if chance.random() < 0.2 else {}
    subject = chance.choice(("custom.mad", "task.x.y", "mad", "a=20b", "agent.statusChange"))
    return [Store(subject, data, headers)]


READERS: dict[str, Reader] = {
    "claude-transcripts": Reader(claude, ("claude", "telemetry")),
    "codex-rollouts": Reader(codex, ("codex", "claude")),
    "openclaw-transcripts": Reader(openclaw, ("openclaw", "database")),
    "agent-databases": Reader(
        _database("home/.openclaw/agents/{name}/agent/openclaw-agent.sqlite", "agent"),
        ("database", "claude"),
        steps=10,
    ),
    "state-database": Reader(
        _database("home/.openclaw/state/openclaw.sqlite", "state"), ("openclaw",), steps=10
    ),
    "settings": Reader(settings, ("openclaw", "hook")),
    "tasks": Reader(tasks, ("tasks", "agent"), (Place("workspace/mission-control", "gone"),)),
    "agents": Reader(agents, ("agent", "tasks")),
    "leads": Reader(leads, ("leads", "agent"), (Place("workspace/mission-control/data", "gone"),)),
    "hooks": Reader(hooks, ("hook", "claude")),
    "telemetry": Reader(telemetry, ("telemetry", "codex")),
    "mcp": Reader(mcp, ("mcp", "events")),
    "websocket": Reader(websocket, ("events",), steps=10),
    "events": Reader(events, ("events", "agent")),
    "requests": Reader(questions_about, ("events",)),
}
"""Those of one server."""

STREAM: dict[str, Reader] = {"stream": Reader(stream, ("events", "agent"))}
"""That of a node among others."""
