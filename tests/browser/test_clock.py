"""A browser whose clock is off: ages and warnings go by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from missioncontrol.testing import ServerProcess

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("hours", [2, -2])
def test_a_browser_whose_clock_is_off_shows_ages_and_warnings_all_the_same(
    page: Page, server: ServerProcess, hours: int
) -> None:
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=hours))
    page.goto(server.url)
    expect(page.locator(".lamp")).to_contain_text("Live")
    alert = {"type": "system:alert", "data": {"level": "critical", "message": "The disk is full."}}
    assert httpx.post(f"{server.url}/api/events", json=alert).status_code == 201
    expect(page.locator(".toasts")).to_contain_text("The disk is full.")
    expect(page.get_by_text("last event now").or_(page.get_by_text("last event 1 s ago"))).to_be_visible()
