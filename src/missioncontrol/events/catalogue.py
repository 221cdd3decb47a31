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
    """An agent was seen at work: on files below its folder, of which there are `fileCount`, or in its transcript.

    `activity` says in a few words what it was doing.
    """

    agent_id: str
    file_count: int
    last_activity: str
    activity: str | None = None


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
    """Fields of a task changed; `removed` names those that are gone.

    `conflicts` says which of two edits of one field was kept, and which was not.
    """

    task_id: str
    updates: Object
    removed: list[str] = []
    conflicts: list[Object] = []
    found_at_start: bool = False


class TaskCompleted(Shape):
    """A task was finished; `updates` are the other fields that changed with it."""

    task_id: str
    result: Any = None
    updates: Object | None = None


class TaskAssigned(Shape):
    """A task was given to an agent; `updates` are the other fields that changed with it."""

    task_id: str
    agent_id: str
    assigned_by: str | None = None
    updates: Object | None = None


class TaskDeleted(Shape):
    """A task was removed from the queue."""

    task_id: str


class LeadAdded(Shape):
    """A lead was found."""

    lead: Object


class LeadUpdated(Shape):
    """Fields of a lead changed; `removed` names those that are gone."""

    lead_id: str
    updates: Object
    removed: list[str] = []


class LeadScored(Shape):
    """A lead's score changed; `updates` are the fields of its record that changed with it."""

    lead_id: str
    score: float
    factors: Any = None
    previous_score: float | None = None
    updates: Object | None = None


class LeadRemoved(Shape):
    """A lead is no longer in its file."""

    lead_id: str


class TokenUsage(Shape):
    """An agent's token use: totals so far (`cost` in US dollars), and in `delta` what is new.

    `delta.uses` has an entry for each session, model and day: `session`, `runtime`, `model`, `day`, `tokens`, `input`,
    `output`, `cacheRead`, `cacheWrite`, `calls`, `cost`, and as `costSource` `transcript`, `telemetry`,
    `prices` or `none`.
    """

    agent: str
    tokens: float
    cost: float
    session: Any = None
    delta: Object | None = None


class TokenThreshold(Shape):
    """A budget threshold was crossed; costs in US dollars, `period` the day that the budget is for.

    `scope` is `fleet` for the budget of all agents together, whose `agent` is `fleet` too.
    """

    agent: str
    current_cost: float
    threshold: float
    percent_used: float
    alert: Literal["info", "warning", "critical"]
    period: str | None = None
    scope: Literal["agent", "fleet"] = "agent"


class QuestionAsked(Shape):
    """Somebody waits for a person's answer.

    `question` has `id`, `kind` (`question`, `permission` or `budget`), `text`, `options` (none where any text will
    do), `agentId`, `taskId`, `details`, `askedAt` and `expiresAt`.
    """

    question: Object


class QuestionAnswered(Shape):
    """A person has answered; the first answer counts."""

    question_id: str
    answer: str
    answered_by: str | None = None


class QuestionClosed(Shape):
    """A question needs no answer any more.

    `reason` is `expired`, `withdrawn` by whoever asked, or `elsewhere`: it was decided in another place.
    """

    question_id: str
    reason: str


class NotificationStarted(Shape):
    """From here on people are told outside the dashboard; what was there before is not told."""

    rules: list[str]
    destinations: list[str]


class NotificationSent(Shape):
    """Somebody was told outside the dashboard; `eventIds` are the first events that the message is about, of `count`.

    `destination` is where it went, without anything secret; `test` marks a message that somebody asked for to try it.
    """

    rule: str
    destination: str
    title: str
    body: str
    count: int
    event_ids: list[int]
    attempts: int
    test: bool = False


class NotificationFailed(NotificationSent, kw_only=True):
    """Somebody could not be told, and will not be: `error` says why the last attempt failed."""

    error: str


class SystemAlert(Shape):
    """Something needs attention."""

    level: Literal["critical", "warning", "info"]
    message: str
    details: Any = None


class SystemStatus(Shape):
    """The gateway's status changed."""

    status: str
    previous_status: str | None = None
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
    tasks: list[Object] = []
    leads: list[Object] = []
    tokens: Object | None = None
    gateway: Object | None = None


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
    "lead:removed": LeadRemoved,
    "token:usage": TokenUsage,
    "token:threshold": TokenThreshold,
    "question:asked": QuestionAsked,
    "question:answered": QuestionAnswered,
    "question:closed": QuestionClosed,
    "notification:started": NotificationStarted,
    "notification:sent": NotificationSent,
    "notification:failed": NotificationFailed,
    "system:alert": SystemAlert,
    "system:status": SystemStatus,
    "file:change": FileChange,
    "state:baseline": StateBaseline,
}
