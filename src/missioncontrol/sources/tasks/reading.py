"""A queue's file as it was read: what in it is a task, and what is left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import BadTask
from missioncontrol.sources.tasks.document import Document
from missioncontrol.sources.tasks.markdown import read_markdown
from missioncontrol.sources.tasks.task import Task, fitting, folded


class Entry(NamedTuple):
    """A task in the file: its position, its id where it has one, and the task as the state keeps it."""

    place: int
    id: str | None
    task: Task


class Copy(NamedTuple):
    """What somebody has written.

    `odd` says which entries cannot be kept as tasks; those of them that have an id are in `left`, so that nobody takes
    them for deleted. `document` is None where it was not read from JSON.
    """

    document: Document | None
    entries: list[Entry]
    odd: list[str]
    left: frozenset[str]
    history: list[Any]
    next_id: int | None


def read_queue(data: bytes) -> Copy:
    """Read `TASK_QUEUE.json`.

    Raises:
        ValueError: it is no queue; the message says why, in a few words.
    """
    document = Document(data)
    values = [element.value for element in document.tasks or ()]
    return _sorted(document, values, document.history, document.next_id)


def read_table(data: bytes) -> Copy:
    """Read `TASK_QUEUE.md`.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        tasks, history = read_markdown(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    return _sorted(None, tasks, history, None)


def task_in(value: Any) -> Task:
    """Return a value of a file as the state keeps a task: as JSON can be sent and stored everywhere.

    Raises:
        BadTask: it is none that can be kept.
    """
    if not isinstance(value, dict):
        raise BadTask("It is no object.")
    return folded(fitting(_plain(value)))


def id_in(value: Any) -> str | None:
    """Return the id of an entry; a whole number is one, too."""
    id_ = value.get("id") if isinstance(value, dict) else None
    if isinstance(id_, int) and not isinstance(id_, bool):
        return str(id_)
    return id_ if isinstance(id_, str) and id_ else None


def _plain(value: Any) -> Any:
    """Return a value without what only Python's reader takes: halves of characters, numbers beyond all bounds."""
    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:
        whole = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        text = msgspec.json.encode(whole)
    except RecursionError:
        raise BadTask("It is nested too deep.") from None
    return msgspec.json.decode(text)


def _sorted(
    document: Document | None, values: Iterable[Any], history: list[Any], next_id: int | None
) -> Copy:
    entries: list[Entry] = []
    odd: list[str] = []
    left: set[str] = set()
    for index, value in enumerate(values):
        try:
            task = task_in(value)
        except BadTask as error:
            odd.append(f"entry {index + 1}: {error}")
            if (id_ := id_in(value)) is not None:
                left.add(id_)
        else:
            entries.append(Entry(index, id_in(task), task))
    return Copy(document, entries, odd, frozenset(left), list(_sendable(history)), next_id)


def _sendable(history: Iterable[Any]) -> Iterator[Any]:
    for entry in history:
        try:
            yield _plain(entry)
        except BadTask:
            continue
