"""Keeps `TASK_QUEUE.json` and the state's tasks in step, whoever edits either.

What happens with a file that somebody has written, in this order: it is merged with the state; what that changes in
the state is told, in one transaction with the file's versions, the merged one among them; then the merged one is
written, if the file has not changed again meanwhile. Whenever the process ends in between, the same merge comes to the
same end, since what both sides have already is no change of either: nothing is lost, and nothing told twice.

A broken file is told once and never written over; the queue goes on without it, and merges it when it is whole. A file
that is gone is written again with the next change.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Draft, now, rfc3339
from missioncontrol.sources.layout import TASK_FILES, parent_of
from missioncontrol.sources.profile import fingerprint
from missioncontrol.sources.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.sources.tasks.document import EMPTY, Document, Edit, Edits
from missioncontrol.sources.tasks.markdown import read_markdown
from missioncontrol.sources.tasks.merge import ConflictReport, Merged, merge
from missioncontrol.sources.tasks.past import Past
from missioncontrol.sources.tasks.task import (
    MAX_TASK_BYTES,
    Task,
    Told,
    changed,
    created,
    deleted,
    folded,
    number_of,
)
from missioncontrol.sources.tree import Content, folders_to, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_BASELINE_BYTES = 180 * 1024
MAX_CLOSED = 2_000
"""How many deleted tasks' versions are kept, for copies that still have them."""

WRITE_DELAY = 0.05
"""Seconds for which changes are gathered before the file is written."""

SECOND_LOOKS = (0.05, 0.1, 0.2, 0.4, 0.8)
HALF_WRITTEN_SECONDS = 2.0
RETRY_SECONDS = 5.0

JSON_FILE, MARKDOWN_FILE = TASK_FILES
_TOLD = "told"


class Copy(NamedTuple):
    """The file as it was read: its tasks by id with their positions, and what in it is no task to be kept."""

    document: Document | None
    tasks: dict[str, tuple[int, Task]]
    nameless: list[tuple[int, Task]]
    odd: list[str]
    history: list[Any]
    next_id: int | None


class Broken(NamedTuple):
    """A file that cannot be used, and why; `age` in seconds since it was written."""

    path: str
    wrong: str
    content: str
    age: float


class Sync:
    """The file's side of the queue. `history` are the file's entries of tasks that are over."""

    def __init__(self, workspace: Workspace, order: asyncio.Lock) -> None:
        """Prepare; nothing is read yet.

        Args:
            workspace: where the file is, and whose state has the tasks.
            order: held while tasks are changed.
        """
        self._root = workspace.root
        self._state = workspace.state.table("tasks")
        self._order = order
        self._path = self._root / JSON_FILE
        self.history: list[Any] = []
        self._past = Past()
        self._next = 1
        self._told = ""
        self._read: tuple[bytes, Copy] | None = None
        self._settled: dict[str, Task] | None = None
        self._gone = False
        self._looks = 0
        self._due: float | None = None
        self._complained = ""

    def new_id(self) -> str:
        """Return the id for a task that is new."""
        while True:
            id_ = f"TASK-{self._next:04}"
            self._next += 1
            if id_ not in self._state:
                return id_

    async def run(self, feed: Feed) -> None:
        """Keep both in step until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._begin(memory)
        feed.follow("task")
        await feed.watched()
        start = True
        while True:
            if self._take_due():
                async with self._order:
                    first = await self._agree(feed, first=first, at_start=start)
                doubtful = 0 < self._looks <= len(SECOND_LOOKS)
                if start and not doubtful:
                    start = False
                    feed.running()
            due = self._due
            batch = await feed.inbox.take(None if due is None else max(0.0, due - monotonic()))
            if self._due is None and self._concerns(batch):
                # What follows at once belongs to it.
                self._due = monotonic() + WRITE_DELAY

    def _begin(self, memory: Mapping[str, bytes]) -> None:
        self._past = Past()
        self._past.recall(memory)
        self._told = memory.get(_TOLD, b"").decode()
        self._read, self._settled, self._gone = None, None, False
        self._looks, self._due = 0, monotonic()

    def _take_due(self) -> bool:
        if self._due is None or self._due > monotonic():
            return False
        self._due = None
        return True

    def _concerns(self, batch: Batch) -> bool:
        folder = parent_of(JSON_FILE)
        if not batch.trees.isdisjoint(("", folder)) or not batch.paths.isdisjoint((*TASK_FILES, folder)):
            return True
        return self._differs()

    def _differs(self) -> bool:
        """Say whether the state's tasks are others than those that the file was last brought in step with."""
        settled = self._settled
        if settled is None or len(settled) != len(self._state):
            return True
        return any(settled.get(id_) is not task for id_, task in self._state.items())

    async def _agree(self, feed: Feed, *, first: bool, at_start: bool) -> bool:
        """Bring file and state in step once; returns whether the first look is still to come."""
        found = await asyncio.to_thread(self._look)
        if isinstance(found, Broken):
            await self._doubt(feed, found)
            return first
        self._looks = 0
        copy, content = found
        if copy is None:
            await self._without_file(feed)
            return False
        self._gone = False
        self.history = copy.history
        if self._told:
            self._told = ""
        if first:
            await self._baseline(feed, copy)
        ours = dict(self._state)
        merged = await asyncio.to_thread(merge, self._past, ours, copy.tasks, copy.next_id)
        self._number(ours, copy)
        tasks, new_ids = self._with_ids(copy, merged)
        drafts = self._drafts(feed, ours, tasks, merged, copy, at_start=at_start and not first)
        edits = self._edits(copy, tasks, new_ids)
        noted = self._past.note({id_: task for id_, (_, task) in copy.tasks.items()}, copy.next_id)
        if edits:
            # Before it is written: a copy that is made of it must not come upon a version that nobody knows.
            noted |= self._past.note(tasks, edits.next_id or copy.next_id)
        self._forget()
        if drafts or noted:
            await feed.tell([Step(drafts, {**self._past.changes(), MARK: b"1", _TOLD: b""})])
        self._settled = {id_: self._state[id_] for id_ in tasks if id_ in self._state}
        if edits and not await self._write(feed, copy, edits, content):
            self._settled = None
        return False

    # The file.

    def _look(self) -> tuple[Copy | None, Content | None] | Broken:
        """Read the file; in a thread."""
        for path, parse in ((JSON_FILE, self._parse), (MARKDOWN_FILE, _parse_markdown)):
            content = read_file(self._root, path, MAX_FILE_BYTES)
            if content is None:
                if os.path.lexists(self._root / path):
                    return Broken(path, "it is a symbolic link, which is not followed", "link", 1e9)
                continue
            if isinstance(content, str):
                return Broken(path, content, fingerprint(content.encode()), 1e9)
            try:
                return parse(content.data), content
            except ValueError as error:
                age = (time_ns() - content.mtime_ns) / 1e9
                return Broken(path, str(error), fingerprint(content.data), age)
        return None, None

    def _parse(self, data: bytes) -> Copy:
        if self._read is not None and self._read[0] == data:
            return self._read[1]
        document = Document(data)
        copy = _copy(document, [element.value for element in document.tasks], document.history)
        self._read = (data, copy)
        return copy

    async def _doubt(self, feed: Feed, broken: Broken) -> None:
        if self._told == broken.content:
            return
        if self._looks < len(SECOND_LOOKS) and broken.age < HALF_WRITTEN_SECONDS:
            self._due = monotonic() + SECOND_LOOKS[self._looks]
            self._looks += 1
            return
        self._looks = len(SECOND_LOOKS) + 1
        self._told = broken.content
        message = f"{broken.path} cannot be used as it is: {broken.wrong}. The tasks are kept as they were."
        alert = feed.alert("warning", message, path=broken.path, error=broken.wrong)
        await feed.tell([Step([alert], {_TOLD: broken.content.encode()})])

    async def _without_file(self, feed: Feed) -> None:
        """There is no file: write it with the next change."""
        self.history = []
        known = self._past.counter.content > 0
        if known and not self._gone:
            self._gone = True
            self._settled = dict(self._state)
            message = (
                f"{JSON_FILE} is gone. The tasks are kept, and it is written again with the next change."
            )
            await feed.tell([Step([feed.alert("warning", message, path=JSON_FILE)], {MARK: b"1"})])
            return
        if not known and not self._state:
            await feed.tell([Step([], {MARK: b"1"})])
            self._settled = {}
            return
        if self._settled is not None and not self._differs():
            return
        document = Document(EMPTY.encode())
        tasks = dict(self._state)
        self._number(tasks, None)
        edits = Edits(added=sorted(tasks.values(), key=lambda task: str(task["id"])), next_id=self._next)
        self._past.note(tasks, self._next)
        await feed.tell([Step([], {**self._past.changes(), MARK: b"1"})])
        self._settled = tasks
        copy = Copy(document, {}, [], [], [], None)
        if not await self._write(feed, copy, edits, None):
            self._settled = None

    async def _write(self, feed: Feed, copy: Copy, edits: Edits, content: Content | None) -> bool:
        """Write the merged file; False where it has changed again, or cannot be written: it is tried again."""
        document, before = copy.document, None if content is None else content.data
        if document is None:
            # Only Markdown was there: from now on the queue is JSON.
            document, before = Document(EMPTY.encode()), None
            edits = Edits(added=list(self._state.values()), next_id=self._next)
        try:
            written = await asyncio.to_thread(self._replace, document, edits, before)
        except OSError as error:
            self._due = monotonic() + RETRY_SECONDS
            wrong = f"it cannot be written: {error.strerror or error}"
            if self._told != wrong:
                self._told = wrong
                message = f"{JSON_FILE} is not in step with the tasks: {wrong}. It is tried again."
                await feed.tell([Step([feed.alert("warning", message, path=JSON_FILE)], {})])
            return False
        if not written:
            self._due = monotonic()
        elif self._told:
            self._told = ""
        return written

    def _replace(self, document: Document, edits: Edits, before: bytes | None) -> bool:
        """Put the edited file in the place of the one that was read, unless that is another one by now."""
        edits.updated = rfc3339(now()).decode()
        data = document.edited(edits)
        folder = self._path.parent
        if not folders_to(self._root, JSON_FILE, {}):
            if os.path.lexists(folder):
                raise NotADirectoryError(errno.ENOTDIR, "its folder is no folder", str(folder))
            folder.mkdir(parents=True)
        beside = folder / f".{self._path.name}.tmp"
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                if (mode := _mode(self._path)) is not None:
                    os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            there = read_file(self._root, JSON_FILE, MAX_FILE_BYTES)
            if (there.data if isinstance(there, Content) else there) != before:
                # Somebody has written it since: that is merged first.
                return False
            os.replace(beside, self._path)  # noqa: PTH105
        finally:
            beside.unlink(missing_ok=True)
        return True

    # What it means.

    async def _baseline(self, feed: Feed, copy: Copy) -> None:
        """Tell what is there at the first sight of a workspace, as state."""
        parts: list[list[Task]] = [[]]
        size = 0
        for _, task in copy.tasks.values():
            length = len(msgspec.json.encode(task))
            if parts[-1] and size + length > MAX_BASELINE_BYTES:
                parts.append([])
                size = 0
            parts[-1].append(task)
            size += length
        drafts = [feed.draft("state:baseline", {"source": "tasks", "tasks": part}) for part in parts if part]
        self._past.note({id_: task for id_, (_, task) in copy.tasks.items()}, copy.next_id)
        await feed.tell([Step(drafts, {**self._past.changes(), MARK: b"1"})])

    def _with_ids(self, copy: Copy, merged: Merged) -> tuple[dict[str, Task], dict[int, str]]:
        """Give an id to tasks of the file that have none, or another's."""
        tasks = dict(merged.tasks)
        new_ids: dict[int, str] = {}
        again = set(merged.renumbered)
        for index, task in [*copy.nameless, *(one for one in copy.tasks.values() if one[0] in again)]:
            new_ids[index] = id_ = self.new_id()
            tasks[id_] = {**task, "id": id_}
        return tasks, new_ids

    def _drafts(
        self,
        feed: Feed,
        ours: Mapping[str, Task],
        tasks: Mapping[str, Task],
        merged: Merged,
        copy: Copy,
        *,
        at_start: bool,
    ) -> list[Draft]:
        told: list[Told] = []
        over = {entry.get("id") for entry in copy.history if isinstance(entry, dict)}
        for id_ in ours.keys() - tasks.keys():
            gone = deleted(id_)
            told.append(Told(gone.type, {**gone.data, "archived": True}) if id_ in over else gone)
        for id_, task in tasks.items():
            old = ours.get(id_)
            if old is None:
                told.append(created(task))
            elif old is not task and (change := changed(old, task)) is not None:
                conflicts = [
                    {"field": conflict.field, "kept": conflict.kept, "dropped": conflict.dropped}
                    for conflict in merged.conflicts
                    if conflict.task == id_
                ]
                told.append(
                    Told(change.type, {**change.data, "conflicts": conflicts}) if conflicts else change
                )
        drafts = [
            feed.draft(one.type, {**one.data, "foundAtStart": True} if at_start else dict(one.data))
            for one in told
        ]
        if merged.conflicts:
            drafts.append(_report(feed, merged.conflicts))
        complaint = "; ".join(copy.odd)
        if complaint and complaint != self._complained:
            message = f"{JSON_FILE} has entries that are left as they are: {complaint}."
            drafts.append(feed.alert("warning", message[:1000], path=JSON_FILE))
        self._complained = complaint
        return drafts

    def _edits(self, copy: Copy, tasks: Mapping[str, Task], new_ids: Mapping[int, str]) -> Edits:
        """Return what the file lacks of what both are to have."""
        edits = Edits()
        if copy.document is None:
            wanted = {id_: task for id_, (_, task) in copy.tasks.items()}
            edits.added = [] if wanted == tasks else list(tasks.values())
            return edits
        again = set(new_ids)
        for id_, (index, task) in copy.tasks.items():
            if index in again:
                continue
            wanted_task = tasks.get(id_)
            if wanted_task is None:
                edits.dropped.add(index)
            elif wanted_task is not task and wanted_task != task:
                updates = {
                    name: value
                    for name, value in wanted_task.items()
                    if name not in task or task[name] != value
                }
                edits.changed[index] = Edit(updates, sorted(task.keys() - wanted_task.keys()))
        for index, id_ in new_ids.items():
            edits.changed[index] = Edit({"id": id_})
        there = copy.tasks.keys() - {id_ for id_, (index, _) in copy.tasks.items() if index in again}
        named = set(new_ids.values())
        edits.added = [task for id_, task in tasks.items() if id_ not in there and id_ not in named]
        if (
            edits
            and isinstance(copy.document.root.get("nextId", 0), int)
            and (copy.next_id or 0) < self._next
        ):
            edits.next_id = self._next
        return edits

    def _number(self, tasks: Mapping[str, Task], copy: Copy | None) -> None:
        """See to it that the next id is above every number that was ever used."""
        ids = [*tasks, *(copy.tasks if copy is not None else ())]
        if copy is not None:
            ids += [str(entry.get("id")) for entry in copy.history if isinstance(entry, dict)]
        numbers = [number for id_ in ids if (number := number_of(id_)) is not None]
        told = copy.next_id if copy is not None and copy.next_id is not None else 1
        self._next = max([self._next, told, *(number + 1 for number in numbers)])

    def _forget(self) -> None:
        closed = [
            id_ for id_, known in self._past.versions.items() if known[-1].until <= self._past.counter.content
        ]
        if len(closed) > MAX_CLOSED:
            closed.sort(key=lambda id_: self._past.versions[id_][-1].until)
            self._past.forget(closed[: len(closed) - MAX_CLOSED])


def _copy(document: Document | None, values: list[Any], history: list[Any]) -> Copy:
    """Sort what stands in a file into tasks, tasks without an id of their own, and what is none."""
    tasks: dict[str, tuple[int, Task]] = {}
    nameless: list[tuple[int, Task]] = []
    odd: list[str] = []
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            odd.append(f"entry {index + 1} is no object")
            continue
        if len(msgspec.json.encode(value)) > MAX_TASK_BYTES:
            odd.append(f"entry {index + 1} is larger than {MAX_TASK_BYTES // 1024} KiB")
            continue
        id_ = value.get("id")
        if isinstance(id_, int) and not isinstance(id_, bool):
            id_ = str(id_)
        task = folded(value)
        if not isinstance(id_, str) or not id_ or id_ in tasks:
            nameless.append((index, task))
        else:
            tasks[id_] = (index, {**task, "id": id_})
    return Copy(document, tasks, nameless, odd, history, document.next_id if document else None)


def _parse_markdown(data: bytes) -> Copy:
    try:
        tasks, history = read_markdown(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    return _copy(None, list(tasks), list(history))


def _report(feed: Feed, conflicts: list[ConflictReport]) -> Draft:
    some = ", ".join(f"{conflict.task} {conflict.field}" for conflict in conflicts[:10])
    more = f" and {len(conflicts) - 10} more" if len(conflicts) > 10 else ""
    message = f"Two edits of the same were made in {JSON_FILE} and here; of each the later one was kept: {some}{more}."
    details = [
        {"task": one.task, "field": one.field, "kept": one.kept, "dropped": one.dropped}
        for one in conflicts[:50]
    ]
    return feed.alert("info", message, path=JSON_FILE, conflicts=details)


def _mode(path: Path) -> int | None:
    """Return a file's permissions; None where it is not there."""
    try:
        return path.stat().st_mode & 0o7777
    except OSError:
        return None
