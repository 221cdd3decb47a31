"""Keeps `TASK_QUEUE.json` and the state's tasks in step, whoever edits either.

With a file that somebody has written, this is done, in this order:

1. it is merged with the state, and the merged content is noted among the file's versions as the next one;
2. what the merge changes in the state is told, in one transaction with the versions where that is not too much for one;
3. the merged content is written, if the file is still the one that was read; if not, all begins anew.

Whenever the process ends in between, the next one reads the file, finds what it knows, and comes to the same end.
Before 2, nothing has happened. After parts of 2, what was told is no change of either side any more. After 2, the file
is a content that is known, without an edit: only the state has changed, and is written into it. After 3, both are the
same. So nothing is lost, and nothing told twice.

A broken file is told once and never written over; the queue goes on without it, and merges it when it is whole. A file
that is gone deletes nothing, and is written again with the next change. Where there has never been one, the table in
`TASK_QUEUE.md` is read.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from missioncontrol.errors import Outdated
from missioncontrol.events import Draft, now, rfc3339
from missioncontrol.sources.doubts import SECOND_LOOKS, Doubt
from missioncontrol.sources.layout import TASK_FILES, parent_of
from missioncontrol.sources.profile import fingerprint
from missioncontrol.sources.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.sources.tasks.document import EMPTY, Document, Edits
from missioncontrol.sources.tasks.ids import Ids
from missioncontrol.sources.tasks.past import Past
from missioncontrol.sources.tasks.plan import Plan, agree, edits_for, shortened
from missioncontrol.sources.tasks.queue_file import MAX_FILE_BYTES, QueueFile
from missioncontrol.sources.tasks.reading import Copy, read_queue, read_table
from missioncontrol.sources.tasks.task import Task
from missioncontrol.sources.tree import Content, read_file

MAX_BASELINE_BYTES = 180 * 1024
GATHER_SECONDS = 0.05
"""For how long changes are gathered before they are brought in step, at least."""

LONGEST_GATHER_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 60.0
MAX_REPORTED = 40

JSON_FILE, MARKDOWN_FILE = TASK_FILES
_FOLDER = parent_of(JSON_FILE)
_NUMBERED = re.compile(rb"TASK-\d{1,9}\b")

# Under these keys is remembered: the broken file that was told; the odd entries that were; that the file was told to be
# gone; that there has been JSON.
_BROKEN, _ODD, _GONE, _JSON = "broken", "odd", "gone", "json"


class Seen(NamedTuple):
    """The file as it was just looked at.

    `copy` is None where it is missing, where `wrong` says what is wrong, and where it is `own`: as it was last written
    here.
    """

    path: str = JSON_FILE
    content: Content | str | None = None
    copy: Copy | None = None
    wrong: str = ""
    own: bool = False

    @property
    def data(self) -> bytes:
        """What stands in it."""
        return self.content.data if isinstance(self.content, Content) else b""


class Sync:
    """The file's side of the queue. `history` are the file's entries of tasks that are over."""

    def __init__(self, workspace: Workspace, order: asyncio.Lock) -> None:
        """Prepare; nothing is read yet.

        Args:
            workspace: where the file is, and whose state has the tasks.
            order: held while tasks are changed.
        """
        self._root = workspace.root
        self._folded = workspace.state
        self._state = workspace.state.table("tasks")
        self._order = order
        self._file = QueueFile(workspace.root)
        self.ids = Ids(self._state.keys())
        self.history: list[Any] = []
        self._recall({})

    def _recall(self, memory: Mapping[str, bytes]) -> None:
        self._first = MARK not in memory
        self._past = Past()
        self._past.recall(memory)
        self.ids.recall(memory)
        self._doubt = Doubt(JSON_FILE, memory.get(_BROKEN, b"").decode())
        self._odd = memory.get(_ODD, b"").decode()
        self._gone, self._json = _GONE in memory, _JSON in memory
        self._start = True
        # Whether the file is about to be looked at again, and whether nothing can be done until it changes.
        self._doubtful = self._blocked = False
        self._due = monotonic()
        self._noticed: float | None = None
        self._gather = GATHER_SECONDS
        # The file as it was last read, or as it was written then; and what both sides agreed on.
        self._last: Seen | None = None
        self._own: bytes | None = None
        self._agreed: dict[str, Task] | None = None
        self._unwritten = False
        self._retry = FIRST_RETRY_SECONDS
        self._retry_at = 0.0
        self._told_trouble = ""

    async def run(self, feed: Feed, ready: Callable[[], None]) -> None:
        """Keep both in step until cancelled; `ready` is called once the first look has been taken."""
        self._recall(await feed.recall())
        feed.follow("task")
        await feed.watched()
        while True:
            if self._due <= monotonic():
                began, noticed = monotonic(), self._noticed
                self._due, self._noticed, self._doubtful = math.inf, None, False
                await self._look(feed, noticed)
                # A large queue under many changes leaves the machine to others at least half of the time.
                took = monotonic() - began
                self._gather = min(max(GATHER_SECONDS, took), LONGEST_GATHER_SECONDS)
                if self._start and not self._doubtful:
                    self._start = False
                    ready()
                    feed.running()
            batch = await feed.inbox.take(
                None if self._due == math.inf else max(0.0, self._due - monotonic())
            )
            of_file = _concerns(batch)
            if of_file and self._noticed is None:
                self._noticed = batch.noticed
            # What is half written is looked at again when it is time, not at every byte.
            if not self._doubtful and (of_file or (not self._blocked and self._differs())):
                self._soon(self._gather)

    def _soon(self, seconds: float) -> None:
        self._due = min(self._due, monotonic() + seconds)

    def _differs(self) -> bool:
        """Say whether the state's tasks are others than those that were agreed on."""
        agreed = self._agreed
        if agreed is None:
            return False
        if len(agreed) != len(self._state):
            return True
        for id_, task in self._state.items():
            known = agreed.get(id_)
            if known is not task:
                if known != task:
                    return True
                agreed[id_] = task
        return False

    def _settled(self) -> bool:
        """Say whether there is nothing to do about a file that is as it was."""
        if self._gone or self._unwritten or self._doubt.told or self._differs():
            return False
        self._doubt.whole()
        return True

    async def _look(self, feed: Feed, noticed: float | None) -> None:
        """Look at the file, and bring it and the state in step."""
        seen, late = await asyncio.to_thread(self._see)
        if late is not None:
            self._soon(late)
        if seen.own and isinstance(seen.content, Content):
            if self._json and self._settled():
                return
            seen = await asyncio.to_thread(self._parse, seen.path, seen.content)
        self._blocked = bool(seen.wrong)
        if seen.wrong:
            await self._broken(feed, seen)
        elif seen.copy is None:
            await self._missing(feed)
        else:
            await self._whole(feed, seen, seen.copy, noticed)

    # What is there.

    def _see(self) -> tuple[Seen, float | None]:
        """Look at the file, and say when to look for late writers again; in a thread."""
        try:
            late = self._file.late()
        except OSError:
            late = None
        for path in TASK_FILES:
            content = read_file(self._root, path, MAX_FILE_BYTES)
            if content is not None:
                return self._read(path, content), late
            if os.path.lexists(self._root / path):
                wrong = "it is a symbolic link, or lies behind one, which is not followed"
                return Seen(path, wrong, wrong=wrong), late
            if self._json:
                break
        return Seen(), late

    def _read(self, path: str, content: Content | str) -> Seen:
        if isinstance(content, str):
            return Seen(path, content, wrong=content)
        if path == JSON_FILE and content.data == self._own:
            return Seen(path, content, own=True)
        if self._last is not None and (self._last.path, self._last.data) == (path, content.data):
            return self._last
        return self._parse(path, content)

    def _parse(self, path: str, content: Content) -> Seen:
        try:
            copy = read_queue(content.data) if path == JSON_FILE else read_table(content.data)
            if copy.document is not None and copy.document.tasks is None and self._past.versions:
                raise ValueError('it has no "tasks"')
        except ValueError as error:
            return Seen(path, content, wrong=str(error))
        return Seen(path, content, copy)

    async def _broken(self, feed: Feed, seen: Seen) -> None:
        # Nobody is to be given an id that stands in there.
        self.ids.above(found.decode() for found in _NUMBERED.findall(seen.data))
        verdict = self._doubt.broken(seen.wrong if seen.content is None else seen.content)
        if verdict.wait is not None:
            self._doubtful = verdict.wait <= max(SECOND_LOOKS)
            self._soon(verdict.wait)
        if verdict.complain:
            message = f"{seen.path} cannot be used as it is: {seen.wrong}. The tasks are kept as they were."
            alert = feed.alert("warning", message, path=seen.path, error=seen.wrong)
            await feed.tell([Step([alert], {_BROKEN: self._doubt.told.encode()})])

    # A file that is not there.

    async def _missing(self, feed: Feed) -> None:
        if self._past and not self._gone:
            verdict = self._doubt.missing()
            if verdict.wait is not None:
                self._doubtful = True
                self._soon(verdict.wait)
                return
            self._doubt.whole()
            self._gone = True
            self._agreed = dict(self._state)
            message = f"{JSON_FILE} is gone. The tasks are kept; it is written again with the next change."
            alert = feed.alert("warning", message, path=JSON_FILE)
            await feed.tell([Step([alert], {_GONE: b"1"})])
            return
        if self._first:
            self._first = False
            await feed.tell([Step([], {MARK: b"1"})])
        if self._agreed is None:
            self._agreed = dict(self._state) if self._past else {}
        if self._differs() or self._unwritten:
            tasks = dict(self._state)
            self.ids.above(tasks)
            last = self._last.data if self._last is not None and self._last.path == JSON_FILE else EMPTY
            text = last if self._own is None else self._own
            copy = await asyncio.to_thread(read_queue, text)
            edits = edits_for(self.ids, copy, tasks)
            self._past.note(tasks, edits.next_id or copy.next_id, ahead=True)
            await feed.tell(self._memory())
            self._agreed = tasks
            await self._write(feed, copy, edits, None)

    # A file that is whole.

    async def _whole(self, feed: Feed, seen: Seen, copy: Copy, noticed: float | None) -> None:
        if seen is self._last and self._settled():
            return
        settled: dict[str, bytes | None] = {_BROKEN: None} if self._doubt.told else {}
        self._doubt.whole()
        if self._gone:
            settled[_GONE] = None
        if seen.path == JSON_FILE and not self._json:
            settled[_JSON] = b"1"
        async with self._order:
            ours, known_until = dict(self._state), self._folded.id
            plan = await asyncio.to_thread(agree, self._past, self.ids, ours, copy, heal=not self._first)
            steps = self._steps(feed, plan, copy, settled)
            try:
                await feed.tell(steps, noticed=noticed, after=known_until)
            except Outdated:
                # Another node has changed a task meanwhile: all is looked at anew, from what is remembered.
                first_look = self._start
                self._recall(await feed.recall())
                self._start = first_look
                self._soon(0.0)
                return
            self._agreed = plan.tasks
            self._last, self._own = seen, None
            self.history = copy.history
        self._first, self._gone = False, False
        self._json |= seen.path == JSON_FILE
        if plan.edits:
            await self._write(feed, copy, plan.edits, seen.data)
        else:
            self._written()

    def _steps(self, feed: Feed, plan: Plan, copy: Copy, settled: Mapping[str, bytes | None]) -> list[Step]:
        """Return what is to be told and remembered, task by task; at the first sight, what is there is state."""
        memory = self._past.changes()
        steps = [Step([], self.ids.changes())]
        new: list[Task] = []
        for id_, told in plan.told.items():
            if self._first and told[0].type == "task:created":
                new.append(plan.tasks[id_])
                continue
            drafts = [feed.draft(one.type, self._marked(one.data)) for one in told]
            key = self._past.key(id_)
            steps.append(Step(drafts, {key: memory.pop(key)} if key in memory else {}))
        steps += _baseline(feed, new)
        steps += (Step([], {key: kept}) for key, kept in memory.items())
        alerts, remembered = self._complaints(feed, plan, copy)
        # Counter and mark come last: what was cut short is judged anew, and a baseline taken anew.
        last = {**self._past.counter(), **settled, **remembered, **({MARK: b"1"} if self._first else {})}
        return [step for step in (*steps, Step(alerts, last)) if step.drafts or step.changes]

    def _marked(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "foundAtStart": True} if self._start and not self._first else dict(data)

    def _complaints(self, feed: Feed, plan: Plan, copy: Copy) -> tuple[list[Draft], dict[str, bytes | None]]:
        alerts: list[Draft] = []
        if plan.conflicts:
            alerts.append(_report(feed, plan))
        odd = "; ".join(copy.odd)
        mark = fingerprint(odd.encode()) if odd else ""
        if mark == self._odd:
            return alerts, {}
        self._odd = mark
        if odd:
            message = f"{JSON_FILE} has entries that are left as they are: {odd}"
            alerts.append(feed.alert("warning", message[:1000], path=JSON_FILE))
        return alerts, {_ODD: mark.encode() or None}

    def _memory(self) -> list[Step]:
        changes = {**self.ids.changes(), **self._past.changes(), **self._past.counter()}
        return [Step([], {key: kept}) for key, kept in changes.items()]

    # Writing.

    async def _write(self, feed: Feed, copy: Copy, edits: Edits, before: bytes | None) -> None:
        """Write what both sides are to have; later, where it cannot be done now."""
        self._unwritten = True
        if monotonic() < self._retry_at:
            self._soon(self._retry_at - monotonic())
            return
        if copy.document is None:
            # Only a table was there: from now on the queue is JSON.
            before = None
        try:
            written = await asyncio.to_thread(self._put, copy, edits, before)
        except OSError as error:
            self._retry_at = monotonic() + self._retry
            self._soon(self._retry)
            self._retry = min(self._retry * 2, LONGEST_RETRY_SECONDS)
            trouble = error.strerror or str(error)
            if trouble != self._told_trouble:
                self._told_trouble = trouble
                message = f"{JSON_FILE} cannot be written: {trouble}. The tasks are kept; it is tried again."
                await feed.tell([Step([feed.alert("warning", message, path=JSON_FILE)], {})])
            return
        if written:
            self._written()
        else:
            self._soon(0.0)

    def _put(self, copy: Copy, edits: Edits, before: bytes | None) -> bool:
        document = copy.document or Document(_without_tasks(copy.history))
        edits.updated = rfc3339(now()).decode()
        data = document.edited(edits)
        written = self._file.put(data, before)
        if written:
            self._last, self._own = None, data
        return written

    def _written(self) -> None:
        self._past.reached()
        self._unwritten = False
        self._retry, self._retry_at, self._told_trouble = FIRST_RETRY_SECONDS, 0.0, ""


def _concerns(batch: Batch) -> bool:
    """Say whether a batch speaks of the file."""
    return not batch.trees.isdisjoint(("", _FOLDER)) or not batch.paths.isdisjoint((*TASK_FILES, _FOLDER))


def _baseline(feed: Feed, tasks: list[Task]) -> list[Step]:
    """Return what tells tasks as state."""
    parts: list[list[Task]] = [[]]
    size = 0
    for task in tasks:
        length = len(msgspec.json.encode(task))
        if parts[-1] and size + length > MAX_BASELINE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(task)
        size += length
    drafts = (feed.draft("state:baseline", {"source": "tasks", "tasks": part}) for part in parts if part)
    return [Step([draft], {}) for draft in drafts]


def _report(feed: Feed, plan: Plan) -> Draft:
    details = [
        {"task": id_, "field": one.field, "kept": shortened(one.kept), "dropped": shortened(one.dropped)}
        for id_, found in plan.conflicts.items()
        for one in found
    ]
    some = ", ".join(f"{one['task']} {one['field']}" for one in details[:10])
    more = f" and {len(details) - 10} more" if len(details) > 10 else ""
    message = f"The same was edited in {JSON_FILE} and here; the later edit was kept: {some}{more}."
    return feed.alert("info", message, path=JSON_FILE, conflicts=details[:MAX_REPORTED])


def _without_tasks(history: list[Any]) -> bytes:
    """Return the text of a queue that has no tasks yet."""
    root = {**Document(EMPTY).root, "tasks": [], "history": history}
    return json.dumps(root, ensure_ascii=False, indent=2).encode() + b"\n"
