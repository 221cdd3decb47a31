"""Whether a file may have been written since it was seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from missioncontrol.fleet.tasks.ids import Ids
from missioncontrol.fleet.tasks.queue_file import QueueFile
from missioncontrol.fleet.tasks.scan import JSON_FILE, Known, Outside, Scanner
from missioncontrol.watch.tree import Signature, sign

SECOND = 1_000_000_000
TIME = 1_795_000_000 * SECOND + 123_456_789


def signature(path: Path, time: int) -> Signature:
    os.utime(path, ns=(time, time))
    return sign(path.lstat())


@pytest.mark.parametrize(
    ("time", "seen_after", "exact", "may_differ"),
    [
        (TIME, 0.005, False, True),
        (TIME, -0.005, False, True),
        (TIME, 0.005, True, False),
        (TIME, 0.05, False, False),
        (TIME // SECOND * SECOND, 0.05, False, True),
        (TIME // SECOND * SECOND, 2.9, False, True),
        (TIME // SECOND * SECOND, 3.1, False, False),
        (TIME, -1_000_000, False, False),
    ],
)
def test_a_file_that_looks_the_same_may_differ_if_it_was_seen_soon_after_its_time(
    tmp_path: Path, time: int, seen_after: float, exact: bool, may_differ: bool
) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    seen = Outside({JSON_FILE: signature(path, time)}, time + round(seen_after * SECOND), exact)
    assert seen.may_differ(seen) is may_differ
    assert seen.may_differ(Outside({JSON_FILE: None}, seen.at_ns))
    path.write_text("xy")
    assert seen.may_differ(Outside({JSON_FILE: signature(path, time)}, seen.at_ns))


def test_a_file_that_is_missing_or_cannot_be_seen_does_not_differ_from_itself() -> None:
    for signatures in ({JSON_FILE: None}, {}):
        assert not Outside(signatures, TIME).may_differ(Outside(signatures, TIME + 1))


def test_a_scan_keeps_ids_above_those_of_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / JSON_FILE).parent.mkdir()
    (tmp_path / JSON_FILE).write_text('{"tasks": [{"id": "TASK-0041"')
    ids = Ids(())
    scanner = Scanner(tmp_path, QueueFile(tmp_path), ids)
    assert scanner.may_differ(None)
    scan = scanner.scan(Known(JSON_FILE, None, b"", has_been_json=True, is_new=False))
    assert scan.seen.wrong
    assert (scan.late, scan.is_late) == (None, False)
    assert ids.new() == "TASK-0042"
