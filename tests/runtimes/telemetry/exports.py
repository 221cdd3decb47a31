"""OTLP exports as the runtimes send them, written by hand in the JSON encoding."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from missioncontrol.runtimes.otel.signals import Kind, Signal, decode

CLAUDE = {"service.name": "claude-code", "service.version": "2.1.0"}
CODEX = {"service.name": "codex_cli_rs", "env": "dev"}
OPENCLAW = {"service.name": "openclaw-gateway"}


def attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value_of(value)} for key, value in given.items()]


def value_of(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(one) for one in value]}}
    return {"stringValue": value}


def nanos(seconds: float | None = None) -> str:
    return str(round((time.time() if seconds is None else seconds) * 1_000_000_000))


def logs(
    resource: Mapping[str, Any],
    *records: tuple[str, Mapping[str, Any]],
    at: float | None = None,
    event_name: str = "",
) -> bytes:
    """Events as log records: the name in the body, and as the attribute `event.name`; `event_name` is their own."""
    written = [
        {
            "timeUnixNano": nanos(at),
            "body": {"stringValue": name},
            "eventName": event_name,
            # Claude Code's are short there.
            "attributes": attributes({"event.name": name.removeprefix("claude_code."), **given}),
        }
        for name, given in records
    ]
    return _export("Logs", resource, "logRecords", written)


def spans(resource: Mapping[str, Any], *given: tuple[str, Mapping[str, Any]], **more: Any) -> bytes:
    """Spans of one trace, each a millisecond after the one before."""
    begin = time.time()
    written = [
        {
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": f"{number + 1:016x}",
            "name": name,
            "kind": 3,
            "startTimeUnixNano": nanos(begin + number / 1000),
            "endTimeUnixNano": nanos(begin + number / 1000 + 0.0005),
            "attributes": attributes(values),
            **more,
        }
        for number, (name, values) in enumerate(given)
    ]
    return _export("Spans", resource, "spans", written)


def counters(
    resource: Mapping[str, Any],
    name: str,
    *points: tuple[float, Mapping[str, Any]],
    cumulative: bool = False,
    start: float = 1.0,
    at: float | None = None,
) -> bytes:
    """A counter with a point for each set of attributes."""
    metric = {
        "name": name,
        "sum": {
            "aggregationTemporality": 2 if cumulative else 1,
            "isMonotonic": True,
            "dataPoints": [
                {
                    "startTimeUnixNano": nanos(start),
                    "timeUnixNano": nanos(at),
                    "asDouble": value,
                    "attributes": attributes(given),
                }
                for value, given in points
            ],
        },
    }
    return _export("Metrics", resource, "metrics", [metric])


def histogram(resource: Mapping[str, Any], name: str, total: float, given: Mapping[str, Any]) -> bytes:
    metric = {
        "name": name,
        "histogram": {
            "aggregationTemporality": 1,
            "dataPoints": [
                {
                    "startTimeUnixNano": nanos(1.0),
                    "timeUnixNano": nanos(),
                    "count": "1",
                    "sum": total,
                    "attributes": attributes(given),
                }
            ],
        },
    }
    return _export("Metrics", resource, "metrics", [metric])


def read(kind: Kind, export: bytes) -> list[Signal]:
    return decode(kind, "json", export)


def _export(noun: str, resource: Mapping[str, Any], items: str, written: list[dict[str, Any]]) -> bytes:
    scope = {"scope": {"name": "test"}, items: written}
    of_resource = {"resource": {"attributes": attributes(resource)}, f"scope{noun}": [scope]}
    return json.dumps({f"resource{noun}": [of_resource]}).encode()
