"""`TASK_QUEUE.json` as a text: what stands in it, and how to change that and nothing else.

A queue is edited by people and models, each with a way of writing of their own. So the text is never written anew: what
does not change keeps its bytes, a changed value replaces the old one where it stands, and what is new is written in the
manner of what is around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from missioncontrol.sources.tasks.task import Task

BOM = b"\xef\xbb\xbf"
EMPTY = '{\n  "tasks": [],\n  "history": [],\n  "nextId": 1\n}\n'

_SPACE = re.compile(r"[ \t\r\n]*")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class Member(NamedTuple):
    """A member of an object: its key, and where key and value stand in the text."""

    key: str
    start: int
    value_start: int
    end: int


class Element(NamedTuple):
    """An element of the array of tasks."""

    value: Any
    start: int
    end: int


@dataclass
class Edit:
    """What is to become of one element: values to set, names to take away."""

    updates: Mapping[str, Any]
    removed: Sequence[str] = ()


@dataclass
class Edits:
    """What is to become of a document. Elements are named by their index."""

    changed: dict[int, Edit] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    added: list[Task] = field(default_factory=list)
    next_id: int | None = None
    updated: str | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.changed or self.dropped or self.added or self.next_id is not None)


class Document:
    """A queue's text, and where everything stands in it."""

    def __init__(self, data: bytes) -> None:
        """Read a queue.

        Raises:
            ValueError: it is none; the message says what is wrong, in a few words.
        """
        self._bom = data.startswith(BOM)
        try:
            self._text = data[len(BOM) if self._bom else 0 :].decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
        start = _after_space(self._text, 0)
        if start == len(self._text):
            raise ValueError("it is empty")
        try:
            self._read(start)
        except json.JSONDecodeError as error:
            raise ValueError(f"it is not JSON: {error.msg} in line {error.lineno}") from None
        except RecursionError:
            raise ValueError("it is nested too deep") from None

    def _read(self, start: int) -> None:
        text = self._text
        self.root: dict[str, Any] = {}
        self._members: dict[str, Member] = {}
        if text[start] == "[":
            self._array, end = start, self._read_tasks(start)
        elif text[start] == "{":
            self._array = -1
            self.tasks: list[Element] = []
            members, end = _members(text, start)
            for member in members:
                self._members[member.key] = member
            for key, member in self._members.items():
                if key == "tasks" and text[member.value_start] == "[":
                    self._array = member.value_start
                    self._read_tasks(member.value_start)
                else:
                    self.root[key] = _DECODER.raw_decode(text, member.value_start)[0]
            if "tasks" in self.root:
                raise ValueError('its "tasks" is no list')
        else:
            raise ValueError("it holds neither an object nor a list")
        self._object = -1 if text[start] == "[" else start
        if _after_space(text, end) != len(text):
            raise ValueError("something follows after its end")

    def _read_tasks(self, start: int) -> int:
        self.tasks = []
        position = _after_space(self._text, start + 1)
        while self._text[position : position + 1] != "]":
            value, end = _DECODER.raw_decode(self._text, position)
            self.tasks.append(Element(value, position, end))
            position = _after_space(self._text, end)
            if self._text[position : position + 1] == ",":
                position = _after_space(self._text, position + 1)
                if self._text[position : position + 1] == "]":
                    raise json.JSONDecodeError("a comma before the end of the list", self._text, position)
            elif self._text[position : position + 1] != "]":
                raise json.JSONDecodeError("a comma is missing", self._text, position)
        self._array_end = position
        return position + 1

    @property
    def next_id(self) -> int | None:
        """The number that the next task is to have, as the file says it."""
        value = self.root.get("nextId")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def history(self) -> list[Any]:
        """The entries of tasks that are over."""
        history = self.root.get("history")
        return history if isinstance(history, list) else []

    def edited(self, edits: Edits) -> bytes:
        """Return the text with these edits."""
        replacements: list[tuple[int, int, str]] = []
        if edits.changed or edits.dropped or edits.added:
            replacements.append(self._edited_tasks(edits))
        if self._object >= 0:
            insert: dict[str, Any] = {}
            root = {"nextId": edits.next_id, "updated": edits.updated if "updated" in self.root else None}
            for key, value in root.items():
                if value is None or self.root.get(key) == value:
                    continue
                if (member := self._members.get(key)) is not None:
                    replacements.append((member.value_start, member.end, json.dumps(value)))
                elif key == "nextId":
                    insert[key] = value
            if self._array < 0 and edits.added:
                insert["tasks"] = edits.added
            if insert:
                replacements.append(self._insertion(insert))
        text, position = "", 0
        for start, end, new in sorted(replacements):
            text += self._text[position:start] + new
            position = end
        text += self._text[position:]
        return (BOM if self._bom else b"") + text.encode()

    def _edited_tasks(self, edits: Edits) -> tuple[int, int, str]:
        """Return the array of tasks between its brackets, as it is to be."""
        if self._array < 0:
            return (0, 0, "")
        text = self._text
        lead = text[self._array + 1 : self.tasks[0].start] if self.tasks else self._new_lead()
        joint = text[self.tasks[0].end : self.tasks[1].start] if len(self.tasks) > 1 else f",{lead}"
        tail = text[self.tasks[-1].end : self._array_end] if self.tasks else self._new_tail(lead)
        parts: list[str] = []
        for index, element in enumerate(self.tasks):
            if index in edits.dropped:
                continue
            if parts:
                before = text[self.tasks[index - 1].end : element.start] if index else joint
                parts.append(before)
            parts.append(self._edited_task(element, edits.changed.get(index)))
        like = self.tasks[0] if self.tasks else None
        for task in edits.added:
            if parts:
                parts.append(joint)
            parts.append(self._new_task(task, lead, like))
        inside = f"{lead}{''.join(parts)}{tail}" if parts else ""
        return (self._array + 1, self._array_end, inside)

    def _edited_task(self, element: Element, edit: Edit | None) -> str:
        text = self._text[element.start : element.end]
        if edit is None:
            return text
        members, _ = _members(text, 0)
        known = {member.key: member for member in members}
        replacements: list[tuple[int, int, str]] = []
        colon = _colon(text, members)
        joint = _joint(text, members)
        column = _indent_at(self._text, element.start)
        inner = _indent_in(text, members)
        for name, value in edit.updates.items():
            member = known.get(name)
            if member is not None:
                old = text[member.value_start : member.end]
                new = self._dump(value, inner if inner is not None else column, multiline="\n" in old)
                replacements.append((member.value_start, member.end, new))
        for member in members:
            if member.key in edit.removed and known[member.key] is member:
                index = members.index(member)
                if index + 1 < len(members):
                    replacements.append((member.start, members[index + 1].start, ""))
                else:
                    begin = members[index - 1].end if index else member.start
                    replacements.append((begin, member.end, ""))
        result, position = "", 0
        for start, end, new in sorted(replacements):
            if start >= position:
                result += text[position:start] + new
                position = end
        result += text[position:]
        new_names = [name for name in edit.updates if name not in known]
        if new_names:
            kept = [member for member in members if member.key not in edit.removed]
            addition = joint.join(
                f"{json.dumps(name, ensure_ascii=False)}{colon}"
                f"{self._dump(edit.updates[name], inner if inner is not None else column)}"
                for name in new_names
            )
            closing = len(result) - 1
            body = result[:closing].rstrip(" \t\r\n")
            space = result[len(body) : closing]
            result = f"{body}{joint if kept else ''}{addition}{space}}}"
        return result

    def _new_task(self, task: Task, lead: str, like: Element | None) -> str:
        """Write a new task in the manner of one that is there, or of the file."""
        multiline = "\n" in self._text[like.start : like.end] if like is not None else "\n" in lead
        column = lead.rpartition("\n")[2] if "\n" in lead else ""
        if not multiline:
            return json.dumps(task, ensure_ascii=False)
        unit = self._unit()
        inner = column + unit
        colon = ": "
        if like is not None and isinstance(like.value, dict):
            text = self._text[like.start : like.end]
            members, _ = _members(text, 0)
            colon = _colon(text, members)
            found = _indent_in(text, members)
            inner = found if found is not None else inner
        lines = [
            f"{inner}{json.dumps(name, ensure_ascii=False)}{colon}{self._dump(value, inner)}"
            for name, value in task.items()
        ]
        newline = self._newline()
        return "{" + newline + f",{newline}".join(lines) + newline + column + "}"

    def _dump(self, value: Any, column: str, *, multiline: bool = True) -> str:
        """Write a value. What is nested goes over several lines where the file has such."""
        nested = isinstance(value, dict | list) and any(
            isinstance(one, dict | list) for one in _inside(value)
        )
        if not nested or not multiline or "\n" not in self._text:
            return json.dumps(value, ensure_ascii=False)
        written = json.dumps(value, ensure_ascii=False, indent=self._unit())
        return written.replace("\n", self._newline() + column)

    def _insertion(self, members: Mapping[str, Any]) -> tuple[int, int, str]:
        """Write new members at the end of the root object."""
        found = list(self._members.values())
        joint, colon = _joint(self._text, found), _colon(self._text, found)
        column = _indent_in(self._text[self._object :], found) if not found else joint.rpartition("\n")[2]
        written = joint.join(
            f'"{key}"{colon}{self._dump(value, column or "")}' for key, value in members.items()
        )
        if not found:
            return (self._object + 1, self._object + 1, written)
        end = max(member.end for member in found)
        return (end, end, joint + written)

    def _new_lead(self) -> str:
        """Return what stands between the bracket and the first task of a list that was empty."""
        if "\n" not in self._text:
            return ""
        return self._newline() + _indent_at(self._text, self._array) + self._unit()

    def _new_tail(self, lead: str) -> str:
        return self._newline() + _indent_at(self._text, self._array) if "\n" in lead else ""

    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self._text else "\n"

    def _unit(self) -> str:
        """Return one step of indentation: that of the first line that has any."""
        found = re.search(r"\n([ \t]+)\S", self._text)
        return found[1] if found else "  "


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _members(text: str, start: int) -> tuple[list[Member], int]:
    """Return the members of the object that begins at `start`, and where it ends."""
    members: list[Member] = []
    position = _after_space(text, start + 1)
    while text[position : position + 1] != "}":
        if text[position : position + 1] != '"':
            raise json.JSONDecodeError("a name in quotes is missing", text, position)
        key, end = _DECODER.raw_decode(text, position)
        colon = _after_space(text, end)
        if text[colon : colon + 1] != ":":
            raise json.JSONDecodeError("a colon is missing", text, colon)
        value_start = _after_space(text, colon + 1)
        _, value_end = _DECODER.raw_decode(text, value_start)
        members.append(Member(key, position, value_start, value_end))
        position = _after_space(text, value_end)
        if text[position : position + 1] == ",":
            position = _after_space(text, position + 1)
            if text[position : position + 1] == "}":
                raise json.JSONDecodeError("a comma before the end of the object", text, position)
        elif text[position : position + 1] != "}":
            raise json.JSONDecodeError("a comma is missing", text, position)
    return members, position + 1


def _joint(text: str, members: Sequence[Member]) -> str:
    """Return what stands between two members."""
    if len(members) > 1:
        return text[members[0].end : members[1].start]
    if members and "\n" in (lead := _space_before(text, members[0].start)):
        return f",{lead}"
    return ", "


def _colon(text: str, members: Sequence[Member]) -> str:
    if not members:
        return ": "
    first = members[0]
    return text[_DECODER.raw_decode(text, first.start)[1] : first.value_start]


def _indent_in(text: str, members: Sequence[Member]) -> str | None:
    """Return the indentation of an object's members; None where they stand in one line with it."""
    if not members:
        return None
    lead = _space_before(text, members[0].start)
    return lead.rpartition("\n")[2] if "\n" in lead else None


def _space_before(text: str, position: int) -> str:
    start = position
    while start > 0 and text[start - 1] in " \t\r\n":
        start -= 1
    return text[start:position]


def _indent_at(text: str, position: int) -> str:
    """Return the indentation of the line that a position is in."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
