"""Every file of the workspace that is told as nothing better: created, modified, deleted.

What is known of each file is an index from its path to its signature, kept in the log's own database in the same
transaction as the events. A file is told when its signature differs from the index, whatever notification led there,
so the steps of one write, or a temporary file that becomes another one by renaming, are one event. Whole trees are
walked in a thread, and what differs there becomes paths to look at, so that a long walk delays nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from posixpath import splitext
from time import monotonic
from typing import Any, Literal, NamedTuple

from missioncontrol.events import now, rfc3339
from missioncontrol.sources.activity import Activity
from missioncontrol.sources.layout import agent_of, owned, parent_of, readable
from missioncontrol.sources.source import CHUNK, MARK, Batch, Feed, Step, Workspace
from missioncontrol.sources.tree import Found, Pace, Signature, look, only_renumbered, size_of, walk
from missioncontrol.sources.watcher import REST

QUIET_SECONDS = 0.3
"""How long a file that was told stays untold, so that one that is written all the time tells a few times a second."""

SECOND_LOOK_SECONDS = 0.05
"""How long a file that is gone, or new and empty, is given to become something else."""

MAX_REMEMBERED_TELLS = 10_000

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
        self._ignore = workspace.ignore
        self._index: dict[str, Signature] = {}
        self._told: dict[str, float] = {}
        self._later: dict[str, float] = {}
        self._unsure: set[str] = set()
        self._trees: set[str] = set()
        self._trees_noticed: float | None = None
        self._backlog: deque[tuple[str, float | None]] = deque()
        self._activity = Activity()
        self._counts: Counter[str | None] = Counter()

    async def run(self, feed: Feed) -> None:
        """Watch the files until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._index = {path: Signature(kept) for path, kept in memory.items()}
        self._told, self._later, self._unsure = {}, {}, set()
        self._trees, self._trees_noticed = set(), None
        self._backlog.clear()
        await feed.watched()
        await self._first_look(feed, first)
        self._counts = await asyncio.to_thread(lambda: Counter(map(agent_of, self._index)))
        feed.running()
        walking: asyncio.Task[None] | None = None
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
                    walking = asyncio.create_task(self._walk())
                    walking.add_done_callback(lambda _: feed.inbox.put())
                await self._look(feed, batch)
                if active := self._activity.drafts(feed):
                    await feed.tell([Step(active, {})])
        finally:
            if walking is not None:
                walking.cancel()

    async def _first_look(self, feed: Feed, first: bool) -> None:
        found = await asyncio.to_thread(self._find, [""], Pace())
        if "" in found.unreadable:
            raise OSError(f"the workspace {self._root} cannot be read")
        if first:
            steps = await asyncio.to_thread(self._baseline, found)
            await feed.tell(steps)
            return
        # What the user has chosen to ignore since is not deleted: it is only no longer spoken of.
        ignored = await asyncio.to_thread(lambda: [path for path in self._index if not self._wanted(path)])
        await feed.tell([Step([], {path: None}) for path in ignored])
        for path in ignored:
            del self._index[path]
        difference = await asyncio.to_thread(self._compare, [""], found, Pace())
        self._index.update(difference.renumbered)
        seen = {path: found.files.get(path) for path in difference.suspicious}
        changes = [
            (readable(path), signature, "deleted" if signature is None else self._action(path))
            for path, signature in sorted(seen.items())
        ]
        await self._tell(feed, changes, None, found_at_start=True)

    def _baseline(self, found: Found) -> list[Step]:
        """Take what is there as the index, and return what is to be remembered of it."""
        files = {readable(path): signature for path, signature in found.files.items()}
        steps = [Step([], {path: None}) for path in self._index.keys() - files.keys()]
        steps += (Step([], {path: signature}) for path, signature in files.items())
        self._index = files
        # The mark comes last: a baseline that was cut short is taken anew.
        return [*steps, Step([], {MARK: b"1"})]

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
            seen = await asyncio.to_thread(look, self._root, paths[start : start + CHUNK])
            await self._tell(feed, self._weigh(seen), noticed)

    def _weigh(self, seen: Mapping[str, Signature | None]) -> list[tuple[str, Signature | None, Action]]:
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
            self._told[path] = now
            changes.append((shown, signature, "deleted" if signature is None else self._action(shown)))
        if len(self._told) > MAX_REMEMBERED_TELLS:
            self._told = {path: at for path, at in self._told.items() if at + QUIET_SECONDS > now}
        return changes

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
                "agentId": agent_of(path),
                "size": None if signature is None else size_of(signature),
                "extension": splitext(path)[1],
            }
            if found_at_start:
                data["foundAtStart"] = True
            steps.append(Step([feed.draft("file:change", data)], {path: signature}))
        if steps:
            await feed.tell(steps, noticed=noticed)
        for path, signature, action in changes:
            agent = agent_of(path)
            if signature is None:
                self._index.pop(path, None)
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
        return not owned(path) and not self._ignore.file(path)

    # Trees: walked in a thread, beside everything else.

    async def _walk(self) -> None:
        trees, noticed = self._trees, self._trees_noticed
        self._trees, self._trees_noticed = set(), None
        tops = [tree for tree in trees if not any(above in trees for above in _above(tree))]
        # Nobody waits for a look at everything that nothing has led to.
        pace = Pace(REST if noticed is None else 0.0)
        found = await asyncio.to_thread(self._find, tops, pace)
        difference = await asyncio.to_thread(self._compare, tops, found, pace)
        for path, signature in difference.renumbered.items():
            if path in self._index:
                self._index[path] = signature
        self._backlog.extend((path, noticed) for path in difference.suspicious)

    def _find(self, tops: list[str], pace: Pace) -> Found:
        found = Found({}, [])
        for top in tops:
            files, unreadable = walk(
                self._root, top, self._ignore.folder, lambda path: not self._wanted(path), pace
            )
            found.files.update(files)
            found.unreadable.extend(unreadable)
        return found

    def _compare(self, tops: list[str], found: Found, pace: Pace) -> Difference:
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
                # Some file systems number their files anew at each mount.
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


def _above(path: str) -> list[str]:
    """Return the trees that a path lies in, the whole workspace last."""
    above: list[str] = []
    while path:
        path = parent_of(path)
        above.append(path)
    return above
