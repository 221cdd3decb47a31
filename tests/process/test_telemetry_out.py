"""Our own traces and metrics reach a collector; one that is away or hangs holds nobody up."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from missioncontrol.app.telemetry_out import TelemetryOut
from missioncontrol.client import call
from missioncontrol.config import TelemetryConfig, load_config
from missioncontrol.errors import ConfigError
from missioncontrol.testing import start_server

pytestmark = pytest.mark.process

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Collector:
    """Takes OTLP over HTTP, and keeps what it gets; `status` is what it answers."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.points: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.path == "/v1/traces":
                    traces = ExportTraceServiceRequest.FromString(body)
                    collector.spans += [
                        span
                        for resource in traces.resource_spans
                        for scope in resource.scope_spans
                        for span in scope.spans
                    ]
                else:
                    metrics = ExportMetricsServiceRequest.FromString(body)
                    collector.points |= {
                        metric.name
                        for resource in metrics.resource_metrics
                        for scope in resource.scope_metrics
                        for metric in scope.metrics
                    }
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def options(folder: Path, endpoint: str) -> list[str]:
    config = folder / "telemetry.toml"
    config.write_text(
        f'[telemetry]\nendpoint = "{endpoint}"\nheaders = {{ x-api-key = "k" }}\ninterval = 1.0\n'
    )
    return ["--config", str(config)]


def publish(url: str, **event: object) -> None:
    body = json.dumps({"type": "custom:deploy", "data": {}, **event}).encode()
    with urlopen(Request(f"{url}/api/events", body, {"traceparent": PARENT}), timeout=10) as answer:
        assert answer.status == 201


def test_requests_events_and_metrics_arrive_in_the_trace_that_they_belong_to(
    tmp_path: Path, collector: Collector
) -> None:
    with start_server(tmp_path / "workspace", options=options(tmp_path, collector.url)) as server:
        publish(server.url)
        until = time.monotonic() + 20
        while "mission_control_events_total" not in collector.points:
            assert time.monotonic() < until
            time.sleep(0.05)
        call(server.url, "/api/tasks/stats")
        server.stop()
    by_name = {span.name: span for span in collector.spans}
    assert {"POST /api/events", "tell custom:deploy", "GET /api/tasks/stats"} <= by_name.keys()
    for name in ("POST /api/events", "tell custom:deploy"):
        assert by_name[name].trace_id.hex() == TRACE
        assert by_name[name].parent_span_id.hex() == PARENT[36:52]
    assert all(headers["x-api-key"] == "k" for headers in collector.headers)


def test_the_trace_of_an_event_comes_to_every_reader(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        publish(server.url)
        publish(server.url, traceparent=PARENT.replace("-01", "-00"))
        newest = json.loads(call(server.url, "/api/system/events?limit=2"))
        assert [event["traceparent"] for event in newest] == [PARENT.replace("-01", "-00"), PARENT]


@pytest.mark.parametrize("away", ["hangs", "is gone"])
def test_a_collector_that_is_away_holds_nobody_up(tmp_path: Path, away: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if away == "hangs":
            listening.listen()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with start_server(tmp_path / "workspace", options=options(tmp_path, endpoint)) as server:
            for _ in range(20):
                publish(server.url)
            assert json.loads(call(server.url, "/health"))["status"] == "ok"
            assert server.stop(timeout=20) == 0


def test_nobody_sends_to_themselves() -> None:
    nothing: Any = None
    with pytest.raises(ConfigError, match="which is this server"):
        TelemetryOut(TelemetryConfig(endpoint="http://localhost:3001/"), nothing, "a", [3001, 3002])
    TelemetryOut(TelemetryConfig(endpoint="http://localhost:4318"), nothing, "a", [3001, 3002])
    with pytest.raises(ConfigError, match="it is an address"):
        load_config(flags={"telemetry.endpoint": "localhost:4318"})
