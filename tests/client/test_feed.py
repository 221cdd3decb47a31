from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.client import feed as feed_module
from missioncontrol.client.feed import Feed
from missioncontrol.client.items import Gap, Refused, Snapshot
from missioncontrol.client.wire import Connected, Moved
from missioncontrol.events import Cursor, Event

pytestmark = pytest.mark.anyio


def event(id_: int) -> Event:
    return Event("agent:activity", id_, "2026-11-23T10:15:00.123Z", "agents", {})


def at(id_: int, epoch: str = "abc") -> Cursor:
    return Cursor(epoch, id_)


async def test_the_first_connection_gives_a_client_without_a_past_its_cursor() -> None:
    feed = Feed(None, snapshot=False)
    feed.take(Connected(at(7), 30.0))
    assert feed.cursor == feed.position == at(7)


async def test_the_cursor_moves_with_each_item_handed_over_and_not_before() -> None:
    feed = Feed(at(0), snapshot=False)
    for id_ in (1, 2):
        feed.take(event(id_))
    assert (feed.cursor, feed.position) == (at(0), at(2))
    await feed.next()
    assert feed.cursor == at(1)


async def test_a_ping_moves_the_cursor_of_a_client_that_has_everything() -> None:
    feed = Feed(at(3), snapshot=False)
    feed.take(Moved(at(9)))
    assert feed.cursor == at(9)


async def test_a_ping_never_moves_the_cursor_past_an_item_that_waits() -> None:
    feed = Feed(at(3), snapshot=False)
    feed.take(event(4))
    feed.take(Moved(at(9)))
    assert (feed.cursor, feed.position) == (at(3), at(9))
    await feed.next()
    assert feed.cursor == at(9)


async def test_a_ping_of_another_epoch_or_from_behind_moves_nothing() -> None:
    feed = Feed(at(3), snapshot=False)
    feed.take(Moved(at(9, "xyz")))
    feed.take(Moved(at(2)))
    assert feed.position == at(3)


async def test_an_event_that_was_received_before_is_dropped() -> None:
    feed = Feed(at(3), snapshot=False)
    for id_ in (4, 3, 4, 5):
        feed.take(event(id_))
    assert [(await feed.next()).id for _ in range(2)] == [4, 5]  # type: ignore[union-attr]
    assert (len(feed), feed.repeated) == (0, 2)


async def test_a_gap_is_told_in_its_place_and_the_stream_goes_on_after_its_cursor() -> None:
    feed = Feed(at(9), snapshot=False)
    feed.take(Connected(at(4, "new"), 30.0))
    gap = Gap(10, 10, "epoch", "new:4")
    feed.take(gap)
    feed.take(event(5))
    assert await feed.next() == gap
    assert feed.cursor == at(4, "new")
    assert await feed.next() == event(5)
    assert feed.cursor == at(5, "new")


async def test_another_epoch_that_the_server_did_not_tell_is_told_by_the_client() -> None:
    feed = Feed(at(9), snapshot=False)
    feed.take(Connected(at(20, "new"), 30.0))
    feed.take(event(21))
    assert await feed.next() == Gap(10, 20, "epoch", "new:20")
    assert await feed.next() == event(21)


async def test_a_snapshot_is_due_at_the_beginning_and_after_each_gap() -> None:
    feed = Feed(None, snapshot=True)
    feed.take(Connected(at(4), 30.0))
    due = [feed.snapshot_due]
    for message in (Snapshot({}, "abc:4"), Gap(5, 8, "trimmed", "abc:8")):
        feed.take(message)
        due.append(feed.snapshot_due)
    assert due == [True, False, True]
    assert feed.position == at(8)


async def test_a_snapshot_does_not_stand_in_for_events() -> None:
    feed = Feed(at(0), snapshot=True)
    feed.take(Gap(1, 3, "trimmed", "abc:3"))
    feed.take(Snapshot({}, "abc:6"))
    feed.take(event(4))
    assert [type(await feed.next()) for _ in range(3)] == [Gap, Snapshot, Event]


async def test_a_full_feed_holds_the_reader_back_until_half_of_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "MAX_ITEMS", 4)
    feed = Feed(at(0), snapshot=False)
    for id_ in range(1, 5):
        feed.take(event(id_))
    seen = [feed.full]
    for _ in range(2):
        await feed.next()
        seen.append(feed.full)
    assert seen == [True, True, False]
    await feed.room()


async def test_bytes_count_against_the_bound_too() -> None:
    feed = Feed(at(0), snapshot=False)
    feed.take(event(1), feed_module.MAX_BYTES)
    assert feed.full


async def test_a_consumer_that_is_cancelled_while_it_waits_loses_nothing() -> None:
    feed = Feed(at(0), snapshot=False)
    waiting = asyncio.ensure_future(feed.next())
    await asyncio.sleep(0)
    feed.take(event(1))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await feed.next() == event(1)


async def test_a_failure_is_raised_after_what_was_received_before_it() -> None:
    feed = Feed(at(0), snapshot=False)
    feed.take(event(1))
    feed.end(Refused("no"))
    assert await feed.next() == event(1)
    for _ in range(2):
        with pytest.raises(Refused):
            await feed.next()


async def test_an_end_without_a_failure_ends_the_iteration_at_once() -> None:
    feed = Feed(at(0), snapshot=False)
    feed.take(event(1))
    feed.end()
    with pytest.raises(StopAsyncIteration):
        await feed.next()


@given(st.lists(st.integers(0, 12), max_size=60), st.lists(st.booleans(), max_size=60))
def test_whatever_overlaps_each_event_comes_once_and_the_cursor_is_the_consumers(
    restarts: list[int], takes: list[bool]
) -> None:
    async def run() -> None:
        feed = Feed(at(0), snapshot=False)
        got: list[int] = []
        head = 0
        plan = iter(takes)
        for restart in restarts:
            # A connection that begins somewhere at or before the position, and gets a few events far.
            start = max(0, (feed.position or at(0)).id - restart)
            for id_ in range(start + 1, start + 8):
                feed.take(event(id_))
                head = max(head, id_)
                if next(plan, False) and len(feed):
                    item = await feed.next()
                    assert isinstance(item, Event)
                    got.append(item.id)
                    assert feed.cursor == at(item.id)
        while len(feed):
            item = await feed.next()
            assert isinstance(item, Event)
            got.append(item.id)
        assert got == list(range(1, head + 1))

    asyncio.run(run())
