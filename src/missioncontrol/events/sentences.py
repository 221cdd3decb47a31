"""Events as plain sentences, for people who read a terminal or a message.

Data is whatever was published under a type: what has not the expected shape is shown as it is, and control
characters never reach whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

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
    StandupHeld,
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
from missioncontrol.events.event import Event
from missioncontrol.redaction import LONGEST_SECRET, redact

MAX_LENGTH = 240
MAX_REMEMBERED = 512
"""How many masked texts are remembered, so that what was described in a thread is at hand on the event loop."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Write anything on one line, without characters that a terminal would act on."""
    return defuse(" ".join(str(text).split()))


def defuse(text: str) -> str:
    """Take out the characters that a terminal would act on; blanks stay as they are."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def describe(event: Event) -> str:
    """Say in a sentence what happened; secrets are masked, since sentences leave the machine in notifications."""
    data = event.typed()
    tell = None if data is None else _SENTENCES.get(type(data))
    said = msgspec.json.encode(event.data).decode() if tell is None else tell(data)
    text = _masked(said[: MAX_LENGTH + LONGEST_SECRET])
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


@lru_cache(MAX_REMEMBERED)
def _masked(text: str) -> str:
    return clean(redact(text))


def size(count: int) -> str:
    """Write a number of bytes as people read it."""
    if count < 1024:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def _changes(updates: dict[str, Any] | None) -> str:
    updates = updates or {}
    parts = [f"{key}={value}" for key, value in updates.items() if not isinstance(value, dict | list)]
    return ", ".join(parts) or ", ".join(updates) or "nothing"


def _name(record: dict[str, Any], *keys: str) -> str:
    return next((str(record[key]) for key in keys if record.get(key)), "one without a name")


def _status_change(data: AgentStatusChange) -> str:
    was = f" (was {data.previous_status})" if data.previous_status else ""
    return f"{data.agent_id} is now {data.status or 'unknown'}{was}"


def _activity(data: AgentActivity) -> str:
    if data.activity:
        return f"{data.agent_id} is at it: {data.activity}"
    files = "1 file" if data.file_count == 1 else f"{data.file_count} files"
    if data.file_count is None:
        return f"{data.agent_id} has worked on files"
    return f"{data.agent_id} has worked on files and has {files} now"


def _task_created(data: TaskCreated) -> str:
    about = data.task.get("description") or data.task.get("title")
    return f"{_name(data.task, 'id')} was added" + (f": {about}" if about else "")


def _task_completed(data: TaskCompleted) -> str:
    return f"{data.task_id} is done" + (f": {data.result}" if data.result else "")


def _task_assigned(data: TaskAssigned) -> str:
    by = f" by {data.assigned_by}" if data.assigned_by else ""
    return f"{data.task_id} was given to {data.agent_id or 'nobody'}{by}"


def _lead_scored(data: LeadScored) -> str:
    was = f" (was {data.previous_score:g})" if data.previous_score is not None else ""
    score = "no score" if data.score is None else f"{data.score:g}"
    return f"{data.lead_id} now scores {score}{was}"


def _token_usage(data: TokenUsage) -> str:
    delta = data.delta or {}
    new = delta.get("tokens")
    more = ""
    if isinstance(new, int | float):
        more = f" ({new:,.0f} more)"
        if to := delta.get("movedTo"):
            more = f" ({-new:,.0f} are {to}'s)"
        elif before := delta.get("movedFrom"):
            more = f" ({new:,.0f} were counted for {before})"
    return f"{data.agent} has used {data.tokens or 0:,.0f} tokens{more}, ${data.cost or 0:,.2f}"


def _threshold(data: TokenThreshold) -> str:
    return (
        f"{data.alert or 'info'}: {'the fleet' if data.scope == 'fleet' else data.agent} has used "
        f"{data.percent_used or 0:.0f}% of its budget "
        f"(${data.current_cost or 0:,.2f} of ${data.threshold or 0:,.2f})"
    )


def _asked(data: QuestionAsked) -> str:
    asked = data.question
    options = asked.get("options")
    choice = f" ({' / '.join(map(str, options))})" if isinstance(options, list) and options else ""
    return f"{asked.get('agentId') or 'somebody'} asks: {_name(asked, 'text')}{choice}"


def _answered(data: QuestionAnswered) -> str:
    return f"{data.answered_by or 'somebody'} has answered {data.question_id}: {data.answer}"


def _question_closed(data: QuestionClosed) -> str:
    reason = data.reason or "withdrawn"
    why = {"expired": "its time is up", "elsewhere": "it was decided elsewhere"}.get(reason, reason)
    return f"{data.question_id} needs no answer any more: {why}"


def _notified(data: NotificationSent) -> str:
    return f"{data.destination} was told: {data.title}"


def _not_notified(data: NotificationFailed) -> str:
    return f"{data.destination} could not be told ({data.error}): {data.title}"


def _file_change(data: FileChange) -> str:
    action = data.action or "modified"
    verb = {"created": "wrote", "modified": "changed", "deleted": "deleted"}[action]
    past = {"created": "was written", "modified": "was changed", "deleted": "was deleted"}[action]
    about = f"{data.agent_id} {verb} {data.path}" if data.agent_id else f"{data.path} {past}"
    how_big = f" ({size(data.size)})" if data.size is not None and data.action != "deleted" else ""
    return about + how_big + (", found at start" if data.found_at_start else "")


def _baseline(data: StateBaseline) -> str:
    parts = {"agents": data.agents, "tasks": data.tasks, "leads": data.leads}
    counts = {noun: len(found or ()) for noun, found in parts.items()}
    told = ", ".join(f"{count:,} {noun}" for noun, count in counts.items() if count)
    return f"{data.source} has taken what it found as its beginning" + (f": {told}" if told else "")


def _standup(data: StandupHeld) -> str:
    totals = data.standup.get("totals")
    totals = totals if isinstance(totals, dict) else {}

    def count(name: str) -> int:
        value = totals.get(name)
        return int(value) if isinstance(value, int | float) else 0

    parts = [
        f"{count('completed'):,} completed",
        f"{count('started'):,} started",
        f"{count('blocked'):,} blocked",
    ]
    cost, tokens = totals.get("cost"), totals.get("tokens")
    if isinstance(tokens, int | float):
        parts.append(f"{tokens:,.0f} tokens")
    if isinstance(cost, int | float):
        parts.append(f"{'at least ' if count('unpricedTokens') else ''}${cost:,.2f}")
    if questions := count("openQuestions"):
        parts.append(f"{questions:,} open question{'' if questions == 1 else 's'}")
    return f"standup {_name(data.standup, 'id')}: {', '.join(parts)}"


def _gateway(data: SystemStatus) -> str:
    was = f" (was {data.previous_status})" if data.previous_status else ""
    return f"the gateway is {data.status or 'unknown'}{was}"


_SENTENCES: dict[type[Shape], Callable[[Any], str]] = {
    AgentStatusChange: _status_change,
    AgentActivity: _activity,
    AgentUpdated: lambda data: f"{data.agent_id}: {_changes(data.updates)}",
    AgentRemoved: lambda data: f"{data.agent_id} is gone",
    TaskCreated: _task_created,
    TaskUpdated: lambda data: f"{data.task_id}: {_changes(data.updates)}",
    TaskCompleted: _task_completed,
    TaskAssigned: _task_assigned,
    TaskDeleted: lambda data: f"{data.task_id} {'is in the history now' if data.archived else 'was deleted'}",
    LeadAdded: lambda data: f"{_name(data.lead, 'company', 'name', 'id', 'leadId')} was found",
    LeadUpdated: lambda data: f"{data.lead_id}: {_changes(data.updates)}",
    LeadScored: _lead_scored,
    LeadRemoved: lambda data: f"{data.lead_id} is gone",
    TokenUsage: _token_usage,
    TokenThreshold: _threshold,
    QuestionAsked: _asked,
    QuestionAnswered: _answered,
    QuestionClosed: _question_closed,
    NotificationStarted: lambda data: f"notifications begin, to {', '.join(data.destinations or ())}",
    NotificationSent: _notified,
    NotificationFailed: _not_notified,
    StandupHeld: _standup,
    SystemAlert: lambda data: f"{data.level or 'info'}: {data.message}",
    SystemStatus: _gateway,
    FileChange: _file_change,
    StateBaseline: _baseline,
}
