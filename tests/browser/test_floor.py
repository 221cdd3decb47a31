"""The floor in real Chromium: who works there is seen, found, and seen as it was."""

from __future__ import annotations

import json
import re
from time import time

import pytest
from playwright.sync_api import Page, expect

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

COLOURS = """(canvas) => {
  const { width, height } = canvas;
  // A copy is read: Chromium complains where the canvas itself is, again and again.
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  const colours = new Set();
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] > 0) colours.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]);
  }
  return colours.size;
}"""


def put_agents(server: ServerProcess, **statuses: str) -> None:
    for agent, status in statuses.items():
        folder = server.workspace / "agents" / agent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.json").write_text(json.dumps({"status": status}))


def open_floor(page: Page, server: ServerProcess) -> None:
    page.goto(server.url)
    expect(page.locator(".lamp")).to_contain_text("Live")
    page.wait_for_function(f"() => ({COLOURS})(document.querySelector('.floor canvas')) > 50")


def who(page: Page) -> list[str]:
    return page.get_by_role("list", name="Who is in the office").get_by_role("listitem").all_text_contents()


def test_the_office_is_drawn_and_the_list_says_the_same(page: Page, server: ServerProcess) -> None:
    put_agents(
        server, scout="busy", forge="idle", pixel="offline", audit="waiting for approval", quill="error"
    )
    open_floor(page, server)
    expect(page.get_by_role("list", name="Who is in the office").get_by_role("listitem")).to_have_count(5)
    assert sorted(who(page)) == [
        "audit: waiting for approval",
        "forge: idle",
        "pixel: offline",
        "quill: error",
        "scout: busy",
    ]
    put_agents(server, scout="idle")
    expect(page.get_by_text("scout: idle")).to_be_attached()


def test_somebody_is_found_by_keys_and_opened(page: Page, server: ServerProcess) -> None:
    put_agents(server, scout="busy", forge="idle")
    open_floor(page, server)
    expect(page.get_by_role("list", name="Who is in the office").get_by_role("listitem")).to_have_count(2)
    page.locator(".floor canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/agents/scout")
    expect(page.get_by_role("heading", name="scout")).to_be_visible()


def test_an_empty_office_says_what_would_fill_it(page: Page, server: ServerProcess) -> None:
    open_floor(page, server)
    expect(page.get_by_text("Nobody works here yet.")).to_be_visible()
    page.get_by_role("link", name="what that is").click()
    expect(page.get_by_text(f"{server.workspace}/agents/scout/state.json")).to_be_visible()


def test_a_phone_shows_the_floor_without_scrolling_sideways(page: Page, server: ServerProcess) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    put_agents(server, scout="busy")
    open_floor(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_past_can_be_seen_played_and_left(page: Page, server: ServerProcess) -> None:
    for number in range(3):
        publish(server.url, "agent:statusChange", {"agentId": "scout", "status": f"busy {number}"})
        page.wait_for_timeout(1100)
    open_floor(page, server)
    line = page.get_by_role("region", name="Time line")
    expect(page.get_by_text("scout: busy 2")).to_be_attached()
    moment = line.get_by_label("Moment")
    moment.evaluate(
        "(range) => { range.value = range.min; range.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    expect(page.get_by_text("scout: busy 0")).to_be_attached()
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "idle"})
    page.wait_for_timeout(200)
    assert who(page) == ["scout: busy 0"]
    line.get_by_role("button", name="10×").click()
    line.get_by_role("button", name="Play").click()
    expect(page.get_by_text("scout: idle")).to_be_attached()
    expect(line.get_by_role("button", name="Back to live")).to_have_count(0)
    expect(line.get_by_role("status")).to_have_text("now")


def test_tokens_fly_to_their_counter_and_the_counter_is_true(page: Page, server: ServerProcess) -> None:
    put_agents(server, scout="busy")
    open_floor(page, server)
    expect(page.get_by_text("scout: busy")).to_be_attached()
    delta = {"tokens": 12_000, "cost": 0.21, "uses": []}
    publish(server.url, "token:usage", {"agent": "scout", "tokens": 12_000, "cost": 0.21, "delta": delta})
    expect(page.locator(".flight.tokens")).to_have_text("+12k")
    expect(page.locator(".flight.purse")).to_have_text("$0.21")
    expect(page.locator(".flight")).to_have_count(0)


def test_nothing_flies_where_movement_is_unwanted(page: Page, server: ServerProcess) -> None:
    page.emulate_media(reduced_motion="reduce")
    put_agents(server, scout="busy")
    open_floor(page, server)
    page.evaluate(
        "new MutationObserver((changes) => { window.flew ||= changes.some((change) => change.addedNodes.length); })"
        ".observe(document.querySelector('.flights'), { childList: true })"
    )
    delta = {"tokens": 12_000, "cost": 0.21, "uses": []}
    publish(server.url, "token:usage", {"agent": "scout", "tokens": 12_000, "cost": 0.21, "delta": delta})
    expect(page.locator(".age")).to_have_text(re.compile("now|1 s ago"))
    page.wait_for_timeout(1200)
    assert not page.evaluate("window.flew")


def test_whoever_is_chosen_has_a_name_tag(page: Page, server: ServerProcess) -> None:
    folder = server.workspace / "agents" / "scout"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"status": "busy", "current_task": "Match the invoices"}))
    open_floor(page, server)
    expect(page.get_by_text("scout: busy")).to_be_attached()
    page.locator(".floor canvas").focus()
    page.keyboard.press("ArrowRight")
    tag = page.locator(".name-tag")
    expect(tag).to_contain_text("Match the invoices")
    expect(tag).to_contain_text("$0.00")
    page.keyboard.press("Escape")
    expect(tag).to_have_count(0)


def test_a_finished_task_is_told_by_who_has_finished_it(page: Page, server: ServerProcess) -> None:
    put_agents(server, scout="busy")
    task = {"id": "TASK-0001", "description": "Match the invoices", "assignedTo": "scout"}
    publish(server.url, "task:created", {"task": task})
    open_floor(page, server)
    publish(server.url, "task:completed", {"taskId": "TASK-0001"})
    expect(page.locator(".toast.spoken")).to_contain_text("scout has finished: Match the invoices")
    expect(page.locator(".toast.spoken .face")).to_be_visible()


def test_the_board_the_counters_and_the_events_follow_into_the_past(
    page: Page, server: ServerProcess
) -> None:
    task = {"id": "TASK-0001", "description": "Match the invoices", "status": "pending"}
    publish(server.url, "task:created", {"task": task})
    page.wait_for_timeout(1100)
    publish(server.url, "task:completed", {"taskId": "TASK-0001"})
    put_agents(server, scout="busy")
    open_floor(page, server)
    expect(page.locator(".crew")).to_contain_text("1 / 1")
    page.get_by_label("Moment").press("Home")
    expect(page.locator(".lamp")).to_contain_text("Past")
    expect(page.locator(".sentence")).to_contain_text("The past, ")
    expect(page.locator(".crew")).to_contain_text("0 / 0")
    page.get_by_role("link", name="Tasks").first.click()
    card = page.get_by_role("region", name="Pending").get_by_text("Match the invoices")
    expect(card).to_be_visible()
    page.get_by_role("region", name="Pending").get_by_role("link").press("Shift+ArrowRight")
    expect(page.locator(".toasts")).to_contain_text("This is the past.")
    expect(card).to_be_visible()
    page.get_by_role("link", name="Events").click()
    expect(page.locator(".event")).to_have_count(1)
    page.get_by_role("button", name="Back to live").click()
    expect(page.locator(".lamp")).to_contain_text("Live")
    expect(page.locator(".event").filter(has_text="is completed")).to_be_visible()


def test_the_floor_freezes_when_the_server_is_gone(page: Page, server: ServerProcess) -> None:
    put_agents(server, scout="busy")
    open_floor(page, server)
    killed = time()
    server.kill()
    expect(page.locator(".frozen .floor")).to_be_visible()
    assert time() - killed < 2
    expect(page.get_by_text(re.compile("^Frozen at"))).to_be_visible()
