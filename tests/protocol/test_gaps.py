"""Where a cursor is in the log, and what it misses."""

from __future__ import annotations

import pytest

from missioncontrol.events import Cursor
from missioncontrol.protocol.gaps import LogRange, locate
from missioncontrol.protocol.messages import Gap

LOG = LogRange("epoch", first=11, head=100)
EMPTY = LogRange("epoch", first=1, head=0)


@pytest.mark.parametrize(
    ("log", "cursor", "continues_after", "gap"),
    [
        (LOG, "epoch:100", 100, None),
        (LOG, "epoch:10", 10, None),
        (LOG, "epoch:9", 10, Gap(10, 10, "trimmed", "epoch:10")),
        (LOG, "epoch:0", 10, Gap(1, 10, "trimmed", "epoch:10")),
        (LOG, "epoch:101", 100, Gap(101, 101, "ahead", "epoch:100")),
        (LOG, "other:50", 100, Gap(51, 100, "epoch", "epoch:100")),
        (LOG, "other:500", 100, Gap(501, 501, "epoch", "epoch:100")),
        (EMPTY, "epoch:0", 0, None),
        (EMPTY, "epoch:3", 0, Gap(1, 3, "ahead", "epoch:0")),
        (EMPTY, "other:0", 0, Gap(1, 1, "epoch", "epoch:0")),
    ],
)
def test_a_cursor_is_found_or_its_gap_is_named(
    log: LogRange, cursor: str, continues_after: int, gap: Gap | None
) -> None:
    assert locate(Cursor.parse(cursor), log) == (continues_after, gap)
