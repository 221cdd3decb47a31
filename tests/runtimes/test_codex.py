"""What Codex's rollouts tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.runtimes.codex.transcript import CodexParser, Memory, session_of
from missioncontrol.runtimes.records import Record, Turn
from tests.runtimes.reading import calls, infos, read, statuses, total, usages

BEGAN = 1_795_395_127_000


def id_at(at: int) -> str:
    """Return an id of UUID version 7 that was made at a time in milliseconds since 1970."""
    digits = f"{at:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000001"


SESSION = id_at(BEGAN)


def line(type_: str, payload: dict[str, Any], after: int = 0) -> dict[str, Any]:
    """Write a line, so many milliseconds after the session began."""
    return {"timestamp": BEGAN + after, "type": type_, "payload": payload}


def meta(**fields: Any) -> dict[str, Any]:
    usual = {"id": SESSION, "cwd": "/home/user/api", "cli_version": "0.150.0", "model_provider": "openai"}
    return line("session_meta", {**usual, **fields})


def context(model: str = "gpt-5.2", **fields: Any) -> dict[str, Any]:
    return line("turn_context", {"model": model, **fields}, fields.get("after", 0))


def tokens(
    input_: int, cached: int, output: int, *, last: tuple[int, int, int] | None = None, after: int = 0
) -> Any:
    def figures(input_: int, cached: int, output: int) -> dict[str, int]:
        return {"input_tokens": input_, "cached_input_tokens": cached, "output_tokens": output}

    info: dict[str, Any] = {"total_token_usage": figures(input_, cached, output)}
    if last is not None:
        info["last_token_usage"] = figures(*last)
    return line("event_msg", {"type": "token_count", "info": info, "rate_limits": None}, after)


def event(type_: str, after: int = 0, **fields: Any) -> dict[str, Any]:
    return line("event_msg", {"type": type_, **fields}, after)


def item(type_: str, **fields: Any) -> dict[str, Any]:
    return line("response_item", {"type": type_, **fields})


def parse(*lines: dict[str, Any]) -> list[Record]:
    parser = CodexParser(Memory(session=SESSION))
    return [record for entry in lines for record in parser.parse(json.dumps(entry))]


def test_a_response_has_used_what_the_sum_has_grown_by_without_what_was_cached() -> None:
    records = parse(meta(), context(), tokens(1_000, 600, 50, after=1), tokens(2_500, 1_600, 90, after=2))
    assert [(usage.input, usage.cache_read, usage.output) for usage in usages(records)] == [
        (400, 600, 50),
        (500, 1_000, 40),
    ]
    assert {(usage.model, usage.provider) for usage in usages(records)} == {("gpt-5.2", "openai")}


def test_a_sum_that_is_repeated_counts_once() -> None:
    records = parse(meta(), tokens(1_000, 0, 50), tokens(1_000, 0, 50, after=9))
    assert total(records)[:3] == (1, 1_000, 50)


def test_a_sum_that_falls_begins_again() -> None:
    records = parse(meta(), tokens(9_000, 0, 900), tokens(0, 0, 0, after=1), tokens(700, 0, 7, after=2))
    assert total(records)[:3] == (2, 9_700, 907)


def test_a_count_without_figures_tells_nothing() -> None:
    assert usages(parse(meta(), event("token_count", info=None, rate_limits={"primary": {}}))) == []


@pytest.mark.parametrize("parent", [{"forked_from_id": "p"}, {"parent_thread_id": "p"}])
def test_the_history_that_a_fork_copies_counts_nothing(parent: dict[str, str]) -> None:
    old, own = id_at(BEGAN - 60_000), id_at(BEGAN + 40)
    records = parse(
        meta(**parent),
        line("session_meta", {"id": "p", "cwd": "/elsewhere"}),
        event("task_started", turn_id=old),
        context("gpt-4.1", turn_id=old),
        event("user_message", message="You are OLD."),
        item("function_call", name="shell", call_id="c", arguments="{}"),
        tokens(90_000, 80_000, 900),
        tokens(95_000, 84_000, 950),
        event("task_started", 50, turn_id=own),
        context(turn_id=own),
        tokens(96_000, 84_500, 960, after=4_000),
    )
    assert total(records)[:4] == (1, 500, 10, 500)
    assert calls(records) == []
    assert statuses(records) == ["busy"]
    assert {info.session for info in infos(records)} == {SESSION}


def test_a_sub_agent_whose_sum_begins_with_its_parents_counts_its_own_last_response() -> None:
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}
    records = parse(
        meta(source=spawn),
        event("task_started", turn_id=id_at(BEGAN + 5)),
        tokens(90_000, 80_000, 900, last=(2_000, 1_500, 30), after=4_000),
        tokens(93_000, 82_000, 950, last=(3_000, 2_000, 50), after=8_000),
    )
    assert total(records)[:4] == (2, 1_500, 80, 3_500)
    assert {info.parent for info in infos(records)} == {"p"}


def test_turn_ids_without_a_time_leave_it_to_the_clock() -> None:
    records = parse(
        meta(forked_from_id="p"),
        context(turn_id="1"),
        tokens(90_000, 0, 900),
        line("turn_context", {"model": "gpt-5.2", "turn_id": "2"}, 60_000),
        tokens(90_500, 0, 910, after=65_000),
    )
    assert total(records)[:3] == (1, 500, 10)


def test_a_fork_that_does_nothing_of_its_own_has_used_nothing() -> None:
    records = parse(
        meta(forked_from_id="p"), event("task_started", turn_id=id_at(BEGAN - 1)), tokens(9, 0, 9)
    )
    assert usages(records) == []


def test_a_turn_is_busy_until_it_is_told_to_be_complete() -> None:
    records = parse(
        meta(),
        event("task_started", turn_id="t"),
        item("function_call", name="shell", call_id="c", arguments='{"command":["bash","-lc","make test"]}'),
        item("function_call_output", call_id="c", output="ok"),
        event("task_complete", turn_id="t"),
        event("task_started", turn_id="t2"),
        event("turn_aborted", reason="interrupted"),
        event("error", message="the stream was cut off"),
    )
    assert statuses(records) == ["busy", "busy", "busy", "idle", "busy", "idle", "error"]
    assert [call.summary for call in calls(records)] == ["make test"]


def test_a_question_to_the_user_waits_for_its_answer() -> None:
    records = parse(
        item("function_call", name="request_user_input", call_id="q", arguments="{}"),
        item("function_call_output", call_id="q", output="yes"),
    )
    assert statuses(records) == ["waiting", "busy"]


def test_a_patch_names_the_file_that_it_changes() -> None:
    patch = "*** Begin Patch\n*** Update File: src/api.py\n@@\n-a\n+b\n*** End Patch"
    (call,) = calls(parse(item("custom_tool_call", name="apply_patch", call_id="c", input=patch)))
    assert (call.path, call.summary) == ("src/api.py", "src/api.py")


@pytest.mark.parametrize("newer", [True, False])
def test_the_first_message_is_what_the_user_said_not_what_the_runtime_put_in(newer: bool) -> None:
    inserted = {"type": "input_text", "text": "<environment_context>…</environment_context>"}
    spoken = {"type": "input_text", "text": "You are FORGE."}
    lines = [item("message", role="user", content=[inserted])]
    if newer:
        lines.append(item("message", role="user", content=[spoken]))
    else:
        lines.append(event("user_message", message="You are FORGE."))
    told = infos(parse(meta(), *lines))
    assert [info.persona for info in told] == [None, "FORGE."]
    assert (told[0].cwd, told[0].version) == ("/home/user/api", "0.150.0")


def test_a_rollout_is_known_by_its_name_whatever_it_says_first(tmp_path: Path) -> None:
    path = tmp_path / f"rollout-2026-11-23T00-52-07-{SESSION}.jsonl"
    lines = (meta(id="another"), tokens(5, 0, 5))
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines), encoding="utf-8")
    records, _ = read(path, "codex")
    assert {usage.session for usage in usages(records)} == {SESSION}
    assert session_of(f"{path.name}.zst") == SESSION


def test_rollouts_of_before_there_were_envelopes_tell_nothing() -> None:
    assert (
        parse({"id": "old", "timestamp": 1, "instructions": None}, {"type": "message", "role": "user"}) == []
    )


# Records of responses.


def record(id_: str, input_: int, cached: int, output: int, after: int = 0) -> dict[str, Any]:
    used = {"input_tokens": input_, "cached_input_tokens": cached, "output_tokens": output}
    return line("token_usage_record", {"response_id": id_, "usage": used}, after)


def test_a_response_counts_once_that_a_record_and_the_sum_have() -> None:
    records = parse(
        meta(),
        context(),
        record("resp_1", 1_000, 600, 50, after=1),
        tokens(1_000, 600, 50, after=2),
        tokens(1_000, 600, 50, after=3),
        # The sum follows after the tools, and the next record may come before it.
        record("resp_2", 1_500, 1_000, 40, after=4),
        record("resp_3", 700, 700, 7, after=5),
        tokens(2_500, 1_600, 90, after=6),
        tokens(3_200, 2_300, 97, after=7),
    )
    assert [usage.key for usage in usages(records)] == ["codex:resp_1", "codex:resp_2", "codex:resp_3"]
    assert total(records)[:3] == (3, 900, 97)


def test_what_stands_in_a_record_or_in_the_sum_alone_counts_too() -> None:
    compaction = record("resp_2", 9_000, 0, 900, after=3)
    aborted = tokens(1_400, 600, 80, after=2)
    lines = (record("resp_1", 1_000, 600, 50, after=1), tokens(1_000, 600, 50, after=1), aborted, compaction)
    assert total(parse(meta(), context(), *lines))[:3] == (3, 400 + 400 + 9_000, 50 + 30 + 900)


def test_figures_without_a_sum_count_once_each() -> None:
    def last(input_: int, output: int, after: int) -> dict[str, Any]:
        info = {
            "last_token_usage": {"input_tokens": input_, "cached_input_tokens": 100, "output_tokens": output}
        }
        return line("event_msg", {"type": "token_count", "info": info}, after)

    records = parse(meta(), context(), last(1_000, 200, 1), last(1_000, 200, 2), last(2_000, 100, 3))
    assert total(records)[:4] == (2, 2_800, 300, 200)


def test_a_history_is_a_copy_where_the_other_sessions_introduction_precedes_it() -> None:
    other = meta(id="another")
    history = (context(turn_id=None), tokens(3_000, 1_600, 300, after=400))
    own = (line("turn_context", {"model": "gpt-5.2"}, 60_000), tokens(3_500, 1_700, 350, after=69_000))
    assert total(parse(meta(), other, *history, *own))[:4] == (1, 400, 50, 100)


def test_a_thread_without_a_copied_history_counts_from_its_first_turn() -> None:
    spawned = meta(source={"subagent": {"thread_spawn": {"parent_thread_id": "p", "depth": 1}}})
    records = parse(
        spawned, context(turn_id=None), tokens(500, 0, 50, after=8_000), tokens(1_100, 400, 120, after=9_000)
    )
    assert total(records)[:4] == (2, 700, 120, 400)


@pytest.mark.parametrize("tier", ["priority", "flex", None])
def test_the_tier_of_service_changes_the_price(tier: str | None) -> None:
    (usage,) = usages(parse(meta(), context(service_tier=tier), tokens(1_000, 0, 50, after=1)))
    assert usage.price_factor == {"priority": 2.0, "flex": 0.5, None: 1.0}[tier]


@pytest.mark.parametrize(
    ("limits", "subscription"),
    [
        (None, False),
        ({"primary": None, "plan_type": None}, False),
        ({"primary": {"used_percent": 3.0}}, True),
        ({"primary": None, "plan_type": "plus"}, True),
    ],
)
def test_use_is_a_subscriptions_where_there_are_its_limits(limits: Any, subscription: bool) -> None:
    counted = tokens(1_000, 0, 50, after=1)
    counted["payload"]["rate_limits"] = limits
    (usage,) = usages(parse(meta(), context(), counted))
    assert usage.subscription is subscription


def test_a_turn_that_failed_is_an_error_with_its_reason() -> None:
    failed = event(
        "task_complete", error={"message": "High demand", "codex_error_info": "internal_server_error"}
    )
    records = parse(meta(), event("task_started", turn_id=SESSION), failed)
    assert [(turn.status, turn.detail) for turn in statuses_of(records)] == [
        ("busy", None),
        ("error", "High demand"),
    ]


def test_a_rollout_in_an_agents_folder_is_that_agents() -> None:
    parser = CodexParser(Memory(session=SESSION), "main")
    (info,) = infos(parser.parse(json.dumps(meta())))
    assert info.agent == "main"


def statuses_of(records: list[Record]) -> list[Turn]:
    return [one for one in records if isinstance(one, Turn)]
