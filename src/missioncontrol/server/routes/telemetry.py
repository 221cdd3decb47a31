"""Telemetry over HTTP: OTLP exports come in, and what became of them can be seen.

The paths, encodings and answers are those of OTLP/HTTP, so that every SDK and collector can send here:
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from missioncontrol.errors import Draining, MissionControlError, UnsupportedMediaType
from missioncontrol.fleet.telemetry import SenderReport
from missioncontrol.runtimes.otel.signals import Encoding, Kind, Signal, decode, response, status
from missioncontrol.server.access import refuse_bound
from missioncontrol.server.packing import unpack
from missioncontrol.server.problems import describe_error
from missioncontrol.server.responses import JSON, AnyRequest, answer, documented, identify, service_of

PROTOBUF = "application/x-protobuf"
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_UNPACKED_BYTES = 32 * 1024 * 1024

_ENCODINGS: dict[str, Encoding] = {PROTOBUF: "protobuf", JSON: "json"}
_LISTS = {"traces": "resourceSpans", "metrics": "resourceMetrics", "logs": "resourceLogs"}

# The numbers of google.rpc.Code.
_INVALID_ARGUMENT, _UNAVAILABLE = 3, 14


class Telemetry(msgspec.Struct):
    """What was received since the server started, by sender, who was heard last first; and how much of it in all.

    `used` says something of agents or what they use, `noted` is known and says nothing of that, `unknown` is not known.
    """

    senders: list[SenderReport]
    totals: dict[str, int]


def _exports(kind: Kind) -> type[Operation]:
    @dataclass
    class ExportOperation(Operation):
        def __post_init__(self) -> None:
            # As ProtoJSON has it, a field that is null is one that is not there; what stands in the list it judges.
            resources = Schema(type=[OpenAPIType.ARRAY, OpenAPIType.NULL])
            self.request_body = RequestBody(
                required=True,
                description=f"An OTLP export of {kind}, packed by gzip, deflate or zstd, or not.",
                content={
                    JSON: OpenAPIMediaType(
                        schema=Schema(type=OpenAPIType.OBJECT, properties={_LISTS[kind]: resources})
                    ),
                    PROTOBUF: OpenAPIMediaType(
                        schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
                    ),
                },
            )

    return ExportOperation


_ANSWERS = documented(
    dict[str, Any], 413, 415, 503, description="It is taken in; the body is the export's answer."
)


@post(
    "/v1/traces",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ANSWERS,
    operation_class=_exports("traces"),
    tags=["telemetry"],
    summary="Take spans in",
)
async def export_traces(request: AnyRequest) -> Response[bytes]:
    """Take an OTLP export of spans in; it is durable before the answer."""
    return await _take(request, "traces")


@post(
    "/v1/metrics",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ANSWERS,
    operation_class=_exports("metrics"),
    tags=["telemetry"],
    summary="Take metrics in",
)
async def export_metrics(request: AnyRequest) -> Response[bytes]:
    """Take an OTLP export of metrics in; it is durable before the answer."""
    return await _take(request, "metrics")


@post(
    "/v1/logs",
    opt={"scope": "publish"},
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    responses=_ANSWERS,
    operation_class=_exports("logs"),
    tags=["telemetry"],
    summary="Take log records in",
)
async def export_logs(request: AnyRequest) -> Response[bytes]:
    """Take an OTLP export of log records and events in; it is durable before the answer."""
    return await _take(request, "logs")


@get("/api/telemetry", responses=documented(Telemetry), tags=["telemetry"], summary="What was received")
async def get_telemetry(request: AnyRequest) -> Response[bytes]:
    """Say who sends telemetry, and what of it is not understood."""
    receiver = service_of(request).telemetry
    return answer(msgspec.json.encode(Telemetry(receiver.senders(), dict(receiver.totals))))


ROUTES = (export_traces, export_metrics, export_logs, get_telemetry)
"""All of them, in the order in which the reference shows them."""


async def _take(request: AnyRequest, kind: Kind) -> Response[bytes]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = _ENCODINGS.get(media_type)
    if encoding is None:
        raise UnsupportedMediaType(
            f"An OTLP export is {PROTOBUF} or {JSON}, not {media_type[:60]!r}; "
            f"with an SDK set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf."
        )
    refuse_bound(identify(request), "exports")
    service = service_of(request)
    try:
        if service.draining:
            raise Draining("The server is about to stop and takes nothing more; send it again in a moment.")
        body = await request.body()
        packing = request.headers.get("content-encoding", "identity")
        # The first export loads the messages, and a large one takes its time.
        most = service.config.server.max_export_elements
        signals = await service.decoders.run(_decode, kind, encoding, body, packing, most)
        await service.telemetry.take(kind, signals)
    except MissionControlError as error:
        service.telemetry.refused += 1
        if encoding == "json":
            raise
        problem, headers = describe_error(error, request.scope["path"])
        code = _INVALID_ARGUMENT if problem.status < 500 else _UNAVAILABLE
        return Response(
            status(code, problem.detail), status_code=problem.status, media_type=PROTOBUF, headers=headers
        )
    return Response(response(encoding), media_type=media_type, headers={"cache-control": "no-store"})


def _decode(kind: Kind, encoding: Encoding, body: bytes, packing: str, max_elements: int) -> list[Signal]:
    return decode(kind, encoding, unpack(body, packing, MAX_UNPACKED_BYTES), max_elements)
