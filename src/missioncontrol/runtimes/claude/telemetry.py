"""Claude Code's own metrics and events.

Its session is the one of its transcript, so that both are reconciled. Its input contains neither of the cache figures.

Source: https://code.claude.com/docs/en/monitoring-usage
"""

from __future__ import annotations

import msgspec

from missioncontrol.runtimes.otel.reading import (
    Meaning,
    call,
    count,
    fingerprint,
    introduce,
    metered,
    number,
    sender_session,
    text,
    turn,
    usage,
)
from missioncontrol.runtimes.otel.signals import LogRecord, Point, Signal
from missioncontrol.runtimes.records import Usage

RUNTIME = "claude"
PREFIX = "claude_code."

_EVIDENCE = "Claude Code telemetry"
_NOTED_METRICS = frozenset(
    {
        "session.count",
        "lines_of_code.count",
        "commit.count",
        "pull_request.count",
        "code_edit_tool.decision",
        "active_time.total",
    }
)
_NOTED_EVENTS = frozenset(
    {"mcp_server_connection", "plugin_installed", "skill_activated", "permission_mode_changed", "auth"}
)


def read(signal: Signal) -> Meaning | None:
    """Return the meaning of a signal; None if it is not Claude Code's, or not known."""
    if isinstance(signal, Point):
        return _metric(signal) if signal.name.startswith(PREFIX) else None
    if isinstance(signal, LogRecord) and (
        signal.name.startswith(PREFIX) or signal.sender.name.startswith("claude-code")
    ):
        return _event(signal)
    return None


def _metric(point: Point) -> Meaning | None:
    name = point.name.removeprefix(PREFIX)
    session = text(point.attributes, "session.id") or sender_session(point.sender)
    model = text(point.attributes, "model")
    if name == "token.usage":
        kind = text(point.attributes, "type")
    elif name == "cost.usage":
        kind = "cost"
    else:
        return [] if name in _NOTED_METRICS else None
    # What the tokens cost has a meter of its own.
    used = [
        msgspec.structs.replace(one, price_factor=None) if isinstance(one, Usage) else one
        for one in metered(point, session, RUNTIME, kind, model)
    ]
    return [introduce(point, session, RUNTIME), *used] if used else []


def _event(record: LogRecord) -> Meaning | None:
    name, attributes = record.name.removeprefix(PREFIX), record.attributes
    session = text(attributes, "session.id") or sender_session(record.sender)
    known = introduce(record, session, RUNTIME)
    tool = text(attributes, "tool_name") or "tool"
    if name == "api_request":
        # The same request that is sent again has the same place in the session.
        place = text(attributes, "request_id", "event.sequence") or record.nanos
        figures = [
            count(attributes, field) or 0
            for field in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
        ]
        used = usage(
            record,
            fingerprint(place, record.nanos, *figures),
            session,
            RUNTIME,
            text(attributes, "model"),
            provider="anthropic",
            input=figures[0],
            output=figures[1],
            cache_read=figures[2],
            cache_write=figures[3],
            cost=number(attributes, "cost_usd"),
        )
        # What follows, if anything does, says so itself.
        return [known, used, turn(record, session, "idle", _EVIDENCE)]
    if name == "user_prompt":
        return [known, turn(record, session, "busy", _EVIDENCE)]
    if name == "api_error":
        error = text(attributes, "error", "status_code")
        return [known, turn(record, session, "error", _EVIDENCE, error)]
    if name == "tool_decision":
        accepted = text(attributes, "decision") != "reject"
        return [known, turn(record, session, "busy" if accepted else "idle", _EVIDENCE)]
    if name == "tool_result":
        arguments = attributes.get("tool_parameters") or attributes.get("tool_input")
        made = call(record, session, text(attributes, "tool_use_id"), tool, arguments)
        return [known, made, turn(record, session, "busy", _EVIDENCE)]
    return [] if name in _NOTED_EVENTS else None
