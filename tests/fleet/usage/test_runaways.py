"""What runs away is noticed, and what only repeats itself in its work is not."""

from __future__ import annotations

import pytest

from missioncontrol.fleet.usage.runaways import (
    AMONG,
    IN_A_ROW,
    KNOWN_MINUTES,
    QUIET_MINUTES,
    Baseline,
    Calls,
    Loop,
)

MINUTE = 60_000


def test_the_same_call_again_and_again_is_told_once_and_again_at_ten_times_as_many() -> None:
    calls = Calls()
    told = [loop for _ in range(IN_A_ROW * 10) if (loop := calls.add("poll", "a", "poll the queue"))]
    assert told == [Loop("poll", "poll the queue", IN_A_ROW), Loop("poll", "poll the queue", IN_A_ROW * 10)]


def test_two_calls_in_turns_are_a_loop() -> None:
    calls = Calls()
    told = [calls.add(("poll", "sleep")[number % 2], "a", "") for number in range(AMONG * 2)]
    assert [loop.count for loop in told if loop] == [IN_A_ROW]


def test_a_test_that_is_run_after_every_edit_is_no_loop() -> None:
    calls = Calls()
    for number in range(200):
        assert calls.add("edit", f"different {number}", "") is None
        assert calls.add("exec", "make test", "make test") is None


def test_a_loop_that_ended_may_be_told_again() -> None:
    calls = Calls()
    for _ in range(2):
        told = [loop for _ in range(IN_A_ROW) if (loop := calls.add("poll", "a", ""))]
        assert len(told) == 1
        for number in range(IN_A_ROW):
            assert calls.add("edit", str(number), "") is None


def spend(habit: Baseline, minutes: int, cost: float, start: int = 0) -> list[float | None]:
    return [habit.add((start + minute) * MINUTE, cost) for minute in range(minutes)]


def test_spending_far_above_the_habit_is_unusual_once() -> None:
    habit = Baseline()
    assert not any(spend(habit, 20, 0.125))
    assert habit.add(20 * MINUTE, 0.5) is None
    assert habit.add(20 * MINUTE + 1, 0.25) == 0.125
    assert habit.add(20 * MINUTE + 2, 5.0) is None
    assert habit.add((20 + QUIET_MINUTES) * MINUTE, 5.0) == 0.125


@pytest.mark.parametrize(("minutes", "cost"), [(KNOWN_MINUTES, 9.0), (60, 0.4)])
def test_without_a_habit_or_for_pennies_nothing_is_unusual(minutes: int, cost: float) -> None:
    habit = Baseline()
    assert not any(spend(habit, minutes, 0.01))
    assert habit.add(minutes * MINUTE - MINUTE, cost if minutes == 60 else 0.0) is None
