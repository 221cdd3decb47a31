"""What the API says and what the file says is the same for the one who asks, at the moment of the answer."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import pytest
from tests.fleet.tasks.desk import Desk, Root, root, task

from missioncontrol.events import Draft
from missioncontrol.fleet.tasks.queue_file import QueueFile, Text

pytestmark = pytest.mark.anyio

BROKEN = '{"tasks": [{"id": "TASK-0001", "desc'


def in_file(desk: Desk) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in desk.read()["tasks"]}


def replace(desk: Desk, content: Root | str) -> None:
    """Write the file as careful agents do: another file takes its place."""
    desk.world.replace("mission-control/TASK_QUEUE.json", content)


def add_by_hand(desk: Desk, **fields: Any) -> str:
    """Add a task to the file under the id that the file gives as the next."""
    whole = desk.read()
    number = whole["nextId"]
    replace(desk, {**whole, "tasks": [*whole["tasks"], task(number, **fields)], "nextId": number + 1})
    return f"TASK-{number:04}"


class Puts:
    """Counts the writes of the file, and fails them on demand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.error: OSError | None = None
        put = QueueFile.put

        def counted(file: QueueFile, new: Text, before: Text | None) -> bool:
            self.count += 1
            if self.error is not None:
                raise self.error
            return put(file, new, before)

        monkeypatch.setattr(QueueFile, "put", counted)


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> Puts:
    return Puts(monkeypatch)


# From the API to the file.


async def test_every_change_is_in_the_file_when_it_returns(desk: Desk) -> None:
    await desk.started(task(1), task(2), task(3))
    queue = desk.queue
    new = await queue.create({"description": "New"})
    assert in_file(desk)[new["id"]]["description"] == "New"
    await queue.update("TASK-0001", {"notes": "here"})
    assert in_file(desk)["TASK-0001"]["notes"] == "here"
    await queue.set_priority("TASK-0001", "P0")
    assert in_file(desk)["TASK-0001"]["priority"] == "P0"
    await queue.assign("TASK-0002", "scout")
    assert in_file(desk)["TASK-0002"]["assignedTo"] == "scout"
    claimed = await queue.claim_next("forge", start=True)
    assert claimed is not None
    assert in_file(desk)[claimed["id"]]["assignedTo"] == "forge"
    added = await queue.add_subtask("TASK-0002", {"description": "A step"})
    assert in_file(desk)["TASK-0002"]["subtasks"][0]["id"] == added["id"]
    await queue.complete_subtask("TASK-0002", added["id"])
    assert in_file(desk)["TASK-0002"]["status"] == "review"
    await queue.delete("TASK-0003")
    assert "TASK-0003" not in in_file(desk)


async def test_the_first_task_of_a_workspace_without_a_queue_is_in_a_new_file(desk: Desk) -> None:
    await desk.world.start()
    new = await desk.queue.create({"description": "First"})
    assert list(in_file(desk)) == [new["id"]] == ["TASK-0001"]


async def test_changes_of_many_callers_share_writes(desk: Desk, puts: Puts) -> None:
    await desk.started(*(task(number) for number in range(1, 41)))

    async def change(number: int) -> None:
        await desk.queue.update(f"TASK-{number:04}", {"notes": f"note {number}"})
        assert in_file(desk)[f"TASK-{number:04}"]["notes"] == f"note {number}"

    await asyncio.gather(*(change(number) for number in range(1, 41)))
    assert puts.count < 20


async def test_a_change_of_many_tasks_is_one_write(desk: Desk, puts: Puts) -> None:
    await desk.started(*(task(number) for number in range(1, 301)))
    answers = await desk.queue.bulk_update([f"TASK-{number:04}" for number in range(1, 302)], {"notes": "n"})
    assert [one["notes"] for one in in_file(desk).values()] == ["n"] * 300
    assert "error" in answers[-1]
    assert puts.count == 1


async def test_no_answer_waits_for_changes_to_be_gathered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.tasks.sync.GATHER_SECONDS", 60.0)
    await desk.started(task(1))
    async with asyncio.timeout(30):
        for number in range(10):
            await desk.queue.update("TASK-0001", {"notes": f"{number}"})
    assert in_file(desk)["TASK-0001"]["notes"] == "9"


async def test_a_change_while_an_agent_writes_the_file_is_in_it_when_it_returns(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    whole = desk.read()
    desk.write(BROKEN)

    async def complete() -> None:
        await asyncio.sleep(0.02)
        desk.write(whole)

    completing = asyncio.create_task(complete())
    await desk.queue.update("TASK-0001", {"notes": "here"})
    await completing
    assert in_file(desk)["TASK-0001"]["notes"] == "here"


async def test_a_change_while_the_file_is_missing_comes_to_it(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    desk.path.unlink()
    await desk.queue.update("TASK-0001", {"notes": "here"})
    await desk.in_step()
    assert in_file(desk)["TASK-0001"]["notes"] == "here"


@pytest.mark.parametrize("age", [0, 60])
async def test_a_broken_file_holds_up_no_answer(desk: Desk, age: int) -> None:
    await desk.started(task(1))
    desk.write(BROKEN)
    then = time_ns() - age * 1_000_000_000
    os.utime(desk.path, ns=(then, then))
    began = monotonic()
    await desk.queue.update("TASK-0001", {"notes": "here"})
    assert monotonic() - began < 4.0
    await desk.world.until(lambda: desk.world.alerts())
    began = monotonic()
    for number in range(10):
        await desk.queue.update("TASK-0001", {"notes": f"{number}"})
        await desk.queue.fresh()
    assert monotonic() - began < 4.0
    assert desk.path.read_text() == BROKEN
    assert desk.state["TASK-0001"]["notes"] == "9"
    desk.write(root(task(1)))
    await desk.queue.fresh()
    await desk.in_step()
    assert in_file(desk)["TASK-0001"]["notes"] == "9"


async def test_reads_of_a_file_that_is_being_written_do_not_make_it_a_broken_one(desk: Desk) -> None:
    await desk.started(task(1))
    text = json.dumps(root(task(1, notes="whole")))
    for length in range(1, 20):
        desk.write(text[: length * 10])
        await desk.queue.fresh()
    desk.write(text)
    await desk.queue.fresh()
    assert desk.queue.find("TASK-0001")["notes"] == "whole"
    assert desk.world.alerts() == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
async def test_a_file_that_cannot_be_written_holds_up_no_answer(desk: Desk, puts: Puts, number: int) -> None:
    await desk.started(task(1))
    puts.error = OSError(number, os.strerror(number))
    began = monotonic()
    for count in range(10):
        await desk.queue.update("TASK-0001", {"notes": f"{count}"})
    assert monotonic() - began < 4.0
    assert puts.count < 5
    assert len(desk.world.alerts()) == 1
    puts.error = None
    await desk.in_step()
    assert in_file(desk)["TASK-0001"]["notes"] == "9"


async def test_a_file_that_can_be_written_again_is_written_by_the_next_change(
    desk: Desk, puts: Puts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.tasks.file_writer.FIRST_RETRY_SECONDS", 60.0)
    await desk.started(task(1))
    puts.error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    await desk.queue.update("TASK-0001", {"notes": "one"})
    puts.error = None
    await asyncio.sleep(1.1)
    await desk.queue.update("TASK-0001", {"notes": "two"})
    assert in_file(desk)["TASK-0001"]["notes"] == "two"


# From the file to the API.


async def test_what_was_written_by_hand_is_there_for_the_next_caller(desk: Desk) -> None:
    await desk.started(task(1))
    for number in range(30):
        id_ = add_by_hand(desk, notes=f"{number}")
        await desk.queue.fresh()
        assert desk.queue.find(id_)["notes"] == f"{number}"


async def test_an_id_that_was_just_used_by_hand_is_not_given_again(desk: Desk) -> None:
    await desk.started(task(1))
    for number in range(10):
        by_hand = add_by_hand(desk, description=f"By hand {number}")
        made = await desk.queue.create({"description": f"Made {number}"})
        assert made["id"] != by_hand
        assert in_file(desk)[by_hand]["description"] == f"By hand {number}"
        assert in_file(desk)[made["id"]]["description"] == f"Made {number}"
    assert [alert for alert in desk.world.alerts() if "edited" in alert] == []


async def test_an_edit_in_place_of_the_same_length_is_seen(desk: Desk) -> None:
    await desk.started(task(1, notes="0"))
    for number in range(1, 10):
        text = desk.path.read_text().replace(f'"notes": "{number - 1}"', f'"notes": "{number}"')
        desk.path.write_text(text)
        await desk.queue.fresh()
        assert desk.queue.find("TASK-0001")["notes"] == f"{number}"


async def test_an_edit_of_the_same_length_right_after_a_change_is_seen(desk: Desk) -> None:
    await desk.started(task(1), task(2, notes="0"))
    for number in range(1, 31):
        await desk.queue.update("TASK-0001", {"notes": f"{number:02}"})
        desk.path.write_text(
            desk.path.read_text().replace(f'"notes": "{number - 1}"', f'"notes": "{number}"')
        )
        await desk.queue.fresh()
        assert desk.queue.find("TASK-0002")["notes"] == f"{number}"


async def test_the_file_that_was_just_written_is_not_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.started(task(1))
    await desk.queue.update("TASK-0001", {"notes": "0"})
    reads = _count(monkeypatch, "missioncontrol.fleet.tasks.scan.read_file")
    for number in range(10):
        await desk.queue.update("TASK-0001", {"notes": f"{number}"})
        await desk.queue.fresh()
    assert reads() == 0


async def test_where_times_are_whole_seconds_an_edit_right_after_a_change_is_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole_seconds(path: int | str | Path, ns: tuple[int, int]) -> None:
        utime(path, ns=(ns[0] // 10**9 * 10**9, ns[1] // 10**9 * 10**9))

    utime = os.utime
    monkeypatch.setattr("missioncontrol.fleet.tasks.queue_file.os.utime", whole_seconds)
    await desk.started(task(1), task(2, notes="0"))
    for number in range(1, 6):
        await desk.queue.update("TASK-0001", {"notes": f"{number}"})
        seen = desk.path.stat().st_mtime_ns
        desk.path.write_text(
            desk.path.read_text().replace(f'"notes": "{number - 1}"', f'"notes": "{number}"')
        )
        utime(desk.path, ns=(seen, seen))
        await desk.queue.fresh()
        assert desk.queue.find("TASK-0002")["notes"] == f"{number}"


async def test_a_write_into_the_file_that_was_just_replaced_is_seen(desk: Desk) -> None:
    await desk.started(task(1), task(2))
    whole = desk.read()
    whole["tasks"][1]["notes"] = "theirs"
    with desk.path.open("r+") as file:
        await desk.queue.update("TASK-0001", {"notes": "ours"})
        file.write(json.dumps(whole))
        file.truncate()
    await desk.queue.fresh()
    assert desk.queue.find("TASK-0002")["notes"] == "theirs"
    await desk.in_step()
    assert in_file(desk)["TASK-0001"]["notes"] == "ours"


async def test_a_change_decides_by_what_was_just_written_by_hand(desk: Desk) -> None:
    await desk.started(task(1))
    id_ = add_by_hand(desk, metadata={"a": 1})
    assert (await desk.queue.update(id_, {"metadata": {"b": 2}}))["metadata"] == {"a": 1, "b": 2}
    id_ = add_by_hand(desk, priority="P0")
    claimed = await desk.queue.claim_next("scout")
    assert claimed is not None
    assert claimed["id"] == id_


async def test_a_file_that_does_not_change_is_not_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.started(task(1))
    for content in (desk.path.read_text(), BROKEN):
        desk.write(content)
        os.utime(desk.path, (1, 1))
        await desk.queue.fresh()
        await desk.world.silence()
        reads = _count(monkeypatch, "missioncontrol.fleet.tasks.scan.read_file")
        for _ in range(20):
            await desk.queue.fresh()
        assert reads() == 0
        monkeypatch.undo()


async def test_callers_share_the_check(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.started(task(1))
    await desk.world.silence()
    checks = _count(monkeypatch, "missioncontrol.fleet.tasks.scan.look")
    await asyncio.gather(*(desk.queue.fresh() for _ in range(500)))
    assert 0 < checks() < 10


async def test_a_large_queue_is_fresh_too(desk: Desk) -> None:
    await desk.started(*(task(number, notes="n" * 100) for number in range(1, 5_001)))
    await desk.world.eventually(lambda: _is_ready(desk))
    id_ = add_by_hand(desk)
    await desk.queue.fresh()
    assert desk.queue.find(id_)
    await desk.queue.update(id_, {"notes": "here"})
    assert in_file(desk)[id_]["notes"] == "here"


# At the end.


async def test_a_stop_writes_what_is_pending(desk: Desk) -> None:
    await desk.started(task(1))
    draft = Draft("task:updated", {"taskId": "TASK-0001", "updates": {"notes": "published"}})
    await desk.world.log.append([draft])
    await desk.world.stop()
    assert in_file(desk)["TASK-0001"]["notes"] == "published"


async def test_a_stop_in_the_middle_of_a_change_writes_it(desk: Desk) -> None:
    await desk.started(task(1))
    for number in range(10):
        change = asyncio.create_task(desk.queue.update("TASK-0001", {"notes": f"{number}"}))
        await asyncio.sleep(number * 0.001)
        await desk.world.stop()
        await change
        assert in_file(desk)["TASK-0001"]["notes"] == f"{number}"
        await desk.world.start()


async def test_a_stop_waits_for_no_file_that_cannot_be_written(desk: Desk, puts: Puts) -> None:
    await desk.started(task(1))
    puts.error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    await desk.queue.update("TASK-0001", {"notes": "here"})
    began = monotonic()
    await desk.world.stop()
    assert monotonic() - began < 4.0


def _is_ready(desk: Desk) -> bool:
    assert desk.world.supervisor is not None
    return desk.world.supervisor.health()["tasks"].status == "running"


def _count(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], int]:
    """Have the calls of a function counted; return what says how many there were."""
    module, _, attribute = name.rpartition(".")
    original = getattr(__import__(module, fromlist=[attribute]), attribute)
    calls: list[Path] = []

    def counted(root_: Path, *rest: Any) -> Any:
        calls.append(root_)
        return original(root_, *rest)

    monkeypatch.setattr(name, counted)
    return lambda: len(calls)
