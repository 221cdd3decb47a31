"""How it stands with rules and destinations, as the API shows it."""

from __future__ import annotations

from typing import Literal

import msgspec

from missioncontrol.events import rfc3339
from missioncontrol.notify.batch import LEVELS
from missioncontrol.notify.delivery import Delivery
from missioncontrol.notify.planner import HOUR, Planner
from missioncontrol.notify.routes import Route
from missioncontrol.notify.text import counted


class RuleStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    """A rule, and what it does now.

    `waiting` says what it has to tell, `due` when, and `held` what keeps it until then: `quiet` hours, or the `limit`
    of messages an hour. `quietUntil` is set in quiet hours, `lastHour` counts the messages of the last hour.
    """

    name: str
    events: list[str]
    levels: list[str]
    agents: list[str]
    destinations: list[str]
    per_hour: int
    storm_seconds: float
    quiet_hours: str | None = None
    quiet_except: str | None = None
    quiet_until: str | None = None
    last_hour: int = 0
    waiting: str | None = None
    due: str | None = None
    held: str | None = None


class DestinationStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    """How it stands with a destination; `queued` messages wait, the first of them is tried again at `nextAttempt`."""

    destination: str
    rules: list[str]
    status: Literal["working", "failing"]
    queued: int
    failing_since: str | None = None
    last_error: str | None = None
    last_sent: str | None = None
    next_attempt: str | None = None


class NotifyFigures(msgspec.Struct):
    """Counters since start: messages sent and given up, and attempts that failed."""

    sent: int = 0
    failed: int = 0
    failed_attempts: int = 0


class Trial(msgspec.Struct, omit_defaults=True):
    """What came of a test message; `error` says why it failed."""

    rule: str
    destination: str
    ok: bool
    error: str | None = None


def describe_rule(route: Route, planner: Planner, moment: float) -> RuleStatus:
    """Say what a rule is, and what it does at a moment, in seconds since 1970."""
    rule, quiet = route.rule, route.rule.quiet
    state, due = planner.states[rule.name], planner.due(rule, moment)
    waiting: dict[str, int] = {}
    for batch in filter(None, (state.urgent, state.usual)):
        for kind, count in (*batch.kinds.items(), *batch.away.items()):
            waiting[kind] = waiting.get(kind, 0) + count
    return RuleStatus(
        name=rule.name,
        events=rule.patterns.names(),
        levels=[level for level in LEVELS if level in rule.levels],
        agents=list(rule.agents),
        destinations=route.labels,
        per_hour=rule.per_hour,
        storm_seconds=rule.storm_seconds,
        quiet_hours=None if quiet is None else f"{quiet.begin:%H:%M}-{quiet.end:%H:%M}",
        quiet_except="critical" if rule.passes_quiet else None,
        quiet_until=None if quiet is None else _stamp(quiet.ends(moment)),
        last_hour=sum(moment - at < HOUR for at in state.sent),
        waiting=counted(waiting) or None,
        due=None if due is None else _stamp(due.at),
        held=None if due is None else due.held or None,
    )


def describe_destination(label: str, rules: list[str], delivery: Delivery) -> DestinationStatus:
    """Say how it stands with a destination."""
    first = delivery.queue[0] if delivery.queue else None
    return DestinationStatus(
        destination=label,
        rules=rules,
        status="working" if delivery.failing_since is None else "failing",
        queued=len(delivery.queue),
        failing_since=_stamp(delivery.failing_since),
        last_error=delivery.last_error,
        last_sent=_stamp(delivery.last_sent),
        next_attempt=_stamp(first.not_before) if first is not None and first.attempts else None,
    )


def _stamp(time: float | None) -> str | None:
    return None if time is None else rfc3339(round(time * 1000)).decode()
