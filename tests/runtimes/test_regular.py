"""Files of runtimes are opened only where they are files, and read only as far as the limit."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from missioncontrol.fleet.changed_transcripts import ChangedTranscripts
from missioncontrol.runtimes.base import Transcript
from missioncontrol.runtimes.files.database import Database
from missioncontrol.runtimes.files.regular import open_regular, read_whole
from missioncontrol.runtimes.records import UnreadableError


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("fifo", "it is no regular file"),
        ("folder", "it is no regular file"),
        ("link", "it is a symbolic link"),
        ("loop", "it is a symbolic link"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, reason: str) -> None:
    path = tmp_path / "a"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "b").write_bytes(b"x")
            path.symlink_to(tmp_path / "b")
        case "loop":
            path.symlink_to(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(UnreadableError, match=reason):
        open_regular(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_read_whole_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * (3 << 20))
    assert read_whole(path, 3 << 20) == b"x" * (3 << 20)
    with pytest.raises(UnreadableError, match="larger than 2 MiB"):
        read_whole(path, 2 << 20)


def test_a_missing_file_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "a", 100)


def test_a_database_without_a_column_has_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4);")
    database = Database(path)
    with database.reading():
        assert database.has("t", "a", "b")
        assert not database.has("t", "a", "c")
        assert not database.has("u")
        assert database.rows(database.select("t", "a c", "ORDER BY a")) == [(1, None), (3, None)]
    database.close()


def test_a_text_that_is_not_utf_8_does_not_take_its_row_along(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (CAST(x'61ff62' AS TEXT));")
    database = Database(path)
    with database.reading():
        assert database.rows("SELECT a FROM t") == [("a�b",)]
    database.close()


@pytest.mark.parametrize("damage", ["none", "cut", "folder", "link"])
def test_what_is_no_database_is_unreadable_and_can_be_read_once_it_is_one(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "a.sqlite"
    match damage:
        case "none":
            path.write_bytes(b"this is no database at all, however long it may be")
        case "cut":
            with closing(sqlite3.connect(path)) as writer:
                writer.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(100000));")
            os.truncate(path, 5_000)
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "b").write_bytes(b"")
            path.symlink_to(tmp_path / "b")
    database = Database(path)
    with pytest.raises(UnreadableError), database.reading():
        database.rows("SELECT a FROM t")
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    with database.reading():
        assert database.rows("SELECT a FROM t") == [(1,)]
    database.close()


@pytest.mark.anyio
async def test_a_transcript_is_taken_once_however_often_it_was_written_to() -> None:
    written = ChangedTranscripts()
    one, other = (Transcript(Path(name), "claude") for name in ("/a.jsonl", "/b.jsonl"))
    written.put([one, other])
    written.put([one])
    assert await written.take(5.0) == [one, other]
    assert await written.take(0.0) == []
    written.forget(other)
    written.put_again()
    assert await written.take(5.0) == [one]
