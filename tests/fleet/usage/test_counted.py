"""Each response counts once, whatever is told of it and however often the process ends in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.fleet.usage.counted import GROWING, Amount, Counted


def amount(output: int, cost: float | None = None) -> Amount:
    return Amount(cost, 100, output, 50, 10, 0)


def test_a_response_that_is_repeated_counts_once() -> None:
    counted = Counted()
    assert counted.add("claude:msg_1", amount(5)) == amount(5)
    assert counted.add("claude:msg_1", amount(5)) is None
    assert counted.add("claude:msg_1", amount(3)) is None


def test_of_a_response_that_grows_the_difference_counts() -> None:
    counted = Counted()
    counted.add("claude:msg_1", amount(5, 0.25))
    assert counted.add("claude:msg_1", amount(8, 0.75)) == Amount(0.5, 0, 3, 0, 0, 0)


def test_an_old_response_is_still_known_when_it_comes_back() -> None:
    counted = Counted()
    counted.add("claude:first", amount(5))
    for number in range(GROWING + 1):
        counted.add(f"claude:{number}", amount(1))
    assert counted.add("claude:first", amount(9)) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50), st.booleans()), max_size=60))
def test_the_sum_is_that_of_the_largest_of_each_also_over_restarts(
    told: list[tuple[int, int, bool]],
) -> None:
    counted, memory, total = Counted(), dict[str, bytes](), 0
    largest: dict[int, int] = {}
    for response, output, restart in told:
        more = counted.add(f"r{response}", amount(output))
        total += more.output if more is not None else 0
        largest[response] = max(largest.get(response, 0), output)
        memory |= counted.changes()
        if restart:
            counted = Counted()
            counted.recall(memory)
    assert total == sum(largest.values())


def test_nothing_is_to_be_remembered_where_nothing_is_new() -> None:
    counted = Counted()
    counted.add("r", amount(1))
    assert counted.changes()
    counted.add("r", amount(1))
    assert counted.changes() == {}
