"""A tool call in a few words, and a fingerprint of its arguments."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from missioncontrol.errors import InputError
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.limits import check_json
from missioncontrol.runtimes.lines import shorten
from missioncontrol.runtimes.records import MAX_SUMMARY, ToolCall

ASKING = frozenset(
    {"AskUserQuestion", "ExitPlanMode", "ask_user_question", "exit_plan_mode", "request_user_input"}
)
"""Tools that wait for a person's answer."""

_PATHS = ("file_path", "filePath", "path", "notebook_path", "file", "filename")
_COMMANDS = ("command", "cmd", "script", "code")
_WORDS = (
    "pattern",
    "query",
    "url",
    "description",
    "task",
    "prompt",
    "message",
    "question",
    "text",
    "name",
    "action",
)
_SHELLS = ("-c", "-lc")
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)
_MAX_PATH = 1_000

_encode = msgspec.json.encode
_decode = decode_json


def tool_call(session: str, at: int, call_id: str, name: str, arguments: bytes | str) -> ToolCall:
    """Describe a tool call.

    Args:
        session: the session's id.
        at: milliseconds since 1970.
        call_id: the call's id; "" if it has none: the fingerprint of its arguments is used.
        name: the tool's name.
        arguments: JSON, or a text that is passed as it is; so is JSON with too many levels or elements.
    """
    tree: Any
    try:
        tree = _decoded(arguments) if arguments else {}
    except (InputError, ValueError, RecursionError):
        tree = arguments if isinstance(arguments, str) else bytes(arguments).decode("utf-8", "replace")
    if isinstance(tree, str) and tree.lstrip()[:1] == "{":
        # Some runtimes write the arguments as JSON within a text.
        try:
            tree = _decoded(tree)
        except (InputError, ValueError, RecursionError):
            pass
    digest = _digest(tree)
    summary, path = _describe(tree)
    return ToolCall(session, at, call_id or digest, name, digest, shorten(summary, MAX_SUMMARY), path)


def _decoded(arguments: bytes | str) -> Any:
    check_json(arguments)
    return _decode(arguments)


def _digest(tree: Any) -> str:
    canonical = _encode(tree, order="sorted")
    return hashlib.blake2b(canonical, digest_size=8).hexdigest()


def _describe(tree: Any) -> tuple[str, str | None]:
    """Return a few words for people, and the file that is read or written."""
    if isinstance(tree, str):
        path = match[1].strip() if (match := _PATCHED.search(tree)) else None
        return path or tree, path
    if not isinstance(tree, dict):
        return "", None
    if command := _command(tree):
        return command, None
    searched = tree.get("pattern") or tree.get("query")
    if (found := _first(tree, _PATHS)) and not searched:
        return found, found if len(found) <= _MAX_PATH else None
    if patch := _first(tree, ("input", "patch")):
        return _describe(patch)
    return _first(tree, _WORDS) or "", None


def _command(tree: dict[str, Any]) -> str:
    for key in _COMMANDS:
        command = tree.get(key)
        if isinstance(command, str) and command:
            return command
        if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
            inner = len(command) > 2 and command[1] in _SHELLS
            return str(command[2]) if inner else " ".join(command)
    return ""


def _first(tree: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := tree.get(key), str) and value), "")
