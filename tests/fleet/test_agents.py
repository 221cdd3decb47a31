"""The agents source, over real files."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fleet.world import World

from missioncontrol.fleet.agent_status import RuntimeAgent
from missioncontrol.fleet.agents import MAX_BASELINE_BYTES, Agents

pytestmark = pytest.mark.anyio

SCOUT = "mission-control/agents/scout"
SOUL = """# SOUL.md

**Name:** Scout
**Role:** Researcher
**Codename:** "The Eye"
**Division:** Intelligence

**Specialties:**
- research
- monitoring
"""
STATE: dict[str, Any] = {
    "agent": "scout",
    "status": "idle",
    "lastActive": "2026-11-23T08:46:00+08:00",
    "active_projects": [{"id": "p1", "name": "Market", "status": "in_progress"}],
    "stats": {"tasksCompleted": 1, "tasksActive": 1},
    "current_task": {"description": "Read", "assigned_by": "nexus", "priority": "P1"},
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have doubts settled in a moment, where waiting for half-written files is not what is tested."""
    monkeypatch.setattr("missioncontrol.fleet.agents.SECOND_LOOKS", (0.01,) * 6)


async def started(world: World, **state: Any) -> None:
    world.write(f"{SCOUT}/SOUL.md", SOUL)
    world.write(f"{SCOUT}/state.json", {**STATE, **state})
    await world.start()


async def test_the_first_start_tells_all_agents_as_one_baseline(world: World) -> None:
    world.write("mission-control/agents/quill/SOUL.md", "**Name:** Quill")
    world.write("mission-control/agents/forge/state.json", {"status": "🟢 ACTIVE", "lastUpdated": 1771290000})
    world.write("mission-control/agents/bare/README.md", "an agent without any file of one")
    await started(world)
    (baseline,) = world.told()
    assert world.records[0].type == "state:baseline"
    agents = {agent["id"]: agent for agent in baseline["agents"]}
    assert baseline["source"] == "agents"
    assert list(agents) == ["bare", "forge", "quill", "scout"]
    assert (agents["bare"]["name"], agents["bare"]["status"]) == ("bare", "unknown")
    confirmed = agents["scout"].pop("confirmed")
    assert confirmed.endswith("Z")
    assert agents["scout"] == {
        "id": "scout",
        "name": "Scout",
        "role": "Researcher",
        "codename": "The Eye",
        "division": "Intelligence",
        "specialties": ["research", "monitoring"],
        "status": "idle",
        "kind": "idle",
        "previousStatus": None,
        "statusSource": "state.json",
        "lastActive": "2026-11-23T08:46:00+08:00",
        "stats": {"tasksCompleted": 1, "tasksActive": 1},
        "activeProjects": [{"id": "p1", "name": "Market", "status": "in_progress"}],
        "currentTask": {"description": "Read", "assigned_by": "nexus", "priority": "P1"},
    }
    assert agents["quill"]["name"] == "Quill"
    assert (agents["quill"]["status"], agents["quill"]["statusSource"]) == ("unknown", None)
    assert (agents["forge"]["status"], agents["forge"]["kind"]) == ("🟢 ACTIVE", "online")
    assert agents["forge"]["lastActive"] == "2026-02-17T01:00:00.000Z"


async def test_a_workspace_without_agents_has_no_baseline_event(world: World) -> None:
    await world.start()
    world.write(f"{SCOUT}/state.json", STATE)
    await world.until(lambda: world.records)
    assert [record.type for record in world.records] == ["agent:statusChange"]


async def test_a_status_change_is_told_once_and_whole(world: World) -> None:
    await started(world)
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "busy", "stats": {"tasksCompleted": 2}})
    await world.until(lambda: world.told("agent:statusChange"))
    await world.silence()
    (change,) = world.told("agent:statusChange")
    assert change.pop("confirmed").endswith("Z")
    assert change == {
        "agentId": "scout",
        "status": "busy",
        "previousStatus": "idle",
        "kind": "busy",
        "lastActive": "2026-11-23T08:46:00+08:00",
        "stats": {"tasksCompleted": 2},
        "agent": None,
        "statusSource": "state.json",
    }
    assert len(world.records) == 2
    agent = await world.agent("scout")
    assert (agent["status"], agent["previousStatus"], agent["role"]) == ("busy", "idle", "Researcher")


async def test_what_changed_with_the_status_rides_along(world: World) -> None:
    await started(world)
    world.replace(f"{SCOUT}/state.json", {**STATE, "status": "busy", "current_task": "Write"})
    await world.until(lambda: world.told("agent:statusChange"))
    (change,) = world.told("agent:statusChange")
    assert change["agent"]["currentTask"] == "Write"
    assert change["agent"]["previousStatus"] == "idle"
    assert (await world.agent("scout"))["currentTask"] == "Write"


async def test_other_fields_alone_are_an_update(world: World) -> None:
    await started(world)
    world.write(f"{SCOUT}/state.json", {**STATE, "current_task": None, "stats": {}})
    await world.until(lambda: world.told("agent:updated"))
    world.write(f"{SCOUT}/SOUL.md", SOUL.replace("Researcher", "Analyst"))
    await world.until(lambda: len(world.told("agent:updated")) == 2)
    await world.silence()
    first, second = world.told("agent:updated")
    assert first["updates"].pop("confirmed")
    assert first == {"agentId": "scout", "updates": {"currentTask": None, "stats": {}}}
    assert second == {"agentId": "scout", "updates": {"role": "Analyst"}}
    assert len(world.records) == 3


async def test_the_same_content_again_is_told_at_most_once_a_minute_as_confirmed(world: World) -> None:
    await started(world)
    state = world.root / SCOUT / "state.json"
    written = state.stat().st_mtime_ns
    os.utime(state, ns=(0, written + 50 * 10**9))
    await world.silence()
    assert len(world.records) == 1
    os.utime(state, ns=(0, written + 70 * 10**9))
    await world.until(lambda: len(world.records) == 2)
    assert world.told()[1]["updates"].keys() == {"confirmed"}


def in_runtime(status: str, at: datetime, **more: Any) -> RuntimeAgent:
    at_ms = round(at.timestamp() * 1000)
    return RuntimeAgent("openclaw", "scout", status, at_ms, "openclaw transcript", model="fake-1", **more)


async def test_of_the_file_and_the_runtime_the_newer_word_counts(world: World) -> None:
    world.kinds = (Agents,)
    await started(world)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert world.supervisor is not None
    runtimes = world.supervisor.runtimes
    runtimes.replace({"scout": in_runtime("busy", soon)})
    await world.until(lambda: world.told("agent:statusChange"))
    scout = await world.agent("scout")
    assert (scout["status"], scout["previousStatus"], scout["statusSource"], scout["model"]) == (
        *("busy", "idle"),
        *("openclaw transcript", "fake-1"),
    )
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "offline"})
    later = (soon + timedelta(seconds=5)).timestamp()
    os.utime(world.root / SCOUT / "state.json", (later, later))
    await world.until(lambda: len(world.told("agent:statusChange")) == 2)
    scout = await world.agent("scout")
    assert (scout["status"], scout["statusSource"], scout["role"]) == ("offline", "state.json", "Researcher")


async def test_an_agent_that_only_a_runtime_knows_comes_stays_over_a_restart_and_goes(world: World) -> None:
    world.kinds = (Agents,)
    await started(world)
    assert world.supervisor is not None
    at = datetime.now(UTC)
    world.supervisor.runtimes.replace({"claude-app": in_runtime("busy", at)})
    await world.until(lambda: world.told("agent:statusChange"))
    (told,) = world.told("agent:statusChange")
    assert (told["agentId"], told["status"], told["agent"]["runtime"]) == ("claude-app", "busy", "openclaw")
    await world.restart()
    # Before its runtime has been looked at, nobody knows whether it is gone.
    assert not world.told("agent:removed")
    world.supervisor.runtimes.replace({})
    await world.until(lambda: world.told("agent:removed"))
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["scout"]


async def test_an_agent_that_comes_brings_its_whole_record(world: World) -> None:
    await started(world)
    world.write("mission-control/agents/forge/SOUL.md", "Name: Forge")
    world.write("mission-control/agents/forge/state.json", {"status": "busy"})
    await world.until(lambda: world.told("agent:statusChange"))
    await world.silence()
    (change,) = world.told("agent:statusChange")
    assert (change["agentId"], change["status"], change["previousStatus"]) == ("forge", "busy", None)
    assert change["agent"]["name"] == "Forge"
    assert (await world.agent("forge"))["name"] == "Forge"


async def test_an_agent_whose_folder_goes_is_removed(world: World) -> None:
    await started(world)
    shutil.rmtree(world.root / SCOUT)
    await world.until(lambda: world.told("agent:removed"))
    assert world.told("agent:removed") == [{"agentId": "scout"}]
    assert (await world.state())["agents"] == []


async def test_an_agent_that_moves_is_another_one(world: World) -> None:
    await started(world)
    (world.root / SCOUT).rename(world.root / "mission-control/agents/ranger")
    await world.until(lambda: world.told("agent:removed") and world.told("agent:statusChange"))
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["ranger"]


async def test_without_its_state_file_an_agent_is_of_unknown_status(world: World) -> None:
    await started(world)
    (world.root / SCOUT / "state.json").unlink()
    await world.until(lambda: world.told("agent:statusChange"))
    agent = await world.agent("scout")
    assert (agent["status"], agent["previousStatus"], agent["name"]) == ("unknown", "idle", "Scout")


async def test_a_file_that_is_away_for_an_instant_is_not_forgotten(world: World) -> None:
    await started(world)
    path = world.root / SCOUT
    path.rename(path.with_name("scout.away"))
    await asyncio.sleep(0.04)
    path.with_name("scout.away").rename(path)
    (path / "state.json").unlink()
    await asyncio.sleep(0.04)
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "busy"})
    await world.until(lambda: world.told("agent:statusChange"))
    await world.silence()
    changes = world.told("agent:statusChange")
    assert [(change["agentId"], change["status"]) for change in changes if change["agentId"] == "scout"] == [
        ("scout", "busy")
    ]
    assert not [data for data in world.told("agent:removed") if data["agentId"] == "scout"]


async def test_a_half_written_file_is_waited_for(world: World) -> None:
    await started(world)
    whole = msgspec.json.encode({**STATE, "status": "busy"})
    with (world.root / SCOUT / "state.json").open("wb") as file:
        file.write(whole[:40])
        file.flush()
        await asyncio.sleep(0.3)
        file.write(whole[40:])
    await world.until(lambda: world.told("agent:statusChange"))
    await world.silence(1.2)
    assert len(world.records) == 2


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b'{"status": "busy"', "it is not JSON"),
        (b"", "it is empty"),
        (b'["a", "list"]', "it holds a list instead of an object"),
        (b'"busy"', "it holds the value 'busy' instead of an object"),
        (b'{"status": "caf\xe9"}', "it is not UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "it is not JSON"),
        (b"x" * (1024 * 1024 + 1), "it is larger than 1,048,576 bytes"),
    ],
    ids=["cut short", "empty", "list", "text", "latin-1", "too deep", "too large"],
)
@pytest.mark.usefixtures("quick")
async def test_a_broken_file_is_an_alert_once_and_nothing_is_forgotten(
    world: World, content: bytes, wrong: str
) -> None:
    await started(world)
    before = await world.agent("scout")
    world.write(f"{SCOUT}/state.json", content)
    await world.until(world.alerts)
    world.write(f"{SCOUT}/state.json", content)
    await world.silence(0.2)
    (alert,) = world.told("system:alert")
    assert alert["level"] == "warning"
    assert alert["details"]["path"] == f"{SCOUT}/state.json"
    assert wrong in alert["message"]
    assert await world.agent("scout") == before
    await world.restart()
    await world.silence(0.1)
    assert len(world.alerts()) == 1
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "busy"})
    await world.until(lambda: world.told("agent:statusChange"))
    assert (await world.agent("scout"))["previousStatus"] == "idle"


@pytest.mark.usefixtures("quick")
async def test_a_file_broken_in_another_way_is_another_alert(world: World) -> None:
    await started(world)
    world.write(f"{SCOUT}/state.json", "{")
    await world.until(world.alerts)
    world.write(f"{SCOUT}/state.json", "[")
    await world.until(lambda: len(world.alerts()) == 2)


@pytest.mark.usefixtures("quick")
async def test_a_broken_file_is_found_at_the_first_start_too(world: World) -> None:
    world.write("mission-control/agents/forge/state.json", "{")
    await started(world)
    await world.until(world.alerts)
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["forge", "scout"]
    assert (await world.agent("forge"))["status"] == "unknown"


@pytest.mark.usefixtures("quick")
async def test_what_is_no_regular_file_is_not_read(world: World, tmp_path: Path) -> None:
    await started(world)
    (world.root / SCOUT / "SOUL.md").unlink()
    (world.root / SCOUT / "SOUL.md").mkdir()
    forge = world.root / "mission-control/agents/forge"
    forge.mkdir()
    os.mkfifo(forge / "state.json")
    await world.until(lambda: len(world.alerts()) == 2)
    assert all("it is not a regular file" in message for message in world.alerts())
    secret = tmp_path / "secret.json"
    secret.write_text('{"status": "stolen"}')
    (world.root / SCOUT / "state.json").unlink()
    (world.root / SCOUT / "state.json").symlink_to(secret)
    (world.root / "mission-control/agents/spy").symlink_to(world.root / SCOUT)
    await world.until(
        lambda: any(change["status"] == "unknown" for change in world.told("agent:statusChange"))
    )
    await world.silence()
    assert {change["status"] for change in world.told("agent:statusChange")} == {"unknown"}
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["forge", "scout"]


async def test_a_file_of_200_megabytes_is_not_read(world: World) -> None:
    await started(world)
    os.truncate(world.root / SCOUT / "state.json", 200_000_000)
    await world.until(world.alerts)
    assert "it is larger than" in world.alerts()[0]


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (3, "3", "unknown"),
        ({"state": "busy", "since": 5}, "busy", "busy"),
        ({"odd": True}, "unknown", "unknown"),
        (["busy"], "unknown", "unknown"),
        (None, "unknown", "unknown"),
        (True, "unknown", "unknown"),
        ("  ", "unknown", "unknown"),
        ("ACTIVE", "ACTIVE", "online"),
        ("x" * 10_000, "x" * 300, "unknown"),
    ],
    ids=repr,
)
async def test_a_status_of_any_form_is_understood(world: World, status: Any, word: str, kind: str) -> None:
    await started(world)
    world.write(f"{SCOUT}/state.json", {"status": status})
    await world.until(lambda: world.told("agent:statusChange"))
    agent = await world.agent("scout")
    assert (agent["status"], agent["kind"]) == (word, kind)


async def test_other_spellings_of_the_fields_are_understood(world: World) -> None:
    await world.start()
    content = (
        b'\xef\xbb\xbf{"status": "busy", "last_updated": 1771290000123, "projects": ["a"], '
        b'"currentTask": {"id": 1}, "code_name": "The Smith", "statistics": {"n": 1e5}}'
    )
    world.write("agents/forge/state.json", content)
    await world.until(lambda: world.told("agent:statusChange"))
    agent = await world.agent("forge")
    assert agent["lastActive"] == "2026-02-17T01:00:00.123Z"
    assert agent["activeProjects"] == ["a"]
    assert agent["currentTask"] == {"id": 1}
    assert agent["codename"] == "The Smith"
    assert agent["stats"] == {"n": 1e5}


async def test_fields_too_large_to_be_sent_are_left_out_and_named(world: World) -> None:
    await started(world)
    deep: Any = {}
    for _ in range(60):
        deep = {"in": deep}
    world.write(
        f"{SCOUT}/state.json", {"status": "busy", "stats": {"n": "x" * 100_000}, "current_task": deep}
    )
    await world.until(lambda: world.told("agent:statusChange") and world.alerts())
    assert "too large to be sent: stats, currentTask" in world.alerts()[0]
    assert (await world.agent("scout"))["stats"] == {}


async def test_agents_may_live_next_to_mission_control(world: World) -> None:
    world.write("agents/scout/SOUL.md", SOUL)
    await world.start()
    assert (await world.agent("scout"))["name"] == "Scout"
    world.write("agents/scout/state.json", {"status": "idle"})
    await world.until(lambda: world.told("agent:statusChange"))
    world.write("mission-control/agents/forge/SOUL.md", "Name: Forge")
    await world.until(lambda: world.told("agent:removed"))
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["forge"]


async def test_what_changed_while_nobody_watched_is_told_at_the_next_start(world: World) -> None:
    world.write("mission-control/agents/forge/state.json", {"status": "busy"})
    await started(world)
    await world.stop()
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "waiting"})
    shutil.rmtree(world.root / "mission-control/agents/forge")
    world.write("mission-control/agents/quill/SOUL.md", "Name: Quill")
    await world.start()
    assert sorted((record.type, record.data["agentId"]) for record in world.records[1:]) == [
        ("agent:removed", "forge"),
        ("agent:statusChange", "quill"),
        ("agent:statusChange", "scout"),
    ]
    assert all(record.data["foundAtStart"] for record in world.records[1:])
    await world.restart()
    assert len(world.records) == 4


async def test_a_start_with_nothing_new_tells_nothing(world: World) -> None:
    await started(world)
    await world.restart()
    await world.restart()
    assert len(world.records) == 1


async def test_a_large_fleet_has_its_baseline_in_parts(world: World) -> None:
    for number in range(300):
        world.write(
            f"mission-control/agents/a{number:03}/state.json", {"status": "idle", "stats": {"x": "y" * 1000}}
        )
    await world.start()
    await world.until(lambda: len(world.records) >= 2)
    assert all(len(record.body) < MAX_BASELINE_BYTES + 1000 for record in world.records)
    assert len((await world.state())["agents"]) == 300


async def test_a_change_is_kept_while_the_log_is_in_trouble(world: World) -> None:
    await started(world)
    world.log.trouble = "The disk is full."
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "busy"})
    await world.log.tried.wait()
    world.write(f"{SCOUT}/state.json", {**STATE, "status": "waiting"})
    world.log.trouble = None
    await world.until(lambda: len(world.told("agent:statusChange")) == 2)
    assert [change["status"] for change in world.told("agent:statusChange")] == ["busy", "waiting"]


async def test_the_folded_state_is_what_the_files_say_after_any_churn(world: World) -> None:
    await started(world)
    statuses = ["idle", "busy", "waiting for review", "offline", "🟢"]
    for number in range(60):
        agent = f"mission-control/agents/a{number % 7}"
        if number % 11 == 5:
            shutil.rmtree(world.root / agent, ignore_errors=True)
        else:
            (world.root / agent).mkdir(exist_ok=True)
            world.replace(f"{agent}/state.json", {"status": statuses[number % 5], "stats": {"n": number}})
        if number % 4 == 0:
            await asyncio.sleep(0.02)
        if number == 30:
            await world.restart()
    await world.silence()
    expected = {
        path.parent.name: msgspec.json.decode(path.read_bytes())
        for path in world.root.glob("mission-control/agents/*/state.json")
    }
    agents = {agent["id"]: agent for agent in (await world.state())["agents"]}
    assert agents.keys() == expected.keys()
    for id_, state in expected.items():
        assert (agents[id_]["status"], agents[id_]["stats"]) == (state["status"], state["stats"])


async def test_every_folder_below_the_agents_is_an_agent(world: World) -> None:
    await started(world)
    (world.root / "mission-control/agents/bare").mkdir()
    (world.root / "mission-control/agents/.hidden").mkdir()
    (world.root / "mission-control/agents/link").symlink_to(world.root / SCOUT)
    world.write("mission-control/agents/notes.md", "no folder")
    await world.until(lambda: world.told("agent:statusChange"))
    await world.silence()
    assert [agent["id"] for agent in (await world.state())["agents"]] == ["bare", "scout"]
    assert [(data["agentId"], data["status"]) for data in world.told("agent:statusChange")] == [
        ("bare", "unknown")
    ]
    (world.root / SCOUT / "state.json").unlink()
    (world.root / SCOUT / "SOUL.md").unlink()
    await world.until(lambda: len(world.told("agent:statusChange")) == 2)
    scout = await world.agent("scout")
    assert (scout["name"], scout["status"], scout["previousStatus"]) == ("scout", "unknown", "idle")
    assert not world.told("agent:removed")
    await world.restart()
    await world.silence()
    assert len(world.told("agent:statusChange")) == 2
    (world.root / "mission-control/agents/bare").rmdir()
    await world.until(lambda: world.told("agent:removed"))
    assert world.told("agent:removed") == [{"agentId": "bare"}]


async def test_agents_are_named_by_the_files_of_their_own_workspaces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.watcher.FIND_SECONDS", 0.05)
    entries = {"main": {"workspace": str(world.root)}, "scout": {}, "forge": {}}
    world.write("../openclaw.json", {"agents": {"entries": entries}})
    world.write("IDENTITY.md", "- **Name:** Nexus")
    world.write("../workspace-scout/IDENTITY.md", "# IDENTITY.md\n\n- **Name:** Lens\n- **Role:** Reader\n")
    world.write("../workspace-scout/SOUL.md", "**Name:** Other\n**Division:** Research\n")
    world.write("../workspace-left/notes.md", "an agent that nothing else knows")
    await world.start()
    await world.eventually(lambda: len(world.folded.table("agents")) == 4)
    agents = world.folded.table("agents")
    assert {id_: agents[id_]["name"] for id_ in agents} == {
        "main": "Nexus",
        "scout": "Lens",
        "forge": "forge",
        "left": "left",
    }
    assert (agents["scout"]["role"], agents["scout"]["division"]) == ("Reader", "Research")
    world.write("../workspace-scout/IDENTITY.md", "- **Name:** Lens the Second")
    world.write("IDENTITY.md", "- **Name:** Nexus the Second")
    await world.until(lambda: agents["scout"]["name"] == "Lens the Second")
    await world.until(lambda: agents["main"]["name"] == "Nexus the Second")
    world.write("../workspace-forge/SOUL.md", "Name: Anvil")
    await world.until(lambda: agents["forge"]["name"] == "Anvil")
    shutil.rmtree(world.root / "../workspace-left")
    await world.until(lambda: "left" not in agents)
    shutil.rmtree(world.root / "../workspace-forge")
    await world.until(lambda: agents["forge"]["name"] == "forge")
    # The agent's folder in the watched workspace says it first.
    world.write("agents/scout/SOUL.md", "**Name:** Scout")
    await world.until(lambda: agents["scout"]["name"] == "Scout")
    assert not world.alerts()
