"""`TASK_QUEUE.json` as a text: what stands in it, and how to change that and nothing else.

A queue is edited by people and models, each with a way of writing of their own. So the text is never written anew: what
does not change keeps its bytes, a changed value replaces the old one where it stands, and what is new is written in the
manner of what is around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from missioncontrol.sources.tasks.task import Task

BOM = b"\xef\xbb\xbf"
EMPTY = b'{\n  "tasks": [],\n  "history": [],\n  "nextId": 1\n}\n'

_SPACE = re.compile(r"[ \t\r\n]*")
_INDENTED = re.compile(r"\n([ \t]+)\S")
_SAMPLES = 20
"""How many tasks are looked at for how lists are written."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"it is not JSON: {name} is none")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class Member(NamedTuple):
    """A member of an object: its key, and where key and value stand in the text."""

    key: str
    start: int
    value_start: int
    end: int


class Element(NamedTuple):
    """An element of the array of tasks, and where it stands in the text."""

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
    """What is to become of a document. Elements are named by their index.

    `updated` is the time, for a document that says when it was last changed; alone it is no reason to write.
    """

    changed: dict[int, Edit] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    added: list[Task] = field(default_factory=list)
    next_id: int | None = None
    updated: str | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.changed or self.dropped or self.added or self.next_id is not None)


class Manner(NamedTuple):
    """How an object is written: what stands between its members, and between a name and its value.

    `column` is the indentation of its members; None where they stand in one line.
    """

    joint: str
    colon: str
    column: str | None


class Document:
    """A queue's text, and where everything stands in it.

    `root` has the members besides the tasks; `tasks` is None where the root names none.
    """

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
        self.tasks: list[Element] | None = None
        self._members: dict[str, Member] = {}
        self._object = -1
        if text[start] == "[":
            end = self._read_tasks(start)
        elif text[start] == "{":
            self._object = start
            members, end = _members(text, start, self._read_value)
            self._members = {member.key: member for member in members}
            if "tasks" in self.root:
                raise ValueError('its "tasks" is no list')
        else:
            raise ValueError("it holds neither an object nor a list")
        if _after_space(text, end) != len(text):
            raise ValueError("something follows after its end")

    def _read_value(self, key: str, start: int) -> int:
        """Read a value of the root, and return its end; of two with the same key the last one counts."""
        if key == "tasks" and self._text[start : start + 1] == "[":
            self.root.pop(key, None)
            return self._read_tasks(start)
        self.root[key], end = _DECODER.raw_decode(self._text, start)
        return end

    def _read_tasks(self, start: int) -> int:
        text = self._text
        self.tasks = []
        position = _after_space(text, start + 1)
        while text[position : position + 1] != "]":
            value, end = _DECODER.raw_decode(text, position)
            self.tasks.append(Element(value, position, end))
            position = _after_comma(text, end, "]")
        self._array, self._array_end = start, position
        return position + 1

    @property
    def next_id(self) -> int | None:
        """The number that the next task is to have, as the file says it."""
        value = self.root.get("nextId")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def takes_next_id(self) -> bool:
        """Say whether the number of the next task has a place here: not in a bare list, nor over something else."""
        return self._object >= 0 and ("nextId" not in self.root or self.next_id is not None)

    @property
    def history(self) -> list[Any]:
        """The entries of tasks that are over."""
        history = self.root.get("history")
        return history if isinstance(history, list) else []

    # What it is to become.

    def edited(self, edits: Edits) -> bytes:
        """Return the text with these edits."""
        self._ascii = self._text.isascii() and "\\u" in self._text
        self._newline = "\r\n" if "\r\n" in self._text else "\n"
        indented = _INDENTED.search(self._text)
        self._unit = indented[1] if indented else "  "
        replacements: list[tuple[int, int, str]] = []
        if self.tasks is not None and (edits.changed or edits.dropped or edits.added):
            replacements.append(self._edited_tasks(self.tasks, edits))
        new: dict[str, Any] = {}
        for key, value in (("nextId", edits.next_id), ("updated", edits.updated)):
            if value is None or not self._takes(key):
                continue
            if (member := self._members.get(key)) is not None:
                replacements.append((member.value_start, member.end, json.dumps(value)))
            else:
                new[key] = value
        if self.tasks is None and edits.added:
            new["tasks"] = edits.added
        if new:
            replacements.append(self._insertion(new))
        parts: list[str] = []
        position = 0
        for start, end, text in sorted(replacements):
            parts += (self._text[position:start], text)
            position = end
        parts.append(self._text[position:])
        return (BOM if self._bom else b"") + "".join(parts).encode()

    def _takes(self, key: str) -> bool:
        return self.takes_next_id if key == "nextId" else isinstance(self.root.get(key), str)

    def _edited_tasks(self, tasks: list[Element], edits: Edits) -> tuple[int, int, str]:
        """Return what is to stand between the brackets of the array of tasks."""
        text = self._text
        lead = text[self._array + 1 : tasks[0].start] if tasks else self._new_lead()
        joint = text[tasks[0].end : tasks[1].start] if len(tasks) > 1 else f",{lead}"
        tail = text[tasks[-1].end : self._array_end] if tasks else self._new_tail(lead)
        parts: list[str] = []
        for index, element in enumerate(tasks):
            if index in edits.dropped:
                continue
            if parts:
                parts.append(text[tasks[index - 1].end : element.start])
            parts.append(self._edited_task(element, edits.changed.get(index)))
        if edits.added:
            spread = self._spread(tasks)
            manner = self._manner_of_tasks(tasks, lead)
            column = lead.rpartition("\n")[2] if "\n" in lead else ""
            for task in edits.added:
                if parts:
                    parts.append(joint)
                parts.append(self._new_object(task, manner, column, spread=spread))
        return (self._array + 1, self._array_end, f"{lead}{''.join(parts)}{tail}" if parts else "")

    def _edited_task(self, element: Element, edit: Edit | None) -> str:
        text = self._text[element.start : element.end]
        if edit is None:
            return text
        members, _ = _members(text, 0)
        manner = _manner(text, members)
        last = {member.key: member for member in members}
        parts: list[str] = []
        for index, member in enumerate(members):
            if member.key in edit.removed:
                continue
            if parts:
                parts.append(text[members[index - 1].end : member.start])
            value = text[member.value_start : member.end]
            if member.key in edit.updates and last[member.key] is member:
                spread = "\n" in value if value[0] in "[{" and len(value) > 2 else None
                value = self._written(edit.updates[member.key], manner, spread=spread)
            parts.append(text[member.start : member.value_start] + value)
        for name, value in edit.updates.items():
            if name not in last:
                parts += [manner.joint] if parts else []
                parts.append(self._member(name, value, manner))
        head, tail = (text[1 : members[0].start], text[members[-1].end : -1]) if members else ("", "")
        return f"{{{head}{''.join(parts)}{tail}}}"

    def _new_object(self, task: Task, manner: Manner, column: str, *, spread: bool) -> str:
        inside = manner.joint.join(
            self._member(name, value, manner, spread=spread) for name, value in task.items()
        )
        if manner.column is None:
            return f"{{{inside}}}"
        return f"{{{self._newline}{manner.column}{inside}{self._newline}{column}}}"

    def _member(self, name: str, value: Any, manner: Manner, *, spread: bool | None = None) -> str:
        key = json.dumps(name, ensure_ascii=self._ascii)
        return f"{key}{manner.colon}{self._written(value, manner, spread=spread)}"

    def _written(self, value: Any, manner: Manner, *, spread: bool | None = None) -> str:
        """Write a value. A list or an object goes over several lines if `spread`; None: as others here do."""
        if spread is None and isinstance(value, dict | list):
            spread = self._spread(self.tasks or [])
        if manner.column is None or not spread:
            separators = (", " if manner.joint != "," else ",", ": " if manner.colon != ":" else ":")
            return json.dumps(value, ensure_ascii=self._ascii, separators=separators)
        written = json.dumps(
            value, ensure_ascii=self._ascii, indent=self._unit, separators=(",", manner.colon)
        )
        return written.replace("\n", f"{self._newline}{manner.column}")

    def _spread(self, tasks: Iterable[Element]) -> bool:
        """Say whether lists and objects inside a task go over several lines: as the first that is there does."""
        for element in [one for one in tasks if isinstance(one.value, dict)][:_SAMPLES]:
            text = self._text[element.start : element.end]
            if "\n" in text:
                for member in _members(text, 0)[0]:
                    value = text[member.value_start : member.end]
                    if value[0] in "[{" and len(value) > 2:
                        return "\n" in value
        return True

    def _manner_of_tasks(self, tasks: Sequence[Element], lead: str) -> Manner:
        """Return how a new task is to be written: like the first, or as the file suggests."""
        first = next((one for one in tasks if isinstance(one.value, dict) and one.value), None)
        if first is not None:
            text = self._text[first.start : first.end]
            return _manner(text, _members(text, 0)[0])
        root = _manner(self._text, list(self._members.values()))
        if "\n" not in lead:
            return Manner(",", ":", None) if root.colon == ":" else Manner(", ", ": ", None)
        column = lead.rpartition("\n")[2] + self._unit
        return Manner(f",{self._newline}{column}", root.colon, column)

    def _insertion(self, members: Mapping[str, Any]) -> tuple[int, int, str]:
        """Write new members at the end of the root."""
        there = list(self._members.values())
        manner = _manner(self._text, there)
        written = manner.joint.join(self._member(key, value, manner) for key, value in members.items())
        if not there:
            return (self._object + 1, self._object + 1, written)
        end = max(member.end for member in there)
        return (end, end, manner.joint + written)

    def _new_lead(self) -> str:
        """Return what is to stand between the bracket and the first task of a list that was empty."""
        if "\n" not in self._text.strip():
            return ""
        return self._newline + _indent_at(self._text, self._array) + self._unit

    def _new_tail(self, lead: str) -> str:
        return self._newline + _indent_at(self._text, self._array) if "\n" in lead else ""


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _after_comma(text: str, position: int, closing: str) -> int:
    """Return where the next entry begins after one that ends at `position`, or the closing bracket stands."""
    position = _after_space(text, position)
    if text[position : position + 1] == ",":
        position = _after_space(text, position + 1)
        if text[position : position + 1] == closing:
            raise json.JSONDecodeError("a comma before the end", text, position)
    elif text[position : position + 1] != closing:
        raise json.JSONDecodeError("a comma is missing", text, position)
    return position


def _members(
    text: str, start: int, value_end: Callable[[str, int], int] | None = None
) -> tuple[list[Member], int]:
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
        value = _after_space(text, colon + 1)
        end = _DECODER.raw_decode(text, value)[1] if value_end is None else value_end(key, value)
        members.append(Member(key, position, value, end))
        position = _after_comma(text, end, "}")
    return members, position + 1


def _manner(text: str, members: Sequence[Member]) -> Manner:
    """Return how an object with these members is written."""
    if not members:
        return Manner(", ", ": ", None)
    first = members[0]
    lead = _space_before(text, first.start)
    colon = text[_DECODER.raw_decode(text, first.start)[1] : first.value_start]
    if len(members) > 1:
        joint = text[first.end : members[1].start]
    else:
        joint = f",{lead}" if "\n" in lead else "," if colon == ":" else ", "
    return Manner(joint, colon, lead.rpartition("\n")[2] if "\n" in lead else None)


def _space_before(text: str, position: int) -> str:
    start = position
    while start > 0 and text[start - 1] in " \t\r\n":
        start -= 1
    return text[start:position]


def _indent_at(text: str, position: int) -> str:
    """Return the indentation of the line that a position is in."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]
