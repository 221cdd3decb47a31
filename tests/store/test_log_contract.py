"""What every log promises, over each implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.nats_process import NatsProcess

from missioncontrol.config import load_config
from missioncontrol.errors import BadEvent, Outdated, StoreError, TooLarge
from missioncontrol.events import EVERYTHING, Draft, Patterns, Record, decode_event, now
from missioncontrol.store import (
    MAX_APPEND_EVENTS,
    Checkpoint,
    Log,
    MemoryLog,
    SqliteLog,
    StateCheckpoint,
)
from missioncontrol.store.jetstream import JetStreamLog
from missioncontrol.store.log import NEWEST_BYTES, may_have_older

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite", "jetstream"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    log: Log
    if request.param == "memory":
        log = MemoryLog()
    elif request.param == "sqlite":
        log = await SqliteLog.open(tmp_path / "data")
    else:
        nats: NatsProcess = request.getfixturevalue("nats")
        config = load_config(flags={"log.url": nats.url, "cluster.stream": f"T{uuid4().hex[:12]}"})
        log = await JetStreamLog.open(tmp_path / "data", config, "alpha")
    yield log
    await log.close()


def drafts(count: int, type_: str = "agent:statusChange") -> list[Draft]:
    return [Draft(type_, {"agentId": "scout", "n": n}) for n in range(count)]


async def everything(log: Log, patterns: Patterns = EVERYTHING, **bounds: int) -> list[int]:
    after, ids = 0, []
    while after < log.head:
        page = await log.read(after, patterns, **bounds)
        ids += [decode_event(body).id for body in page.bodies]
        after = page.last
    return ids


async def test_ids_grow_by_one_without_holes(log: Log) -> None:
    assert await log.append(drafts(3)) == [1, 2, 3]
    assert await log.append(drafts(2)) == [4, 5]
    assert (log.first, log.head) == (1, 5)
    assert await everything(log) == [1, 2, 3, 4, 5]


async def test_an_empty_log_has_nothing_and_stands_at_zero(log: Log) -> None:
    assert (log.first, log.head) == (1, 0)
    assert str(log.cursor()) == f"{log.epoch}:0"
    assert (await log.read(0, EVERYTHING)).bodies == []
    assert await log.newest(EVERYTHING, limit=5) == []
    assert await log.append([]) == []


async def test_listeners_hear_each_record_once_before_the_append_returns(log: Log) -> None:
    heard: list[int] = []

    def listener(records: list[Record]) -> None:
        heard.extend(record.id for record in records)

    log.listen(listener)  # type: ignore[arg-type]
    results = await asyncio.gather(*(log.append(drafts(n % 4)) for n in range(40)))
    assert heard == list(range(1, log.head + 1))
    assert sorted(id_ for ids in results for id_ in ids) == heard


async def test_appends_of_one_caller_keep_their_order_whatever_their_size(log: Log) -> None:
    big, small = await asyncio.gather(log.append(drafts(3_000)), log.append(drafts(1)))
    assert (big[0], big[-1], small) == (1, 3_000, [3_001])


async def test_a_body_is_the_event_as_the_wire_has_it(log: Log) -> None:
    await log.append([Draft("custom:event", {"text": 'quote " newline \n ☃'}, source="hook")])
    page = await log.read(0, EVERYTHING)
    event = decode_event(page.bodies[0])
    assert (event.id, event.type, event.source) == (1, "custom:event", "hook")
    assert event.data == {"text": 'quote " newline \n ☃'}
    assert event.time.endswith("Z")
    assert b"\n" not in page.bodies[0]


async def test_types_of_the_catalogue_get_a_timestamp_and_others_stay_as_they_are(log: Log) -> None:
    await log.append([Draft("agent:activity", {"agentId": "a"}), Draft("custom:event", {})])
    first, second = (decode_event(body) for body in (await log.read(0, EVERYTHING)).bodies)
    assert "timestamp" in first.data
    assert second.data == {}


async def test_an_event_keeps_the_trace_that_it_belongs_to(log: Log) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    heard: list[Record] = []
    log.listen(heard.extend)
    await log.append([Draft("custom:note", {"a": 1}, traceparent=trace), Draft("custom:note", {})])
    page = await log.read(0, EVERYTHING)
    assert [decode_event(body).traceparent for body in page.bodies] == [trace, None]
    assert [decode_event(record.body).traceparent for record in heard] == [trace, None]
    assert b"traceparent" not in page.bodies[1]
    for wrong in (trace.upper(), trace[:-1], "00-" + "0" * 32 + trace[35:], "", '"'):
        with pytest.raises(BadEvent, match="traceparent"):
            await log.append([Draft("custom:note", {}, traceparent=wrong)])


async def test_a_key_that_is_known_appends_nothing(log: Log) -> None:
    assert await log.append([Draft("a:b", {}, key="k1"), Draft("a:b", {})]) == [1, 2]
    assert await log.append([Draft("a:b", {}, key="k1"), Draft("a:b", {}, key="k2")]) == [1, 3]
    assert await log.append([Draft("a:b", {}, key="x"), Draft("a:b", {}, key="x")]) == [4, 4]
    assert log.head == 4


async def test_one_bad_draft_refuses_the_whole_append(log: Log) -> None:
    for bad in (
        Draft("nocategory"),
        Draft("server:draining"),
        Draft("a:b", key=""),
        Draft("a:b", key="k" * 257),
        Draft("a:b", {"x": object()}),
        Draft("a:" + "b" * 200),
        Draft("a:b", source=""),
    ):
        with pytest.raises(BadEvent):
            await log.append([Draft("a:b"), bad])
        with pytest.raises(BadEvent):
            await log.append([*drafts(2_500), bad])
    with pytest.raises(TooLarge):
        await log.append([Draft("a:b", {"x": "x" * 262_144})])
    with pytest.raises(TooLarge):
        await log.append(drafts(1) * (MAX_APPEND_EVENTS + 1))
    assert log.head == 0
    assert await log.append(drafts(1)) == [1]


async def test_pages_are_bounded_by_count_and_by_bytes(log: Log) -> None:
    await log.append([Draft("a:b", {"pad": "x" * 1000}) for _ in range(50)])
    page = await log.read(0, EVERYTHING, limit=7)
    assert (page.last, len(page.bodies)) == (7, 7)
    page = await log.read(10, EVERYTHING, max_bytes=5_000)
    assert page.after == 10
    assert 1 <= len(page.bodies) < 6
    one = await log.read(0, EVERYTHING, max_bytes=10)
    assert len(one.bodies) == 1
    assert await everything(log, limit=3) == list(range(1, 51))
    assert await everything(log, max_bytes=3_000) == list(range(1, 51))


async def test_patterns_choose_and_the_cursor_moves_on_all_the_same(log: Log) -> None:
    for n in range(30):
        await log.append([Draft(("agent:x", "agents:x", "task:y")[n % 3], {})])
    assert await everything(log, Patterns(["agent:*"])) == list(range(1, 31, 3))
    assert await everything(log, Patterns(["task:y", "agents"]), limit=4) == [
        n for n in range(1, 31) if n % 3 != 1
    ]
    page = await log.read(0, Patterns(["lead:*"]))
    assert (page.last, page.bodies) == (30, [])
    assert (await log.read(0, Patterns())).last == 30


async def test_newest_come_first_and_may_end_before_an_id(log: Log) -> None:
    await log.append(drafts(5) + drafts(5, "task:step"))
    assert [record.id for record in await log.newest(EVERYTHING, limit=3)] == [10, 9, 8]
    assert [record.id for record in await log.newest(Patterns(["agent"]), limit=2)] == [5, 4]
    assert [record.id for record in await log.newest(EVERYTHING, limit=9, before=3)] == [2, 1]


async def test_newest_that_are_large_are_fewer_and_the_rest_can_be_read_from_there(log: Log) -> None:
    for start in range(0, 40, 5):
        await log.append(
            [Draft("custom:large", {"n": n, "pad": "x" * 250_000}) for n in range(start, start + 5)]
        )
    ids: list[int] = []
    before: int | None = None
    while page := await log.newest(EVERYTHING, limit=40, before=before):
        assert sum(len(record.body) for record in page) < NEWEST_BYTES + 300_000
        assert may_have_older(page, 40) or page[-1].id == 1
        ids += [record.id for record in page]
        before = page[-1].id
    assert ids == list(range(40, 0, -1))


async def test_reading_beyond_the_head_gives_nothing(log: Log) -> None:
    await log.append(drafts(2))
    page = await log.read(99, EVERYTHING)
    assert (page.bodies, page.last) == ([], 99)


async def test_a_checkpoint_is_kept_with_its_events(log: Log) -> None:
    await log.append(drafts(1), Checkpoint("files", {"a": b"1", "b": b"2"}))
    await log.append([], Checkpoint("files", {"a": None, "c": b"3"}))
    assert await log.recall("files") == {"b": b"2", "c": b"3"}
    assert await log.recall("agents") == {}
    assert log.head == 1


async def test_a_moment_is_found_by_its_time(log: Log) -> None:
    before = now() - 1000
    await log.append(drafts(3))
    assert await log.id_at(before) == 0
    assert await log.id_at(now()) == 3


async def test_a_folded_state_is_found_at_or_before_an_id(log: Log) -> None:
    await log.append(drafts(9))
    assert await log.load_state(9) is None
    await log.save_state(StateCheckpoint(3, b"three"))
    await log.save_state(StateCheckpoint(7, b"seven"))
    assert await log.load_state(6) == StateCheckpoint(3, b"three")
    assert await log.load_state(9) == StateCheckpoint(7, b"seven")


async def test_what_fails_leaves_nothing_behind_and_the_next_id_is_the_same(tmp_path: Path) -> None:
    log = MemoryLog()
    await log.append(drafts(1))
    log.trouble = "full"
    with pytest.raises(StoreError):
        await log.append(drafts(1))
    log.trouble = None
    assert await log.append(drafts(1)) == [2]


async def test_a_change_of_a_task_is_refused_when_somebody_else_was_first(log: Log) -> None:
    await log.append(
        [Draft("task:created", {"task": {"id": "T-1"}}), Draft("task:created", {"task": {"id": "T-2"}})]
    )
    seen = log.head
    change = Draft("task:updated", {"taskId": "T-1", "updates": {}})
    assert await log.append([change], after=seen) == [3]
    with pytest.raises(Outdated) as refused:
        await log.append([change], after=seen)
    assert refused.value.newer == 3
    assert log.head == 3
    other = Draft("task:updated", {"taskId": "T-2", "updates": {}})
    assert await log.append([other], after=seen) == [4]
    assert await log.append([change], after=log.head) == [5]


async def test_of_many_who_change_a_task_at_once_one_is_first(log: Log) -> None:
    await log.append([Draft("task:created", {"task": {"id": "T-1"}})])
    change = Draft("task:updated", {"taskId": "T-1", "updates": {}})
    results = await asyncio.gather(
        *(log.append([change], after=1) for _ in range(20)), return_exceptions=True
    )
    assert sum(result == [2] for result in results) == 1
    assert sum(isinstance(result, Outdated) for result in results) == 19
    assert log.head == 2


async def test_what_is_remembered_under_no_text_is_refused_alone(log: Log) -> None:
    with pytest.raises(BadEvent, match="no text"):
        await log.append(drafts(1), Checkpoint("files", {"at:\udcff": b"1"}))
    assert log.trouble is None
    assert await log.append(drafts(1), Checkpoint("files", {"at:ÿ": b"1"})) == [1]
    assert await log.recall("files") == {"at:ÿ": b"1"}
