"""The whole input of a tool in parts: a command as code, an edit as a diff, everything else as canonical JSON.

Every field of the input is in exactly one part. A field goes into a part of its own only where it has the type that
its tool gives it; otherwise it stays in the JSON.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Data
from missioncontrol.review import diffs
from missioncontrol.review.marks import mark
from missioncontrol.review.parts import Part, as_json

_PATHS = ("file_path", "notebook_path", "path", "url")
_WRITES = frozenset({"Write", "write", "write_file", "create_file"})
_PATCH = "*** Begin Patch"
_RISKY = re.compile(
    r"dangerous|unsafe|bypass|escalat|skip_?permission|(?:disable|no|without)_?sandbox", re.IGNORECASE
)
_SANDBOX = re.compile(r"sandbox|permission|approval", re.IGNORECASE)
_RISKY_VALUE = re.compile(r"escalat|danger|bypass|full[-_ ]?access|^never$|^off$|^none$", re.IGNORECASE)
_SENTENCES = {
    "dangerouslydisablesandbox": "It runs outside the sandbox",
    "with_escalated_permissions": "It runs outside the sandbox, with more permissions",
    "sandbox_permissions": "It asks for other permissions of the sandbox",
}


class ToolReview(NamedTuple):
    """What a tool's input is shown as; `about` has what decides whether allowing it is dangerous."""

    parts: list[Part]
    warnings: list[str]
    about: list[str]


def review_tool(tool: str, given: Data) -> ToolReview:
    """Return the whole input of a tool in parts.

    Args:
        tool: its name.
        given: its input.
    """
    rest = dict(given)
    parts: list[Part] = []
    warnings = _risks(given)
    about = [tool.replace("_", " ")]
    if (command := _text(rest, "command")) is not None:
        count = command.count("\n") + 1
        label = "Command" if count == 1 else f"Command, {count} lines"
        parts.append(Part("code", mark(command), label))
        about.append(command)
        if (description := _text(rest, "description")) is not None:
            parts.append(Part("text", mark(description), "Described by the agent as"))
    for name in _PATHS:
        if (path := _text(rest, name)) is not None:
            parts.append(Part("path", mark(path, line=True), "Address" if name == "url" else "File"))
            about.append(path)
    _edits(tool, rest, parts, warnings)
    if rest or not parts:
        parts.append(Part("json", as_json(rest), "Further input" if parts else "Input"))
        about.append(as_json(rest))
    return ToolReview(parts, warnings, about)


def _edits(tool: str, rest: Data, parts: list[Part], warnings: list[str]) -> None:
    """Move what changes files from the input into diffs."""
    change = _change(rest, "Change", warnings)
    if change is not None:
        parts.append(change)
    edits = rest.get("edits")
    if isinstance(edits, list) and edits and all(map(_is_edit, edits)):
        del rest["edits"]
        for number, edit in enumerate(edits, 1):
            label = "Change" if len(edits) == 1 else f"Change {number} of {len(edits)}"
            edit = dict(edit)
            # Nothing but the fields of an edit is left, by `_is_edit`.
            if (part := _change(edit, label, warnings)) is not None:
                parts.append(part)
    if tool in _WRITES and isinstance(content := rest.get("content"), str):
        del rest["content"]
        if content:
            parts.append(Part("diff", mark(diffs.added(content)), "The whole file, as it is written"))
        else:
            warnings.append("The file is written empty.")
    if tool == "NotebookEdit" and isinstance(source := rest.get("new_source"), str):
        del rest["new_source"]
        parts.append(Part("diff", mark(diffs.added(source)), "The whole cell, as it is written"))
    for name in ("input", "patch"):
        patch = rest.get(name)
        if isinstance(patch, str) and patch.lstrip().startswith(_PATCH):
            del rest[name]
            parts.append(Part("diff", mark(patch), "Patch"))


def _change(rest: Data, label: str, warnings: list[str]) -> Part | None:
    """Move one replacement from the input into a diff; None where there is none."""
    before, after = rest.get("old_string"), rest.get("new_string")
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    del rest["old_string"], rest["new_string"]
    every = rest.get("replace_all")
    if isinstance(every, bool):
        del rest["replace_all"]
        if every:
            warnings.append(f"{label}: every occurrence in the file is replaced.")
    return Part("diff", mark(diffs.diff(before, after)), label)


def _is_edit(edit: Any) -> bool:
    return (
        isinstance(edit, dict)
        and edit.keys() <= {"old_string", "new_string", "replace_all"}
        and isinstance(edit.get("old_string"), str)
        and isinstance(edit.get("new_string"), str)
        and isinstance(edit.get("replace_all", False), bool)
    )


def _text(rest: Data, name: str) -> str | None:
    """Take a field out of the input if it is a text; None where it is not."""
    value = rest.get(name)
    if not isinstance(value, str):
        return None
    del rest[name]
    return value


def _risks(given: Data) -> list[str]:
    """Return a sentence for each field, at any depth, that takes a protection away."""
    found: dict[str, None] = {}
    left: list[Any] = [given]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            for name, inner in value.items():
                if _is_risk(name, inner):
                    known = _SENTENCES.get(name.lower(), "A protection is changed")
                    said = mark(msgspec.json.encode(inner).decode()[:80], line=True)
                    found[f"{known}: {mark(name, line=True)[:80]} is {said}."] = None
    return list(found)


def _is_risk(name: str, value: Any) -> bool:
    if not value or isinstance(value, (dict, list)):
        return False
    if _RISKY.search(name):
        return True
    return isinstance(value, str) and bool(_SANDBOX.search(name) and _RISKY_VALUE.search(value))
