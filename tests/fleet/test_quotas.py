"""What a quota keeps out of the state comes when there is room, without a restart and without another change."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from tests.fleet.openclaw_folder import Runtime, answered, said
from tests.fleet.world import World

pytestmark = pytest.mark.anyio

AGENTS = "agents"
LEADS = "mission-control/data/leads.json"
TASKS = "mission-control/TASK_QUEUE.json"


def write_agents(world: World, *numbers: int) -> None:
    for number in numbers:
        world.write(f"{AGENTS}/agent{number:03}/state.json", {"status": "idle", "role": f"Role {number}"})


def remove_agents(world: World, *ids: str) -> None:
    for id_ in ids:
        shutil.rmtree(world.root / AGENTS / id_)


def leads(*numbers: int) -> dict[str, Any]:
    return {"leads": [{"id": f"lead{number:03}", "company": f"Company {number}"} for number in numbers]}


def tasks(*numbers: int) -> dict[str, Any]:
    one = {"status": "pending", "priority": "P2", "created": "2026-11-01T10:00:00Z"}
    return {
        "tasks": [{"id": f"TASK-{number:04}", "description": f"Task {number}", **one} for number in numbers],
        "nextId": 1_000,
    }


def ids_of(world: World, table: Any) -> set[str]:
    return set(world.folded.table(table))


async def test_agents_that_were_left_out_come_when_others_go(world: World) -> None:
    world.config.quotas.agents = 3
    write_agents(world, *range(8))
    await world.start()
    await world.until(lambda: len(ids_of(world, "agents")) == 3)
    write_agents(world, 8)
    await world.silence()
    shown = ids_of(world, "agents")
    assert shown == {"agent000", "agent001", "agent002"}
    remove_agents(world, *shown)
    await world.until(lambda: len(ids_of(world, "agents") - shown) == 3)
    first = ids_of(world, "agents")
    remove_agents(world, *first)
    await world.until(lambda: len(ids_of(world, "agents") - first - shown) == 3)
    assert (await world.agent("agent008"))["role"] == "Role 8"
    assert len(world.told("agent:removed")) == 6


async def test_agents_that_were_left_out_come_when_a_restart_raises_the_quota(world: World) -> None:
    world.config.quotas.agents = 3
    write_agents(world, *range(8))
    await world.start()
    await world.until(lambda: len(ids_of(world, "agents")) == 3)
    await world.stop()
    world.config.quotas.agents = 6
    await world.start()
    await world.until(lambda: len(ids_of(world, "agents")) == 6)
    await world.stop()
    world.config.quotas.agents = 100
    await world.start()
    await world.until(lambda: len(ids_of(world, "agents")) == 8)
    assert (await world.agent("agent007"))["role"] == "Role 7"


async def test_leads_that_were_left_out_come_when_others_go(world: World) -> None:
    world.config.quotas.leads = 40
    world.write(LEADS, leads(*range(100)))
    await world.start()
    await world.until(lambda: len(ids_of(world, "leads")) == 40)
    world.replace(LEADS, leads(*range(60, 95)))
    await world.until(lambda: ids_of(world, "leads") == {f"lead{number:03}" for number in range(60, 95)})
    world.replace(LEADS, leads(*range(60, 100), *range(5)))
    await world.until(lambda: len(ids_of(world, "leads")) == 40)
    world.replace(LEADS, leads(*range(66, 100), *range(5)))
    wanted = {f"lead{number:03}" for number in (*range(66, 100), *range(5))}
    await world.until(lambda: ids_of(world, "leads") == wanted)
    assert len(world.told("lead:removed")) == 40 + 6


async def test_tasks_that_were_left_out_come_when_others_go(world: World) -> None:
    world.config.quotas.tasks = 40
    world.write(TASKS, tasks(*range(100)))
    await world.start()
    await world.until(lambda: len(ids_of(world, "tasks")) == 40)
    await world.silence()
    world.replace(TASKS, tasks(*range(60, 95)))
    wanted = {f"TASK-{number:04}" for number in range(60, 95)}
    await world.until(lambda: ids_of(world, "tasks") == wanted)
    await world.silence()
    world.replace(TASKS, tasks(*range(60, 100), *range(200, 205)))
    await world.until(lambda: len(ids_of(world, "tasks")) == 40)
    world.replace(TASKS, tasks(*range(66, 100), *range(200, 205)))
    wanted = {f"TASK-{number:04}" for number in (*range(66, 100), *range(200, 205))}
    await world.until(lambda: ids_of(world, "tasks") == wanted)


async def test_whichever_record_goes_one_that_waits_takes_its_place(world: World) -> None:
    world.config.quotas.agents = world.config.quotas.leads = world.config.quotas.tasks = 2
    write_agents(world, *range(4))
    world.write(LEADS, leads(*range(4)))
    world.write(TASKS, tasks(*range(4)))
    await world.start()
    await world.until(lambda: all(len(ids_of(world, name)) == 2 for name in ("agents", "leads", "tasks")))
    await world.silence()
    remove_agents(world, "agent000")
    world.replace(LEADS, leads(1, 2, 3))
    world.replace(TASKS, tasks(1, 2, 3))
    await world.until(lambda: ids_of(world, "agents") == {"agent001", "agent002"})
    await world.until(lambda: ids_of(world, "leads") == {"lead001", "lead002"})
    await world.until(lambda: ids_of(world, "tasks") == {"TASK-0001", "TASK-0002"})


def tokens_of(world: World, *agents: str) -> list[int]:
    return [world.folded.tokens.of(agent).get("tokens", 0) for agent in agents]


async def test_what_agents_have_used_that_were_left_out_is_counted_once_there_is_room(
    world: World, runtime: Runtime
) -> None:
    world.config.quotas.agents = 2
    for agent in ("main", "scout"):
        runtime.write(agent, said("Go"), answered())
    await world.start()
    await world.until(lambda: tokens_of(world, "main", "scout") == [420, 420])
    runtime.write("forge", said("Go"), answered())
    runtime.write("main", answered())
    await world.until(lambda: tokens_of(world, "main") == [840])
    runtime.write("forge", answered())
    runtime.write("main", answered())
    await world.until(lambda: tokens_of(world, "main") == [1260])
    await world.silence()
    assert tokens_of(world, "forge") == [0]
    world.config.quotas.agents = 3
    runtime.write("forge", answered())
    await world.until(lambda: tokens_of(world, "forge") == [1260])
    runtime.write("forge", answered())
    await world.until(lambda: tokens_of(world, "forge") == [1680])
    await world.restart()
    await world.silence()
    assert tokens_of(world, "main", "scout", "forge") == [1260, 420, 1680]
    assert (
        sum(told["delta"]["tokens"] for told in world.told("token:usage") if told["agent"] == "forge") == 1680
    )


async def test_what_an_agent_has_used_comes_with_the_restart_that_raises_the_quota(
    world: World, runtime: Runtime
) -> None:
    world.config.quotas.agents = 2
    for agent in ("main", "scout"):
        runtime.write(agent, said("Go"), answered())
    await world.start()
    await world.until(lambda: tokens_of(world, "main", "scout") == [420, 420])
    runtime.write("forge", said("Go"), answered(), answered())
    runtime.write("main", answered())
    await world.until(lambda: tokens_of(world, "main") == [840])
    await world.silence()
    await world.stop()
    world.config.quotas.agents = 3
    await world.start()
    await world.until(lambda: tokens_of(world, "forge") == [840])
    await world.restart()
    await world.silence()
    assert tokens_of(world, "main", "scout", "forge") == [840, 420, 840]
