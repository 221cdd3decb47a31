"""Signing in with a link, a code or a token, and signing out."""

from __future__ import annotations

from time import monotonic
from typing import Any

import httpx
import pytest
from tests.server.site import ADMIN, READER, TOKENS, Site, check_problem

from missioncontrol.server.access import owner as proof
from missioncontrol.server.access.sessions import BrowserSessions

pytestmark = pytest.mark.anyio


async def sign_in(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    """Sign in, and keep the key as a page does; the client itself keeps the cookie."""
    response = await client.post("/api/session", json=body)
    if response.status_code == 201:
        client.headers["x-session-key"] = response.json()["key"]
    return response


async def test_without_tokens_there_is_nothing_to_remember(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/session")
    assert response.status_code == 201
    assert response.json() == {
        "tokenRequired": False,
        "name": None,
        "scopes": ["publish", "read"],
        "agent": None,
        "session": False,
        "key": None,
    }
    assert "set-cookie" not in response.headers


async def test_a_session_is_opened_with_a_token_and_lets_the_page_read(guarded: Site) -> None:
    async with guarded.client() as client:
        opened = await client.post("/api/session", headers={"authorization": f"Bearer {READER}"})
        assert opened.status_code == 201
        assert (opened.json()["name"], opened.json()["scopes"]) == ("reader", ["read"])
        client.headers["x-session-key"] = opened.json()["key"]
        assert (await client.get("/api/agents")).status_code == 200
        assert (await client.get("/api/session")).json()["name"] == "reader"
        assert (await client.delete("/api/session")).status_code == 204
        assert (await client.get("/api/agents")).status_code == 401
        assert (await client.get("/api/session")).json()["scopes"] == []


@pytest.mark.parametrize("tokens", [[], TOKENS])
async def test_a_link_signs_one_browser_in_as_the_owner_once(tokens: list[Any]) -> None:
    site = Site(tokens=tokens)
    async with site.client(site.owner) as command, site.client() as page, site.client() as other:
        link = (await command.post("/api/session/links")).json()["link"]
        opened = await sign_in(page, link=link)
        assert (opened.json()["name"], opened.json()["session"]) == ("operator", True)
        assert "answer" in (await page.get("/api/session")).json()["scopes"]
        check_problem(await sign_in(other, link=link), 403, "forbidden")
        check_problem(await sign_in(other, link="mc_link_guessed"), 403, "forbidden")


async def test_a_link_is_too_old_after_a_quarter_of_an_hour(
    site: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = site.service.access.owner.new_link()
    now = monotonic()
    monkeypatch.setattr(proof, "monotonic", lambda: now + proof.LINK_SECONDS + 1)
    check_problem(await sign_in(client, link=link), 403, "forbidden")


async def test_a_code_that_the_terminal_shows_signs_in_once(site: Site, client: httpx.AsyncClient) -> None:
    shown: list[str] = []
    site.service.access.owner.show = shown.append
    assert (await client.post("/api/session/codes")).json() == {"expiresIn": 180.0}
    # Another one has to wait.
    check_problem(await client.post("/api/session/codes"), 503, "overloaded")
    (code,) = shown
    opened = await sign_in(client, code=f"{code[:3]} {code[3:]}")
    assert opened.json()["name"] == "operator"
    check_problem(await sign_in(client, code=code), 403, "forbidden")


async def test_a_code_is_given_up_after_five_wrong_attempts(site: Site, client: httpx.AsyncClient) -> None:
    code = site.service.access.owner.new_code()
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(proof.CODE_ATTEMPTS):
        check_problem(await sign_in(client, code=wrong), 403, "forbidden")
    check_problem(await sign_in(client, code=code), 403, "forbidden")


async def test_after_twenty_wrong_codes_there_are_none_for_an_hour(
    site: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, now = site.service.access.owner, monotonic()
    for attempt in range(proof.WRONG_CODES):
        if attempt % proof.CODE_ATTEMPTS == 0:
            now += proof.CODE_EVERY_SECONDS
            monkeypatch.setattr(proof, "monotonic", lambda now=now: now)
            code = owner.new_code()
        check_problem(await sign_in(client, code="x" + code), 403, "forbidden")
    now += proof.CODE_EVERY_SECONDS
    monkeypatch.setattr(proof, "monotonic", lambda: now)
    check_problem(await client.post("/api/session/codes"), 503, "overloaded")


async def test_links_and_codes_do_not_come_through_a_proxy(site: Site, client: httpx.AsyncClient) -> None:
    owner = site.service.access.owner
    client.headers["x-forwarded-for"] = "127.0.0.1"
    check_problem(await sign_in(client, link=owner.new_link()), 403, "forbidden")
    check_problem(await sign_in(client, code=owner.new_code()), 403, "forbidden")
    check_problem(await client.post("/api/session/codes"), 403, "forbidden")


async def test_a_stolen_session_neither_decides_nor_signs_out_through_a_proxy(
    site: Site, client: httpx.AsyncClient
) -> None:
    await sign_in(client, link=site.service.access.owner.new_link())
    forwarded = {"x-forwarded-for": "127.0.0.1"}
    assert (await client.get("/api/session", headers=forwarded)).json()["scopes"] == []
    cookies = dict(client.cookies)
    await client.delete("/api/session", headers=forwarded)
    client.cookies.update(cookies)
    assert (await client.get("/api/session")).json()["name"] == "operator"


async def test_only_the_owner_makes_links_and_sees_the_browsers(
    site: Site, client: httpx.AsyncClient
) -> None:
    check_problem(await client.post("/api/session/links"), 403, "forbidden")
    check_problem(await client.get("/api/session/browsers"), 403, "forbidden")
    check_problem(await client.delete("/api/session/browsers/x"), 403, "forbidden")


async def test_a_signed_in_browser_lists_the_browsers_and_signs_another_one_out(site: Site) -> None:
    owner = site.service.access.owner
    async with site.client() as laptop, site.client() as phone:
        laptop.headers["user-agent"] = "laptop"
        await sign_in(laptop, link=owner.new_link())
        await sign_in(phone, link=owner.new_link())
        browsers = (await laptop.get("/api/session/browsers")).json()["browsers"]
        assert {(one["userAgent"], one["current"]) for one in browsers if one["current"]} == {
            ("laptop", True)
        }
        (other,) = (one["id"] for one in browsers if not one["current"])
        assert (await laptop.delete(f"/api/session/browsers/{other}")).status_code == 204
        check_problem(await laptop.delete(f"/api/session/browsers/{other}"), 404, "not_found")
        assert (await phone.get("/api/session")).json()["session"] is False
        assert (await laptop.get("/api/session")).json()["session"] is True


async def test_the_cookie_is_kept_from_scripts_and_other_sites(guarded: Site) -> None:
    for base_url, secure in (("http://localhost:3001", False), ("https://localhost:3001", True)):
        async with guarded.client(READER, base_url) as client:
            response = await client.post("/api/session")
        attributes = [part.strip().lower() for part in response.headers["set-cookie"].split(";")]
        assert attributes[0].startswith(f"{guarded.service.access.cookie}=")
        assert READER not in response.text + str(response.headers)
        assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
        assert ("secure" in attributes) is secure


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic eDp5"])
async def test_a_session_is_not_opened_without_a_known_token(guarded: Site, authorization: str) -> None:
    async with guarded.client() as client:
        response = await client.post("/api/session", headers={"authorization": authorization})
    check_problem(response, 401, "unauthorized")
    assert "set-cookie" not in response.headers


async def test_a_session_does_not_open_another_one(guarded: Site) -> None:
    async with guarded.client() as client:
        await sign_in(client, link=guarded.service.access.owner.new_link())
        check_problem(await client.post("/api/session"), 401, "unauthorized")


async def test_a_page_of_another_origin_opens_no_session(guarded: Site) -> None:
    async with guarded.client(READER) as client:
        for origin in ("http://localhost:5173", "https://fleet.example.com"):
            response = await client.post("/api/session", headers={"origin": origin})
            check_problem(response, 403, "forbidden")


async def test_a_program_that_was_sent_the_cookie_cannot_use_it(guarded: Site) -> None:
    async with guarded.client() as client:
        await sign_in(client, link=guarded.service.access.owner.new_link())
        key = client.headers.pop("x-session-key")
        check_problem(await client.get("/api/agents"), 401, "unauthorized")
        headers = {"origin": "http://localhost:5173", "x-session-key": key}
        check_problem(await client.get("/api/agents", headers=headers), 401, "unauthorized")


async def test_a_session_ends_with_the_token_that_opened_it(guarded: Site) -> None:
    access = guarded.service.access
    async with guarded.client() as client:
        opened = await client.post("/api/session", headers={"authorization": f"Bearer {ADMIN}"})
        client.headers["x-session-key"] = opened.json()["key"]
        assert (await client.get("/api/agents")).status_code == 200
        access.replace_tokens(TOKENS[:1])
        check_problem(await client.get("/api/agents"), 401, "unauthorized")
        access.replace_tokens(TOKENS)
        check_problem(await client.get("/api/agents"), 401, "unauthorized")


def test_sessions_outlast_a_restart_and_none_of_their_secrets_is_in_the_file(tmp_path: Any) -> None:
    file = tmp_path / "browsers.json"
    sessions = BrowserSessions(file)
    made = sessions.open(None, "127.0.0.1", "a browser")
    sessions.save()
    assert file.stat().st_mode & 0o777 == 0o600
    assert made.cookie not in file.read_text()
    assert made.key not in file.read_text()
    again = BrowserSessions(file)
    found = again.find(made.cookie, made.key.encode())
    assert found is not None
    assert found.user_agent == "a browser"
    file.write_text("[{")
    assert BrowserSessions(file).listed() == []


def test_where_the_kernel_tells_no_users_sessions_of_the_owner_end_with_the_process(tmp_path: Any) -> None:
    file = tmp_path / "browsers.json"
    sessions = BrowserSessions(file)
    sessions.open(None, "127.0.0.1", "the owner's")
    sessions.open("ab" * 32, "127.0.0.1", "a token's")
    sessions.save()
    assert [one.user_agent for one in BrowserSessions(file, keep_owners=False).listed()] == ["a token's"]
