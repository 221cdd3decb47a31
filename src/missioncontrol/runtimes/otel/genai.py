"""Spans and metrics by the OpenTelemetry conventions for generative AI, with the names that they had before.

Use is taken from the spans of calls of a model alone: what the span of an agent sums up is in those already.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

from missioncontrol.runtimes.otel.reading import (
    Meaning,
    agent_of,
    call,
    count,
    introduce,
    metered,
    number,
    sender_session,
    slug,
    text,
    turn,
    usage,
    without_cache,
)
from missioncontrol.runtimes.otel.signals import LogRecord, Point, Signal, Span
from missioncontrol.runtimes.records import Status

_TOKEN_METRIC = "gen_ai.client.token.usage"  # noqa: S105 - a name of the conventions

_EVIDENCE = "OpenTelemetry"
_MODEL_CALLS = frozenset({"chat", "text_completion", "generate_content", "completion", "embeddings"})
_AGENTS = frozenset({"invoke_agent", "create_agent", "invoke_workflow"})
_ON = frozenset({"tool_calls", "tool_call", "tool_use", "function_call", "toolUse"})
_NOTED = frozenset(
    {
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
        "gen_ai.client.inference.operation.details",
        "gen_ai.evaluation.result",
        "gen_ai.system.message",
        "gen_ai.user.message",
        "gen_ai.assistant.message",
        "gen_ai.tool.message",
        "gen_ai.choice",
    }
)


def read(signal: Signal) -> Meaning | None:
    """Return the meaning of a signal; None if it does not follow these conventions."""
    if isinstance(signal, Point):
        return _metric(signal)
    if isinstance(signal, LogRecord):
        return [] if signal.name in _NOTED else None
    return _span(signal)


def session_of(signal: Signal) -> str:
    """Return the conversation that a signal belongs to, else its sender's own session, for each agent of it."""
    named = text(signal.attributes, "gen_ai.conversation.id", "session.id", "gen_ai.thread.id")
    if named is not None:
        return named
    agent = agent_of(signal)
    return sender_session(signal.sender) + (f":{agent}" if agent else "")


def _span(span: Span) -> Meaning | None:
    attributes = span.attributes
    operation = text(attributes, "gen_ai.operation.name", "llm.request.type", "traceloop.span.kind")
    system = text(attributes, "gen_ai.provider.name", "gen_ai.system")
    if operation is None and system is None:
        return None
    session, runtime = session_of(span), slug(span.sender.name)
    known = introduce(span, session, runtime, agent=agent_of(span) or slug(span.sender.name))
    error = text(attributes, "error.type") or span.detail or "error"
    if operation in ("execute_tool", "tool"):
        name = text(attributes, "gen_ai.tool.name", "traceloop.entity.name") or span.name
        arguments = attributes.get("gen_ai.tool.call.arguments") or attributes.get("traceloop.entity.input")
        return [
            known,
            call(span, session, text(attributes, "gen_ai.tool.call.id"), name, arguments),
            turn(span, session, "busy", _EVIDENCE),
        ]
    if operation in _AGENTS or operation in ("agent", "workflow", "task"):
        if operation == "create_agent":
            return [known]
        status: Status = "error" if span.failed else "idle"
        return [known, turn(span, session, status, _EVIDENCE, error if span.failed else None)]
    if operation is not None and operation not in _MODEL_CALLS:
        return []
    model = text(attributes, "gen_ai.response.model", "gen_ai.request.model", "llm.request.model")
    read_, written = _cache(span)
    whole = count(
        attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"
    )
    used = usage(
        span,
        f"{span.trace_id}:{span.span_id}",
        session,
        runtime,
        model,
        provider=system,
        input=without_cache(whole, (read_, written)),
        output=count(
            attributes,
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
        )
        or 0,
        cache_read=read_ or 0,
        cache_write=written or 0,
        cost=number(attributes, "gen_ai.usage.cost"),
        failed="error" if span.failed else None,
    )
    if span.failed:
        return [known, used, turn(span, session, "error", _EVIDENCE, error)]
    return [known, used, turn(span, session, "busy" if _goes_on(span) else "idle", _EVIDENCE)]


def _cache(span: Span) -> tuple[int | None, int | None]:
    attributes = span.attributes
    read_ = count(
        attributes,
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_tokens",
    )
    written = count(
        attributes,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    )
    return read_, written


def _goes_on(span: Span) -> bool:
    """Return whether the model has called a tool, so that the agent is not done."""
    reasons = span.attributes.get("gen_ai.response.finish_reasons")
    return isinstance(reasons, list) and not _ON.isdisjoint(
        reason for reason in reasons if isinstance(reason, str)
    )


def _metric(point: Point) -> Meaning | None:
    if point.name != _TOKEN_METRIC:
        return [] if point.name in _NOTED else None
    session, runtime = session_of(point), slug(point.sender.name)
    kind = text(point.attributes, "gen_ai.token.type")
    model = text(point.attributes, "gen_ai.response.model", "gen_ai.request.model")
    used = metered(point, session, runtime, kind, model)
    known = introduce(point, session, runtime, agent=agent_of(point) or slug(point.sender.name))
    return [known, *used] if used else []
