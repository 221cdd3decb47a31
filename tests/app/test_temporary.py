"""Temporary files: unique to each write, and removed where a crash left them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from missioncontrol.fleet.tasks.queue_file import QueueFile, WholeText
from missioncontrol.temporary import ABANDONED_SECONDS, open_temporary, remove_left_over, replace_file


def test_writers_of_one_file_never_disturb_each_other(tmp_path: Path) -> None:
    """The simulation and the server both write the queue; each write is whole, and none fails over another."""
    queue = tmp_path / "mission-control" / "TASK_QUEUE.json"
    contents = [bytes([65 + number]) * 40_000 for number in range(4)]

    def write(number: int) -> None:
        file = QueueFile(tmp_path)
        for _ in range(60):
            if number % 2:
                replace_file(queue, contents[number])
            else:
                before = WholeText(queue.read_bytes()) if queue.exists() else None
                file.put(WholeText(contents[number]), before)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert queue.read_bytes() in contents
    assert [path.name for path in queue.parent.iterdir()] == [queue.name]


def test_a_write_that_fails_leaves_nothing_and_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_long_name_still_gets_a_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    replace_file(path, b"1")
    assert path.read_bytes() == b"1"


def test_the_file_of_a_process_that_has_our_id_in_another_life_is_removed_and_a_running_write_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    descriptor, fresh = open_temporary(path)
    os.close(descriptor)
    _, old = open_temporary(path)
    os.utime(old, (1_000_000_000, 1_000_000_000))
    assert remove_left_over(path) == 1
    assert fresh.exists()
    assert not old.exists()


def test_the_file_of_a_running_process_is_kept_until_it_must_be_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "file"
    others = tmp_path / f".file.{os.getppid()}-0123456789ab.tmp"
    others.touch()
    now = others.stat().st_mtime
    os.utime(others, (now - ABANDONED_SECONDS / 2, now - ABANDONED_SECONDS / 2))
    assert remove_left_over(path) == 0
    os.utime(others, (now - ABANDONED_SECONDS - 5, now - ABANDONED_SECONDS - 5))
    assert remove_left_over(path) == 1
