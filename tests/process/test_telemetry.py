"""The official OpenTelemetry SDK sends, a real server takes it in."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from missioncontrol.client import call
from missioncontrol.testing import ServerProcess, start_server
from tests.runtimes.telemetry import exports

pytestmark = pytest.mark.process

RESOURCE = Resource.create({"service.name": "research-crew", "agent.name": "scout"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("telemetry") / "workspace") as server:
        yield server


def ask(server: ServerProcess, path: str) -> Any:
    return json.loads(call(server.url, path))


def used_by(server: ServerProcess, agent: str) -> Any:
    return next(use for use in ask(server, "/api/tokens")["agents"] if use["id"] == agent)


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_spans_of_the_sdk_are_an_agent_its_activity_and_what_it_costs(server: ServerProcess) -> None:
    provider = TracerProvider(resource=RESOURCE)
    exporter = OTLPSpanExporter(f"{server.url}/v1/traces", compression=Compression.Gzip)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("crew")
    with tracer.start_as_current_span(
        "invoke_agent scout", attributes={"gen_ai.operation.name": "invoke_agent"}
    ):
        with tracer.start_as_current_span(
            "chat gpt-5",
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.response.model": "gpt-5",
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
            },
        ):
            pass
        with tracer.start_as_current_span(
            "execute_tool search",
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "search",
                "gen_ai.tool.call.arguments": '{"query": "weather"}',
            },
        ):
            pass
    assert provider.force_flush()
    provider.shutdown()
    use = used_by(server, "scout")
    assert (use["tokens"], use["calls"]) == (1100, 1)
    assert use["cost"] > 0
    eventually(lambda: any(agent["id"] == "scout" for agent in ask(server, "/api/agents")))
    eventually(lambda: ask(server, "/api/agents/scout").get("activity") == "search weather")
    agent = ask(server, "/api/agents/scout")
    assert (agent["kind"], agent["statusSource"]) == ("idle", "OpenTelemetry")


def test_metrics_and_logs_of_the_sdk_arrive(server: ServerProcess) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{server.url}/v1/metrics"))
    meters = MeterProvider(metric_readers=[reader], resource=Resource.create({"service.name": "claude-code"}))
    tokens = meters.get_meter("claude").create_counter("claude_code.token.usage")
    tokens.add(30, {"type": "input", "session.id": "sdk-1", "model": "claude-sonnet-4-5"})
    tokens.add(12, {"type": "output", "session.id": "sdk-1", "model": "claude-sonnet-4-5"})
    assert meters.force_flush()
    tokens.add(8, {"type": "output", "session.id": "sdk-1", "model": "claude-sonnet-4-5"})
    assert meters.force_flush()
    meters.shutdown()
    sessions = {one["id"]: one for one in ask(server, "/api/tokens")["sessions"]}
    assert sessions["sdk-1"]["tokens"] == 50

    provider = LoggerProvider(resource=Resource.create({"service.name": "codex_cli_rs"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{server.url}/v1/logs")))
    logger = provider.get_logger("codex")
    logger.emit(
        timestamp=time.time_ns(),
        event_name="codex.sse_event",
        attributes={
            "conversation.id": "sdk-2",
            "model": "gpt-5",
            "event.kind": "response.completed",
            "input_token_count": 100,
            "output_token_count": 9,
        },
    )
    logger.emit(timestamp=time.time_ns(), event_name="codex.something_new", attributes={})
    assert provider.force_flush()
    provider.shutdown()
    sessions = {one["id"]: one for one in ask(server, "/api/tokens")["sessions"]}
    assert sessions["sdk-2"]["tokens"] == 109
    received = ask(server, "/api/telemetry")
    codex = next(sender for sender in received["senders"] if sender["service"] == "codex_cli_rs")
    assert (codex["used"], codex["unknown"]) == (1, {"codex.something_new": 1})
    assert b'mission_control_telemetry_items_total{outcome="unknown"} 1.0' in call(server.url, "/metrics")


def test_what_was_reported_outlives_a_kill(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        provider = TracerProvider(resource=RESOURCE)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{server.url}/v1/traces")))
        with provider.get_tracer("crew").start_as_current_span(
            "chat gpt-5",
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.response.model": "gpt-5",
                "gen_ai.usage.input_tokens": 70,
            },
        ):
            pass
        provider.shutdown()
        assert used_by(server, "scout")["tokens"] == 70
        server.kill()
        server.start()
        assert used_by(server, "scout")["tokens"] == 70
        eventually(lambda: [agent["id"] for agent in ask(server, "/api/agents")] == ["scout"])


def post(server: ServerProcess, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(f"{server.url}/v1/logs", body, given), timeout=10) as answer:
            return answer.status, answer.headers["content-type"], answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read()


def test_json_is_taken_packed_or_not_and_what_is_wrong_is_said(server: ServerProcess) -> None:
    export = exports.logs(exports.CODEX, ("codex.user_prompt", {"conversation.id": "sdk-3"}))
    assert post(server, export, content_type="application/json") == (200, "application/json", b"{}")
    packed = post(server, gzip.compress(export), content_type="application/json", content_encoding="gzip")
    assert packed[0] == 200
    assert post(server, b"", content_type="application/x-protobuf")[0] == 200
    assert post(server, export, content_type="text/plain")[0] == 415
    assert post(server, export, content_type="application/json", content_encoding="br")[0] == 415
    assert post(server, export, content_type="application/json", content_encoding="gzip")[0] == 400
    code, kind, body = post(server, b"\xff\xff", content_type="application/x-protobuf")
    assert (code, kind, body[:2]) == (400, "application/x-protobuf", b"\x08\x03")
    bomb = gzip.compress(bytes(40 * 1024 * 1024))
    assert post(server, bomb, content_type="application/json", content_encoding="gzip")[0] == 413


def test_a_token_that_may_publish_is_enough(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", options=["--token", "secret"]) as server:
        export = exports.logs(exports.CODEX, ("codex.user_prompt", {"conversation.id": "sdk-3"}))
        assert post(server, export, content_type="application/json")[0] == 401
        allowed = post(server, export, content_type="application/json", authorization="Bearer secret")
        assert allowed[0] == 200
