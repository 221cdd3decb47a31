"""Every file of the workspace, and of the agents' own, that is told as nothing better: created, modified, deleted.

What is known of each file is an index from its path to its signature, kept in the log's own database in the same
transaction as the events. A file is told when its signature differs from the index, whatever notification led there,
so the steps of one write, or a temporary file that becomes another one by renaming, are one event. Whole trees are
walked in a thread, and what differs there becomes paths to look at, so that a long walk delays nothing.

An agent's workspace that is found at a start, or was there before it was known to be one, is taken as it is: what is in
it is state and no news. A mark in the memory (its path with a `/` at the end) says that this has been done.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping
from itertools import islice
from posixpath import splitext
from time import monotonic
from typing import Any, Literal, NamedTuple

from missioncontrol.events import now, rfc3339
from missioncontrol.fleet.activity import Activity
from missioncontrol.fleet.source import CHUNK, MARK, Batch, Feed, Step, Workspace
from missioncontrol.fleet.source_files import SourceFiles, decides, find_source_files, unread_files
from missioncontrol.fleet.watcher import REST
from missioncontrol.threads import OwnerThread
from missioncontrol.watch.paths import folders_above, readable
from missioncontrol.watch.tree import (
    FoundFiles,
    Pace,
    Signature,
    look,
    modified_ns,
    only_renumbered,
    size_of,
    walk,
)

QUIET_SECONDS = 0.3
"""How long a file that was told stays untold, so that one that is written all the time tells a few times a second."""

SECOND_LOOK_SECONDS = 0.05
"""How long a file that is gone, or new and empty, is given to become something else."""

MAX_REMEMBERED_TELLS = 10_000

MAX_OUTSIDE_FILES = 100_000
"""How many files outside of the workspace are known; changes of those beyond are not reported."""

CLOCK_NS = 1_000_000_000
"""By how much a file's time may lag behind the clock: some file systems count whole seconds."""

Action = Literal["created", "modified", "deleted"]


class Difference(NamedTuple):
    """What a walk found: paths to look at, and files whose inode alone has changed, which is nothing to tell."""

    suspicious: list[str]
    renumbered: dict[str, Signature]


class Files:
    """Tells changes of files."""

    name = "files"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._workspaces = workspace.agent_workspaces
        self._version = -1
        self._queue = workspace.queue
        self._read = SourceFiles()
        # The workspaces of agents whose files have been taken as they were.
        self._taken: set[str] = set()
        self._silent: dict[str, Signature] = {}
        self._walked: set[str] = set()
        self._outside = 0
        self._index: dict[str, Signature] = {}
        self._told: dict[str, float] = {}
        self._later: dict[str, float] = {}
        self._unsure: set[str] = set()
        self._trees: set[str] = set()
        self._trees_noticed: float | None = None
        self._backlog: deque[tuple[str, float | None]] = deque()
        self._activity = Activity()
        self._counts: Counter[str | None] = Counter()

    @property
    def index(self) -> Mapping[str, Signature]:
        """The known files by their path, those that other sources own excluded; it changes on the event loop."""
        return self._index

    async def run(self, feed: Feed) -> None:
        """Watch the files until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        marks = {path[:-1]: memory.pop(path).decode() for path in list(memory) if path.endswith("/")}
        self._taken = set(marks)
        self._silent, self._walked = {}, set()
        self._index = {path: Signature(kept) for path, kept in memory.items()}
        self._told, self._later, self._unsure = {}, {}, set()
        self._trees, self._trees_noticed = set(), None
        self._backlog.clear()
        await feed.watched()
        for top in marks.keys() - set(self._workspaces.tops):
            self._workspaces.remember(top, marks[top])
        await self._first_look(feed, first)
        await self._count(feed)
        feed.running()
        walking: asyncio.Task[None] | None = None
        # Of its own, so that a long walk holds up no look at what has just changed.
        walker = OwnerThread("source files, walking")
        try:
            while True:
                batch = await feed.inbox.take(0.0 if self._backlog else self._until_due())
                self._trees |= batch.trees
                if batch.trees and self._trees_noticed is None:
                    self._trees_noticed = batch.noticed
                if walking is not None and walking.done():
                    walking.result()
                    walking = None
                if self._trees and walking is None:
                    walking = asyncio.create_task(self._walk(walker))
                    walking.add_done_callback(lambda _: feed.inbox.put())
                await self._take_over(feed, batch)
                await self._look(feed, batch)
                if active := self._activity.drafts(feed):
                    await feed.tell([Step(active, {})])
        finally:
            if walking is not None:
                walking.cancel()
                await asyncio.gather(walking, return_exceptions=True)
            await walker.close()

    async def _first_look(self, feed: Feed, first: bool) -> None:
        self._read = await feed.in_thread(self._find_source_files)
        found = await feed.in_thread(self._find, [""], Pace(step=feed.thread.checkpoint))
        if "" in found.unreadable:
            raise OSError(f"the workspace {self._root} cannot be read")
        if first:
            steps = await feed.in_thread(self._baseline, found)
            await feed.tell(steps)
            await self._mark(feed, self._workspaces.tops)
            return
        # What the user has chosen to ignore since is not deleted: it is only no longer spoken of.
        await self._forget(feed, await feed.in_thread(self._no_longer_wanted))
        await self._enter(feed, await feed.in_thread(self._not_taken, found))
        await self._mark(feed, self._workspaces.tops)
        difference = await feed.in_thread(self._compare, [""], found, Pace())
        self._index.update(difference.renumbered)
        seen = {path: found.files.get(path) for path in difference.suspicious}
        changes = [
            (readable(path), signature, "deleted" if signature is None else self._action(path))
            for path, signature in sorted(seen.items())
        ]
        await self._tell(feed, changes, None, found_at_start=True)

    def _baseline(self, found: FoundFiles) -> list[Step]:
        """Take what is there as the index, and return what is to be remembered of it."""
        files = {readable(path): signature for path, signature in found.files.items()}
        steps = [Step([], {path: None}) for path in self._index.keys() - files.keys()]
        steps += (Step([], {path: signature}) for path, signature in files.items())
        self._index = files
        # The mark comes last: a baseline that was cut short is taken again.
        return [*steps, Step([], {MARK: b"1"})]

    # What is taken as it is.

    def _no_longer_wanted(self) -> list[str]:
        """Return the known files that are of no interest any more, although they exist; in a thread."""
        unwanted = [path for path in self._index if not self._wanted(path)]
        # Where an agent's workspace is gone, its files are deleted.
        outside = look(self._root, (path for path in unwanted if path.startswith("../")))
        return [path for path in unwanted if outside.get(path, True) is not None]

    def _not_taken(self, found: FoundFiles) -> dict[str, Signature]:
        """Return what was found in workspaces of agents that were not known at the last start; in a thread."""
        return {
            path: signature
            for path, signature in found.files.items()
            if (top := self._workspaces.top_of(path)) and top not in self._taken
        }

    async def _enter(self, feed: Feed, files: Mapping[str, Signature]) -> None:
        """Know files without an event."""
        if files:
            kept, steps = await feed.in_thread(_steps_to_keep, files)
            await feed.tell(steps)
            self._index.update(kept)

    async def _forget(self, feed: Feed, paths: Collection[str]) -> None:
        """Know files no longer, without an event."""
        await feed.tell(await feed.in_thread(lambda: [Step([], {path: None}) for path in paths]))
        for path in paths:
            self._index.pop(path, None)

    async def _mark(self, feed: Feed, walked: Collection[str]) -> None:
        """Remember which workspaces of agents have been taken: those before that are still there, and these."""
        taken = (self._taken.union(walked)).intersection(self._workspaces.tops)
        changes: dict[str, bytes | None] = {f"{top}/": None for top in self._taken - taken}
        for top in taken - self._taken:
            changes[f"{top}/"] = (self._workspaces.agent_of(top) or "").encode()
        self._taken = taken
        if changes:
            await feed.tell([Step([], changes)])

    async def _count(self, feed: Feed) -> None:
        """Count all files again: of each agent, and outside of the workspace."""
        self._version = self._workspaces.version

        def count() -> tuple[Counter[str | None], int]:
            paths = list(self._index)
            outside = sum(path.startswith("../") for path in paths)
            return Counter(map(self._workspaces.agent_of, paths)), outside

        self._counts, self._outside = await feed.in_thread(count)

    async def _take_over(self, feed: Feed, batch: Batch) -> None:
        """Take over what other sources no longer read, and what is in new workspaces; and let go of the opposite."""
        changed = self._version != self._workspaces.version
        if self._walked or changed:
            silent, self._silent = self._silent, {}
            walked, self._walked = self._walked, set()
            room = max(0, MAX_OUTSIDE_FILES - self._outside)
            if len(silent) > room:
                self._note_too_many(feed)
            await self._enter(feed, dict(islice(silent.items(), room)))
            await self._mark(feed, walked)
            changed = True
        if decides(batch.paths) or decides(batch.trees):
            read = await feed.in_thread(self._find_source_files)
            if read != self._read:
                self._read = read
                new, old = await feed.in_thread(self._change_hands)
                await self._enter(feed, new)
                await self._forget(feed, old)
                changed = True
        if changed:
            await self._count(feed)

    def _change_hands(self) -> tuple[dict[str, Signature], list[str]]:
        """Return the files that no other source reads any more, and the known ones that one reads now; in a thread."""
        there = unread_files(self._root, self._workspaces, self._read)
        new = {
            path: signature
            for path, signature in there.items()
            if readable(path) not in self._index and self._wanted(path)
        }
        return new, [path for path in list(self._index) if self._read.owns(path)]

    def _find_source_files(self) -> SourceFiles:
        return find_source_files(self._root, self._workspaces, json_seen=self._queue.json_seen)

    # Paths: looked at one by one.

    async def _look(self, feed: Feed, batch: Batch) -> None:
        now = monotonic()
        noticed = batch.noticed
        asked = {path for path in batch.paths if self._wanted(path)}
        for path in [path for path, at in self._later.items() if at <= now]:
            del self._later[path]
            asked.add(path)
        # What a walk has found is taken in small portions, so that it keeps nothing that happens now waiting.
        while self._backlog and len(asked) < CHUNK:
            path, walked = self._backlog.popleft()
            asked.add(path)
            noticed = walked if noticed is None else noticed
        paths: list[str] = []
        for path in sorted(asked):
            quiet_until = self._told.get(path, -QUIET_SECONDS) + QUIET_SECONDS
            if quiet_until > now:
                self._later[path] = quiet_until
            else:
                paths.append(path)
        for start in range(0, len(paths), CHUNK):
            seen = await feed.in_thread(look, self._root, paths[start : start + CHUNK])
            if given_up := [path for path in seen if seen[path] is not None and not self._wanted(path)]:
                # The workspace that they are in is no agent's any more.
                await self._forget(feed, [readable(path) for path in given_up])
                seen = {path: seen[path] for path in seen.keys() - set(given_up)}
            await self._tell(feed, self._weigh(feed, seen), noticed)

    def _weigh(
        self, feed: Feed, seen: Mapping[str, Signature | None]
    ) -> list[tuple[str, Signature | None, Action]]:
        """Return what has really changed; what may be only half done is looked at once more before it counts."""
        changes: list[tuple[str, Signature | None, Action]] = []
        now = monotonic()
        for path, signature in seen.items():
            shown = readable(path)
            known = self._index.get(shown)
            if signature == known:
                self._unsure.discard(path)
                continue
            half_done = signature is None or (known is None and size_of(signature) == 0)
            if half_done and path not in self._unsure:
                self._unsure.add(path)
                self._later[path] = now + SECOND_LOOK_SECONDS
                continue
            self._unsure.discard(path)
            if known is None and path.startswith("../"):
                if self._outside >= MAX_OUTSIDE_FILES:
                    self._note_too_many(feed)
                    continue
                self._outside += 1
            self._told[path] = now
            changes.append((shown, signature, "deleted" if signature is None else self._action(shown)))
        if len(self._told) > MAX_REMEMBERED_TELLS:
            self._told = {path: at for path, at in self._told.items() if at + QUIET_SECONDS > now}
        return changes

    @staticmethod
    def _note_too_many(feed: Feed) -> None:
        most = f"{MAX_OUTSIDE_FILES:,}"
        feed.note(
            f"the workspaces of agents have more than {most} files: what is beyond that is not reported"
        )

    def _action(self, shown: str) -> Action:
        return "modified" if shown in self._index else "created"

    async def _tell(
        self,
        feed: Feed,
        changes: list[tuple[str, Signature | None, Action]],
        noticed: float | None,
        *,
        found_at_start: bool = False,
    ) -> None:
        steps: list[Step] = []
        for path, signature, action in changes:
            data: dict[str, Any] = {
                "action": action,
                "path": path,
                "agentId": self._workspaces.agent_of(path),
                "size": None if signature is None else size_of(signature),
                "extension": splitext(path)[1],
            }
            if found_at_start:
                data["foundAtStart"] = True
            steps.append(Step([feed.draft("file:change", data)], {path: signature}))
        if steps:
            await feed.tell(steps, noticed=noticed)
        for path, signature, action in changes:
            agent = self._workspaces.agent_of(path)
            if signature is None:
                self._index.pop(path, None)
                self._outside -= path.startswith("../")
            else:
                self._index[path] = signature
            self._counts[agent] += {"created": 1, "deleted": -1, "modified": 0}[action]
            if agent is not None and not found_at_start:
                self._activity.saw(agent, fileCount=self._counts[agent], lastActivity=rfc3339(now()).decode())

    def _until_due(self) -> float | None:
        due = min(self._later.values(), default=None)
        active = self._activity.due()
        if active is not None and (due is None or active < due):
            due = active
        return None if due is None else max(0.0, due - monotonic())

    def _wanted(self, path: str) -> bool:
        return not self._read.owns(path) and not self._workspaces.file(path)

    # Trees: walked in a thread, while everything else goes on.

    async def _walk(self, walker: OwnerThread) -> None:
        trees, noticed = self._trees, self._trees_noticed
        self._trees, self._trees_noticed = set(), None
        tops = [tree for tree in trees if not any(above in trees for above in folders_above(tree))]
        # Nobody waits for a look at everything that nothing has led to.
        pace = Pace(REST if noticed is None else 0.0, step=walker.checkpoint)
        found = await walker.run(self._find, tops, pace)
        difference = await walker.run(self._compare, tops, found, pace)
        for path, signature in difference.renumbered.items():
            if path in self._index:
                self._index[path] = signature
        suspicious = difference.suspicious
        if fresh := set(self._workspaces.tops) - self._taken:
            old = await walker.run(self._older, suspicious, found, fresh)
            self._silent.update(old)
            self._walked |= {top for top in fresh if not trees.isdisjoint((top, *folders_above(top)))}
            suspicious = [path for path in suspicious if path not in old]
        self._backlog.extend((path, noticed) for path in suspicious)

    def _older(
        self, suspicious: list[str], found: FoundFiles, fresh: Collection[str]
    ) -> dict[str, Signature]:
        """Return the files of new workspaces that were written before these could be known; in a thread."""
        older: dict[str, Signature] = {}
        for path in suspicious:
            top, signature = self._workspaces.top_of(path), found.files.get(path)
            if signature is not None and top in fresh:
                since = self._workspaces.new_since(top)
                if since is None or modified_ns(signature) < since - CLOCK_NS:
                    older[path] = signature
        return older

    def _find(self, tops: list[str], pace: Pace) -> FoundFiles:
        found = FoundFiles({}, [])
        room = MAX_OUTSIDE_FILES
        for top in [*tops, *(self._workspaces.tops if "" in tops else ())]:
            outside = top.startswith("../")
            files, unreadable = walk(
                self._root,
                top,
                self._workspaces.folder,
                lambda path: not self._wanted(path),
                pace,
                most=room if outside else None,
            )
            room -= len(files) if outside else 0
            found.files.update(files)
            found.unreadable.extend(unreadable)
        return found

    def _compare(self, tops: list[str], found: FoundFiles, pace: Pace) -> Difference:
        """Compare what was found with the index, which the event loop may be changing meanwhile."""
        suspicious: list[str] = []
        renumbered: dict[str, Signature] = {}
        there: set[str] = set()
        for path, signature in found.files.items():
            pace.step()
            shown = readable(path)
            there.add(shown)
            known = self._index.get(shown)
            if known is None or not only_renumbered(known, signature):
                suspicious.append(path)
            elif known != signature:
                # Some file systems number their files again at each mount.
                renumbered[shown] = signature
        if "" in found.unreadable:
            return Difference(suspicious, renumbered)
        below = tuple("" if not top else f"{top}/" for top in map(readable, tops))
        asked = frozenset(map(readable, tops))
        unseen = frozenset(map(readable, found.unreadable))
        hidden = tuple(f"{path}/" for path in unseen)
        for path in list(self._index):
            pace.step()
            if (
                path not in there
                and (path.startswith(below) or path in asked)
                and not (path.startswith(hidden) or path in unseen)
            ):
                suspicious.append(path)
        return Difference(suspicious, renumbered)


def _steps_to_keep(files: Mapping[str, Signature]) -> tuple[dict[str, Signature], list[Step]]:
    """Return files under the paths that are kept of them, and the steps that remember them."""
    kept = {readable(path): signature for path, signature in files.items()}
    return kept, [Step([], {path: signature}) for path, signature in kept.items()]
