"""What the runtimes' telemetry says, signal by signal, and what nobody understands of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.errors import BadTelemetry
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.runtimes.otel.signals import Kind, decode, status
from missioncontrol.runtimes.records import Record, SessionInfo, ToolCall, Turn, Usage
from tests.runtimes.telemetry import exports


class Desk:
    """A receiver, and what it hands on."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.receiver = Receiver(self._report, lambda runtime: False)

    async def _report(self, records: Sequence[Record]) -> None:
        self.records += records

    async def take(self, kind: Kind, export: bytes) -> list[Record]:
        self.records.clear()
        await self.receiver.take(kind, exports.read(kind, export))
        return list(self.records)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def only(records: Sequence[Record], kind: type[Any]) -> Any:
    (found,) = (record for record in records if isinstance(record, kind))
    return found


@pytest.mark.anyio
async def test_a_span_of_a_model_call_is_use_of_its_conversation(desk: Desk) -> None:
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.conversation.id": "conv-7",
        "gen_ai.agent.name": "Researcher",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.cache_creation.input_tokens": 100,
        "gen_ai.response.finish_reasons": ["tool_calls"],
    }
    records = await desk.take("traces", exports.spans({"service.name": "crew"}, ("chat claude", chat)))
    assert only(records, SessionInfo).agent == "Researcher"
    use = only(records, Usage)
    assert (use.session, use.model, use.provider) == ("conv-7", "claude-sonnet-4-5-20250929", "anthropic")
    assert (use.input, use.output, use.cache_read, use.cache_write) == (300, 20, 600, 100)
    assert only(records, Turn).status == "busy"


@pytest.mark.anyio
async def test_the_older_names_are_understood(desk: Desk) -> None:
    chat = {
        "gen_ai.system": "openai",
        "llm.request.type": "chat",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.usage.prompt_tokens": 50,
        "gen_ai.usage.completion_tokens": 5,
    }
    records = await desk.take("traces", exports.spans({"service.name": "crew"}, ("openai.chat", chat)))
    use = only(records, Usage)
    assert (use.session, use.input, use.output, use.provider) == ("otel:crew:crew"[:9], 50, 5, "openai")
    assert only(records, SessionInfo).agent == "crew"
    assert only(records, Turn).status == "idle"


@pytest.mark.anyio
async def test_an_agent_s_span_ends_its_turn_and_its_sums_count_nothing(desk: Desk) -> None:
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read_file",
        "gen_ai.tool.call.id": "call-1",
        "gen_ai.tool.call.arguments": '{"path": "notes.md"}',
    }
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": "scout",
        "gen_ai.usage.input_tokens": 9000,
    }
    export = exports.spans(
        {"service.name": "crew"}, ("execute_tool read_file", tool), ("invoke_agent", agent)
    )
    records = await desk.take("traces", export)
    assert not [record for record in records if isinstance(record, Usage)]
    called = only(records, ToolCall)
    assert (called.name, called.summary, called.call_id) == ("read_file", "notes.md", "call-1")
    assert [record.status for record in records if isinstance(record, Turn)] == ["busy", "idle"]
    failed = exports.spans(
        {"service.name": "crew"}, ("invoke_agent", agent), status={"code": 2, "message": "no quota"}
    )
    ended = only(await desk.take("traces", failed), Turn)
    assert (ended.status, ended.detail) == ("error", "no quota")


@pytest.mark.anyio
async def test_codex_s_events_are_known_by_their_attribute_where_they_are_named_by_their_place_in_the_source(
    desk: Desk,
) -> None:
    about = {"conversation.id": "c-1", "model": "gpt-5.1-codex", "event.kind": "response.completed"}
    counts = {
        "input_token_count": "22606",
        "cached_token_count": 21460,
        "cache_write_token_count": 100,
        "output_token_count": "196",
    }
    place = "event otel/src/events/session_telemetry.rs:1187"
    # Of each response there are two events, and one of them has the counts.
    export = exports.logs(
        exports.CODEX, ("codex.sse_event", about), ("codex.sse_event", {**about, **counts}), event_name=place
    )
    records = await desk.take("logs", export)
    use = only(records, Usage)
    assert (use.input, use.cache_read, use.cache_write, use.output) == (1_046, 21_460, 100, 196)
    assert only(records, Turn).status == "idle"


@pytest.mark.anyio
async def test_codex_s_events_are_turns_calls_and_use(desk: Desk) -> None:
    about = {"conversation.id": "c-1", "model": "gpt-5-codex", "app.version": "0.60.0"}
    export = exports.logs(
        exports.CODEX,
        ("codex.conversation_starts", about),
        ("codex.user_prompt", {**about, "prompt_length": 12}),
        ("codex.tool_decision", {**about, "tool_name": "shell", "call_id": "x", "decision": "approved"}),
        (
            "codex.tool_result",
            {**about, "tool_name": "shell", "call_id": "x", "arguments": '{"command": ["make", "test"]}'},
        ),
        (
            "codex.sse_event",
            {
                **about,
                "event.kind": "response.completed",
                "input_token_count": "1500",
                "cached_token_count": "1000",
                "output_token_count": "70",
                "reasoning_token_count": "30",
            },
        ),
        ("codex.sse_event", {**about, "event.kind": "response.output_item.done"}),
    )
    records = await desk.take("logs", export)
    use = only(records, Usage)
    assert (use.session, use.runtime, use.model) == ("c-1", "codex", "gpt-5-codex")
    assert (use.input, use.cache_read, use.output) == (500, 1000, 70)
    assert only(records, ToolCall).summary == "make test"
    assert [record.status for record in records if isinstance(record, Turn)] == [
        "busy",
        "busy",
        "busy",
        "idle",
    ]


@pytest.mark.anyio
async def test_claude_codes_events_are_turns_and_calls(desk: Desk) -> None:
    about = {"session.id": "s-1"}
    export = exports.logs(
        exports.CLAUDE,
        ("claude_code.user_prompt", about),
        ("claude_code.tool_decision", {**about, "tool_name": "Bash", "decision": "reject"}),
        (
            "claude_code.tool_result",
            {**about, "tool_name": "Bash", "tool_parameters": '{"bash_command": "x", "command": "make"}'},
        ),
        ("claude_code.api_error", {**about, "error": "529 overloaded"}),
    )
    records = await desk.take("logs", export)
    assert [record.status for record in records if isinstance(record, Turn)] == [
        "busy",
        "idle",
        "busy",
        "error",
    ]
    assert only(records, ToolCall).summary == "make"


@pytest.mark.anyio
async def test_what_nobody_understands_is_counted_by_name(desk: Desk) -> None:
    await desk.take("traces", exports.spans({"service.name": "shop"}, ("GET /cart", {"http.route": "/cart"})))
    await desk.take("metrics", exports.counters({"service.name": "shop"}, "http.requests", (3.0, {})))
    await desk.take("metrics", exports.counters(exports.CLAUDE, "claude_code.session.count", (1.0, {})))
    await desk.take("logs", exports.logs({"service.name": "shop"}, ("something.new", {})))
    shop = next(sender for sender in desk.receiver.senders() if sender.service == "shop")
    assert shop.unknown == {"GET /cart": 1, "http.requests": 1, "something.new": 1}
    assert (shop.traces, shop.metrics, shop.logs) == (1, 1, 1)
    assert desk.receiver.outcomes() == {"used": 0, "noted": 1, "unknown": 3}


@pytest.mark.anyio
async def test_the_token_histogram_of_the_conventions_counts_where_a_conversation_is_named(
    desk: Desk,
) -> None:
    export = exports.histogram(
        {"service.name": "crew"},
        "gen_ai.client.token.usage",
        120.0,
        {"gen_ai.token.type": "output", "gen_ai.request.model": "gpt-5", "gen_ai.conversation.id": "conv-7"},
    )
    use = only(await desk.take("metrics", export), Usage)
    assert (use.session, use.output, use.voice) == ("conv-7", 120, "metrics")


@pytest.mark.anyio
async def test_neither_senders_nor_names_grow_without_bound(desk: Desk) -> None:
    for number in range(300):
        await desk.take("traces", exports.spans({"service.name": f"s{number}"}, (f"span {number}", {})))
        await desk.take("traces", exports.spans({"service.name": "one"}, (f"span {number}", {})))
    senders = desk.receiver.senders()
    assert len(senders) == 200
    one = next(sender for sender in senders if sender.service == "one")
    assert sum(one.unknown.values()) == 300
    assert len(one.unknown) == 101


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("json", b"{"), ("json", b"[]"), ("json", b'{"resourceSpans": 3}'), ("protobuf", b"\xff\xff")],
)
def test_what_is_no_export_is_said_to_be_none(encoding: Any, body: bytes) -> None:
    with pytest.raises(BadTelemetry, match="no OTLP request for traces"):
        decode("traces", encoding, body)


numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.booleans() | numbers | st.text(st.characters(codec="utf-8"), max_size=8)
named = st.sampled_from(
    [
        "gen_ai.operation.name",
        "gen_ai.system",
        "gen_ai.usage.input_tokens",
        "gen_ai.response.finish_reasons",
        "session.id",
        "openclaw.sessionKey",
        "conversation.id",
        "type",
        "decision",
        "event.kind",
        "arguments",
    ]
)


@given(
    st.sampled_from(
        [
            "claude_code.api_request",
            "codex.sse_event",
            "openclaw.model.usage",
            "chat",
            "claude_code.token.usage",
        ]
    ),
    st.dictionaries(named, scalars, max_size=6),
)
def test_whatever_attributes_say_nothing_fails(name: str, given_attributes: dict[str, Any]) -> None:
    async def report(records: Sequence[Record]) -> None:
        json.dumps([record.session for record in records])

    import asyncio

    for resource in (exports.CLAUDE, exports.CODEX, exports.OPENCLAW):
        for kind, export in (
            ("logs", exports.logs(resource, (name, given_attributes))),
            ("traces", exports.spans(resource, (name, given_attributes))),
            ("metrics", exports.counters(resource, name, (5.0, given_attributes))),
        ):
            receiver = Receiver(report, lambda runtime: False)
            asyncio.run(receiver.take(kind, exports.read(kind, export)))  # type: ignore[arg-type]


def test_a_failure_is_written_as_grpc_has_it() -> None:
    long = "x" * 200
    assert status(3, "bad") == b"\x08\x03\x12\x03bad"
    assert status(14, long) == b"\x08\x0e\x12\xc8\x01" + long.encode()
