"""Transcripts are read on, whatever happens to their files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from missioncontrol.runtimes.files import jsonl
from missioncontrol.runtimes.files.jsonl import Position
from missioncontrol.runtimes.records import Record, UnreadableError
from tests.runtimes import test_claude as claude
from tests.runtimes import test_codex as codex
from tests.runtimes.installs import SAMPLES, answer, asked
from tests.runtimes.reading import read, reader_of, total, usages

HEADER = {"type": "session", "version": 3, "id": "s", "timestamp": "2026-11-23T00:52:07Z", "cwd": "/w"}


def text(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in entries)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "s.jsonl"
    file.write_bytes(text(HEADER, asked(1, "Go."), answer(2)))
    return file


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_only_what_is_new_is_read(path: Path) -> None:
    _, position = read(path)
    append(path, text(answer(3)))
    records, position = read(path, position=position)
    assert [usage.key.split(":")[1] for usage in usages(records)] == ["entry-3"]
    assert read(path, position=position)[0] == []


def test_half_a_line_is_left_for_the_next_time(path: Path) -> None:
    half, rest = text(answer(3))[:50], text(answer(3))[50:]
    append(path, half)
    records, position = read(path)
    assert total(records).calls == 1
    append(path, rest)
    records, position = read(path, position=position)
    assert (total(records).calls, position.broken) == (1, 0)


def test_a_truncated_file_is_read_from_its_start(path: Path) -> None:
    _, position = read(path)
    path.write_bytes(text(HEADER, answer(9)))
    records, position = read(path, position=position)
    assert [usage.key.split(":")[1] for usage in usages(records)] == ["entry-9"]


def test_a_file_that_was_rewritten_to_the_same_length_is_read_from_its_start(path: Path) -> None:
    before, position = read(path)
    path.write_bytes(path.read_bytes().replace(b"entry-2", b"entry-8"))
    after, _ = read(path, position=position)
    assert total([*before, *after]).calls == 2


def test_a_rewritten_file_that_has_kept_its_responses_counts_none_twice(path: Path) -> None:
    before, position = read(path)
    path.write_bytes(text({**HEADER, "cwd": "/elsewhere"}, asked(1, "Go."), answer(2), answer(3)))
    after, _ = read(path, position=position)
    assert total([*before, *after]).calls == 2


@pytest.mark.parametrize("suffix", ["reset", "deleted"])
def test_a_renamed_file_goes_on_where_it_was(path: Path, suffix: str) -> None:
    _, position = read(path)
    append(path, text(answer(3)))
    moved = path.rename(path.with_name(f"{path.name}.{suffix}.2026-11-23T00-53-00.554Z"))
    records, after = read(moved, position=position)
    assert total(records).calls == 1
    assert after.inode == position.inode
    assert {usage.session for usage in usages(records)} == {"s"}


def test_a_file_that_was_replaced_by_one_with_the_same_lines_goes_on_too(path: Path) -> None:
    _, position = read(path)
    beside = path.with_name("tmp")
    beside.write_bytes(path.read_bytes() + text(answer(3)))
    beside.rename(path)
    records, after = read(path, position=position)
    assert total(records).calls == 1
    assert after.inode != position.inode


@pytest.mark.parametrize(
    "broken",
    [
        b"{not json}\n",
        b'{"type": "mess\n',
        b"\0\0\0\0\0\0\n",
        b"\xff\xfe\xfa\n",
        b"plain words\n",
        b'{"a":' * 5_000 + b"\n",
    ],
)
def test_a_broken_line_is_skipped_and_counted(path: Path, broken: bytes) -> None:
    append(path, broken + text(answer(3)))
    records, position = read(path)
    assert (total(records).calls, position.broken) == (2, 1)


def test_nul_bytes_before_a_line_do_not_take_it_along(path: Path) -> None:
    append(path, b"\0" * 600 + text(answer(3)))
    records, position = read(path)
    assert (total(records).calls, position.broken) == (2, 0)


def test_blank_lines_and_other_line_ends_are_no_broken_lines(path: Path) -> None:
    append(path, b"\n  \n\r\n" + text(answer(3)).replace(b"\n", b"\r\n"))
    records, position = read(path)
    assert (total(records).calls, position.broken) == (2, 0)


@pytest.mark.parametrize("content", [b"", b"\n", b"{"])
def test_a_file_without_a_line_tells_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.jsonl"
    file.write_bytes(content)
    records, position = read(file)
    assert (records, position.broken) == ([], 0)


@pytest.mark.parametrize("seen_whole", [True, False])
def test_a_line_that_is_too_long_is_skipped_and_counted_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, seen_whole: bool
) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE", 2_000)
    monkeypatch.setattr(jsonl, "_BLOCK", 700)
    long = json.dumps(answer(3, content="x" * 9_000)).encode()
    append(path, long if seen_whole else long[:6_000])
    records, position = read(path)
    append(path, (b"" if seen_whole else long[6_000:]) + b"\n" + text(answer(4)))
    more, position = read(path, position=position)
    assert total([*records, *more]).calls == 2
    assert (position.broken, position.offset) == (1, path.stat().st_size)


def test_a_long_line_is_read_whole_however_little_is_asked_for(path: Path) -> None:
    append(path, text(answer(3, content=[{"type": "text", "text": "x" * 3_000_000}])))
    records, _ = reader_of(path).read(Position(), limit_bytes=10)
    more, position = read(path, position=_)
    assert total([*records, *more]).calls == 2
    assert position.offset == path.stat().st_size


def test_no_more_is_read_at_a_time_than_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK", 512)
    append(path, text(*(answer(number) for number in range(3, 60))))
    reader, position, told = reader_of(path), Position(), list[Record]()
    readings = 0
    while position.offset < path.stat().st_size:
        before = position.offset
        records, position = reader.read(position, limit_bytes=1_000)
        assert position.offset - before < 2_048
        told += records
        readings += 1
    assert readings > 5
    assert total(told).calls == 58


def test_what_is_no_regular_file_is_not_read(tmp_path: Path, path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(path)
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name, reason in (
        ("link", "symbolic link"),
        ("folder", "no regular file"),
        ("pipe", "no regular file"),
    ):
        with pytest.raises(UnreadableError, match=reason):
            read(tmp_path / f"{name}.jsonl")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone.jsonl")


def test_the_position_that_was_given_stays_as_it_was(path: Path) -> None:
    given = Position()
    read(path, position=given)
    assert given == Position()


def test_a_position_is_small_json_that_means_the_same(path: Path) -> None:
    calls = [claude.tool("AskUserQuestion", f"toolu_01{number:022}") for number in range(20)]
    responses = [claude.part(id_=f"msg_01{number:022}", output=number) for number in range(20)]
    path.write_bytes(text(claude.said("You are FORGE." * 99), *responses, claude.part(*calls)))
    _, position = read(path, "claude")
    kept = msgspec.json.encode(position)
    assert len(kept) < 1024
    assert msgspec.json.decode(kept, type=Position) == position


def archive(path: Path, data: bytes) -> Path:
    path.write_bytes(zstd.compress(data))
    return path


def test_an_archive_is_read_whole_and_once(tmp_path: Path) -> None:
    name = "s.jsonl.deleted.2026-11-23T00-53-00.554Z.7a2c.zst"
    file = archive(tmp_path / name, text(answer(1), answer(2))[:-1])
    records, position = read(file)
    assert total(records).calls == 2
    assert {usage.session for usage in usages(records)} == {"s"}
    assert read(file, position=position)[0] == []
    assert len(msgspec.json.encode(position)) < 200


def test_an_archive_that_ends_too_early_tells_what_it_has(tmp_path: Path) -> None:
    whole = text(*(answer(number, content=os.urandom(2_000).hex()) for number in range(200)))
    file = archive(tmp_path / "s.jsonl.zst", whole)
    complete = file.read_bytes()
    file.write_bytes(complete[: len(complete) // 2])
    records, position = read(file)
    assert 0 < total(records).calls < 200
    assert position.broken > 0
    file.write_bytes(complete)
    more, position = read(file, position=position)
    assert total([*records, *more]).calls == 200


def test_an_archive_that_unpacks_to_too_much_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.runtimes.files.archive.MAX_ARCHIVE", 3_000_000)
    file = archive(tmp_path / "s.jsonl.zst", text(answer(1)) + b" " * 9_000_000 + text(answer(2)))
    records, position = read(file)
    assert (total(records).calls, position.broken) == (1, 1)


def test_what_is_no_archive_is_broken_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl.zst"
    file.write_bytes(text(answer(1)))
    records, position = read(file)
    assert (records, position.broken) == ([], 1)


CONTENTS: dict[str, bytes] = {
    "openclaw": b"".join(
        file.read_bytes()
        for file in sorted((SAMPLES / "2026.7.35-jsonl/agents/scout/sessions").glob("*.jsonl*"))
    ),
    "claude": text(
        claude.said("You are FORGE."),
        claude.part(claude.text("…"), output=1),
        claude.part(claude.tool("AskUserQuestion")),
        claude.part(id_="msg_2"),
        {"type": "custom-title", "customTitle": "A page"},
        claude.result(),
        claude.part(output=90, stop="end_turn"),
        claude.said("[Request interrupted by user]"),
    ),
    "codex": text(
        codex.meta(forked_from_id="p"),
        codex.tokens(900, 0, 9),
        codex.event("task_started", turn_id=codex.id_at(codex.BEGAN + 1)),
        codex.context(),
        codex.event("user_message", message="You are FORGE."),
        codex.item("function_call", name="request_user_input", call_id="c", arguments="{}"),
        codex.tokens(1_000, 600, 50, after=5),
        codex.item("function_call_output", call_id="c"),
        codex.tokens(1_500, 900, 60, after=9),
        codex.event("task_complete"),
    ),
}
BROKEN = b'{"broken\n\0\0\n{"type":"message","id":"\xff"}\n\n'


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(CONTENTS)),
    cuts=st.lists(st.integers(0, 20_000), max_size=8),
    limit=st.integers(1, 5_000),
)
def test_any_split_into_readings_tells_the_same_as_one(kind: str, cuts: list[int], limit: int) -> None:
    data = CONTENTS[kind] + BROKEN + CONTENTS[kind][:400]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{codex.SESSION}.jsonl"
        path.write_bytes(data)
        expected, end = read(path, kind)
        path.write_bytes(b"")
        reader, position, told = reader_of(path, kind), Position(), list[Record]()
        for cut in [*sorted(cuts), len(data)]:
            path.write_bytes(data[:cut])
            while True:
                records, after = reader.read(position, limit)
                told += records
                moved, position = after.offset != position.offset, kept(after)
                if not moved:
                    break
    assert told == expected
    assert (position.offset, position.broken, position.memory) == (end.offset, end.broken, end.memory)


def kept(position: Position) -> Position:
    """Return the position as it is after a restart."""
    return msgspec.json.decode(msgspec.json.encode(position), type=Position)
