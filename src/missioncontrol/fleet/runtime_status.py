"""The statuses of agents by their runtimes, for the source that publishes agents' statuses.

The sources that read runtimes put their evidence here; the source of agents decides between that and the agents'
files. The rules are in `agent_status`.
"""

from __future__ import annotations

from collections.abc import Callable

from missioncontrol.fleet.agent_status import RuntimeAgent, by_runtime


class RuntimeStatusRegistry:
    """The agents of all runtimes.

    `complete` is whether all runtimes have been read, so that an agent that is missing is gone.

    `without_folder` are agents whose folder in the workspace is gone, so that at most the runtimes know them. Sessions
    are not assigned to them by name.
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
        """Register `wake`, which is called after each change."""
        self._wake = wake

    def follow_folders(self, wake: Callable[[], None]) -> None:
        """Register `wake`, which is called when `without_folder` has changed."""
        self._wake_reader = wake

    def folder(self, id_: str, *, there: bool) -> None:
        """Note whether an agent's folder exists."""
        if there == (id_ in self.without_folder):
            (self.without_folder.discard if there else self.without_folder.add)(id_)
            self._wake_reader()

    def replace(self, agents: dict[str, RuntimeAgent]) -> None:
        """Replace the agents that were read from the runtimes' files, by id."""
        before = self._read
        changed = {id_ for id_ in agents.keys() | before.keys() if agents.get(id_) != before.get(id_)}
        if changed or not self.complete:
            self._read = dict(agents)
            self._changed |= changed
            self.complete = True
            self._wake()

    def say(self, id_: str, agent: RuntimeAgent) -> None:
        """Set the status of an agent that its gateway reports."""
        if self._live.get(id_) != agent:
            self._live[id_] = agent
            self._changed.add(id_)
            self._wake()

    def forget_live(self) -> None:
        """Forget all statuses that the gateway has reported: they are no longer confirmed."""
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
        """Return the ids of the agents that changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed
