"""The interface of sources, and the objects that they work with.

A source watches one kind of thing and publishes its changes. It is a class with a `name` and one coroutine `run`,
which runs until it is cancelled; an exception ends this run only, and `run` is called again. So every run begins by
recalling what the previous one remembered, and compares that with the current state.

Invariants:

- what a source remembers is stored in the same transaction as the events that it publishes, so that a restart neither
  loses nor repeats an event;
- a source's work off the event loop happens on its one thread, which is closed before the source runs again: two
  threads never use the objects of one source;
- while the log does not accept them, events wait here, in their order; none is dropped, and later changes are kept as
  a bounded set of places to scan;
- a record that a quota leaves out stays pending: the source is woken when there is room, and checks it again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from time import monotonic
from typing import Any, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, runtime_checkable

import msgspec

from missioncontrol.backoff import Backoff
from missioncontrol.config import Config
from missioncontrol.errors import InputError, Outdated, Unavailable
from missioncontrol.events import Draft, Record, encode_data, now, rfc3339
from missioncontrol.fleet.agent_workspaces import AgentWorkspaces
from missioncontrol.fleet.changed_transcripts import ChangedTranscripts
from missioncontrol.fleet.runtime_status import RuntimeStatusRegistry
from missioncontrol.state import FleetState
from missioncontrol.state.fold import TableName
from missioncontrol.state.quotas import Quotas
from missioncontrol.store.log import Checkpoint, Log
from missioncontrol.threads import OwnerThread
from missioncontrol.watch.ignore import Ignore

MARK = ""
"""The key under which a source remembers that it has published its baseline."""

CHUNK = 500
CHUNK_BYTES = 2 * 1024 * 1024
"""How many steps go into one append, and how many bytes they may have to remember."""

MAX_WAITING_PATHS = 20_000
MAX_RETRY_SECONDS = 5.0

STALLED_SECONDS = 30.0
"""How many seconds a source's thread may spend on one step before `/health` reports it."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass
class QueueFiles:
    """What the source of tasks knows about the queue's file, for other readers; it changes on the event loop.

    `json_seen` is whether the queue is or was the JSON file, which then stays the queue; `path` is the queue's file,
    None before there is one.
    """

    json_seen: bool = False
    path: str | None = None


@dataclass(frozen=True)
class Workspace:
    """The workspace that sources watch: the folder, with all links resolved, and the paths that are ignored.

    `state` is the fold over the log, limited to this host and under the ids that are used here. It contains the events
    of other publishers, and those of `Feed.publish` once it returns. `fleet` is the state of all hosts under their full
    ids; with one host it is the same. `host` is the name of this host in the fleet. `runtimes` has the statuses that
    runtimes report, `written` the transcripts that were written to. `agent_workspaces` are the agents' own workspaces,
    which the watcher finds.
    """

    root: Path
    ignore: Ignore
    config: Config
    state: FleetState
    fleet: FleetState
    host: str | None = None
    runtimes: RuntimeStatusRegistry = field(default_factory=RuntimeStatusRegistry)
    written: ChangedTranscripts = field(default_factory=ChangedTranscripts)
    queue: QueueFiles = field(default_factory=QueueFiles)
    quotas: Quotas = field(init=False)
    agent_workspaces: AgentWorkspaces = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the quotas of the settings, and the workspaces of agents."""
        object.__setattr__(self, "quotas", Quotas(self.config.quotas, self.fleet, self.host))
        object.__setattr__(self, "agent_workspaces", AgentWorkspaces(self.root, self.ignore))


class SourceHealth(msgspec.Struct, rename="camel"):
    """The health of a source.

    `lag` is the time of the last change from the file system's notification until it was durable, in seconds;
    `last_event` is when that was. `error` stays after a failure until the source publishes or scans successfully;
    `note` is information about a source that works. `status` is `stalled` while the source's thread has not moved for
    `STALLED_SECONDS`. `unreadable` is the number of files that are skipped now. The rest are counters since start.
    """

    name: str
    status: Literal["starting", "running", "failed", "stalled"] = "starting"
    error: str | None = None
    note: str | None = None
    restarts: int = 0
    last_event: str | None = None
    lag: float | None = None
    events: int = 0
    alerts: int = 0
    retries: int = 0
    refused: int = 0
    unreadable: int = 0


class Batch(NamedTuple):
    """Where to scan: paths that may have changed, whole trees (`""` is the workspace), and when it was noticed.

    `noticed` is monotonic time; None for a scan without a notification.
    """

    paths: set[str]
    trees: set[str]
    noticed: float | None


class Inbox:
    """Places that a source has yet to scan. Each is kept once; too many become the whole workspace."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._trees: set[str] = set()
        self._noticed: float | None = None
        self._something = asyncio.Event()

    def put(self, paths: Iterable[str] = (), trees: Iterable[str] = (), noticed: float | None = None) -> None:
        """Add places."""
        self._paths.update(paths)
        self._trees.update(trees)
        if len(self._paths) > MAX_WAITING_PATHS or len(self._trees) > MAX_WAITING_PATHS:
            self._paths.clear()
            self._trees = {""}
        if noticed is not None and self._noticed is None:
            self._noticed = noticed
        self._something.set()

    async def take(self, seconds: float | None = None) -> Batch:
        """Wait at most `seconds` for places, and return all; an empty batch after a timeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            pass
        batch = Batch(self._paths, self._trees, self._noticed)
        self._paths, self._trees, self._noticed = set(), set(), None
        self._something.clear()
        return batch


class Step(NamedTuple):
    """Events that belong together, and what is remembered once they are published (None: forgotten).

    `by_id` means that the keys of `changes` are the ids of the events' records: nothing is remembered about a record
    that a quota leaves out.
    """

    drafts: Sequence[Draft]
    changes: Mapping[str, bytes | None]
    by_id: bool = False


class Feed:
    """A source's access to the log, the places it has to scan, and its thread.

    `looked` is set after its first scan or failure. `thread` is valid for one run of the source.
    """

    def __init__(
        self,
        name: str,
        log: Log,
        health: SourceHealth,
        watched: asyncio.Event,
        quotas: Quotas | None = None,
        feeds: Mapping[str, Feed] | None = None,
    ) -> None:
        """Prepare.

        Args:
            name: the source's name.
            log: the log that events are appended to.
            health: the health of the source; kept up to date here.
            watched: set once the workspace is watched.
            quotas: what may be added to the state; None for no bounds.
            feeds: the feeds of all sources by name, for `others_looked`.
        """
        self.inbox = Inbox()
        self.looked = asyncio.Event()
        self.thread = OwnerThread(f"source {name}")
        self._skipping: str | None = None
        self._name = name
        self._log = log
        self._health = health
        self._watched = watched
        self._quotas = quotas
        self._feeds = feeds or {}
        self._left_out: dict[TableName, dict[str, None]] = {}
        self._awaits_room = False
        self._followed: str | None = None
        self._wake: Callable[[], None] = self.inbox.put
        self._keys = (f"{name}:{secrets.token_hex(6)}:{number}" for number in count(1))

    async def in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run work that may block on the source's thread, in the order of the calls."""
        return await self.thread.run(work, *args, **kwargs)

    def begin_run(self) -> None:
        """Give the next run of the source a new thread; the previous one is closed."""
        self.thread = OwnerThread(self.thread.name)

    def skipping(self, paths: Sequence[str]) -> None:
        """Report the files that cannot be read now and are skipped."""
        self._health.unreadable = len(paths)
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        self._skipping = f"skipped, cannot be read: {', '.join(paths[:3])}{more}" if paths else None

    def health(self) -> SourceHealth:
        """Return the current health of the source."""
        health = self._health
        if self._skipping is not None:
            note = f"{health.note}; {self._skipping}" if health.note else self._skipping
            health = msgspec.structs.replace(health, note=note)
        still = self.thread.still_seconds
        if still < STALLED_SECONDS:
            return health
        doing = f" ({self.thread.doing})" if self.thread.doing else ""
        error = f"it has not moved for {still:.0f} s{doing}"
        return msgspec.structs.replace(health, status="stalled", error=error)

    async def watched(self) -> None:
        """Wait until the workspace is watched: changes after a scan are then noticed."""
        await self._watched.wait()

    async def others_looked(self, name: str, seconds: float) -> bool:
        """Wait at most `seconds` until another source has finished its first scan or has failed.

        Returns:
            False after a timeout; True if there is no such source.
        """
        feed = self._feeds.get(name)
        if feed is None:
            return True
        try:
            async with asyncio.timeout(seconds):
                await feed.looked.wait()
        except TimeoutError:
            return False
        return True

    def follow(self, category: str, wake: Callable[[], None] | None = None) -> None:
        """Register `wake`, which is called after every commit with events of this category.

        Without `wake` the inbox wakes up, with an empty batch.
        """
        self._followed = f"{category}:"
        self._wake = wake or self.inbox.put

    def committed(self, records: Sequence[Record]) -> None:
        """Wake the source if it follows the records of a commit, or waits for room."""
        prefix = self._followed
        is_followed = prefix is not None and any(record.type.startswith(prefix) for record in records)
        if is_followed or self.has_room:
            self._wake()

    def await_room(self, wake: Callable[[], None] | None = None) -> None:
        """Register `wake`, which is called when there is room for records that a quota left out; see `take_left_out`.

        Without `wake` the inbox wakes up, with an empty batch.
        """
        self._awaits_room = True
        self._wake = wake or self._wake

    @property
    def has_room(self) -> bool:
        """Whether there is room for records that a quota has left out."""
        return bool(self._left_out) and bool(self._with_room())

    def take_left_out(self) -> set[str]:
        """Return the ids of records that a quota has left out, as many as there is room for now.

        They are removed here: the source checks each again. It is woken again if others still wait and there is room.
        """
        taken: set[str] = set()
        for table in self._with_room():
            waiting = self._left_out[table]
            some = list(islice(waiting, 0 if self._quotas is None else self._quotas.room(table)))
            for id_ in some:
                del waiting[id_]
            if not waiting:
                del self._left_out[table]
            taken.update(some)
        if self._left_out and taken:
            # Some of the records may no longer exist, which leaves room for others.
            self._wake()
        return taken

    def _with_room(self) -> list[TableName]:
        return [table for table in self._left_out if self._quotas is not None and self._quotas.room(table)]

    def running(self) -> None:
        """Report that the first scan is done and the source works."""
        self._health.status = "running"
        self._health.error = None
        self.looked.set()

    def note(self, note: str | None) -> None:
        """Set the note in the source's health; None removes it."""
        self._health.note = note

    async def recall(self) -> dict[str, bytes]:
        """Return what this source has remembered; waits while the log cannot be read."""
        backoff = Backoff(0.1, MAX_RETRY_SECONDS)
        while True:
            try:
                return await self._log.recall(self._name)
            except Unavailable as error:
                self._health.error = str(error)
                self._health.retries += 1
                await asyncio.sleep(backoff.next())

    def draft(self, type_: str, data: dict[str, Any]) -> Draft:
        """Return an event of this source with the current time."""
        data.setdefault("timestamp", rfc3339(now()).decode())
        return Draft(type_, data, next(self._keys), self._name)

    def alert(self, level: Literal["critical", "warning", "info"], message: str, **details: Any) -> Draft:
        """Return a `system:alert` of this source."""
        return self.draft(
            "system:alert", {"level": level, "message": message, "details": {"source": self._name, **details}}
        )

    async def append(self, drafts: Sequence[Draft], *, after: int | None = None) -> list[int]:
        """Make events durable for a caller that waits, and return their ids. Unlike `publish`, this never tries again.

        Raises:
            Outdated: another writer has changed a task that they are about, after the event `after`.
            InputError: the log refuses one of them.
            Unavailable: the log cannot be written.
        """
        if self._quotas is not None:
            self._quotas.check(drafts, own=True)
        ids = await self._log.append(drafts, after=after)
        self._count(drafts, None)
        return ids

    async def publish(
        self,
        steps: Sequence[Step],
        *,
        noticed: float | None = None,
        after: int | None = None,
        whole: bool = False,
    ) -> set[str]:
        """Publish steps in their order, and return the ids of the records that a quota leaves out.

        While the log is not available this waits and tries again. An event that the log refuses because of its content
        (it is too large) is replaced by an alert with the reason.

        Args:
            steps: each is published whole or not at all, except for what a quota leaves out.
            noticed: when the change was noticed, in monotonic time, for the lag.
            after: the id up to which the log was seen when this was decided.
            whole: whether nothing may be left out.

        Raises:
            Outdated: another writer has changed a task that a step is about, after that; or there is no room for all,
                and `whole` is set. The steps before it are published.
        """
        everything: set[str] = set()
        for part in _portions(steps):
            drafts, left_out = self._admit([draft for step in part for draft in step.drafts], whole)
            changes = {
                key: value
                for step in part
                for key, value in step.changes.items()
                if not (step.by_id and key in left_out)
            }
            await self._append(drafts, changes, after)
            self._count(drafts, noticed)
            everything |= left_out
        return everything

    def _admit(self, drafts: list[Draft], whole: bool) -> tuple[list[Draft], set[str]]:
        """Return the drafts that the quotas admit, and the ids of those they leave out, which are kept for later.

        What is left out is counted, and reported once for each quota.
        """
        if self._quotas is None:
            return drafts, set()
        admission = self._quotas.admit(drafts)
        if whole and admission.left_out:
            raise Outdated("There is no room for all of it any more.", self._log.head)
        left_out: set[str] = set()
        for table, ids in admission.left_out.items():
            if self._awaits_room:
                self._left_out.setdefault(table, {}).update(dict.fromkeys(sorted(ids)))
            left_out |= ids
        self._health.refused += len(drafts) - len(admission.drafts)
        return admission.drafts, left_out

    async def _append(self, drafts: list[Draft], changes: dict[str, bytes | None], after: int | None) -> None:
        backoff = Backoff(0.1, MAX_RETRY_SECONDS)
        checked = False
        while True:
            try:
                checkpoint = Checkpoint(self._name, changes) if changes else None
                await self._log.append(drafts, checkpoint, after=after)
            except Outdated:
                raise
            except InputError:
                if checked:
                    raise
                checked = True
                drafts[:] = [self._acceptable(draft) for draft in drafts]
            except Unavailable as error:
                self._health.error = str(error)
                self._health.retries += 1
                await asyncio.sleep(backoff.next())
            else:
                return

    def _acceptable(self, draft: Draft) -> Draft:
        try:
            encode_data(draft)
        except InputError as error:
            self._health.refused += 1
            return self.alert(
                "warning", f"An event of type {draft.type} could not be published: {str(error)[:500]}"
            )
        return draft

    def _count(self, drafts: Sequence[Draft], noticed: float | None) -> None:
        health = self._health
        if health.status == "running":
            health.error = None
        if drafts:
            health.events += len(drafts)
            health.alerts += sum(draft.type == "system:alert" for draft in drafts)
            health.last_event = rfc3339(now()).decode()
            if noticed is not None:
                health.lag = monotonic() - noticed


class Source(Protocol):
    """Watches one kind of thing."""

    name: str

    async def run(self, feed: Feed) -> None:
        """Watch and publish until cancelled; begin with what the last run remembered."""


@runtime_checkable
class Following(Protocol):
    """A source that is called after every commit, whether it runs or not."""

    def committed(self, records: Sequence[Record]) -> None:
        """Note the records of a commit; the state may have them only afterwards."""


def _portions(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Split steps into groups, each for one append."""
    part: list[Step] = []
    size = 0
    for step in steps:
        length = sum(len(value) for value in step.changes.values() if value is not None)
        if len(part) >= CHUNK or (part and size + length > CHUNK_BYTES):
            yield part
            part, size = [], 0
        part.append(step)
        size += length
    if part:
        yield part
