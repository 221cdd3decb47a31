"""What the runtimes say of their agents, for the one source that reports agents' statuses.

What reads a runtime puts its evidence here; the source of agents decides between that and the agents' files. The rules
are in `agent_status`.
"""

from __future__ import annotations

from collections.abc import Callable

from missioncontrol.fleet.agent_status import RuntimeAgent, by_runtime


class RuntimeStatusRegistry:
    """The agents of all runtimes.

    `complete` says that each runtime has been looked at, so that who is missing is gone.

    `without_folder` are agents whose folder in the workspace has gone, so that at most the runtimes know them: no
    session means such a one by its name.
    """

    def __init__(self) -> None:
        self.complete = False
        self._read: dict[str, RuntimeAgent] = {}
        self._live: dict[str, RuntimeAgent] = {}
        self._changed: set[str] = set()
        self._wake: Callable[[], None] = lambda: None
        self.without_folder: set[str] = set()
        self._wake_reader: Callable[[], None] = lambda: None

    def follow(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after each change."""
        self._wake = wake

    def follow_folders(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when `without_folder` has changed."""
        self._wake_reader = wake

    def folder(self, id_: str, *, there: bool) -> None:
        """Note that an agent's folder has gone, or that it is there."""
        if there == (id_ in self.without_folder):
            (self.without_folder.discard if there else self.without_folder.add)(id_)
            self._wake_reader()

    def replace(self, agents: dict[str, RuntimeAgent]) -> None:
        """Say which agents there are by what the runtimes have left behind, each by its id."""
        before = self._read
        changed = {id_ for id_ in agents.keys() | before.keys() if agents.get(id_) != before.get(id_)}
        if changed or not self.complete:
            self._read = dict(agents)
            self._changed |= changed
            self.complete = True
            self._wake()

    def say(self, id_: str, agent: RuntimeAgent) -> None:
        """Say what an agent does now, by its gateway."""
        if self._live.get(id_) != agent:
            self._live[id_] = agent
            self._changed.add(id_)
            self._wake()

    def fall_silent(self) -> None:
        """Take back all that the gateway has said: nobody says any more whether it is still so."""
        if self._live:
            self._changed |= self._live.keys()
            self._live = {}
            self._wake()

    def get(self, id_: str) -> RuntimeAgent | None:
        """Return an agent."""
        return by_runtime(self._read.get(id_), self._live.get(id_))

    def ids(self) -> set[str]:
        """Return the ids of all agents."""
        return self._read.keys() | self._live.keys()

    def take(self) -> set[str]:
        """Return the ids of those that changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed
