"""Whatever order transcripts are read in and however agents change: each token is on its agent, over restarts too."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from missioncontrol.events import Record as Event
from missioncontrol.fleet.usage import ledger as ledgers
from missioncontrol.fleet.usage.agent_sessions import AgentSessions
from missioncontrol.fleet.usage.events import enter_page, usage_events
from missioncontrol.fleet.usage.known import KnownSessions
from missioncontrol.fleet.usage.ledger import SESSION, UsageLedger
from missioncontrol.fleet.usage.lines import UsageKey, UsageTotals
from missioncontrol.fleet.usage.moves import MAX_USES
from missioncontrol.fleet.usage.session_uses import MAX_ENTRIES, SessionUse, enter
from missioncontrol.fleet.usage.sessions import Owners
from missioncontrol.runtimes.persona import persona_of
from missioncontrol.runtimes.records import Record, SessionInfo, Usage
from missioncontrol.state import FleetState

NOW = 1_795_435_200_000
DAY = 86_400_000
PERSONAS = ["Scout", "Forge", "Quill", None]


class Keeper:
    """A ledger, and a log that has the events of each page along with what is to be remembered, or neither."""

    def __init__(self, *, live: int = 5_000, past: int = 50_000) -> None:
        self._bounds = (live, past)
        self.state = FleetState()
        self.memory: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        self.agents: dict[str, dict[str, Any]] = {}
        self.restart()

    def restart(self) -> None:
        """Begin again with what was remembered, and with the agents as they are by now."""
        self.ledger = UsageLedger(Owners(Path("/home/user/workspace"), {}, {}), KnownSessions(*self._bounds))
        self.ledger.recall(self.memory, 0)
        self.ledger.know(self.agents)

    def take(self, *records: Record, crash: bool = False) -> None:
        """Enter records and commit the pages; a crash comes before the commit."""
        self.ledger.take(records, NOW)
        while True:
            page, changes = self.ledger.take_batch()
            if crash:
                self.restart()
                return
            for data in usage_events(self.state.tokens, page):
                self._commit(data)
            for key, kept in changes.items():
                if kept is None:
                    self.memory.pop(key, None)
                else:
                    self.memory[key] = kept
            if not self.ledger.unsettled:
                return

    def _commit(self, data: dict[str, Any]) -> None:
        assert len(data["delta"]["uses"]) <= MAX_USES
        id_ = self.state.id + 1
        self.events.append(data)
        event = {"type": "token:usage", "id": id_, "time": "2026-11-25T10:15:00.123Z", "source": "tokens"}
        self.state.apply(
            [Event(id_, "token:usage", NOW + 2 * DAY, msgspec.json.encode({**event, "data": data}))]
        )
        assert self.state.faults == 0, self.state.fault

    def know(self, **names: str) -> None:
        self.agents = {id_: {"name": name} for id_, name in names.items()}
        self.ledger.know(self.agents)
        self.take()

    def tokens(self) -> dict[str, int]:
        tokens = self.state.tokens
        return {agent: used for agent in sorted(tokens.agents()) if (used := tokens.of(agent)["tokens"])}

    def moves(self) -> list[dict[str, Any]]:
        return [data for data in self.events if data["delta"].keys() & {"movedTo", "movedFrom"}]


def info(session: str, persona: str | None = None, **fields: Any) -> SessionInfo:
    told = {"agent": "main", "first_user_message": "Go.", **fields}
    return SessionInfo(session, "openclaw", persona=persona, **told)


def usage(number: int, session: str, **fields: Any) -> Usage:
    told = {"at": NOW, "model": "fake-1", "input": 10, "output": 5, "cost": 0.1, **fields}
    return Usage(key=f"r{number}", runtime="openclaw", session=session, **told)


class Model:
    """What each session has used, and whose it is by the rules, found out from scratch."""

    def __init__(self) -> None:
        self.personas: dict[str, str | None] = {}
        self.parents: dict[str, str] = {}
        self.used: dict[str, int] = {}

    def owner(self, session: str, agents: dict[str, dict[str, Any]]) -> str:
        persona = self.personas[session]
        named = {agent["name"]: id_ for id_, agent in sorted(agents.items(), reverse=True)}
        if persona in named:
            return named[persona]
        parent = self.parents.get(session)
        return self.owner(parent, agents) if parent in self.personas else "main"

    def tokens(self, agents: dict[str, dict[str, Any]]) -> dict[str, int]:
        found: dict[str, int] = {}
        for session, used in self.used.items():
            agent = self.owner(session, agents)
            found[agent] = found.get(agent, 0) + used
        return dict(sorted(found.items()))


@pytest.mark.parametrize("seed", range(60))
def test_each_token_is_on_its_agent_whatever_changes_and_restarts(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    monkeypatch.setattr(ledgers, "MAX_MOVED_USES", chance.choice([3, 2_000]))
    keeper, model = Keeper(live=chance.choice([3, 5_000])), Model()
    for number in range(60):
        match chance.randrange(5):
            case 0:
                session = f"s{len(model.personas)}"
                persona = chance.choice(PERSONAS)
                # A parent is older than what it starts; it may be read later all the same.
                parent = f"s{chance.randrange(len(model.personas) + 1)}"
                model.personas[session] = persona
                if parent != session:
                    model.parents[session] = parent
                keeper.take(info(session, persona, parent=model.parents.get(session)))
            case 1 | 2 if model.personas:
                session = chance.choice(sorted(model.personas))
                one = usage(number, session, input=number, at=NOW + DAY * chance.randrange(3))
                if chance.random() < 0.2:
                    # What was not committed is read again.
                    keeper.take(one, crash=True)
                keeper.take(one)
                model.used[session] = model.used.get(session, 0) + number + 5
            case 3:
                names = chance.sample(["Scout", "Forge", "Quill"], chance.randrange(4))
                ids = chance.sample("abc", len(names))
                keeper.agents = {id_: {"name": name} for id_, name in zip(ids, names, strict=True)}
                keeper.ledger.know(keeper.agents)
                keeper.take(crash=chance.random() < 0.2)
                keeper.take()
            case 4 if chance.random() < 0.3:
                keeper.restart()
                keeper.take()
        assert keeper.tokens() == model.tokens(keeper.agents)
        value = keeper.state.snapshot()["tokens"]
        assert sum(day["tokens"] for day in value["days"].values()) == sum(model.used.values())
        owners = {session["id"]: session["agent"] for session in value["sessions"]}
        assert owners == {session: model.owner(session, keeper.agents) for session in model.used}
        for agent in value["agents"].values():
            assert sum(day["tokens"] for day in agent.get("days", {}).values()) == agent["tokens"]
    newest = {data["agent"]: data["tokens"] for data in keeper.events}
    assert {agent: tokens for agent, tokens in sorted(newest.items()) if tokens} == keeper.tokens()


def test_what_was_used_before_it_was_known_whose_it_is_goes_along() -> None:
    keeper = Keeper()
    keeper.know(a="Scout")
    keeper.take(usage(1, "s"))
    assert keeper.tokens() == {"openclaw-home": 15}
    keeper.take(SessionInfo("s", "openclaw", agent="main"))
    assert keeper.tokens() == {"main": 15}
    keeper.take(info("s", "Scout"), usage(2, "s"))
    assert keeper.tokens() == {"a": 30}


def test_a_page_that_uses_and_then_learns_whose_it_is_needs_no_move() -> None:
    keeper = Keeper()
    keeper.know(a="Scout")
    keeper.take(usage(1, "s"), usage(2, "s", model="other"), info("s", "Scout"), usage(3, "s"))
    assert keeper.tokens() == {"a": 45}
    assert keeper.moves() == []


def test_a_sub_session_that_is_read_before_its_parent_is_its_parents_agents() -> None:
    keeper = Keeper()
    keeper.know(a="Scout")
    keeper.take(info("c", parent="p"), usage(1, "c"))
    keeper.take(info("p", "Scout"))
    assert keeper.tokens() == {"a": 15}


def test_a_sub_session_whose_parent_is_forgotten_stays_where_it_is() -> None:
    keeper = Keeper(live=1, past=1)
    keeper.know(a="Scout")
    keeper.take(info("p", "Scout"))
    keeper.take(info("c", parent="p"), usage(1, "c"))
    keeper.take(info("x"), usage(2, "x"))
    keeper.take(usage(3, "c"))
    assert "p" not in keeper.ledger.sessions
    keeper.restart()
    keeper.take(usage(4, "c"))
    assert keeper.tokens() == {"a": 45, "main": 15}


def test_a_sub_session_that_learns_its_home_is_there_until_its_parent_is_known() -> None:
    keeper = Keeper()
    keeper.know(a="Scout")
    keeper.take(usage(1, "c"), SessionInfo("c", "openclaw", parent="p"))
    assert keeper.tokens() == {"openclaw-home": 15}
    keeper.take(SessionInfo("c", "openclaw", agent="main"))
    assert keeper.tokens() == {"main": 15}
    keeper.take(info("p", "Scout"))
    assert keeper.tokens() == {"a": 15}
    keeper.know()
    assert keeper.tokens() == {"main": 15}


def test_sessions_that_started_each_other_in_a_ring_find_an_owner_and_an_end() -> None:
    keeper = Keeper()
    keeper.take(info("x", "Scout", parent="z"), info("y", parent="x"), info("z", parent="y"))
    keeper.take(usage(1, "x"), usage(2, "y"), usage(3, "z"))
    keeper.know(a="Scout")
    assert keeper.tokens() == {"a": 45}
    keeper.know()
    assert sum(keeper.tokens().values()) == 45


def test_many_sessions_move_in_several_pages_of_events_that_fit() -> None:
    keeper = Keeper()
    for number in range(3_000):
        keeper.ledger.take([info(f"s{number}", "Scout"), usage(number, f"s{number}")], NOW)
    keeper.take()
    keeper.know(a="Scout")
    assert keeper.tokens() == {"a": 45_000}
    assert len(keeper.moves()) == 2 * 8
    assert keeper.state.tokens.of("main")["cost"] == 0


def test_an_id_goes_before_a_name_and_of_several_with_one_name_the_first_has_it() -> None:
    owners = Owners(Path("/w"), {"b": {"name": "Scout"}, "a": {"name": "scout"}, "c": {"name": None}}, {})
    assert owners.named("Scout") == "a"
    assert sorted(owners.know({"b": {"name": "Scout"}, "scout": {"name": "Other"}})) == [
        *("a", "c", "other", "scout")
    ]
    assert owners.named("SCOUT") == "scout"
    assert owners.know({"scout": {"name": "Other"}, "b": {"name": "Scout"}}) == []


def test_an_agent_is_known_without_the_emoji_around_its_name_unless_another_is_called_so() -> None:
    owners = Owners(
        Path("/w"), {"a": {"name": "Scout 🦊"}, "b": {"name": "⚙️ Forge"}, "c": {"name": "🐙"}}, {}
    )
    assert [owners.named(name) for name in ("Scout, go", "🦊 Scout", "⚙ Forge", "Forge", "🐙", "")] == [
        *("a", "a", "b", "b", "c", None)
    ]
    changed = owners.know({"a": {"name": "Scout 🦊"}, "d": {"name": "Scout"}})
    assert "scout" in changed
    assert (owners.named("Scout"), owners.named("Scout 🦊")) == ("d", "a")


def test_an_id_is_known_with_blanks_between_its_words_unless_another_is_called_so() -> None:
    owners = Owners(Path("/w"), {"lead-scorer": {}, "market_scout": {}}, {})
    assert (owners.named("Lead Scorer."), owners.named("lead-scorer")) == ("lead-scorer", "lead-scorer")
    assert owners.named("Market Scout") == "market_scout"
    assert owners.named("Lead") is None
    owners.know({"lead-scorer": {}, "z": {"codename": "Lead Scorer"}})
    assert (owners.named("Lead Scorer."), owners.named("lead-scorer")) == ("z", "lead-scorer")


def test_a_session_moves_to_an_agent_that_appears_later_under_any_ordinary_name() -> None:
    keeper = Keeper(live=3)
    texts = ["Two  Words - go", "O'Brien. x", "🦊 fox", "探偵", "the Ünïcode bot", "Other"]
    for number, text in enumerate(texts):
        persona = persona_of(f"You are {text}")
        keeper.take(info(f"s{number}", persona), usage(number, f"s{number}"))
    assert keeper.tokens() == {"main": 90}
    keeper.restart()
    keeper.know(a="Two Words", b="O'Brien", c="🦊 Fox", d="探偵", e="ünïcode Bot")
    assert keeper.tokens() == {"a": 15, "b": 15, "c": 15, "d": 15, "e": 15, "main": 15}
    assert {session.name for _, session in keeper.ledger.sessions.all()} == {"a", "b", "c", "d", "e", "main"}
    keeper.know(a="Two", b="O'Brien", x="Two Words")
    assert keeper.tokens() == {"b": 15, "main": 60, "x": 15}


def test_a_session_is_called_by_a_codename_and_by_the_name_that_an_earlier_release_has_kept() -> None:
    keeper = Keeper()
    keeper.take(info("s", "FORGE"), usage(1, "s"), info("t", "The Smith, who"), usage(2, "t"))
    keeper.ledger.know({"forge": {"name": "Forge", "codename": "The Smith"}})
    keeper.take()
    assert keeper.tokens() == {"forge": 30}


def test_a_persona_that_is_too_long_to_be_kept_is_none() -> None:
    keeper = Keeper()
    keeper.know(a="S" * 300)
    keeper.take(info("s", "S" * 300), usage(1, "s"))
    assert keeper.tokens() == {"main": 15}
    assert len(keeper.memory[f"{SESSION}s"]) < 400


def test_a_session_keeps_few_entries_and_all_of_its_sums() -> None:
    chance, uses = Random(7), list[SessionUse]()
    days: dict[tuple[str, str], int] = {}
    for number in range(5_000):
        day, source = f"day{number // 20:03}", chance.choice(["prices", "none"])
        sums = UsageTotals()
        sums.input, sums.calls, sums.cost = number, 1, 0.25
        enter(uses, UsageKey("a", "openclaw", "s", f"m{chance.randrange(8)}", day, source), sums)
        days[day, source] = days.get((day, source), 0) + number
        assert len(uses) <= MAX_ENTRIES
        assert sum(use.tokens for use in uses) == number * (number + 1) // 2
    assert (sum(use.calls for use in uses), sum(use.cost for use in uses)) == (5_000, 1_250)
    kept: dict[tuple[str, str], int] = {}
    for use in uses:
        kept[use.day, use.source] = kept.get((use.day, use.source), 0) + use.tokens
    undated = {key for key in kept if not key[0]}
    assert {key: kept[key] for key in kept.keys() - undated}.items() <= days.items()
    assert len({day for day, _ in kept}) > 40


def test_a_first_reading_whose_pages_move_sessions_makes_one_right_baseline() -> None:
    keeper = Keeper()
    found = FleetState().tokens
    keeper.ledger.know({"a": {"name": "Scout"}})
    pages: list[list[Record]] = [
        [info("c", parent="p"), usage(1, "c")],
        [info("p", "Scout"), usage(2, "p"), info("q"), usage(3, "q")],
    ]
    for records in pages:
        keeper.ledger.take(records, NOW)
        enter_page(found, keeper.ledger.take_batch()[0])
    value = found.value()
    assert {agent: use["tokens"] for agent, use in value["agents"].items()} == {"a": 30, "main": 15}
    assert value["models"]["fake-1"]["tokens"] == value["total"]["tokens"] == 45
    assert {one["id"]: one["agent"] for one in value["sessions"]} == {"c": "a", "p": "a", "q": "main"}


def test_what_an_agent_does_moves_with_its_sessions() -> None:
    keeper = Keeper()
    sessions = KnownSessions()
    standings = AgentSessions(sessions)
    keeper.take(info("s", "Scout"), info("t"), info("u"))
    for at, id_ in enumerate(("t", "u", "s")):
        session = sessions[id_] = keeper.ledger.sessions[id_]
        session.doing, session.at = "busy", NOW + at
        standings.changed(id_, session)
    assert standings.doings(NOW + 9, alive={}).keys() == {"main"}
    for id_ in ("s", "u"):
        sessions[id_].agent = "a"
        standings.changed(id_, sessions[id_])
    doings = standings.doings(NOW + 9, alive={})
    assert {agent: one.at - NOW for agent, one in doings.items()} == {"main": 0, "a": 2}
    sessions["t"].agent = "a"
    standings.changed("t", sessions["t"])
    assert standings.doings(NOW + 9, alive={}).keys() == {"a"}
