"""Whatever sessions use, and whosever they turn out to be, each token is on its agent in both folds."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from missioncontrol.config import QuotasConfig
from missioncontrol.events import Draft, read_record
from missioncontrol.events.hosts import told_at_home, told_to_fleet
from missioncontrol.state import FleetState
from missioncontrol.state.quotas import Quotas
from tests.state.test_both_folds import BUILT, bodies_of, in_the_browser, read_state

FIGURES = ("tokens", "input", "output", "cacheRead", "cacheWrite", "calls", "cost")
Use = dict[str, Any]
History = list[tuple[str, Any, str | None]]


class Fleet:
    """Sessions that use tokens and become other agents', and the events that say so, as the source writes them."""

    def __init__(self, seed: int, host: str | None = None) -> None:
        self._chance = Random(seed)
        self._host = host
        self.owners: dict[str, str] = {}
        self.uses: dict[str, list[Use]] = {}
        self.history: History = []
        for _ in range(self._chance.randrange(5, 40)):
            if self.owners and self._chance.random() < 0.4:
                self._move()
            else:
                self._use()

    def of(self, agent: str) -> list[Use]:
        return [use for id_, owner in self.owners.items() if owner == agent for use in self.uses[id_]]

    def all(self) -> list[Use]:
        return [use for uses in self.uses.values() for use in uses]

    def _use(self) -> None:
        chance = self._chance
        session = f"s{chance.randrange(6)}"
        agent = self.owners.setdefault(session, chance.choice(["main", "a", "b"]))
        figures = {name: chance.randrange(1, 50) for name in FIGURES[1:5]}
        source = chance.choice(["transcript", "telemetry", "prices", "none"])
        use = {
            "session": session,
            "runtime": "openclaw",
            "model": chance.choice("mn"),
            "day": f"2026-11-2{chance.randrange(3)}",
            "costSource": source,
            "tokens": sum(figures.values()),
            **figures,
            "calls": 1,
            "cost": 0 if source == "none" else chance.random() * 3,
        }
        self.uses.setdefault(session, []).append(use)
        self._tell(agent, [use], 1, {})

    def _move(self) -> None:
        before = self._chance.choice(sorted(self.owners.values()))
        after = self._chance.choice([one for one in ("main", "a", "b", "c") if one != before])
        sessions = [
            id_ for id_, owner in self.owners.items() if owner == before and self._chance.random() < 0.7
        ]
        uses = [use for id_ in sessions for use in self.uses[id_]]
        self.owners |= dict.fromkeys(sessions, after)
        self._tell(before, uses, -1, {"movedTo": after})
        self._tell(after, uses, 1, {"movedFrom": before})

    def _tell(self, agent: str, uses: list[Use], sign: int, moved: dict[str, str]) -> None:
        own = self.of(agent)
        delta = {
            **{name: sign * sum(use[name] for use in uses) for name in ("tokens", "cost")},
            **moved,
            "uses": [{**use, **{name: sign * use[name] for name in FIGURES}} for use in uses],
        }
        data = {
            "agent": agent,
            "session": None,
            "delta": delta,
            **{name: sum(use[name] for use in own) for name in ("tokens", "cost")},
        }
        if self._host is not None:
            data = told_to_fleet("token:usage", data, self._host, {self._host, "beta"})
        self.history.append(("token:usage", data, self._host))


def summed(uses: list[Use], *names: str) -> dict[str, Any]:
    return {name: pytest.approx(sum(use[name] for use in uses), abs=1e-8) for name in names}


def check(fleet: Fleet, tokens: dict[str, Any], suffix: str = "") -> None:
    """Hold what was folded against what each agent's sessions have used."""
    for agent in {id_.removesuffix(suffix) for id_ in tokens["agents"]} | set(fleet.owners.values()):
        uses, found = fleet.of(agent), tokens["agents"].get(f"{agent}{suffix}")
        if found is None:
            assert uses == []
            continue
        assert {name: found.get(name, 0) for name in FIGURES} == summed(uses, *FIGURES)
        for source in ("transcript", "telemetry", "prices"):
            cost = summed([use for use in uses if use["costSource"] == source], "cost")["cost"]
            assert found.get("costs", {}).get(source, 0) == cost
        unpriced = [use for use in uses if use["costSource"] == "none"]
        if found.get("unpriced") is not None:
            assert found["unpriced"] == summed(unpriced, "tokens", "calls")
        days = {use["day"] for use in uses}
        assert found.get("days", {}) == {
            day: summed([use for use in uses if use["day"] == day], "tokens", "cost", "calls") for day in days
        }
    for kind, sums in (("model", tokens["models"]), ("day", tokens["days"])):
        for name, found in sums.items():
            uses = [use for use in fleet.all() if use[kind] == name]
            assert {figure: found[figure] for figure in ("tokens", "cost", "calls")} == summed(
                uses, "tokens", "cost", "calls"
            )
    owners = {session["id"]: session["agent"] for session in tokens["sessions"]}
    assert owners == {id_: f"{owner}{suffix}" for id_, owner in fleet.owners.items()}
    for session in tokens["sessions"]:
        assert {name: session[name] for name in FIGURES} == summed(fleet.uses[session["id"]], *FIGURES)


def folded(history: History) -> dict[str, Any]:
    state = FleetState()
    state.apply(map(read_record, bodies_of(history)))
    assert state.faults == 0
    assert read_state(FleetState.load(state.dump()).encoded()) == read_state(state.encoded())
    return dict(read_state(state.encoded())["tokens"])


@pytest.mark.parametrize("seed", range(200))
def test_each_token_is_its_sessions_agents_and_the_fleets_sums_stay(seed: int) -> None:
    fleet = Fleet(seed)
    check(fleet, folded(fleet.history))


def test_so_it_is_with_several_hosts_and_at_home() -> None:
    for seed in range(50):
        fleet = Fleet(seed, "alpha")
        check(fleet, folded(fleet.history), "@alpha")
        at_home: History = []
        for type_, data, host in fleet.history:
            own = told_at_home(type_, data, host, "alpha")
            assert own is not None
            moved = own["delta"].get("movedTo") or own["delta"].get("movedFrom")
            assert moved is None or "@" not in moved
            at_home.append((type_, own, None))
        check(fleet, folded(at_home))


@pytest.mark.skipif(not BUILT.exists(), reason="the browser's fold is not built: run `make web`")
def test_the_browser_has_each_token_where_the_server_has_it() -> None:
    fleets = [Fleet(seed, "alpha" if seed % 2 else None) for seed in range(400)]
    made = [bodies_of(fleet.history) for fleet in fleets]
    for fleet, theirs in zip(fleets, in_the_browser(made), strict=True):
        assert folded(fleet.history) == theirs["tokens"]


def test_a_client_of_an_earlier_release_comes_to_the_same_totals() -> None:
    for seed in range(50):
        fleet = Fleet(seed)
        newest = {data["agent"]: data for _, data, _ in fleet.history}
        for agent, data in newest.items():
            assert {name: data[name] for name in ("tokens", "cost")} == summed(
                fleet.of(agent), "tokens", "cost"
            )
        sums: dict[tuple[str, str], float] = {}
        for _, data, _ in fleet.history:
            for use in data["delta"]["uses"]:
                for kind in ("model", "day", "session"):
                    sums[kind, use[kind]] = sums.get((kind, use[kind]), 0) + use["tokens"]
        for (kind, name), tokens in sums.items():
            assert tokens == sum(use["tokens"] for use in fleet.all() if use[kind] == name)


def test_no_quota_keeps_half_of_a_move_from_the_log() -> None:
    state = FleetState()
    baseline: History = [("state:baseline", {"agents": [{"id": "a"}]}, None)]
    state.apply(map(read_record, bodies_of(baseline)))
    quotas = Quotas(QuotasConfig(agents=1), state)
    halves = [
        Draft("token:usage", {"agent": agent, "tokens": 1, "delta": {name: "x"}}, agent, "tokens")
        for agent, name in (("main", "movedTo"), ("b", "movedFrom"))
    ]
    assert quotas.admit(halves).drafts == halves
    assert quotas.admit([Draft("token:usage", {"agent": "b", "tokens": 1}, "b", "tokens")]).drafts == []
