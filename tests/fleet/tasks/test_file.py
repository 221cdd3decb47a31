"""The queue's file and the state, in step both ways."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from typing import Any

import pytest
from tests.fleet.tasks.desk import Desk, eventually, root, task

from missioncontrol.events import Draft

pytestmark = pytest.mark.anyio


# The file on the disk.


async def test_what_a_killed_process_has_left_is_removed_and_what_another_writes_is_not(desk: Desk) -> None:
    # No process has the first id.
    left = desk.path.with_name(".TASK_QUEUE.json.9999999999-0123456789ab.tmp")
    busy = desk.path.with_name(".TASK_QUEUE.json.1-0123456789ab.tmp")
    await desk.started(task(1))
    for path in (left, busy):
        path.write_text("half of a que")
    os.utime(left, (1, 1))
    await desk.queue.update("TASK-0001", {"notes": "here"})
    await desk.world.eventually(lambda: "here" in desk.path.read_text())
    assert (left.exists(), busy.exists()) == (False, True)


# The first sight.


async def test_the_first_sight_is_told_as_state(desk: Desk) -> None:
    text = json.dumps(root(task(1), task(2, status="🔵 In Progress"), task(3, status="on ice")))
    desk.write(text)
    await desk.world.start()
    ((_, data),) = desk.told("state:baseline")
    assert data["source"] == "tasks"
    assert [one["status"] for one in data["tasks"]] == ["pending", "in_progress", "on ice"]
    assert desk.state["TASK-0001"] == task(1)
    assert desk.path.read_text() == text
    assert len(desk.world.records) == 1


async def test_a_large_first_sight_is_several_events(desk: Desk) -> None:
    await desk.started(*(task(number, notes="n" * 20_000) for number in range(1, 31)))
    await desk.world.until(lambda: len(desk.state) == 30)
    baselines = desk.told("state:baseline")
    assert len(baselines) > 2
    assert all(len(json.dumps(data)) < 200 * 1024 for _, data in baselines)


async def test_a_restart_tells_nothing_and_writes_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    before = desk.path.stat()
    await desk.world.restart()
    await desk.world.silence()
    assert len(desk.world.records) == 1
    assert desk.path.stat().st_ino == before.st_ino


async def test_what_changed_meanwhile_is_told_at_the_next_start(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.world.stop()
    with desk.edited() as tasks:
        tasks["TASK-0001"]["status"] = "review"
        del tasks["TASK-0002"]
    await desk.world.start()
    assert desk.told() == [
        ("task:deleted", {"taskId": "TASK-0002", "foundAtStart": True}),
        ("task:updated", {"taskId": "TASK-0001", "updates": {"status": "review"}, "foundAtStart": True}),
    ]


# From the file to the state: each change is one event, the one that fits.


async def test_an_edit_is_told_as_the_one_event_that_fits(desk: Desk) -> None:
    await desk.started(*(task(number) for number in range(1, 6)))
    with desk.edited() as tasks:
        tasks["TASK-0001"] |= {"status": "completed", "notes": "easy", "result": "report.md"}
        tasks["TASK-0002"] |= {"assignedTo": "scout", "updated": "2026-11-21T10:00:00.000Z"}
        tasks["TASK-0003"] |= {"assignedTo": "scout", "status": "in_progress"}
        del tasks["TASK-0004"]["notes"]
        del tasks["TASK-0005"]
        tasks["TASK-0006"] = task(6)
    await desk.world.until(lambda: "TASK-0006" in desk.state)
    assert sorted(desk.told(), key=lambda told: str(told[1].get("taskId"))) == [
        ("task:created", {"task": task(6)}),
        (
            "task:completed",
            {
                "taskId": "TASK-0001",
                "updates": {"status": "completed", "notes": "easy", "result": "report.md"},
                "result": "report.md",
            },
        ),
        (
            "task:assigned",
            {
                "taskId": "TASK-0002",
                "agentId": "scout",
                "updates": {"assignedTo": "scout", "updated": "2026-11-21T10:00:00.000Z"},
            },
        ),
        (
            "task:updated",
            {"taskId": "TASK-0003", "updates": {"assignedTo": "scout", "status": "in_progress"}},
        ),
        ("task:updated", {"taskId": "TASK-0004", "updates": {}, "removed": ["notes"]}),
        ("task:deleted", {"taskId": "TASK-0005"}),
    ]
    await desk.in_step()


async def test_a_file_that_is_written_again_with_the_same_tasks_tells_nothing(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    desk.write(json.dumps(root(task(2), task(1)), indent=None))
    await desk.world.silence()
    assert not desk.told()


async def test_a_file_that_takes_the_place_of_another_is_read(desk: Desk) -> None:
    await desk.started(task(1))
    beside = desk.path.with_name("mine.json")
    beside.write_text(json.dumps(root(task(1, status="review"))))
    os.replace(beside, desk.path)  # noqa: PTH105
    await desk.world.until(lambda: desk.state["TASK-0001"]["status"] == "review")


async def test_the_words_of_the_file_stay_until_the_field_changes(desk: Desk) -> None:
    await desk.started(task(1, status="In Progress", priority="high"))
    assert desk.state["TASK-0001"]["status"] == "in_progress"
    assert desk.state["TASK-0001"]["priority"] == "P1"
    await desk.queue.update("TASK-0001", {"notes": "seen"})
    await desk.in_step()
    (written,) = desk.read()["tasks"]
    assert (written["status"], written["priority"], written["notes"]) == ("In Progress", "high", "seen")
    await desk.queue.update("TASK-0001", {"status": "review"})
    await desk.in_step()
    assert desk.read()["tasks"][0]["status"] == "review"


# From the state to the file.


async def test_the_first_task_makes_the_file(desk: Desk) -> None:
    await desk.world.start()
    await desk.world.silence()
    assert not desk.path.parent.exists()
    created = await desk.queue.create({"description": "Größe"}, by="nexus")
    await desk.in_step()
    assert desk.path.read_text() == (
        json.dumps({"tasks": [created], "history": [], "nextId": 2}, indent=2, ensure_ascii=False) + "\n"
    )
    assert os.listdir(desk.path.parent) == [desk.path.name]  # noqa: PTH208
    assert [type_ for type_, _ in desk.told()] == ["task:created"]


async def test_what_does_not_change_keeps_its_bytes(desk: Desk) -> None:
    one = '{ "id":"TASK-0001",  "description": "One", "x": [1,2 ,3], "big": 1.50e2 }'
    two = '{"id": "TASK-0002", "description": "Two", "status": "pending"}'
    desk.write(
        f'{{"version" : 7,\r\n "tasks": [\r\n  {one},\r\n  {two}\r\n ],\r\n "nextId":3, "mine": {{}} }}'
    )
    await desk.world.start()
    task = await desk.queue.update("TASK-0002", {"status": "blocked"})
    await desk.in_step()
    assert desk.path.read_bytes().decode() == (
        f'{{"version" : 7,\r\n "tasks": [\r\n  {one},\r\n  '
        f'{{"id": "TASK-0002", "description": "Two", "status": "blocked", "updated": "{task["updated"]}"}}\r\n ],'
        f'\r\n "nextId":3, "mine": {{}} }}'
    )


async def test_the_files_mode_is_kept_and_nothing_is_left_next_to_it(desk: Desk) -> None:
    await desk.started(task(1))
    desk.path.chmod(0o640)
    await desk.queue.update("TASK-0001", {"notes": "seen"})
    await desk.in_step()
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o640
    await eventually(lambda: os.listdir(desk.path.parent) == [desk.path.name])  # noqa: PTH208


async def test_a_burst_of_published_events_is_few_writes(desk: Desk) -> None:
    await desk.started(task(1))
    times = set()
    for number in range(100):
        updates = {"notes": str(number)}
        await desk.world.log.append([Draft("task:updated", {"taskId": "TASK-0001", "updates": updates})])
        await asyncio.sleep(0)
        times.add(desk.path.stat().st_mtime_ns)
    await desk.in_step()
    assert desk.read()["tasks"][0]["notes"] == "99"
    assert len(times) < 40


async def test_an_event_that_others_publish_reaches_the_file(desk: Desk) -> None:
    await desk.started(task(1))
    await desk.world.log.append(
        [
            Draft("task:created", {"task": {"id": "deploy", "description": "Deploy"}}),
            Draft("task:updated", {"taskId": "TASK-0001", "updates": {"status": "review"}}),
        ]
    )
    await desk.in_step()
    assert [one["id"] for one in desk.read()["tasks"]] == ["TASK-0001", "deploy"]
    await desk.world.silence()
    assert len(desk.told()) == 2


async def test_a_task_that_was_deleted_here_goes_from_the_file(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    await desk.queue.delete("TASK-0002")
    await desk.in_step()
    assert [one["id"] for one in desk.read()["tasks"]] == ["TASK-0001"]
    assert (await desk.queue.create({}))["id"] == "TASK-0003"


async def test_the_next_number_stays_above_every_one_in_use(desk: Desk) -> None:
    await desk.started(task(1), nextId=2)
    whole = desk.read()
    whole["tasks"].append(task(7))
    desk.write(whole)
    await eventually(lambda: desk.read()["nextId"] == 8)
    assert (await desk.queue.create({}))["id"] == "TASK-0008"


@pytest.mark.parametrize(
    ("written", "after"), [("40", "41"), ("0040", "0041"), (40.0, 41), (None, 9), (40, 41)]
)
async def test_the_next_number_counts_however_it_is_written(
    desk: Desk, written: str | float | None, after: str | int
) -> None:
    await desk.started(task(7), nextId=written)
    created = await desk.queue.create({})
    assert created["id"] == ("TASK-0008" if written is None else "TASK-0040")
    assert desk.read()["nextId"] == after
    assert type(desk.read()["nextId"]) is type(after)


@pytest.mark.parametrize("odd", ["TASK-0040", "", "4e1", "٤٠", 40.5, 1e300, [40], True])
async def test_a_next_number_that_is_none_stays_as_it_is(desk: Desk, odd: Any) -> None:
    await desk.started(task(7), nextId=odd)
    assert (await desk.queue.create({}))["id"] == "TASK-0008"
    assert desk.read()["nextId"] == odd


# What is odd.


async def test_tasks_without_an_id_are_given_one_that_is_written_back(desk: Desk) -> None:
    await desk.started(task(1))
    whole = desk.read()
    whole["tasks"] += [
        {"description": "First"},
        {"description": "Second", "id": ""},
        {"description": "First"},
    ]
    desk.write(whole)
    await desk.in_step()
    assert [(one["id"], one["description"]) for one in desk.read()["tasks"]] == [
        ("TASK-0001", "Task 1"),
        ("TASK-0002", "First"),
        ("TASK-0003", "Second"),
        ("TASK-0004", "First"),
    ]
    assert desk.read()["nextId"] == 5
    # The same copy again, from somebody who has not read it since: no new tasks.
    desk.write(whole)
    await desk.in_step()
    assert len(desk.told("task:created")) == 3
    assert len(desk.read()["tasks"]) == 4


async def test_the_second_of_two_with_the_same_id_is_given_another(desk: Desk) -> None:
    await desk.started(task(1))
    whole = desk.read()
    whole["tasks"] += [task(1, description="Another")]
    desk.write(whole)
    await desk.in_step()
    assert [(one["id"], one["description"]) for one in desk.read()["tasks"]] == [
        ("TASK-0001", "Task 1"),
        ("TASK-0002", "Another"),
    ]


async def test_what_is_no_task_is_left_and_told_once(desk: Desk) -> None:
    await desk.started("TASK: buy milk", task(1), None, task(2, blob="x" * 200_000), nextId=3)
    await desk.queue.update("TASK-0001", {"notes": "seen"})
    await eventually(lambda: desk.read()["tasks"][1]["notes"] == "seen")
    tasks = desk.read()["tasks"]
    assert (tasks[0], tasks[2], len(tasks[3]["blob"])) == ("TASK: buy milk", None, 200_000)
    await desk.world.restart()
    await desk.world.silence()
    (alert,) = desk.world.alerts()
    assert "entry 1: It is no object" in alert


async def test_a_task_that_grows_out_of_bounds_is_not_taken_for_deleted(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    with desk.edited() as tasks:
        tasks["TASK-0002"]["notes"] = "x" * 200_000
    await desk.world.until(desk.world.alerts)
    await desk.queue.update("TASK-0001", {"notes": "seen"})
    await eventually(lambda: desk.read()["tasks"][0]["notes"] == "seen")
    assert desk.state["TASK-0002"] == task(2)
    assert len(desk.read()["tasks"][1]["notes"]) == 200_000
    with desk.edited() as tasks:
        tasks["TASK-0002"]["notes"] = "short"
    await desk.world.until(lambda: desk.state["TASK-0002"]["notes"] == "short")


async def test_halves_of_characters_and_endless_numbers_do_no_harm(desk: Desk) -> None:
    odd = r'{"id": "a", "notes": "\ud83d", "n": 1e999, "i": 123456789012345678901234567890}'
    desk.write(f'{{"tasks": [{odd}], "history": [{odd}]}}')
    await desk.world.start()
    kept = {"id": "a", "notes": "?", "n": None, "i": 123456789012345678901234567890}
    assert desk.state == {"a": kept}
    assert desk.queue.history() == [kept]
    await desk.queue.create({"description": "New"})
    await desk.in_step()
    assert odd in desk.path.read_text()


async def test_a_bare_list_is_a_queue_too(desk: Desk) -> None:
    desk.write([task(1)])
    await desk.world.start()
    await desk.queue.create({"description": "New"})
    await desk.in_step()
    assert [one["id"] for one in json.loads(desk.path.read_text())] == ["TASK-0001", "TASK-0002"]
