"""When clients are told to come back."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.app.drain import (
    LONGEST,
    RESTART_SECONDS,
    SHORTEST,
    SOONEST,
    drain_window,
    first_return,
    spread,
)


@given(st.integers(0, 20_000))
def test_the_window_grows_with_the_clients_within_bounds(clients: int) -> None:
    assert SHORTEST <= drain_window(clients) <= LONGEST
    assert drain_window(clients) <= drain_window(clients + 1)


@given(st.integers(1, 3_000), st.floats(0.5, 60.0), st.booleans())
def test_everybody_comes_within_the_window(clients: int, window: float, alone: bool) -> None:
    first = first_return(clients, alone=alone)
    seconds = spread(clients, window, first)
    assert len(seconds) == clients
    assert min(seconds) >= first
    assert max(seconds) <= first + window


@given(st.integers(1, 20_000), st.floats(0.0, 5.0))
def test_no_tenth_of_a_second_has_two_more_than_its_share(clients: int, first: float) -> None:
    window = drain_window(clients)
    share = clients * 0.1 / window
    # Wherever the tenths are laid: a slot may lie across their beginning, and another across their end.
    moments = sorted(spread(clients, window, first))
    for begin in range(len(moments)):
        end = begin + math.floor(share) + 2
        assert end >= len(moments) or moments[end] - moments[begin] > 0.1 - 1e-9
    if clients == 10_000:
        assert share + 2 <= 1.5 * share


@given(st.integers(0, 100_000))
def test_of_many_nobody_comes_before_a_server_that_is_alone_can_be_back(clients: int) -> None:
    assert first_return(clients, alone=False) == SOONEST
    assert SOONEST <= first_return(clients, alone=True) <= RESTART_SECONDS
    assert first_return(max(clients, 1_500), alone=True) == RESTART_SECONDS


def test_neighbours_are_not_told_the_same_moment() -> None:
    seconds = spread(10_000, 10.0)
    assert sum(one < other for one, other in pairwise(seconds)) in range(4_700, 5_300)


def test_nobody_is_nobody() -> None:
    assert spread(0, 1.0) == []
