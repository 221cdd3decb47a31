"""What OpenClaw's transcripts tell, held against what the model really handed out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.runtimes.openclaw.places import find_openclaw
from missioncontrol.runtimes.openclaw.transcript import Memory, OpenClawParser
from missioncontrol.runtimes.records import Record, Turn
from tests.runtimes.installs import answer, asked, install
from tests.runtimes.reading import (
    Total,
    calls,
    infos,
    read,
    read_all,
    statuses,
    total,
    usages,
)

TOTALS = [
    ("2026.7.35-jsonl", "forge", Total(2, 16_489, 36, 16_488, 0.054953)),
    ("2026.7.35-jsonl", "main", Total(2, 16_350, 27, 16_349, 0.054360)),
    ("2026.7.35-jsonl", "scout", Total(6, 51_079, 116, 51_075, 0.170299)),
    ("2026.9.6-sqlite", "forge", Total(3, 22_418, 71, 22_417, 0.075044)),
    ("2026.9.6-sqlite", "main", Total(4, 15_173, 41, 15_172, 0.050686)),
    ("2026.9.6-sqlite", "scout", Total(4, 28_039, 72, 28_037, 0.093608)),
    ("2026.9.6-sqlite-crashed", "forge", Total(3, 22_399, 50, 22_398, 0.074666)),
    ("2026.9.6-sqlite-crashed", "main", Total(1, 7_574, 14, 7_573, 0.025204)),
]


@pytest.mark.parametrize(("sample", "agent", "expected"), TOTALS)
def test_the_totals_are_those_that_the_model_handed_out(
    tmp_path: Path, sample: str, agent: str, expected: Total
) -> None:
    place = find_openclaw(str(install(tmp_path, sample)), tmp_path)
    assert place is not None
    told = total(read_all(place, agent))
    assert told[:4] == expected[:4]
    assert told.cost == pytest.approx(expected.cost, abs=1e-6)


def test_what_was_put_away_counts_next_to_what_the_database_still_has(tmp_path: Path) -> None:
    state = install(tmp_path, "2026.9.6-sqlite-crashed")
    place = find_openclaw(str(state), tmp_path)
    assert place is not None
    archived = total(read(next(state.glob("agents/scout/sessions/*.zst")))[0])
    assert archived[:4] == (1, 7_256, 14, 7_255)
    told = total(read_all(place, "scout"))
    assert told[:4] == (7 + 1, 48_582 + 7_256, 103 + 14, 48_580 + 7_255)
    assert told.cost - archived.cost == pytest.approx(0.161865, abs=1e-6)


def parse(*entries: dict[str, Any], agent: str | None = "scout") -> list[Record]:
    parser = OpenClawParser(agent, Memory(session="s"))
    return [record for entry in entries for record in parser.parse(json.dumps(entry))]


def test_a_session_tells_who_it_is_and_then_what_it_was_asked_first() -> None:
    header = {"type": "session", "version": 3, "id": "abc", "timestamp": "2026-11-23T00:52:07Z", "cwd": "/w"}
    first, second = infos(
        parse(header, asked(1, "You are SCOUT, who looks around."), asked(2, "You are LATE."))
    )
    assert (first.session, first.agent, first.cwd, first.version) == ("abc", "scout", "/w", "3")
    assert second.first_user_message == "You are SCOUT, who looks around."
    assert second.persona == "SCOUT, who looks around."


def test_a_turn_is_busy_from_its_question_to_its_answer() -> None:
    wrote = [{"type": "toolCall", "id": "c1", "name": "write", "arguments": {"path": "a.md", "content": "x"}}]
    result = {"type": "message", "id": "r", "message": {"role": "toolResult", "toolCallId": "c1"}}
    records = parse(asked(1, "Go."), answer(2, content=wrote, stopReason="toolUse"), result, answer(3))
    assert statuses(records) == ["busy", "busy", "busy", "idle"]
    (call,) = calls(records)
    assert (call.name, call.summary, call.path, call.call_id) == ("write", "a.md", "a.md", "c1")


def test_a_failed_turn_says_why_and_an_aborted_one_is_only_idle() -> None:
    nothing = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    failed = answer(1, stopReason="error", errorMessage="500 it was asked to fail", usage=nothing)
    injected = {"provider": "openclaw", "model": "gateway-injected", "usage": nothing}
    aborted = answer(2, **injected, openclawAbort={"aborted": True})
    records = parse(failed, aborted)
    assert [usage.failed for usage in usages(records)] == ["error", "aborted"]
    assert [usage.model for usage in usages(records)] == ["fake-1", "fake-1"]
    assert [record for record in records if isinstance(record, Turn)] == [
        Turn("s", 1_795_395_000_001, "error", "500 it was asked to fail", in_order=True),
        Turn("s", 1_795_395_000_002, "idle", "aborted", in_order=True),
    ]


def test_what_the_gateway_itself_puts_in_is_no_call_of_a_model() -> None:
    nothing = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    assert parse(answer(1, provider="openclaw", model="delivery-mirror", usage=nothing)) == []


def test_a_copy_of_an_entry_in_another_session_has_the_same_key() -> None:
    original = OpenClawParser("main", Memory(session="one")).parse(json.dumps(answer(1)))
    copy = OpenClawParser("main", Memory(session="two")).parse(json.dumps(answer(1)))
    assert usages(original)[0].key == usages(copy)[0].key
    assert total([*original, *copy]).calls == 1


def test_two_answers_with_the_same_response_id_are_two() -> None:
    records = parse(answer(1, responseId="chatcmpl-2"), answer(2, responseId="chatcmpl-2"))
    assert total(records).calls == 2


def test_a_missing_cost_is_not_known_and_one_of_zero_is() -> None:
    records = parse(answer(1, usage={"input": 5}), answer(2, usage={"input": 5, "cost": {"total": 0}}))
    assert [usage.cost for usage in usages(records)] == [None, 0.0]


def test_summaries_and_tools_that_asked_a_model_count_too() -> None:
    used = {"input": 10, "output": 2, "cost": {"total": 0.25}}
    summary = {"type": "compaction", "id": "k", "timestamp": 1_795_395_000_009, "usage": used}
    result = {"type": "message", "id": "t", "message": {"role": "toolResult", "usage": used}}
    records = parse(answer(1), summary, result)
    assert total(records) == Total(3, 120, 11, 0, 1.0)
    assert {usage.model for usage in usages(records)} == {"fake-1"}


def test_an_entry_of_a_kind_that_nobody_knows_tells_nothing() -> None:
    assert parse({"type": "sparkle", "id": "x"}, {"type": "message", "message": "odd"}, {"type": 7}) == []


def test_half_a_character_in_a_text_does_not_take_the_figures_along() -> None:
    line = json.dumps(answer(1)).replace("Done.", "Done \\ud83d").encode()
    assert total(OpenClawParser("scout", Memory(session="s")).parse(line)).input == 100


def test_bytes_that_are_not_utf_8_do_not_take_the_figures_along() -> None:
    line = json.dumps(answer(1)).encode().replace(b"fake-1", b"fake-\xff")
    (usage,) = usages(OpenClawParser("scout", Memory(session="s")).parse(line))
    assert (usage.model, usage.input) == ("fake-\N{REPLACEMENT CHARACTER}", 100)


@pytest.mark.parametrize(
    ("provider", "voice", "subscription"),
    [
        ("anthropic", "transcript", False),
        ("openai-codex", "transcript", True),
        # The program's own transcript has the same use.
        ("claude-cli", "logs", False),
        ("codex-cli", "logs", False),
    ],
)
def test_a_provider_may_be_a_subscription_or_another_program_on_the_machine(
    provider: str, voice: str, subscription: bool
) -> None:
    (usage,) = usages(parse(answer(1, provider=provider)))
    assert (usage.voice, usage.subscription) == (voice, subscription)
