"""The Python client: every event of a subscription exactly once and in order, whatever happens between.

`Client` follows the stream, publishes and asks; `Publisher` only publishes; `publish`, `ask` and `answer` are one
call each for a script or a hook that has no event loop. The shapes are what `Event.typed` returns.
"""

from missioncontrol.client.client import Client, StateListener
from missioncontrol.client.http import call
from missioncontrol.client.items import (
    ClientError,
    ClientState,
    Gap,
    Item,
    Refused,
    Snapshot,
    Transport,
    Unreachable,
)
from missioncontrol.client.publishing import Publisher, publish
from missioncontrol.client.questions import Question, answer, ask
from missioncontrol.config import DEFAULT_URL
from missioncontrol.events import Event
from missioncontrol.events.catalogue import (
    AgentActivity,
    AgentRemoved,
    AgentStatusChange,
    AgentUpdated,
    FileChange,
    LeadAdded,
    LeadRemoved,
    LeadScored,
    LeadUpdated,
    NotificationFailed,
    NotificationSent,
    NotificationStarted,
    QuestionAnswered,
    QuestionAsked,
    QuestionClosed,
    Shape,
    StateBaseline,
    SystemAlert,
    SystemStatus,
    TaskAssigned,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskUpdated,
    TokenThreshold,
    TokenUsage,
)

__all__ = [
    "DEFAULT_URL",
    "AgentActivity",
    "AgentRemoved",
    "AgentStatusChange",
    "AgentUpdated",
    "Client",
    "ClientError",
    "ClientState",
    "Event",
    "FileChange",
    "Gap",
    "Item",
    "LeadAdded",
    "LeadRemoved",
    "LeadScored",
    "LeadUpdated",
    "NotificationFailed",
    "NotificationSent",
    "NotificationStarted",
    "Publisher",
    "Question",
    "QuestionAnswered",
    "QuestionAsked",
    "QuestionClosed",
    "Refused",
    "Shape",
    "Snapshot",
    "StateBaseline",
    "StateListener",
    "SystemAlert",
    "SystemStatus",
    "TaskAssigned",
    "TaskCompleted",
    "TaskCreated",
    "TaskDeleted",
    "TaskUpdated",
    "TokenThreshold",
    "TokenUsage",
    "Transport",
    "Unreachable",
    "answer",
    "ask",
    "call",
    "publish",
]
