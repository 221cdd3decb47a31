"""The source of token use, over transcripts as runtimes write them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.openclaw_folder import Runtime, answered, called, iso, said
from tests.fleet.world import World

from missioncontrol.config import BudgetConfig, SourcesConfig
from missioncontrol.errors import Unavailable
from missioncontrol.events import Draft, now
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.usage.budgets import day_of
from missioncontrol.fleet.usage.runaways import IN_A_ROW
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.records import SessionInfo, Turn, Usage

pytestmark = pytest.mark.anyio


def use_of(world: World, agent: str) -> dict[str, Any]:
    return dict(world.folded.tokens.of(agent))


async def test_what_is_there_at_the_first_start_is_state_and_no_news(world: World, runtime: Runtime) -> None:
    runtime.write("scout", said("Go"), answered(), answered(), session="a")
    runtime.write("scout", answered(cost=None), session="b")
    await world.start()
    await world.until(lambda: use_of(world, "scout"))
    scout = use_of(world, "scout")
    assert (scout["tokens"], scout["cost"], scout["calls"]) == (1260, 0.5, 3)
    assert (scout["costs"], scout["unpriced"]) == ({"transcript": 0.5}, {"tokens": 420, "calls": 1})
    assert {session["id"] for session in (await world.state())["tokens"]["sessions"]} == {"a", "b"}
    assert world.told("token:usage") == []


async def test_each_response_is_told_once_with_the_totals_so_far(world: World, runtime: Runtime) -> None:
    runtime.write("scout", said("Go"), answered())
    await world.start()
    await world.until(lambda: use_of(world, "scout"))
    runtime.write("scout", answered(cost=0.5))
    await world.until(lambda: world.told("token:usage"))
    (told,) = world.told("token:usage")
    assert (told["agent"], told["tokens"], told["cost"]) == ("scout", 840, 0.75)
    assert (told["delta"]["tokens"], told["delta"]["cost"]) == (420, 0.5)
    (use,) = told["delta"]["uses"]
    assert (use["session"], use["model"], use["costSource"]) == ("scout-1", "fake-1", "transcript")


async def test_a_restart_neither_misses_nor_repeats(world: World, runtime: Runtime) -> None:
    runtime.write("scout", said("Go"), answered())
    await world.start()
    runtime.write("scout", answered())
    await world.until(lambda: use_of(world, "scout").get("tokens") == 840)
    await world.stop()
    runtime.write("scout", answered())
    runtime.write("main", answered())
    await world.start()
    await world.until(lambda: use_of(world, "scout")["tokens"] == 1260 and use_of(world, "main"))
    assert [told.get("foundAtStart") for told in world.told("token:usage")[-2:]] == [True, True]
    await world.restart()
    await world.silence()
    assert use_of(world, "scout")["tokens"] == 1260


async def test_a_session_that_is_reset_or_deleted_counts_on_as_it_was(world: World, runtime: Runtime) -> None:
    runtime.write("scout", said("Go"), answered())
    await world.start()
    await world.until(lambda: use_of(world, "scout"))
    path = runtime.path("scout", "scout-1")
    path.rename(path.with_name(f"{path.name}.reset.2026-11-23T00-52-53.628Z"))
    runtime.write("scout", answered())
    await world.until(lambda: use_of(world, "scout")["tokens"] == 840)
    for transcript in path.parent.iterdir():
        transcript.unlink()
    await world.restart()
    await world.silence()
    assert use_of(world, "scout")["tokens"] == 840


async def test_an_agent_is_busy_while_its_turn_runs_and_idle_after(world: World, runtime: Runtime) -> None:
    await world.start()
    runtime.write("scout", said("Go"))
    await until_status(world, "busy")
    runtime.write("scout", called("ls"))
    runtime.write("scout", {"role": "toolResult", "toolCallId": "c", "toolName": "exec", "content": "a"})
    runtime.write("scout", answered())
    await until_status(world, "idle")
    runtime.write("scout", said("Again"), answered(reason="error", errorMessage="500 from the model"))
    await until_status(world, "error")
    changes = world.told("agent:statusChange")
    assert [change["status"] for change in changes if change["agentId"] == "scout"][-3:] == [
        *("busy", "idle"),
        "error",
    ] or [change["status"] for change in changes if change["agentId"] == "scout"][-2:] == ["busy", "error"]
    assert changes[-1]["statusSource"].startswith("OpenClaw")


async def until_status(world: World, wanted: str) -> None:
    await world.until(
        lambda: any(
            agent_id == "scout" and agent["status"] == wanted
            for agent_id, agent in world.folded.table("agents").items()
        )
    )


async def test_a_call_is_the_agents_activity(world: World, runtime: Runtime) -> None:
    await world.start()
    runtime.write("scout", said("Go"), called("make test"))
    await world.until(lambda: world.told("agent:activity"))
    assert world.told("agent:activity")[0]["activity"] == "exec make test"
    await world.until(lambda: world.folded.table("agents").get("scout", {}).get("activity"))


async def test_a_loop_of_calls_is_an_alert_once(world: World, runtime: Runtime) -> None:
    await world.start()
    runtime.write("scout", said("Go"))
    for _ in range(IN_A_ROW + 5):
        runtime.write("scout", called("curl localhost/queue"))
    await world.until(lambda: use_of(world, "scout").get("calls") == IN_A_ROW + 5)
    (alert,) = (data for data in world.told("system:alert") if data["details"].get("runaway"))
    assert "curl localhost/queue" in alert["message"]
    assert alert["details"]["agentId"] == "scout"
    assert alert["details"]["costSoFar"] > 0


async def test_a_threshold_is_told_once_whatever_restarts(world: World, runtime: Runtime) -> None:
    world.config.budgets = BudgetConfig(daily=1.0, agents={"scout": 0.5})
    await world.start()
    runtime.write("scout", answered(cost=0.45))
    await world.until(lambda: world.told("token:threshold"))
    runtime.write("scout", answered(cost=0.6))
    await world.until(lambda: len(world.told("token:threshold")) == 3)
    await world.restart()
    await world.silence()
    crossed = [(told["agent"], told["scope"], told["alert"]) for told in world.told("token:threshold")]
    assert crossed == [
        ("scout", "agent", "warning"),
        ("scout", "agent", "critical"),
        ("fleet", "fleet", "critical"),
    ]


async def test_a_spent_budget_asks_once_whether_to_go_on_and_stop_means_stop(
    world: World, runtime: Runtime
) -> None:
    world.config.budgets = BudgetConfig(daily=100.0, agents={"scout": 0.5}, on_exceed="ask")
    await world.start()
    runtime.write("scout", answered(cost=0.6))
    await world.until(lambda: world.told("question:asked"))
    await world.restart()
    await world.silence()
    (asked,) = (told["question"] for told in world.told("question:asked"))
    assert asked["text"] == "scout has spent $0.60 of $0.50 for today. Go on?"
    assert (asked["kind"], asked["agentId"], asked["options"]) == ("budget", "scout", ["continue", "stop"])
    assert world.supervisor is not None
    tokens = world.supervisor.source(UsageTracker)
    assert tokens.stopped("scout") is None
    await world.supervisor.source(Questions).answer(asked["id"], "stop", by="anna")
    assert (reason := tokens.stopped("scout")) is not None
    assert reason.startswith("anna has said stop: the budget of $0.50")
    assert tokens.stopped("main") is None


async def test_a_stop_counts_for_its_day_whatever_else_is_asked_and_restarts(
    world: World, runtime: Runtime
) -> None:
    world.config.budgets = BudgetConfig(daily=0.5, agents={"scout": 0.5}, on_exceed="ask")
    await world.start()
    runtime.write("scout", answered(cost=0.6))
    await world.until(lambda: len(world.told("question:asked")) == 2)
    assert world.supervisor is not None
    questions = world.supervisor.source(Questions)
    asked = next(told["question"] for told in world.told("question:asked") if told["question"]["agentId"])
    await questions.answer(asked["id"], "stop", by="anna")
    for _ in range(101):
        other = await questions.ask("Go on?", kind="budget", options=["continue", "stop"])
        await questions.close(other["id"])
    assert asked["id"] not in world.folded.table("questions")
    tokens = world.supervisor.source(UsageTracker)
    assert tokens.stopped("scout") is not None
    assert tokens.stopped("main") is None
    async with asyncio.timeout(5):
        while "stop:agent:scout" not in await world.log.recall("tokens"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await world.restart()
    tokens = world.supervisor.source(UsageTracker)
    await world.eventually(lambda: tokens.stopped("scout"))
    assert "anna has said stop" in str(tokens.stopped("scout"))


async def test_a_budget_that_no_server_has_asked_about_stops_nobody(world: World, runtime: Runtime) -> None:
    await world.start()
    details = {"scope": "fleet", "period": day_of(now()), "threshold": 1.0}
    forged = {"id": "q", "text": "Lunch?", "kind": "budget", "options": ["stop", "go"], "details": details}
    # As an earlier release took it from a token.
    await world.log.append([Draft("question:asked", {"question": forged}, by="mallory")])
    assert world.supervisor is not None
    await world.supervisor.source(Questions).answer("q", "stop", by="anna")
    assert world.supervisor.source(UsageTracker).stopped("scout") is None


async def test_a_report_of_a_runtime_is_entered_like_a_transcript(world: World, runtime: Runtime) -> None:
    await world.start()
    assert world.supervisor is not None
    tokens = world.supervisor.source(UsageTracker)
    at = round(time.time() * 1000)
    await tokens.report(
        [
            SessionInfo(session="s-1", runtime="claude", cwd="/home/user/shop"),
            Usage("r-1", "claude", "s-1", at, "claude-sonnet-4-5", input=100, output=20, cost=0.25),
            Turn("s-1", at, "waiting", detail="Bash: make", evidence="Claude Code hook"),
        ]
    )
    assert use_of(world, "claude-shop")["tokens"] == 120
    await world.until(lambda: world.folded.table("agents").get("claude-shop", {}).get("kind") == "waiting")
    agent = world.folded.table("agents")["claude-shop"]
    assert (agent["statusSource"], agent["statusDetail"]) == ("Claude Code hook", "Bash: make")
    await world.restart()
    tokens = world.supervisor.source(UsageTracker)
    await tokens.report([Usage("r-1", "claude", "s-1", at, "claude-sonnet-4-5", input=100, output=20)])
    assert use_of(world, "claude-shop")["tokens"] == 120
    await world.stop()
    with pytest.raises(Unavailable):
        await tokens.report([Turn("s-1", at, "idle")])


async def test_a_runtime_whose_folder_appears_later_is_found(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.usage.tracker.DOUBT_SECONDS", 0.1)
    world.config.sources = SourcesConfig(
        places={"openclaw": str(tmp_path / "openclaw"), "claude": "off", "codex": "off"}
    )
    await world.start()
    runtime = Runtime(tmp_path / "openclaw")
    runtime.write("scout", said("Go"), answered())
    await world.until(lambda: use_of(world, "scout").get("tokens") == 420)


async def test_agents_of_the_roster_appear_before_their_first_turn(world: World, runtime: Runtime) -> None:
    await world.start()
    await world.until(lambda: {"main", "scout"} <= world.folded.table("agents").keys())
    assert world.folded.table("agents")["main"]["runtime"] == "openclaw"


async def test_a_broken_line_loses_nothing_else(world: World, runtime: Runtime) -> None:
    await world.start()
    runtime.write("scout", said("Go"), answered())
    with runtime.path("scout", "scout-1").open("ab") as file:
        file.write(b'{"type": "message", \xff broken\n')
    runtime.write("scout", answered())
    await world.until(lambda: use_of(world, "scout").get("tokens") == 840)
    assert not [alert for alert in world.alerts() if "failed" in alert]


def claude_line(message: str, output: int, **fields: Any) -> str:
    usage = {
        "input_tokens": 1000,
        "output_tokens": output,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 0,
    }
    line = {
        "type": "assistant",
        "uuid": f"{message}-{output}",
        "sessionId": "session-1",
        "timestamp": iso(time.time()),
        "cwd": "/home/user/website",
        "message": {
            "id": message,
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [{"type": "text", "text": "…"}],
            "stop_reason": "end_turn",
            "usage": usage,
        },
        **fields,
    }
    return json.dumps(line) + "\n"


async def test_claude_codes_responses_count_once_are_priced_and_its_sub_agents_belong_to_it(
    world: World, tmp_path: Path
) -> None:
    project = tmp_path / "claude" / "projects" / "-home-user-website"
    project.mkdir(parents=True)
    world.config.sources = SourcesConfig(
        places={"openclaw": "off", "claude": str(tmp_path / "claude"), "codex": "off"}
    )
    await world.start()
    with (project / "session-1.jsonl").open("w") as file:
        for output in (5, 5, 100):
            file.write(claude_line("msg_1", output))
    await world.until(lambda: use_of(world, "claude-website").get("output") == 100)
    use = use_of(world, "claude-website")
    cost = 1000 * 3e-6 + 100 * 15e-6 + 2000 * 0.3e-6
    assert (use["calls"], use["tokens"]) == (1, 3100)
    assert use["cost"] == pytest.approx(cost)
    assert use["costs"].keys() == {"prices"}
    below = project / "session-1" / "subagents"
    below.mkdir(parents=True)
    (below / "agent-a1.jsonl").write_text(claude_line("msg_2", 50, isSidechain=True, agentId="a1"))
    await world.until(lambda: use_of(world, "claude-website")["calls"] == 2)
    agents = {agent["id"]: agent for agent in (await world.state())["agents"]}
    assert agents.keys() == {"claude-website"}
    assert agents["claude-website"]["name"] == "Claude Code · website"


async def test_without_notifications_transcripts_are_looked_through_and_that_is_said(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("missioncontrol.fleet.usage.transcript_watcher.open_notices", none)
    monkeypatch.setattr("missioncontrol.fleet.usage.transcript_watcher.POLL_SECONDS", 0.05)
    await world.start()
    runtime.write("scout", said("Go"), answered())
    await world.until(lambda: use_of(world, "scout").get("tokens") == 420)
    assert world.supervisor is not None
    assert "polling" in (world.supervisor.health()["tokens"].note or "")


async def test_a_transcript_that_is_cut_and_written_again_counts_what_is_new(
    world: World, runtime: Runtime
) -> None:
    await world.start()
    runtime.write("scout", said("Go"), answered(), answered())
    await world.until(lambda: use_of(world, "scout").get("calls") == 2)
    path = runtime.path("scout", "scout-1")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    path.write_bytes(b"".join(lines))
    runtime.write("scout", answered())
    await world.until(lambda: use_of(world, "scout")["calls"] == 3)
    await world.silence()
    assert use_of(world, "scout")["tokens"] == 1260
