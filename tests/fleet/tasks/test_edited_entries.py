"""Which task an entry without an id is, that its author has edited: by its words, or the moment it was created in."""

from __future__ import annotations

import pytest

from missioncontrol.fleet.tasks.edited_entries import EditedEntries
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import Task

MOMENT = "2026-11-30T10:15:00.123Z"


@pytest.mark.parametrize(
    ("known", "entry", "is_it"),
    [
        ({"description": "A"}, {"description": "A", "status": "review"}, True),
        ({"description": "A"}, {"description": "B"}, False),
        ({"description": "A", "created": MOMENT}, {"description": "A"}, True),
        ({"description": "A", "created": MOMENT}, {"description": "B", "created": MOMENT}, True),
        ({"description": "A", "created": "2026-11-30"}, {"description": "B", "created": "2026-11-30"}, False),
        (
            {"description": "A", "created": "2026-11-30T10:15:00.000Z"},
            {"description": "B", "created": "2026-11-30T10:15:00.000Z"},
            False,
        ),
        ({"description": "A", "created": "2026-11-30"}, {"description": "A", "created": MOMENT}, False),
        ({"description": "A", "createdBy": "scout"}, {"description": "A", "createdBy": "forge"}, False),
        ({"created": MOMENT, "a": 1, "b": 2, "c": 3}, {"created": MOMENT}, False),
        ({"description": ""}, {"description": ""}, False),
        ({"description": ["A"]}, {"description": ["A"]}, False),
        ({"title": "A"}, {"title": "A", "status": "review"}, False),
    ],
)
def test_an_entry_is_the_task_with_its_words_or_its_moment(known: Task, entry: Task, is_it: bool) -> None:
    past = RevisionHistory()
    past.note({"TASK-0001": {**known, "id": "TASK-0001"}}, 2)
    assert EditedEntries(past, {}, ["TASK-0001"]).take(entry) == ("TASK-0001" if is_it else None)


def test_it_is_known_as_it_was_in_the_file_and_as_it_is_here() -> None:
    past = RevisionHistory()
    past.note({"TASK-0001": {"description": "A"}}, 2)
    here = {"TASK-0001": {"description": "B"}}
    for words in "AB":
        assert EditedEntries(past, here, here).take({"description": words, "x": 1}) == "TASK-0001"


def test_of_several_it_is_the_one_that_it_differs_least_from_and_none_is_two() -> None:
    tasks: dict[str, Task] = {
        "TASK-0009": {"description": "A", "assignedTo": "scout"},
        "TASK-0010": {"description": "A", "assignedTo": "forge"},
    }
    edited = EditedEntries(RevisionHistory(), tasks, reversed(tasks))
    assert edited.take({"description": "A", "assignedTo": "forge", "x": 1}) == "TASK-0010"
    assert edited.take({"description": "A", "assignedTo": "forge", "x": 2}) == "TASK-0009"
    assert edited.take({"description": "A", "assignedTo": "forge", "x": 3}) is None


def test_its_words_say_more_than_the_moment() -> None:
    tasks: dict[str, Task] = {
        "TASK-0001": {"description": "A", "created": MOMENT, "priority": "P0", "assignedTo": "scout"},
        "TASK-0002": {"description": "B", "created": MOMENT, "priority": "P1", "assignedTo": "forge"},
    }
    edited = EditedEntries(RevisionHistory(), tasks, tasks)
    assert edited.take({**tasks["TASK-0001"], "description": "B"}) == "TASK-0002"


def test_many_with_the_same_words_are_found_at_a_cost_that_grows_with_them_alone() -> None:
    class Counted(dict[str, Task]):
        asked = 0

        def get(self, id_: str, default: object = None) -> Task | None:  # type: ignore[override]
            self.asked += 1
            return self[id_]

    tasks = Counted({f"TASK-{number:04}": {"description": "A", "n": number} for number in range(1, 3_000)})
    edited = EditedEntries(RevisionHistory(), tasks, tasks)
    assert [edited.take({"description": "A", "x": 1}) for _ in tasks] == sorted(tasks)
    assert tasks.asked <= 25 * len(tasks)
