"""Each token is its agent's: whenever the agent appears, is renamed or goes, and whatever restarts in between."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.fleet.openclaw_folder import Runtime, answered, called, said
from tests.fleet.world import World

from missioncontrol.config import BudgetConfig
from missioncontrol.fleet.agents import Agents
from missioncontrol.fleet.runtime_status import RuntimeStatusRegistry

pytestmark = pytest.mark.anyio

TOKENS = 420
"""What one response of these tests uses."""


def soul(name: str) -> str:
    return f"**Name:** {name}\n**Role:** Research\n"


def tokens(world: World) -> dict[str, int]:
    """What each agent has used, without those that have used nothing."""
    found = {agent: world.folded.tokens.of(agent)["tokens"] for agent in world.folded.tokens.agents()}
    return {agent: used for agent, used in sorted(found.items()) if used}


def sessions(world: World) -> dict[str, str]:
    value = world.folded.snapshot()["tokens"]["sessions"]
    return {session["id"]: session["agent"] for session in value}


def sums(world: World) -> dict[str, Any]:
    """What must not change when a session becomes another agent's."""
    value = world.folded.snapshot()["tokens"]
    return {name: value[name] for name in ("models", "days", "total")}


def moves(world: World) -> list[dict[str, Any]]:
    return [told for told in world.told("token:usage") if told["delta"].keys() & {"movedTo", "movedFrom"}]


class Blocked:
    """The scan of the agents' folders, held until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._free = threading.Event()
        scan: Callable[..., Any] = Agents._see

        def see(agents: Agents, *args: Any) -> Any:
            self._free.wait(20)
            return scan(agents, *args)

        monkeypatch.setattr(Agents, "_see", see)

    def let_go(self) -> None:
        self._free.set()


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Blocked:
    return Blocked(monkeypatch)


async def test_at_the_first_start_transcripts_are_read_once_the_agents_are_known(
    world: World, runtime: Runtime, blocked: Blocked
) -> None:
    world.write("agents/a1/SOUL.md", soul("Quill"))
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.silence()
    assert tokens(world) == {}
    blocked.let_go()
    await world.until(lambda: tokens(world))
    assert tokens(world) == {"a1": TOKENS}
    assert moves(world) == []


async def test_agents_that_are_not_scanned_in_time_hold_nothing_up_and_get_their_sessions_later(
    world: World, runtime: Runtime, blocked: Blocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.usage.tracker.AGENTS_SECONDS", 0.1)
    world.write("agents/a1/SOUL.md", soul("Quill"))
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    blocked.let_go()
    await world.until(lambda: tokens(world) == {"a1": TOKENS})


async def test_agents_that_cannot_be_scanned_hold_nothing_up(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("as this test wants it")

    monkeypatch.setattr(Agents, "_see", fail)
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": TOKENS})


async def test_an_agent_that_appears_later_gets_its_sessions_as_one_difference(
    world: World, runtime: Runtime
) -> None:
    runtime.write("main", said("You are Quill. Go."), answered(), answered(cost=None), session="s")
    runtime.write("main", said("Go."), answered(), session="other")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": 3 * TOKENS})
    before = sums(world)
    world.write("agents/a1/SOUL.md", soul("Quill"))
    await world.until(lambda: tokens(world).get("a1"))
    assert tokens(world) == {"a1": 2 * TOKENS, "main": TOKENS}
    assert sums(world) == before
    assert sessions(world) == {"s": "a1", "other": "main"}
    taken, given = moves(world)
    assert (taken["agent"], taken["tokens"], taken["cost"]) == ("main", TOKENS, 0.25)
    assert (given["agent"], given["tokens"], given["cost"]) == ("a1", 2 * TOKENS, 0.25)
    assert (taken["delta"]["tokens"], taken["delta"]["cost"]) == (-2 * TOKENS, -0.25)
    assert (given["delta"]["tokens"], given["delta"]["cost"]) == (2 * TOKENS, 0.25)
    assert (taken["delta"]["movedTo"], given["delta"]["movedFrom"]) == ("a1", "main")
    assert {use["costSource"]: use["calls"] for use in taken["delta"]["uses"]} == {
        "transcript": -1,
        "none": -1,
    }
    main, quill = world.folded.tokens.of("main"), world.folded.tokens.of("a1")
    assert (main["calls"], main["costs"], main["unpriced"]) == (1, {"transcript": 0.25}, NOTHING)
    assert (quill["calls"], quill["costs"], quill["unpriced"]) == (
        *(2, {"transcript": 0.25}),
        {"tokens": TOKENS, "calls": 1},
    )
    (day,) = quill["days"]
    assert (main["days"][day]["tokens"], quill["days"][day]["tokens"]) == (TOKENS, 2 * TOKENS)
    # What is written from now on is its own at once.
    runtime.write("main", answered(), session="s")
    await world.until(lambda: tokens(world)["a1"] == 3 * TOKENS)
    assert len(moves(world)) == 2


NOTHING = {"tokens": 0, "calls": 0}


async def test_an_agent_that_is_renamed_gives_up_its_sessions_and_gets_others(
    world: World, runtime: Runtime
) -> None:
    world.write("agents/a1/SOUL.md", soul("Quill"))
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    runtime.write("main", said("You are Ranger. Go."), answered(), answered(), session="r")
    await world.start()
    await world.until(lambda: tokens(world) == {"a1": TOKENS, "main": 2 * TOKENS})
    before = sums(world)
    world.replace("agents/a1/SOUL.md", soul("Ranger"))
    await world.until(lambda: tokens(world) == {"a1": 2 * TOKENS, "main": TOKENS})
    assert sessions(world) == {"s": "main", "r": "a1"}
    world.write("agents/a2/SOUL.md", soul("Quill"))
    await world.until(lambda: tokens(world) == {"a1": 2 * TOKENS, "a2": TOKENS})
    assert sessions(world) == {"s": "a2", "r": "a1"}
    assert sums(world) == before
    assert world.folded.tokens.of("main")["cost"] == 0
    assert world.folded.tokens.of("main").get("days") == {}


async def test_an_agent_whose_folder_goes_gives_its_sessions_back(world: World, runtime: Runtime) -> None:
    world.write("agents/a1/SOUL.md", soul("Quill"))
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"a1": TOKENS})
    (world.root / "agents/a1").rename(world.root / "agents/b2")
    await world.until(lambda: tokens(world) == {"b2": TOKENS})
    shutil.rmtree(world.root / "agents/b2")
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    # Their sessions were all that was left of them.
    await world.until(lambda: {told["agentId"] for told in world.told("agent:removed")} == {"a1", "b2"})


async def test_an_agent_that_has_a_folder_alone_gives_its_sessions_back_when_that_goes(
    world: World, runtime: Runtime
) -> None:
    (world.root / "agents/quill").mkdir(parents=True)
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"quill": TOKENS})
    (world.root / "agents/quill").rmdir()
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    await world.until(lambda: [told["agentId"] for told in world.told("agent:removed")] == ["quill"])


async def test_the_sessions_of_sub_agents_follow(world: World, runtime: Runtime) -> None:
    index = {
        "agent:main:main": {"sessionId": "p", "updatedAt": 1},
        "agent:main:subagent:x": {"sessionId": "c", "updatedAt": 1, "spawnedBy": "agent:main:main"},
        "agent:main:subagent:y": {"sessionId": "d", "updatedAt": 1, "spawnedBy": "agent:main:subagent:x"},
    }
    for session, text in (("c", "Do it."), ("d", "Do that."), ("p", "You are Quill. Go.")):
        runtime.write("main", said(text), answered(), session=session)
    runtime.path("main", "p").with_name("sessions.json").write_text(json.dumps(index))
    await world.start()
    await world.until(lambda: tokens(world) == {"main": 3 * TOKENS})
    world.write("agents/a1/SOUL.md", soul("Quill"))
    await world.until(lambda: tokens(world) == {"a1": 3 * TOKENS})
    assert sessions(world) == {"p": "a1", "c": "a1", "d": "a1"}


@pytest.mark.parametrize("running", [False, True])
async def test_a_restart_neither_repeats_nor_loses_a_move(
    world: World, runtime: Runtime, running: bool
) -> None:
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    if not running:
        await world.stop()
    world.write("agents/a1/SOUL.md", soul("Quill"))
    if not running:
        await world.start()
    await world.until(lambda: tokens(world) == {"a1": TOKENS})
    await world.restart()
    await world.silence()
    assert tokens(world) == {"a1": TOKENS}
    assert len(moves(world)) == 2
    assert [told.get("foundAtStart") for told in moves(world)] == [None if running else True] * 2
    runtime.write("main", answered(), session="s")
    await world.until(lambda: tokens(world) == {"a1": 2 * TOKENS})


async def test_a_session_of_an_earlier_release_stays_where_it_is(world: World, runtime: Runtime) -> None:
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    await world.stop()
    memory = world.log._memory["tokens"]
    kept = json.loads(memory["session:s"])
    known = ("agent", "name", "runtime", "doing", "at", "model", "cost", "placed", "firsthand", "addressed")
    memory["session:s"] = json.dumps({name: kept[name] for name in known if name in kept}).encode()
    world.write("agents/a1/SOUL.md", soul("Quill"))
    await world.start()
    runtime.write("main", answered(), session="s")
    await world.until(lambda: tokens(world) == {"main": 2 * TOKENS})
    await world.silence()
    assert moves(world) == []


async def test_no_warning_and_no_activity_comes_of_a_move_and_a_budget_is_judged_with_the_next_use(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.usage.tracker.DOUBT_SECONDS", 0.1)
    world.config.budgets = BudgetConfig(daily=0, agents={"a1": 0.5, "main": 0.75})
    runtime.write("main", said("You are Quill. Go."), called("ls"), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": 2 * TOKENS})
    await world.silence()
    activity = len(world.told("agent:activity"))
    world.write("agents/a1/SOUL.md", soul("Quill"))
    await world.until(lambda: tokens(world) == {"a1": 2 * TOKENS})
    await world.silence(0.5)
    await world.restart()
    await world.silence(0.5)
    assert world.told("token:threshold") == []
    assert world.alerts() == []
    assert len(world.told("agent:activity")) == activity
    runtime.write("main", answered(), session="s")
    await world.until(lambda: world.told("token:threshold"))
    assert [told["agent"] for told in world.told("token:threshold")] == ["a1"]


async def test_a_folder_that_is_gone_is_forgotten_once_the_agent_is_there_again() -> None:
    runtimes = RuntimeStatusRegistry()
    woken: list[bool] = []
    runtimes.follow_folders(lambda: woken.append(True))
    runtimes.folder("a", there=False)
    assert (runtimes.without_folder, len(woken)) == ({"a"}, 1)
    runtimes.folder("a", there=False)
    runtimes.folder("a", there=True)
    assert (runtimes.without_folder, len(woken)) == (set(), 2)


async def test_a_folder_that_goes_while_nothing_runs_gives_its_sessions_back(
    world: World, runtime: Runtime
) -> None:
    world.write("agents/a1/SOUL.md", soul("Quill"))
    runtime.write("main", said("You are Quill. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"a1": TOKENS})
    # Until the runtime knows it too, and would go on to.
    await world.until(lambda: any(told["agentId"] == "a1" for told in world.told("agent:statusChange")))
    await world.stop()
    shutil.rmtree(world.root / "agents/a1")
    await world.start()
    await world.until(lambda: tokens(world) == {"main": TOKENS})
    await world.until(lambda: [told["agentId"] for told in world.told("agent:removed")] == ["a1"])
    await world.restart()
    await world.silence()
    assert tokens(world) == {"main": TOKENS}


async def test_an_agent_of_the_runtimes_settings_has_its_sessions_without_a_move(
    world: World, runtime: Runtime
) -> None:
    runtime.write("main", said("You are Scout. Go."), answered(), session="s")
    await world.start()
    await world.until(lambda: tokens(world) == {"scout": TOKENS})
    await world.silence()
    assert moves(world) == []
