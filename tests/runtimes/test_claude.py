"""What Claude Code's transcripts tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from missioncontrol.runtimes.claude.transcript import ClaudeParser, Memory
from missioncontrol.runtimes.records import Record, Turn
from tests.runtimes.reading import calls, infos, read, statuses, total, usages

USED = {"input_tokens": 3, "cache_creation_input_tokens": 500, "cache_read_input_tokens": 9_000}


def line(type_: str, message: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "uuid": "u",
        "sessionId": "s",
        "timestamp": "2026-11-23T00:52:07.141Z",
        "cwd": "/home/user/website",
        "version": "2.1.240",
        "isSidechain": False,
        **({"message": message} if message is not None else {}),
        **fields,
    }


def part(
    *content: dict[str, Any], output: int = 8, id_: str = "msg_1", stop: str | None = None, **usage: Any
) -> dict[str, Any]:
    """Write one line of a response."""
    used = {**USED, "output_tokens": output, **usage}
    message = {"id": id_, "role": "assistant", "model": "claude-sonnet-4-5", "content": list(content)}
    return line("assistant", {**message, "stop_reason": stop, "usage": used})


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool(name: str, id_: str = "toolu_1", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def result(id_: str = "toolu_1") -> dict[str, Any]:
    content = [{"type": "tool_result", "tool_use_id": id_, "content": "ok"}]
    return line("user", {"role": "user", "content": content}, toolUseResult={"stdout": "ok"})


def said(words: str, **fields: Any) -> dict[str, Any]:
    return line("user", {"role": "user", "content": words}, **fields)


def parse(*lines: dict[str, Any], memory: Memory | None = None) -> list[Record]:
    parser = ClaudeParser(memory or Memory(session="s"))
    return [record for entry in lines for record in parser.parse(json.dumps(entry))]


def test_a_response_over_several_lines_counts_once_with_its_highest_output() -> None:
    records = parse(part(text("Let me see."), output=1), part(tool("Bash"), output=90), part(output=90))
    assert [usage.output for usage in usages(records)] == [1, 90]
    assert total(records)[:4] == (1, 3, 90, 9_000)


def test_a_response_that_another_comes_between_is_still_the_same() -> None:
    records = parse(part(output=5), part(output=7, id_="msg_2"), part(output=5), part(output=9))
    assert total(records)[:3] == (2, 6, 16)


def test_a_session_that_repeats_the_lines_of_another_counts_nothing_twice() -> None:
    first = parse(part(), memory=Memory(session="one"))
    second = parse(part(), memory=Memory(session="two"))
    assert total([*first, *second]).calls == 1


def test_what_is_cached_for_an_hour_is_told_next_to_the_sum() -> None:
    split = {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300}
    (usage,) = usages(parse(part(cache_creation=split)))
    assert (usage.cache_write, usage.cache_write_1h) == (500, 300)


def test_input_is_what_was_neither_read_from_the_cache_nor_written_into_it() -> None:
    (usage,) = usages(parse(part()))
    assert (usage.input, usage.cache_read, usage.cache_write, usage.cost) == (3, 9_000, 500, None)


def test_an_answer_that_no_model_gave_costs_nothing() -> None:
    nobody = {"id": "x", "role": "assistant", "model": "<synthetic>", "content": [text("Please log in.")]}
    records = parse(line("assistant", {**nobody, "usage": {"input_tokens": 0, "output_tokens": 0}}))
    assert usages(records) == []


def test_a_refused_request_is_an_error_with_its_reason() -> None:
    nobody = {"id": "x", "role": "assistant", "model": "<synthetic>", "content": [text("API Error: 529")]}
    records = parse(part(), line("assistant", nobody, isApiErrorMessage=True))
    assert [usage.failed for usage in usages(records)] == [None, "error"]
    assert records[-1] == Turn("s", 1_795_395_127_141, "error", "API Error: 529", in_order=True)
    assert usages(records)[-1].model == "claude-sonnet-4-5"


def test_a_turn_is_busy_until_the_model_stops_by_itself() -> None:
    records = parse(
        said("Go."), part(tool("Bash"), stop="tool_use"), result(), part(text("Done."), stop="end_turn")
    )
    assert statuses(records) == ["busy", "busy", "busy", "idle"]


def test_a_turn_whose_last_line_gives_no_reason_ends_with_its_duration() -> None:
    records = parse(said("Go."), part(text("Done.")), line("system", subtype="turn_duration", durationMs=5))
    assert statuses(records) == ["busy", "busy", "idle"]


def test_a_tool_that_asks_the_user_waits_for_its_own_result() -> None:
    asks, reads = tool("AskUserQuestion", "toolu_a"), tool("Read", "toolu_b", file_path="/w/a.py")
    records = parse(part(asks, reads, stop="tool_use"), result("toolu_b"), result("toolu_a"))
    assert statuses(records) == ["waiting", "waiting", "busy"]
    assert [call.path for call in calls(records)] == [None, "/w/a.py"]


def test_a_call_that_is_repeated_while_its_response_grows_is_one_call() -> None:
    records = parse(part(tool("Bash", command="ls")), part(tool("Bash", command="ls"), output=20))
    assert [call.summary for call in calls(records)] == ["ls"]


def test_an_interrupted_turn_is_idle() -> None:
    records = parse(said("Go."), said("[Request interrupted by user]"))
    assert statuses(records) == ["busy", "idle"]


def test_the_users_own_commands_start_no_turn() -> None:
    records = parse(said("<command-name>/clear</command-name>"), said("Caveat", isMeta=True))
    assert statuses(records) == []


def test_a_session_tells_its_folder_its_first_message_and_its_title() -> None:
    named = {"type": "ai-title", "aiTitle": "A better landing page", "sessionId": "s"}
    first, second, third = infos(parse(said("You are FORGE. Build it."), named, named))
    assert (first.cwd, first.version, first.persona) == ("/home/user/website", "2.1.240", None)
    assert (second.persona, second.first_user_message) == ("FORGE. Build it.", "You are FORGE. Build it.")
    assert third.title == "A better landing page"


def test_a_sub_agent_has_its_own_session_and_names_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "agent-a1b2.jsonl"
    path.write_text(json.dumps({**part(stop="end_turn"), "isSidechain": True}) + "\n", encoding="utf-8")
    records, _ = read(path, "claude", parent="s")
    assert {info.parent for info in infos(records)} == {"s"}
    assert {usage.session for usage in usages(records)} == {"agent-a1b2"}
    assert statuses(records) == ["idle"]


def test_a_sub_agent_in_an_older_layout_names_its_parent_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "agent-a1b2.jsonl"
    path.write_text(json.dumps({**part(), "isSidechain": True}) + "\n", encoding="utf-8")
    records, _ = read(path, "claude")
    assert {info.parent for info in infos(records)} == {"s"}


def test_a_sub_agent_within_its_parents_transcript_does_not_end_the_parents_turn() -> None:
    records = parse(said("Go."), {**part(stop="end_turn"), "isSidechain": True})
    assert statuses(records) == ["busy", "busy"]


def test_lines_of_other_kinds_tell_nothing() -> None:
    snapshot = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}
    progress = {"type": "progress", "data": {"message": part()["message"]}}
    assert parse(snapshot, progress, {"type": "summary", "summary": "x", "leafUuid": "l"}) == []
