"""The task queue: what can be done with tasks, while `sync.py` keeps the file in step.

The tasks are those of the folded state. What is done with them is decided here, one thing after the other, told as an
event, and durable before it returns; so of two agents who claim a task exactly one gets it. The file follows, and is
never needed: while it is missing or broken, the queue goes on.
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
    Unavailable,
)
from missioncontrol.events import Data, now, rfc3339
from missioncontrol.events.hosts import find_id, host_of
from missioncontrol.sources.source import Feed, Workspace
from missioncontrol.sources.tasks.markdown import write_markdown
from missioncontrol.sources.tasks.reading import id_in
from missioncontrol.sources.tasks.sync import Sync
from missioncontrol.sources.tasks.task import (
    CLOSED,
    DEFAULTS,
    PRIORITIES,
    STATUSES,
    UNASSIGNED,
    Task,
    Told,
    changed,
    checked,
    checked_priority,
    created,
    deleted,
    fitting,
    moment,
    tag_of,
    urgency,
)

PATIENCE = 10.0
"""Seconds for which something that is to be done waits for what is being done."""

MAX_ID = 100
NO_IDS = frozenset({".", "..", "stats", "summary", "due", "search", "bulk"})
"""What means something else behind `/api/tasks/`: nothing could be done any more with a task of this name."""
MAX_AHEAD = 60_000
"""Milliseconds by which somebody else's clock may be ahead of ours and still be believed."""


class TaskQueue:
    """The tasks of the fleet, and what can be done with them."""

    name = "tasks"

    def __init__(self, workspace: Workspace) -> None:
        self._fleet = workspace.fleet
        self._host = workspace.host
        self._tasks = workspace.fleet.table("tasks")
        self._order = asyncio.Lock()
        self._sync = Sync(workspace, self._order)
        self._feed: Feed | None = None
        self._ready = asyncio.Event()

    async def run(self, feed: Feed) -> None:
        """Keep the file in step until cancelled."""
        self._feed = feed
        try:
            await self._sync.run(feed, self._ready.set)
        finally:
            # With a file that cannot be kept in step, the queue goes on all the same.
            self._ready.set()

    def attach(self, feed: Feed) -> None:
        """Let what is done with tasks be told by this feed; the file is kept in step by `run` alone."""
        self._feed = feed
        self._ready.set()

    # What there is.

    def ordered(self) -> list[Task]:
        """Return all tasks, the most urgent first."""
        return sorted(self._tasks.values(), key=urgency)

    def history(self) -> list[Any]:
        """Return the file's entries of tasks that are over."""
        return self._sync.history

    def find(self, id_: str) -> Task:
        """Return a task, or the entry of the history with its id.

        Raises:
            NotFound: there is neither.
            Conflict: several hosts have one of that name.
        """
        task = self._tasks.get(find_id(id_, self._tasks.keys(), self._host) or id_)
        if task is not None:
            return task
        for entry in self._sync.history:
            if id_in(entry) == id_.removesuffix(f"@{self._host}"):
                found: Task = entry
                return found
        raise NotFound(f"There is no task {id_[:MAX_ID]!r}; /api/tasks lists those there are.")

    @staticmethod
    def etag(task: Task) -> str:
        """Return the entity tag of a task as it is (RFC 9110, section 8.8.3)."""
        return tag_of(task)

    def stats(self) -> Data:
        """Count the tasks by status, priority and assignee."""
        by_status = dict.fromkeys(STATUSES, 0)
        by_priority = dict.fromkeys(PRIORITIES, 0)
        by_assignee: dict[str, int] = {}
        for task in self._tasks.values():
            for counts, value in (
                (by_status, task.get("status")),
                (by_priority, task.get("priority")),
                (by_assignee, task.get("assignedTo") or UNASSIGNED),
            ):
                counts[str(value)] = counts.get(str(value), 0) + 1
        return {
            "total": len(self._tasks),
            "byStatus": by_status,
            "byPriority": by_priority,
            "byAssignee": by_assignee,
            "completed": by_status["completed"] + len(self._sync.history),
            "updated": _time(),
        }

    def summary(self) -> Data:
        """Say in a few numbers how the queue stands; what is urgent is counted among what is not over."""
        stats = self.stats()
        urgent = [task.get("priority") for task in self._tasks.values() if task.get("status") not in CLOSED]
        return {
            "pending": stats["byStatus"]["pending"],
            "inProgress": stats["byStatus"]["in_progress"],
            "review": stats["byStatus"]["review"],
            "completed": stats["completed"],
            "critical": urgent.count("P0"),
            "high": urgent.count("P1"),
            "total": stats["total"],
            "updated": stats["updated"],
        }

    def due(self, hours: float = 24.0) -> list[Task]:
        """Return the tasks that are not over and due within so many hours, or before now; the soonest first."""
        until = datetime.now(UTC) + timedelta(hours=hours)
        found: list[tuple[datetime, Task]] = []
        for task in self._tasks.values():
            at = moment(task.get("due"))
            if at is not None and task.get("status") not in CLOSED and at <= until:
                found.append((at, task))
        return [task for _, task in sorted(found, key=lambda one: (one[0], one[1]["id"]))]

    def search(self, query: str) -> list[Task]:
        """Return the tasks in whose id, description, assignee, tags or notes a text occurs, whatever its case."""
        wanted = query.casefold()
        return [task for task in self.ordered() if wanted in _words(task).casefold()]

    def markdown(self) -> str:
        """Write the queue as a Markdown document."""
        return write_markdown(self.ordered(), self._sync.history, _time())

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
        if id_ is not None and not (isinstance(id_, str) and 0 < len(id_) <= MAX_ID):
            raise BadTask(f"id must be a text of 1 to {MAX_ID} characters; leave it out to be given one.")
        if id_ is not None and ("/" in id_ or id_ in NO_IDS):
            raise BadTask(
                f"The id {id_!r} has no address below /api/tasks; choose one without a '/', "
                f"or leave it out to be given one."
            )
        async with self._in_order() as feed:
            while True:
                new = id_ or self._sync.ids.new()
                if id_ is not None and self._is_known(id_):
                    raise Conflict(f"There is a task {id_!r} already; leave the id out to be given one.")
                time = _time()
                task: Task = {
                    "id": new,
                    **{name: given.get(name, default) for name, default in DEFAULTS.items()},
                    "createdBy": given.get("createdBy", by or "System"),
                    "created": time,
                    "updated": time,
                }
                task = _in_its_status({**task, **given}, {}, time)
                try:
                    await self._tell(feed, created(fitting(task)), self._fleet.id)
                except Outdated:
                    # Another node has given this id at the same moment.
                    continue
                return self._tasks.get(find_id(new, self._tasks.keys(), self._host) or new, task)

    def _is_known(self, id_: str) -> bool:
        own = id_ if self._host is None or host_of(id_) is not None else f"{id_}@{self._host}"
        return own in self._tasks or any(id_in(entry) == id_ for entry in self._sync.history)

    async def update(self, id_: str, fields: Any, *, if_match: str | None = None) -> Task:
        """Change fields of a task; `metadata` is merged into what there is.

        Raises:
            BadTask, NotFound, PreconditionFailed, Unavailable: as their names say.
        """
        given = checked(fields)

        def make(old: Task) -> Task:
            _check_id(given, id_, old)
            new = {**old, **given}
            if isinstance(old.get("metadata"), dict) and "metadata" in given:
                new["metadata"] = {**old["metadata"], **given["metadata"]}
            return new

        return await self._change(id_, make, if_match=if_match)

    async def replace(self, id_: str, fields: Any, *, if_match: str | None = None) -> Task:
        """Replace what a task is made of; what is not given returns to its default.

        Its id, who added it and when, and fields that only its owners know stay. Without a `description` this
        changes only what is given, as the earlier server did.
        """
        given = checked(fields)
        if "description" not in given:
            return await self.update(id_, fields, if_match=if_match)

        def make(old: Task) -> Task:
            _check_id(given, id_, old)
            return {**old, **DEFAULTS, **given}

        return await self._change(id_, make, if_match=if_match)

    async def delete(self, id_: str, *, if_match: str | None = None) -> Task:
        """Remove a task, and return it as it was."""
        async with self._in_order() as feed:
            while True:
                seen = self._fleet.id
                task = self._current(id_, if_match)
                try:
                    await self._tell(feed, deleted(task["id"]), seen)
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
            claim: only if nobody else has it and it is not over.
            if_match: only if the task is still as this entity tag says.

        Raises:
            Conflict: it is claimed, and somebody else's, or over.
        """
        if not agent.strip():
            raise BadTask("agentId must name the agent that the task is given to.")
        agent = self._full_agent(agent)

        def make(old: Task) -> Task:
            if claim:
                _check_free(old, agent)
            new = {**old, "assignedTo": agent}
            if start:
                new["status"] = "in_progress"
            if notes:
                new["notes"] = f"{old.get('notes') or ''}\n[{_time()}] Assigned to {agent}: {notes}"
            return new

        return await self._change(id_, make, given=True, by=by, if_match=if_match)

    async def claim_next(self, agent: str, *, tags: Collection[str] = (), start: bool = False) -> Task | None:
        """Give an agent the most urgent pending task that nobody has, or return None where there is none.

        Of several who ask at the same moment, on whichever nodes, each gets another one.

        Args:
            agent: the agent's id.
            tags: only a task with one of these; any without.
            start: begin it at once: its status becomes in_progress.
        """
        agent = self._full_agent(agent)

        def make(old: Task) -> Task:
            if not _is_open(old, tags):
                raise Conflict(f"The task {old['id']} is not open any more.")
            return {**old, "assignedTo": agent, **({"status": "in_progress"} if start else {})}

        while True:
            task = min(
                (task for task in self._tasks.values() if _is_open(task, tags)), key=urgency, default=None
            )
            if task is None:
                return None
            try:
                return await self._change(task["id"], make, given=True)
            except (Conflict, NotFound):
                # Somebody else was first; there may be another one.
                continue

    async def set_priority(self, id_: str, priority: Any) -> Task:
        """Change a task's priority."""
        return await self.update(id_, {"priority": checked_priority(priority)})

    async def add_subtask(self, id_: str, fields: Any) -> Data:
        """Add a subtask, and return it."""
        if not isinstance(fields, dict) or not isinstance(fields.get("description"), str):
            raise BadTask(
                'A subtask is an object with a text as its description, as in {"description": "Step 1"}.'
            )
        added: Data = {}

        def make(old: Task) -> Task:
            subtasks = _subtasks(old)
            taken = {subtask.get("id") for subtask in subtasks}
            number = len(subtasks) + 1
            short = old["id"].removesuffix(f"@{host_of(old['id'])}") if self._host else old["id"]
            while f"{short}-SUB-{number}" in taken:
                number += 1
            added.update(
                {
                    **fields,
                    "id": f"{short}-SUB-{number}",
                    "status": "pending",
                    "completed": False,
                    "created": _time(),
                }
            )
            return {**old, "subtasks": [*subtasks, added]}

        await self._change(id_, make)
        return added

    async def complete_subtask(self, id_: str, subtask_id: str) -> Data:
        """Complete a subtask, and return it; when all are, the task goes into review unless it is over."""
        found: Data = {}

        def make(old: Task) -> Task:
            subtasks = _subtasks(old)
            for index, subtask in enumerate(subtasks):
                if subtask.get("id") == subtask_id:
                    found.update(subtask)
                    if not subtask.get("completed"):
                        found.update({"completed": True, "status": "completed", "completedAt": _time()})
                    subtasks = [*subtasks[:index], found, *subtasks[index + 1 :]]
                    break
            else:
                raise NotFound(f"{id_} has no subtask {subtask_id[:MAX_ID]!r}.")
            new = {**old, "subtasks": subtasks}
            if all(subtask.get("completed") for subtask in subtasks) and old.get("status") not in CLOSED:
                new["status"] = "review"
            return new

        await self._change(id_, make)
        return found

    async def bulk_update(self, ids: Sequence[str], fields: Any) -> list[Data]:
        """Change the same fields of several tasks; an entry of the answer is the task, or `id` and `error`."""
        checked(fields)
        answers: list[Data] = []
        for id_ in ids:
            try:
                answers.append(await self.update(str(id_), fields))
            except InputError as error:
                answers.append({"id": id_, "error": str(error)})
        return answers

    # How it is done.

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
        async with self._in_order() as feed:
            while True:
                seen = self._fleet.id
                old = self._current(id_, if_match)
                time = _time_after(old)
                new = _in_its_status(make(old), old, time)
                if new == old:
                    return old
                told = changed(old, fitting({**new, "updated": time}), given=given, by=by)
                try:
                    await self._tell(feed, told, seen)
                except Outdated:
                    # Somebody else was first: it is decided anew, by what the task is now.
                    continue
                return self._tasks.get(old["id"], new)

    def _current(self, id_: str, if_match: str | None) -> Task:
        task = self._tasks.get(find_id(id_, self._tasks.keys(), self._host) or id_)
        if task is None:
            self.find(id_)
            raise Conflict(f"The task {id_[:MAX_ID]!r} is in the history, which is only kept.")
        if if_match is not None and if_match.strip() != "*" and tag_of(task) not in _tags(if_match):
            raise PreconditionFailed(
                f"The task {id_} has changed since it was read; read it again, and decide anew."
            )
        return task

    async def _tell(self, feed: Feed, told: Told | None, seen: int) -> None:
        if told is not None:
            await feed.append([feed.draft(told.type, told.data)], after=seen)

    @asynccontextmanager
    async def _in_order(self) -> AsyncIterator[Feed]:
        """Do one thing after the other."""
        try:
            async with asyncio.timeout(PATIENCE):
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


def _time() -> str:
    return rfc3339(now()).decode()


def _time_after(task: Task) -> str:
    """Return the time that it is, or a millisecond after the task's last change, whichever is later."""
    time, last = now(), moment(task.get("updated"))
    if last is not None and 0 <= round(last.timestamp() * 1000) - time < MAX_AHEAD:
        time = round(last.timestamp() * 1000) + 1
    return rfc3339(time).decode()


def _words(task: Task) -> str:
    tags = task.get("tags")
    words = [task.get(name) for name in ("id", "description", "assignedTo", "notes")]
    return "\n".join(str(word) for word in [*words, *(tags if isinstance(tags, list) else [])] if word)


def _subtasks(task: Task) -> list[Data]:
    subtasks = task.get("subtasks")
    return [one for one in subtasks if isinstance(one, dict)] if isinstance(subtasks, list) else []


def _check_id(given: Data, id_: str, task: Task) -> None:
    if given.pop("id", id_) not in (id_, task["id"]):
        raise BadTask("The id of a task cannot be changed.")


def _check_free(task: Task, agent: str) -> None:
    holder = task.get("assignedTo")
    if task.get("status") in CLOSED:
        raise Conflict(f"The task {task['id']} is {task['status']}.")
    if holder and str(holder).casefold() not in (agent.casefold(), UNASSIGNED.casefold()):
        raise Conflict(f"The task {task['id']} is {holder}'s.")


def _is_open(task: Task, tags: Collection[str]) -> bool:
    holder = task.get("assignedTo")
    if task.get("status") != "pending" or (holder and str(holder).casefold() != UNASSIGNED.casefold()):
        return False
    own = task.get("tags")
    return not tags or (isinstance(own, list) and any(tag in tags for tag in own))


def _in_its_status(new: Task, old: Task, time: str) -> Task:
    """Note when a task was begun, and when it was completed."""
    if new.get("status") == old.get("status"):
        return new
    if new.get("status") == "in_progress" and not new.get("startedAt"):
        return {**new, "startedAt": time}
    if new.get("status") == "completed":
        return {**new, "completedAt": time}
    return new


def _tags(if_match: str) -> set[str]:
    return {tag.strip() for tag in if_match.split(",")}
