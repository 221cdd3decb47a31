"""The hooks of Claude Code, each as its documentation shows it (https://code.claude.com/docs/en/hooks)."""

from __future__ import annotations

import json
from typing import Any

SESSION = "00893aaf-19fa-41d2-8238-13269b9b3ca0"
CWD = "/Users/anna/my-project"

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
            {
                "type": "addRules",
                "rules": [{"toolName": "Bash", "ruleContent": "rm -rf node_modules"}],
                "behavior": "allow",
                "destination": "localSettings",
            }
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
        "tool_response": {"filePath": "/path/to/file.txt", "success": True},
        "tool_use_id": "toolu_01ABC125",
    },
    "PostToolUseFailure": {
        "tool_name": "Bash",
        "tool_input": {"command": "npm test", "description": "Run test suite"},
        "tool_use_id": "toolu_01ABC123",
        "error": "Command exited with non-zero status code 1",
        "is_interrupt": False,
    },
    "Notification": {
        "message": "Claude needs your permission to use Bash",
        "title": "Permission needed",
        "notification_type": "permission_prompt",
    },
    "SubagentStart": {"agent_id": "def456", "agent_type": "Explore"},
    "SubagentStop": {
        "stop_hook_active": False,
        "agent_id": "def456",
        "agent_type": "Explore",
        "agent_transcript_path": f"~/.claude/projects/x/{SESSION}/subagents/agent-def456.jsonl",
        "last_assistant_message": "Analysis complete. Found 3 potential issues...",
    },
    "TaskCreated": {
        "task_id": "task-001",
        "task_subject": "Implement user authentication",
        "task_description": "Add login and signup endpoints",
        "teammate_name": "implementer",
        "team_name": "my-project",
    },
    "TaskCompleted": {"task_id": "task-001", "task_subject": "Implement user authentication"},
    "PreCompact": {"trigger": "manual", "custom_instructions": ""},
    "PostCompact": {"trigger": "manual", "compact_summary": "Summary of the compacted conversation..."},
    "Stop": {"stop_hook_active": True, "last_assistant_message": "I've completed the refactoring."},
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
    common = {
        "session_id": SESSION,
        "transcript_path": f"/Users/anna/.claude/projects/-Users-anna-my-project/{SESSION}.jsonl",
        "cwd": CWD,
        "permission_mode": "default",
        "hook_event_name": event,
    }
    fields = {**common, **_SPECIAL.get(event, {}), **changes}
    return {name: value for name, value in fields.items() if value is not None}


def body(event: str, **changes: Any) -> bytes:
    return json.dumps(payload(event, **changes)).encode()
