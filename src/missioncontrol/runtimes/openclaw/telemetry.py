"""OpenClaw's plugin `diagnostics-otel`.

Its spans name the session; its metrics do not, and count only if nothing else reports the same use. Its input
contains neither of the cache figures.

Source: https://docs.openclaw.ai/gateway/opentelemetry
"""

from __future__ import annotations

from missioncontrol.runtimes.otel.reading import (
    Meaning,
    agent_of,
    count,
    introduce,
    metered,
    number,
    sender_session,
    text,
    turn,
    usage,
)
from missioncontrol.runtimes.otel.signals import Point, Signal, Span
from missioncontrol.runtimes.records import Status

RUNTIME = "openclaw"
PREFIX = "openclaw."

_EVIDENCE = "OpenClaw telemetry"


def read(signal: Signal) -> Meaning | None:
    """Return the meaning of a signal; None if it is not OpenClaw's."""
    if not signal.name.startswith(PREFIX):
        return None
    if isinstance(signal, Point):
        return _metric(signal)
    return _span(signal) if isinstance(signal, Span) else []


def _metric(point: Point) -> Meaning:
    name = point.name.removeprefix(PREFIX)
    if name == "tokens":
        kind = text(point.attributes, "openclaw.token", "type")
    elif name == "cost.usd":
        kind = "cost"
    else:
        # Durations, queues and sizes: nothing that an agent does or spends.
        return []
    session = text(point.attributes, "openclaw.sessionId") or sender_session(point.sender)
    used = metered(point, session, RUNTIME, kind, text(point.attributes, "openclaw.model"))
    return [introduce(point, session, RUNTIME, agent=_agent(point)), *used] if used else []


def _span(span: Span) -> Meaning:
    attributes = span.attributes
    session = text(attributes, "openclaw.sessionId", "openclaw.sessionKey") or sender_session(span.sender)
    known = introduce(span, session, RUNTIME, agent=_agent(span))
    if span.name == "openclaw.model.usage":
        used = usage(
            span,
            f"{span.trace_id}:{span.span_id}",
            session,
            RUNTIME,
            text(attributes, "openclaw.model"),
            provider=text(attributes, "openclaw.provider"),
            input=count(attributes, "openclaw.tokens.input") or 0,
            output=count(attributes, "openclaw.tokens.output") or 0,
            cache_read=count(attributes, "openclaw.tokens.cache_read") or 0,
            cache_write=count(attributes, "openclaw.tokens.cache_write") or 0,
            cost=number(attributes, "openclaw.cost.usd"),
        )
        return [known, used]
    if span.name in ("openclaw.message.processed", "openclaw.run"):
        status: Status = "error" if span.failed else "idle"
        return [known, turn(span, session, status, _EVIDENCE, span.detail)]
    if span.name == "openclaw.session.stuck":
        return [known, turn(span, session, "busy", _EVIDENCE, "stuck")]
    return []


def _agent(signal: Signal) -> str | None:
    """Return the agent: named, or as the second word of the session's key (`agent:scout:main`)."""
    named = agent_of(signal) or text(signal.attributes, "openclaw.agent", "openclaw.agentId")
    key = text(signal.attributes, "openclaw.sessionKey") or ""
    parts = key.split(":")
    return named or (parts[1] if len(parts) > 2 and parts[0] == "agent" else None)
