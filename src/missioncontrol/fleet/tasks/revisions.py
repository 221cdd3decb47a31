"""What the file has been: each task's versions, and of which content of the file a copy was made.

Agents that edit the queue often write back a copy that was read minutes ago. To see what was changed in it, it must be
compared with the file as it was then. So every content of the file has a number, and of each task the newest versions
are kept with the numbers between which they were in the file. Of three tasks with their versions, by content:

    content      1     2     3     4     5     6
    TASK-1       a     a     b     b     b     c
    TASK-2             d     d     d     e     e
    TASK-3                         f     f     f

A copy [a, d] was made of content 2: `d` came with it (rule 1), and `a` was replaced after it (rule 2). So TASK-3 was
not deleted in it: it came later (rule 5).

A copy [b, x] is an edit of TASK-2, and was made of content 3 to 5. Which version `x` was made of, `d` or `e`, its
`updated` says, or the smaller difference (rule 4).

A copy [c, e] was made of content 6, and lacks TASK-3, which was there then: it was deleted (rule 5).

The rules:

1. A copy was made no earlier than any of the versions that are in it unchanged, nor than its `nextId` as it was
   before tasks were added to it.
2. It was made before the first of those versions was replaced, and before its `nextId` was; but what rule 1 excludes
   was put back by hand, and says nothing.
3. A task that is one of its versions of that time was not edited. A copy that is an old content as a whole was not made
   to change nothing: a task in it that has the `updated` of its newest version was put back by hand. But one that was
   merged when it came is that same copy, written again.
4. Any other task was edited. Among its versions of that time, but for those with a later `updated`, it was made of
   one with the same `updated` if there is one, and of those of the one that it differs least from, of equals the
   newest. Of a version that it would differ from in `updated` alone it was not made, since no author touches a task
   to change nothing.
5. A task that is missing, in `tasks` as in `history`, was deleted, unless the author of the copy cannot have known it:
   it came into the file later than rule 2 allows; or it was not there all the time from rule 1 to rule 2, and comes, by
   its number or by its time, after all that was known then. A copy of which nothing at all is known deletes nothing.

6. An author who empties the file may have lost it. A copy with at least half of the tasks that went in that moment
   brings them back, as a backup does; any other copy does not bring back what was deleted.

A task that is over moves into the file's `history`, and is in the file all the same. Some time later the state lets go
of it: its versions stay for a while, so that it is known again in an old copy.

What is asked of the past is asked about some tasks at a time: `among` names them, and all others are in the copy as
they are in the newest content. So a look at a file in which one task was changed costs one task. Without `among` it is
about all.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from heapq import heapify, heappop, heappush

import msgspec

from missioncontrol.events.decoding import read_float
from missioncontrol.fleet.tasks.retention import Retention
from missioncontrol.fleet.tasks.task import Task, later, moment, number_of
from missioncontrol.fleet.tasks.versions import (
    FOREVER,
    Counter,
    NextId,
    RevisionWindow,
    Version,
    nearest,
    over_since,
    thin,
)

MAX_VERSIONS = 20
MAX_VERSIONS_BYTES = 256 * 1024
"""How many versions of a task are kept, and how much they may have to remember."""

MAX_NEXT_IDS = 200
MAX_GONE = 2_000
"""Of how many tasks that are gone the versions are kept, for copies that still have them; and of how many of those that
the state let go of."""

_TASK = "task:"
_COUNTER = "counter"


_versions = msgspec.json.Decoder(list[Version], float_hook=read_float)
_counters = msgspec.json.Decoder(Counter)


class RevisionHistory:
    """The versions of all tasks by id, and what the file has been."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self._counter = Counter()
        self._changed: set[str] = set()
        self._counted = False
        # Tasks that are gone, in the order in which they went; and how many there are.
        self._gone: dict[str, None] = {}
        self._open = 0
        # What came after the newest content that is known to have been in the file.
        self._ahead: set[str] = set()
        # The tasks that are there by when they first were as they are, the newest first. What is out of date in it is
        # found when it comes to the top.
        self._first: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        # The tasks of the state that are over; those that the state let go of, in that order.
        self.retention = Retention()
        self._let_go: dict[str, None] = {}

    def __bool__(self) -> bool:
        """Report whether there has been a file."""
        return self._counter.content > 0

    @property
    def ahead(self) -> Collection[str]:
        """The ids of tasks of which something was noted that is not known to have come to the file."""
        return self._ahead

    def newest(self, id_: str) -> Task | None:
        """Return a task as it is in the newest content; None where it is not in it."""
        known = self.versions.get(id_)
        return known[-1].task if known and known[-1].until == FOREVER else None

    def was_in_file(self, id_: str) -> bool:
        """Report whether a task is known to have been in the file."""
        known = self.versions.get(id_)
        return known is not None and known[0].since <= self._counter.reached

    @property
    def content(self) -> int:
        """The number of the newest content."""
        return self._counter.content

    def agreed(self, id_: str) -> Task | None:
        """Return a task as the state is to have it; None where it is to have none of this id."""
        return None if id_ in self._let_go else self.newest(id_)

    @property
    def present(self) -> Collection[str]:
        """The ids of the tasks in the newest content."""
        return self._first.keys()

    # What the state let go of.

    def is_let_go(self, id_: str) -> bool:
        """Report whether the state let go of a task that is in the file's history."""
        return id_ in self._let_go

    def let_go_tasks(self) -> dict[str, Task]:
        """Return the tasks that the state let go of and that are still known, by id."""
        return {id_: self.versions[id_][-1].task for id_ in self._let_go}

    def let_go(self, ids: Iterable[str]) -> None:
        """Note that the state lets go of tasks that are in the file's history; of the oldest nothing stays known."""
        for id_ in ids:
            self.versions[id_][0].let_go = True
            self._changed.add(id_)
            self._index([id_])
        while len(self._let_go) > MAX_GONE:
            oldest = next(iter(self._let_go))
            del self.versions[oldest]
            self._changed.add(oldest)
            self._index([oldest])

    def take_back(self, ids: Iterable[str]) -> None:
        """Note that tasks are to be in the state, whether it let go of them or not."""
        for id_ in ids:
            known = self.versions.get(id_)
            if known and known[0].let_go:
                known[0].let_go = False
                self._changed.add(id_)
                self._index([id_])

    def share(self, id_: str, task: Task) -> None:
        """Keep this task in the place of an equal one, so that it is in memory once."""
        known = self.versions.get(id_)
        if known and known[-1].task == task:
            known[-1].task = task

    def note(
        self,
        tasks: Mapping[str, Task],
        next_id: int | None,
        left: Container[str] = (),
        *,
        ahead: bool = False,
        among: Collection[str] | None = None,
        at: int = 0,
    ) -> bool:
        """Note what the file has in it now, and say whether that is a content of its own.

        Args:
            tasks: what is in it, by id.
            next_id: the number that it gives as the next.
            left: ids that are in it too, in a form that is not understood: as far as is known, they are as they were.
            ahead: it is still to be written.
            among: the ids that this is about.
            at: the time that it is, in milliseconds since 1970.
        """
        content = self._counter.content + 1
        changed: set[str] = set()
        for id_, task in tasks.items():
            known = self.versions.setdefault(id_, [])
            if known and known[-1].until == FOREVER:
                if known[-1].task == task:
                    continue
                known[-1].until = content
            known.append(Version(task, content, noted=at))
            while len(known) > MAX_VERSIONS:
                thin(known)
            changed.add(id_)
        for id_ in self.versions if among is None else among:
            if id_ not in tasks and id_ not in left and self.newest(id_) is not None:
                self.versions[id_][-1].until = content
                changed.add(id_)
        self._index(changed)
        next_ids = self._counter.next_ids
        is_new = next_id is not None and (not next_ids or next_ids[-1].value != next_id)
        if next_id is not None and is_new:
            if next_ids:
                next_ids[-1].until = content
            next_ids.append(NextId(next_id, content))
            del next_ids[:-MAX_NEXT_IDS]
        new = bool(changed) or is_new or not self
        if new:
            self._counter.content = content
            self._changed |= changed
            self._ahead |= changed
            self._counted = True
        if not ahead:
            self.reached()
        self._forget()
        return new

    def mend(self) -> None:
        """Note that the newest content is an author's copy, which does not stay as it is."""
        self._counter.mended.append(self._counter.content)
        del self._counter.mended[:-MAX_NEXT_IDS]
        self._counted = True

    def was_emptied(self) -> None:
        """Note that all tasks are missing in the newest content, and that this may be a mistake: rule 6."""
        self._counter.emptied = self._counter.content
        self._counted = True

    def put_back(self, copy: Container[str]) -> Collection[str]:
        """Return the tasks that went when the file was emptied, if a copy has most of them: rule 6."""
        emptied = self._counter.emptied
        if not emptied:
            return ()
        went = {id_ for id_ in self._gone if self.versions[id_][-1].until == emptied}
        return went if 2 * sum(id_ in copy for id_ in went) >= len(went) else ()

    def reached(self) -> None:
        """Note that the newest content is in the file."""
        self._ahead.clear()
        if self._counter.reached != self._counter.content:
            self._counter.reached = self._counter.content
            self._counted = True

    def settle(
        self, copy: Mapping[str, Task], next_id: int | None, among: Collection[str] | None = None
    ) -> None:
        """Forget the content that was noted ahead, where a copy shows nothing of it: it has not come to the file.

        Args:
            copy: the tasks of what is there now, by id.
            next_id: its `nextId`.
            among: the ids that this is about; those in `ahead` are among them.
        """
        reached = self._counter.reached
        if reached < self._counter.content and self.origin(copy, next_id, among=among).since <= reached:
            self._back_to(reached, list(self._ahead))

    def _back_to(self, content: int, ids: Iterable[str]) -> None:
        """Forget all that came after a content; `ids` are the tasks of which something did."""
        changed: set[str] = set()
        for id_ in ids:
            known = self.versions.get(id_)
            if known and (known[-1].since > content or content < known[-1].until < FOREVER):
                self.versions[id_] = stood = [version for version in known if version.since <= content]
                if not stood:
                    del self.versions[id_]
                elif stood[-1].until > content:
                    stood[-1].until = FOREVER
                changed.add(id_)
        self._changed |= changed
        self._index(changed)
        self._ahead.clear()
        if content < self._counter.content:
            next_ids = [known for known in self._counter.next_ids if known.since <= content]
            if next_ids:
                next_ids[-1].until = FOREVER
            # Its number is not given again: what was remembered of a task before the process ended can have it.
            self._counter.next_ids, self._counter.reached = next_ids, self._counter.content
            self._counted = True

    def _index(self, ids: Iterable[str]) -> None:
        """Take note of which tasks are there, and since when each is as it is."""
        for id_ in ids:
            known = self.versions.get(id_)
            was = self._first.pop(id_, None)
            self._open -= was is not None
            self._gone.pop(id_, None)
            is_let_go = known[0].let_go if known else False
            if is_let_go:
                self._let_go.setdefault(id_)
            else:
                self._let_go.pop(id_, None)
            if not known or known[-1].until < FOREVER:
                self.retention.put(id_, None)
                if known and not is_let_go:
                    self._gone[id_] = None
                continue
            self.retention.put(id_, None if is_let_go else over_since(known))
            newest = known[-1].task
            first = next(version.since for version in known if version.task == newest)
            self._first[id_] = first
            self._open += 1
            heappush(self._heap, (-first, id_))
        if len(self._heap) > 2 * len(self._first) + 1000:
            self._heap = [(-first, id_) for id_, first in self._first.items()]
            heapify(self._heap)

    def _forget(self) -> None:
        while len(self._gone) > MAX_GONE:
            id_ = next(iter(self._gone))
            del self._gone[id_], self.versions[id_]
            self._changed.add(id_)

    # What a copy shows.

    def origin(
        self,
        copy: Mapping[str, Task],
        next_id: int | None,
        new_from: int | None = None,
        among: Collection[str] | None = None,
        own: Collection[int] = (),
    ) -> RevisionWindow:
        """Return the contents that a copy can have been made of: rules 1 and 2.

        Args:
            copy: its tasks by id.
            next_id: its `nextId`.
            new_from: the lowest number that was new to its author; None where only `next_id` shows that.
            among: the ids that `copy` is about.
            own: the contents of its author alone, the oldest first.
        """
        # `since` is the newest begin of what is in the copy unchanged, `ends` are the ends of the same.
        since, edited, new = 0, False, False
        ends: list[int] = []
        for id_, task in copy.items():
            known = self.versions.get(id_, ())
            same = [version for version in known if version.task == task]
            if same:
                since = max(since, same[0].since)
                ends.append(same[-1].until)
            edited |= not same
            new |= not known
        # The tasks that were not asked about are in the copy as they are now, and count as unchanged.
        others = 0 if among is None else self._open - sum(id_ in self._first for id_ in among)
        if among is not None and others:
            since = max(since, self._latest_first(among))
            ends.append(FOREVER)
        # `nextId` is a clock as well: its author added tasks from the number that it had when the copy was made.
        first = min((one for one in (next_id, new_from) if one is not None), default=None)
        counted = [known for known in self._counter.next_ids if known.value == first]
        if counted:
            ends.append(counted[-1].until)
            if not new or new_from is not None:
                since = max(since, counted[0].since)
        # What ended before another part began was put back by hand, and says nothing.
        until = min((end for end in ends if end > since), default=FOREVER)
        if inside := [content for content in own if since <= content < until]:
            # Its author goes on with a content of its own, of those that fit its `nextId` where there are any.
            fitting = [one for one in inside if any(known.since <= one < known.until for known in counted)]
            inside = fitting or inside
            since, until = inside[0], inside[-1] + 1
        # Old as a whole: nothing in it was edited, and something in it has been replaced since.
        some = bool(copy) or others > 0
        old = some and not edited and min(ends, default=FOREVER) <= self._counter.reached
        old = old and since not in self._counter.mended
        return RevisionWindow(
            since,
            until,
            known=bool(ends) or not some or not all(id_ not in self.versions for id_ in copy),
            restored=old and not self._lacks(copy, since, among),
            counted=bool(counted),
            new_from=first,
            newest=cache(lambda: self._newest_time(copy, among)),
        )

    def _latest_first(self, but: Collection[str]) -> int:
        """Return when the last of the tasks that are there became what it is, but for some."""
        aside: list[tuple[int, str]] = []
        found = 0
        while self._heap:
            negative, id_ = self._heap[0]
            if self._first.get(id_) != -negative:
                heappop(self._heap)
            elif id_ in but:
                aside.append(heappop(self._heap))
            else:
                found = -negative
                break
        for one in aside:
            heappush(self._heap, one)
        return found

    def _newest_time(self, copy: Mapping[str, Task], among: Collection[str] | None) -> datetime | None:
        others = () if among is None else (id_ for id_ in self._first if id_ not in among)
        tasks = [*copy.values(), *(self.versions[id_][-1].task for id_ in others)]
        times = (moment(task.get("updated")) or moment(task.get("created")) for task in tasks)
        return max((time for time in times if time is not None), default=None)

    def _lacks(self, copy: Mapping[str, Task], content: int, among: Collection[str] | None) -> bool:
        """Report whether anything of a content is missing in a copy."""
        return any(
            id_ not in copy
            and any(version.since <= content < version.until for version in self.versions.get(id_, ()))
            for id_ in (self.versions if among is None else {*among, *self._gone})
        )

    def base(self, id_: str, task: Task, origin: RevisionWindow) -> Task | None:
        """Return the version that a task of a copy was made of: rules 3 and 4. None where it has no past."""
        known = self.versions.get(id_)
        if not known:
            return None
        possible = [version.task for version in known if origin.meets(version)]
        possible = possible or [version.task for version in known]
        if task in possible:
            newest = known[-1].task
            put_back = origin.restored and newest.get("updated") == task.get("updated")
            return newest if put_back else task
        same_time = [
            base for base in possible if "updated" in task and base.get("updated") == task["updated"]
        ]
        earlier = [base for base in possible if not later(base, task)]
        return nearest(task, same_time or earlier or possible)

    def unseen(self, id_: str, origin: RevisionWindow) -> bool:
        """Report whether the author of a copy that lacks a task cannot have known it: rule 5."""
        known = self.versions.get(id_)
        if not known or not origin.known or known[0].since >= origin.until:
            return True
        if self._lasted(known, origin):
            return False
        number = number_of(id_)
        if number is not None and origin.new_from is not None:
            return origin.counted or number >= origin.new_from
        task = known[0].task
        came = moment(task.get("created")) or moment(task.get("updated"))
        newest = None if came is None else origin.newest()
        return came is not None and newest is not None and came > newest

    def _lasted(self, known: Sequence[Version], origin: RevisionWindow) -> bool:
        """Report whether a task was there in all contents that a copy can have been made of."""
        there = origin.since
        for version in known:
            if version.since <= there < version.until:
                there = version.until
        return there >= min(origin.until, self._counter.content + 1)

    def seen(self, id_: str, origin: RevisionWindow) -> Task | None:
        """Return the version of a task that a copy's author saw last; None where it did not exist."""
        met = [version.task for version in self.versions.get(id_, ()) if origin.meets(version)]
        return met[-1] if met else None

    # What is to be remembered.

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be remembered of tasks, by key, and take it as remembered."""
        return self.remembered(self.take_changed())

    def take_changed(self) -> set[str]:
        """Return the ids of the tasks of which something is to be remembered, and take it as remembered."""
        changed, self._changed = self._changed, set()
        return changed

    def remembered(self, ids: Iterable[str]) -> dict[str, bytes | None]:
        """Return what is to be remembered of some tasks, by key."""
        return {self.key(id_): self._encoded(id_) for id_ in ids}

    @staticmethod
    def key(id_: str) -> str:
        """Return under which key a task's versions are remembered."""
        return f"{_TASK}{id_}"

    def counter(self) -> dict[str, bytes | None]:
        """Return what is to be remembered of the file, by key, and take it as remembered."""
        if not self._counted:
            return {}
        self._counted = False
        return {_COUNTER: msgspec.json.encode(self._counter)}

    def _encoded(self, id_: str) -> bytes | None:
        known = self.versions.get(id_)
        if known is None:
            return None
        encoded = msgspec.json.encode(known)
        while len(encoded) > MAX_VERSIONS_BYTES and len(known) > 2:
            thin(known)
            encoded = msgspec.json.encode(known)
        return encoded

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered.

        The counter is remembered last: what goes beyond it was cut short, and is judged again.
        """
        for key, kept in memory.items():
            if key.startswith(_TASK):
                self.versions[key.removeprefix(_TASK)] = _versions.decode(kept)
        if _COUNTER in memory:
            self._counter = _counters.decode(memory[_COUNTER])
        self._back_to(self._counter.content, list(self.versions))
        # In the order in which they went.
        newest = {id_: known[-1] for id_, known in self.versions.items()}
        self._index(sorted(newest, key=lambda id_: (newest[id_].until, newest[id_].noted)))
        reached = self._counter.reached
        self._ahead.update(
            id_
            for id_, known in self.versions.items()
            if known[-1].since > reached or reached < known[-1].until < FOREVER
        )
