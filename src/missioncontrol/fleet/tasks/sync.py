"""Keeps `TASK_QUEUE.json` and the state's tasks in step, whichever of them is edited.

With a file that an agent has written, this is done, in this order:

1. it is merged with the state, and the merged content is noted among the file's versions as the next one;
2. what the merge changes in the state is published, in one transaction with the versions where that is not too much
   for one;
3. the merged content is written, if the file is still the one that was read; if not, all begins again.

Whenever the process ends in between, the next one reads the file, finds what it knows, and comes to the same end.
Before 2, nothing has happened. After parts of 2, what was published is no change of either side any more. After 2,
the file is a content that is known, without an edit: only the state has changed, and is written into it. After 3,
both are the same. So nothing is lost, and nothing published twice.

What is done costs what has changed since both sides were last in step: the blocks of the file that differ, and the
tasks of the state that events were about. Only the first look, and one after something went wrong, is about all tasks;
it is made in a thread, and what it finds is published in portions.

Callers of the queue do not wait for a moment: `fresh` has a round begin if the file may have changed, and `written` one
that has tasks written; both return when that is done (`rounds.py`). What others publish about tasks is gathered first.

A task that is over moves from the file's `tasks` into its `history` with 3, unless it was its author who completed
it. When it has been over for long enough (`_let_go`) it moves there in any case, and then the state lets go of it: one
event, in one transaction with what is remembered of it, a portion in each round.

A broken file is reported once and never written over; the queue goes on without it, and merges it when it is whole. A
file that is gone deletes nothing, and is written again with the next change. Where there has never been one, the
table in `TASK_QUEUE.md` is read.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any

from missioncontrol.background import reason_of
from missioncontrol.errors import Outdated
from missioncontrol.events import now
from missioncontrol.fleet.layout import TASK_FILES
from missioncontrol.fleet.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.fleet.tasks.document import EMPTY, Edits
from missioncontrol.fleet.tasks.file_writer import FileWriter
from missioncontrol.fleet.tasks.history import History
from missioncontrol.fleet.tasks.ids import Ids
from missioncontrol.fleet.tasks.left_entries import LeftEntries
from missioncontrol.fleet.tasks.plan import Plan, agree, rewrite
from missioncontrol.fleet.tasks.portions import PORTION, Kind, about, let_go, portions, report, slices
from missioncontrol.fleet.tasks.queue_file import AGAIN_SECONDS, QueueFile
from missioncontrol.fleet.tasks.reading import Copy, read_queue
from missioncontrol.fleet.tasks.retention import RetentionPolicy
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.rounds import Rounds, SharedCheck
from missioncontrol.fleet.tasks.scan import JSON_FILE, Known, Outside, Scanner, Seen
from missioncontrol.fleet.tasks.task import Task
from missioncontrol.fleet.tasks.turn import Turn
from missioncontrol.watch.debounce import SECOND_LOOKS, Debounce
from missioncontrol.watch.paths import parent_of
from missioncontrol.watch.tree import Content, modified_ns

GATHER_SECONDS = 0.05
"""For how long changes are gathered before they are brought in step, at least."""

LONGEST_GATHER_SECONDS = 1.0
FRESH_SECONDS = 3.0
WRITTEN_SECONDS = 10.0
"""For how long a caller waits for what is in the file to be in the state, and the other way round."""

LAST_SECONDS = 2.0
"""How long a stop may take for what is still to be written."""

BUSY_SECONDS = 0.02
"""How often a stop checks whether callers are still busy."""

NO_HISTORY = History.of(())

_FOLDER = parent_of(JSON_FILE)

# Under these keys is remembered: the broken file that was reported; that the file was reported to be gone; that there
# has been JSON.
_BROKEN, _GONE, _JSON = "broken", "gone", "json"

logger = logging.getLogger(__name__)


class Sync:
    """The file's side of the queue."""

    def __init__(self, workspace: Workspace, order: asyncio.Lock) -> None:
        """Prepare; nothing is read yet.

        Args:
            workspace: where the file is, and whose state has the tasks.
            order: held while tasks are changed.
        """
        self._queue = workspace.queue
        self._folded = workspace.state
        self._state = workspace.state.table("tasks")
        self._fleet = workspace.fleet.table("tasks")
        self._most = workspace.config.quotas.tasks
        self._order = order
        self._policy = RetentionPolicy(workspace.config.tasks.keep_completed_hours)
        self._file = QueueFile(workspace.root)
        self._writer = FileWriter(self._file)
        self.ids = Ids(self._state.keys())
        self._scanner = Scanner(workspace.root, self._file, self.ids)
        self.rounds = Rounds()
        self._may_differ = SharedCheck(lambda: self._scanner.may_differ(self._outside))
        self._round: asyncio.Task[None] | None = None
        self._recall({}, RevisionHistory())

    def _recall(self, memory: Mapping[str, bytes], past: RevisionHistory) -> None:
        self._first = MARK not in memory
        self._past = past
        self.ids.recall(memory, past.content)
        self._doubt = Debounce(JSON_FILE, memory.get(_BROKEN, b"").decode())
        self._left = LeftEntries(memory, self._most)
        self._gone, self._queue.json_seen = _GONE in memory, _JSON in memory
        self._start = True
        # Whether the file is about to be looked at again, and whether nothing can be done until it changes.
        self._doubtful = self._blocked = False
        self._due = monotonic()
        self._noticed: float | None = None
        self._gather = GATHER_SECONDS
        # When a round may begin again, and when a file that is in doubt is judged again.
        self._rest_until = self._judge_at = 0.0
        # Whether the last round has to be followed by another at once, and whether it has to wait for a late writer.
        self._again = self._late = False
        # The file as it is known, and where it is.
        self._copy: Copy | None = None
        self._path = JSON_FILE
        self._table = b""
        self._outside: Outside | None = None
        # What may differ between the file, the state and the past: tasks of the file, tasks of the state; or all.
        self._changed: set[str] = set()
        self._touched: set[str] = set()
        self._renamed: Collection[str] = ()
        self._all = True
        self._unwritten = False
        self._writer.reset()

    @property
    def history(self) -> History:
        """The file's entries of tasks that are over."""
        return NO_HISTORY if self._copy is None else self._copy.history

    def in_history(self, id_: str) -> Any:
        """Return the last of them with this id, of a task that the state does not have.

        None where there is none, or where it was deleted here and is still in the file.
        """
        return None if self._past.agreed(id_) is not None else self.history.find(id_)

    def is_archived(self, id_: str) -> bool:
        """Report whether a task is in the file's history, and not among its tasks."""
        return self._copy is not None and id_ in self._copy.history.by_id and id_ not in self._copy.by_id

    def count_let_go(self) -> int:
        """Count the completed tasks in the history that the state does not have."""
        return self.history.count_completed(self._state)

    def touch(self, ids: Iterable[str]) -> None:
        """Note that tasks of the state may have changed."""
        if not self._all:
            self._touched.update(ids)

    async def fresh(self) -> None:
        """Have the state know what is in the file at this moment; at once where the file has not changed.

        Before the first look has been taken, and while the file is not kept in step here, nothing is waited for.
        """
        if self._start or not self.rounds.is_open:
            return
        try:
            async with asyncio.timeout(FRESH_SECONDS):
                if not await self._may_differ():
                    return
        except TimeoutError:
            # The file system does not answer.
            return
        await self.rounds.merged(FRESH_SECONDS)

    async def written(self, ids: Collection[str]) -> None:
        """Have the file know these tasks of the state; returns also where it cannot be written, after one attempt."""
        if self._start or not self.rounds.is_open or (self._blocked and not self._doubtful):
            return
        if self.rounds.is_running or not self._has(ids):
            await self.rounds.written(ids, WRITTEN_SECONDS)

    def _has(self, ids: Collection[str]) -> bool:
        """Report whether the file has these tasks as the state has them."""
        return not self._unwritten and all(self._agrees(id_) for id_ in ids)

    async def run(self, feed: Feed, begun: Callable[[], None], ready: Callable[[], None]) -> None:
        """Keep both in step until cancelled; then what is still to be written is, if that does not take long.

        Args:
            feed: the way to the log.
            begun: called once it is known which ids the file has, while its tasks are still being published.
            ready: called once the first look has been taken.
        """
        self._begun = begun
        await self._begin(feed)
        feed.follow("task")
        await feed.watched()

        def request() -> None:
            self._soon(max(0.0, self._rest_until - monotonic()))
            feed.inbox.put()

        self.rounds.open(request)
        try:
            while True:
                if self._due <= monotonic():
                    # A task of its own: a cancelled round would leave its thread writing while the last round writes.
                    self._round = asyncio.create_task(self._run_round(feed, ready))
                    await asyncio.shield(self._round)
                batch = await feed.inbox.take(
                    None if self._due == math.inf else max(0.0, self._due - monotonic())
                )
                of_file = _concerns(batch)
                if of_file and self._noticed is None:
                    self._noticed = batch.noticed
                # What is half written is looked at again when it is time, not at every byte.
                waits = self._blocked or self.rounds.is_held
                if not self._doubtful and (of_file or (not waits and (self._differs() or self._has_room()))):
                    self._soon(self._gather)
        except asyncio.CancelledError:
            await self._finish(feed, ready)
            raise
        finally:
            self.rounds.close()

    async def _run_round(self, feed: Feed, ready: Callable[[], None]) -> None:
        began, noticed = monotonic(), self._noticed
        self._due, self._noticed, self._doubtful, self._again = math.inf, None, False, False
        self.rounds.begin()
        merged = await self._look(feed, noticed)
        # A large queue under many changes leaves the machine to others at least half of the time.
        took = min(monotonic() - began, LONGEST_GATHER_SECONDS)
        self._gather = max(GATHER_SECONDS, took)
        self._rest_until = monotonic() + (took if took > GATHER_SECONDS else 0.0)
        if self._start and not self._doubtful:
            self._start = False
            ready()
            feed.running()
        self.rounds.end(
            merged=merged and not self._late, tried=not self._again, doubtful=self._doubtful, has=self._has
        )
        # A file in doubt is judged again when it is time, and a late writer has to be done.
        wanted = self.rounds.is_read_wanted or (self.rounds.is_write_wanted and not self._doubtful)
        if wanted and not self._late:
            self._soon(max(0.0, self._rest_until - monotonic()))
        await self._let_go(feed)

    async def _finish(self, feed: Feed, ready: Callable[[], None]) -> None:
        """Write what is still to be written, once, and what callers do who have begun already."""
        tried = False
        try:
            async with asyncio.timeout(LAST_SECONDS):
                if self._round is not None and self._start:
                    self._round.cancel()
                    await asyncio.wait([self._round])
                elif self._round is not None:
                    await self._round
                while not self._start:
                    if self.rounds.is_wanted or (self._is_pending() and not tried):
                        self._writer.retry_now()
                        await self._run_round(feed, ready)
                        tried = not self._again
                    elif self.rounds.is_busy:
                        await feed.inbox.take(BUSY_SECONDS)
                    else:
                        break
        except Exception as error:
            # The next start writes it: the events are in the log.
            logger.warning("tasks.not_written", extra={"reason": reason_of(error)})

    def _is_pending(self) -> bool:
        """Report whether something is to be written that can be."""
        return not self._blocked and (self._unwritten or self._differs())

    async def _begin(self, feed: Feed) -> None:
        memory = await feed.recall()
        past = RevisionHistory()
        await asyncio.to_thread(past.recall, memory)
        self._recall(memory, past)

    def _soon(self, seconds: float) -> None:
        self._due = min(self._due, monotonic() + seconds)

    def _differs(self) -> bool:
        """Report whether the state's tasks are others than those that were agreed on."""
        if self._all:
            return not self._start
        if self._gone:
            return bool(self._touched)
        self._touched = {id_ for id_ in self._touched if not self._agrees(id_)}
        return bool(self._touched)

    def _agrees(self, id_: str) -> bool:
        """Report whether a task of the state is as the file has it, or is about to; then it is in memory once."""
        task, agreed = self._state.get(id_), self._past.agreed(id_)
        if task is not agreed:
            if task != agreed:
                return False
            if task is not None:
                self._past.share(id_, task)
        return True

    async def _look(self, feed: Feed, noticed: float | None) -> bool:
        """Look at the file, and bring it and the state in step. Returns whether the state has what is in the file."""
        known = Known(self._path, self._copy, self._table, self._queue.json_seen, not self._past.versions)
        seen, outside, late, self._late = await asyncio.to_thread(self._scanner.scan, known)
        if late is not None:
            self._soon(late)
        self._blocked = bool(seen.wrong)
        if seen.wrong:
            self._queue.path = seen.path
            self._outside = outside
            await self._broken(feed, seen)
        elif seen.copy is None:
            self._queue.path = JSON_FILE if self._queue.json_seen else None
            self._outside = outside
            await self._missing(feed)
        else:
            self._judge_at = 0.0
            self._take(seen.path, seen.copy, same=seen.same)
            if seen.content is not None and seen.path != JSON_FILE and isinstance(seen.content, Content):
                self._table = seen.content.data
            return await self._whole(feed, seen, seen.copy, noticed, outside)
        return True

    def _is_doubted(self) -> bool:
        """Report whether the file was judged just now, and is to be judged again later: callers may look in between."""
        if monotonic() >= self._judge_at:
            return False
        self._doubtful = True
        self._soon(self._judge_at - monotonic())
        return True

    def _judge_in(self, seconds: float) -> None:
        self._doubtful = True
        self._judge_at = monotonic() + seconds
        self._soon(seconds)

    def _take(self, path: str, copy: Copy, *, same: bool) -> None:
        """Have this be the file as it is known."""
        # An entry that could not be read has no other trace in the copy.
        gone = frozenset() if self._copy is None else self._copy.left - copy.left
        self._copy, self._path, self._queue.path = copy, path, path
        self._changed |= gone
        if same:
            return
        if copy.changed is None:
            self._all = True
        else:
            self._changed |= copy.changed

    async def _broken(self, feed: Feed, seen: Seen) -> None:
        if self._is_doubted():
            return
        verdict = self._doubt.broken(seen.wrong if seen.content is None else seen.content, seen.mark)
        if verdict.wait is not None and verdict.wait <= max(SECOND_LOOKS):
            self._judge_in(verdict.wait)
        elif verdict.wait is not None:
            self._soon(verdict.wait)
        if verdict.complain:
            message = f"{seen.path} cannot be used as it is: {seen.wrong}. The tasks are kept as they were."
            alert = feed.alert("warning", message, path=seen.path, error=seen.wrong)
            await feed.publish([Step([alert], {_BROKEN: self._doubt.reported.encode()})])

    # A file that is not there.

    async def _missing(self, feed: Feed) -> None:
        if self._past and not self._gone:
            if self._is_doubted():
                return
            verdict = self._doubt.missing()
            if verdict.wait is not None:
                self._judge_in(verdict.wait)
                return
            self._doubt.whole()
            # What was changed while it was in doubt is a change after which it is written again.
            if self._differs() and not self._all:
                self._soon(0.0)
            self._gone, self._all = True, False
            message = f"{JSON_FILE} is gone. The tasks are kept; it is written again with the next change."
            alert = feed.alert("warning", message, path=JSON_FILE)
            await feed.publish([Step([alert], {_GONE: b"1"})])
            return
        if self._first:
            self._first = False
            await feed.publish([Step([], {MARK: b"1"})])
        if self._all:
            # From now on it is known what changes; what is there is written where there has never been a file.
            self._all = False
            self._touched = set() if self._past else set(self._state)
        if self._touched or self._unwritten:
            self._touched = set()
            tasks = self._state.copy()  # type: ignore[attr-defined]
            known = self._copy if self._path == JSON_FILE else None
            copy, edits = await asyncio.to_thread(self._from_nothing, known, tasks)
            for steps in self._memory():
                await feed.publish(steps)
            self._take(JSON_FILE, copy, same=True)
            await self._write(feed, copy, edits, there=False)

    def _from_nothing(self, known: Copy | None, tasks: dict[str, Task]) -> tuple[Copy, Edits]:
        """Return the last known copy, and the edits that make it one that has these tasks; in a thread."""
        copy = read_queue(EMPTY) if known is None or known.document is None else known
        return copy, rewrite(self._past, self.ids, copy, tasks, at=now())

    # A file that is whole.

    async def _whole(
        self, feed: Feed, seen: Seen, copy: Copy, noticed: float | None, outside: Outside
    ) -> bool:
        path = seen.path
        # Tasks that the quota kept out are found only among all.
        self._all |= self._has_room()
        moves = await self._to_move(copy)
        # A file that was caught while its author replaced it is read again before callers may rely on it.
        is_file = not seen.is_caught and not self._late
        if not copy.rest and not moves and self._in_step():
            # Nothing differs: the cheapest and by far the most frequent case.
            self._doubt.whole()
            self._is_read(outside, is_file)
            return is_file
        # What is no longer wrong is forgotten in the transaction that publishes the merge.
        settled: dict[str, bytes | None] = {_BROKEN: None} if self._doubt.reported else {}
        self._doubt.whole()
        if self._gone:
            settled[_GONE] = None
        if path == JSON_FILE and not self._queue.json_seen:
            settled[_JSON] = b"1"
        # From here on no caller changes a task, so that the state is the one that the merge was made for.
        async with Turn(self._order) as turn:
            known_until = self._folded.id
            differing = {*self._touched, *self._changed, *self._renamed, *self._past.ahead}
            among: set[str] | None = {*differing, *copy.left, *moves}
            ours: Mapping[str, Task] = self._state
            if self._all or self._gone or copy.document is None:
                # After a loss of track all tasks are compared, with a copy of the state, since a thread reads it.
                among, ours = None, self._state.copy()  # type: ignore[attr-defined]
            self._touched, self._all = set(), False
            try:
                plan = await asyncio.to_thread(
                    agree,
                    self._past,
                    self.ids,
                    ours,
                    copy,
                    heal=not self._first,
                    among=among,
                    room=self._room,
                    at=now(),
                    moves=moves,
                )
                self._begun()
                await self._publish(turn, feed, plan, copy, settled, noticed, known_until)
            except Outdated:
                # Another node has changed a task meanwhile: all is decided again, by what it is now.
                await self._begin_again(feed)
                return False
            except BaseException:
                # Parts may be published: the next round compares all.
                self._all = True
                raise
            self._changed, self._renamed = set(), plan.renamed
        self._first, self._gone = False, False
        self._queue.json_seen |= path == JSON_FILE
        self._is_read(outside, is_file)
        if is_file and (seen.same or not plan.edits):
            # What an agent has just written is answered by what the file has then, under the ids that it has then.
            self.rounds.merge()
        if plan.edits:
            await self._write(feed, copy, plan.edits, there=copy.document is not None)
        else:
            self._written()
        return is_file

    def _is_read(self, outside: Outside, is_file: bool) -> None:
        self._outside = outside if is_file else None
        if not is_file and not self._late:
            self._soon(0.0)

    async def _begin_again(self, feed: Feed) -> None:
        """Begin with what is remembered: another node has changed a task meanwhile."""
        first_look = self._start
        await self._begin(feed)
        self._start, self._again = first_look, True
        self._soon(0.0)

    @property
    def _room(self) -> int:
        """How many tasks more the quota lets into the state. A task that it kept out would be taken for deleted."""
        return self._most - len(self._fleet)

    def _in_step(self) -> bool:
        """Report whether there is nothing to do about a file that is as it is known."""
        if self._gone or self._unwritten or self._doubt.reported or self._all or self._changed:
            return False
        return not self._differs()

    def _has_room(self) -> bool:
        """Report whether there is room for tasks of the file that there was no room for."""
        return self._left.refused and self._room > 0

    async def _publish(
        self,
        turn: Turn,
        feed: Feed,
        plan: Plan,
        copy: Copy,
        settled: Mapping[str, bytes | None],
        noticed: float | None,
        after: int,
    ) -> None:
        """Publish and remember a plan, task by task and in portions; the first time, all that exists is state.

        Raises:
            Outdated: a task was changed elsewhere after the event `after`, before this was known here.
        """
        last = partial(self._last_step, feed, plan, copy, settled)
        kind: Kind = "baseline" if self._first else "start" if self._start else "change"
        for steps in portions(feed, plan, self._past, self.ids, kind, last):
            # What others published between the portions is known here: the log need not search it each time.
            if not self._touched.isdisjoint(named := about(steps)):
                raise Outdated("A task was changed elsewhere at this moment.", self._folded.id)
            # A task that is noted as the file's and not in the state would be taken for deleted.
            await feed.publish(steps, noticed=noticed, after=after if named else None, whole=True)
            if self._first:
                # What is in the state by now can be changed already, and is changed before the rest is published.
                await turn.pass_on()
            after = self._folded.id
            self._touched = {id_ for id_ in self._touched if not self._agrees(id_)}

    def _last_step(self, feed: Feed, plan: Plan, copy: Copy, settled: Mapping[str, bytes | None]) -> Step:
        """Return what comes last of a plan: counter and mark, so that what was cut short is judged again."""
        alerts = [report(feed, plan)] if plan.conflicts else []
        alert, remembered = self._left.changed(feed, plan, copy)
        alerts += [] if alert is None else [alert]
        mark = {MARK: b"1"} if self._first else {}
        return Step(alerts, {**self._past.counter(), **settled, **remembered, **mark})

    def _memory(self) -> Iterator[list[Step]]:
        for some in slices(sorted(self._past.take_changed()), PORTION):
            yield [Step([], self._past.remembered(some))]
        yield [Step([], {**self.ids.changes(), **self._past.counter()})]

    # Writing.

    async def _write(self, feed: Feed, copy: Copy, edits: Edits, *, there: bool) -> None:
        """Write what both sides are to have; later, where it cannot be done now."""
        self._unwritten = True
        if (wait := self._writer.until_retry(wanted=self.rounds.is_write_wanted)) > 0:
            self._soon(wait)
            return
        try:
            written = await asyncio.to_thread(self._writer.put, copy, edits, there, self._past)
        except OSError as error:
            seconds, reason = self._writer.failed(error)
            self._soon(seconds)
            if reason:
                message = f"{JSON_FILE} cannot be written: {reason}. The tasks are kept; it is tried again."
                await feed.publish([Step([feed.alert("warning", message, path=JSON_FILE)], {})])
            return
        if written is None:
            self._again = True
            if self._writer.was_shown:
                # An agent may come with a copy of it.
                self._changed |= set(self._past.ahead)
                self._past.reached()
                await feed.publish([Step([], self._past.counter())])
            self._soon(AGAIN_SECONDS if self._late else 0.0)
            return
        new, others = written
        if self._outside is not None and self._file.written is not None:
            # Where it is not exact it is too young to be known again: the next caller has it read once more.
            signatures = {**self._outside.signatures, JSON_FILE: self._file.written}
            at_ns = modified_ns(self._file.written)
            self._outside = Outside(signatures, at_ns, self._file.is_written_exact)
        self._take(JSON_FILE, new, same=True)
        self._changed |= others
        self._written()

    def _written(self) -> None:
        self._renamed = ()
        self._past.reached()
        self._unwritten = False
        self._writer.reset()

    # Tasks that have been over for long enough.

    async def _to_move(self, copy: Copy) -> Collection[str]:
        """Return those of them that have to move into the history first: the file's author has completed them."""
        if copy.document is None or not copy.document.takes_history:
            return ()
        return {id_ for id_ in await self._policy.due(self._past.retention) if id_ in copy.by_id}

    async def _let_go(self, feed: Feed) -> None:
        """Let go of tasks that are in the history; of so many only that no caller waits long, and of others soon."""
        copy = self._copy
        if copy is None or copy.document is None or not copy.document.takes_history:
            return
        if self._gone or self._blocked or self._again or self._late or self._all or self._unwritten:
            return
        due = await self._policy.due(self._past.retention)
        async with Turn(self._order):
            seen = self._folded.id
            over = (id_ for id_ in due if id_ in copy.history.by_id and id_ not in copy.by_id)
            ids = list(islice((id_ for id_ in over if self._agrees(id_)), PORTION))
            if ids:
                try:
                    await feed.publish(let_go(feed, self._past, ids), after=seen)
                except Outdated:
                    await self._begin_again(feed)
                    return
        if len(ids) == PORTION:
            self._soon(self._gather)
        elif (seconds := self._policy.wait(self._past.retention)) is not None:
            self._soon(max(seconds, self._gather))


def _concerns(batch: Batch) -> bool:
    """Report whether a batch speaks of the file."""
    return not batch.trees.isdisjoint(("", _FOLDER)) or not batch.paths.isdisjoint((*TASK_FILES, _FOLDER))
