"""Mission Control inside another program."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol import Client, Event, MissionControl
from missioncontrol.errors import BadEvent, ConfigError
from missioncontrol.events import EVERYTHING

pytestmark = pytest.mark.anyio


@pytest.fixture
async def mc(tmp_path: Path) -> AsyncIterator[MissionControl]:
    (tmp_path / "workspace").mkdir()
    settings: dict[str, Any] = {"workspace": tmp_path / "workspace", "data": tmp_path / "data"}
    async with MissionControl(
        port=0, heartbeat_interval=30, max_clients=10, max_history=5, **settings
    ) as running:
        yield running


async def test_every_helper_tells_its_event(mc: MissionControl) -> None:
    await mc.broadcast_agent_status("scout", "online", previous_status="offline")
    await mc.broadcast_agent_activity("scout", 3, "2026-11-23T10:00:00Z")
    await mc.broadcast_task_created({"id": "TASK-0001", "description": "look"})
    await mc.broadcast_task_updated("TASK-0001", {"priority": "P1"})
    await mc.broadcast_task_assigned("TASK-0001", "scout", "nexus")
    await mc.broadcast_task_completed("TASK-0001", {"found": 3})
    await mc.broadcast_lead_added({"id": "lead_001", "name": "Ada"})
    await mc.broadcast_lead_updated("lead_001", {"company": "Engines"})
    await mc.broadcast_lead_scored("lead_001", 85, {"team": 25}, 70)
    await mc.broadcast_token_usage("scout", 15_000, 0.45, {"sessions": 3})
    await mc.broadcast_token_threshold("scout", 9.5, 10.0, 95)
    await mc.broadcast_system_alert("warning", "High memory usage", {"memory": "85%"})
    await mc.broadcast_system_status("running", {"gatewayVersion": "1.2.3"})
    await mc.broadcast_file_change("created", "agents/scout/report.md", agent_id="scout", size=2048)
    last = await mc.broadcast({"type": "custom:event", "data": {}})
    events = [json.loads(body) for body in (await mc.log.read(0, EVERYTHING)).bodies]
    assert [event["id"] for event in events] == list(range(1, last + 1))
    assert events[0]["data"]["previousStatus"] == "offline"
    assert events[10]["data"]["alert"] == "warning"
    assert events[13]["data"]["agentId"] == "scout"
    state = mc.state.snapshot()
    assert state["agents"][0]["status"] == "online"
    assert state["tasks"][0]["status"] == "completed"
    assert state["leads"][0]["score"] == 85


async def test_what_is_told_arrives_at_a_client(mc: MissionControl) -> None:
    async with Client(mc.url, events=["custom"]) as client:
        await client.ready()
        await mc.broadcast({"type": "custom:event", "data": {"n": 1}})
        async with asyncio.timeout(5):
            item = await anext(client)
    assert isinstance(item, Event)
    assert item.data == {"n": 1}
    assert mc.metrics()["messages"]["historySize"] >= 1


async def test_a_wrong_event_is_refused(mc: MissionControl) -> None:
    wrong: list[dict[str, Any]] = [
        {"type": "nothing"},
        {"data": {}},
        {"type": "a:b", "data": {"x": object()}},
    ]
    for event in wrong:
        with pytest.raises(BadEvent):
            await mc.broadcast(event)


async def test_one_port_is_one_port_and_both_serve_everything(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"workspace": tmp_path, "data": tmp_path / "data"}
    async with MissionControl(port=0, **settings) as mc:
        assert mc.ws_url == mc.url.replace("http", "ws") + "/api/ws"
        port = int(mc.url.rpartition(":")[2])
    async with MissionControl(port=port, ws_port=port, **settings) as mc:
        assert mc.ws_url.startswith(f"ws://127.0.0.1:{port}/")
    async with MissionControl(port=0, ws_port=0, **settings) as mc, aiohttp.ClientSession() as session:
        for base in (mc.url, mc.ws_url.replace("ws://", "http://").removesuffix("/api/ws")):
            async with session.get(f"{base}/health") as answer:
                assert (await answer.json())["status"] == "ok"


async def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown field"):
        MissionControl(colour="red")


async def test_it_must_run_before_it_tells() -> None:
    with pytest.raises(ConfigError, match="not running"):
        await MissionControl(port=0).broadcast({"type": "a:b"})
