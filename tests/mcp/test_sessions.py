"""Sessions: agents that come and go with them, their number and time, restarts, and the stop of the server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import anyio
import pytest
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import ResourceUpdatedNotification

from missioncontrol import MissionControl
from missioncontrol.testing import ServerProcess, start_server
from tests.mcp.callers import ERAS, bridged, connect, do, get
from tests.mcp.raw import begin
from tests.process.server_probe import eventually, resident

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def status_becomes(url: str, agent: str, kind: str) -> None:
    async def is_so() -> bool:
        return bool((await asyncio.to_thread(get, url, f"/api/agents/{agent}"))["kind"] == kind)

    await eventually(is_so)


async def test_an_agent_is_offline_when_its_session_ends(server: ServerProcess) -> None:
    async with connect(server.url, mode="legacy", agent="guest") as other:
        async with connect(server.url, mode="legacy", agent="guest") as client:
            await do(client, "report_status", status="busy")
        await do(other, "report_status", status="idle")
        async with connect(server.url, mode="legacy", agent="guest") as client:
            await do(client, "report_status", status="busy")
        # It is still there in the other session.
        await do(other, "fleet_status")
        assert get(server.url, "/api/agents/guest")["kind"] == "busy"
    await status_becomes(server.url, "guest", "offline")


@pytest.mark.parametrize("mode", ERAS)
async def test_an_agent_is_offline_when_the_bridge_ends(server: ServerProcess, mode: str) -> None:
    async with bridged(server.url, "--agent", f"bridged-{mode}", mode=mode) as client:
        told = await do(client, "report_status", status="busy")
        assert told["agent"]["id"] == f"bridged-{mode}"
        assert get(server.url, f"/api/agents/bridged-{mode}")["kind"] == "busy"
    await status_becomes(server.url, f"bridged-{mode}", "offline")


async def test_silence_ends_a_session_and_its_agents_are_offline(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[mcp]\nmax_sessions = 2\nsession_idle = 1.0\n")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with connect(server.url, agent="silent") as client:
            # In the newer era there is no session; silence is all that can be told of it.
            await do(client, "report_status", status="busy")
        status, id_ = await begin(http, server.url)
        assert status == 200
        assert id_ is not None
        assert (await begin(http, server.url))[0] == 200
        assert (await begin(http, server.url))[0] == 503, "as many as there may be"
        await status_becomes(server.url, "silent", "offline")

        async def has_room() -> bool:
            return (await begin(http, server.url))[0] == 200

        await eventually(has_room)
        async with http.post(
            f"{server.url}/mcp",
            json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
            headers={"Mcp-Session-Id": id_},
        ) as answer:
            assert answer.status == 404, "so that the client begins again"


async def test_many_sessions_that_nobody_ends_do_not_stay_in_memory(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[mcp]\nmax_sessions = 50\nsession_idle = 0.3\n")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:

        async def rounds(number: int) -> int:
            begun = 0
            while begun < number:
                status, _ = await begin(http, server.url)
                if status == 200:
                    begun += 1
                else:
                    assert status == 503
                    await asyncio.sleep(0.05)
            return resident(server)

        before = await rounds(200)
        after = await rounds(400)
        assert after - before < 6 * 1024 * 1024


async def test_a_stop_ends_all_sessions_and_tells_whoever_waits(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with (
            connect(server.url, mode="legacy", agent="old") as old,
            connect(server.url, agent="new") as new,
            new.listen(resource_subscriptions=["mission-control://state"]),
            anyio.create_task_group() as tasks,
        ):
            results: dict[str, Any] = {}

            async def ask(client: Any, name: str) -> None:
                await do(client, "report_status", status="waiting")
                results[name] = await do(client, "ask_person", text=f"{name}?", wait=60)

            tasks.start_soon(ask, old, "old")
            tasks.start_soon(ask, new, "new")

            async def asked() -> bool:
                return len((await asyncio.to_thread(get, server.url, "/api/questions"))["questions"]) == 2

            await eventually(asked)
            began = monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            assert monotonic() - began < 5
        assert {result["status"] for result in results.values()} == {"open"}
        assert len(results) == 2
        server.start()
        # Nobody was said to be offline: they come back, and are waited for.
        for agent in ("old", "new"):
            assert get(server.url, f"/api/agents/{agent}")["kind"] == "waiting"
        assert not re.search(r'"level": "(error|warning)"', server.log), server.log


@pytest.mark.parametrize("mode", ERAS)
async def test_a_server_inside_of_a_program_stops_as_well(tmp_path: Path, mode: str) -> None:
    tasks = asyncio.all_tasks()
    for _ in range(2):
        (tmp_path / "workspace").mkdir(exist_ok=True)
        async with MissionControl(workspace=tmp_path / "workspace", data=tmp_path / "data", port=0) as server:
            async with connect(server.url, mode=mode, agent="inside") as client:
                await do(client, "report_status", status="busy")
            async with connect(server.url, mode=mode, agent="inside") as client:
                await do(client, "report_status", status="busy")
                await server.stop()
    left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - tasks}  # type: ignore[union-attr]
    # The library for streams watches for the end of the process, for as long as there is one.
    assert left <= {"_shutdown_watcher"}


async def test_agents_that_do_not_come_back_after_a_restart_are_offline_in_time(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[mcp]\nsession_idle = 4.0\n")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with bridged(server.url, "--agent", "stays", mode="legacy") as client:
            await do(client, "report_status", status="busy")
            async with connect(server.url, agent="goes") as other:
                await do(other, "report_status", status="busy")
            await asyncio.to_thread(server.restart)
            await do(client, "fleet_status")
            await do(client, "list_tasks", mine=True)
            await status_becomes(server.url, "goes", "offline")
            # It has not said anything again, but its session is there, with an open stream.
            assert get(server.url, "/api/agents/stays")["kind"] == "busy"
        await status_becomes(server.url, "stays", "offline")


async def test_changes_of_resources_are_told_in_a_session(server: ServerProcess) -> None:
    heard: list[str] = []

    async def hear(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.append(str(message.params.uri))

    async with connect(server.url, mode="legacy", agent="subscriber", message_handler=hear) as client:
        for uri in ("mission-control://state/leads", "mission-control://agents/subscriber"):
            with pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource(uri)
        with pytest.warns(MCPDeprecationWarning), pytest.raises(MCPError, match="no resource"):
            await client.subscribe_resource("mission-control://nothing")

        async def told(uri: str, tool: str, **arguments: Any) -> None:
            heard.clear()

            async def is_told() -> bool:
                # Again and again: the stream for what the server says by itself is opened a little later.
                await do(client, tool, **arguments)
                return uri in heard

            await eventually(is_told)

        await told("mission-control://state/leads", "add_lead", name="x")
        assert "mission-control://agents/subscriber" not in heard
        await told("mission-control://agents/subscriber", "report_status", status="busy", agent=None)
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource("mission-control://state/leads")


async def test_changes_of_resources_are_told_to_who_listens(server: ServerProcess) -> None:
    async with connect(server.url, agent="listener") as client:
        uri = "mission-control://tasks/"
        task = (await do(client, "add_task", description="Watched"))["task"]["id"]
        async with client.listen(resource_subscriptions=[uri + task]) as changes:
            await do(client, "update_task", task=task, note="a line")
            async with asyncio.timeout(10):
                async for change in changes:
                    assert str(change.uri) == uri + task  # type: ignore[union-attr]
                    break
        with pytest.raises(MCPError, match="no resource"):
            async with client.listen(resource_subscriptions=["mission-control://nothing"]) as changes:
                pass
