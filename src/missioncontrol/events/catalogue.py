"""The types of event that Mission Control itself tells, with the shape of each one's `data`.

Events of other types are carried like any other; what is published under a type of this catalogue is carried as
it is too, and folded into the state as far as it has the shape. Shapes are open: a reader ignores keys it does
not know.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Object = dict[str, Any]


class Shape(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What every `data` of the catalogue has: `timestamp`, RFC 3339, when it was told."""

    timestamp: str = ""


class AgentStatusChange(Shape):
    """An agent's status became another one; `agent` is the whole record of an agent that is new."""

    agent_id: str
    status: str
    previous_status: str | None = None
    kind: str | None = None
    last_active: str | None = None
    stats: Object | None = None
    agent: Object | None = None


class AgentActivity(Shape):
    """An agent has worked on files."""

    agent_id: str
    file_count: int
    last_activity: str


class AgentUpdated(Shape):
    """Something about an agent other than its status changed: its profile, its task, its figures."""

    agent_id: str
    updates: Object


class AgentRemoved(Shape):
    """An agent's folder is gone."""

    agent_id: str


class TaskCreated(Shape):
    """A task was added to the queue."""

    task: Object


class TaskUpdated(Shape):
    """Fields of a task changed."""

    task_id: str
    updates: Object


class TaskCompleted(Shape):
    """A task was finished."""

    task_id: str
    result: Any = None


class TaskAssigned(Shape):
    """A task was given to an agent."""

    task_id: str
    agent_id: str
    assigned_by: str | None = None


class TaskDeleted(Shape):
    """A task was removed from the queue."""

    task_id: str


class LeadAdded(Shape):
    """A lead was found."""

    lead: Object


class LeadUpdated(Shape):
    """Fields of a lead changed."""

    lead_id: str
    updates: Object


class LeadScored(Shape):
    """A lead's score changed."""

    lead_id: str
    score: float
    factors: Any = None
    previous_score: float | None = None


class TokenUsage(Shape):
    """An agent's token use: totals so far (`cost` in US dollars), and in `delta` what is new."""

    agent: str
    tokens: float
    cost: float
    session: Any = None
    delta: Object | None = None


class TokenThreshold(Shape):
    """A budget threshold was crossed; costs in US dollars."""

    agent: str
    current_cost: float
    threshold: float
    percent_used: float
    alert: Literal["info", "warning", "critical"]


class SystemAlert(Shape):
    """Something needs attention."""

    level: Literal["critical", "warning", "info"]
    message: str
    details: Any = None


class SystemStatus(Shape):
    """The gateway's status changed."""

    status: str
    details: Any = None


class FileChange(Shape):
    """A file of the workspace changed; `path` is relative to the workspace, `size` in bytes.

    `foundAtStart` marks what changed while the server was down.
    """

    action: Literal["created", "modified", "deleted"]
    path: str
    agent_id: str | None = None
    size: int | None = None
    extension: str | None = None
    found_at_start: bool = False


class StateBaseline(Shape):
    """What a source found when it first saw the workspace: state, told once and whole, not as changes."""

    source: str
    agents: list[Object] = []


CATALOGUE: dict[str, type[Shape]] = {
    "agent:statusChange": AgentStatusChange,
    "agent:activity": AgentActivity,
    "agent:updated": AgentUpdated,
    "agent:removed": AgentRemoved,
    "task:created": TaskCreated,
    "task:updated": TaskUpdated,
    "task:completed": TaskCompleted,
    "task:assigned": TaskAssigned,
    "task:deleted": TaskDeleted,
    "lead:added": LeadAdded,
    "lead:updated": LeadUpdated,
    "lead:scored": LeadScored,
    "token:usage": TokenUsage,
    "token:threshold": TokenThreshold,
    "system:alert": SystemAlert,
    "system:status": SystemStatus,
    "file:change": FileChange,
    "state:baseline": StateBaseline,
}
