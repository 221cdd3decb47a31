"""Ids for entries of the file that have none: the same again, at a cost that grows with the entries alone."""

from __future__ import annotations

from missioncontrol.fleet.tasks.ids import Candidates, Ids

ENTRIES = 3_000


class Used(set[str]):
    """Ids that are used, which counts how often it is asked."""

    asked = 0

    def __contains__(self, id_: object) -> bool:
        self.asked += 1
        return super().__contains__(id_)


def named(ids: Ids) -> tuple[list[str], int]:
    """Name entries that are all the same, and return their ids and how many were looked at."""
    used, candidates, found = Used(), Candidates(), []
    for _ in range(ENTRIES):
        id_ = ids.for_entry({}, used, candidates)
        used.add(id_)
        found.append(id_)
    return found, used.asked


def test_entries_with_the_same_words_get_an_id_each_and_the_same_when_they_are_read_again() -> None:
    ids = Ids(())
    first, _ = named(ids)
    assert len(set(first)) == ENTRIES
    again, asked = named(ids)
    assert again == first
    assert asked <= 2 * ENTRIES
