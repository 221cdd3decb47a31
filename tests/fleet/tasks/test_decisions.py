"""What a change makes of a task, and which changes a task allows."""

from __future__ import annotations

import pytest

from missioncontrol.errors import BadTask, Conflict
from missioncontrol.fleet.tasks.decisions import check_free, check_id, in_its_status, is_open, time_after


def test_a_task_that_is_over_or_of_another_agent_is_not_free() -> None:
    check_free({"id": "T", "assignedTo": "Scout"}, "scout")
    for task in ({"id": "T", "status": "completed"}, {"id": "T", "assignedTo": "forge"}):
        with pytest.raises(Conflict):
            check_free(task, "scout")
    assert is_open({"status": "pending", "assignedTo": "Unassigned", "tags": ["a"]}, ["a", "b"])
    assert not is_open({"status": "pending", "assignedTo": "Unassigned", "tags": None}, ["a"])
    assert not is_open({"status": "pending", "assignedTo": "scout"}, ())


def test_the_id_of_a_task_cannot_be_changed() -> None:
    given = {"id": "T@alpha", "notes": "n"}
    check_id(given, "T", {"id": "T@alpha"})
    assert given == {"notes": "n"}
    with pytest.raises(BadTask):
        check_id({"id": "U"}, "T", {"id": "T"})


def test_a_status_notes_when_it_began() -> None:
    assert in_its_status({"status": "in_progress"}, {"status": "pending"}, "now")["startedAt"] == "now"
    assert in_its_status({"status": "completed"}, {"status": "pending"}, "now")["completedAt"] == "now"
    assert in_its_status({"status": "completed"}, {"status": "completed"}, "now") == {"status": "completed"}
    assert time_after({"updated": "2999-01-01T00:00:00.000Z"}) < "2999"
