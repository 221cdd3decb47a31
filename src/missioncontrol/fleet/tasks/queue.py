"""The task queue: what can be done with tasks, while `sync.py` keeps the file in step.

The tasks are those of the folded state. What is done with them is decided here, one thing after the other, published
as an event, durable, and in the file before it returns; so of two agents who claim a task exactly one gets it. Before
anything is decided the file is checked, so that what an agent has just written into it is known. Yet the file is
never needed: while it is missing, broken or cannot be written, the queue goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from missioncontrol.errors import (
    BadTask,
    Conflict,
    InputError,
    NotFound,
    Outdated,
    PreconditionFailed,
    QuotaExceeded,
    Unavailable,
)
from missioncontrol.events import MAX_ID_LENGTH, Data, Record
from missioncontrol.events.author import author
from missioncontrol.events.hosts import find_id, host_of, id_at_home
from missioncontrol.fleet.source import Feed, Workspace
from missioncontrol.fleet.tasks.decisions import (
    check_free,
    check_id,
    in_its_status,
    is_open,
    tags_in,
    time_after,
    time_now,
    words_of,
)
from missioncontrol.fleet.tasks.index import Place, TaskIndex
from missioncontrol.fleet.tasks.markdown import HISTORY_ROWS, write_markdown
from missioncontrol.fleet.tasks.pages import TaskPage, existing, page_of
from missioncontrol.fleet.tasks.subtasks import (
    check_subtask,
    new_subtask,
    subtasks_of,
    with_completed_subtask,
)
from missioncontrol.fleet.tasks.sync import Sync
from missioncontrol.fleet.tasks.task import (
    DEFAULTS,
    UNASSIGNED,
    Task,
    TaskEvent,
    changed,
    checked,
    checked_priority,
    created,
    deleted,
    fitting,
    tag_of,
    task_ids,
)

PATIENCE = 30.0
"""Seconds for which something that is to be done waits for what is being done."""

SHOWN_ID = 100
"""How many characters of an id a message shows."""

NO_IDS = frozenset({".", "..", "stats", "summary", "due", "search", "bulk"})
"""What means something else behind `/api/tasks/`: nothing could be done any more with a task of this name."""


class TaskQueue:
    """The tasks of the fleet, and what can be done with them."""

    name = "tasks"

    def __init__(self, workspace: Workspace) -> None:
        self._fleet = workspace.fleet
        self._queue = workspace.queue
        self._host = workspace.host
        self._tasks = workspace.fleet.table("tasks")
        self._most = workspace.config.quotas.tasks
        self._order = asyncio.Lock()
        self._sync = Sync(workspace, self._order)
        self._feed: Feed | None = None
        # Whether the ids of the file are known, and whether all its tasks are.
        self._begun = asyncio.Event()
        self._ready = asyncio.Event()
        self._index = TaskIndex(self._tasks)

    def committed(self, records: Sequence[Record]) -> None:
        """Note which tasks a commit is about. It may come before the state has it."""
        ids = [id_ for record in records for id_ in task_ids(record.type, record.data)]
        if not ids:
            return
        if self._index.touch(ids):
            asyncio.get_running_loop().call_soon(self._index.refresh)
        host = self._host
        home = ids if host is None else [own for id_ in ids if (own := id_at_home(id_, host)) is not None]
        self._sync.touch(home)

    async def run(self, feed: Feed) -> None:
        """Keep the file in step until cancelled."""
        self._feed = feed
        try:
            await self._sync.run(feed, self._begun.set, self._set_ready)
        finally:
            # With a file that cannot be kept in step, the queue goes on all the same.
            self._set_ready()

    def _set_ready(self) -> None:
        self._begun.set()
        self._ready.set()

    def attach(self, feed: Feed) -> None:
        """Publish what is done with tasks through this feed; the file is kept in step by `run` alone."""
        self._feed = feed
        self._set_ready()

    # What there is: as of the last look at the file, which `fresh` makes the present.

    async def fresh(self) -> None:
        """Have what agents have written into the file until now be known; at once where it has not changed.

        Call it before tasks are read for a client. It waits a few seconds at most, and raises nothing.
        """
        await self._sync.fresh()

    @asynccontextmanager
    async def _in_file(self) -> AsyncIterator[list[Task]]:
        """Do something by what is in the file now, and wait until the tasks that are put into the list are in it."""
        tasks: list[Task] = []
        with self._sync.rounds.busy():
            await self.fresh()
            yield tasks
            await self._sync.written([id_ for task in tasks if (id_ := self._own_id(task["id"])) is not None])

    def _own_id(self, id_: str) -> str | None:
        """Return the id of a task in the file; None where it is another host's."""
        return id_ if self._host is None or host_of(id_) is None else id_at_home(id_, self._host)

    def ordered(self) -> list[Task]:
        """Return all tasks, the most urgent first."""
        return existing(self._tasks, self._index.ids())

    def ids(self) -> list[str]:
        """Return the ids of all tasks, the most urgent first."""
        return self._index.ids()

    async def page(
        self, fits: Callable[[Task], bool] | None, *, after: Place | None = None, limit: int
    ) -> TaskPage:
        """Return some of the tasks, the most urgent first.

        Args:
            fits: says which; None for all.
            after: only those after this place in the order.
            limit: how many at most.
        """
        return await page_of(self._tasks, self._index, fits, after, limit)

    def in_queue(self) -> list[Task]:
        """Return the tasks that are not in the file's history, the most urgent first."""
        return [task for task in self.ordered() if not self._is_archived(task["id"])]

    def _is_archived(self, id_: str) -> bool:
        own = self._own_id(id_)
        return own is not None and self._sync.is_archived(own)

    def history(self) -> list[Any]:
        """Return the file's entries of tasks that are over; the state has the newest of them, too."""
        return list(self._sync.history)

    def find(self, id_: str) -> Task:
        """Return a task, or the entry of the history with its id.

        Raises:
            NotFound: there is neither.
            Conflict: several hosts have one of that name.
        """
        task = self._tasks.get(find_id(id_, self._tasks.keys(), self._host) or id_)
        if task is not None:
            return task
        found: Task | None = self._sync.in_history(id_.removesuffix(f"@{self._host}"))
        if found is not None:
            return found
        raise NotFound(f"There is no task {id_[:SHOWN_ID]!r}; /api/tasks lists those there are.")

    @staticmethod
    def etag(task: Task) -> str:
        """Return the entity tag of a task as it is (RFC 9110, section 8.8.3)."""
        return tag_of(task)

    def stats(self) -> Data:
        """Count the tasks by status, priority and assignee."""
        by_status = self._index.by_status()
        return {
            "total": len(self._tasks),
            "byStatus": by_status,
            "byPriority": self._index.by_priority(),
            "byAssignee": self._index.by_assignee(),
            "completed": by_status["completed"] + self._sync.count_let_go(),
            "updated": time_now(),
        }

    def summary(self) -> Data:
        """Describe the queue in a few numbers; what is urgent is counted among what is not over.

        `archived` counts the completed tasks that are in the file's history alone; `queueFile` is the file that is the
        queue, None before there is one.
        """
        by_status, archived = self._index.by_status(), self._sync.count_let_go()
        return {
            "pending": by_status["pending"],
            "inProgress": by_status["in_progress"],
            "review": by_status["review"],
            "completed": by_status["completed"] + archived,
            "critical": self._index.urgent("P0"),
            "high": self._index.urgent("P1"),
            "total": len(self._tasks),
            "archived": archived,
            "queueFile": self._queue.path,
            "updated": time_now(),
        }

    def due(self, hours: float = 24.0) -> list[Task]:
        """Return the tasks that are not over and due within so many hours, or before now; the soonest first."""
        return existing(self._tasks, self._index.due(datetime.now(UTC) + timedelta(hours=hours)))

    async def search(self, query: str, limit: int | None = None) -> TaskPage:
        """Return the tasks in whose id, description, assignee, tags or notes a text occurs, whatever its case."""
        wanted = query.casefold()
        return await self.page(
            lambda task: self.contains(task, wanted), limit=self._most if limit is None else limit
        )

    @staticmethod
    def contains(task: Task, text: str) -> bool:
        """Report whether a text, in lower case, is in a task's id, description, assignee, tags or notes."""
        return text in words_of(task).casefold()

    async def markdown(self) -> str:
        """Write the queue as a Markdown document."""
        newest = self._sync.history.newest(HISTORY_ROWS)
        return await asyncio.to_thread(write_markdown, self.in_queue(), newest, time_now())

    # What can be done.

    async def create(self, fields: Any, *, by: str | None = None) -> Task:
        """Add a task.

        Args:
            fields: what it is made of; all is optional. Its own `id` may be given.
            by: who adds it, where the fields do not say.

        Raises:
            BadTask: a field is of the wrong kind.
            Conflict: there is a task with this id.
            Unavailable: the log cannot be written.
        """
        given = checked(fields)
        id_ = given.pop("id", None)
        if id_ is not None and not (isinstance(id_, str) and 0 < len(id_) <= MAX_ID_LENGTH):
            raise BadTask(
                f"id must be a text of 1 to {MAX_ID_LENGTH} characters; leave it out to be given one."
            )
        if id_ is not None and ("/" in id_ or id_ in NO_IDS):
            raise BadTask(
                f"The id {id_[:SHOWN_ID]!r} has no address below /api/tasks that every proxy keeps; choose "
                f"one without a '/', or leave it out to be given one."
            )
        if id_ is not None:
            await self._wait_ready()
        async with self._in_file() as written:
            task = await self._add(id_, given, by)
            written.append(task)
        return task

    async def _add(self, id_: str | None, given: Data, by: str | None) -> Task:
        async with self._in_order() as feed:
            if len(self._tasks) >= self._most:
                raise QuotaExceeded(
                    f"There are {self._most:,} tasks, which is the limit: remove some that are over, "
                    f"or set quotas.tasks higher."
                )
            while True:
                new = id_ or self._sync.ids.new()
                if id_ is not None and self._is_known(id_):
                    raise Conflict(f"There is a task {id_!r} already; leave the id out to be given one.")
                time = time_now()
                task: Task = {
                    "id": new,
                    **{name: given.get(name, default) for name, default in DEFAULTS.items()},
                    "createdBy": given.get("createdBy", by or "System"),
                    "created": time,
                    "updated": time,
                }
                task = in_its_status({**task, **given}, {}, time)
                try:
                    await self._publish(feed, created(fitting(task)), self._fleet.id)
                except Outdated:
                    # Another node has given this id at the same moment.
                    continue
                return self._tasks.get(find_id(new, self._tasks.keys(), self._host) or new, task)

    def _is_known(self, id_: str) -> bool:
        own = id_ if self._host is None or host_of(id_) is not None else f"{id_}@{self._host}"
        return own in self._tasks or self._sync.history.get(id_) is not None

    async def update(self, id_: str, fields: Any, *, if_match: str | None = None) -> Task:
        """Change fields of a task; `metadata` is merged into what there is, and null says that there is none.

        Raises:
            BadTask, NotFound, PreconditionFailed, Unavailable: as their names say.
        """
        async with self._in_file() as written:
            task = await self._update(id_, fields, if_match)
            written.append(task)
        return task

    async def _update(self, id_: str, fields: Any, if_match: str | None = None) -> Task:
        def make(old: Task) -> Task:
            given = checked(fields, old)
            check_id(given, id_, old)
            new = {**old, **given}
            merged = fields.get("metadata") is not None and "metadata" in given
            if merged and isinstance(old.get("metadata"), dict):
                new["metadata"] = {**old["metadata"], **given["metadata"]}
            return new

        return await self._decide(id_, make, if_match=if_match)

    async def delete(self, id_: str, *, if_match: str | None = None) -> Task:
        """Remove a task, and return it as it was."""
        async with self._in_file() as written:
            task = await self._remove(id_, if_match)
            written.append(task)
        return task

    async def _remove(self, id_: str, if_match: str | None) -> Task:
        async with self._in_order(id_) as feed:
            while True:
                seen = self._fleet.id
                task = self._current(id_, if_match)
                try:
                    await self._publish(feed, deleted(task["id"]), seen)
                except Outdated:
                    continue
                return task

    async def assign(
        self,
        id_: str,
        agent: str,
        *,
        by: str | None = None,
        start: bool = False,
        notes: str | None = None,
        claim: bool = False,
        if_match: str | None = None,
    ) -> Task:
        """Give a task to an agent.

        Args:
            id_: the task's.
            agent: the agent's id.
            by: who gives it.
            start: begin it at once: its status becomes in_progress.
            notes: what to add to its notes.
            claim: only if no other agent has it and it is not over.
            if_match: only if the task is still as this entity tag says.

        Raises:
            Conflict: it is claimed, and another agent's, or over.
        """
        if not agent.strip():
            raise BadTask("agentId must name the agent that the task is given to.")
        agent = self._full_agent(agent)

        def make(old: Task) -> Task:
            if claim:
                check_free(old, agent)
            new = {**old, "assignedTo": agent}
            if start:
                new["status"] = "in_progress"
            if notes and isinstance(old.get("notes"), list):
                new["notes"] = [*old["notes"], f"[{time_now()}] Assigned to {agent}: {notes}"]
            elif notes:
                new["notes"] = f"{old.get('notes') or ''}\n[{time_now()}] Assigned to {agent}: {notes}"
            return new

        return await self._change(id_, make, given=True, by=by, if_match=if_match)

    async def claim_next(self, agent: str, *, tags: Collection[str] = (), start: bool = False) -> Task | None:
        """Give an agent the most urgent pending task that is not assigned, or return None where there is none.

        Of several who ask at the same moment, on whichever nodes, each gets another one.

        Args:
            agent: the agent's id.
            tags: only a task with one of these; any without.
            start: begin it at once: its status becomes in_progress.
        """
        agent = self._full_agent(agent)

        def make(old: Task) -> Task:
            if not is_open(old, tags):
                raise Conflict(f"The task {old['id']} is not open any more.")
            return {**old, "assignedTo": agent, **({"status": "in_progress"} if start else {})}

        await self._wait_ready()
        async with self._in_file() as written:
            while (task := self._index.first_open(lambda one: is_open(one, tags))) is not None:
                try:
                    claimed = await self._decide(task["id"], make, given=True)
                except (Conflict, NotFound):
                    # Another agent was first; there may be another one.
                    continue
                written.append(claimed)
                return claimed
        return None

    async def set_priority(self, id_: str, priority: Any) -> Task:
        """Change a task's priority."""
        return await self.update(id_, {"priority": checked_priority(priority)})

    async def add_subtask(self, id_: str, fields: Any) -> Data:
        """Add a subtask, and return it."""
        check_subtask(fields)
        added: Data = {}

        def make(old: Task) -> Task:
            short = old["id"].removesuffix(f"@{host_of(old['id'])}") if self._host else old["id"]
            added.update(new_subtask(old, fields, short))
            return {**old, "subtasks": [*subtasks_of(old), added]}

        await self._change(id_, make)
        return added

    async def complete_subtask(self, id_: str, subtask_id: str) -> Data:
        """Complete a subtask, and return it; when all are, the task goes into review unless it is over."""
        found: Data = {}

        def make(old: Task) -> Task:
            new, subtask = with_completed_subtask(old, subtask_id)
            found.update(subtask)
            return new

        await self._change(id_, make)
        return found

    async def bulk_update(self, ids: Sequence[str], fields: Any) -> list[Data]:
        """Change the same fields of several tasks; an entry of the answer is the task, or `id` and `error`."""
        checked(fields)
        answers: list[Data] = []
        async with self._in_file() as written:
            # One write for all of them.
            with self._sync.rounds.hold():
                for id_ in ids:
                    try:
                        written.append(await self._update(str(id_), fields))
                        answers.append(written[-1])
                    except InputError as error:
                        answers.append({"id": id_, "error": str(error)})
        return answers

    # How it is done.

    async def _wait_ready(self) -> None:
        """Wait until all tasks of the file are known."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            raise Unavailable("The task queue is not ready yet; try again in a moment.") from None

    def _full_agent(self, agent: str) -> str:
        if self._host is None or agent.casefold() == UNASSIGNED.casefold():
            return agent
        known = find_id(agent, self._fleet.table("agents").keys(), self._host)
        return known or (agent if host_of(agent) is not None else f"{agent}@{self._host}")

    async def _change(
        self,
        id_: str,
        make: Callable[[Task], Task],
        *,
        given: bool = False,
        by: str | None = None,
        if_match: str | None = None,
    ) -> Task:
        """Change a task by what the file has now, and have the file know it."""
        async with self._in_file() as written:
            task = await self._decide(id_, make, given=given, by=by, if_match=if_match)
            written.append(task)
        return task

    async def _decide(
        self,
        id_: str,
        make: Callable[[Task], Task],
        *,
        given: bool = False,
        by: str | None = None,
        if_match: str | None = None,
    ) -> Task:
        async with self._in_order(id_) as feed:
            while True:
                seen = self._fleet.id
                old = self._current(id_, if_match)
                time = time_after(old)
                new = in_its_status(make(old), old, time)
                if new == old:
                    return old
                event = changed(old, fitting({**new, "updated": time}), given=given, by=by)
                try:
                    await self._publish(feed, event, seen)
                except Outdated:
                    # Another caller was first: it is decided again, by what the task is now.
                    continue
                return self._tasks.get(old["id"], new)

    def _current(self, id_: str, if_match: str | None) -> Task:
        task = self._tasks.get(find_id(id_, self._tasks.keys(), self._host) or id_)
        if task is None:
            self.find(id_)
            raise Conflict(f"The task {id_[:SHOWN_ID]!r} is in the history, which is only kept.")
        if if_match is not None and if_match.strip() != "*" and tag_of(task) not in tags_in(if_match):
            raise PreconditionFailed(
                f"The task {id_} has changed since it was read; read it again, and decide again."
            )
        return task

    async def _publish(self, feed: Feed, event: TaskEvent | None, seen: int) -> None:
        if event is not None:
            draft = feed.draft(event.type, event.data)
            draft.by = author()
            await feed.append([draft], after=seen)

    @asynccontextmanager
    async def _in_order(self, id_: str | None = None) -> AsyncIterator[Feed]:
        """Do one thing after the other; what is done with the task `id_` waits until it is known, if it may come."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._begun.wait()
                if id_ is not None and find_id(id_, self._tasks.keys(), self._host) is None:
                    await self._ready.wait()
                await self._order.acquire()
        except TimeoutError:
            raise Unavailable("The task queue is busy or not ready yet; try again in a moment.") from None
        try:
            if self._feed is None:
                raise Unavailable("The task queue is not ready yet; try again in a moment.")
            yield self._feed
        finally:
            self._order.release()
