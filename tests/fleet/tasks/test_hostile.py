"""Task files as nobody should write them: the rest goes on, nothing known is lost, and each is named once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fleet.tasks.desk import Desk, root, task

pytestmark = pytest.mark.anyio

DEEP = "[" * 5_000 + "]" * 5_000


def text_of(*entries: str, **fields: Any) -> str:
    """A queue whose entries are given as text."""
    rest = json.dumps({"nextId": 100, **fields})[1:]
    return f'{{"tasks": [{", ".join(entries)}], {rest}'


GOOD = json.dumps(task(1)), json.dumps(task(2))


@pytest.mark.parametrize(
    "odd",
    [
        f'{{"id": "TASK-0050", "x": {DEEP}}}',
        DEEP,
        f'{{"id": "TASK-0050", "n": {"9" * 10_000}}}',
        f'{{"id": "TASK-0050", "text": "{"x" * 3_000_000}"}}',
        json.dumps({"id": "TASK-0050", "text": "x" * 200_000}),
        "null",
        '"a text"',
        '[{"id": "TASK-0001"}]',
        json.dumps({"id": "x" * 600, "description": "an id that is too long"}),
    ],
    ids=["deep", "deep list", "long number", "3 MB", "200 KB", "null", "text", "list", "long id"],
)
async def test_an_odd_entry_holds_up_no_other_and_stays_as_it_is(desk: Desk, odd: str) -> None:
    desk.write(text_of(GOOD[0], odd, GOOD[1]))
    await desk.world.start()
    assert desk.state.keys() == {"TASK-0001", "TASK-0002"}
    await desk.queue.update("TASK-0002", {"status": "review"})
    await desk.world.eventually(lambda: '"review"' in desk.path.read_text())
    assert odd in desk.path.read_text()
    (alert,) = desk.world.alerts()
    assert "entry 2" in alert
    # It is named once, wherever it is from now on.
    desk.write(text_of(json.dumps(task(7)), GOOD[0], odd, GOOD[1]))
    await desk.world.until(lambda: "TASK-0007" in desk.state)
    await desk.world.restart()
    assert len(desk.world.alerts()) == 1


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1" + "0" * 400, "0.1e-999", "123456789012345678901234567890"]
)
async def test_numbers_beyond_all_bounds_cost_no_task(desk: Desk, number: str) -> None:
    desk.write(text_of(GOOD[0], f'{{"id": "TASK-0002", "description": "x", "n": {number}}}'))
    await desk.world.start()
    assert "TASK-0001" in desk.state
    await desk.queue.update("TASK-0001", {"notes": "still here"})
    await desk.world.eventually(lambda: "still here" in desk.path.read_text())
    assert f'"n": {number}' in desk.path.read_text() or "TASK-0002" in desk.state


@pytest.mark.parametrize(
    "broken",
    [
        '{"tasks": [{"id": "TASK-0001", "n": NaN}]}',
        '{"tasks": 5}',
        "[" * 50_000,
        '{"tasks": [',
        '{"tasks": [{"id": "TASK-0001"',
        "\x00" * 100,
        '{"tasks": [], "x": "' + "y" * 2_000_000 + '"}',
        '{"a":' * 20_000,
        "7",
    ],
    ids=["NaN", "number", "deep", "cut", "cut in a task", "zeros", "much else", "deep objects", "seven"],
)
async def test_a_broken_queue_is_named_once_and_costs_nothing_that_is_known(desk: Desk, broken: str) -> None:
    await desk.started(task(1), task(2))
    before = desk.state
    for _ in range(2):
        desk.write(broken)
        await desk.world.until(desk.world.alerts)
        await desk.queue.update("TASK-0001", {"notes": "meanwhile"})
        assert desk.path.read_text() == broken
    assert len(desk.world.alerts()) == 1
    desk.write(root(task(1), task(2, notes="whole again")))
    await desk.world.until(lambda: desk.state["TASK-0002"]["notes"] == "whole again")
    await desk.in_step()
    assert desk.state.keys() == before.keys()
    assert desk.state["TASK-0001"]["notes"] == "meanwhile"


async def test_a_file_that_alternates_loses_nothing_and_is_named_seldom(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    for number in range(10):
        desk.write('{"tasks": [{"id": "TASK-00')
        desk.write(root(task(1, notes=f"{number}"), task(2)))

        def followed(wanted: str = f"{number}") -> bool:
            return bool(desk.state["TASK-0001"]["notes"] == wanted)

        await desk.world.until(followed)
    await desk.in_step()
    assert desk.state.keys() == {"TASK-0001", "TASK-0002"}
    assert len(desk.world.alerts()) <= 2


async def test_a_task_that_is_there_twice_becomes_two(desk: Desk) -> None:
    await desk.started(task(1), *(task(number) for number in range(2, 200)))
    whole = desk.read()
    whole["tasks"].insert(0, task(150, description="Another with a known id", created="2026-11-29T10:00:00Z"))
    desk.write(whole)
    await desk.world.until(lambda: len(desk.state) == 200)
    await desk.in_step()
    described = sorted(one["description"] for one in desk.state.values())
    assert described == sorted([*(f"Task {number}" for number in range(1, 200)), "Another with a known id"])


async def test_tasks_beyond_the_limit_stay_in_the_file_and_are_named_once(desk: Desk) -> None:
    desk.world.config.quotas.tasks = 300
    await desk.started(*(task(number) for number in range(1, 1_001)))
    assert len(desk.state) == 300
    assert len(desk.world.alerts()) == 1
    with pytest.raises(Exception, match="the limit"):
        await desk.queue.create({"description": "one too many"})
    await desk.queue.update("TASK-0007", {"notes": "edited here"})
    await desk.world.eventually(lambda: "edited here" in desk.path.read_text())
    whole = desk.read()
    assert len(whole["tasks"]) == 1_000
    whole["tasks"][8]["notes"] = "edited there"
    whole["tasks"][900]["notes"] = "nobody reads this"
    desk.write(whole)
    await desk.world.until(lambda: desk.state["TASK-0009"]["notes"] == "edited there")
    await desk.queue.update("TASK-0007", {"notes": "edited again"})
    await desk.world.eventually(lambda: "edited again" in desk.path.read_text())
    assert len(desk.read()["tasks"]) == 1_000
    assert "nobody reads this" in desk.path.read_text()
    assert len(desk.state) == 300
    assert len(desk.world.alerts()) == 1
    # Where one goes, there is room for another.
    await desk.queue.delete("TASK-0007")
    await desk.world.eventually(lambda: len(desk.read()["tasks"]) == 999 and len(desk.state) == 300)


async def test_a_queue_of_many_tasks_is_told_in_bounded_parts(desk: Desk) -> None:
    sizes: list[int] = []
    desk.world.log.listen(lambda records: sizes.append(sum(len(record.body) for record in records)))
    await desk.started(*(task(number, notes="x" * 500) for number in range(1, 5_001)))
    await desk.world.until(lambda: len(desk.state) == 5_000)
    assert max(sizes) < 1_000_000
    assert sum(sizes) > 3_500_000


async def test_a_quota_below_what_the_file_has_loses_nothing_of_it(desk: Desk) -> None:
    desk.world.config.quotas.tasks = 5
    await desk.started(*(task(number) for number in range(1, 11)))
    assert len(desk.state) == 5
    await desk.queue.update("TASK-0002", {"notes": "edited here"})
    await desk.world.eventually(lambda: "edited here" in desk.path.read_text())
    await desk.world.restart()
    await desk.world.silence()
    assert [one["id"] for one in desk.read()["tasks"]] == [f"TASK-{number:04}" for number in range(1, 11)]
    with pytest.raises(Exception, match="the limit"):
        await desk.queue.create({"description": "one too many"})


async def test_a_task_larger_than_the_quota_of_a_record_stays_in_the_file(desk: Desk) -> None:
    desk.world.config.quotas.record_bytes = 2_000
    await desk.started(task(1), task(2, notes="x" * 5_000))
    await desk.queue.update("TASK-0001", {"notes": "edited here"})
    await desk.world.eventually(lambda: "edited here" in desk.path.read_text())
    await desk.world.restart()
    await desk.world.silence()
    assert [one["id"] for one in desk.read()["tasks"]] == ["TASK-0001", "TASK-0002"]


LONG_ID = "x" * 600


async def with_a_long_id(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start over a queue with an id that an earlier release has accepted, from its file and into its state."""
    with monkeypatch.context() as earlier:
        for module in ("fleet.tasks.entries", "events.shapes"):
            earlier.setattr(f"missioncontrol.{module}.MAX_ID_LENGTH", 2_048)
        await desk.started(task(1), {**task(2), "id": LONG_ID})
        assert LONG_ID in desk.state
        await desk.world.stop()
    await desk.world.start()
    await desk.world.until(lambda: desk.world.alerts())


async def test_a_task_with_a_long_id_of_an_earlier_release_goes_with_its_entry(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_a_long_id(desk, monkeypatch)
    assert LONG_ID in desk.state
    (alert,) = desk.world.alerts()
    assert "entry 2: Its id has 600 characters; it may have 512." in alert
    desk.write(root(task(1), nextId=3))
    await desk.world.until(lambda: LONG_ID not in desk.state)
    assert len(desk.world.alerts()) == 1


async def test_a_task_with_a_long_id_of_an_earlier_release_can_be_removed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_a_long_id(desk, monkeypatch)
    await desk.queue.delete(LONG_ID)
    assert LONG_ID not in desk.state
    count = len(desk.world.records)
    await desk.queue.update("TASK-0001", {"notes": "edited here"})
    await desk.world.restart()
    await desk.world.silence()
    assert LONG_ID not in desk.state
    assert desk.state["TASK-0001"]["notes"] == "edited here"
    assert len(desk.world.records) == count + 1
