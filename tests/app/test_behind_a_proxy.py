"""What forwarded headers change, and for whom: HTTP, streams and the WebSocket of one server, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol import MissionControl
from missioncontrol.errors import ConfigError

pytestmark = pytest.mark.anyio

PROXY, SOMEBODY = "127.0.0.2", "127.0.0.3"
PUBLIC = "fleet.example.com"
TOKEN = "correct-horse-battery-staple"
WRITTEN = {
    "Host": "inside:3001",
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": PUBLIC,
    "Authorization": f"Bearer {TOKEN}",
}
STANDARD = {
    "Host": "inside:3001",
    "Forwarded": f"for=203.0.113.9, for=198.51.100.7;proto=https;host={PUBLIC}",
    "Authorization": f"Bearer {TOKEN}",
}
both_kinds = pytest.mark.parametrize("headers", [WRITTEN, STANDARD], ids=["usual", "standard"])


@pytest.fixture
async def mc(tmp_path: Path) -> AsyncIterator[MissionControl]:
    (tmp_path / "workspace").mkdir()
    settings: dict[str, Any] = {
        "trusted_proxies": [PROXY],
        "allowed_origins": [f"https://{PUBLIC}"],
        "tokens": [{"name": "ops", "sha256": sha256(TOKEN.encode()).hexdigest(), "scopes": ["admin"]}],
    }
    async with MissionControl(
        port=0, workspace=tmp_path / "workspace", data=tmp_path / "data", **settings
    ) as running:
        yield running


def coming_from(address: str, mc: MissionControl) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(mc.url, connector=aiohttp.TCPConnector(local_addr=(address, 0)))


async def status(session: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> int:
    async with session.get(path, headers=headers) as answer:
        return answer.status


async def open_session(session: aiohttp.ClientSession, headers: dict[str, str]) -> tuple[str, str]:
    async with session.post("/api/session", headers=headers) as answer:
        assert answer.status == 201
        return answer.headers["set-cookie"], (await answer.json())["key"]


async def who_is_there(mc: MissionControl) -> list[str]:
    async with coming_from(SOMEBODY, mc) as session:
        headers = {"Authorization": WRITTEN["Authorization"]}
        async with session.get("/api/system/connections", headers=headers) as answer:
            return [connection["address"] for connection in (await answer.json())["connections"]]


@both_kinds
async def test_a_trusted_proxy_is_believed_over_each_transport(
    mc: MissionControl, headers: dict[str, str]
) -> None:
    page = {**headers, "Origin": f"https://{PUBLIC}"}
    async with coming_from(PROXY, mc) as session:
        assert await status(session, "/api/agents", page) == 200
        async with session.get("/api/events/stream", headers=page) as stream:
            assert stream.status == 200
            assert await who_is_there(mc) == ["198.51.100.7"]
        async with session.ws_connect("/api/ws", headers=page) as socket:
            assert (await socket.receive_json())["type"] == "connected"
            assert "198.51.100.7" in await who_is_there(mc)


@both_kinds
async def test_from_anybody_else_the_same_headers_change_nothing(
    mc: MissionControl, headers: dict[str, str]
) -> None:
    own = {**headers, "Host": "localhost"}
    async with coming_from(SOMEBODY, mc) as session:
        assert await status(session, "/api/agents", headers) == 421
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect("/api/ws", headers=headers)
        assert refused.value.status == 421
        cookie, _ = await open_session(session, own)
        assert "secure" not in cookie.lower()
        async with session.get("/api/events/stream", headers=own) as stream:
            assert stream.status == 200
            (address,) = await who_is_there(mc)
            assert address.startswith(f"{SOMEBODY}:")
        async with session.ws_connect("/api/ws", headers=own) as socket:
            await socket.receive_json()
            assert all(address.startswith(f"{SOMEBODY}:") for address in await who_is_there(mc))


@both_kinds
async def test_a_page_at_the_public_address_opens_a_session_whose_cookie_is_secure(
    mc: MissionControl, headers: dict[str, str]
) -> None:
    async with coming_from(PROXY, mc) as session:
        cookie, key = await open_session(session, {**headers, "Origin": f"https://{PUBLIC}"})
        assert "secure" in [part.strip().lower() for part in cookie.split(";")]
        page = {
            **headers,
            "Origin": f"https://{PUBLIC}",
            "Cookie": cookie.partition(";")[0],
            "X-Session-Key": key,
            "Authorization": "",
        }
        async with session.ws_connect("/api/ws", headers=page) as socket:
            assert (await socket.receive_json())["type"] == "connected"
        for origin in ("https://evil.example", f"http://{PUBLIC}", "null"):
            assert await status(session, "/api/agents", {**page, "Origin": origin}) == 403, origin
            async with session.ws_connect("/api/ws", headers={**page, "Origin": origin}) as socket:
                closed = await socket.receive()
                assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1008), origin


async def test_a_name_that_is_not_ours_is_refused_though_a_trusted_proxy_passes_it_on(
    mc: MissionControl,
) -> None:
    async with coming_from(PROXY, mc) as session:
        for headers in (
            {**WRITTEN, "X-Forwarded-Host": "evil.example"},
            {**STANDARD, "Forwarded": f"for=198.51.100.7;host={PUBLIC}, for=198.51.100.7;host=evil.example"},
            {**WRITTEN, "X-Forwarded-Host": "evil.example", "Forwarded": f"host={PUBLIC}"},
        ):
            assert await status(session, "/api/agents", headers) == 421


@pytest.mark.parametrize("wrong", ["proxy.local", "10.0.0.1/8", "10.0.0.0/33", "*"])
async def test_what_is_no_address_of_a_proxy_is_refused_at_the_start(tmp_path: Path, wrong: str) -> None:
    mc = MissionControl(port=0, workspace=tmp_path, data=tmp_path / "data", trusted_proxies=[wrong])
    with pytest.raises(ConfigError, match="trusted_proxies"):
        await mc.start()
