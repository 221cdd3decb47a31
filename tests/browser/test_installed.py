"""The dashboard as an app: what it is installed from, and what it shows while its server is out of reach."""

from __future__ import annotations

import struct
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
ASLEEP = "Mission Control is out of reach"


@pytest.fixture
def service_workers() -> str:
    return "allow"


def open_installed(page: Page, server: ServerProcess, path: str = "/") -> None:
    """Open the dashboard, and wait until its service worker answers for it."""
    page.goto(f"{server.url}{path}")
    expect(page.locator(".lamp")).to_contain_text("Live")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def reload_without_server(page: Page) -> None:
    page.reload()
    expect(page.get_by_role("heading", name=ASLEEP)).to_be_visible()


def test_the_manifest_names_icons_of_the_sizes_that_they_have(server: ServerProcess) -> None:
    answer = httpx.get(f"{server.url}/manifest.webmanifest")
    assert answer.headers["content-type"].startswith("application/manifest+json")
    manifest = answer.json()
    assert manifest["display"] == "standalone"
    sizes = set()
    for icon in manifest["icons"]:
        body = httpx.get(f"{server.url}{icon['src']}").raise_for_status().content
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", body[16:24])
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add((width, icon.get("purpose", "any")))
    assert sizes >= {(192, "any"), (512, "any"), (512, "maskable")}
    for shortcut in manifest["shortcuts"]:
        page = httpx.get(f"{server.url}{shortcut['url']}", headers={"accept": "text/html"})
        assert page.status_code == 200


def test_chromium_finds_it_fit_to_be_installed(page: Page, server: ServerProcess) -> None:
    open_installed(page, server)
    session = page.context.new_cdp_session(page)
    assert session.send("Page.getAppManifest")["errors"] == []
    # A private window may install nothing; that is all there is to say against it.
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {error["errorId"] for error in errors} <= {"in-incognito"}


def test_a_page_without_a_server_says_so_and_comes_back_with_it(page: Page, server: ServerProcess) -> None:
    open_installed(page, server, "/tasks")
    server.kill()
    reload_without_server(page)
    expect(page.locator("#address")).to_have_text(server.url.removeprefix("http://"))
    expect(page.get_by_role("status")).to_contain_text("last at")
    assert page.locator("img").evaluate("(image) => image.complete && image.naturalWidth > 0")
    server.restart()
    expect(page.locator(".lamp")).to_contain_text("Live", timeout=15_000)
    expect(page).to_have_url(f"{server.url}/tasks")


def test_it_can_be_asked_to_try_again(page: Page, server: ServerProcess) -> None:
    open_installed(page, server)
    server.kill()
    reload_without_server(page)
    server.restart()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".lamp")).to_contain_text("Live")


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
def test_the_page_out_of_reach_can_be_read_by_everybody(
    page: Page, server: ServerProcess, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_installed(page, server)
    server.kill()
    reload_without_server(page)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    session = page.context.new_cdp_session(page)
    session.send("Page.setBypassCSP", {"enabled": True})
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run().then(({ violations }) => violations.map(({ id }) => id))")
    assert found == []


def test_nothing_but_the_page_out_of_reach_is_kept(page: Page, server: ServerProcess) -> None:
    open_installed(page, server)
    publish(server.url, "custom:event", {})
    page.reload()
    expect(page.locator(".lamp")).to_contain_text("Live")
    kept = page.evaluate(
        "async () => (await Promise.all((await caches.keys()).map(async (name) =>"
        " (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat()"
    )
    assert "/offline.html" in kept
    assert all(path.startswith("/assets/offline-") or path in {"/offline.html", "/icon.svg"} for path in kept)


def test_requests_to_the_api_do_not_pass_the_service_worker(page: Page, server: ServerProcess) -> None:
    open_installed(page, server)
    by_worker: dict[str, bool] = {}
    page.on("response", lambda answer: by_worker.update({answer.url: answer.from_service_worker}))
    with page.expect_response("**/api/tokens"):
        page.reload()
    expect(page.locator(".lamp")).to_contain_text("Live")
    api = {url: came for url, came in by_worker.items() if "/api/" in url}
    assert api
    assert not any(api.values())
