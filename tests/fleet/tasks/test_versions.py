"""Versions of a task: which one a copy was made of, and since when the task is over."""

from __future__ import annotations

from tests.fleet.tasks.desk import task

from missioncontrol.fleet.tasks.versions import Version, nearest, over_since, thin


def test_a_status_that_others_have_set_too_does_not_decide_what_a_copy_was_made_of() -> None:
    first = task(1)
    others = task(1, description="New", status="completed")
    # The copy was made of the first, completed, and a note was added: it knows nothing of the new description.
    copy = task(1, status="completed", notes="done")
    assert nearest(copy, [first, others]) == first


def test_a_task_is_over_since_the_first_of_its_last_versions_that_are() -> None:
    known = [
        Version(task(1, status="completed"), 1, 2, noted=10),
        Version(task(1), 2, 3, noted=20),
        Version(task(1, status="cancelled"), 3, 4, noted=30),
        Version(task(1, status="completed"), 4, noted=40),
    ]
    assert over_since(known) == 30
    assert over_since(known[:2]) is None


def test_the_first_version_stays_when_others_are_forgotten() -> None:
    known = [Version(task(1), 1, 2, let_go=True), Version(task(1), 2, 3), Version(task(1), 3)]
    thin(known)
    assert [(one.since, one.until == 3, one.let_go) for one in known] == [(1, True, True), (3, False, False)]
