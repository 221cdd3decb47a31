"""What the dialects of telemetry have in common: whose session a signal is about, and how its figures are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from missioncontrol.runtimes.calls import tool_call
from missioncontrol.runtimes.lines import shorten
from missioncontrol.runtimes.otel.signals import Attributes, LogRecord, Point, Sender, Signal, Span
from missioncontrol.runtimes.records import (
    MAX_SUMMARY,
    Growth,
    Record,
    SessionInfo,
    Status,
    ToolCall,
    Turn,
    Usage,
    Voice,
)

MAX_ID = 200
MAX_ARGUMENTS = 256 * 1024
"""Longer arguments of a tool are cut: their beginning is enough to distinguish calls."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_AGENT = ("gen_ai.agent.id", "gen_ai.agent.name", "agent.id", "agent.name")

Meaning = list[Record]
"""What a signal says; nothing, where it is known and nothing follows from it."""


def text(attributes: Attributes, *names: str) -> str | None:
    """Return the first of the named attributes that is a text, or a number, and not empty."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)[:MAX_ID]
    return None


def count(attributes: Attributes, *names: str) -> int | None:
    """Return the first of the named attributes that is a number of tokens; some senders write numbers as texts."""
    for name in names:
        value = number(attributes, name)
        if value is not None:
            return max(0, round(value))
    return None


def number(attributes: Attributes, name: str) -> float | None:
    """Return a named attribute that is a number, or a text that is one."""
    value = attributes.get(name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 < value < 1e15:
        return value
    return None


def agent_of(signal: Signal) -> str | None:
    """Return the agent that a signal names, or its sender for all that it sends."""
    return text(signal.attributes, *_AGENT) or text(signal.sender.attributes, *_AGENT)


def slug(name: str) -> str:
    """Return a name in the form that an id may have."""
    return _UNFIT.sub("-", name).strip("-")[:60] or "unknown"


def sender_session(sender: Sender) -> str:
    """Return the session for what a sender does not put into one."""
    instance = f":{sender.instance}" if sender.instance else ""
    return f"otel:{sender.name}{instance}"[:MAX_ID]


def introduce(signal: Signal, session: str, runtime: str, *, agent: str | None = None) -> SessionInfo:
    """Return the identity of a session: of the agent that is named, else of one named after the runtime and folder."""
    folder = text(signal.attributes, "cwd", "process.working_directory") or text(
        signal.sender.attributes, "cwd", "process.working_directory"
    )
    return SessionInfo(session=session, runtime=runtime, agent=agent or agent_of(signal), cwd=folder)


def turn(
    signal: Span | LogRecord, session: str, status: Status, evidence: str, detail: str | None = None
) -> Turn:
    """Return the status of a session after a signal."""
    shown = None if detail is None else shorten(detail, MAX_SUMMARY)
    return Turn(session, _moment(signal), status, shown, evidence, _voice(signal))


def call(signal: Span | LogRecord, session: str, call_id: str | None, name: str, arguments: Any) -> ToolCall:
    """Return the tool call of a signal."""
    given = arguments[:MAX_ARGUMENTS] if isinstance(arguments, (str, bytes)) else ""
    made = tool_call(session, _moment(signal), call_id or "", name[:MAX_ID], given)
    return msgspec.structs.replace(made, voice=_voice(signal))


def usage(
    signal: Span | LogRecord, key: str, session: str, runtime: str, model: str | None, **figures: Any
) -> Usage:
    """Return the usage of a response."""
    at, voice = _moment(signal), _voice(signal)
    return Usage(f"otel:{session}:{key}", runtime, session, at, model or "unknown", voice=voice, **figures)


def _moment(signal: Span | LogRecord) -> int:
    return signal.end if isinstance(signal, Span) else signal.at


def _voice(signal: Span | LogRecord) -> Voice:
    return "traces" if isinstance(signal, Span) else "logs"


_KINDS = {
    "input": "input",
    "output": "output",
    "cacheread": "cache_read",
    "cacheinput": "cache_read",
    "cachedinput": "cache_read",
    "cachecreation": "cache_write",
    "cachewrite": "cache_write",
    "cost": "cost",
}


def metered(point: Point, session: str, runtime: str, kind: str | None, model: str | None) -> list[Record]:
    """Return what a meter has counted of one kind of token, or of `cost`; empty for kinds that are sums of others."""
    field = _KINDS.get((kind or "").replace("_", "").replace(".", "").lower())
    if field is None or point.value <= 0:
        return []
    series = fingerprint(point.name, *sorted(f"{key}={value}" for key, value in point.attributes.items()))
    figures: dict[str, Any] = {field: point.value if field == "cost" else round(point.value)}
    return [
        Usage(
            f"otel:{session}:{series}:{point.start}:{point.nanos}",
            runtime,
            session,
            point.at,
            model or "unknown",
            voice="metrics",
            growth=Growth(series, point.start) if point.cumulative else None,
            **figures,
        )
    ]


def fingerprint(*parts: object) -> str:
    """Return a short text that differs where these do."""
    return blake2b("\0".join(map(str, parts)).encode("utf-8", "replace"), digest_size=9).hexdigest()


def without_cache(whole: int | None, parts: Iterable[int | None]) -> int:
    """Return the input that was neither read from a cache nor written into one, of a sum that includes both."""
    return max(0, (whole or 0) - sum(part or 0 for part in parts))
