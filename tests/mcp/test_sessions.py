"""Sessions: agents that come and go with them, their number and time, restarts, and the stop of the server."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import anyio
import pytest
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import ResourceUpdatedNotification

from missioncontrol.testing import ServerProcess, start_server
from tests.mcp.callers import ERAS, bridged, connect, do, get
from tests.process.server_probe import eventually, resident

pytestmark = [pytest.mark.anyio, pytest.mark.process]

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
HEADERS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        yield session


async def begin(http: aiohttp.ClientSession, url: str) -> tuple[int, str | None]:
    """Begin a session by hand; returns the status and the session's id."""
    async with http.post(f"{url}/mcp", json=INITIALIZE) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Mcp-Session-Id")


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
            assert answer.status == 404, "so that the client begins anew"


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


async def test_a_session_belongs_to_the_token_that_began_it(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config, tokens = write_tokens(tmp_path)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with http.post(
            f"{server.url}/mcp", json=INITIALIZE, headers={"Authorization": f"Bearer {tokens['publish']}"}
        ) as answer:
            assert answer.status == 200
            id_ = answer.headers["Mcp-Session-Id"]
        statuses = []
        for scope in ("read", "publish"):
            async with http.post(
                f"{server.url}/mcp",
                json={"jsonrpc": "2.0", "id": 2, "method": "ping"},
                headers={"Authorization": f"Bearer {tokens[scope]}", "Mcp-Session-Id": id_},
            ) as answer:
                statuses.append(answer.status)
        assert statuses == [404, 200]


def write_tokens(folder: Path) -> tuple[Path, dict[str, str]]:
    """Write settings with a token per scope."""
    from hashlib import sha256

    tokens = {scope: f"a-token-that-may-{scope}" for scope in ("read", "publish", "admin")}
    config = folder / "config.toml"
    config.write_text(
        "".join(
            f'[[server.tokens]]\nname = "{scope}"\nscopes = ["{scope}"]\n'
            f'sha256 = "{sha256(token.encode()).hexdigest()}"\n'
            for scope, token in tokens.items()
        )
    )
    return config, tokens


@pytest.mark.parametrize("mode", ERAS)
async def test_tools_and_resources_ask_for_the_scope_of_the_token(tmp_path: Path, mode: str) -> None:
    config, tokens = write_tokens(tmp_path)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with connect(server.url, token=tokens["read"], mode=mode, agent="scout") as client:
            offered = {tool.name for tool in (await client.list_tools()).tools}
            assert offered == {"fleet_status", "list_tasks", "get_task"}
            await do(client, "fleet_status")
            await client.read_resource("mission-control://state")
            for tool in ("report_status", "claim_task", "raise_alert"):
                result = await client.call_tool(tool, {})
                assert result.is_error
                assert "lacks the scope 'publish'" in str(result.content)
        async with connect(server.url, token=tokens["publish"], mode=mode, agent="scout") as client:
            await do(client, "report_status", status="busy")
            assert (await client.call_tool("fleet_status", {})).is_error
            with pytest.raises(MCPError, match="lacks the scope 'read'"):
                await client.read_resource("mission-control://state")
        async with connect(server.url, token=tokens["admin"], mode=mode) as client:
            await do(client, "add_task", description="x")
            await do(client, "list_tasks")


async def test_nobody_comes_in_without_a_token_or_from_elsewhere(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config, tokens = write_tokens(tmp_path)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        good = {"Authorization": f"Bearer {tokens['admin']}"}
        refusals = [
            ({}, 401, "unauthorized"),
            ({"Authorization": "Bearer wrong"}, 401, "unauthorized"),
            ({**good, "Host": "evil.example"}, 421, "misdirected"),
            ({**good, "Origin": "https://evil.example"}, 403, "forbidden"),
        ]
        for headers, status, code in refusals:
            async with http.post(f"{server.url}/mcp", json=INITIALIZE, headers=headers) as answer:
                assert answer.status == status
                assert answer.content_type == "application/problem+json"
                assert (await answer.json())["code"] == code
        async with http.post(f"{server.url}/mcp?token=x", json=INITIALIZE, headers=good) as answer:
            assert answer.status == 400
        page = {**good, "Origin": "http://localhost:6274"}
        async with http.post(f"{server.url}/mcp", json=INITIALIZE, headers=page) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
            assert "mcp-session-id" in answer.headers["Access-Control-Expose-Headers"]
        async with http.options(
            f"{server.url}/mcp", headers={**page, "Access-Control-Request-Method": "POST"}
        ) as answer:
            assert "mcp-protocol-version" in answer.headers["Access-Control-Allow-Headers"]


async def test_odd_requests_are_refused_and_do_no_harm(
    server: ServerProcess, http: aiohttp.ClientSession
) -> None:
    url = f"{server.url}/mcp"
    json_type = {"Content-Type": "application/json"}
    for body, headers, statuses in (
        (b"", json_type, {400}),
        (b"[", json_type, {400}),
        (b"[]", json_type, {400}),
        (b"\xff", json_type, {400}),
        (b"{}", {"Content-Type": "text/plain"}, {400, 415}),
        (b"{}", {**json_type, "Accept": "text/html"}, {406}),
        (b"{}", {**json_type, "Mcp-Session-Id": "nobody's"}, {404}),
        (b"{}", {**json_type, "MCP-Protocol-Version": "2026-07-28"}, {400, 202}),
        (b"{}", {**json_type, "MCP-Protocol-Version": "1999-01-01"}, {400}),
        (io.BytesIO(b" " * 2_000_000), json_type, {413}),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', json_type, {400}),
    ):
        async with http.post(url, data=body, headers=headers) as answer:
            assert answer.status in statuses, (headers, await answer.text())
    for method in ("GET", "DELETE", "PUT", "OPTIONS", "HEAD"):
        async with http.request(method, url) as answer:
            assert 400 <= answer.status < 500
    assert get(server.url, "/health")["status"] == "ok"


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


async def test_agents_that_do_not_come_back_after_a_restart_are_offline_in_time(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[mcp]\nsession_idle = 2.0\n")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with bridged(server.url, "--agent", "stays", mode="legacy") as client:
            await do(client, "report_status", status="busy")
            async with connect(server.url, agent="goes") as other:
                await do(other, "report_status", status="busy")
            await asyncio.to_thread(server.restart)
            await do(client, "fleet_status")
            await do(client, "list_tasks", mine=True)
            await status_becomes(server.url, "goes", "offline")
            # It has not said anything anew, but its session is there, with an open stream.
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
