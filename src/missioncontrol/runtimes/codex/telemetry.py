"""Codex's own events and metrics.

Its conversation is the session of its rollout, so that both are reconciled. Its input contains what was read from a
cache; what it costs it does not say.

Source: https://developers.openai.com/codex/config-advanced
"""

from __future__ import annotations

from missioncontrol.runtimes.otel.reading import (
    Meaning,
    call,
    count,
    fingerprint,
    introduce,
    metered,
    sender_session,
    text,
    turn,
    usage,
    without_cache,
)
from missioncontrol.runtimes.otel.signals import LogRecord, Point, Signal, Span

RUNTIME = "codex"
PREFIX = "codex."

_EVIDENCE = "Codex telemetry"
_COMPLETED = "response.completed"
_TURN_TOKENS = "turn.token_usage"


def read(signal: Signal) -> Meaning | None:
    """Return the meaning of a signal; None if it is not Codex's."""
    if isinstance(signal, Span) or not signal.name.startswith(PREFIX):
        return None
    return _metric(signal) if isinstance(signal, Point) else _event(signal)


def _metric(point: Point) -> Meaning | None:
    if point.name.removeprefix(PREFIX) != _TURN_TOKENS:
        # Counts and durations of what its events report one by one.
        return []
    session = text(point.attributes, "conversation.id") or sender_session(point.sender)
    kind = text(point.attributes, "token_type", "type")
    used = metered(point, session, RUNTIME, kind, text(point.attributes, "model"))
    return [introduce(point, session, RUNTIME), *used] if used else []


def _event(record: LogRecord) -> Meaning | None:
    name, attributes = record.name.removeprefix(PREFIX), record.attributes
    session = text(attributes, "conversation.id") or sender_session(record.sender)
    known = introduce(record, session, RUNTIME)
    if name == "sse_event":
        kind = text(attributes, "event.kind")
        if kind != _COMPLETED:
            return []
        whole = count(attributes, "input_token_count")
        cached = count(attributes, "cached_token_count") or 0
        written = count(attributes, "cache_write_token_count") or 0
        output = count(attributes, "output_token_count") or 0
        if whole is None and not output:
            # Of each response there are two of these, and one of them has the counts.
            return [known]
        used = usage(
            record,
            fingerprint(record.nanos, whole, cached, output),
            session,
            RUNTIME,
            text(attributes, "model", "slug"),
            provider="openai",
            input=without_cache(whole, (cached, written)),
            output=output,
            cache_read=cached,
            cache_write=written,
        )
        # What follows, if anything does, says so itself.
        return [known, used, turn(record, session, "idle", _EVIDENCE)]
    if name == "user_prompt":
        return [known, turn(record, session, "busy", _EVIDENCE)]
    if name == "tool_decision":
        denied = text(attributes, "decision") in ("denied", "abort", "reject")
        return [known, turn(record, session, "idle" if denied else "busy", _EVIDENCE)]
    if name == "tool_result":
        tool = text(attributes, "tool_name") or "tool"
        made = call(record, session, text(attributes, "call_id"), tool, attributes.get("arguments"))
        return [known, made, turn(record, session, "busy", _EVIDENCE)]
    if name == "conversation_starts":
        return [known]
    return (
        [] if name in ("api_request", "websocket_request", "websocket_event", "websocket_connect") else None
    )
