"""The other ids of tasks in the copies of their authors.

An agent may give a new task an id that another task has got meanwhile. The file then has it under another id, and the
agent, which has not read the file since, keeps using its own: in its copies the task has an alias.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

MAX_ALIASES = 2_000
MAX_TASKS = 20
MAX_CONTENTS = 20
"""How many ids are remembered as aliases, of how many tasks each, and how many contents that had it."""

_KEY = "aliases"


class Alias(msgspec.Struct, omit_defaults=True):
    """The task of an alias, and the numbers of the newest contents in which it had the alias."""

    task: str
    contents: list[int] = []


_aliases = msgspec.json.Decoder(dict[str, list[Alias]])


class Aliases:
    """The aliases, in the order in which they were last given; and the aliases of each task."""

    def __init__(self) -> None:
        self._aliases: dict[str, list[Alias]] = {}
        self._names: dict[str, set[str]] = {}
        self._changed = False

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._aliases)

    def of(self, alias: str) -> Sequence[str]:
        """Return the tasks that have had an alias, the newest first."""
        return [one.task for one in reversed(self._aliases.get(alias, ()))]

    def concern(self, id_: str) -> bool:
        """Return whether an id is an alias, or of a task that has one."""
        return id_ in self._aliases or id_ in self._names

    def has_names(self, task: str) -> bool:
        """Return whether a task has an alias."""
        return task in self._names

    def with_tasks(self, ids: Iterable[str]) -> set[str]:
        """Return ids together with the tasks of which they are aliases."""
        found = set(ids)
        return found | {one.task for id_ in found for one in self._aliases.get(id_, ())}

    def give(self, alias: str, task: str) -> None:
        """Note that a task was given an id, and has another one in the copy of its author."""
        if self._find(alias, task) is not None:
            return
        tasks = self._aliases.pop(alias, [])
        tasks.append(Alias(task))
        self._aliases[alias] = tasks
        self._names.setdefault(task, set()).add(alias)
        for old in tasks[:-MAX_TASKS]:
            self._forget(alias, old)
        del tasks[:-MAX_TASKS]
        while len(self._aliases) > MAX_ALIASES:
            oldest = next(iter(self._aliases))
            for old in self._aliases.pop(oldest):
                self._forget(oldest, old)
        self._changed = True

    def stood(self, alias: str, task: str, content: int) -> None:
        """Note that a task had an alias in a content."""
        found = self._find(alias, task)
        if found is not None and content not in found.contents:
            found.contents.append(content)
            del found.contents[:-MAX_CONTENTS]
            self._changed = True

    def contents(self, alias: str, task: str) -> Collection[int]:
        """Return the contents in which a task is known to have had an alias."""
        found = self._find(alias, task)
        return () if found is None else found.contents

    def _find(self, alias: str, task: str) -> Alias | None:
        return next((one for one in self._aliases.get(alias, ()) if one.task == task), None)

    def _forget(self, alias: str, old: Alias) -> None:
        names = self._names.get(old.task)
        if names is not None:
            names.discard(alias)
            if not names:
                del self._names[old.task]

    def changes(self) -> dict[str, bytes | None]:
        """Return what is to be stored, and treat it as stored."""
        if not self._changed:
            return {}
        self._changed = False
        return {_KEY: msgspec.json.encode(self._aliases)}

    def recall(self, memory: Mapping[str, bytes], content: int) -> None:
        """Take over what was remembered.

        Args:
            memory: what it was.
            content: the number of the newest content that was remembered in full. Aliases are remembered before it: of
                one that was cut short they have the number, which is then given to another content.
        """
        if _KEY in memory:
            self._aliases = _aliases.decode(memory[_KEY])
            self._names = {}
            for alias, tasks in self._aliases.items():
                for one in tasks:
                    one.contents = [known for known in one.contents if known <= content]
                    self._names.setdefault(one.task, set()).add(alias)
