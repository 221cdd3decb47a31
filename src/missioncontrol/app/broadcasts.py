"""The `broadcast_…` helpers: one per event of the catalogue that programs tell themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from missioncontrol.events import Data

WARN_PERCENT = 80
CRITICAL_PERCENT = 100


class Broadcasts(ABC):
    """Helpers over `broadcast`; each returns the event's id once the event is durable.

    Keyword arguments beyond the named ones join the event's `data` as they are; those of the form `previous_status`
    are written `previousStatus`.
    """

    @abstractmethod
    async def broadcast(self, event: Data) -> int:
        """Append one event and tell everybody."""

    async def broadcast_agent_status(self, agent_id: str, status: str, **details: Any) -> int:
        """Tell that an agent's status changed; details: `previous_status`, `last_active`, `stats`."""
        return await self._tell("agent:statusChange", {"agentId": agent_id, "status": status}, details)

    async def broadcast_agent_activity(self, agent_id: str, file_count: int, last_activity: str) -> int:
        """Tell that an agent has worked on files; `last_activity` in RFC 3339."""
        data = {"agentId": agent_id, "fileCount": file_count, "lastActivity": last_activity}
        return await self._tell("agent:activity", data)

    async def broadcast_task_created(self, task: Data) -> int:
        """Tell that a task was added."""
        return await self._tell("task:created", {"task": task})

    async def broadcast_task_updated(self, task_id: str, updates: Data) -> int:
        """Tell which fields of a task changed."""
        return await self._tell("task:updated", {"taskId": task_id, "updates": updates})

    async def broadcast_task_completed(self, task_id: str, result: Any = None) -> int:
        """Tell that a task was finished."""
        return await self._tell("task:completed", {"taskId": task_id, "result": result})

    async def broadcast_task_assigned(
        self, task_id: str, agent_id: str, assigned_by: str | None = None
    ) -> int:
        """Tell who has a task now."""
        data = {"taskId": task_id, "agentId": agent_id, "assignedBy": assigned_by}
        return await self._tell("task:assigned", data)

    async def broadcast_lead_added(self, lead: Data) -> int:
        """Tell that a lead was found."""
        return await self._tell("lead:added", {"lead": lead})

    async def broadcast_lead_updated(self, lead_id: str, updates: Data) -> int:
        """Tell which fields of a lead changed."""
        return await self._tell("lead:updated", {"leadId": lead_id, "updates": updates})

    async def broadcast_lead_scored(
        self, lead_id: str, score: float, factors: Any = None, previous_score: float | None = None
    ) -> int:
        """Tell a lead's new score, and what it is made of."""
        data = {"leadId": lead_id, "score": score, "factors": factors, "previousScore": previous_score}
        return await self._tell("lead:scored", data)

    async def broadcast_token_usage(
        self, agent: str, tokens: float, cost: float, session: Any = None, **details: Any
    ) -> int:
        """Tell an agent's token use so far, `cost` in US dollars; details: `delta`."""
        data = {"agent": agent, "tokens": tokens, "cost": cost, "session": session}
        return await self._tell("token:usage", data, details)

    async def broadcast_token_threshold(
        self, agent: str, current_cost: float, threshold: float, percent_used: float
    ) -> int:
        """Tell that a budget threshold was crossed; costs in US dollars."""
        alert = "info"
        if percent_used >= WARN_PERCENT:
            alert = "critical" if percent_used >= CRITICAL_PERCENT else "warning"
        data = {
            "agent": agent,
            "currentCost": current_cost,
            "threshold": threshold,
            "percentUsed": percent_used,
            "alert": alert,
        }
        return await self._tell("token:threshold", data)

    async def broadcast_system_alert(self, level: str, message: str, details: Any = None) -> int:
        """Tell that something needs attention; `level` is `critical`, `warning` or `info`."""
        return await self._tell("system:alert", {"level": level, "message": message, "details": details})

    async def broadcast_system_status(self, status: str, details: Any = None) -> int:
        """Tell the gateway's status."""
        return await self._tell("system:status", {"status": status, "details": details})

    async def broadcast_file_change(self, action: str, path: str, **details: Any) -> int:
        """Tell that a file changed; `path` relative to the workspace; details: `agent_id`, `size`, `extension`."""
        return await self._tell("file:change", {"action": action, "path": path}, details)

    async def _tell(self, type_: str, data: Data, details: Data | None = None) -> int:
        for name, value in (details or {}).items():
            head, *rest = name.split("_")
            data[head + "".join(word.capitalize() for word in rest)] = value
        return await self.broadcast({"type": type_, "data": data, "source": "app"})
