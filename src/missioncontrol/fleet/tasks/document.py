"""`TASK_QUEUE.json` as a text: reads its content, and changes only the parts that are edited.

A queue is edited by people and models, each with a way of writing of their own. So the text is never written again as
a whole: what does not change keeps its bytes, a changed value replaces the old one where it is, and what is new is
written in the manner of what is around it.

The tasks and the history are kept in blocks (`blocks.py`), what is around them as it is; the text with empty arrays
in their places is the skeleton, which is small. So reading an edited file, and editing a large one, costs what has
changed.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from missioncontrol.fleet.tasks.task import Task
from missioncontrol.json_text.blocks import BLOCK_BYTES, Block
from missioncontrol.json_text.file import BOM, JsonFile
from missioncontrol.json_text.spans import (
    Member,
    after_space,
    members_at,
    value_at,
)

EMPTY = b'{\n  "tasks": [],\n  "history": [],\n  "nextId": 1\n}\n'
_DIGITS = re.compile(r"[0-9]{1,12}")
_MAX_WHOLE = 2.0**53
"""Up to here each whole number has a float of its own."""

_INDENTED = re.compile(r"\n([ \t]+)\S")
_SAMPLES = 20
"""How many tasks are checked for the layout of lists."""

_SAMPLE_CHARACTERS = 4096

ArrayName = Literal["tasks", "history"]
"""The arrays of a queue: the tasks, and the entries of tasks that are over."""

_NAMES: tuple[ArrayName, ...] = ("tasks", "history")


@dataclass
class Edit:
    """The edit of one element: values to set, and names to remove."""

    updates: Mapping[str, Any]
    removed: Sequence[str] = ()


@dataclass
class ArrayEdits:
    """The edits of one array: elements to change and to remove, by their index, and elements to append."""

    changed: dict[int, Edit] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    added: list[Task] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Report whether there are any."""
        return bool(self.changed or self.dropped or self.added)


@dataclass
class Edits:
    """The edits of a document.

    `updated` is the time for a document that has the time of its last change; alone it is no reason to write.
    """

    tasks: ArrayEdits = field(default_factory=ArrayEdits)
    history: ArrayEdits = field(default_factory=ArrayEdits)
    next_id: int | None = None
    updated: str | None = None

    def __bool__(self) -> bool:
        """Report whether there are any."""
        return bool(self.tasks or self.history or self.next_id is not None)

    def of(self, name: ArrayName) -> ArrayEdits:
        """Return the edits of one array."""
        return self.tasks if name == "tasks" else self.history


class JsonStyle(NamedTuple):
    """The layout of an object: the text between its members, and between a name and its value.

    `column` is the indentation of its members; None if they are in one line.
    """

    joint: str
    colon: str
    column: str | None


class Document(JsonFile):
    """A queue's text. `root` has the members besides the tasks and the history."""

    def __init__(self, data: bytes, known: Document | None = None) -> None:
        """Read a queue.

        Args:
            data: its text.
            known: an earlier version of it, whose blocks are taken over where they are the same.

        Raises:
            ValueError: it is none; the message says what is wrong, in a few words.
        """
        super().__init__(data, _NAMES, "tasks", known)
        if "tasks" in self.root:
            raise ValueError('its "tasks" is no list')

    @property
    def tasks(self) -> list[Block] | None:
        """The blocks of tasks; None if the root has none."""
        return self.blocks("tasks")

    @property
    def history(self) -> list[Block]:
        """The blocks of the entries of tasks that are over."""
        return self.blocks("history") or []

    @property
    def next_id(self) -> int | None:
        """The number of the next task, according to the file, which may have it as a text as well."""
        value = self.root.get("nextId")
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_WHOLE:
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def takes_next_id(self) -> bool:
        """Return whether the number of the next task can be written: not into a bare list, nor over another value."""
        return self._is_object and (self.root.get("nextId") is None or self.next_id is not None)

    @property
    def takes_history(self) -> bool:
        """Return whether tasks that are over can be written: not into a bare list, nor over another value."""
        return self._is_object and self.root.get("history") is None

    # Edits.

    def edited(self, edits: Edits) -> bytes:
        """Return the text with these edits."""
        return b"".join(self.with_edits(edits).parts())

    def with_edits(self, edits: Edits) -> Document:
        """Return the queue with these edits; blocks that none of them is about are shared with this one."""
        if edits.history.added and self.blocks("history") is None:
            # It is first added empty, so that its entries are written like the tasks.
            writer = self._writer()
            if not writer.set("history", []):
                writer.insert({"history": []})
            return self._rewritten(writer, {}).with_edits(edits)
        writer = self._writer()
        blocks: dict[str, list[Block]] = {}
        new: dict[str, Any] = {}
        number: int | str | None = edits.next_id
        if number is not None and isinstance(digits := self.root.get("nextId"), str):
            number = str(number).zfill(len(digits))
        for key, value in (("nextId", number), ("updated", edits.updated)):
            if value is not None and self._takes(key) and not writer.set(key, value):
                new[key] = value
        for name in _NAMES:
            wanted = edits.of(name)
            if wanted and self.blocks(name) is not None:
                blocks[name] = writer.edited(name, wanted)
            elif wanted.added:
                new[name] = wanted.added
        if new:
            writer.insert(new)
        return self._rewritten(writer, blocks)

    def _writer(self) -> _Writer:
        skeleton = b"".join(self._gaps).removeprefix(BOM)
        return _Writer(self, skeleton.decode(), self._is_object)

    def _rewritten(self, writer: _Writer, blocks: Mapping[str, list[Block]]) -> Document:
        """Return the document with the written text, and with these blocks instead of its own."""
        bom = BOM if self._gaps[0].startswith(BOM) else b""
        document = Document(bom + writer.text().encode())
        own = {array.name: array.blocks for array in self._arrays}
        document._arrays = [
            array._replace(blocks=blocks.get(array.name, own.get(array.name, array.blocks)))
            for array in document._arrays
        ]
        return document

    def _takes(self, key: str) -> bool:
        return self.takes_next_id if key == "nextId" else isinstance(self.root.get(key), str)


class _Writer:
    """Writes into a queue in its existing layout. `skeleton` is its text with empty arrays."""

    def __init__(self, document: Document, skeleton: str, is_object: bool) -> None:
        self._skeleton = skeleton
        self._start = after_space(skeleton, 0)
        self._members: dict[str, Member] = {}
        if is_object:
            self._members = {member.key: member for member in members_at(skeleton, self._start)[0]}
        self._blocks: dict[ArrayName, list[Block]] = {name: document.blocks(name) or [] for name in _NAMES}
        self._replacements: list[tuple[int, int, str]] = []
        every = [*self._blocks["tasks"], *self._blocks["history"]]
        self._ascii = (
            skeleton.isascii()
            and all(block.is_ascii for block in every)
            and ("\\u" in skeleton or any(block.escaped for block in every))
        )
        opened = self._opened("tasks")
        tasks = self._blocks["tasks"]
        first = tasks[0].text[:_SAMPLE_CHARACTERS] if tasks else ""
        sample = f"{skeleton[: opened + 1]}{first}{skeleton[opened + 1 :]}"
        # The white space before the first task is a part of the skeleton.
        lead = skeleton[opened + 1 : after_space(skeleton, opened + 1)]
        self._newline = "\r\n" if "\r\n" in skeleton or "\r\n" in first else "\n"
        indented = _INDENTED.search(f"{skeleton[: opened + 1]}{lead}{first}") or _INDENTED.search(sample)
        self._unit = indented[1] if indented else "  "

    def _opened(self, name: ArrayName) -> int:
        """Return the position of an array's bracket; of the root's if it has no such member."""
        member = self._members.get(name)
        return self._start if member is None else member.value_start

    def text(self) -> str:
        """Return the skeleton with what was written into it."""
        parts: list[str] = []
        position = 0
        for start, end, text in sorted(self._replacements):
            parts += (self._skeleton[position:start], text)
            position = end
        return "".join([*parts, self._skeleton[position:]])

    def set(self, key: str, value: Any) -> bool:
        """Replace a value of the root; False where it has no such member."""
        member = self._members.get(key)
        if member is not None:
            self._replacements.append((member.value_start, member.end, json.dumps(value)))
        return member is not None

    def insert(self, members: Mapping[str, Any]) -> None:
        """Write new members at the end of the root."""
        there = list(self._members.values())
        manner = _manner(self._skeleton, there)
        written = manner.joint.join(self._member(key, value, manner) for key, value in members.items())
        end = max(member.end for member in there) if there else self._start + 1
        self._replacements.append((end, end, manner.joint + written if there else written))

    # The arrays.

    def edited(self, name: ArrayName, edits: ArrayEdits) -> list[Block]:
        """Return the blocks of an array with these edits."""
        blocks, opened = self._blocks[name], self._opened(name)
        old_lead = self._skeleton[opened + 1 : after_space(self._skeleton, opened + 1)]
        lead = old_lead if blocks else self._new_lead(opened)
        tail = _pieces(blocks[-1])[-1][1] if blocks else self._new_tail(lead, opened)
        first = [] if not blocks else _pieces(blocks[0])
        joint = first[0][1] if len(first) > 1 or len(blocks) > 1 else f",{lead}"
        ends = list(accumulate(block.count for block in blocks))
        total = ends[-1] if ends else 0
        touched: dict[int, list[int]] = {}
        for index in sorted({*edits.changed, *edits.dropped}):
            touched.setdefault(bisect_right(ends, index), []).append(index)
        edited: list[Block | list[tuple[str, str]]] = list(blocks)
        for number, indexes in touched.items():
            pieces = _pieces(blocks[number])
            base = ends[number] - blocks[number].count
            elements = blocks[number].elements()
            for index in indexes:
                if index not in edits.dropped:
                    text, after = pieces[index - base]
                    is_object = isinstance(elements[index - base].value, dict)
                    text = self._edited_element(text, edits.changed[index]) if is_object else text
                    pieces[index - base] = (text, after)
            edited[number] = [
                piece for place, piece in enumerate(pieces) if base + place not in edits.dropped
            ]
        if edits.added or total - 1 in edits.dropped:
            added = self._new_elements(self._sample(name), edits.added, lead, joint)
            self._end(edited, added, joint, tail)
        new = [block if isinstance(block, Block) else _block(block) for block in edited if block != []]
        lead = lead if new else ""
        if lead != old_lead:
            self._replacements.append((opened + 1, opened + 1 + len(old_lead), lead))
        return new

    def _end(
        self,
        edited: list[Block | list[tuple[str, str]]],
        added: list[tuple[str, str]],
        joint: str,
        tail: str,
    ) -> None:
        """End the array after the added elements, or after the last one that stays."""
        while edited:
            last = edited[-1]
            pieces = _pieces(last) if isinstance(last, Block) else last
            if pieces:
                pieces[-1] = (pieces[-1][0], joint if added else tail)
                edited[-1] = pieces
                break
            edited.pop()
        if added:
            added[-1] = (added[-1][0], tail)
            self._append(edited, added)

    def _append(self, edited: list[Block | list[tuple[str, str]]], added: list[tuple[str, str]]) -> None:
        """Add elements at the end: to the last block as long as it is small, then in blocks of their own."""
        last = edited[-1] if edited and isinstance(edited[-1], list) else []
        size = sum(len(text) + len(after) for text, after in last)
        for piece in added:
            if not last or size > BLOCK_BYTES:
                last, size = [], 0
                edited.append(last)
            last.append(piece)
            size += len(piece[0]) + len(piece[1])

    def _sample(self, name: ArrayName = "tasks") -> list[str]:
        """Return the first elements of an array as text; those of the tasks where it has none."""
        return _sample(self._blocks[name]) or _sample(self._blocks["tasks"])

    def _new_elements(
        self, sample: list[str], tasks: Sequence[Task], lead: str, joint: str
    ) -> list[tuple[str, str]]:
        if not tasks:
            return []
        spread = self._spread(sample)
        manner = self._manner_of_new(sample, lead)
        column = lead.rpartition("\n")[2] if "\n" in lead else ""
        return [(self._new_object(task, manner, column, spread=spread), joint) for task in tasks]

    def _edited_element(self, text: str, edit: Edit) -> str:
        members, _ = members_at(text, 0)
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

    def _new_object(self, task: Task, manner: JsonStyle, column: str, *, spread: bool) -> str:
        inside = manner.joint.join(
            self._member(name, value, manner, spread=spread) for name, value in task.items()
        )
        if manner.column is None:
            return f"{{{inside}}}"
        return f"{{{self._newline}{manner.column}{inside}{self._newline}{column}}}"

    def _member(self, name: str, value: Any, manner: JsonStyle, *, spread: bool | None = None) -> str:
        key = json.dumps(name, ensure_ascii=self._ascii)
        return f"{key}{manner.colon}{self._written(value, manner, spread=spread)}"

    def _written(self, value: Any, manner: JsonStyle, *, spread: bool | None = None) -> str:
        """Write a value. A list or an object goes over several lines if `spread`; None: as others here do."""
        if spread is None and isinstance(value, dict | list):
            spread = self._spread(self._sample())
        if manner.column is None or not spread:
            separators = (", " if manner.joint != "," else ",", ": " if manner.colon != ":" else ":")
            return json.dumps(value, ensure_ascii=self._ascii, separators=separators)
        written = json.dumps(
            value, ensure_ascii=self._ascii, indent=self._unit, separators=(",", manner.colon)
        )
        return written.replace("\n", f"{self._newline}{manner.column}")

    def _spread(self, texts: Iterable[str]) -> bool:
        """Return whether lists and objects inside a task span several lines, as the first existing one does."""
        for text in texts:
            if "\n" in text:
                for member in members_at(text, 0)[0]:
                    value = text[member.value_start : member.end]
                    if value[0] in "[{" and len(value) > 2:
                        return "\n" in value
        return True

    def _manner_of_new(self, texts: Sequence[str], lead: str) -> JsonStyle:
        """Return how a new element is to be written: like the first, or as the file suggests."""
        for text in texts:
            if members := members_at(text, 0)[0]:
                return _manner(text, members)
        root = _manner(self._skeleton, list(self._members.values()))
        if "\n" not in lead:
            return JsonStyle(",", ":", None) if root.colon == ":" else JsonStyle(", ", ": ", None)
        column = lead.rpartition("\n")[2] + self._unit
        return JsonStyle(f",{self._newline}{column}", root.colon, column)

    def _new_lead(self, opened: int) -> str:
        """Return what is to be between the bracket and the first element of an array that was empty."""
        if "\n" not in self._skeleton.strip():
            return ""
        return self._newline + _indent_at(self._skeleton, opened) + self._unit

    def _new_tail(self, lead: str, opened: int) -> str:
        return self._newline + _indent_at(self._skeleton, opened) if "\n" in lead else ""


def _pieces(block: Block) -> list[tuple[str, str]]:
    """Return the elements of a block as text, each with what is between it and the next."""
    text, elements = block.text, block.elements()
    starts = [*(element.start for element in elements[1:]), len(text)]
    return [
        (text[element.start : element.end], text[element.end : start])
        for element, start in zip(elements, starts, strict=True)
    ]


def _block(pieces: list[tuple[str, str]]) -> Block:
    return Block.of("".join(element + after for element, after in pieces))


def _sample(blocks: Sequence[Block]) -> list[str]:
    """Return the first tasks as text."""
    texts: list[str] = []
    for block in blocks[:_SAMPLES]:
        text = block.text
        for element in block.elements():
            if isinstance(element.value, dict):
                texts.append(text[element.start : element.end])
                if len(texts) == _SAMPLES:
                    return texts
    return texts


def _manner(text: str, members: Sequence[Member]) -> JsonStyle:
    """Return how an object with these members is written."""
    if not members:
        return JsonStyle(", ", ": ", None)
    first = members[0]
    lead = _space_before(text, first.start)
    colon = text[value_at(text, first.start)[1] : first.value_start]
    if len(members) > 1:
        joint = text[first.end : members[1].start]
    else:
        joint = f",{lead}" if "\n" in lead else "," if colon == ":" else ", "
    return JsonStyle(joint, colon, lead.rpartition("\n")[2] if "\n" in lead else None)


def _space_before(text: str, position: int) -> str:
    start = position
    while start > 0 and text[start - 1] in " \t\r\n":
        start -= 1
    return text[start:position]


def _indent_at(text: str, position: int) -> str:
    """Return the indentation of the line that a position is in."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def text_without_tasks(history: Iterable[Any]) -> bytes:
    """Return the text of a queue that has this history and no tasks yet."""
    root = {**Document(EMPTY).root, "tasks": [], "history": list(history)}
    return json.dumps(root, ensure_ascii=False, indent=2).encode() + b"\n"
