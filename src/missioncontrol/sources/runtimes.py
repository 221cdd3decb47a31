"""What the runtimes say of their agents, for the one source that tells agents' statuses.

Whoever reads a runtime puts here what an agent is doing by its own evidence; the source of agents lays that over
what the agent's files say, and the newer word counts.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class RuntimeAgent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent as its runtime shows it; `at` is when that was last seen to be so, in milliseconds since 1970.

    `status` is a word of `KINDS`, `evidence` says where it was read.
    """

    runtime: str
    name: str
    status: str
    at: int
    evidence: str
    detail: str | None = None
    model: str | None = None


class Runtimes:
    """The agents of all runtimes.

    `complete` says that each runtime has been looked at, so that who is missing is gone.
    """

    def __init__(self) -> None:
        self.complete = False
        self._agents: dict[str, RuntimeAgent] = {}
        self._changed: set[str] = set()
        self._wake: Callable[[], None] = lambda: None

    def follow(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after each change."""
        self._wake = wake

    def replace(self, agents: dict[str, RuntimeAgent]) -> None:
        """Say which agents there are, each by its id, and how each is doing."""
        before = self._agents
        changed = {id_ for id_ in agents.keys() | before.keys() if agents.get(id_) != before.get(id_)}
        if changed or not self.complete:
            self._agents = dict(agents)
            self._changed |= changed
            self.complete = True
            self._wake()

    def get(self, id_: str) -> RuntimeAgent | None:
        """Return an agent."""
        return self._agents.get(id_)

    def ids(self) -> set[str]:
        """Return the ids of all agents."""
        return set(self._agents)

    def take(self) -> set[str]:
        """Return the ids of those that changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed
