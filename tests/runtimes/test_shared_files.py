"""Two readers of one database in one process, next to a writer in another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from missioncontrol.runtimes.files.database import Database
from missioncontrol.runtimes.files.shared_files import SharedFiles

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE IF NOT EXISTS numbers (number)")
connection.commit()
for line in sys.stdin:
    connection.execute(line)
    connection.commit()
    print("done", flush=True)
connection.close()
"""


class Writer:
    """Another process that has the database open: a connection of this one would share its locks with the readers."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.write(0)

    def write(self, number: int) -> None:
        self.execute(f"INSERT INTO numbers VALUES ({number})")

    def execute(self, statement: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{statement}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def read(database: Database) -> int:
    with database.reading():
        return int(database.rows("SELECT count(*) FROM numbers")[0][0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.sqlite"


def test_a_second_reader_takes_no_lock_from_the_first(path: Path) -> None:
    writer = Writer(path)
    first = Database(path)
    assert read(first) == 1
    for number in range(1, 6):
        second = Database(path)
        assert read(second) == number
        second.close()
        # A writer that takes itself for the last user removes the log, and what it writes next is in another one.
        writer.close()
        assert path.with_name("agent.sqlite-wal").exists()
        writer = Writer(path)
        assert read(first) == number + 1
    writer.close()
    first.close()


def test_a_log_that_was_replaced_is_read_all_the_same(path: Path) -> None:
    writer = Writer(path)
    first = Database(path)
    assert read(first) == 1
    # As a program does that knows nothing of the connection: every lock of this process is gone.
    os.close(os.open(path, os.O_RDONLY))
    for number in range(1, 4):
        writer.close()
        assert not path.with_name("agent.sqlite-wal").exists()
        writer = Writer(path)
        assert read(first) == number + 1
        os.close(os.open(path, os.O_RDONLY))
    writer.close()
    first.close()


def test_a_table_that_is_made_later_is_found(path: Path) -> None:
    writer = Writer(path)
    reader = Database(path)
    with reader.reading():
        assert not reader.has("later")
    writer.execute("CREATE TABLE later (a)")
    with reader.reading():
        assert reader.has("later", "a")
    writer.execute("ALTER TABLE later ADD COLUMN b")
    with reader.reading():
        assert reader.has("later", "a", "b")
    writer.close()
    reader.close()


def test_a_file_has_one_descriptor_for_as_long_as_anybody_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    files = SharedFiles()
    joined = files.join(path)
    with files.open(path) as one, files.open(path) as other:
        assert one == other
        assert os.pread(one, 3, 0) == b"con"
    with files.open(path) as again:
        assert again == one
    files.leave(joined)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one)
    assert not files._entries
