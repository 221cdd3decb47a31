"""The last activity of agents, published every few seconds instead of with every file or call.

The first activity of an agent is published at once; activity within the next `EVERY_SECONDS` is published together
after them.
"""

from __future__ import annotations

from collections.abc import Container
from time import monotonic
from typing import Any

from missioncontrol.events import Draft
from missioncontrol.fleet.source import Feed

EVERY_SECONDS = 2.0
UNKNOWN_SECONDS = 0.1


class Activity:
    """The agents that were active, and when the activity of each may be published again."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, Any]] = {}
        self._authors: dict[str, str | None] = {}
        self._quiet_until: dict[str, float] = {}

    def saw(self, agent: str, *, by: str | None = None, **signs: Any) -> None:
        """Note an agent's activity.

        Args:
            agent: its id.
            by: who reported it, if that was not the source itself.
            signs: fields of the event: `lastActivity`, `fileCount`, `activity`.
        """
        self._seen[agent] = {**self._seen.get(agent, {}), **signs}
        self._authors[agent] = by

    def drafts(self, feed: Feed, known: Container[str] | None = None) -> list[Draft]:
        """Return the events that are due, and treat them as published.

        With `known`, events of other agents wait: the source of agents publishes a new agent first, and the state
        cannot keep the activity of an unknown one.
        """
        now = monotonic()
        due = [agent for agent in sorted(self._seen) if self._quiet_until.get(agent, 0.0) <= now]
        for agent in [agent for agent in due if known is not None and agent not in known]:
            self._quiet_until[agent] = now + UNKNOWN_SECONDS
            due.remove(agent)
        self._quiet_until = {agent: until for agent, until in self._quiet_until.items() if until > now}
        for agent in due:
            self._quiet_until[agent] = now + EVERY_SECONDS
        drafts = []
        for agent in due:
            draft = feed.draft("agent:activity", {"agentId": agent, **self._seen.pop(agent)})
            draft.by = self._authors.pop(agent)
            drafts.append(draft)
        return drafts

    def due(self) -> float | None:
        """Return the monotonic time at which an event is due; None if none waits."""
        return min((self._quiet_until.get(agent, 0.0) for agent in self._seen), default=None)
