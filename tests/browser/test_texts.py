"""Names and texts of others, whatever stands in them: shown as text, in their place, and within the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.given import agents_given, tasks_given

from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TEXTS = {
    "markup": '<img src=x onerror="window.ran=1">',
    "script": "</script><script>window.ran=1</script>",
    "family": "👩‍👩‍👧‍👦 and 🏳️‍🌈",
    "arabic": "قلم ١٢٣",
    "hebrew": "שלום (2)",
    "turned": "abc \u202efed",
    "long": "long" * 75,
    "unseen": "zero\u200bwidth\u200djoined\ufeff!",
    "lines": "first\nsecond\r\nthird",
}
FROM_THE_RIGHT = ("arabic", "hebrew", "turned")

VIEWS = ["/", "/agents", "/tasks", "/tokens", "/leads", "/files", "/events", "/alerts", "/ledger"]
SHEETS = [*(f"/agents/{name}" for name in TEXTS), "/tasks/TASK-0001", "/tasks/TASK-0007", "/leads/long"]

READS_LEFT_TO_RIGHT = """(line, words) => {
  const placeOf = (word) => {
    const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const at = texts.currentNode.data.indexOf(word);
      if (at >= 0) {
        const range = document.createRange();
        range.setStart(texts.currentNode, at);
        range.setEnd(texts.currentNode, at + word.length);
        return range.getBoundingClientRect().left;
      }
    }
    return NaN;
  };
  const places = words.map(placeOf);
  return places.every((place, at) => at === 0 ? place >= 0 : place > places[at - 1]);
}"""

STICKS_OUT = """() => {
  const clipped = (element) => {
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !clipped(element))
    .map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`);
}"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose fleet has each of the texts everywhere."""
    with start_server(Path(tmp_path_factory.mktemp("texts")) / "workspace") as server:
        publish(server, *events())
        yield server


def publish(server: ServerProcess, *drafts: tuple[str, dict[str, object]]) -> None:
    body = [{"type": kind, "data": data} for kind, data in drafts]
    httpx.post(f"{server.url}/api/events", json=body).raise_for_status()


def events() -> Iterator[tuple[str, dict[str, object]]]:
    """Tell of an agent, a task, a lead, a file, an alert and some use with each text."""
    agents = [
        {"id": name, "name": text, "role": text, "codename": text, "status": "busy", "currentTask": text}
        for name, text in TEXTS.items()
    ]
    yield from agents_given(agents)
    tasks = [
        {
            "id": f"TASK-{number:04}",
            "description": text,
            "assignedTo": name,
            "status": "blocked" if number % 2 else "pending",
            "tags": [text],
            "notes": text,
        }
        for number, (name, text) in enumerate(TEXTS.items(), start=1)
    ]
    yield from tasks_given(tasks)
    for name, text in TEXTS.items():
        lead = {"id": name, "company": text, "name": text, "stage": text, "score": 50, "factors": {text: 30}}
        yield "lead:added", {"lead": lead}
        use = {"day": "2026-11-23", "model": text, "session": text, "tokens": 9, "cost": 0.5, "calls": 1}
        delta = {"tokens": 9, "cost": 0.5, "uses": [{**use, "costSource": "prices"}]}
        yield "token:usage", {"agent": name, "tokens": 9, "cost": 0.5, "delta": delta}
        yield "system:alert", {"level": "warning", "message": text, "details": {"agentId": name, text: text}}
        path = f"agents/{name}/{text}.md"
        yield "file:change", {"action": "created", "path": path, "agentId": name, "size": 12}
        yield "agent:statusChange", {"agentId": name, "status": f"waiting for {text}", "previousStatus": text}
        yield f"custom:{name}", {text: text}


def open_view(page: Page, server: ServerProcess, path: str) -> Locator:
    page.goto(f"{server.url}{path}")
    return look_at(page)


def look_at(page: Page) -> Locator:
    """Wait until a view is there, and return it."""
    expect(page.locator(".lamp")).to_contain_text("Live")
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.get_by_text("Loading …")).to_have_count(0)
    return page.get_by_role("main")


def check_line(line: Locator, *words: str) -> None:
    """The words of a line stand in this order, from the left."""
    expect(line).to_be_visible()
    assert line.evaluate(READS_LEFT_TO_RIGHT, list(words)), line.inner_text()


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_text_is_run_or_makes_a_view_wider(page: Page, told: ServerProcess, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for path in [*VIEWS, *SHEETS]:
        open_view(page, told, path)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], path
        assert page.evaluate(STICKS_OUT) == [], path
        assert page.evaluate("window.ran") is None, path
        assert page.locator("main img, main script").count() == 0, path


@pytest.mark.parametrize("path", VIEWS[:-1])
def test_each_text_stands_there_as_it_was_written(page: Page, told: ServerProcess, path: str) -> None:
    main = open_view(page, told, path)
    for name, text in TEXTS.items():
        assert main.evaluate("(main, text) => main.textContent.includes(text)", text), name


@pytest.mark.parametrize("name", FROM_THE_RIGHT)
def test_a_name_from_the_right_leaves_the_rest_of_its_line_in_place(
    page: Page, told: ServerProcess, name: str
) -> None:
    text = TEXTS[name]
    lines = open_view(page, told, "/events").get_by_role("listitem").filter(has_text=text).locator(".line")
    check_line(lines.filter(has_text="(was"), text, "is now", "(was")
    check_line(lines.filter(has_text="wrote"), text, "wrote")
    check_line(lines.filter(has_text="custom:"), f"custom:{name}", text)

    needs = open_view(page, told, "/alerts").get_by_role("region", name="Needs you").get_by_role("listitem")
    check_line(needs.filter(has_text=text).filter(has_text="waits"), text, "waits (", " ago")

    rows = open_view(page, told, "/tokens").get_by_role("region", name="By agent").get_by_role("row")
    check_line(rows.filter(has_text=text), text, "$0.50", "price table")

    files = open_view(page, told, "/files").get_by_role("listitem")
    check_line(files.filter(has_text=f"{text}.md"), "new", f"{text}.md", "12 bytes", "ago")

    cards = open_view(page, told, "/agents").locator(".cards").get_by_role("listitem")
    check_line(cards.filter(has_text=text).locator(".badge"), "!", "waiting for")


def test_notes_and_the_palette_keep_their_order_too(page: Page, server: ServerProcess) -> None:
    agents = [{"id": name, "name": TEXTS[name], "status": "busy"} for name in FROM_THE_RIGHT]
    publish(server, *agents_given(agents))
    open_view(page, server, "/tasks")
    notes = page.locator(".toasts .toast")
    for name in FROM_THE_RIGHT:
        publish(server, ("agent:statusChange", {"agentId": name, "status": "waiting for approval"}))
        check_line(notes.filter(has_text=TEXTS[name]).locator("p"), TEXTS[name], "waits: waiting")
    check_line(page.locator(".sentence"), "at work", *(TEXTS[name] for name in FROM_THE_RIGHT), "wait.")
    for text in (TEXTS["markup"], TEXTS["long"], TEXTS["lines"]):
        publish(server, ("system:alert", {"level": "critical", "message": text}))
        expect(notes.first).to_contain_text(text.replace("\r", ""))
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to")
    for name in FROM_THE_RIGHT:
        palette.get_by_role("combobox").fill(TEXTS[name][:4])
        check_line(palette.get_by_role("option").first, TEXTS[name], "agent · ")
    assert page.evaluate("document.documentElement.scrollWidth") == 1400
    assert page.evaluate("window.ran") is None
