"""Signing in, in a real browser: the link, the code, the list of browsers, and what other pages and ports can do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.signing_in import make_link, sign_in

from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def ask(server: ServerProcess) -> str:
    asked = {"text": "Remove it all?", "options": ["Allow", "Deny"]}
    return str(httpx.post(f"{server.url}/api/questions", json=asked).raise_for_status().json()["id"])


def status(server: ServerProcess, id_: str) -> str:
    return str(httpx.get(f"{server.url}/api/questions/{id_}").json()["status"])


def answer_from(page: Page, url: str, id_: str) -> int:
    """Answer with the page's own fetch, as a script in it would, and return the status."""
    body = """([url, key]) => fetch(url, {method: 'POST', body: '{"answer": "Allow"}', credentials: 'include',
        headers: {'Content-Type': 'application/json', ...(key && {'X-Session-Key': key})}})
        .then((response) => response.status, () => 0)"""
    key = page.evaluate("localStorage.getItem('mission-control:key')")
    return int(page.evaluate(body, [f"{url}/api/questions/{id_}/answer", key]))


class OtherPort(BaseHTTPRequestHandler):
    """A program of another port: it serves a page, and keeps the cookies that it is sent."""

    cookies = ""

    def do_GET(self) -> None:
        type(self).cookies = self.headers.get("cookie", "")
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>other</title><link rel=icon href='data:,'>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def other_port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), OtherPort) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{other.server_port}"
        other.shutdown()
        thread.join()


def test_the_link_signs_in_once_and_leaves_no_trace_in_the_address(
    page: Page, chromium: Browser, server: ServerProcess
) -> None:
    url = server.read_line("sign-in")
    page.goto(url)
    expect(page.locator("h1, .top-bar").first).to_be_visible()
    assert "#" not in page.url
    id_ = ask(server)
    assert answer_from(page, server.url, id_) == 200
    assert status(server, id_) == "answered"
    with chromium.new_context(service_workers="block") as context:
        other = context.new_page()
        other.goto(url)
        expect(other.get_by_role("alert")).to_contain_text("too old")
        assert answer_from(other, server.url, ask(server)) == 403


def test_a_code_of_the_terminal_signs_in_and_settings_sign_out_again(
    page: Page, server: ServerProcess
) -> None:
    page.goto(f"{server.url}/settings")
    page.get_by_role("button", name="Show a code in the terminal").click()
    code = server.read_line("sign-in code")
    assert re.fullmatch("[0-9]{6}", code)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Signed in as operator")).to_be_visible()
    assert answer_from(page, server.url, ask(server)) == 200
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Show a code in the terminal")).to_be_visible()
    scopes = "fetch('/api/session').then((response) => response.json()).then((session) => session.scopes)"
    assert page.evaluate(scopes) == ["publish", "read"]


def test_settings_list_the_browsers_and_sign_another_one_out(
    page: Page, chromium: Browser, server: ServerProcess
) -> None:
    with chromium.new_context(service_workers="block") as context:
        other = context.new_page()
        other.goto(f"{server.url}/#sign-in={make_link(server)}")
        other.wait_for_function("() => localStorage.getItem('mission-control:key') !== null")
        sign_in(page, server)
        page.goto(f"{server.url}/settings")
        browsers = page.get_by_role("list", name="Signed-in browsers").get_by_role("listitem")
        expect(browsers).to_have_count(2)
        expect(browsers.filter(has_text="this browser")).to_have_count(1)
        browsers.get_by_role("button", name="Sign out").click()
        expect(browsers).to_have_count(1)
        assert answer_from(other, server.url, ask(server)) == 403


def test_a_page_of_another_port_cannot_decide_though_it_is_sent_the_cookie(
    page: Page, server: ServerProcess, other_port: str
) -> None:
    sign_in(page, server)
    page.goto(server.url)
    key = page.evaluate("localStorage.getItem('mission-control:key')")
    id_ = ask(server)
    # Its origin has a storage of its own.
    stranger = page.context.browser.new_context() if page.context.browser else None
    assert stranger is not None
    with stranger:
        stranger.add_cookies([{**cookie, "sameSite": "Strict"} for cookie in page.context.cookies()])  # type: ignore[typeddict-item]
        other = stranger.new_page()
        other.goto(other_port)
        # Cookies know no ports.
        assert "mission_control_" in OtherPort.cookies
        assert answer_from(other, server.url, id_) in (0, 403)
        reads = "(url) => fetch(url).then((response) => response.status, () => 0)"
        assert other.evaluate(reads, f"{server.url}/api/agents") == 200
        assert other.evaluate(reads, f"{server.url}/api/questions") == 403
    # Nor can its program, which has the cookie now.
    for headers in ({"cookie": OtherPort.cookies}, {"x-session-key": key}):
        response = httpx.post(
            f"{server.url}/api/questions/{id_}/answer", json={"answer": "Allow"}, headers=headers
        )
        assert response.status_code == 403
    assert status(server, id_) == "open"
