"""Which lines of Claude Code's transcripts are one answer, and what else an answer has used."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.runtimes.claude.prices import WEB_SEARCH_DOLLARS, price_factor
from missioncontrol.runtimes.claude.transcript import Memory
from missioncontrol.runtimes.records import SessionInfo
from tests.runtimes.reading import total, usages
from tests.runtimes.test_claude import line, parse, part, result, said, text, tool


def answer(number: int, **fields: Any) -> dict[str, Any]:
    """Write a line of an answer of a gateway that gives each the same id."""
    output = fields.pop("output", 100)
    return {
        **part(text("ok"), id_="relay", output=output, **fields.pop("usage", {})),
        "uuid": f"a{number}",
        **fields,
    }


def test_answers_with_one_id_and_different_requests_are_several() -> None:
    records = parse(*(answer(number, requestId=f"req_{number}") for number in range(3)))
    assert total(records).calls == 3


def test_answers_with_one_id_and_no_request_are_several_where_a_person_has_written_in_between() -> None:
    lines = [
        entry for number in range(10) for entry in (said(f"q{number}"), answer(number, output=100 + number))
    ]
    assert total(parse(*lines))[:3] == (10, 30, 1_045)


def test_without_a_request_lines_are_one_answer_where_one_follows_the_other() -> None:
    records = parse(
        answer(1, parentUuid="u", output=5),
        answer(2, parentUuid="a1", output=9),
        {**result(), "uuid": "r1", "parentUuid": "a2"},
        answer(3, parentUuid="a2", output=20),
    )
    assert [usage.output for usage in usages(records)] == [5, 9, 20]
    assert total(records)[:3] == (1, 3, 20)


@pytest.mark.parametrize(
    "second",
    [
        # After the tool's result the model is asked again.
        {"parentUuid": "r1", "output": 30},
        # An answer's figures do not fall.
        {"parentUuid": "a1", "output": 4},
        {"parentUuid": "a1", "output": 30, "usage": {"input_tokens": 2}},
    ],
)
def test_without_a_request_another_answer_is_told_by_what_it_follows_and_by_its_figures(
    second: dict[str, Any],
) -> None:
    lines = (answer(1, parentUuid="u", output=5), {**result(), "uuid": "r1"}, answer(2, **second))
    assert total(parse(*lines)).calls == 2


def test_a_copy_of_an_answer_without_a_request_counts_once() -> None:
    lines = [said("go"), answer(1, output=5), answer(2, output=9)]
    records = [record for id_ in ("one", "two") for record in parse(*lines, memory=Memory(session=id_))]
    assert total(records)[:3] == (1, 3, 9)


def test_what_another_model_has_used_for_an_answer_counts_as_that_models() -> None:
    iterations = [
        {"type": "message", "input_tokens": 1, "output_tokens": 45},
        {
            "type": "advisor_message",
            "model": "claude-opus-4-7",
            "input_tokens": 160_000,
            "output_tokens": 8_000,
        },
        {"type": "compaction", "input_tokens": 700, "output_tokens": 70, "cache_read_input_tokens": 7},
    ]
    line_ = {**part(output=491, iterations=iterations), "requestId": "req_1"}
    records = parse(line_, line_)
    assert [(usage.model, usage.input, usage.output) for usage in usages(records)] == [
        ("claude-sonnet-4-5", 3, 491),
        ("claude-opus-4-7", 160_000, 8_000),
        ("claude-sonnet-4-5", 700, 70),
    ]


def test_a_search_of_the_web_costs_and_so_does_a_faster_mode() -> None:
    (usage,) = usages(
        parse(part(speed="fast", inference_geo="us", server_tool_use={"web_search_requests": 40}))
    )
    assert usage.extra == pytest.approx(40 * WEB_SEARCH_DOLLARS)
    # No fast mode of this model has a known price.
    assert usage.price_factor is None


@pytest.mark.parametrize(
    ("model", "speed", "region", "tier", "factor"),
    [
        ("claude-opus-4-6", None, None, None, 1.0),
        ("claude-opus-4-6", "standard", "not_available", "standard", 1.0),
        ("claude-opus-4-6-20260201", "fast", None, None, 6.0),
        ("us.anthropic.claude-opus-4-6-v1", "fast", "us", None, 6.6),
        ("claude-opus-4.8", "fast", None, None, 2.0),
        ("claude-opus-5-20260724", "fast", None, None, 2.0),
        ("claude-opus-5-5", "fast", None, None, None),
        ("claude-sonnet-4-6", "fast", None, None, None),
        ("fake-1", "fast", None, None, None),
        ("claude-sonnet-4-6", None, "us", "batch", 0.55),
    ],
)
def test_the_mode_the_region_and_the_tier_change_the_price(
    model: str, speed: str | None, region: str | None, tier: str | None, factor: float | None
) -> None:
    found = price_factor(model, speed, region, tier)
    assert found == (factor if factor is None else pytest.approx(factor))


def test_lines_that_a_fork_has_copied_count_as_the_session_s_that_they_come_from() -> None:
    origin = {"forkedFrom": {"sessionId": "original", "messageUuid": "u"}, "cwd": "/home/user/website"}
    records = parse(
        said("You are Scout, go.", **origin),
        {**part(tool("Bash"), output=300, id_="msg_1"), **origin},
        {**line("system", subtype="turn_duration"), "cwd": "/home/user/worktree"},
        {**part(output=7, id_="msg_2"), "cwd": "/home/user/worktree"},
        memory=Memory(session="fork"),
    )
    assert [(usage.session, usage.output) for usage in usages(records)] == [("original", 300), ("fork", 7)]
    infos = [(one.session, one.cwd, one.persona) for one in records if isinstance(one, SessionInfo)]
    assert infos == [
        ("fork", None, "Scout, go."),
        ("original", "/home/user/website", None),
        ("fork", "/home/user/worktree", None),
    ]
