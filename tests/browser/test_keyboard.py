"""The main path through the dashboard by keys alone: nothing needs a pointer, and the focus is always seen."""

from __future__ import annotations

import json
from time import monotonic, sleep

import httpx
import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MOST_TABS = 60

FOCUS = """() => {
  const focused = document.activeElement;
  // A card is outlined as a whole where its link has the focus.
  const outlined = (element) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const box = focused.getBoundingClientRect();
  return {
    name: focused.getAttribute("aria-label") || focused.labels?.[0]?.textContent.trim() ||
      focused.textContent.trim().slice(0, 60) || focused.tagName,
    nowhere: focused === document.body,
    shown: outlined(focused) || outlined(focused.closest("li") ?? focused),
    seen: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
  };
}"""


def focus(page: Page) -> str:
    """Return what has the focus; it must be something, and be seen to have it."""
    told = page.evaluate(FOCUS)
    assert not told["nowhere"], "the focus is lost"
    assert told["shown"], f"the focus of {told['name']!r} cannot be seen"
    assert told["seen"], f"{told['name']!r} has the focus outside of the window"
    return str(told["name"])


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something whose name begins so has the focus."""
    passed = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        passed.append(focus(page))
        if passed[-1].startswith(name):
            return
    raise AssertionError(f"{name!r} is not reached: {passed}")


def until_task(server: ServerProcess, task: str, **fields: object) -> None:
    """Wait until a task has these fields on the server: what is sent meanwhile would be refused."""
    deadline = monotonic() + 10
    while any(
        httpx.get(f"{server.url}/api/tasks/{task}").json()[name] != value for name, value in fields.items()
    ):
        assert monotonic() < deadline
        sleep(0.05)


def go_to(page: Page, words: str, path: str) -> None:
    """Go somewhere by the command palette."""
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")
    page.wait_for_function("() => document.activeElement !== document.body")


def test_the_focus_stays_where_a_person_has_gone_while_a_task_is_added(
    page: Page, server: ServerProcess
) -> None:
    page.goto(f"{server.url}/tasks")
    go_to(page, "new task", "/tasks")
    expect(page.get_by_label("What is to be done")).to_be_focused()
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/tasks", lambda route: held.append((route, route.fetch())))
    page.keyboard.type("Read the market")
    page.keyboard.press("Enter")
    card = page.locator('[data-task="TASK-0001"]').get_by_role("link")
    expect(card).to_be_visible()
    card.focus()
    ((route, response),) = held
    route.fulfill(response=response)
    expect(page.locator(".toasts")).to_contain_text("TASK-0001 is in the queue.")
    expect(card).to_be_focused()


def test_the_main_path_needs_no_pointer(page: Page, server: ServerProcess) -> None:
    folder = server.workspace / "agents" / "scout"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"status": "busy", "current_task": "Match the invoices"}))
    publish(server.url, "system:alert", {"level": "warning", "message": "The disk is nearly full"})
    page.goto(server.url)
    expect(page.get_by_text("scout: busy")).to_be_attached()

    # Somebody on the floor, and back.
    tab_to(page, "The office; arrow keys")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".name-tag")).to_contain_text("Match the invoices")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="scout")).to_be_visible()
    page.wait_for_function("() => document.activeElement.tagName === 'MAIN'")
    page.go_back()
    expect(page.get_by_role("region", name="The office")).to_be_visible()

    # A task is written, moved and opened.
    go_to(page, "new task", "/tasks")
    expect(page.get_by_label("What is to be done")).to_be_focused()
    page.keyboard.type("Read the market")
    tab_to(page, "Add")
    page.keyboard.press("Enter")
    card = page.locator('[data-task="TASK-0001"]').get_by_role("link")
    expect(card).to_be_visible()
    tab_to(page, "Read the market")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator('[data-column="in_progress"]')).to_contain_text("Read the market")
    expect(card).to_be_focused()
    until_task(server, "TASK-0001", status="in_progress")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="TASK-0001")).to_be_visible()
    tab_to(page, "Notes")
    page.keyboard.type("By keys alone")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator(".toasts")).to_contain_text("TASK-0001 is saved.")
    assert httpx.get(f"{server.url}/api/tasks/TASK-0001").json()["notes"] == "By keys alone"

    # What needs somebody is seen to.
    go_to(page, "alerts", "/alerts")
    expect(page.get_by_text("The disk is nearly full").first).to_be_visible()
    tab_to(page, "Dismiss")
    page.keyboard.press("Enter")
    expect(page.locator(".bell")).to_contain_text("0")
    page.wait_for_function("() => document.activeElement !== document.body")

    # Into the past, and back.
    go_to(page, "floor", "/")
    tab_to(page, "Moment")
    page.keyboard.press("Home")
    expect(page.locator(".lamp")).to_contain_text("Past")
    tab_to(page, "Back to live")
    page.keyboard.press("Enter")
    expect(page.locator(".lamp")).to_contain_text("Live")
    focus(page)


def test_escape_closes_what_is_open(page: Page, server: ServerProcess) -> None:
    httpx.post(f"{server.url}/api/tasks", json={"description": "Read the market"}).raise_for_status()
    page.goto(f"{server.url}/tasks")
    card = page.locator('[data-task="TASK-0001"]').get_by_role("link")
    card.focus()
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert not page.evaluate("() => document.activeElement === document.body")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_hidden()
    assert not page.evaluate("() => document.activeElement === document.body")
