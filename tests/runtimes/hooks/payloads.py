"""The hooks of Claude Code, each with the fields that release 2.1.332 sends.

`SessionStart`, `PermissionDenied`, `TaskCreated`, `TaskCompleted` and `StopFailure` are as the documentation shows them
(https://code.claude.com/docs/en/hooks).
"""

from __future__ import annotations

import json
from typing import Any

SESSION = "00893aaf-19fa-41d2-8238-13269b9b3ca0"
CWD = "/Users/anna/my-project"
PROJECT = "/Users/anna/.claude/projects/-Users-anna-my-project"

_WITH_EFFORT = frozenset(
    {"PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure", "Stop", "SubagentStop"}
)
_WITH_MODE = _WITH_EFFORT | {"UserPromptSubmit"}

_SPECIAL: dict[str, dict[str, Any]] = {
    "SessionStart": {"source": "startup", "model": "claude-sonnet-4-6"},
    "UserPromptSubmit": {"prompt": "Write a function to calculate the factorial of a number"},
    "PreToolUse": {
        "tool_name": "Bash",
        "tool_input": {"command": "npm test", "description": "Run test suite", "timeout": 120000},
        "tool_use_id": "toolu_01ABC123",
    },
    "PermissionRequest": {
        "tool_name": "Bash",
        "tool_input": {"command": "rm -rf node_modules", "description": "Remove node_modules directory"},
        "permission_suggestions": [
            {"type": "addDirectories", "directories": [CWD], "destination": "session"},
            {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
        ],
    },
    "PermissionDenied": {
        "permission_mode": "auto",
        "tool_name": "Bash",
        "tool_input": {"command": "rm -rf /tmp/build", "description": "Clean build directory"},
        "tool_use_id": "toolu_01ABC124",
        "reason": "Auto mode denied: command targets a path outside the project",
    },
    "PostToolUse": {
        "tool_name": "Write",
        "tool_input": {"file_path": "/path/to/file.txt", "content": "file content"},
        "tool_response": {
            "type": "create",
            "filePath": "/path/to/file.txt",
            "content": "file content",
            "structuredPatch": [],
            "originalFile": None,
            "userModified": False,
        },
        "tool_use_id": "toolu_01ABC125",
        "duration_ms": 30,
    },
    "PostToolUseFailure": {
        "tool_name": "Bash",
        "tool_input": {"command": "npm test", "description": "Run test suite"},
        "tool_use_id": "toolu_01ABC123",
        "error": "Exit code 1",
        "is_interrupt": False,
        "duration_ms": 65,
    },
    "Notification": {
        "message": "Claude needs your permission",
        "notification_type": "permission_prompt",
    },
    "SubagentStart": {"agent_id": "def456", "agent_type": "Explore"},
    "SubagentStop": {
        "stop_hook_active": False,
        "agent_id": "def456",
        "agent_type": "Explore",
        "agent_transcript_path": f"{PROJECT}/{SESSION}/subagents/agent-def456.jsonl",
        "last_assistant_message": "Analysis complete. Found 3 potential issues...",
        "background_tasks": [
            {
                "id": "def456",
                "type": "subagent",
                "status": "running",
                "description": "Look around",
                "agent_type": "Explore",
            }
        ],
        "session_crons": [],
    },
    "TaskCreated": {
        "task_id": "task-001",
        "task_subject": "Implement user authentication",
        "task_description": "Add login and signup endpoints",
        "teammate_name": "implementer",
        "team_name": "my-project",
    },
    "TaskCompleted": {"task_id": "task-001", "task_subject": "Implement user authentication"},
    "PreCompact": {"trigger": "manual", "custom_instructions": None},
    "PostCompact": {"trigger": "manual", "compact_summary": "Summary of the compacted conversation..."},
    "Stop": {
        "stop_hook_active": False,
        "last_assistant_message": "I've completed the refactoring.",
        "background_tasks": [],
        "session_crons": [],
    },
    "StopFailure": {
        "error": "rate_limit",
        "error_details": "429 Too Many Requests",
        "last_assistant_message": "API Error: Rate limit reached",
    },
    "SessionEnd": {"reason": "other"},
}
EVENTS = tuple(_SPECIAL)


def payload(event: str, **changes: Any) -> dict[str, Any]:
    """A hook as Claude Code sends it; `changes` replace its fields, None takes one away."""
    common: dict[str, Any] = {
        "session_id": SESSION,
        "transcript_path": f"{PROJECT}/{SESSION}.jsonl",
        "cwd": CWD,
        "prompt_id": "e4e2e863-55b6-4995-aaf4-2ad2e96dce6f",
        "hook_event_name": event,
    }
    if event in _WITH_MODE:
        common["permission_mode"] = "default"
    if event in _WITH_EFFORT:
        common["effort"] = {"level": "medium"}
    fields = {**common, **_SPECIAL.get(event, {}), **changes}
    return {name: value for name, value in fields.items() if value is not None}


def body(event: str, **changes: Any) -> bytes:
    return json.dumps(payload(event, **changes)).encode()
