"""What a source is, and what it is given to work with.

A source watches one kind of thing and tells what changes. It is a class with a `name` and one coroutine `run`,
which goes on until it is cancelled; whatever it raises ends this run only, and it is run again. So every run
begins by recalling what the one before it remembered, and compares that with what is there now.

Invariants:

- what a source remembers is kept in the same transaction as the events that it tells, so that a restart neither
  misses nor repeats;
- what a source does off the event loop happens on its one thread, which is closed before the source runs again: two
  threads never use the objects of one source;
- while the log cannot take them, events wait here, in their order; nothing is dropped, and what changes meanwhile
  is kept as a bounded set of places to look at;
- a record that a quota leaves out stays pending: the source is woken when there is room, and looks at it again.
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
"""The key under which a source remembers that it has taken its baseline."""

CHUNK = 500
CHUNK_BYTES = 2 * 1024 * 1024
"""How many steps go into one append, and how much they may have to remember."""

MAX_WAITING_PATHS = 20_000
MAX_RETRY_SECONDS = 5.0

STALLED_SECONDS = 30.0
"""How long a source's thread may be at one step before `/health` reports it."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass
class QueueFiles:
    """What the source of tasks knows of the queue's file, for those who show it; it changes on the event loop.

    `json_seen` says that the queue is, or has been, the JSON file, which then stays the queue; `path` is the file that
    is the queue, None before there is one.
    """

    json_seen: bool = False
    path: str | None = None


@dataclass(frozen=True)
class Workspace:
    """Where the sources look: the folder, with all links resolved, and what in it is passed over.

    `state` is the fold over the log, as far as it is about this host and under the ids that are used here: it has in
    it what `Feed.tell` has told, once that returns, and what others have published. `fleet` is the state of all hosts
    under their full ids; with one host it is the same. `host` is what the fleet calls this one. `runtimes` is where
    those who read runtimes say what agents are doing, `written` which transcripts have been written to.
    `agent_workspaces` are the workspaces that agents have of their own, which the watch over the workspace finds.
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
        """Hold the settings' quotas against the state of the fleet, and prepare for workspaces of agents."""
        object.__setattr__(self, "quotas", Quotas(self.config.quotas, self.fleet, self.host))
        object.__setattr__(self, "agent_workspaces", AgentWorkspaces(self.root, self.ignore))


class SourceHealth(msgspec.Struct, rename="camel"):
    """How a source is doing.

    `lag` is how long the last change took from the file system's notification until it was durable, in seconds;
    `last_event` is when that was. `error` stays after a failure until the source tells or looks again with success;
    `note` says what is worth knowing though it works. `status` is `stalled` while the source's thread has not moved for
    `STALLED_SECONDS`. `unreadable` counts the files that it skips now. The rest are counters since start.
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
    """Where to look: paths that may have changed, whole trees (`""` is the workspace), and when it was noticed.

    `noticed` is monotonic; None where nothing was noticed, and somebody looks to be sure.
    """

    paths: set[str]
    trees: set[str]
    noticed: float | None


class Inbox:
    """Places that a source has yet to look at. Each is kept once; too many become the whole workspace."""

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
        """Wait for places, at most so many seconds, and take all; an empty batch after the time is up."""
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
    """Events that belong together, and what is to be remembered once they are told (None: forgotten).

    `by_id` says that `changes` are under the ids of the records that the events are about: nothing is remembered of a
    record that a quota leaves out.
    """

    drafts: Sequence[Draft]
    changes: Mapping[str, bytes | None]
    by_id: bool = False


class Feed:
    """A source's way to the log, the places it has to look at, and its thread.

    `looked` is set after its first look or failure. `thread` is there for one run of the source.
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
            log: where events go.
            health: how the source is doing; kept up to date here.
            watched: set once the workspace is watched.
            quotas: what may be added to the state; None for no bounds.
            feeds: those of all sources by name, for `others_looked`.
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
        """Run something that may block on the source's thread; one piece of work after the other."""
        return await self.thread.run(work, *args, **kwargs)

    def begin_run(self) -> None:
        """Give the next run of the source a thread of its own; the one before is closed."""
        self.thread = OwnerThread(self.thread.name)

    def skipping(self, paths: Sequence[str]) -> None:
        """Say which files cannot be read now and are skipped."""
        self._health.unreadable = len(paths)
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        self._skipping = f"skipped, cannot be read: {', '.join(paths[:3])}{more}" if paths else None

    def health(self) -> SourceHealth:
        """Return how the source is doing at this moment."""
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
        """Wait until the workspace is watched: what is looked at from then on cannot change unnoticed."""
        await self._watched.wait()

    async def others_looked(self, name: str, seconds: float) -> bool:
        """Wait until another source has taken its first look or has failed, but not for longer than so many seconds.

        Returns:
            Whether it has; also where there is no such source.
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
        """Have `wake` called after every commit that has events of this category.

        Without `wake` the inbox wakes up, with an empty batch.
        """
        self._followed = f"{category}:"
        self._wake = wake or self.inbox.put

    def committed(self, records: Sequence[Record]) -> None:
        """Hear of a commit, whoever made it."""
        prefix = self._followed
        is_followed = prefix is not None and any(record.type.startswith(prefix) for record in records)
        if is_followed or self.has_room:
            self._wake()

    def await_room(self, wake: Callable[[], None] | None = None) -> None:
        """Have `wake` called when there is room for records that a quota has left out; see `take_left_out`.

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

        They are not kept here any more: the source looks at each again. Where others wait, and there is still room,
        it is woken once more.
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
            # Of what was taken some may be gone by now.
            self._wake()
        return taken

    def _with_room(self) -> list[TableName]:
        return [table for table in self._left_out if self._quotas is not None and self._quotas.room(table)]

    def running(self) -> None:
        """Say that the first look is done and all is well."""
        self._health.status = "running"
        self._health.error = None
        self.looked.set()

    def note(self, note: str | None) -> None:
        """Say something about this source that is worth knowing though it works."""
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
        """Make an event of this source that happens now."""
        data.setdefault("timestamp", rfc3339(now()).decode())
        return Draft(type_, data, next(self._keys), self._name)

    def alert(self, level: Literal["critical", "warning", "info"], message: str, **details: Any) -> Draft:
        """Make a `system:alert` of this source."""
        return self.draft(
            "system:alert", {"level": level, "message": message, "details": {"source": self._name, **details}}
        )

    async def append(self, drafts: Sequence[Draft], *, after: int | None = None) -> list[int]:
        """Make events durable that somebody waits for, and return their ids; unlike `tell`, this fails if the log does.

        Raises:
            Outdated: somebody else has changed a task that they are about, after the event `after`.
            InputError: the log refuses one of them.
            Unavailable: the log cannot be written.
        """
        if self._quotas is not None:
            self._quotas.check(drafts, own=True)
        ids = await self._log.append(drafts, after=after)
        self._count(drafts, None)
        return ids

    async def tell(
        self,
        steps: Sequence[Step],
        *,
        noticed: float | None = None,
        after: int | None = None,
        whole: bool = False,
    ) -> set[str]:
        """Make steps durable, in their order, and return the ids of the records that a quota leaves out.

        While the log is in trouble this waits and tries again. An event that the log refuses for what it is (too
        large) is replaced by an alert that says so.

        Args:
            steps: each is told whole or not at all, except for what a quota leaves out.
            noticed: when the change was noticed, monotonic, for the lag.
            after: the id up to which the log was seen when this was decided.
            whole: whether nothing may be left out.

        Raises:
            Outdated: somebody else has changed a task that a step is about, after that; or there is no room, and it was
                to be told whole. The steps before it are told.
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
        """Return what the quotas let through, and the ids of what they leave out, which is kept to be looked at again.

        It is counted, and reported once for each quota.
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
                "warning", f"An event of type {draft.type} could not be told: {str(error)[:500]}"
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
    """One kind of thing that is watched."""

    name: str

    async def run(self, feed: Feed) -> None:
        """Watch and tell until cancelled; begin with what the last run remembered."""


@runtime_checkable
class Following(Protocol):
    """A source that is called with every commit, whether it runs or not."""

    def committed(self, records: Sequence[Record]) -> None:
        """Note what a commit has in it; the state may have it only afterwards."""


def _portions(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Cut steps into what goes into one append each."""
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
