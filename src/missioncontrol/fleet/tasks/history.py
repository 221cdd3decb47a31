"""The `history` of a queue's file: its entries of tasks that are over, found by their ids.

A history that is read after another one shares with it what has not changed, so that reading it costs what has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from missioncontrol.errors import BadTask
from missioncontrol.fleet.tasks.document import Document
from missioncontrol.fleet.tasks.entries import id_in, plain
from missioncontrol.fleet.tasks.task import status_of
from missioncontrol.json_text.blocks import Block, Passed


class Kept(NamedTuple):
    """An entry with an id: its block, its position in that, and its value; None where the value cannot be kept."""

    block: Block | None
    place: int
    value: Any


class Part(NamedTuple):
    """What is in a block: its entries, those that have an id, and how many of the entries are completed tasks."""

    entries: list[Any]
    named: list[tuple[str, Kept]]
    completed: int


class History:
    """The entries in the order of the file. Of several with the same id the last one counts."""

    def __init__(self, parts: Sequence[Part], by_id: dict[str, Kept]) -> None:
        self._parts = parts
        self._length = sum(len(part.entries) for part in parts)
        self.by_id = by_id
        self._completed = sum(part.completed for part in parts)
        # Whether each entry with an id is the only one with it.
        self.is_unique = sum(len(part.named) for part in parts) == len(by_id)

    @classmethod
    def of(cls, values: Iterable[Any]) -> History:
        """Return a history with these entries, which are in no file of JSON."""
        part = _part(None, values)
        return cls([part], dict(part.named))

    def __len__(self) -> int:
        """Count the entries."""
        return self._length

    def __iter__(self) -> Iterator[Any]:
        """Go through the entries."""
        for part in self._parts:
            yield from part.entries

    def get(self, id_: str) -> Kept | None:
        """Return the last entry with this id; None where there is none."""
        return self.by_id.get(id_)

    def find(self, id_: str) -> Any:
        """Return the value of the last entry with this id; None where there is none that can be kept."""
        kept = self.by_id.get(id_)
        return None if kept is None else kept.value

    def count_completed(self, but: Collection[str]) -> int:
        """Count the entries of completed tasks, without some tasks."""
        one, other = (self.by_id, but) if len(self.by_id) < len(but) else (but, self.by_id)
        both = (id_ for id_ in one if id_ in other)
        return self._completed - sum(_is_completed(self.by_id[id_].value) for id_ in both)

    def newest(self, count: int) -> list[Any]:
        """Return the last entries, the last one first."""
        newest: list[Any] = []
        for part in reversed(self._parts):
            newest += part.entries[::-1][: count - len(newest)]
            if len(newest) == count:
                break
        return newest


class _Known(Protocol):
    """A copy of the file that was read before."""

    document: Document | None
    history: History


def history_of(document: Document, known: _Known | None) -> tuple[History, Collection[str], set[str] | None]:
    """Return what is in the history of a document; the ids that were read now; and those whose entries changed.

    Args:
        document: the document.
        known: the copy before; its history must not be used any more afterwards. Without it all may have changed, which
            is returned as None.
    """
    fresh: list[tuple[str, Kept]] = []
    for block in document.history:
        if block.content is None:
            block.content = _part(block, (element.value for element in block.take()))
            fresh += block.content.named
    parts = [block.content for block in document.history]
    read = {id_ for id_, _ in fresh}
    if known is None or known.document is None:
        return History(parts, {id_: kept for part in parts for id_, kept in part.named}), read, None
    there = set(map(id, document.history))
    gone = {
        id_
        for block in known.document.history
        if id(block) not in there and block.content is not None
        for id_, _ in block.content.named
    }
    before = {id_: known.history.by_id.get(id_) for id_ in gone | read}
    if known.history.is_unique and len(fresh) == len(read):
        by_id = known.history.by_id
        for id_ in gone:
            del by_id[id_]
        unique = by_id.keys().isdisjoint(read)
        by_id.update(fresh)
        history = History(parts, by_id)
    else:
        unique, history = False, History(parts, {})
    if not unique:
        # Which of several counts depends on all of them.
        history = History(parts, {id_: kept for part in parts for id_, kept in part.named})
    return history, read, {id_ for id_, kept in before.items() if not _is_same(kept, history.get(id_))}


def _is_same(one: Kept | None, other: Kept | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(one.value == other.value)


def _is_completed(value: Any) -> bool:
    """Report whether an entry is a completed task: by being in the history, unless it is cancelled."""
    return isinstance(value, dict) and status_of(value.get("status")) != "cancelled"


def _part(block: Block | None, values: Iterable[Any]) -> Part:
    entries: list[Any] = []
    named: list[tuple[str, Kept]] = []
    completed = 0
    for place, value in enumerate(values):
        try:
            is_readable, entry = not isinstance(value, Passed), None
            if is_readable:
                entry = plain(value)
        except BadTask:
            is_readable = False
        if is_readable:
            entries.append(entry)
            completed += _is_completed(entry)
        if (id_ := id_in(entry if is_readable else value)) is not None:
            named.append((id_, Kept(block, place, entry)))
    return Part(entries, named, completed)
