"""What the file has been: each task's versions, and how old a copy of the file is.

Whoever edits the queue often writes back a copy that was read minutes ago. To see what was changed in it, it must be
compared with the file as it was then. So every content of the file has a number, and of each task the newest versions
are kept with the numbers between which they stood in the file. The rules:

1. A task that is exactly one of its versions says that the copy was read while that version stood; so does a `nextId`.
   All of them together narrow down when the copy can have been read.
2. A task that is none of its versions was edited. It was made of the version with the same `updated`, where there is
   one in that time; else of the one that it differs least from, of equals the newest. From a version that it would
   differ from in `updated` alone it was not made, since nobody touches a task to change nothing.
3. A task that is missing was deleted, unless the copy was read before the task was there: that is so where the task
   came later than rule 1 allows, where its number is not below the copy's `nextId`, and, where a copy has no `nextId`,
   where it is newer than all that is in the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from missioncontrol.sources.tasks.task import Task, number_of

MAX_VERSIONS = 20
"""How many versions of a task are kept."""

MAX_NEXT_IDS = 200

FOREVER = 2**53


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
    """The number of the newest content, and the file's `nextId` in the contents so far."""

    content: int = 0
    next_ids: list[NextId] = []


class Span(msgspec.Struct, frozen=True):
    """The contents from `since` to the one before `until`, of which a copy was made."""

    since: int = 0
    until: int = FOREVER

    def meets(self, version: Version | NextId) -> bool:
        """Say whether a version stood in the file in this time."""
        return version.since < self.until and self.since < version.until


class Past:
    """The versions of all tasks by id. `changed` are the ids of which something is to be remembered."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self.counter = Counter()
        self.changed: set[str] = set()

    def note(self, tasks: Mapping[str, Task], next_id: int | None) -> bool:
        """Note what the file has in it now, and say whether that is anything new."""
        content = self.counter.content + 1
        before = len(self.changed)
        for id_, task in tasks.items():
            known = self.versions.setdefault(id_, [])
            if known and known[-1].until == FOREVER:
                if known[-1].task == task:
                    continue
                known[-1].until = content
            known.append(Version(task, content))
            del known[:-MAX_VERSIONS]
            self.changed.add(id_)
        for id_, known in self.versions.items():
            if id_ not in tasks and known[-1].until == FOREVER:
                known[-1].until = content
                self.changed.add(id_)
        next_ids = self.counter.next_ids
        told_anew = next_id is not None and (not next_ids or next_ids[-1].value != next_id)
        if next_id is not None and told_anew:
            if next_ids:
                next_ids[-1].until = content
            next_ids.append(NextId(next_id, content))
            del next_ids[:-MAX_NEXT_IDS]
        if len(self.changed) == before and not told_anew:
            return False
        self.counter.content = content
        return True

    def newest(self, id_: str) -> Version | None:
        """Return the version of a task that the file had last, if the file has it still."""
        known = self.versions.get(id_)
        return known[-1] if known and known[-1].until == FOREVER else None

    def span(self, tasks: Iterable[Task], next_id: int | None) -> Span:
        """Say when a copy was read that has these tasks in it: rule 1."""
        since, until = 0, FOREVER
        for task in tasks:
            same = [version for version in self.versions.get(task["id"], ()) if version.task == task]
            if same:
                since = max(since, same[0].since)
                until = min(until, same[-1].until)
        of_next = [known for known in self.counter.next_ids if known.value == next_id]
        if of_next:
            since, until = max(since, of_next[0].since), min(until, of_next[-1].until)
        # A copy that was put together from several tells nothing.
        return Span(since, until) if since < until else Span()

    def base(self, task: Task, span: Span) -> Version | None:
        """Return the version that an edited task was made of: rule 2. None where it has no past."""
        known = self.versions.get(task["id"], [])
        possible = [version for version in known if span.meets(version)] or known
        same_time = [v for v in possible if "updated" in task and v.task.get("updated") == task["updated"]]
        if same_time:
            return same_time[-1]
        best: Version | None = None
        least = 0
        for version in possible:
            cost = _distance(version.task, task)
            if cost == 0 and version is not possible[-1]:
                continue
            # The newest comes last, and wins over its equals.
            if best is None or cost <= least:
                best, least = version, cost
        return best

    def unseen(self, id_: str, span: Span, copy: Iterable[Task], next_id: int | None) -> bool:
        """Say whether whoever made the copy cannot have known a task: rule 3."""
        known = self.versions.get(id_)
        if not known or known[0].since >= span.until:
            return True
        number = number_of(id_)
        if next_id is not None:
            return number is not None and number >= next_id
        newest = str(known[0].task.get("created") or known[0].task.get("updated") or "")
        times = [str(task.get("updated") or task.get("created") or "") for task in copy]
        return bool(newest) and bool(times) and newest > max(times)

    def forget(self, ids: Iterable[str]) -> None:
        """Forget tasks that nobody can bring back any more."""
        for id_ in ids:
            if self.versions.pop(id_, None) is not None:
                self.changed.add(id_)

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be remembered, by key, and take it as remembered."""
        changes: dict[str, bytes | None] = {
            f"task:{id_}": msgspec.json.encode(self.versions[id_]) if id_ in self.versions else None
            for id_ in self.changed
        }
        self.changed.clear()
        changes["counter"] = msgspec.json.encode(self.counter)
        return changes

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered."""
        for key, kept in memory.items():
            if key.startswith("task:"):
                self.versions[key.removeprefix("task:")] = msgspec.json.decode(kept, type=list[Version])
        if "counter" in memory:
            self.counter = msgspec.json.decode(memory["counter"], type=Counter)


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Count the fields in which two tasks differ, but for the time of the last change."""
    names = (one.keys() | other.keys()) - {"updated"}
    return sum(name not in one or name not in other or one[name] != other[name] for name in names)
