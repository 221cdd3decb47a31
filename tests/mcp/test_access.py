"""Who may come in at /mcp, and what they may do there."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
from mcp.shared.exceptions import MCPError

from missioncontrol.events.reduced import HIDDEN_TEXT
from missioncontrol.testing import ServerProcess, start_server
from tests.mcp.callers import ERAS, connect, do, get
from tests.mcp.raw import INITIALIZE

pytestmark = [pytest.mark.anyio, pytest.mark.process]


def write_tokens(folder: Path) -> tuple[Path, dict[str, str]]:
    """Write settings with a token per scope."""
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


async def test_a_token_without_the_scope_read_is_not_told_what_another_agent_waits_for(
    tmp_path: Path,
) -> None:
    config, tokens = write_tokens(tmp_path)
    token = "a-token-that-may-do-both"
    config.write_text(
        f'{config.read_text()}[[server.tokens]]\nname = "both"\nscopes = ["fleet", "publish"]\n'
        f'sha256 = "{sha256(token.encode()).hexdigest()}"\n'
    )
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        async with connect(server.url, token=tokens["admin"], agent="scout") as client:
            told = await do(client, "report_status", status="waiting", detail="for the passphrase")
            assert told["agent"]["statusDetail"] == "for the passphrase"
        async with connect(server.url, token=token, agent="scout") as client:
            told = await do(client, "report_status", status="waiting")
            assert (told["agent"]["status"], told["agent"]["statusDetail"]) == ("waiting", HIDDEN_TEXT)


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
