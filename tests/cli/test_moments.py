"""Moments as people write them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from missioncontrol.cli.moments import read_moment
from missioncontrol.errors import BadCursor
from missioncontrol.events import Cursor


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def now() -> datetime:
    # Two days after the clocks were set back there.
    return datetime.fromisoformat("2026-10-26T10:15:00+01:00").astimezone()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-10-26T10:15:00+01:00"),
        ("2h", "2026-10-26T08:15:00+01:00"),
        ("1d12h", "2026-10-24T22:15:00+01:00"),
        ("90 min ago".replace(" min", "min"), "2026-10-26T08:45:00+01:00"),
        ("1.5h", "2026-10-26T08:45:00+01:00"),
        ("today", "2026-10-26T00:00:00+01:00"),
        ("yesterday", "2026-10-25T00:00:00+02:00"),
        ("Yesterday  14:00", "2026-10-25T14:00:00+01:00"),
        ("09:30", "2026-10-26T09:30:00+01:00"),
        ("23:00", "2026-10-25T23:00:00+01:00"),
        ("14:30:05", "2026-10-25T14:30:05+01:00"),
        ("2026-10-25T10:15:00Z", "2026-10-25T11:15:00+01:00"),
        ("2026-10-24 10:15", "2026-10-24T10:15:00+02:00"),
        ("2026-10-24", "2026-10-24T00:00:00+02:00"),
    ],
)
def test_a_moment_is_what_its_writer_means(text: str, meant: str) -> None:
    assert os.environ["TZ"] == "Europe/Berlin"
    found = read_moment(text, now())
    assert isinstance(found, datetime)
    assert abs(found - datetime.fromisoformat(meant)) < timedelta(milliseconds=1)


def test_a_cursor_is_a_moment_too() -> None:
    assert read_moment("k3v9x2ab:4711", now()) == Cursor("k3v9x2ab", 4711)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "yesterday 14", "2026-13-01", "9999999999w", "4711"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadCursor, match="is no moment; write '2h'"):
        read_moment(text, now())
