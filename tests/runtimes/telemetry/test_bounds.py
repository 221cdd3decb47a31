"""What an export may hold is counted on the wire, as the decoder would count it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from missioncontrol.errors import BadTelemetry, InputError, TooDeep, TooLarge
from missioncontrol.runtimes.otel.bounds import _count, _shape, check_protobuf
from missioncontrol.runtimes.otel.signals import Kind, decode

TRACES = ExportTraceServiceRequest.DESCRIPTOR
PARTS = {"KeyValue", "AnyValue", "ArrayValue", "KeyValueList"}
texts = st.text(st.characters(codec="utf-8"), max_size=5)


def field(number: int, inner: bytes) -> bytes:
    """A field of bytes, or a message, on the wire."""

    def varint(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    return varint(number << 3 | 2) + varint(len(inner)) + inner


def spans(inner: bytes) -> bytes:
    """An export of traces whose list of spans is `inner`."""
    return field(1, field(2, inner))


values = st.recursive(
    st.builds(AnyValue, string_value=texts) | st.builds(AnyValue, int_value=st.integers(-5, 2**40)),
    lambda inner: st.lists(inner, max_size=3).map(lambda some: AnyValue(array_value=ArrayValue(values=some))),
    max_leaves=6,
)
pairs = st.lists(st.builds(KeyValue, key=texts, value=values), max_size=4)


@st.composite
def exports(draw: st.DrawFn) -> Any:
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(draw(pairs))
        for _ in range(draw(st.integers(0, 3))):
            span = resource.scope_spans.add().spans.add(
                name=draw(texts), start_time_unix_nano=draw(st.integers(0, 99))
            )
            span.attributes.extend(draw(pairs))
            span.events.add(name=draw(texts)).attributes.extend(draw(pairs))
    return request


def walk(message: Any) -> tuple[int, int]:
    """Count the messages below a message: elements, and attributes and values."""
    elements = parts = 0
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for one in value if descriptor.is_repeated else [value]:
            inner = walk(one)
            is_part = descriptor.message_type.name in PARTS
            elements, parts = elements + inner[0] + (not is_part), parts + inner[1] + is_part
    return elements, parts


@settings(deadline=None)
@given(exports())
def test_what_is_counted_on_the_wire_is_what_the_decoder_makes(request: Any) -> None:
    body = request.SerializeToString()
    assert _count(_shape(TRACES), body, 10**9, 10**9) == walk(request)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([TRACES, ExportLogsServiceRequest.DESCRIPTOR]))
def test_whatever_the_bytes_are_it_is_counted_or_refused(body: bytes, descriptor: Any) -> None:
    try:
        check_protobuf(descriptor, body, 5)
    except InputError:
        pass


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("traces", b"\x0a\0" * 2_000_000),
        ("metrics", b"\x0a\0" * 2_000_000),
        ("logs", b"\x0a\0" * 2_000_000),
        ("traces", spans(b"\x12\0" * 2_000_000)),
        ("traces", spans(field(2, b"\x4a\0" * 2_000_000))),
        ("traces", spans(field(2, field(9, field(2, field(5, b"\x0a\0" * 2_000_000)))))),
        ("traces", field(1, field(1, field(3, b"\x1a\0" * 2_000_000)))),
        # A list of numbers of one byte each, which are eight in memory.
        ("metrics", field(1, field(2, field(2, field(10, field(1, field(8, field(2, b"\1" * 9_000_000)))))))),
    ],
    ids=["resources", "metrics", "logs", "spans", "attributes", "values", "texts", "numbers"],
)
def test_a_bomb_is_refused_before_it_is_decoded(kind: Kind, body: bytes) -> None:
    with pytest.raises(TooLarge, match="more than"):
        decode(kind, "protobuf", body)


@pytest.mark.parametrize(
    "inner",
    [b"{}," * 500_000 + b"{}", b'{"attributes":[' + b"0," * 500_000 + b"0]}"],
    ids=["spans", "attributes"],
)
def test_a_bomb_in_json_is_refused_before_it_is_decoded(inner: bytes) -> None:
    with pytest.raises(TooLarge, match="The export has"):
        decode("traces", "json", b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + inner + b"]}]}]}")


def test_values_inside_each_other_have_a_limit_of_levels() -> None:
    value = b""
    for _ in range(40):
        value = field(6, field(1, field(2, value)))
    with pytest.raises(TooDeep):
        decode("traces", "protobuf", spans(field(2, field(9, field(2, value)))) + field(1, b"") * 200_000)
    with pytest.raises(BadTelemetry):
        # The decoder itself refuses a short one.
        decode("traces", "protobuf", spans(field(2, field(9, field(2, value)))))
    with pytest.raises(TooDeep):
        decode("traces", "json", b'{"resourceSpans":' + b"[" * 70 + b"]" * 70 + b"}")


def test_a_large_export_of_an_ordinary_collector_passes() -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(8_192):
        span = scope.spans.add(name=f"chat {number}")
        for name in range(20):
            span.attributes.add(key=f"gen_ai.attribute{name}").value.string_value = "a value of some length"
    assert len(decode("traces", "protobuf", request.SerializeToString())) == 8_192


def test_the_limit_is_a_setting() -> None:
    body = field(1, b"") * 11
    assert decode("metrics", "protobuf", body, 11) == []
    with pytest.raises(TooLarge, match="more than 10 elements"):
        decode("metrics", "protobuf", body, 10)


@pytest.mark.parametrize("cut", [3, 9, 20])
def test_an_export_that_is_cut_off_is_no_export(cut: int) -> None:
    request = ExportTraceServiceRequest()
    for _ in range(50):
        request.resource_spans.add().scope_spans.add().spans.add(name="a span", trace_id=b"1" * 16)
    body = request.SerializeToString()
    with pytest.raises(BadTelemetry):
        check_protobuf(TRACES, body[:-cut], 300)
