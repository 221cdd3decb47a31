"""A queue's file as it was read: which entries in it are tasks, and which are left as they are.

A copy that is read after another one shares with it what has not changed, and `Copy.changed` has the ids of the tasks
that did.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.events.decoding import decode_json
from missioncontrol.fleet.tasks.document import Document
from missioncontrol.fleet.tasks.entries import Entry, id_in, named, task_in, task_over
from missioncontrol.fleet.tasks.history import History, history_of
from missioncontrol.fleet.tasks.markdown import read_markdown
from missioncontrol.fleet.tasks.task import (
    MAX_TASK_BYTES,
    MAX_TASK_DEPTH,
    Task,
    fitting,
    folded,
)
from missioncontrol.json_text.blocks import Block
from missioncontrol.state.limits import MAX_TASKS
from missioncontrol.watch.tree import fingerprint

MAX_ODD = 20
"""How many entries that are left unchanged an alert names."""

_GROWTH = 6
"""How many times as long as in the file a value can be as we write it: a control character becomes six."""

_encode = msgspec.json.encode
_decode = decode_json


class Odd(NamedTuple):
    """An entry that cannot be kept as a task: its position in its block, why, and its id where it has one."""

    place: int
    reason: str
    id: str | None


class Content(NamedTuple):
    """The entries of a block of tasks."""

    entries: list[Entry]
    odd: list[Odd]


class Everything(Container[str]):
    """Contains every id."""

    def __contains__(self, id_: object) -> bool:
        """Return True."""
        return True


@dataclass
class Copy:
    """A version of the file by another program.

    `by_id` has the tasks that have an id of their own, `rest` those that have none or another task's. `odd` says which
    entries cannot be kept as tasks, `odd_mark` is the same whenever they are the same; those of them that have an id
    are in `left`, so that they are not taken for deleted. `over` counts the entries beyond what any state holds, which
    are left as they are, too. `document` is None where it was not read from JSON. `changed` has the ids of tasks and of
    entries of the history that are others than in the copy before, or None: then all may be. `archived` has the ids of
    the entries of the history that were read now.
    """

    document: Document | None
    by_id: dict[str, Entry]
    rest: list[Entry]
    odd: list[str]
    odd_mark: str
    left: frozenset[str]
    over: int
    history: History
    next_id: int | None
    changed: set[str] | None = None
    archived: Collection[str] = ()

    @property
    def entries(self) -> list[Entry]:
        """All tasks in the order of the file."""
        if self.document is None:
            return sorted([*self.by_id.values(), *self.rest], key=lambda entry: entry.place)
        blocks = self.document.tasks or ()
        return [entry for block in blocks if block.content for entry in block.content.entries]

    @property
    def kept_out(self) -> Container[str]:
        """The ids that the file may have in it though they are not among its tasks here."""
        return Everything() if self.over else self.left

    def bases(self) -> dict[int, int]:
        """Return of each block of tasks and of the history, by its `id()`, the index of its first entry."""
        bases: dict[int, int] = {}
        for blocks in (self.document.tasks or (), self.document.history) if self.document is not None else ():
            base = 0
            for block in blocks:
                bases[id(block)] = base
                base += block.count
        return bases

    def task(self, id_: str, known: Task | None) -> Task | None:
        """Return a task that is in the file, or that is over and in its history; None if it is in neither.

        Args:
            id_: its id.
            known: the task as it was known before.
        """
        if (entry := self.by_id.get(id_)) is not None:
            return entry.task
        if (kept := self.history.get(id_)) is None:
            return None
        try:
            return task_over(kept.value, id_, known)
        except BadTask:
            return known


def read_queue(data: bytes, known: Copy | None = None) -> Copy:
    """Read `TASK_QUEUE.json`.

    Args:
        data: its text.
        known: the copy before; it must not be used any more afterwards.

    Raises:
        ValueError: it is no queue; the message says why, in a few words. `known` is as it was.
    """
    return copy_of(Document(data, None if known is None else known.document), known)


def copy_of(document: Document, known: Copy | None = None) -> Copy:
    """Return the copy in a document; `known` as in `read_queue`."""
    fresh: list[Entry] = []
    odd: list[str] = []
    marks: list[str] = []
    left: set[str] = set()
    base = count = over = 0
    for block in document.tasks or ():
        if count >= MAX_TASKS:
            block.take()
            if block.content is not None:
                block.content, known = None, None
            over += block.count
            continue
        if block.content is None:
            block.content = _sorted_block(block)
            fresh += block.content.entries
        content: Content = block.content
        for one in content.odd:
            odd.append(f"entry {base + one.place + 1}: {one.reason}")
            marks.append(f"{one.id} {one.reason}")
            if one.id is not None:
                left.add(one.id)
        base += block.count
        count += len(content.entries)
    if over:
        marks.append(f"over {MAX_TASKS}")
        odd.insert(0, f"{over:,} entries beyond the limit of {MAX_TASKS:,} tasks")
    by_id, rest, changed = _by_id(document, fresh, known)
    history, archived, moved = history_of(document, known)
    changed = None if changed is None or moved is None else changed | moved
    return Copy(
        document,
        by_id,
        rest,
        odd if len(odd) <= MAX_ODD else [*odd[:MAX_ODD], f"and {len(odd) - MAX_ODD:,} more"],
        fingerprint("\n".join(sorted(marks)).encode()) if marks else "",
        frozenset(left),
        over,
        history,
        document.next_id,
        changed,
        archived,
    )


def _by_id(
    document: Document, fresh: list[Entry], known: Copy | None
) -> tuple[dict[str, Entry], list[Entry], set[str] | None]:
    """Return the entries by id, those that have no id of their own, and which ids are not as they were."""
    blocks = document.tasks or ()
    if known is not None and known.document is not None and not known.rest:
        there = set(map(id, blocks))
        gone: dict[str, Task] = {}
        by_id = known.by_id
        for block in known.document.tasks or ():
            if id(block) not in there or block.content is None:
                for entry in block.content.entries if block.content is not None else ():
                    gone[entry.id] = by_id.pop(entry.id).task
        rest = [entry for entry in fresh if entry.id is None]
        named = {entry.id: entry for entry in fresh if entry.id is not None}
        if len(named) + len(rest) == len(fresh) and named.keys().isdisjoint(by_id.keys()):
            by_id.update(named)
            changed = {id_ for id_, task in gone.items() if id_ not in named or named[id_].task != task}
            return by_id, rest, changed | (named.keys() - gone.keys())
    by_id, rest = {}, []
    for block in blocks:
        for entry in block.content.entries if block.content is not None else ():
            if entry.id is None or entry.id in by_id:
                rest.append(entry)
            else:
                by_id[entry.id] = entry
    return by_id, rest, None


def read_table(data: bytes) -> Copy:
    """Read `TASK_QUEUE.md`.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        tasks, history = read_markdown(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    by_id: dict[str, Entry] = {}
    rest: list[Entry] = []
    odd: list[str] = []
    left: set[str] = set()
    for place, value in enumerate(tasks):
        try:
            task = task_in(value)
        except BadTask as error:
            odd.append(f"entry {place + 1}: {error}")
            if (id_ := id_in(value)) is not None:
                left.add(id_)
            continue
        entry = Entry(None, place, id_in(task), task)
        if entry.id is None or entry.id in by_id:
            rest.append(entry)
        else:
            by_id[entry.id] = entry
    mark = fingerprint("\n".join(odd).encode()) if odd else ""
    return Copy(None, by_id, rest, odd[:MAX_ODD], mark, frozenset(left), 0, History.of(history), None)


def _sorted_block(block: Block) -> Content:
    text, elements = block.text, block.take()
    entries: list[Entry] = []
    odd: list[Odd] = []
    try:
        # All at once: most files have nothing in them that JSON cannot carry.
        values = _decode(_encode([element.value for element in elements]))
    except (TypeError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        values = None
    for place, (value, start, end) in enumerate(elements):
        try:
            if values is None or not isinstance(value, dict):
                task = task_in(value)
            else:
                task = values[place]
                small = (end - start) * _GROWTH < MAX_TASK_BYTES
                if not small or text.count("{", start, end) + text.count("[", start, end) > MAX_TASK_DEPTH:
                    fitting(task)
                task = named(folded(task))
        except BadTask as error:
            odd.append(Odd(place, str(error), id_in(value)))
        else:
            entries.append(Entry(block, place, id_in(task), task))
    return Content(entries, odd)
