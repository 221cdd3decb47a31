"""The status of an agent, from each kind of evidence and each pair of them."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.fleet.agent_status import (
    SILENT_SECONDS,
    FileEvidence,
    RuntimeAgent,
    by_runtime,
    by_sessions,
    runtime_decides,
)
from missioncontrol.fleet.usage.sessions import Session

NOW = 1_795_428_900_000
SECOND = 1000
SILENT = NOW - SILENT_SECONDS * SECOND


def session(doing: Any, at: int, **more: Any) -> Session:
    return Session("scout", "Scout", "codex", doing=doing, at=at, **more)


@pytest.mark.parametrize(
    ("sessions", "alive", "status", "at"),
    [
        ([session("idle", NOW - 5)], {}, "idle", NOW - 5),
        ([session("busy", NOW - 5)], {}, "busy", NOW - 5),
        ([session("error", NOW - 5)], {}, "error", NOW - 5),
        ([session("unknown", NOW - 5)], {}, "unknown", NOW - 5),
        # The newest decides, in whatever state it is, unless another goes on.
        ([session("error", NOW - 9), session("idle", NOW - 5)], {}, "idle", NOW - 5),
        ([session("busy", NOW - 9), session("idle", NOW - 5)], {}, "busy", NOW - 9),
        ([session("waiting", NOW - 9), session("idle", NOW - 5)], {}, "waiting", NOW - 9),
        # One that waits for a person goes before those that work.
        ([session("busy", NOW - 5), session("waiting", NOW - 9)], {}, "waiting", NOW - 9),
        ([session("busy", NOW - 9), session("busy", NOW - 5)], {}, "busy", NOW - 5),
        # One that gives no sign may have died without a word.
        ([session("busy", SILENT)], {}, "silent", SILENT),
        ([session("busy", SILENT + 1)], {}, "busy", SILENT + 1),
        # One that waits goes on waiting, however long.
        ([session("waiting", SILENT)], {}, "waiting", SILENT),
        ([session("waiting", 1), session("idle", NOW - 5)], {}, "waiting", 1),
        ([session("waiting", 1), session("busy", NOW - 5)], {}, "waiting", 1),
        ([session("busy", SILENT), session("idle", NOW - 5)], {}, "idle", NOW - 5),
        ([session("busy", SILENT), session("waiting", NOW - 5)], {}, "waiting", NOW - 5),
        # Without its process nothing goes on.
        ([session("busy", NOW - 5)], {"codex": False}, "offline", NOW - 5),
        ([session("waiting", NOW - 5)], {"codex": False}, "offline", NOW - 5),
        ([session("busy", SILENT)], {"codex": False}, "offline", SILENT),
        ([session("idle", NOW - 5)], {"codex": False}, "idle", NOW - 5),
        ([session("busy", NOW - 5)], {"codex": True}, "busy", NOW - 5),
        ([session("busy", NOW - 5)], {"codex": None}, "busy", NOW - 5),
        ([session("busy", NOW - 5)], {"another": False}, "busy", NOW - 5),
        # A clock that is ahead makes nothing silent.
        ([session("busy", NOW + 60 * SECOND)], {}, "busy", NOW + 60 * SECOND),
    ],
)
def test_sessions_decide_what_an_agent_does(
    sessions: list[Session], alive: dict[str, bool | None], status: str, at: int
) -> None:
    for order in (sessions, sessions[::-1]):
        shown = by_sessions(order, NOW, alive)
        assert (shown.status, shown.at) == (status, at)


def test_a_session_whose_process_runs_goes_before_those_that_have_ended() -> None:
    ended, idle, busy = session("offline", NOW - 1), session("idle", NOW - 9), session("busy", SILENT)
    assert by_sessions([ended, idle], NOW, {}).status == "offline"
    assert by_sessions([ended, idle], NOW, {}, [idle]).status == "idle"
    # One that works without a sign is not silent while its process says so.
    assert by_sessions([ended, busy], NOW, {}, [busy]).status == "busy"
    equal = session("busy", SILENT)
    assert by_sessions([equal, idle], NOW, {}, [idle]).status == "idle"


def test_the_session_that_decides_is_the_evidence_and_the_newest_names_the_agent_and_its_model() -> None:
    shown = by_sessions(
        [
            session("waiting", NOW - 9, detail="Bash", evidence="Codex hook", by="desk", model="old"),
            session("idle", NOW - 5, detail="done", model="new"),
        ],
        NOW,
        {},
    )
    assert (shown.evidence, shown.detail, shown.by, shown.model) == ("Codex hook", "Bash", "desk", "new")


def test_who_has_passed_on_a_status_is_not_named_for_what_was_concluded_from_it() -> None:
    assert by_sessions([session("busy", SILENT, by="desk")], NOW, {}).by is None
    assert by_sessions([session("busy", NOW)], NOW, {}).evidence == "Codex transcript"


def runtime(status: str, at: int, evidence: str = "Codex transcript") -> RuntimeAgent:
    return RuntimeAgent("codex", "Scout", status, at, evidence)


@pytest.mark.parametrize(
    ("sessions", "gateway", "decides"),
    [
        (None, None, None),
        (5, None, "sessions"),
        (None, 5, "gateway"),
        (5, 4, "sessions"),
        (5, 5, "gateway"),
        (5, 6, "gateway"),
    ],
)
def test_the_newer_of_the_sessions_and_the_gateway_decides(
    sessions: int | None, gateway: int | None, decides: str | None
) -> None:
    found = by_runtime(
        None if sessions is None else runtime("busy", sessions, "sessions"),
        None if gateway is None else runtime("idle", gateway, "gateway"),
    )
    assert (None if found is None else found.evidence) == decides


@pytest.mark.parametrize(
    ("file", "known", "decides"),
    [
        (FileEvidence("busy", 5), None, False),
        (FileEvidence(None, None), None, False),
        (FileEvidence("busy", 5), runtime("idle", 4), False),
        (FileEvidence("busy", 5), runtime("idle", 5), True),
        (FileEvidence("busy", 5), runtime("idle", 6), True),
        (FileEvidence("busy", 5), runtime("unknown", 6), False),
        (FileEvidence(None, 5), runtime("unknown", 4), True),
        (FileEvidence("busy", None), runtime("idle", 1), True),
    ],
)
def test_the_newer_of_the_file_and_the_runtime_decides(
    file: FileEvidence, known: RuntimeAgent | None, decides: bool
) -> None:
    assert runtime_decides(file, known) is decides
