"""A broken file is looked at again before it is complained about, and complained about ever more seldom."""

from __future__ import annotations

from time import time_ns

from missioncontrol.watch.debounce import SECOND_LOOKS, Debounce, DebounceDecision, RepeatLimit
from missioncontrol.watch.tree import Content

OLD = 1_000_000_000


def test_a_file_that_is_being_written_is_looked_at_again_for_a_second() -> None:
    doubt = Debounce("a")
    verdicts = [doubt.broken(Content(b"{", time_ns())) for _ in range(len(SECOND_LOOKS) + 1)]
    assert [verdict.wait for verdict in verdicts] == [*SECOND_LOOKS, None]
    assert verdicts[-1].complain


def test_a_file_that_has_been_broken_for_long_is_complained_about_at_once_and_once() -> None:
    doubt = Debounce("a")
    assert doubt.broken(Content(b"{", OLD)) == DebounceDecision(complain=True)
    assert doubt.broken(Content(b"{", OLD)) == DebounceDecision()


def test_the_next_complaint_waits_until_the_silence_is_over() -> None:
    doubt = Debounce("a")
    doubt.broken(Content(b"{", OLD))
    verdict = doubt.broken(Content(b"[", OLD))
    assert not verdict.complain
    assert verdict.wait is not None
    assert 0 < verdict.wait <= 1.0


def test_a_file_that_is_whole_again_is_complained_about_again() -> None:
    doubt = Debounce("a")
    doubt.broken(Content(b"{", OLD))
    doubt.whole()
    assert doubt.reported == ""
    assert doubt.broken(Content(b"[", OLD)).complain


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    before = Debounce("a")
    before.broken("it is not a regular file")
    assert Debounce("a", before.reported).broken("it is not a regular file") == DebounceDecision()


def test_a_missing_file_is_believed_to_be_gone_after_some_looks() -> None:
    doubt = Debounce("a")
    waits = [doubt.missing().wait for _ in range(len(SECOND_LOOKS) + 1)]
    assert waits == [*SECOND_LOOKS, None]


def test_silence_doubles_with_each_complaint_and_belongs_to_one_file() -> None:
    complaints = RepeatLimit()
    for _ in range(4):
        complaints.made("a")
    assert 7 < complaints.wait("a") <= 8
    assert complaints.wait("b") == 0
    complaints.settled("a")
    assert complaints.wait("a") == 0
