"""Good input to begin with: what real runtimes have left behind, and payloads as their documentation shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.runtimes.hooks import payloads
from tests.runtimes.installs import SAMPLES
from tests.runtimes.telemetry import exports

CLAUDE_PROCESS: dict[str, Any] = {
    "pid": 1,
    "sessionId": "s-1",
    "cwd": "/home/x",
    "procStart": "1",
    "version": "2.1.332",
    "status": "waiting",
    "waitingFor": "permission prompt",
    "statusUpdatedAt": 1_795_946_400_000,
}

CLAUDE_LINES: list[dict[str, Any]] = [
    {
        "type": "user",
        "uuid": "u-1",
        "sessionId": "s-1",
        "timestamp": "2026-11-29T10:00:00.000Z",
        "cwd": "/home/x",
        "version": "2.1.0",
        "message": {"role": "user", "content": "You are scout, and you look around."},
    },
    {
        "type": "assistant",
        "uuid": "a-1",
        "sessionId": "s-1",
        "timestamp": "2026-11-29T10:00:01.000Z",
        "isSidechain": False,
        "costUSD": 0.25,
        "parentUuid": "u-1",
        "requestId": "req_1",
        "forkedFrom": {"sessionId": "s-0", "messageUuid": "a-0"},
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "stop_reason": "tool_use",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls -la"}},
                {"type": "tool_use", "id": "toolu_2", "name": "AskUserQuestion", "input": {"question": "?"}},
            ],
            "usage": {
                "input_tokens": 10,
                "output_tokens": 20,
                "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
                "speed": "fast",
                "inference_geo": "us",
                "service_tier": "batch",
                "server_tool_use": {"web_search_requests": 2},
                "iterations": [{"type": "advisor_message", "model": "claude-opus-4-7", "input_tokens": 4}],
            },
        },
    },
    {
        "type": "user",
        "timestamp": "2026-11-29T10:00:02.000Z",
        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]},
    },
    {"type": "system", "subtype": "turn_duration", "timestamp": "2026-11-29T10:00:03.000Z"},
    {"type": "custom-title", "customTitle": "A title", "sessionId": "s-1"},
    {
        "type": "assistant",
        "timestamp": 1795946404,
        "isApiErrorMessage": True,
        "message": {"model": "<synthetic>", "content": [{"type": "text", "text": "API Error"}]},
    },
]

CODEX_LINES: list[dict[str, Any]] = [
    {
        "type": "session_meta",
        "timestamp": "2026-11-29T10:00:00.000Z",
        "payload": {
            "id": "01993a5e-0000-7000-8000-000000000001",
            "timestamp": "2026-11-29T10:00:00.000Z",
            "cwd": "/home/x",
            "cli_version": "0.90.0",
            "model_provider": "openai",
            "source": {"subagent": {"thread_spawn": {"parent_thread_id": "p-1"}}},
        },
    },
    {
        "type": "turn_context",
        "timestamp": "2026-11-29T10:00:01.000Z",
        "payload": {"turn_id": "01993a5e-0000-7000-8000-000000000002", "model": "gpt-5", "cwd": "/home/x"},
    },
    {
        "type": "event_msg",
        "timestamp": "2026-11-29T10:00:01.500Z",
        "payload": {"type": "task_started", "turn_id": "t", "started_at": 1795946401},
    },
    {
        "type": "event_msg",
        "timestamp": "2026-11-29T10:00:02.000Z",
        "payload": {"type": "user_message", "message": "You are scout. Look around."},
    },
    {
        "type": "response_item",
        "timestamp": "2026-11-29T10:00:03.000Z",
        "payload": {
            "type": "function_call",
            "name": "shell",
            "call_id": "c",
            "arguments": '{"command":["ls"]}',
        },
    },
    {
        "type": "event_msg",
        "timestamp": "2026-11-29T10:00:04.000Z",
        "payload": {
            "type": "token_count",
            "info": {
                "total_token_usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 9},
                "last_token_usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 9},
            },
        },
    },
    {
        "type": "event_msg",
        "timestamp": "2026-11-29T10:00:05.000Z",
        "payload": {"type": "turn_aborted", "reason": "interrupted"},
    },
]

SESSIONS_INDEX: dict[str, Any] = {
    "agent:scout:main": {
        "sessionId": "s-1",
        "updatedAt": 1795946400000,
        "status": "running",
        "label": "Main",
    },
    "agent:scout:sub": {
        "sessionId": "s-2",
        "updatedAt": 1,
        "status": "done",
        "spawnedBy": "agent:scout:main",
    },
}

OPENCLAW_CONFIG: dict[str, Any] = {
    "agents": {
        "entries": {"scout": {"id": "scout", "workspace": "~/work"}},
        "list": [{"id": "forge", "workspace": "/home/x/forge"}],
    },
    "gateway": {"port": 18789, "auth": {"token": "secret"}},
}

OPENCLAW_CONFIG_TEXT = b"""{
  // The fleet.
  agents: {
    list: [{ id: 'scout', workspace: "~/work", }, /* another */ { id: "forge" }],
  },
  gateway: { port: 18789, auth: { token: "secret" } },
}
"""

STATE: dict[str, Any] = {
    "status": "busy",
    "name": "Scout",
    "role": "looks around",
    "specialties": ["maps", "roads"],
    "lastActive": 1795946400,
    "stats": {"done": 3, "rate": 0.5},
    "active_projects": [{"name": "x", "tasks": [1, 2]}],
    "current_task": {"id": "TASK-0001", "title": "Look"},
}

SOUL = b"""# Scout

- **Name:** Scout
- Role: Looks around
| Codename | Owl |

## Specialties
- maps
- "roads"

<!-- a comment --> ```code```
Division: Field
"""

LEADS: dict[str, Any] = {
    "leads": [
        {"id": "lead-1", "company": "A", "score": 70, "breakdown": {"fit": 40, "size": 30}},
        {"leadId": 2, "company": "B", "totalScore": 12.5, "contact": {"mail": "a@example.com"}},
    ]
}

SENTRY: dict[str, Any] = {
    "system": {"gatewayStatus": "running", "pid": 12, "lastCheck": "2026-11-29T10:00:00Z"},
    "sessions": {"active": 2},
    "agents": ["scout"],
    "alerts": [
        {"id": "a-1", "level": "critical", "message": "Disk full", "timestamp": "2026-11-29T10:00:00Z"}
    ],
}

QUEUE: dict[str, Any] = {
    "tasks": [
        {
            "id": "TASK-0001",
            "description": "Look around",
            "status": "pending",
            "priority": "P1",
            "assignedTo": "Unassigned",
            "created": "2026-11-29T10:00:00Z",
            "tags": ["a", {"b": 1}],
        },
        {"id": 2, "description": "Another", "status": "in_progress", "dependsOn": ["TASK-0001"]},
    ],
    "history": [{"id": "TASK-0000", "description": "Over", "status": "completed"}],
    "nextId": 3,
    "updated": "2026-11-29T10:00:00Z",
}

QUEUE_TABLE = """# Mission Control - Task Queue System

## Active Task Queue

| ID | Task | Status | Assigned To | Priority | Created | Due |
|----|------|--------|-------------|----------|---------|-----|
| TASK-0001 | Look around | 🟡 PENDING | scout | P1 | 2026-11-29 | - |
| TASK-0002 | A \\| B<br>C | 🔵 IN_PROGRESS | - | P2 | 2026-11-29 | - |

## Task History (Last 10)

| ID | Task | Status | Completed | By |
|----|------|--------|-----------|----|
| TASK-0000 | Over | ✅ COMPLETED | 2026-11-28 | forge |
""".encode()

CLAUDE_SETTINGS: dict[str, Any] = {
    "model": "opus",
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "true"}]},
            {"hooks": [{"type": "http", "url": "http://127.0.0.1:3001/api/hooks/claude", "timeout": 5}]},
        ],
        "Stop": [],
    },
}

CODEX_SETTINGS = b"""# mine
model = "gpt-5"

[otel]
environment = "dev"
exporter = "none"

[mcp_servers.x]
command = "x"
args = ["1", "2"]
"""

SERVER_SETTINGS = b"""workspace = "~/work"

[server]
port = 3001
ws_port = "none"
heartbeat_interval = 5.0
allowed_origins = ["https://a.example"]
tokens = [{ name = "a", sha256 = "%b", scopes = ["read"] }]

[log]
retention_days = 3.5

[budgets]
daily = 20.0
agents = { scout = 1.5 }

[sources]
openclaw = "auto"
ignore = ["*.tmp", "build/"]

[notify]
urls = ["json://localhost/"]

[[notify.rules]]
name = "all"
events = ["system:alert"]
quiet_hours = "22:00-07:00"
""" % (b"0" * 64)

EVENTS: list[dict[str, Any]] = [
    {"type": "agent:statusChange", "data": {"agentId": "scout", "status": "busy", "agent": {"id": "scout"}}},
    {"type": "agent:activity", "data": {"agentId": "scout", "activity": "Read x", "fileCount": 3}},
    {"type": "agent:updated", "data": {"agentId": "scout", "updates": {"name": "S", "stats": {"a": 1}}}},
    {"type": "agent:removed", "data": {"agentId": "scout"}},
    {"type": "task:created", "data": {"task": {"id": "TASK-0001", "description": "x", "status": "pending"}}},
    {"type": "task:updated", "data": {"taskId": "TASK-0001", "updates": {"status": "review"}}},
    {"type": "lead:added", "data": {"lead": {"id": "lead-1", "score": 3}}},
    {"type": "lead:scored", "data": {"leadId": "lead-1", "score": 4.5, "updates": {"score": 4.5}}},
    {
        "type": "token:usage",
        "data": {
            "agent": "scout",
            "tokens": 5,
            "cost": 1.0,
            "session": {"id": "s-1", "runtime": "claude"},
            "delta": {
                "uses": [
                    {
                        "session": "s-1",
                        "runtime": "claude",
                        "model": "m",
                        "day": "2026-11-29",
                        "tokens": 1,
                        "input": 1,
                        "output": 0,
                        "cacheRead": 0,
                        "cacheWrite": 0,
                        "calls": 1,
                        "cost": 0.1,
                        "costSource": "prices",
                    }
                ]
            },
        },
    },
    {
        "type": "token:threshold",
        "data": {"agent": "scout", "currentCost": 9, "threshold": 8, "percentUsed": 90, "alert": "warning"},
    },
    {
        "type": "state:baseline",
        "data": {
            "source": "tokens",
            "agents": [{"id": "scout", "status": "idle"}],
            "tasks": [{"id": "TASK-0001"}],
            "leads": [{"id": "lead-1"}],
            "tokens": {
                "agents": {"a": {"tokens": 1, "cost": 1, "costs": {"prices": 1}, "days": {"2026-11-29": {}}}},
                "models": {"m": {"tokens": 1, "cost": 1, "input": 1}},
                "days": {"2026-11-29": {"tokens": 1, "cost": 1}},
                "sessions": [{"id": "s-1", "tokens": 1, "cost": 1}],
            },
            "gateway": {"status": "running", "details": {}},
        },
    },
    {
        "type": "question:asked",
        "data": {
            "question": {"id": "q-1", "kind": "question", "text": "?", "options": ["a"], "expiresAt": None}
        },
    },
    {"type": "question:answered", "data": {"questionId": "q-1", "answer": "a"}},
    {"type": "system:alert", "data": {"level": "warning", "message": "m", "details": {"source": "x"}}},
    {"type": "system:status", "data": {"status": "running", "details": {"pid": 1}}},
    {"type": "file:change", "data": {"action": "created", "path": "a/b.txt", "size": 3}},
    {"type": "custom:event", "data": {"a": [1, {"b": 2}]}},
]

CLIENT_MESSAGES: list[dict[str, Any]] = [
    {"type": "subscribe", "events": ["task", "agent:statusChange"], "since": "abcdefghij:1", "ref": 1},
    {"type": "subscribe", "events": "*", "snapshot": True, "ref": {"a": 1}},
    {"type": "unsubscribe", "events": ["*"]},
    {"type": "getHistory", "limit": 5, "events": ["custom"], "before": "abcdefghij:9", "ref": "h"},
    {"type": "publish", "events": EVENTS[-1:], "ref": 2},
    {"type": "ping", "ref": None},
    {"type": "pong"},
]

HOOKS: list[dict[str, Any]] = [payloads.payload(event) for event in payloads.EVENTS]

EXPORTS: dict[str, list[dict[str, Any]]] = {
    "logs": [
        json.loads(
            exports.logs(
                exports.CLAUDE,
                (
                    "claude_code.api_request",
                    {
                        "session.id": "s-9",
                        "model": "claude-sonnet-4-6",
                        "input_tokens": 5,
                        "output_tokens": "7",
                        "cost_usd": 0.5,
                    },
                ),
                ("claude_code.tool_result", {"session.id": "s-9", "tool_name": "Bash", "success": "true"}),
            )
        ),
        json.loads(
            exports.logs(
                exports.CODEX, ("codex.sse_event", {"conversation.id": "c-9", "input_token_count": 5})
            )
        ),
    ],
    "traces": [
        json.loads(
            exports.spans(
                {"service.name": "app"},
                (
                    "chat gpt-5",
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.agent.name": "scout",
                        "gen_ai.conversation.id": "c-1",
                        "gen_ai.request.model": "gpt-5",
                        "gen_ai.usage.input_tokens": 5,
                        "gen_ai.usage.output_tokens": 7,
                        "list": ["a", 1, 2.5, True],
                    },
                ),
            )
        ),
    ],
    "metrics": [
        json.loads(
            exports.counters(
                exports.CLAUDE,
                "claude_code.token.usage",
                (5.0, {"session.id": "s-9", "type": "input", "model": "m"}),
                cumulative=True,
            )
        ),
        json.loads(exports.histogram(exports.OPENCLAW, "openclaw.tokens", 5.0, {"a": "b"})),
    ],
}


def openclaw_lines() -> list[dict[str, Any]]:
    """Return lines of OpenClaw's transcripts, of each kind one."""
    return _of_each_kind(sorted((SAMPLES / "2026.7.35-jsonl/agents").rglob("*.jsonl")), _kind_of_line)


def database_rows(which: str) -> list[dict[str, Any]]:
    """Return rows of OpenClaw's databases as `{"table", "row"}`: of `agent` or of `state`."""
    names = ("state",) if which == "state" else ("scout", "forge")
    files = [SAMPLES / "2026.9.6-sqlite" / f"{name}.jsonl" for name in names]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def _kind_of_line(line: dict[str, Any]) -> str:
    message = line.get("message")
    return f"{line.get('type')}:{message.get('role') if isinstance(message, dict) else ''}"


def _of_each_kind(files: list[Path], kind: Any) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for text in file.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            found.setdefault(kind(line), line)
    return list(found.values())
