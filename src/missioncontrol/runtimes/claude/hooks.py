"""Claude Code's hooks: from the JSON of one to the records that its transcript would give, and to a question.

Source: https://code.claude.com/docs/en/hooks. The rules:

- no hook is answered with an error that Claude would notice: an unknown event, a field of an unexpected shape, or a
  session without an id gives no records, and is counted all the same;
- times are the server's, since payloads carry none;
- a sub-agent is a session of its own under its parent's, with the id that its transcript has.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from missioncontrol.errors import BadMessage, InputError
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.limits import check_json
from missioncontrol.review import permission_text
from missioncontrol.runtimes.calls import ASKING, tool_call
from missioncontrol.runtimes.claude.transcript import RUNTIME
from missioncontrol.runtimes.hooks import Asked, Hook, HookReader, Phase
from missioncontrol.runtimes.lines import BrokenLineError, decode, shorten
from missioncontrol.runtimes.persona import first_words, persona_of
from missioncontrol.runtimes.records import (
    MAX_LABEL,
    MAX_SUMMARY,
    Record,
    SessionInfo,
    Status,
    ToolCall,
    Turn,
)

EVIDENCE = "Claude Code hook"

KNOWN_EVENTS = frozenset(
    {
        "SessionStart",
        "SessionEnd",
        "UserPromptSubmit",
        "PreToolUse",
        "PermissionRequest",
        "PermissionDenied",
        "PostToolUse",
        "PostToolUseFailure",
        "Notification",
        "SubagentStart",
        "SubagentStop",
        "TaskCreated",
        "TaskCompleted",
        "PreCompact",
        "PostCompact",
        "Stop",
        "StopFailure",
    }
)
BUDGETED = ("UserPromptSubmit", "PreToolUse")
"""The events at which an agent can be stopped."""

ANSWER_SECONDS = 600
"""How many seconds a permission request is held for an answer from the office by default."""

MAX_ID = 200
MAX_EVENT = 100
MAX_PROMPT = 4_000
MAX_PATH = 4_096
MAX_INPUT_BYTES = 48_000
"""How long a tool's input may be, as JSON, that is decided on away from the terminal: there it is shown whole."""

_TOOL_EVENTS = frozenset(
    {"PreToolUse", "PermissionRequest", "PermissionDenied", "PostToolUse", "PostToolUseFailure"}
)
_WAITING_FOR = frozenset({"permission_prompt", "elicitation_dialog"})
"""`idle_prompt`, a minute after the end of a turn, says nothing new: what the turn ended with stays, an error too."""
_MESSAGES = re.compile(r"needs your (?:permission|approval|attention)|waiting for your input", re.IGNORECASE)
_GOES_ON = frozenset({"clear", "resume"})
"""Why a session ends whose program goes on with another one."""

_PHASES: dict[str, Phase] = {
    "PreToolUse": "tool_begins",
    "PermissionRequest": "tool_asks",
    "PermissionDenied": "tool_refused",
    "PostToolUse": "tool_ran",
    "PostToolUseFailure": "tool_ran",
    "UserPromptSubmit": "turn_ends",
    "Stop": "turn_ends",
    "StopFailure": "turn_ends",
    "SubagentStop": "turn_ends",
    "SessionEnd": "session_ends",
}

_COMMANDS = ("/", "<")
"""How a prompt begins that is none: a command of the user's own."""

_ABSENT = msgspec.Raw(b"")


class _BackgroundTask(msgspec.Struct):
    status: str | None = None


class _Payload(msgspec.Struct):
    hook_event_name: str | None = None
    session_id: str | None = None
    cwd: str | None = None
    agent_id: str | None = None
    agent_transcript_path: str | None = None
    tool_name: str | None = None
    tool_input: msgspec.Raw = _ABSENT
    tool_use_id: str | None = None
    prompt: str | None = None
    source: str | None = None
    reason: str | None = None
    trigger: str | None = None
    error: str | None = None
    error_details: str | None = None
    last_assistant_message: str | None = None
    is_interrupt: bool | None = None
    message: str | None = None
    notification_type: str | None = None
    task_id: str | None = None
    task_subject: str | None = None
    background_tasks: msgspec.Raw = _ABSENT


# At the door: a path or an id that is longer is none, and of a text the beginning is enough.
_PATHS = ("cwd", "agent_transcript_path")
_IDS = ("agent_id", "tool_use_id", "task_id", "source", "reason", "trigger", "notification_type")
_TEXTS = (
    "tool_name",
    "prompt",
    "error",
    "error_details",
    "last_assistant_message",
    "message",
    "task_subject",
)

_payloads = msgspec.json.Decoder(_Payload)
_tasks = msgspec.json.Decoder(list[_BackgroundTask])
_trees = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELDS: dict[str, msgspec.json.Decoder[Any]] = {
    field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(_Payload)
}


def read(body: bytes, at: int) -> Hook:
    """Read the body of a hook.

    Args:
        body: JSON, as Claude Code sends it.
        at: now, in milliseconds since 1970.

    Raises:
        BadMessage: it is not a JSON object that names an event: no hook of Claude Code.
        TooDeep: it has more levels than JSON may have here.
    """
    # Of its elements only the tool's arguments are decoded, and they have a limit of their own.
    check_json(body, "The hook", elements=None)
    payload = _limited(_decode(body))
    event = payload.hook_event_name
    if not event or len(event) > MAX_EVENT:
        raise BadMessage("A hook is a JSON object with the event's name in `hook_event_name`.")
    main = payload.session_id
    if not main or len(main) > MAX_ID:
        return Hook(event, "", None, [])
    child = _child(payload)
    session = child or main
    records: list[Record] = [SessionInfo(session=main, runtime=RUNTIME, cwd=payload.cwd)]
    if child is not None:
        records.append(SessionInfo(session=child, runtime=RUNTIME, cwd=payload.cwd, parent=main))
    call = _call(payload, session, at) if event in _TOOL_EVENTS else None
    if event == "UserPromptSubmit" and payload.prompt and not payload.prompt.startswith(_COMMANDS):
        prompt = payload.prompt[:MAX_PROMPT]
        records.append(
            SessionInfo(
                session=session,
                runtime=RUNTIME,
                cwd=payload.cwd,
                first_user_message=first_words(prompt),
                persona=persona_of(prompt),
            )
        )
    if event == "PreToolUse" and call is not None:
        records.append(call)
    elif event in ("TaskCreated", "TaskCompleted"):
        subject = shorten(payload.task_subject or "", MAX_SUMMARY)
        id_ = f"{event}:{payload.task_id or at}"
        records.append(ToolCall(session, at, id_, event, id_, subject, evidence=EVIDENCE))
    status, detail = _status(payload, event, call)
    if status is not None:
        detail = shorten(detail, MAX_LABEL) if detail else None
        holds = event == "Stop" and status == "busy"
        records.append(Turn(session, at, status, detail, EVIDENCE, holds=holds))
    return Hook(
        event,
        session,
        main if child is not None else None,
        records,
        None if call is None else f"{call.name}:{call.arguments_digest}",
        _asked(payload, call) if event == "PermissionRequest" and call is not None else None,
        _PHASES.get(event),
        may_stop=event in BUDGETED,
    )


class ClaudeHooks(HookReader):
    """The hooks of Claude Code."""

    events = KNOWN_EVENTS
    event_field = "hook_event_name"
    evidence = EVIDENCE
    answer_seconds = ANSWER_SECONDS

    def read(self, body: bytes, at: int) -> Hook:
        """Read a hook; see the function of that name."""
        return read(body, at)

    def decision(self, *, allow: bool, message: str) -> dict[str, Any]:
        """Write the answer to a PermissionRequest; the message says to Claude why something is denied."""
        decided = {"behavior": "allow"} if allow else {"behavior": "deny", "message": message}
        return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decided}}

    def stop(self, hook: Hook, reason: str) -> dict[str, Any]:
        """Write the answer that ends Claude's work: at a prompt, or before a tool is used."""
        if hook.event == "UserPromptSubmit":
            return {"continue": False, "stopReason": reason, "decision": "block", "reason": reason}
        denied = {
            "hookEventName": hook.event,
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
        return {"continue": False, "stopReason": reason, "hookSpecificOutput": denied}


def _decode(body: bytes) -> _Payload:
    try:
        payload = decode(_payloads, body)
        if payload is not None:
            return payload
        # Something in it is not what it was when this was written: the rest is still good.
        tree = decode(_trees, body)
    except BrokenLineError:
        raise BadMessage("The body of a hook is JSON; this is not.") from None
    if tree is None:
        raise BadMessage("The body of a hook is a JSON object; this is none.")
    kept: dict[str, Any] = {}
    for name, raw in tree.items():
        if name in _FIELDS:
            try:
                kept[name] = _FIELDS[name].decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
    return _Payload(**kept)


def _limited(payload: _Payload) -> _Payload:
    for names, most in ((_PATHS, MAX_PATH), (_IDS, MAX_ID)):
        for name in names:
            if (value := getattr(payload, name)) is not None and len(value) > most:
                setattr(payload, name, None)
    for name in _TEXTS:
        if (value := getattr(payload, name)) is not None and len(value) > MAX_PROMPT:
            setattr(payload, name, value[:MAX_PROMPT])
    return payload


def _child(payload: _Payload) -> str | None:
    """Return the session of the sub-agent that a hook is about: the name that its transcript has."""
    name = (payload.agent_transcript_path or "").replace("\\", "/").rpartition("/")[2]
    if name.startswith("agent-") and name.endswith(".jsonl"):
        return name.removesuffix(".jsonl")[:MAX_ID]
    id_ = payload.agent_id
    if not id_ or len(id_) > MAX_ID:
        return None
    return id_ if id_.startswith("agent-") else f"agent-{id_}"


def _call(payload: _Payload, session: str, at: int) -> ToolCall | None:
    if not payload.tool_name:
        return None
    arguments = bytes(payload.tool_input)
    call = tool_call(session, at, payload.tool_use_id or f"at:{at}", payload.tool_name[:MAX_EVENT], arguments)
    return msgspec.structs.replace(call, evidence=EVIDENCE)


def _status(payload: _Payload, event: str, call: ToolCall | None) -> tuple[Status | None, str | None]:
    """Return the status of a session after an event, and its detail; None if the event does not determine it."""
    match event:
        case "UserPromptSubmit" | "SubagentStart" | "PreCompact" | "PostToolUse" | "PermissionDenied":
            return "busy", None
        case "PreToolUse":
            asking = call is not None and call.name in ASKING
            return ("waiting", payload.tool_name) if asking else ("busy", None)
        case "PostToolUseFailure":
            return ("idle", "interrupted") if payload.is_interrupt else ("busy", None)
        case "PermissionRequest":
            return "waiting", payload.tool_name if call is None else f"{call.name} {call.summary}".strip()
        case "Notification":
            kind, message = payload.notification_type, payload.message or ""
            waits = kind in _WAITING_FOR or (kind is None and _MESSAGES.search(message) is not None)
            return ("waiting", message or kind) if waits else (None, None)
        case "SubagentStop":
            return "idle", None
        case "Stop":
            return ("busy", "background task") if _goes_on(payload) else ("idle", None)
        case "StopFailure":
            return "error", payload.last_assistant_message or payload.error_details or payload.error
        case "PostCompact":
            return ("idle", None) if payload.trigger == "manual" else ("busy", None)
        case "SessionStart":
            return (None, None) if payload.source == "compact" else ("idle", None)
        case "SessionEnd":
            return ("idle" if payload.reason in _GOES_ON else "offline"), None
    return None, None


def _goes_on(payload: _Payload) -> bool:
    """Return whether tasks still run in the background: they wake the session by themselves."""
    tasks = decode(_tasks, payload.background_tasks) if payload.background_tasks else None
    return any(task.status == "running" for task in tasks or ())


def _asked(payload: _Payload, call: ToolCall) -> Asked:
    """Write the question for a permission request."""
    arguments = bytes(payload.tool_input)
    details: dict[str, Any] = {"tool": call.name, "summary": call.summary}
    if call.path is not None:
        details["path"] = call.path
    if payload.cwd is not None:
        details["cwd"] = payload.cwd
    tree = _tree(arguments)
    length = 0 if tree is None else len(msgspec.json.encode(tree))
    # These are no yes or no: the person chooses, or reads a plan.
    whole = tree is not None and length <= MAX_INPUT_BYTES and call.name not in ASKING
    if call.name in ASKING and (question := _question_in(tree)):
        details["summary"] = shorten(question, MAX_SUMMARY)
    if tree is not None and length <= MAX_INPUT_BYTES:
        details["input"] = tree
    else:
        details["tooLong"] = f"{len(arguments):,} bytes"
    return Asked(permission_text(call.name, details["summary"]), details, whole)


def _tree(arguments: bytes) -> dict[str, Any] | None:
    """Return a tool's input; None where it cannot be kept as it is."""
    try:
        check_json(arguments)
        tree = decode_json(arguments) if arguments else {}
        msgspec.json.encode(tree)
    except (InputError, ValueError, OverflowError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def _question_in(tree: dict[str, Any] | None) -> str:
    """Return the first question that Claude asks by itself."""
    questions = (tree or {}).get("questions")
    first = questions[0] if isinstance(questions, list) and questions else None
    question = first.get("question") if isinstance(first, dict) else None
    return question if isinstance(question, str) else ""
