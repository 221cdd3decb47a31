"""Sessions and what their agents do are known at the same cost however many there are, and within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from missioncontrol.fleet.agent_status import by_sessions
from missioncontrol.fleet.usage import ledger as ledgers
from missioncontrol.fleet.usage.agent_sessions import AgentSessions
from missioncontrol.fleet.usage.known import KnownSessions
from missioncontrol.fleet.usage.ledger import UsageLedger
from missioncontrol.fleet.usage.sessions import Owners, Session
from missioncontrol.runtimes.records import Growth, Record, SessionInfo, Turn, Usage

NOW = 1_764_000_000_000


def session(agent: str = "scout", **changes: Any) -> Session:
    return Session(agent, agent, "claude", **changes)


def make_ledger(live: int, past: int) -> UsageLedger:
    ledger = UsageLedger(Owners(Path("/home/user/workspace"), {}, {}))
    ledger.sessions = KnownSessions(live, past)
    return ledger


def test_those_used_last_are_objects_older_ones_bytes_and_the_oldest_nothing() -> None:
    known = KnownSessions(2, 3)
    for number in range(7):
        known[f"s{number}"] = session(cost=float(number))
    assert known.forget() == ["s0", "s1"]
    assert list(known) == ["s5", "s6"]
    assert [f"s{number}" in known for number in range(7)] == [False, False, True, True, True, True, True]
    # Looked up, an older one is an object again, as it was.
    assert known["s2"] == session(cost=2.0)
    assert known.forget() == []
    assert list(known) == ["s6", "s2"]


def test_a_tree_is_found_whole_whatever_of_it_is_an_object() -> None:
    known = KnownSessions(1, 100)
    known["root"] = session(cost=1.0)
    for number in range(5):
        known[f"c{number}"] = session(parent="root", cost=1.0)
        known[f"d{number}"] = session(parent=f"c{number}", cost=1.0)
        known.forget()
    known["other"] = session(cost=50.0)
    assert sum(one.cost for one in known.tree("root", 8)) == 11.0
    assert len(known.tree("root", 1)) == 6
    known.relate("c0", "other")
    assert len(known.tree("root", 8)) == 9


def test_sessions_that_started_each_other_in_a_ring_are_a_tree_all_the_same() -> None:
    known = KnownSessions()
    known["a"], known["b"] = session(parent="b"), session(parent="a")
    assert len(known.tree("a", 8)) == 2


def test_a_book_of_very_many_sessions_keeps_a_bounded_number_and_forgets_the_rest_on_disk_too() -> None:
    ledger, remembered = make_ledger(20, 30), dict[str, bytes]()
    for number in range(400):
        records: list[Record] = [
            SessionInfo(f"s{number}", "claude", agent="scout"),
            Turn(f"s{number}", NOW + number, "idle"),
        ]
        ledger.take(records, NOW)
        for key, kept in ledger.take_batch()[1].items():
            if kept is None:
                del remembered[key]
            else:
                remembered[key] = kept
    assert len(ledger.sessions) == 20
    sessions = [key for key in remembered if key.startswith("session:")]
    assert sessions == [f"session:s{number}" for number in range(350, 400)]
    again = make_ledger(20, 30)
    again.recall(remembered, 0)
    assert again.sessions == ledger.sessions
    assert again.doings(NOW + 500, alive={}) == ledger.doings(NOW + 500, alive={})


def test_a_session_that_is_resumed_after_many_others_counts_on_where_it_was() -> None:
    ledger = make_ledger(5, 1_000)

    def meter(value: int, at: int) -> Usage:
        growth = Growth("input", 1)
        return Usage(f"k{at}", "claude", "old", NOW, "m", input=value, voice="metrics", growth=growth)

    def counted() -> int:
        return sum(sums.input for sums in ledger.take_batch()[0].uses.values())

    ledger.take([SessionInfo("old", "claude", agent="scout"), meter(100, 1)], NOW)
    assert counted() == 100
    for number in range(50):
        ledger.take([SessionInfo(f"s{number}", "claude", agent="forge")], NOW)
        ledger.take_batch()
    ledger.take([meter(130, 2)], NOW)
    assert counted() == 30
    assert ledger.sessions["old"].agent == "scout"


def test_habits_are_kept_of_a_bounded_number_of_agents(monkeypatch: Any) -> None:
    monkeypatch.setattr(ledgers, "MAX_HABITS", 10)
    ledger = make_ledger(100, 100)
    for number in range(30):
        use = Usage(f"k{number}", "claude", f"s{number}", NOW, "m", output=1, cost=0.1)
        ledger.take([SessionInfo(f"s{number}", "claude", agent=f"a{number}"), use], NOW)
    _, changes = ledger.take_batch()
    kept = [key for key, value in changes.items() if key.startswith("habit:") and value is not None]
    assert sorted(kept) == [f"habit:a{number}" for number in range(20, 30)]


steps = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["scout", "forge", "main"]),
        st.sampled_from(["busy", "idle", "waiting", "offline", "error"]),
        st.integers(0, 2_000),
        st.sampled_from([None, True, False]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_what_agents_do_is_what_all_their_sessions_say(given_steps: list[Any]) -> None:
    sessions: dict[str, Session] = {}
    standings = AgentSessions(sessions)
    now = NOW
    for number, agent, doing, seconds, alive in given_steps:
        now += seconds * 1000
        id_ = f"s{number}"
        one = sessions.setdefault(id_, session(agent))
        # A session's time never goes back; all times differ, so that one is the newest.
        one.agent, one.doing, one.at = agent, doing, now
        standings.changed(id_, one)
        now += 1
        shown = standings.doings(now, alive={"openclaw": alive})
        by_agent: dict[str, list[Session]] = {}
        for known in sessions.values():
            by_agent.setdefault(known.agent, []).append(known)
        assert shown == {name: by_sessions(some, now, {"openclaw": alive}) for name, some in by_agent.items()}
