"""When clients are told to come back."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.app.drain import LONGEST, SHORTEST, SOONEST, drain_window, spread


@given(st.integers(0, 20_000))
def test_the_window_grows_with_the_clients_within_bounds(clients: int) -> None:
    assert SHORTEST <= drain_window(clients) <= LONGEST
    assert drain_window(clients) <= drain_window(clients + 1)


@given(st.integers(1, 3_000), st.floats(0.5, 60.0))
def test_everybody_comes_within_the_window(clients: int, window: float) -> None:
    seconds = spread(clients, window)
    assert len(seconds) == clients
    assert min(seconds) >= SOONEST
    assert max(seconds) <= SOONEST + window


def test_no_moment_has_many_more_than_its_share() -> None:
    window = drain_window(10_000)
    bins = Counter(int((second - SOONEST) / 0.1) for second in spread(10_000, window))
    assert max(bins.values()) <= 1.05 * 10_000 * 0.1 / window


def test_nobody_is_nobody() -> None:
    assert spread(0, 1.0) == []
