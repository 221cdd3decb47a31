"""A fleet on several hosts, in real Chromium: an office for each, and one list of what needs a person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.browser.given import Draft, agents_given, tasks_given

from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
VIEWS = ["/", "/agents", "/tasks", "/leads", "/events", "/alerts", "/agents/scout%40alpha"]
SIZES = [(1400, 900), (768, 1024), (390, 844)]
HOSTS = ("alpha", "beta")
LONG = "a-host-with-a-name-that-is-as-long-as-host-names-may-well-become.example.internal"

PICTURE = """(canvas) => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  let [drawn, warm, grey] = [0, 0, 0];
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] > 0) {
      drawn += 1;
      const colours = [pixels[at], pixels[at + 1], pixels[at + 2]];
      if (colours[0] > colours[1]) warm += 1;
      if (Math.max(...colours) - Math.min(...colours) < 24) grey += 1;
    }
  }
  return { drawn: drawn / (width * height), warm: warm / (width * height), grey: grey / (width * height) };
}"""


def agent(name: str, host: str, status: str = "busy", **fields: object) -> dict[str, object]:
    return {"id": f"{name.lower()}@{host}", "name": name, "host": host, "status": status, **fields}


def task(number: int, host: str, holder: str) -> dict[str, object]:
    words = f"Task {number} of {host}"
    held = f"{holder}@{host}"
    return {"id": f"TASK-{number:04}@{host}", "host": host, "description": words, "assignedTo": held}


def publish(server: ServerProcess, kind: str, **data: object) -> None:
    httpx.post(f"{server.url}/api/events", json={"type": kind, "data": data}).raise_for_status()


def publish_all(server: ServerProcess, drafts: Iterable[Draft]) -> None:
    body = [{"type": kind, "data": data} for kind, data in drafts]
    httpx.post(f"{server.url}/api/events", json=body).raise_for_status()


@pytest.fixture
def fleet(server: ServerProcess) -> ServerProcess:
    """A server that knows of agents of two hosts, on each of which one is called Scout."""
    agents = [
        agent("Scout", "alpha", "waiting for approval"),
        agent("Forge", "alpha", "idle"),
        agent("Scout", "beta", "busy"),
        agent("Quill", "beta", "error"),
        agent("Pixel", "beta", "offline"),
    ]
    publish_all(server, agents_given(agents))
    tasks = [task(number, host, "scout") for host in HOSTS for number in (1, 2)]
    publish_all(server, tasks_given(tasks))
    publish(server, "lead:added", lead={"id": "L1@beta", "host": "beta", "company": "Northwind"})
    publish(server, "agent:activity", agentId="forge@alpha", activity="wrote a file")
    return server


def open_view(page: Page, server: ServerProcess, path: str = "/") -> None:
    page.goto(f"{server.url}{path}")
    expect(page.locator(".lamp")).to_contain_text("Live")
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.get_by_text("Loading …")).to_have_count(0)


def open_floor(page: Page, server: ServerProcess) -> None:
    open_view(page, server)
    page.wait_for_function(f"() => ({PICTURE})(document.querySelector('.floor canvas')).drawn > 0.05")


def picture(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.locator(".floor > canvas").evaluate(PICTURE)
    return found


def offices(page: Page) -> Locator:
    return page.get_by_role("region", name="Offices")


def button(page: Page, host: str) -> Locator:
    return offices(page).get_by_role("button", name=re.compile(f"^{host}"))


def names(page: Page, host: str) -> list[str]:
    found = page.get_by_role("list", name=f"Who is in the office of {host}")
    return sorted(found.get_by_role("listitem").all_text_contents())


def put_away(page: Page, host: str, since: str) -> None:
    """Have the server's status say that nobody speaks for a host."""

    def tell(route: Route) -> None:
        answer = route.fetch()
        status = answer.json()
        status["cluster"] = {"hosts": {name: {"online": name != host, "since": since} for name in HOSTS}}
        route.fulfill(response=answer, json=status)

    page.route("**/api/system/status", tell)


def test_each_host_has_an_office_and_the_lists_say_the_same(page: Page, fleet: ServerProcess) -> None:
    open_floor(page, fleet)
    expect(offices(page).get_by_role("button")).to_have_count(3)
    assert names(page, "alpha") == ["Forge: idle", "Scout: waiting for approval"]
    assert names(page, "beta") == ["Pixel: offline", "Quill: error", "Scout: busy"]
    expect(button(page, "alpha")).to_have_accessible_name(re.compile("alpha.*0/2 at work.*1 needs you"))
    expect(button(page, "beta")).to_have_accessible_name(re.compile("beta.*1/3 at work.*1 needs you"))


def test_the_switcher_goes_to_an_office_and_back(page: Page, fleet: ServerProcess) -> None:
    open_floor(page, fleet)
    page.wait_for_timeout(400)
    far = picture(page)["warm"]
    button(page, "All").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(button(page, "beta")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "beta")).to_have_attribute("aria-pressed", "true")
    expect(button(page, "All")).to_have_attribute("aria-pressed", "false")
    # It is nearer: less is seen of the grass, and more of the wood.
    page.wait_for_function(f"() => ({PICTURE})(document.querySelector('.floor canvas')).warm > {far + 0.1}")
    page.get_by_role("button", name="The whole campus").click()
    expect(button(page, "All")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(f"() => ({PICTURE})(document.querySelector('.floor canvas')).warm < {far + 0.02}")


def test_keys_stay_within_the_office_that_is_looked_at(page: Page, fleet: ServerProcess) -> None:
    open_floor(page, fleet)
    button(page, "beta").click()
    page.locator(".floor > canvas").focus()
    for name in ("Pixel", "Quill", "Scout", "Pixel", "Quill", "Scout"):
        page.keyboard.press("ArrowRight")
        expect(page.locator(".name-tag .tag-name")).to_have_text(f"{name} on beta")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/agents/scout%40beta$"))


def test_an_office_that_is_moved_away_from_is_no_longer_chosen(page: Page, fleet: ServerProcess) -> None:
    open_floor(page, fleet)
    page.get_by_role("button", name="Closer").click()
    expect(offices(page).locator("[aria-pressed=true]")).to_have_count(0)
    button(page, "alpha").click()
    expect(button(page, "alpha")).to_have_attribute("aria-pressed", "true")


def test_somebody_is_chosen_with_the_mouse_in_their_own_office(page: Page, fleet: ServerProcess) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_floor(page, fleet)
    button(page, "alpha").click()
    canvas = page.locator(".floor > canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".name-tag")).to_contain_text("Forge")
    tag, room = page.locator(".name-tag").bounding_box(), canvas.bounding_box()
    assert tag is not None
    assert room is not None
    below = "below" in (page.locator(".name-tag").get_attribute("class") or "")
    foot = tag["y"] - 20 if below else tag["y"] + tag["height"] + 36
    page.mouse.click(tag["x"] + tag["width"] / 2, foot)
    expect(page).to_have_url(re.compile("/agents/forge%40alpha$"))


def test_the_same_named_are_told_apart_wherever_they_are_named(page: Page, fleet: ServerProcess) -> None:
    open_view(page, fleet, "/agents")
    expect(page.locator(".sentence")).to_contain_text("Scout (alpha) waits, Quill has an error")
    cards = page.locator(".card", has_text="Scout")
    assert cards.locator(".host-badge").all_text_contents() == ["on alpha", "on beta"]
    open_view(page, fleet, "/alerts")
    needs = page.get_by_role("region", name=re.compile("Needs you"))
    assert [text.split()[-1] for text in needs.locator(".host-badge").all_text_contents()] == [
        "beta",
        "alpha",
    ]
    expect(page.locator(".bell")).to_contain_text("2")
    publish(fleet, "agent:statusChange", agentId="scout@beta", status="waiting for a key")
    expect(page.locator(".bell")).to_contain_text("3")
    open_view(page, fleet, "/events")
    row = page.locator(".event", has_text="is now waiting for a key")
    expect(row.locator(".host-badge")).to_have_text("on beta")
    expect(row).to_contain_text("Scout")
    publish(fleet, "agent:statusChange", agentId="scout@alpha", status="waiting for a door")
    expect(page.locator(".toasts")).to_contain_text("Scout (alpha) waits: waiting for a door")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to")
    palette.get_by_role("combobox").fill("scout")
    options = palette.get_by_role("option").all_inner_texts()
    assert any("Scout (alpha)" in text for text in options)
    assert any("Scout (beta)" in text for text in options)


def test_a_filter_shows_the_agents_of_one_host(page: Page, fleet: ServerProcess) -> None:
    open_view(page, fleet, "/agents")
    expect(page.locator(".card")).to_have_count(5)
    page.get_by_label("Of host").select_option("beta")
    expect(page.locator(".card")).to_have_count(3)
    expect(page.locator(".card .host-badge", has_text="alpha")).to_have_count(0)
    page.get_by_label("Of host").select_option("All hosts")
    expect(page.locator(".card")).to_have_count(5)


def test_a_filter_shows_the_tasks_of_one_host(page: Page, fleet: ServerProcess) -> None:
    open_view(page, fleet, "/tasks")
    expect(page.locator(".task-card")).to_have_count(4)
    page.get_by_label("Of host").select_option("alpha")
    expect(page.locator(".task-card")).to_have_count(2)
    expect(page.locator(".found")).to_have_text("2 tasks of 4")
    expect(page.locator(".task-card").first).to_contain_text("of alpha")
    expect(page.locator(".task-card .host-badge").first).to_have_text("on alpha")
    page.locator(".task-card a").first.click()
    sheet = page.get_by_role("complementary", name="TASK-0001@alpha")
    expect(sheet.locator(".host-badge")).to_have_text("on alpha")
    expect(sheet.get_by_label("Given to")).to_have_value("scout@alpha")


def test_an_office_that_nobody_speaks_for_is_seen_to_be_stale(page: Page, fleet: ServerProcess) -> None:
    page.emulate_media(color_scheme="light")
    page.clock.set_fixed_time("2026-11-23T12:00:00")
    open_floor(page, fleet)
    page.wait_for_timeout(400)
    coloured = picture(page)["grey"]
    put_away(page, "beta", "2026-11-23T11:02:00")
    page.reload()
    expect(button(page, "beta")).to_contain_text("no word since 11:02")
    expect(page.locator(".sentence")).to_contain_text("From beta there is no word since 11:02.")
    expect(page.get_by_role("region", name="Office of beta")).to_contain_text("no word since 11:02")
    page.wait_for_function(
        f"() => ({PICTURE})(document.querySelector('.floor canvas')).grey > {coloured + 0.03}"
    )
    open_view(page, fleet, "/agents")
    stale = page.locator(".card.stale")
    expect(stale).to_have_count(3)
    expect(stale.first.locator(".host-badge")).to_contain_text("no word since 11:02")


def test_one_host_is_shown_as_if_it_had_no_name(page: Page, server: ServerProcess) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    publish_all(server, agents_given([agent("Scout", "alpha"), agent("Forge", "alpha")]))
    open_floor(page, server)
    expect(offices(page)).to_have_count(0)
    found = page.get_by_role("list", name="Who is in the office").get_by_role("listitem")
    assert found.all_text_contents() == ["Forge: busy", "Scout: busy"]
    expect(page.get_by_role("button", name="The whole office")).to_be_visible()
    open_view(page, server, "/agents")
    expect(page.locator(".host-badge")).to_have_count(0)
    expect(page.get_by_label("Of host")).to_have_count(0)
    publish_all(server, agents_given([agent("Scout", "beta")]))
    expect(page.get_by_label("Of host")).to_be_visible()
    expect(page.locator(".card .host-badge")).to_have_count(3)


def test_a_host_that_comes_while_it_is_looked_at_gets_its_office(page: Page, fleet: ServerProcess) -> None:
    open_floor(page, fleet)
    button(page, "beta").click()
    publish_all(fleet, agents_given([agent("Atlas", "gamma")]))
    expect(button(page, "gamma")).to_be_visible()
    expect(button(page, "beta")).to_have_attribute("aria-pressed", "true")
    for name in ("scout", "quill", "pixel"):
        publish(fleet, "agent:removed", agentId=f"{name}@beta")
    expect(button(page, "beta")).to_have_count(0)
    expect(button(page, "All")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_view_fits_with_long_names_of_hosts(
    page: Page, fleet: ServerProcess, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    publish_all(fleet, agents_given([agent("Scout", LONG, "waiting for you")]))
    publish_all(fleet, tasks_given([task(1, LONG, "scout")]))
    for path in [*VIEWS, f"/agents/scout%40{LONG}", f"/tasks/TASK-0001%40{LONG}"]:
        open_view(page, fleet, path)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_campus(
    chromium: Browser, fleet: ServerProcess, scheme: Any
) -> None:
    with chromium.new_context(
        viewport={"width": 1400, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,
        reduced_motion="reduce",
        service_workers="block",
    ) as context:
        page = context.new_page()
        put_away(page, "beta", "2026-11-23T11:02:00")
        found = []
        for path in VIEWS:
            open_view(page, fleet, path)
            page.add_script_tag(path=AXE)
            result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            found += [
                (path, violation["id"], node["target"], node["failureSummary"])
                for violation in result["violations"]
                if violation["impact"] in {"serious", "critical"}
                for node in violation["nodes"][:3]
            ]
        assert found == []
