"""The cookie that carries a token for the server's own pages."""

from __future__ import annotations

from hashlib import sha256

import httpx
import pytest
from tests.server.site import READER, Site, check_problem

from missioncontrol.config import TokenConfig

pytestmark = pytest.mark.anyio


async def test_without_tokens_there_is_nothing_to_remember(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/session")
    assert response.status_code == 201
    assert response.json() == {"tokenRequired": False, "name": None, "scopes": ["admin", "publish", "read"]}
    assert "set-cookie" not in response.headers


async def test_a_session_is_opened_with_a_token_and_lets_the_page_read(guarded: Site) -> None:
    async with guarded.client() as client:
        opened = await client.post("/api/session", headers={"authorization": f"Bearer {READER}"})
        assert opened.status_code == 201
        assert opened.json() == {"tokenRequired": True, "name": "reader", "scopes": ["read"]}
        assert (await client.get("/api/agents")).status_code == 200
        assert (await client.get("/api/session")).json()["name"] == "reader"
        assert (await client.delete("/api/session")).status_code == 204
        assert (await client.get("/api/agents")).status_code == 401
        assert (await client.get("/api/session")).json() == {
            "tokenRequired": True,
            "name": None,
            "scopes": [],
        }


async def test_the_cookie_is_kept_from_scripts_and_other_sites(guarded: Site) -> None:
    for base_url, secure in (("http://localhost:3001", False), ("https://localhost:3001", True)):
        async with guarded.client(READER, base_url) as client:
            cookie = (await client.post("/api/session")).headers["set-cookie"]
        attributes = [part.strip().lower() for part in cookie.split(";")]
        assert attributes[0] == f"mission_control_token={READER}"
        assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
        assert ("secure" in attributes) is secure


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic eDp5"])
async def test_a_session_is_not_opened_without_a_known_token(guarded: Site, authorization: str) -> None:
    async with guarded.client() as client:
        response = await client.post("/api/session", headers={"authorization": authorization})
    check_problem(response, 401, "unauthorized")
    assert "set-cookie" not in response.headers


async def test_a_cookie_alone_does_not_open_a_session_anew(guarded: Site) -> None:
    async with guarded.client() as client:
        response = await client.post("/api/session", headers={"cookie": f"mission_control_token={READER}"})
    check_problem(response, 401, "unauthorized")


async def test_a_page_of_another_origin_opens_no_session(guarded: Site) -> None:
    async with guarded.client(READER) as client:
        for origin in ("http://localhost:5173", "https://fleet.example.com"):
            response = await client.post("/api/session", headers={"origin": origin})
            check_problem(response, 403, "forbidden")


async def test_another_programs_page_on_this_machine_cannot_use_the_cookie(guarded: Site) -> None:
    async with guarded.client() as client:
        response = await client.post(
            "/api/events",
            json={"type": "a:b"},
            headers={"origin": "http://localhost:5173", "cookie": f"mission_control_token={READER}"},
        )
    check_problem(response, 401, "unauthorized")


async def test_a_token_that_no_cookie_can_carry_is_said_to_be_so() -> None:
    token = 'with "quotes"; and spaces'
    site = Site(tokens=[TokenConfig(name="odd", sha256=sha256(token.encode()).hexdigest())])
    async with site.client(token) as client:
        assert (await client.get("/api/agents")).status_code == 200
        check_problem(await client.post("/api/session"), 400, "bad_request")
