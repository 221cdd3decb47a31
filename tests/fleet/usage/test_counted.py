"""Each response counts once, whatever is read of it and however often the process ends in between."""

from __future__ import annotations

from hashlib import blake2b
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.fleet.usage import counted as module
from missioncontrol.fleet.usage.counted import BUCKETS, FORMER_MILLISECONDS, MAX_OPEN, Amount, Counted


def amount(output: int, cost: float | None = None, extra: float = 0.0) -> Amount:
    return Amount(cost, 100, output, 50, 10, 0, extra)


def restarted(counted: Counted, memory: dict[str, bytes], now: int = 0) -> Counted:
    """Return one that has recalled what the other has to remember, as after a kill."""
    for key, value in counted.changes().items():
        if value is None:
            memory.pop(key, None)
        else:
            memory[key] = value
    again = Counted()
    again.recall(memory, now)
    return again


def test_a_response_that_is_repeated_counts_once() -> None:
    counted = Counted()
    assert counted.add("claude:msg_1", "s", amount(5)) == amount(5)
    assert counted.add("claude:msg_1", "s", amount(5)) is None
    assert counted.add("claude:msg_1", "fork", amount(3)) is None


def test_of_a_response_that_grows_the_difference_counts() -> None:
    counted = Counted()
    counted.add("claude:msg_1", "s", amount(5, 0.25, 0.01))
    assert counted.add("claude:msg_1", "s", amount(8, 0.75, 0.03)) == pytest.approx(
        Amount(0.5, 0, 3, 0, 0, 0, 0.02)
    )
    # A copy of it in another session has the same key.
    assert counted.add("claude:msg_1", "fork", amount(9, 0.75)) == Amount(0.0, 0, 1, 0, 0, 0)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_response_grows_however_many_others_there_are_meanwhile(restarts: bool) -> None:
    counted, memory = Counted(), dict[str, bytes]()
    counted.add("claude:msg_1", "slow", amount(8))
    for number in range(3_000):
        counted.add(f"claude:{number}", f"session {number % 30}", amount(1))
    if restarts:
        counted = restarted(counted, memory)
    more = counted.add("claude:msg_1", "slow", amount(32_000))
    assert more is not None
    assert more.output == 31_992


def test_an_old_response_of_a_session_is_still_known_when_it_comes_back() -> None:
    counted = Counted()
    counted.add("claude:first", "s", amount(5))
    for number in range(MAX_OPEN + 1):
        counted.add(f"claude:{number}", "s", amount(1))
    assert counted.add("claude:first", "s", amount(9)) is None


def test_only_so_many_sessions_are_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    counted, memory = Counted(), dict[str, bytes]()
    for number in range(10):
        counted.add(f"claude:{number}", f"s{number}", amount(1))
    again = restarted(counted, memory)
    assert sorted(key for key in memory if key.startswith("open:")) == ["open:s7", "open:s8", "open:s9"]
    assert again.add("claude:1", "s1", amount(9)) is None
    assert again.add("claude:9", "s9", amount(9)) == Amount(None, 0, 8, 0, 0, 0)


def test_what_an_earlier_release_has_counted_is_not_counted_again() -> None:
    def hash_of(key: str) -> int:
        return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")

    old, growing = hash_of("claude:old"), hash_of("claude:growing")
    memory = {f"counted:{one % BUCKETS}": pack("Q", one) for one in (old, growing)}
    memory["growing"] = pack("8d", growing >> 32, growing & 0xFFFF_FFFF, -1.0, 100, 8, 50, 10, 0)
    counted, now = Counted(), 1_000_000
    counted.recall(memory, now)
    for _ in range(2):
        assert counted.add("claude:old:req_1", "s", amount(5), former="claude:old", at=now) is None
        later = now + FORMER_MILLISECONDS
        counted = restarted(counted, memory, later)
    # A gateway may give a later response the same id.
    assert counted.add("claude:old:req_2", "s", amount(5), former="claude:old", at=later) == amount(5)
    more = counted.add("claude:growing:req_1", "s", amount(20), former="claude:growing", at=now)
    assert more == Amount(None, 0, 12, 0, 0, 0)
    counted = restarted(counted, memory, later)
    assert "growing" not in memory
    assert counted.add("claude:growing:req_1", "s", amount(20), former="claude:growing", at=now) is None


def test_a_fresh_folder_knows_no_former_keys() -> None:
    counted = Counted()
    counted.recall({}, 1_000)
    assert counted.add("claude:a", "s", amount(1), former="claude:x", at=5) == amount(1)
    assert counted.add("claude:x", "s", amount(1)) == amount(1)
    assert restarted(counted, {}, 10**12).add("claude:b", "s", amount(1), former="claude:x", at=5) == amount(
        1
    )


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 50), st.booleans()), max_size=60)
)
def test_the_sum_is_that_of_the_largest_of_each_also_over_restarts(
    read: list[tuple[int, int, int, bool]],
) -> None:
    counted, memory, total = Counted(), dict[str, bytes](), 0
    largest: dict[int, int] = {}
    for response, session, output, restart in read:
        more = counted.add(f"r{response}", f"s{session}", amount(output))
        total += more.output if more is not None else 0
        largest[response] = max(largest.get(response, 0), output)
        if restart:
            counted = restarted(counted, memory)
    assert total == sum(largest.values())


def test_nothing_is_to_be_remembered_where_nothing_is_new() -> None:
    counted = Counted()
    counted.add("r", "s", amount(1))
    assert counted.changes()
    counted.add("r", "s", amount(1))
    assert counted.changes() == {}
