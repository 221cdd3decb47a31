"""Chromium, and a page of it that nothing may go wrong on unnoticed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from missioncontrol.testing import ServerProcess, start_server

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
EXPECTED = re.compile(
    "net::ERR_(CONNECTION|EMPTY_RESPONSE|SOCKET|INCOMPLETE_CHUNKED|CONTENT_LENGTH)|blocked by Playwright"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that a test has made comes from no address, and would not be let to this machine.
    "--disable-features=LocalNetworkAccessChecks",
]


# Not for the whole session: Playwright's loop would run beneath the asynchronous tests of other folders.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail("There is no Chromium; `make chromium` installs Debian's.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=FLAGS,
            # People's browsers have it.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "workspace") as started:
        yield started


@pytest.fixture
def service_workers() -> Literal["allow", "block"]:
    """Whether pages may have one; Playwright cannot look into what passes it, so only its own tests do."""
    return "block"


@pytest.fixture
def page(chromium: Browser, service_workers: Literal["allow", "block"]) -> Iterator[Page]:
    """A page whose console must stay empty, but for what tests do to it, such as a server that is gone."""
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED.search(message.text):
            complaints.append(message.text)

    with chromium.new_context(
        viewport={"width": 1400, "height": 900}, service_workers=service_workers
    ) as context:
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert complaints == []
