"""The queue and its file under trouble, and while all edit at once: both end up the same, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from random import Random

import pytest
from tests.fleet.tasks.desk import Desk, eventually, root, task

from missioncontrol.errors import Conflict

pytestmark = pytest.mark.anyio


async def test_an_edit_that_says_it_is_older_than_ours_was_not_made_of_ours(desk: Desk) -> None:
    await desk.started(task(1))
    copy = desk.read()
    await desk.queue.update("TASK-0001", {"description": "ours"})
    await desk.in_step()
    copy["tasks"][0] |= {"description": "theirs", "updated": "2026-11-20T10:00:01.000Z"}
    desk.write(copy)
    await desk.world.until(lambda: [alert for alert in desk.world.alerts() if "TASK-0001" in alert])
    await desk.in_step()
    assert desk.state["TASK-0001"]["description"] == "ours"


async def test_a_broken_file_is_told_once_never_written_over_and_merged_when_whole(desk: Desk) -> None:
    await desk.started(task(1))
    broken = '{"tasks": [{"id": "TASK-0001", "desc'
    desk.write(broken)
    os.utime(desk.path, (1, 1))
    await desk.world.until(lambda: desk.world.alerts())
    await desk.queue.create({"description": "Meanwhile"})
    await desk.world.silence()
    assert desk.path.read_text() == broken
    assert len(desk.world.alerts()) == 1
    desk.write(root(task(1, notes="whole")))
    await desk.world.until(lambda: desk.state["TASK-0001"].get("notes") == "whole")
    await desk.in_step()
    assert len(desk.read()["tasks"]) == 2


async def test_a_file_that_is_gone_is_written_again_with_the_next_change(desk: Desk) -> None:
    await desk.started(task(1))
    desk.path.unlink()
    await desk.world.until(lambda: desk.world.alerts())
    assert len(desk.state) == 1
    await desk.queue.update("TASK-0001", {"notes": "n"})
    await desk.in_step()


async def test_markdown_is_read_where_there_is_no_json(desk: Desk) -> None:
    desk.world.write(
        "mission-control/TASK_QUEUE.md",
        "# Queue\n\n## Active Task Queue\n\n"
        "| ID | Task | Status | Assigned To | Priority | Created | Due |\n|---|---|---|---|---|---|---|\n"
        "| TASK-0007 | Read \\| write | 🔵 IN PROGRESS | scout | HIGH | 2026-02-17 | - |\n\n"
        "## Task History (Last 10)\n\n| ID | Task | Status | Completed | By |\n|---|---|---|---|---|\n"
        "| 1 | Deploy | ✅ COMPLETED | 2026-02-17 06:45 | Nexus |\n",
    )
    await desk.world.start()
    await desk.world.until(lambda: desk.state)
    found = desk.state["TASK-0007"]
    assert (found["description"], found["status"], found["priority"], found["assignedTo"]) == (
        "Read | write",
        "in_progress",
        "P1",
        "scout",
    )
    assert not desk.path.exists()
    assert desk.queue.find("1")["completedBy"] == "Nexus"
    await desk.queue.create({"description": "From here on"})
    await desk.in_step()
    assert {one["id"] for one in desk.read()["tasks"]} == {"TASK-0007", "TASK-0008"}


@pytest.mark.parametrize(
    "text",
    [
        "{header}\n{rule}\n{rows}",
        "# Tasks\n\n| Sign | Meaning |\n|---|---|\n| 🟡 | waits |\n\n{header}\n{rule}\n{rows}",
        "## Urgent\n\n{header}\n{rule}\n{first}\n\n## Later\n\n{header}\n{rule}\n{second}\n\n"
        "## Task History\n\n{header}\n{rule}\n| 1 | Deploy | done | nexus |\n",
    ],
)
async def test_a_table_of_tasks_is_found_under_whatever_heading(desk: Desk, text: str) -> None:
    first, second = "| TASK-0001 | Read | pending | scout |", "| TASK-0002 | Write | 🔵 Working | - |"
    header, rule = "| ID | Description | Status | Assignee |", "|:--|---|---|--:|"
    rows = f"{first}\n{second}\n"
    desk.world.write("mission-control/TASK_QUEUE.md", text.format_map(locals()))
    await desk.world.start()
    await desk.world.until(lambda: desk.state)
    assert {id_: (found["description"], found["assignedTo"]) for id_, found in desk.state.items()} == {
        "TASK-0001": ("Read", "scout"),
        "TASK-0002": ("Write", "Unassigned"),
    }


async def test_of_two_who_claim_one_gets_it(desk: Desk) -> None:
    await desk.started(task(1))
    answers = await asyncio.gather(
        *(desk.queue.assign("TASK-0001", agent, claim=True) for agent in ("scout", "forge")),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1


async def test_nobodys_edit_is_lost_while_all_edit_at_once(desk: Desk) -> None:
    await desk.started(*(task(number) for number in range(1, 21)))
    stop = threading.Event()
    marks: set[str] = set()

    def edit_by_hand() -> None:
        chance = Random(1)
        number = 0
        while not stop.is_set():
            tree = desk.read()
            time.sleep(chance.random() * 0.03)
            number += 1
            edited = chance.choice(tree["tasks"])
            edited[f"hand{number}"] = number
            marks.add(f"{edited['id']} hand{number}")
            path = desk.path
            beside = path.with_name("mine.tmp")
            beside.write_text(json.dumps(tree, indent=2))
            beside.rename(path)
            time.sleep(chance.random() * 0.1)

    hand = threading.Thread(target=edit_by_hand)
    hand.start()
    chance = Random(2)
    try:
        for number in range(60):
            id_ = f"TASK-{chance.randint(1, 20):04}"
            await desk.queue.update(id_, {f"here{number}": number})
            marks.add(f"{id_} here{number}")
            await asyncio.sleep(chance.random() * 0.05)
    finally:
        stop.set()
        await asyncio.to_thread(hand.join)
    await desk.in_step()
    found = {
        f"{id_} {name}" for id_, one in desk.state.items() for name in one if name[:4] in ("hand", "here")
    }
    assert found == marks


async def test_a_change_of_one_in_ten_thousand_tasks_is_written(desk: Desk) -> None:
    await desk.started(*(task(number, notes="n" * 100) for number in range(1, 10_001)))
    await desk.in_step()
    await desk.queue.update("TASK-5000", {"notes": "changed"})
    await eventually(lambda: '"changed"' in desk.path.read_text())
