"""A few hundred revisions of a workspace, the server killed in between: the events make the state that the disk has."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import aiohttp
import pytest

from missioncontrol.events import Event, Record
from missioncontrol.state import FleetState
from missioncontrol.testing import ServerProcess, start_server
from tests.process.history import read_log
from tests.process.revisions import Fleet

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(240)]

CHECKPOINTS = 12
REVISIONS = 30
SOON = 15.0


async def read_snapshot(server: ServerProcess) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.get("/api/snapshot") as answer,
    ):
        state: dict[str, Any] = (await answer.json())["state"]
        return state


def differences(fleet: Fleet, state: dict[str, Any]) -> dict[str, Any]:
    """Say where the state is not what the disk has; empty where it is."""
    found: dict[str, tuple[Any, Any]] = {
        "agents": (
            fleet.agents(),
            {agent["id"]: agent["status"] for agent in state["agents"] if agent["id"] != "main"}
            # Forge has a runtime too, and its newer word may be that.
            | {"forge": fleet.agents()["forge"]},
        ),
        "tasks": (fleet.tasks(), {task["id"]: task for task in state["tasks"]}),
        "leads": (fleet.leads(), {lead["id"]: lead for lead in state["leads"]}),
        "tokens": (
            fleet.tokens,
            {agent: use["tokens"] for agent, use in state["tokens"]["agents"].items()},
        ),
        "gateway": (fleet.gateway(), (state["system"]["gateway"] or {}).get("status")),
    }
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


async def until_equal(fleet: Fleet, server: ServerProcess) -> None:
    deadline = monotonic() + SOON
    while wrong := differences(fleet, await read_snapshot(server)):
        assert monotonic() < deadline, (wrong, server.log[-3000:])
        await asyncio.sleep(0.05)


def milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def fold(events: list[Event]) -> FleetState:
    state = FleetState()
    state.apply([Record(event.id, event.type, milliseconds(event.time), b"", event.data) for event in events])
    return state


def check_nothing_is_told_twice(events: list[Event]) -> None:
    """Each event changes something, and follows from what was told before it."""
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    there: dict[str, set[str]] = {"task": set(), "lead": set(), "file": set()}
    status: dict[str, str] = {}
    tokens: Counter[str] = Counter()
    for event in events:
        data = event.data
        noun, _, what = event.type.partition(":")
        if event.type == "state:baseline":
            there["task"] |= {task["id"] for task in data["tasks"] or []}
            there["lead"] |= {lead["id"] for lead in data["leads"] or []}
            status |= {agent["id"]: agent["status"] for agent in data["agents"] or []}
            for agent, use in (data["tokens"] or {}).get("agents", {}).items():
                tokens[agent] += use["tokens"]
        elif what in ("created", "added") and noun in ("task", "lead"):
            assert data[noun]["id"] not in there[noun], event
            there[noun].add(data[noun]["id"])
        elif what in ("deleted", "removed") and noun in ("task", "lead"):
            there[noun].remove(data[f"{noun}Id"])
        elif noun in ("task", "lead"):
            assert data[f"{noun}Id"] in there[noun], event
        elif event.type == "agent:statusChange":
            assert data["previousStatus"] == status.get(data["agentId"]), event
            assert data["previousStatus"] != data["status"], event
            status[data["agentId"]] = data["status"]
        elif event.type == "token:usage":
            tokens[data["agent"]] += data["delta"]["tokens"]
            assert data["tokens"] == tokens[data["agent"]], event
            assert data["delta"]["tokens"] > 0
        elif event.type == "file:change":
            assert (data["action"] == "created") == (data["path"] not in there["file"]), event
            if data["action"] == "deleted":
                there["file"].remove(data["path"])
            else:
                there["file"].add(data["path"])
        elif event.type in ("agent:updated", "system:status"):
            pass
    # Folded one by one, each of them has made a difference.
    state = FleetState()
    for event in events:
        before = {part: state.part(part) for part in ("tasks", "leads")}
        state.apply([Record(event.id, event.type, 0, b"", event.data)])
        for part in before:
            if event.type.startswith(part[:-1]):
                assert state.part(part) != before[part], event  # type: ignore[arg-type]


async def test_the_events_of_a_changing_workspace_make_its_state_whatever_happens_to_the_server(
    tmp_path: Path,
) -> None:
    fleet = Fleet(tmp_path, seed=11)
    chance = Random(5)
    config = tmp_path / "config.toml"
    config.write_text(f'[sources]\nopenclaw = "{fleet.openclaw}"\n')
    with start_server(fleet.workspace, options=["--config", str(config)]) as server:
        for checkpoint in range(CHECKPOINTS):
            for _ in range(REVISIONS // 5):
                fleet.revise(5)
                # At every speed: some revisions are seen one by one, some together.
                await asyncio.sleep(chance.choice((0, 0.01, 0.1)))
            if checkpoint % 3 == 1:
                server.kill()
                # What changes while nobody watches counts too.
                fleet.revise(REVISIONS // 3)
                await asyncio.to_thread(server.start)
            await until_equal(fleet, server)
        state = await read_snapshot(server)
        _, events = await read_log(server.url)
        assert "Traceback" not in server.log, server.log
    check_nothing_is_told_twice(events)
    assert fold(events).snapshot() == state
    alerts = [event.data["message"] for event in events if event.type == "system:alert"]
    assert not [message for message in alerts if "failed" in message or "cannot be" in message]
