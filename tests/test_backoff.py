"""Delays between attempts."""

from __future__ import annotations

import random

from missioncontrol.backoff import Backoff


def steady(attempts: int = 0) -> Backoff:
    return Backoff(1.0, 10.0, spread=(1.0, 1.0), attempts=attempts)


def test_delays_double_up_to_the_longest_and_start_again() -> None:
    backoff = steady()
    assert [backoff.next() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next() == 1


def test_delays_are_spread_within_their_bounds() -> None:
    backoff = Backoff(1.0, 1.0, spread=(0.0, 1.0), least=0.5, chance=random.Random(1))
    delays = [backoff.next() for _ in range(1_000)]
    assert 0.5 <= min(delays) < 0.55
    assert 0.95 < max(delays) <= 1.0


def test_a_backoff_continues_after_attempts_that_were_made_before() -> None:
    assert steady(attempts=2).next() == 4


def test_delays_stay_finite_after_any_number_of_attempts() -> None:
    assert steady(attempts=1_000_000).next() == 10


def test_delays_can_be_the_longest_at_once() -> None:
    backoff = steady()
    backoff.skip_to_longest()
    assert backoff.next() == 10


def test_no_delay_is_shorter_than_the_server_asks_for() -> None:
    assert steady().next(30.0) == 31.0
