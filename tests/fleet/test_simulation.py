"""The simulated fleet, seen through the sources like any other."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fleet.world import World

from missioncontrol.app.simulation import FLEET, Simulation


def clock() -> datetime:
    return datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_the_same_seed_gives_the_same_story(tmp_path: Path) -> None:
    pauses = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        folder = tmp_path / name
        simulation = Simulation(folder / "workspace", runtime=folder / "openclaw", seed=seed, clock=clock)
        simulation.prepare()
        pauses.append([simulation.step() for _ in range(200)])
    assert pauses[0] == pauses[1] != pauses[2]
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_a_long_story_leaves_a_bounded_workspace_and_keeps_moving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.app.simulation.simulation.KEPT_FILES", 5)
    monkeypatch.setattr("missioncontrol.runtimes.openclaw.simulated.KEPT_BYTES", 20_000)
    for seed in (1, 2):
        simulation = Simulation(tmp_path / "workspace", runtime=tmp_path / "runtime", seed=seed, clock=clock)
        simulation.prepare()
        pauses = [simulation.step() for _ in range(2_000)]
        assert max(pauses) <= 2
    # The mark, the queue and the leads; files, state and soul of each agent; of its runtime the roster, two sessions.
    assert len(contents(tmp_path / "workspace")) <= 3 + len(FLEET) * (5 + 2)
    assert len(contents(tmp_path / "runtime")) <= 1 + len(FLEET) * 2
    queue = json.loads((tmp_path / "workspace/mission-control/TASK_QUEUE.json").read_text())
    assert len(queue["tasks"]) <= 60
    assert len(queue["history"]) <= 20
    assert {"pending", "in_progress", "completed"} <= {task["status"] for task in queue["tasks"]}
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.anyio
async def test_the_sources_show_the_fleet_and_its_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(world.root, seed=3)
    step = simulation.step
    monkeypatch.setattr(simulation, "step", lambda: min(step(), 0.01))
    await asyncio.to_thread(simulation.prepare)
    await world.start()
    living = asyncio.create_task(simulation.run())
    await world.until(
        lambda: (
            len(world.files()) > 10
            and len(world.told("agent:statusChange")) > 30
            and {"busy", "idle"} <= {change["kind"] for change in world.told("agent:statusChange")}
        )
    )
    living.cancel()
    await asyncio.wait([living])
    agents = {agent["id"]: agent for agent in (await world.state())["agents"]}
    assert agents.keys() == {profile.id for profile in FLEET}
    assert agents["forge"]["codename"] == "The Smith"
    assert agents["scout"]["specialties"] == ["market research", "source checking", "trend spotting"]
    assert not world.alerts()
