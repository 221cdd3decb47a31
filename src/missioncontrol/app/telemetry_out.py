"""Our own traces and metrics, sent by OTLP where the settings say so; else nothing of it is even loaded.

Whoever receives them holds nobody up: spans wait in a bounded queue and are dropped when it is full, everything is sent
by threads of the SDK, and at the end there is a moment for what still waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from missioncontrol.config import TelemetryConfig
from missioncontrol.errors import ConfigError
from missioncontrol.events import Record, read_event
from missioncontrol.server.metric_table import METRICS, Figure
from missioncontrol.server.metrics import read_figure
from missioncontrol.server.service import Service

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

NAME = "mission-control"
SEND_SECONDS = 5
FLUSH_SECONDS = 2.0
COLLECT_SECONDS = 5.0
_MARK = b'"traceparent":"'
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

logger = logging.getLogger(__name__)


class TelemetryOut:
    """Sends spans of requests, of events that belong to a trace, and all metrics."""

    def __init__(self, config: TelemetryConfig, service: Service, node: str, ports: Sequence[int]) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            config: where everything goes; `endpoint` is set.
            service: what is measured.
            node: what tells this server from others.
            ports: our own.

        Raises:
            ConfigError: it would be sent to ourselves.
        """
        self._config = config
        self._service = service
        self._node = node
        self._endpoint = (config.endpoint or "").rstrip("/")
        parts = urlsplit(self._endpoint)
        if parts.hostname in _LOOPBACK and parts.port in ports:
            raise ConfigError(
                f"telemetry.endpoint is {self._endpoint}, which is this server: name the one that collects."
            )
        self._tracer: Tracer | None = None
        self._traces: TracerProvider | None = None
        self._metrics: MeterProvider | None = None

    async def start(self) -> None:
        """Load the SDK and begin."""
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._begin, loop)
        logger.info("telemetry.sending", extra={"endpoint": self._endpoint})

    async def stop(self) -> None:
        """Send what waits, for a moment, and end."""
        providers = [provider for provider in (self._traces, self._metrics) if provider is not None]
        # Threads that the process does not wait for: a collector that hangs would keep it from ending.
        threads = [threading.Thread(target=_end, args=(provider,), daemon=True) for provider in providers]
        for thread in threads:
            thread.start()
        until = time.monotonic() + FLUSH_SECONDS
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:  # noqa: ASYNC110
            # On the loop: what reads the figures for the last export needs it.
            await asyncio.sleep(0.02)
        self._tracer = self._traces = self._metrics = None

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that makes each request a span, child of the one that its `traceparent` names."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            tracer = self._tracer
            if tracer is None:
                await app(scope, receive, send)
            else:
                await _trace_request(tracer, app, cast("HTTPScope", scope), receive, send)

        return cast("ASGIApp", traced)

    def told(self, records: Sequence[Record], began: float) -> None:
        """Make a span of each event that belongs to a trace: from its append until everybody was told.

        Args:
            records: what was just told.
            began: when telling began, in seconds since 1970.
        """
        if self._tracer is None:
            return
        for record in records:
            if _MARK in record.body[:400]:
                self._trace_event(self._tracer, record, began)

    def _trace_event(self, tracer: Tracer, record: Record, began: float) -> None:
        from opentelemetry.trace import SpanKind

        traceparent = read_event(record.body).traceparent
        if traceparent is None:
            return
        span = tracer.start_span(
            f"tell {record.type}",
            context=_context(traceparent),
            kind=SpanKind.PRODUCER,
            attributes={
                "messaging.system": NAME,
                "messaging.operation.name": "tell",
                "messaging.message.id": str(record.id),
                "mission_control.event.type": record.type,
                "mission_control.clients": self._service.hub.clients,
            },
            start_time=round(min(began, record.time / 1000) * 1e9),
        )
        span.end()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create(
            {"service.name": NAME, "service.version": version(NAME), "service.instance.id": self._node}
        )
        headers = dict(self._config.headers)
        if self._config.traces:
            spans = OTLPSpanExporter(f"{self._endpoint}/v1/traces", headers=headers, timeout=SEND_SECONDS)
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(BatchSpanProcessor(spans))
            self._tracer = self._traces.get_tracer(NAME)
        if self._config.metrics:
            points = OTLPMetricExporter(f"{self._endpoint}/v1/metrics", headers=headers, timeout=SEND_SECONDS)
            reader = PeriodicExportingMetricReader(points, self._config.interval * 1000)
            self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
            meter = self._metrics.get_meter(NAME)
            for figure in METRICS:
                make = (
                    meter.create_observable_counter
                    if figure.kind == "counter"
                    else meter.create_observable_gauge
                )
                make(figure.name, [_reading(figure, self._service, loop)], description=figure.help)


def _reading(
    figure: Figure, service: Service, loop: asyncio.AbstractEventLoop
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    """Return what reads a figure for the SDK's thread: on the event loop, where nothing else changes meanwhile."""

    async def read() -> Any:
        return read_figure(figure, service)

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        try:
            value = asyncio.run_coroutine_threadsafe(read(), loop).result(COLLECT_SECONDS)
        except (TimeoutError, RuntimeError):
            # The loop has ended, or has no time: there is no figure this time.
            return []
        if isinstance(value, dict):
            return [Observation(one, {figure.label or "label": name}) for name, one in value.items()]
        return [Observation(value)]

    return observe


async def _trace_request(
    tracer: Tracer, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send
) -> None:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    traceparent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    method = str(scope["method"])
    span = tracer.start_span(
        method,
        context=_context(traceparent.decode("latin-1")),
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": method,
            "url.path": scope["path"],
            "url.scheme": scope["scheme"],
        },
    )

    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            code = message["status"]
            span.set_attribute("http.response.status_code", code)
            if code >= 500:
                span.set_status(Status(StatusCode.ERROR))
        await send(message)

    try:
        await app(cast("Scope", scope), receive, answering)
    finally:
        route = scope.get("path_template")
        if route:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        span.end()


def _context(traceparent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def _end(provider: TracerProvider | MeterProvider) -> None:
    began = time.monotonic()
    try:
        provider.force_flush(round(FLUSH_SECONDS * 1000))
        provider.shutdown()
    except Exception as error:
        # Whoever was to receive it is away; nobody waits for that.
        logger.warning("telemetry.lost", extra={"reason": str(error), "after": time.monotonic() - began})
