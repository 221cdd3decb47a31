"""The dashboard under a finger: the floor is dragged and pinched, and a card is moved."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PICTURE = "() => document.querySelector('.floor canvas').toDataURL()"


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
        service_workers="block",
    ) as context:
        yield context.new_page()


def touch(page: Page, *fingers: list[tuple[float, float]]) -> None:
    """Lay fingers on the page, each of which goes from place to place, and lift them."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, places: list[tuple[float, float]]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for step, places in enumerate(zip(*fingers, strict=True)):
        send("touchMove" if step else "touchStart", list(places))
    send("touchEnd", [])


def open_floor(page: Page, server: ServerProcess) -> tuple[float, float]:
    """Open the floor, and return its middle."""
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "busy"})
    page.goto(server.url)
    expect(page.get_by_text("scout: busy")).to_be_attached()
    canvas = page.locator(".floor canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def until_other(page: Page, picture: str) -> str:
    """Wait until the floor looks different, and return how."""
    page.wait_for_function(
        "(before) => document.querySelector('.floor canvas').toDataURL() !== before", arg=picture
    )
    return str(page.evaluate(PICTURE))


def test_the_floor_is_dragged_and_pinched(phone: Page, server: ServerProcess) -> None:
    x, y = open_floor(phone, server)
    first = str(phone.evaluate(PICTURE))
    touch(phone, [(x, y), (x - 30, y), (x - 80, y - 10)])
    dragged = until_other(phone, first)
    touch(phone, [(x - 20, y), (x - 60, y), (x - 120, y)], [(x + 20, y), (x + 60, y), (x + 120, y)])
    until_other(phone, dragged)
    assert phone.evaluate("window.visualViewport.scale") == 1
    expect(phone).to_have_url(f"{server.url}/")


def test_a_card_is_moved_by_its_menu(phone: Page, server: ServerProcess) -> None:
    httpx.post(f"{server.url}/api/tasks", json={"description": "Read the market"}).raise_for_status()
    phone.goto(f"{server.url}/tasks")
    phone.get_by_role("button", name="Menu of TASK-0001").tap()
    phone.get_by_role("dialog").get_by_role("button", name="Review").tap()
    expect(phone.locator('[data-column="review"]')).to_contain_text("Read the market")
    expect(phone.get_by_role("dialog")).to_be_hidden()
