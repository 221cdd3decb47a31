"""The sessions by id, and how many have used anything on a day."""

from __future__ import annotations

from missioncontrol.fleet.usage.session_index import SessionIndex
from missioncontrol.fleet.usage.sessions import KnownSession, SessionTotals


def session(*days: str, known: bool = True) -> KnownSession:
    totals = SessionTotals(tokens=5, unpriced=0, cost=0.5, days=days)
    return KnownSession("scout", "claude", "idle", 1, totals if known else None)


def test_a_session_is_counted_once_on_each_of_its_days_however_often_it_changes() -> None:
    index = SessionIndex({"a": session("2026-11-23"), "b": session("2026-11-23", "2026-11-24")})
    index.put({"a": session("2026-11-23", "2026-11-24")})
    assert +index.by_day == {"2026-11-23": 2, "2026-11-24": 2}
    index.forget(["b", "never there"])
    assert +index.by_day == {"2026-11-23": 1, "2026-11-24": 1}
    assert list(index) == ["a"]


def test_a_session_of_which_not_all_use_is_known_is_on_no_day() -> None:
    index = SessionIndex({"a": session("2026-11-23", known=False)})
    assert +index.by_day == {}
    index.put({"a": session("2026-11-23")})
    index.forget(["a"])
    assert +index.by_day == {}
