"""What the file has been: each task's versions, and of which content of the file a copy was made.

Whoever edits the queue often writes back a copy that was read minutes ago. To see what was changed in it, it must be
compared with the file as it was then. So every content of the file has a number, and of each task the newest versions
are kept with the numbers between which they stood in the file. The rules:

1. A copy was made no earlier than any of the versions that stand in it unchanged, nor than its `nextId` as it was
   before tasks were added to it.
2. It was made before the first of those versions was replaced, and before its `nextId` was; but what rule 1 excludes
   was put back by hand, and says nothing.
3. A task that is one of its versions of that time was not edited. A copy that is an old content as a whole was not made
   to change nothing: a task in it that has the `updated` of its newest version was put back by hand. But one that was
   merged when it came is that same copy, written again.
4. Any other task was edited. Among its versions of that time, but for those with a later `updated`, it was made of one
   with the same `updated` if there is one, and of those of the one that it differs least from, of equals the newest. Of
   a version that it would differ from in `updated` alone it was not made, since nobody touches a task to change
   nothing.
5. A task that is missing was deleted, unless whoever made the copy cannot have known it: it came into the file later
   than rule 2 allows; or it was not there all the time from rule 1 to rule 2, and comes, by its number or by its time,
   after all that was known then. A copy of which nothing at all is known deletes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from missioncontrol.sources.tasks.task import Task, later, moment, number_of

MAX_VERSIONS = 20
MAX_VERSIONS_BYTES = 256 * 1024
"""How many versions of a task are kept, and how much they may have to remember."""

MAX_NEXT_IDS = 200
MAX_GONE = 2_000
"""Of how many tasks that are gone the versions are kept, for copies that still have them."""

FOREVER = 2**53
_TASK = "task:"
_COUNTER = "counter"


class Version(msgspec.Struct):
    """A task as it stood in the file from the content numbered `since` to the one before `until`."""

    task: Task
    since: int
    until: int = FOREVER


class NextId(msgspec.Struct):
    """The file's `nextId`, from the content numbered `since` to the one before `until`."""

    value: int
    since: int
    until: int = FOREVER


class Counter(msgspec.Struct):
    """The number of the newest content, and the file's `nextId` in the contents so far.

    `reached` is the newest content that is known to have stood in the file; `mended` are those that were somebody's
    copy, and were merged at once.
    """

    content: int = 0
    reached: int = 0
    next_ids: list[NextId] = []
    mended: list[int] = []


class Origin(NamedTuple):
    """What a copy shows of the contents that it can have been made of: those from `since` to the one before `until`.

    `known` says that something in it shows that it was made of this file at all; `restored`, that it is an old content
    as a whole; `counted`, that the file has had its `nextId`. Numbers from `new_from` on were new to whoever made it;
    `newest` is the latest time in it.
    """

    since: int = 0
    until: int = FOREVER
    known: bool = True
    restored: bool = False
    counted: bool = False
    new_from: int | None = None
    newest: datetime | None = None

    def meets(self, version: Version) -> bool:
        """Say whether a version stood in the file in this time."""
        return version.since < self.until and self.since < version.until


class Past:
    """The versions of all tasks by id, and what the file has been."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self._counter = Counter()
        self._changed: set[str] = set()
        self._counted = False

    def __bool__(self) -> bool:
        """Say whether there has been a file."""
        return self._counter.content > 0

    def note(
        self,
        tasks: Mapping[str, Task],
        next_id: int | None,
        left: Collection[str] = (),
        *,
        ahead: bool = False,
    ) -> bool:
        """Note what the file has in it now, and say whether that is a content of its own.

        Args:
            tasks: what stands there, by id.
            next_id: the number that it gives as the next.
            left: ids that stand there too, in a form that is not understood: as far as is known, they are as they were.
            ahead: it is still to be written.
        """
        content = self._counter.content + 1
        changed: set[str] = set()
        for id_, task in tasks.items():
            known = self.versions.setdefault(id_, [])
            if known and known[-1].until == FOREVER:
                if known[-1].task == task:
                    continue
                known[-1].until = content
            known.append(Version(task, content))
            while len(known) > MAX_VERSIONS:
                _thin(known)
            changed.add(id_)
        for id_, known in self.versions.items():
            if id_ not in tasks and id_ not in left and known[-1].until == FOREVER:
                known[-1].until = content
                changed.add(id_)
        next_ids = self._counter.next_ids
        told_anew = next_id is not None and (not next_ids or next_ids[-1].value != next_id)
        if next_id is not None and told_anew:
            if next_ids:
                next_ids[-1].until = content
            next_ids.append(NextId(next_id, content))
            del next_ids[:-MAX_NEXT_IDS]
        new = bool(changed) or told_anew or not self
        if new:
            self._counter.content = content
            self._changed |= changed
            self._counted = True
        if not ahead:
            self.reached()
        self._forget()
        return new

    def mend(self) -> None:
        """Note that the newest content is somebody's copy, which does not stay as it is."""
        self._counter.mended.append(self._counter.content)
        del self._counter.mended[:-MAX_NEXT_IDS]
        self._counted = True

    def reached(self) -> None:
        """Note that the newest content stands in the file."""
        if self._counter.reached != self._counter.content:
            self._counter.reached = self._counter.content
            self._counted = True

    def settle(self, copy: Mapping[str, Task], next_id: int | None) -> None:
        """Forget the content that was noted ahead, where a copy shows nothing of it: it has not come to the file.

        Args:
            copy: the tasks of what stands there now, by id.
            next_id: its `nextId`.
        """
        reached = self._counter.reached
        if reached < self._counter.content and self.origin(copy, next_id).since <= reached:
            self._back_to(reached)

    def _back_to(self, content: int) -> None:
        """Forget all that came after a content."""
        for id_, known in list(self.versions.items()):
            if known[-1].since > content or content < known[-1].until < FOREVER:
                self.versions[id_] = stood = [version for version in known if version.since <= content]
                if not stood:
                    del self.versions[id_]
                elif stood[-1].until > content:
                    stood[-1].until = FOREVER
                self._changed.add(id_)
        if content < self._counter.content:
            next_ids = [known for known in self._counter.next_ids if known.since <= content]
            if next_ids:
                next_ids[-1].until = FOREVER
            self._counter.next_ids, self._counter.content = next_ids, content
            self._counted = True

    def _forget(self) -> None:
        gone = [id_ for id_, known in self.versions.items() if known[-1].until < FOREVER]
        gone.sort(key=lambda id_: self.versions[id_][-1].until)
        for id_ in gone[: max(0, len(gone) - MAX_GONE)]:
            del self.versions[id_]
            self._changed.add(id_)

    # What a copy tells.

    def origin(self, copy: Mapping[str, Task], next_id: int | None, new_from: int | None = None) -> Origin:
        """Say of which contents a copy can have been made: rules 1 and 2.

        Args:
            copy: its tasks by id.
            next_id: its `nextId`.
            new_from: the lowest number that was new to whoever made it; None where only `next_id` tells.
        """
        since, edited, new = 0, False, False
        ends: list[int] = []
        times: list[datetime] = []
        for id_, task in copy.items():
            known = self.versions.get(id_, ())
            same = [version for version in known if version.task == task]
            if same:
                since = max(since, same[0].since)
                ends.append(same[-1].until)
            edited |= not same
            new |= not known
            if (time := moment(task.get("updated")) or moment(task.get("created"))) is not None:
                times.append(time)
        first = min((one for one in (next_id, new_from) if one is not None), default=None)
        counted = [known for known in self._counter.next_ids if known.value == first]
        if counted:
            ends.append(counted[-1].until)
            if not new or new_from is not None:
                since = max(since, counted[0].since)
        until = min((end for end in ends if end > since), default=FOREVER)
        old = bool(copy) and not edited and min(ends, default=FOREVER) <= self._counter.reached
        old = old and since not in self._counter.mended
        return Origin(
            since,
            until,
            known=bool(ends) or not copy or not all(id_ not in self.versions for id_ in copy),
            restored=old and not self._lacks(copy, since),
            counted=bool(counted),
            new_from=first,
            newest=max(times, default=None),
        )

    def _lacks(self, copy: Mapping[str, Task], content: int) -> bool:
        """Say whether anything of a content is missing in a copy."""
        return any(
            id_ not in copy and any(version.since <= content < version.until for version in known)
            for id_, known in self.versions.items()
        )

    def base(self, id_: str, task: Task, origin: Origin) -> Task | None:
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
        return _nearest(task, same_time or earlier or possible)

    def unseen(self, id_: str, origin: Origin) -> bool:
        """Say whether whoever made a copy that lacks a task cannot have known it: rule 5."""
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
        return came is not None and origin.newest is not None and came > origin.newest

    def _lasted(self, known: Sequence[Version], origin: Origin) -> bool:
        """Say whether a task was there in all contents that a copy can have been made of."""
        there = origin.since
        for version in known:
            if version.since <= there < version.until:
                there = version.until
        return there >= min(origin.until, self._counter.content + 1)

    def seen(self, id_: str, origin: Origin) -> Task | None:
        """Return the version of a task that whoever made a copy saw last; None where it was not there."""
        met = [version.task for version in self.versions.get(id_, ()) if origin.meets(version)]
        return met[-1] if met else None

    # What is to be remembered.

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be remembered of tasks, by key, and take it as remembered."""
        changes = {self.key(id_): self._encoded(id_) for id_ in self._changed}
        self._changed.clear()
        return changes

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
            _thin(known)
            encoded = msgspec.json.encode(known)
        return encoded

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered.

        The counter is remembered last: what goes beyond it was cut short, and is judged anew.
        """
        for key, kept in memory.items():
            if key.startswith(_TASK):
                self.versions[key.removeprefix(_TASK)] = msgspec.json.decode(kept, type=list[Version])
        if _COUNTER in memory:
            self._counter = msgspec.json.decode(memory[_COUNTER], type=Counter)
        self._back_to(self._counter.content)


def _thin(known: list[Version]) -> None:
    """Forget the second of a task's versions; the first stays, for it says since when the task has been there."""
    first, second = known[0], known.pop(1)
    if first.until == second.since:
        first.until = second.until


def _nearest(task: Task, bases: Sequence[Task]) -> Task:
    """Return the one that a task differs least from, of equals the last; but not for the sake of its time alone."""
    best, least = bases[-1], _distance(bases[-1], task)
    for base in reversed(bases[:-1]):
        distance = _distance(base, task)
        if 0 < distance < least:
            best, least = base, distance
    return best


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Count the fields in which two tasks differ, but for the time of the last change."""
    names = (one.keys() | other.keys()) - {"updated"}
    return sum(name not in one or name not in other or one[name] != other[name] for name in names)
