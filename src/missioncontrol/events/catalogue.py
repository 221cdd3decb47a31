"""The types of event that Mission Control itself publishes, with the shape of each one's `data`.

Events of other types are carried like any other. Data of these types is checked where it enters
(`missioncontrol.events.shapes`): a field without a default identifies what the event is about and must be there, any
other field may be missing and is then null. Shapes are open: a reader ignores keys it does not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Object = dict[str, Any]
MAX_ID_LENGTH = 512
"""How many characters an id may have, at every door and in files."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
"""What identifies something: a text that is not empty."""
FormerName = Annotated[str, Meta(min_length=1, max_length=2_048)]
"""What identifies something that is removed: an earlier release has accepted longer ids."""
Text = Annotated[str, Meta(min_length=1)]
"""A text that is not empty."""


class Shape(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What every `data` of the catalogue has: `timestamp`, RFC 3339, when it happened."""

    timestamp: str | None = None


class AgentStatusChange(Shape):
    """An agent's status became another one; `agent` is the whole record of an agent that is new."""

    agent_id: Name
    status: str | None = None
    previous_status: str | None = None
    kind: str | None = None
    last_active: str | None = None
    stats: Object | None = None
    agent: Object | None = None


class AgentActivity(Shape):
    """An agent was seen at work: on files below its folder, of which there are `fileCount`, or in its transcript.

    `activity` says in a few words what it was doing.
    """

    agent_id: Name
    file_count: int | None = None
    last_activity: str | None = None
    activity: str | None = None


class AgentUpdated(Shape):
    """Something about an agent other than its status changed: its profile, its task, its figures."""

    agent_id: Name
    updates: Object | None = None


class AgentRemoved(Shape):
    """An agent's folder is gone."""

    agent_id: FormerName


class TaskCreated(Shape):
    """A task was added to the queue."""

    task: Object


class TaskUpdated(Shape):
    """Fields of a task changed; `removed` names those that are gone.

    `conflicts` says which of two edits of one field was kept, and which was not.
    """

    task_id: Name
    updates: Object | None = None
    removed: list[str] | None = None
    conflicts: list[Object] | None = None
    found_at_start: bool | None = None


class TaskCompleted(Shape):
    """A task was finished; `updates` are the other fields that changed with it."""

    task_id: Name
    result: Any = None
    updates: Object | None = None


class TaskAssigned(Shape):
    """A task was given to an agent; `updates` are the other fields that changed with it."""

    task_id: Name
    agent_id: str | None = None
    assigned_by: str | None = None
    updates: Object | None = None


class TaskDeleted(Shape):
    """A task was removed from the queue; `archived`: it is over, and in the history of the queue's file."""

    task_id: FormerName
    archived: bool | None = None


class LeadAdded(Shape):
    """A lead was found."""

    lead: Object


class LeadUpdated(Shape):
    """Fields of a lead changed; `removed` names those that are gone."""

    lead_id: Name
    updates: Object | None = None
    removed: list[str] | None = None


class LeadScored(Shape):
    """A lead's score changed; `updates` are the fields of its record that changed with it."""

    lead_id: Name
    score: float | None = None
    factors: Any = None
    previous_score: float | None = None
    updates: Object | None = None


class LeadRemoved(Shape):
    """A lead is no longer in its file."""

    lead_id: FormerName


class TokenUsage(Shape):
    """An agent's token use: totals so far (`cost` in US dollars), and in `delta` what is new.

    `delta.uses` has an entry for each session, model and day: `session`, `runtime`, `model`, `day`, `tokens`, `input`,
    `output`, `cacheRead`, `cacheWrite`, `calls`, `cost`, and as `costSource` `transcript`, `telemetry`,
    `prices`, `subscription` (paid by one; the cost is what the price table says) or `none`.

    Sessions that turn out to be another agent's take along what they have used: an event for each of the two agents, in
    one transaction. `delta` then has `movedTo`, and negative figures, or `movedFrom`; nothing was used, and the sums of
    the fleet stay as they are.
    """

    agent: Name
    tokens: float | None = None
    cost: float | None = None
    session: Any = None
    delta: Object | None = None


class TokenThreshold(Shape):
    """A budget threshold was crossed; costs in US dollars, `period` the day that the budget is for.

    `scope` is `fleet` for the budget of all agents together, whose `agent` is `fleet` too.
    """

    agent: Name
    current_cost: float | None = None
    threshold: float | None = None
    percent_used: float | None = None
    alert: Literal["info", "warning", "critical"] | None = None
    period: str | None = None
    scope: Literal["agent", "fleet"] | None = None


class QuestionAsked(Shape):
    """Somebody waits for a person's answer.

    `question` has `id`, `kind` (`question`, `permission` or `budget`), `text`, `options` (none where any text will
    do), `agentId`, `taskId`, `details`, `askedAt` and `expiresAt`.
    """

    question: Object


class QuestionAnswered(Shape):
    """A person has answered; the first answer counts."""

    question_id: Name
    answer: str | None = None
    answered_by: str | None = None


class QuestionClosed(Shape):
    """A question needs no answer any more.

    `reason` is `expired`, `withdrawn` by whoever asked, or `elsewhere`: it was decided in another place.
    """

    question_id: FormerName
    reason: str | None = None


class NotificationStarted(Shape):
    """From here on people are told outside the dashboard; what was there before is not told."""

    rules: list[str] | None = None
    destinations: list[str] | None = None


class NotificationSent(Shape):
    """Somebody was told outside the dashboard; `eventIds` are the first events that the message is about, of `count`.

    `destination` is where it went, without anything secret; `test` marks a message that somebody asked for to try it.
    """

    rule: str | None = None
    destination: str | None = None
    title: str | None = None
    body: str | None = None
    count: int | None = None
    event_ids: list[int] | None = None
    attempts: int | None = None
    test: bool | None = None


class NotificationFailed(NotificationSent, kw_only=True):
    """Somebody could not be told, and will not be: `error` says why the last attempt failed."""

    error: str | None = None


class StandupHeld(Shape):
    """A standup was held: what each agent did since the one before it; only the server publishes this.

    `standup` has `id`, `trigger` (`request` or `schedule`), `from` and `to` (each with `time` and `cursor`), `since`
    (when counting began), `complete` (false where events between `from` and `since` were gone), `agents`, `totals` and
    `alerts`; the HTTP reference describes each.
    """

    standup: Object


class SystemAlert(Shape, kw_only=True):
    """Something needs attention."""

    level: Literal["critical", "warning", "info"] | None = None
    message: Text
    details: Any = None


class SystemStatus(Shape):
    """The gateway's status changed."""

    status: str | None = None
    previous_status: str | None = None
    details: Any = None


class FileChange(Shape, kw_only=True):
    """A file of the workspace changed; `path` is relative to the workspace, `size` in bytes.

    `foundAtStart` marks what changed while the server was down.
    """

    action: Literal["created", "modified", "deleted"] | None = None
    path: Text
    agent_id: str | None = None
    size: int | None = None
    extension: str | None = None
    found_at_start: bool | None = None


class StateBaseline(Shape):
    """What a source found when it first saw the workspace: state, told once and whole, not as changes."""

    source: str | None = None
    agents: list[Object] | None = None
    tasks: list[Object] | None = None
    leads: list[Object] | None = None
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
    "standup:held": StandupHeld,
    "system:alert": SystemAlert,
    "system:status": SystemStatus,
    "file:change": FileChange,
    "state:baseline": StateBaseline,
}
