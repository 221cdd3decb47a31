"""Changes of the files of the workspace and of the agents' workspaces that no other source reports.

The known files are an index from path to signature, stored in the log's database in the same transaction as the
events. A file is reported when its signature differs from the index, whatever the notification was, so the steps of
one write, or a temporary file that is renamed to another one, are one event. Whole trees are walked in a thread, and
each difference becomes a path to check, so that a long walk delays nothing.

The files of an agent's workspace that is found at a start, or that existed before it was known as one, are added to
the index without events. A mark in the memory (the workspace's path with a `/` at the end) notes that this was done.
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
"""Seconds between two reports of a file, so that one that is written all the time is reported a few times a second."""

SECOND_LOOK_SECONDS = 0.05
"""Seconds after which a file that is gone, or new and empty, is checked again before that is reported."""

MAX_REMEMBERED_REPORTS = 10_000

MAX_OUTSIDE_FILES = 100_000
"""How many files outside of the workspace are indexed; changes of further files are not reported."""

CLOCK_NS = 1_000_000_000
"""By how many nanoseconds a file's time may lag behind the clock: some file systems count whole seconds."""

Action = Literal["created", "modified", "deleted"]


class Difference(NamedTuple):
    """The result of a walk: paths to check, and files whose inode alone has changed, which are not reported."""

    suspicious: list[str]
    renumbered: dict[str, Signature]


class Files:
    """Publishes changes of files."""

    name = "files"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._workspaces = workspace.agent_workspaces
        self._version = -1
        self._queue = workspace.queue
        self._read = SourceFiles()
        # The workspaces of agents whose files have been indexed without events.
        self._taken: set[str] = set()
        self._silent: dict[str, Signature] = {}
        self._walked: set[str] = set()
        self._outside = 0
        self._index: dict[str, Signature] = {}
        self._reported: dict[str, float] = {}
        self._later: dict[str, float] = {}
        self._unsure: set[str] = set()
        self._trees: set[str] = set()
        self._trees_noticed: float | None = None
        self._backlog: deque[tuple[str, float | None]] = deque()
        self._activity = Activity()
        self._counts: Counter[str | None] = Counter()

    @property
    def index(self) -> Mapping[str, Signature]:
        """The known files by path, without those that other sources own; it changes on the event loop."""
        return self._index

    async def run(self, feed: Feed) -> None:
        """Watch the files until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        marks = {path[:-1]: memory.pop(path).decode() for path in list(memory) if path.endswith("/")}
        self._taken = set(marks)
        self._silent, self._walked = {}, set()
        self._index = {path: Signature(kept) for path, kept in memory.items()}
        self._reported, self._later, self._unsure = {}, {}, set()
        self._trees, self._trees_noticed = set(), None
        self._backlog.clear()
        await feed.watched()
        for top in marks.keys() - set(self._workspaces.tops):
            self._workspaces.remember(top, marks[top])
        await self._first_look(feed, first)
        await self._count(feed)
        feed.running()
        walking: asyncio.Task[None] | None = None
        # A separate thread, so that a long walk does not delay the check of files that have just changed.
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
                    await feed.publish([Step(active, {})])
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
            await feed.publish(steps)
            await self._mark(feed, self._workspaces.tops)
            return
        # Files that the user has chosen to ignore since are not deleted: they are only no longer reported.
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
        await self._publish(feed, changes, None, found_at_start=True)

    def _baseline(self, found: FoundFiles) -> list[Step]:
        """Set the index to the files that were found, and return the steps that store it."""
        files = {readable(path): signature for path, signature in found.files.items()}
        steps = [Step([], {path: None}) for path in self._index.keys() - files.keys()]
        steps += (Step([], {path: signature}) for path, signature in files.items())
        self._index = files
        # The mark comes last: a baseline that was interrupted is stored again.
        return [*steps, Step([], {MARK: b"1"})]

    # Files that are indexed without events.

    def _no_longer_wanted(self) -> list[str]:
        """Return the known files that are ignored now, although they exist; in a thread."""
        unwanted = [path for path in self._index if not self._wanted(path)]
        # The files of an agent's workspace that is gone are deleted.
        outside = look(self._root, (path for path in unwanted if path.startswith("../")))
        return [path for path in unwanted if outside.get(path, True) is not None]

    def _not_taken(self, found: FoundFiles) -> dict[str, Signature]:
        """Return the files in workspaces of agents that were not known at the last start; in a thread."""
        return {
            path: signature
            for path, signature in found.files.items()
            if (top := self._workspaces.top_of(path)) and top not in self._taken
        }

    async def _enter(self, feed: Feed, files: Mapping[str, Signature]) -> None:
        """Add files to the index without events."""
        if files:
            kept, steps = await feed.in_thread(_steps_to_keep, files)
            await feed.publish(steps)
            self._index.update(kept)

    async def _forget(self, feed: Feed, paths: Collection[str]) -> None:
        """Remove files from the index without events."""
        await feed.publish(await feed.in_thread(lambda: [Step([], {path: None}) for path in paths]))
        for path in paths:
            self._index.pop(path, None)

    async def _mark(self, feed: Feed, walked: Collection[str]) -> None:
        """Remember which workspaces of agents have been indexed: these, and the earlier ones that still exist."""
        taken = (self._taken.union(walked)).intersection(self._workspaces.tops)
        changes: dict[str, bytes | None] = {f"{top}/": None for top in self._taken - taken}
        for top in taken - self._taken:
            changes[f"{top}/"] = (self._workspaces.agent_of(top) or "").encode()
        self._taken = taken
        if changes:
            await feed.publish([Step([], changes)])

    async def _count(self, feed: Feed) -> None:
        """Count all files again, by agent, and outside of the workspace."""
        self._version = self._workspaces.version

        def count() -> tuple[Counter[str | None], int]:
            paths = list(self._index)
            outside = sum(path.startswith("../") for path in paths)
            return Counter(map(self._workspaces.agent_of, paths)), outside

        self._counts, self._outside = await feed.in_thread(count)

    async def _take_over(self, feed: Feed, batch: Batch) -> None:
        """Index the files that other sources no longer read, and those of new workspaces; remove those now read."""
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
        """Return the files that no other source reads any more, and the known files that one reads now; in a thread."""
        there = unread_files(self._root, self._workspaces, self._read)
        new = {
            path: signature
            for path, signature in there.items()
            if readable(path) not in self._index and self._wanted(path)
        }
        return new, [path for path in list(self._index) if self._read.owns(path)]

    def _find_source_files(self) -> SourceFiles:
        return find_source_files(self._root, self._workspaces, json_seen=self._queue.json_seen)

    # Paths: checked one by one.

    async def _look(self, feed: Feed, batch: Batch) -> None:
        now = monotonic()
        noticed = batch.noticed
        asked = {path for path in batch.paths if self._wanted(path)}
        for path in [path for path, at in self._later.items() if at <= now]:
            del self._later[path]
            asked.add(path)
        # The results of a walk are checked in small portions, so that they do not delay current changes.
        while self._backlog and len(asked) < CHUNK:
            path, walked = self._backlog.popleft()
            asked.add(path)
            noticed = walked if noticed is None else noticed
        paths: list[str] = []
        for path in sorted(asked):
            quiet_until = self._reported.get(path, -QUIET_SECONDS) + QUIET_SECONDS
            if quiet_until > now:
                self._later[path] = quiet_until
            else:
                paths.append(path)
        for start in range(0, len(paths), CHUNK):
            seen = await feed.in_thread(look, self._root, paths[start : start + CHUNK])
            if given_up := [path for path in seen if seen[path] is not None and not self._wanted(path)]:
                # They are in a workspace that is no longer an agent's.
                await self._forget(feed, [readable(path) for path in given_up])
                seen = {path: seen[path] for path in seen.keys() - set(given_up)}
            await self._publish(feed, self._weigh(feed, seen), noticed)

    def _weigh(
        self, feed: Feed, seen: Mapping[str, Signature | None]
    ) -> list[tuple[str, Signature | None, Action]]:
        """Return the changes; one that may be only half done is checked again before it counts."""
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
            self._reported[path] = now
            changes.append((shown, signature, "deleted" if signature is None else self._action(shown)))
        if len(self._reported) > MAX_REMEMBERED_REPORTS:
            self._reported = {path: at for path, at in self._reported.items() if at + QUIET_SECONDS > now}
        return changes

    @staticmethod
    def _note_too_many(feed: Feed) -> None:
        most = f"{MAX_OUTSIDE_FILES:,}"
        feed.note(
            f"the workspaces of agents have more than {most} files; changes of further files are not reported"
        )

    def _action(self, shown: str) -> Action:
        return "modified" if shown in self._index else "created"

    async def _publish(
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
            await feed.publish(steps, noticed=noticed)
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

    # Trees: walked in a thread, without delaying anything else.

    async def _walk(self, walker: OwnerThread) -> None:
        trees, noticed = self._trees, self._trees_noticed
        self._trees, self._trees_noticed = set(), None
        tops = [tree for tree in trees if not any(above in trees for above in folders_above(tree))]
        # A full scan without a notification is not urgent.
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
        """Return the files of new workspaces that were written before the workspaces were known; in a thread."""
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
        """Compare the files of a walk with the index, which the event loop may change meanwhile."""
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
                # Some file systems assign new inode numbers at each mount.
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
    """Return files by the paths under which they are indexed, and the steps that store them."""
    kept = {readable(path): signature for path, signature in files.items()}
    return kept, [Step([], {path: signature}) for path, signature in kept.items()]
