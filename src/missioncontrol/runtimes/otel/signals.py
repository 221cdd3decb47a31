"""OTLP requests, taken apart into spans, log records and points of metrics.

Both encodings are read with the messages of `opentelemetry-proto`. They are loaded with the first request, so a
server that receives no telemetry does not need memory for them.

Source: https://opentelemetry.io/docs/specs/otlp/ and https://github.com/open-telemetry/opentelemetry-proto
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from missioncontrol.errors import BadTelemetry
from missioncontrol.runtimes.otel.bounds import DEFAULT_MAX_ELEMENTS, check_otlp_json, check_protobuf

Kind = Literal["traces", "metrics", "logs"]
Encoding = Literal["protobuf", "json"]
Attributes: TypeAlias = dict[str, Any]

MAX_DEPTH = 16
"""How deep the value of an attribute may be nested; what is deeper is cut off."""

_CUMULATIVE = 2
_ERROR = 2


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of signals: its resource's attributes. `name` and `instance` distinguish processes."""

    attributes: Attributes

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self.attributes.get("service.name") or "unknown")

    @property
    def instance(self) -> str:
        """Which of several processes of that name; empty where nothing says."""
        for key in ("service.instance.id", "process.pid", "host.name"):
            if value := self.attributes.get(key):
                return str(value)
        return ""


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended; times in milliseconds since 1970."""

    sender: Sender
    scope: str
    name: str
    attributes: Attributes
    trace_id: str
    span_id: str
    start: int
    end: int
    failed: bool
    detail: str | None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record, or an event, which is one that has a name; `at` in milliseconds since 1970, `nanos` exactly."""

    sender: Sender
    scope: str
    name: str
    attributes: Attributes
    at: int
    nanos: int


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric, of a histogram its sum; `start` in nanoseconds, `at` in milliseconds since 1970."""

    sender: Sender
    scope: str
    name: str
    attributes: Attributes
    value: float
    start: int
    at: int
    nanos: int
    cumulative: bool


Signal = Span | LogRecord | Point


def decode(
    kind: Kind, encoding: Encoding, body: bytes, max_elements: int = DEFAULT_MAX_ELEMENTS
) -> list[Signal]:
    """Take an export request apart.

    Raises:
        BadTelemetry: it is no such request.
        TooDeep: a value in it has too many levels.
        TooLarge: it has too many elements.
    """
    request = _request(kind)
    if encoding == "protobuf":
        check_protobuf(request.DESCRIPTOR, body, max_elements)
    else:
        check_otlp_json(body, max_elements)
    try:
        if encoding == "protobuf":
            request.ParseFromString(body)
        else:
            from google.protobuf import json_format

            if not body.lstrip().startswith(b"{"):
                raise ValueError("it is no JSON object")
            json_format.Parse(body, request, ignore_unknown_fields=True)
    except Exception as error:
        # Both readers raise whatever the bytes lead them to: DecodeError, ParseError, UnicodeDecodeError, …
        reason = " ".join(str(error).split())[:300]
        raise BadTelemetry(f"The body is no OTLP request for {kind} in {encoding}: {reason}") from None
    read = {"traces": _spans, "metrics": _points, "logs": _log_records}[kind]
    return list(read(request))


def response(encoding: Encoding) -> bytes:
    """Write the answer to an export that was taken in: a message without any field."""
    return b"" if encoding == "protobuf" else b"{}"


def status(code: int, message: str) -> bytes:
    """Write a `google.rpc.Status`, which the body of a failure is in OTLP/HTTP; `code` as in `google.rpc.Code`."""
    # Two fields are all there is to it; the message itself would be one more library.
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _request(kind: Kind) -> Any:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    kinds: dict[Kind, Any] = {
        "traces": ExportTraceServiceRequest,
        "metrics": ExportMetricsServiceRequest,
        "logs": ExportLogsServiceRequest,
    }
    return kinds[kind]()


def _spans(request: Any) -> Iterator[Signal]:
    for resource in request.resource_spans:
        sender = Sender(_attributes(resource.resource.attributes))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    sender,
                    scope.scope.name,
                    span.name,
                    _attributes(span.attributes),
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.start_time_unix_nano // 1_000_000,
                    (span.end_time_unix_nano or span.start_time_unix_nano) // 1_000_000,
                    span.status.code == _ERROR,
                    span.status.message or None,
                )


def _log_records(request: Any) -> Iterator[Signal]:
    for resource in request.resource_logs:
        sender = Sender(_attributes(resource.resource.attributes))
        for scope in resource.scope_logs:
            for record in scope.log_records:
                attributes = _attributes(record.attributes)
                nanos = record.time_unix_nano or record.observed_time_unix_nano
                yield LogRecord(
                    sender,
                    scope.scope.name,
                    _event_name(record, attributes),
                    attributes,
                    nanos // 1_000_000,
                    nanos,
                )


_PLACE_IN_SOURCE = re.compile(r"event \S+:\d+")
"""What Rust's `tracing` calls an event that was given no name."""


def _event_name(record: Any, attributes: Attributes) -> str:
    """Return an event's name; before it had a field of its own it was in an attribute, in full in the body."""
    body, named = _value(record.body), attributes.get("event.name")
    if isinstance(named, str) and _PLACE_IN_SOURCE.fullmatch(record.event_name):
        return named
    if isinstance(named, str) and not (isinstance(body, str) and body.endswith(f".{named}")):
        body = named
    return record.event_name or (body if isinstance(body, str) else "")


def _points(request: Any) -> Iterator[Signal]:
    for resource in request.resource_metrics:
        sender = Sender(_attributes(resource.resource.attributes))
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                shape = metric.WhichOneof("data")
                data = getattr(metric, shape) if shape else None
                # A gauge and a summary count nothing up: they have no temporality.
                cumulative = getattr(data, "aggregation_temporality", _CUMULATIVE) == _CUMULATIVE
                for point in data.data_points if data is not None else ():
                    yield Point(
                        sender,
                        scope.scope.name,
                        metric.name,
                        _attributes(point.attributes),
                        _number(point),
                        point.start_time_unix_nano,
                        point.time_unix_nano // 1_000_000,
                        point.time_unix_nano,
                        cumulative,
                    )


def _number(point: Any) -> float:
    value = getattr(point, "sum", None)
    if value is None:
        value = getattr(point, point.WhichOneof("value") or "as_double")
    # Neither NaN nor an infinity can be summed.
    return float(value) if -1e15 < value < 1e15 else 0.0


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any, depth: int = MAX_DEPTH) -> Any:
    shape = value.WhichOneof("value")
    if shape is None or depth == 0:
        return None
    if shape == "array_value":
        return [_value(one, depth - 1) for one in value.array_value.values]
    if shape == "kvlist_value":
        return {pair.key: _value(pair.value, depth - 1) for pair in value.kvlist_value.values}
    if shape == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, shape)
