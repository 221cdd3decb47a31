"""The views next to the floor, in real Chromium: each at its address, on a desk and on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.asking import ask_permission

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MARKUP = '<img src=x onerror="document.title=1"><b>bold</b>'
RIGHT_TO_LEFT = "قلم 🖊️ ‮evil"

VIEWS = {
    "/": "The office",
    "/agents": "Agents",
    "/tasks": "Tasks",
    "/tasks/TASK-0001": "Tasks",
    "/tokens": "Tokens",
    "/leads": "Leads",
    "/leads/L1": "Leads",
    "/opportunities": "Opportunities",
    "/files": "Files",
    "/files/agents/scout/state.json": "Files",
    "/events": "Events",
    "/alerts": "All alerts",
    "/questions": "They ask you",
    "/search": "Search",
    "/search/img": "Search",
    "/sessions/scout-main": "Transcript",
    "/agents/scout": "scout",
    "/ledger": "Ledger",
    "/ledger/2026-11-01": "Ledger",
    "/standups": "Standup",
    "/archive": "Conversations",
    "/logs": "Logs",
    "/settings": "Settings",
}

SIZES = [(1400, 900), (768, 1024), (390, 844)]

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"


def put_state(server: ServerProcess, agent: str, **state: object) -> None:
    folder = server.workspace / "agents" / agent
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "state.json.tmp"
    whole.write_text(json.dumps(state))
    whole.rename(folder / "state.json")


def add_task(server: ServerProcess, description: str = "Read the market", **fields: object) -> str:
    answer = httpx.post(f"{server.url}/api/tasks", json={"description": description, **fields})
    return str(answer.raise_for_status().json()["id"])


def task_of(server: ServerProcess, task: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{server.url}/api/tasks/{task}").raise_for_status().json()
    return told


def until_task(server: ServerProcess, task: str, **fields: object) -> None:
    """Wait until a task has these fields on the server."""
    deadline = monotonic() + 10
    while any((told := task_of(server, task)).get(name) != value for name, value in fields.items()):
        assert monotonic() < deadline, told
        sleep(0.05)


def fill(server: ServerProcess) -> None:
    """Give every view something to show, some of it hostile."""
    put_state(server, "scout", status="busy", current_task={"id": "TASK-0001", "description": MARKUP})
    put_state(server, "forge", status="waiting for approval of " + "long-" * 30)
    add_task(server, MARKUP, assignedTo="scout", priority="P0", tags=[MARKUP, "x" * 200], due="2020-01-01")
    add_task(server, RIGHT_TO_LEFT, status="blocked", notes=MARKUP)
    add_task(server, "word" * 100, status="delegated")
    lead = {"id": "L1", "company": MARKUP, "name": RIGHT_TO_LEFT, "score": 83, "factors": {MARKUP: 30}}
    publish(server.url, "lead:added", {"lead": lead})
    publish(server.url, "task:completed", {"taskId": add_task(server, MARKUP, assignedTo="scout")})
    publish(server.url, "lead:added", {"lead": {"id": "L2", "company": "x" * 300}})
    use = {"day": "2026-11-23", "model": MARKUP, "session": MARKUP, "tokens": 9, "cost": 0.5, "calls": 1}
    publish(
        server.url,
        "token:usage",
        {"agent": "scout", "tokens": 9, "cost": 0.5, "delta": {"uses": [{**use, "costSource": "prices"}]}},
    )
    threshold = {"agent": "scout", "currentCost": 4, "threshold": 5, "percentUsed": 80, "alert": "warning"}
    publish(server.url, "token:threshold", threshold)
    details = {"agentId": "scout", "runaway": "calls", "call": MARKUP}
    publish(server.url, "system:alert", {"level": "warning", "message": MARKUP, "details": details})
    publish(server.url, "system:alert", {"level": "critical", "message": "x" * 400})
    for options in ([], [MARKUP, "x" * 200]):
        asked = {"text": f"{MARKUP} {RIGHT_TO_LEFT} {'long' * 60}", "agentId": "scout", "options": options}
        httpx.post(f"{server.url}/api/questions", json=asked).raise_for_status()
    given = {"command": f"{MARKUP} {'long' * 200}", "old_string": MARKUP, "new_string": "x" * 400}
    for agent in ("scout", MARKUP):
        id_ = ask_permission(server, MARKUP, given, agent=agent)
    path = f"{server.url}/api/questions/{id_}"
    answer = {"answer": "deny", "digest": httpx.get(path).json()["digest"]}
    owner = {"Authorization": f"Bearer {server.owner_secret}"}
    httpx.post(f"{path}/answer", json=answer, headers=owner).raise_for_status()
    changed = {"action": "created", "path": f"agents/scout/{MARKUP}/{'long' * 60}.md", "agentId": "scout"}
    publish(server.url, "file:change", {**changed, "size": 1234})
    httpx.post(f"{server.url}/api/standups").raise_for_status()


def open_view(page: Page, server: ServerProcess, path: str = "/tasks") -> None:
    page.goto(f"{server.url}{path}")
    expect(page.locator(".lamp")).to_contain_text("Live")


def column(page: Page, status: str) -> Locator:
    return page.locator(f'[data-column="{status}"]')


def card(page: Page, task: str) -> Locator:
    return page.locator(f'[data-task="{task}"]')


def toasts(page: Page) -> Locator:
    return page.locator(".toasts")


def say(state_folder: Path, *messages: Mapping[str, object]) -> None:
    """Write something into a transcript of OpenClaw."""
    path = state_folder / "agents/scout/sessions/scout-main.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for message in messages:
            entry = {"type": "message", "timestamp": time() * 1000, "message": message}
            file.write(f"{json.dumps(entry)}\n")


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """A state folder of OpenClaw around the workspace, with one transcript; it is there before the server is."""
    call = {
        "type": "toolCall",
        "id": "1",
        "name": MARKUP,
        "arguments": {"path": "x" * 300, "content": MARKUP},
    }
    say(
        tmp_path,
        {"role": "user", "content": MARKUP},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": RIGHT_TO_LEFT}, call],
            "model": "m",
            "usage": {"input": 1, "output": 1, "cost": {"total": 0.0}},
        },
        {"role": "toolResult", "toolCallId": "1", "content": "long line " * 100 + "\n" * 30},
    )
    return tmp_path


@pytest.fixture
def full(transcript: Path, server: ServerProcess) -> ServerProcess:
    """A server whose views all have something to show."""
    fill(server)
    return server


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_each_view_fits_and_shows_markup_as_text(
    page: Page, full: ServerProcess, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for path, title in VIEWS.items():
        open_view(page, full, path)
        main = page.get_by_role("main")
        if path == "/":
            expect(main.get_by_role("region", name=title)).to_be_visible()
        else:
            expect(main.get_by_role("heading", name=title, exact=False).first).to_be_visible()
        expect(page.get_by_text("Loading …")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], path
        assert page.locator("main img").count() == 0, path
        assert "Mission Control" in page.title()


@pytest.mark.parametrize(
    "path", ["/tasks", "/leads", "/alerts", "/tokens", "/files", "/agents/scout", "/sessions/scout-main"]
)
def test_markup_stands_there_as_it_was_written(page: Page, full: ServerProcess, path: str) -> None:
    open_view(page, full, path)
    expect(page.get_by_role("main")).to_contain_text("<b>bold</b>")


@pytest.mark.parametrize("path", [path for path in VIEWS if path.count("/") == 1])
def test_an_empty_workspace_says_in_each_view_what_would_fill_it(
    page: Page, server: ServerProcess, path: str
) -> None:
    open_view(page, server, path)
    says = {
        "/": "There are no agents in this workspace yet.",
        "/agents": "There are no agents in this workspace yet.",
        "/tasks": "TASK_QUEUE.json",
        "/tokens": "No use has been counted yet",
        "/leads": "leads.json",
        "/opportunities": "opportunities.json",
        "/files": "There are no files yet",
        "/events": "Events",
        "/alerts": "Nothing needs you now",
        "/questions": "Nobody waits for an answer",
        "/search": "Everything that the log holds can be found",
        "/standups": "No standup was held yet",
        "/archive": "No conversation is known",
        "/logs": "Logs",
        "/ledger": "The award goes to whoever finishes the most tasks.",
        "/settings": "kept in this browser",
    }
    expect(page.get_by_text(says[path]).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 1400


def test_the_menu_leads_everywhere_and_back(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/")
    menu = page.get_by_role("navigation", name="Views")
    for name in ["Tasks", "Tokens", "Leads", "Files", "Events", "Alerts", "Standup", "Settings"]:
        link = menu.get_by_role("link", name=name)
        link.press("Enter")
        expect(link).to_have_attribute("aria-current", "page")
        expect(page).to_have_title(f"{name} · Mission Control")
        assert page.url.removesuffix("s") == f"{server.url}/{name.lower()}".removesuffix("s")
    expect(menu.locator("[aria-current]")).to_have_count(1)
    page.go_back()
    expect(page).to_have_title("Standup · Mission Control")
    page.go_forward()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_an_address_that_means_nothing_says_so(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/no/such/view")
    page.get_by_role("link", name="Go to the floor.").click()
    expect(page.get_by_role("region", name="The office")).to_be_visible()


def test_a_task_is_written_on_the_board(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="idle")
    open_view(page, server)
    page.get_by_role("button", name="+ New task").click()
    form = page.get_by_role("form", name="New task")
    form.get_by_label("What is to be done").fill("Read the market")
    form.get_by_label("Priority").select_option("P0")
    form.get_by_label("Give to").select_option("scout")
    form.get_by_role("button", name="Add").click()
    expect(column(page, "pending")).to_contain_text("Read the market")
    expect(toasts(page)).to_contain_text("TASK-0001 is in the queue.")
    task = task_of(server, "TASK-0001")
    assert (task["priority"], task["assignedTo"], task["createdBy"]) == ("P0", "scout", "dashboard")


def test_a_card_is_dragged_to_another_column(page: Page, server: ServerProcess) -> None:
    task = add_task(server)
    open_view(page, server)
    card(page, task).drag_to(column(page, "review"))
    expect(column(page, "review").locator(f'[data-task="{task}"]')).to_be_visible()
    until_task(server, task, status="review")


def test_a_card_is_moved_by_keys_and_keeps_the_focus(page: Page, server: ServerProcess) -> None:
    first = add_task(server, "First", priority="P0")
    second = add_task(server, "Second", priority="P1")
    open_view(page, server)
    card(page, first).get_by_role("link").focus()
    page.keyboard.press("ArrowDown")
    expect(card(page, second).get_by_role("link")).to_be_focused()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(column(page, "review")).to_contain_text("Second")
    expect(card(page, second).get_by_role("link")).to_be_focused()
    until_task(server, second, status="review")
    page.keyboard.press("ArrowLeft")
    expect(card(page, first).get_by_role("link")).to_be_focused()


def test_a_card_is_moved_and_given_away_by_its_menu(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="idle")
    task = add_task(server)
    open_view(page, server)
    card(page, task).get_by_role("link").press("m")
    page.get_by_role("dialog").get_by_role("button", name="Blocked").press("Enter")
    until_task(server, task, status="blocked")
    expect(column(page, "blocked")).to_contain_text(task)
    page.get_by_role("button", name=f"Menu of {task}").click()
    page.get_by_role("dialog").get_by_label("Give to").select_option("scout")
    until_task(server, task, assignedTo="scout")
    expect(card(page, task)).to_contain_text("scout")


def refuse(status: int, detail: str) -> Callable[[Route], None]:
    problem = {"type": "/api/docs#problem-conflict", "title": "Refused", "status": status, "detail": detail}

    def handle(route: Route) -> None:
        if route.request.method == "PATCH":
            sleep(0.3)
            route.fulfill(status=status, json=problem, content_type="application/problem+json")
        else:
            route.continue_()

    return handle


def test_a_move_that_is_refused_is_undone_and_said(chromium: Browser, server: ServerProcess) -> None:
    task = add_task(server)
    # A page of its own: Chromium notes the refusal on the console.
    with chromium.new_context(service_workers="block") as context:
        page = context.new_page()
        open_view(page, server)
        page.route(f"**/api/tasks/{task}", refuse(409, "It is somebody else's."))
        card(page, task).get_by_role("link").press("Shift+ArrowRight")
        expect(column(page, "in_progress")).to_contain_text(task)
        expect(toasts(page)).to_contain_text(f"{task} was not changed: It is somebody else's.")
        expect(column(page, "pending")).to_contain_text(task)
        expect(card(page, task).get_by_role("link")).to_be_focused()
        assert task_of(server, task)["status"] == "pending"


def test_what_was_changed_meanwhile_is_not_overwritten(chromium: Browser, server: ServerProcess) -> None:
    task = add_task(server, "As it was")
    with chromium.new_context(service_workers="block") as context:
        page = context.new_page()
        open_view(page, server, f"/tasks/{task}")
        sheet = page.get_by_role("complementary", name=task)
        sheet.get_by_label("What is to be done").fill("As I write it")
        httpx.patch(f"{server.url}/api/tasks/{task}", json={"notes": "Written by another"}).raise_for_status()
        expect(sheet.get_by_label("Notes")).to_have_value("Written by another")
        sheet.get_by_role("button", name="Save").click()
        expect(sheet.get_by_role("alert")).to_contain_text("Not saved:")
        assert task_of(server, task)["description"] == "As it was"

        sheet.get_by_role("button", name="Keep what I wrote").click()
        expect(sheet.get_by_role("alert")).to_have_count(0)
        sheet.get_by_role("button", name="Save").click()
        until_task(server, task, description="As I write it", notes="Written by another")


def test_a_task_is_edited_given_parts_and_deleted(page: Page, server: ServerProcess) -> None:
    task = add_task(server)
    open_view(page, server, f"/tasks/{task}")
    sheet = page.get_by_role("complementary", name=task)
    sheet.get_by_label("Priority").select_option("P1")
    sheet.get_by_label("Tags").fill("market, north")
    sheet.get_by_role("button", name="Save").click()
    expect(toasts(page)).to_contain_text(f"{task} is saved.")
    until_task(server, task, priority="P1", tags=["market", "north"])

    sheet.get_by_label("New subtask").fill("Ask around")
    sheet.get_by_role("button", name="Add").click()
    # It is checked once the server has it so.
    sheet.get_by_label("Ask around").click()
    expect(sheet.get_by_label("Ask around")).to_be_checked()
    until_task(server, task, status="review")
    expect(sheet.get_by_label("Status")).to_have_value("review")

    sheet.get_by_role("button", name="Delete …").click()
    sheet.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(f"{server.url}/tasks")
    expect(card(page, task)).to_have_count(0)
    assert httpx.get(f"{server.url}/api/tasks/{task}").status_code == 404


def test_a_claim_is_seen_as_it_happens(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="idle")
    task = add_task(server)
    open_view(page, server)
    expect(card(page, task)).to_contain_text("Nobody yet")
    httpx.post(f"{server.url}/api/tasks/{task}/claim", json={"agentId": "scout"}).raise_for_status()
    expect(card(page, task)).to_contain_text("Just taken")
    expect(card(page, task)).to_contain_text("scout")


def test_ten_thousand_tasks_are_capped_and_found(page: Page, server: ServerProcess) -> None:
    tasks = [
        {"id": f"TASK-{n:05}", "description": f"Task number {n}", "status": "pending"} for n in range(10_000)
    ]
    events = [{"type": "task:created", "data": {"task": task}} for task in tasks]
    httpx.post(f"{server.url}/api/events", json=events, timeout=60).raise_for_status()
    open_view(page, server)
    expect(column(page, "pending")).to_contain_text("and 9,960 more: search to narrow", timeout=15_000)
    page.get_by_label("Search tasks").fill("number 9876")
    expect(page.get_by_text("1 task of 10,000")).to_be_visible()
    expect(column(page, "pending").get_by_role("listitem")).to_have_count(1)


def test_the_palette_goes_to_anything_by_keyboard(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="idle")
    task = add_task(server)
    open_view(page, server, "/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Go to a view, an agent or a task")
    expect(field).to_be_focused()
    field.fill("market")
    field.press("Enter")
    expect(page).to_have_url(f"{server.url}/tasks/{task}")
    page.keyboard.press("Control+k")
    field.fill("scout")
    field.press("Enter")
    expect(page).to_have_url(f"{server.url}/agents/scout")
    page.get_by_role("button", name="Go to …").click()
    field.press("ArrowDown")
    field.press("Enter")
    expect(page).to_have_url(f"{server.url}/tasks")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(field).not_to_be_visible()


def test_alerts_that_were_seen_stay_seen(page: Page, server: ServerProcess) -> None:
    publish(server.url, "system:alert", {"level": "critical", "message": "The disk is full"})
    open_view(page, server, "/alerts")
    bell = page.get_by_role("banner").get_by_role("link", name="needs you")
    expect(bell).to_contain_text("1")
    page.get_by_role("button", name="Dismiss 1 alert").click()
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    expect(page.get_by_role("region", name="All alerts")).to_contain_text("The disk is full")
    stored = page.evaluate("({...localStorage})")
    assert list(stored) == ["mission-control:alerts-seen"]
    assert re.fullmatch(r'"\w+:\d+"', stored["mission-control:alerts-seen"])


def test_what_needs_somebody_is_told_without_burying_the_page(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/tasks")
    for number in range(5):
        publish(server.url, "system:alert", {"level": "critical", "message": f"Alert number {number}"})
    expect(toasts(page)).to_contain_text("and 2 more")
    expect(toasts(page).locator(".toast")).to_have_count(3)
    toasts(page).get_by_role("button", name="Close all").click()
    expect(toasts(page).locator(".toast")).to_have_count(0)


def test_an_event_shows_its_json(page: Page, server: ServerProcess) -> None:
    publish(server.url, "custom:event", {"answer": 42})
    open_view(page, server, "/events")
    row = page.get_by_role("list", name="Events").get_by_role("listitem").filter(has_text="custom:event")
    row.get_by_role("button", name="JSON").click()
    expect(row.locator("pre")).to_contain_text('"answer": 42')


def test_files_come_as_they_are_written_and_are_found(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    open_view(page, server, "/files")
    for name in ["market.md", "plan.txt"]:
        (server.workspace / "agents/scout" / name).write_text("text\n")
    files = page.get_by_role("list", name="Files").get_by_role("listitem")
    expect(files.filter(has_text="market.md")).to_be_visible()
    page.get_by_label("Search paths").fill(".txt")
    expect(files).to_have_count(1)
    expect(files).to_contain_text("plan.txt")


def test_all_files_on_disk_are_listed_found_and_opened(page: Page, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    for name in ["memory/2026-11-23.md", "PENDING_TASKS.md", "agents/scout/plan.md", "agents/nova/plan.md"]:
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(f"# {name}\n")
    for number in range(120):
        (workspace / f"agents/scout/note-{number}.txt").write_text("x")
    with start_server(workspace) as server:
        open_view(page, server, "/files")
        # Nothing has changed since the start: the disk is what there is to see.
        expect(page.get_by_role("button", name="All files")).to_have_attribute("aria-pressed", "true")
        files = page.get_by_role("list", name="Files").get_by_role("listitem")
        expect(page.get_by_role("status").filter(has_text="124 files")).to_be_visible()
        expect(files).to_have_count(100)
        page.get_by_role("button", name="Show older").click()
        expect(files).to_have_count(124)
        page.get_by_label("Search paths").fill("PLAN.md")
        expect(files).to_have_count(2)
        page.get_by_label("Of agent").select_option("nova")
        expect(files).to_have_count(1)
        page.get_by_label("Of agent").select_option("")
        page.get_by_label("Search paths").fill("memory/")
        page.get_by_role("link", name="2026-11-23.md").click()
        expect(page.get_by_role("heading", name="memory/2026-11-23.md", exact=True)).to_be_visible()
        (workspace / "memory/2026-11-24.md").write_text("# New\n")
        expect(files).to_have_count(2)
        page.get_by_role("button", name="Changes").click()
        expect(files).to_have_count(1)
        expect(files).to_contain_text("2026-11-24.md")


@pytest.mark.parametrize("width", [1440, 800, 390])
def test_a_file_far_down_the_list_opens_in_sight(page: Page, tmp_path: Path, width: int) -> None:
    folder = tmp_path / "workspace/agents/scout"
    folder.mkdir(parents=True)
    for number in range(80):
        (folder / f"note-{number:02}.txt").write_text(f"Note {number}\n" * 300)
    page.set_viewport_size({"width": width, "height": 844})
    with start_server(tmp_path / "workspace") as server:
        open_view(page, server, "/files")
        row = page.get_by_role("list", name="Files").get_by_role("link", name="note-").nth(75)
        row.scroll_into_view_if_needed()
        row.click()
        expect(page.locator(".file-sheet h3")).to_be_in_viewport()
        expect(page.locator(".file-text")).to_contain_text("Note ")
        expect(page.locator(".file-sheet h3")).to_be_in_viewport()
        if width == 1440:
            # The list has stayed where it was.
            expect(row).to_be_in_viewport()


def test_what_a_list_is_narrowed_to_is_in_its_address(page: Page, server: ServerProcess) -> None:
    data = server.workspace / "mission-control/data"
    data.mkdir(parents=True)
    leads = [
        {"id": f"l{n}", "company": f"C{n}", "priorityTier": f"P{n}", "totalScore": 50 + n} for n in range(3)
    ]
    (data / "leads.json").write_text(json.dumps(leads))
    open_view(page, server, "/leads")
    page.get_by_label("Tier").select_option("P1")
    expect(page).to_have_url(re.compile(r"/leads\?tier=P1$"))
    page.get_by_role("link", name="C1").click()
    expect(page).to_have_url(re.compile(r"/leads/l1\?tier=P1$"))
    page.reload()
    expect(page.get_by_label("Tier")).to_have_value("P1")
    expect(page.locator(".lead-card")).to_have_count(1)
    page.get_by_role("link", name="Files").first.click()
    expect(page).to_have_url(re.compile(r"/files$"))
    page.get_by_role("button", name="All files").click()
    page.get_by_label("Search paths").fill("leads")
    expect(page).to_have_url(re.compile(r"/files\?q=leads&list=disk$"))
    page.reload()
    expect(page.get_by_role("button", name="All files")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Search paths")).to_have_value("leads")


def test_the_viewer_says_what_is_not_the_queue_and_what_is_not_utf_8(
    page: Page, server: ServerProcess
) -> None:
    folder = server.workspace / "mission-control"
    folder.mkdir()
    (folder / "TASK_QUEUE.json").write_text('{"tasks": [], "nextId": 2}')
    (folder / "TASK_QUEUE.md").write_text(TABLE)
    (folder / "latin.txt").write_bytes(b"caf\xe9 \x80")
    open_view(page, server, "/tasks")
    expect(page.get_by_role("link", name="mission-control/TASK_QUEUE.json")).to_be_visible()
    open_view(page, server, "/files/mission-control/TASK_QUEUE.md")
    expect(page.locator(".file-sheet")).to_contain_text("This file is not the task queue: that is")
    page.get_by_role("link", name="mission-control/TASK_QUEUE.json", exact=True).click()
    expect(page.locator(".file-text")).to_contain_text("nextId")
    expect(page.locator(".file-sheet")).not_to_contain_text("not the task queue")
    open_view(page, server, "/files/mission-control/latin.txt")
    expect(page.locator(".file-text")).to_have_text("café €")
    expect(page.locator(".file-sheet")).to_contain_text("6 bytes")
    expect(page.locator(".file-sheet")).to_contain_text("not UTF-8: read as windows-1252")


def test_settings_are_applied_at_once_and_kept(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/settings")
    page.get_by_label("Night office").check()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.get_by_label("Keep still").check()
    page.reload()
    expect(page.get_by_label("Night office")).to_be_checked()
    assert page.evaluate("document.documentElement.dataset.motion") == "reduced"
    expect(page.get_by_label("A short sound")).not_to_be_checked()


def test_budgets_are_gauges_with_words(page: Page, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[budgets]\ndaily = 10.0\n[budgets.agents]\nscout = 1.0\n")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        put_state(server, "scout", status="busy")
        open_view(page, server, "/tokens")
        day = httpx.get(f"{server.url}/api/tokens").json()["budgets"]["day"]
        use = {"day": day, "model": "m", "session": "s", "tokens": 9, "cost": 0.9, "costSource": "prices"}
        publish(
            server.url, "token:usage", {"agent": "scout", "tokens": 9, "cost": 0.9, "delta": {"uses": [use]}}
        )
        budgets = page.get_by_role("region", name="Budgets of the day")
        expect(budgets).to_contain_text("$0.90 of $10.00, 9 %")
        expect(budgets).to_contain_text("$0.90 of $1.00, 90 %: ▲ nearly spent")
        expect(page.get_by_role("banner")).to_contain_text("$9.10 left")


def test_an_agents_sheet_says_where_each_figure_comes_from(page: Page, full: ServerProcess) -> None:
    open_view(page, full, "/agents/scout")
    sheet = page.get_by_role("main")
    expect(sheet).to_contain_text(re.compile("from state.json · confirmed"))
    expect(sheet.get_by_role("region", name="Cost")).to_contain_text("price table")
    expect(sheet.get_by_role("region", name="Its tasks")).to_contain_text("<b>bold</b>")
    # Those on disk: what was published of a file that is not there is an event, and no file.
    expect(sheet.get_by_role("region", name="Its last files")).to_contain_text("state.json")


def test_a_transcript_is_read_while_it_is_written(
    page: Page, transcript: Path, server: ServerProcess
) -> None:
    open_view(page, server, "/agents/scout")
    page.get_by_role("link", name="scout-main").click()
    said = page.get_by_role("list").filter(has_text=RIGHT_TO_LEFT).get_by_role("listitem")
    expect(said).to_have_count(4)
    say(transcript, {"role": "user", "content": "And now the importer"})
    expect(said.last).to_contain_text("And now the importer")
    assert page.locator("main img").count() == 0


def test_what_was_said_is_found_and_leads_into_its_transcript(
    page: Page, transcript: Path, server: ServerProcess
) -> None:
    say(transcript, *({"role": "user", "content": f"Line {number}"} for number in range(150)))
    open_view(page, server, "/sessions/scout-main")
    expect(page.get_by_role("listitem").filter(has_text="Line 149")).to_be_in_viewport()
    open_view(page, server, "/search")
    page.get_by_role("searchbox").fill("Line 42")
    page.get_by_role("button", name="Transcripts").click()
    page.get_by_role("link", name="Read on in its transcript").click()
    wanted = page.locator(".message.wanted")
    expect(wanted).to_have_text(re.compile("Line 42$"))
    expect(wanted).to_be_in_viewport()
    page.get_by_role("button", name="Older ones").click()
    expect(page.get_by_role("listitem").filter(has_text="<b>bold</b>").first).to_be_visible()
    for _ in range(2):
        page.get_by_role("button", name="Newer ones").click()
    expect(page.get_by_role("listitem").filter(has_text="Line 149")).to_be_visible()
    expect(page.get_by_role("button", name="Newer ones")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(chromium: Browser, full: ServerProcess, scheme: Any) -> None:
    with chromium.new_context(
        viewport={"width": 1400, "height": 900}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        found = []
        for path in VIEWS:
            open_view(page, full, path)
            expect(page.get_by_text("Loading …")).to_have_count(0)
            page.add_script_tag(path=AXE)
            result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            found += [
                (path, violation["id"], node["target"], node["failureSummary"])
                for violation in result["violations"]
                if violation["impact"] in {"serious", "critical"}
                for node in violation["nodes"][:3]
            ]
        assert found == []


def test_an_address_may_have_a_dot_in_it(page: Page, server: ServerProcess) -> None:
    put_state(server, "agent.v2", status="idle")
    open_view(page, server, "/agents/agent.v2")
    expect(page.get_by_role("heading", name="agent.v2")).to_be_visible()


def test_keys_go_to_cards_that_came_later(page: Page, server: ServerProcess) -> None:
    first = add_task(server, "First", priority="P0")
    last = add_task(server, "Last", priority="P3")
    open_view(page, server)
    expect(card(page, last)).to_be_visible()
    between = add_task(server, "Between", priority="P1")
    expect(card(page, between)).to_be_visible()
    card(page, first).get_by_role("link").press("ArrowDown")
    expect(card(page, between).get_by_role("link")).to_be_focused()


def test_a_note_goes_when_it_is_no_longer_so(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    open_view(page, server)
    put_state(server, "scout", status="waiting for approval")
    expect(toasts(page)).to_contain_text("scout waits: waiting for approval")
    put_state(server, "scout", status="busy")
    expect(toasts(page).locator(".toast")).to_have_count(0)


@pytest.mark.parametrize("path", ["/tasks", "/tokens", "/alerts"])
def test_each_view_freezes_with_the_server(page: Page, server: ServerProcess, path: str) -> None:
    open_view(page, server, path)
    expect(page.get_by_role("heading", name=VIEWS[path])).to_be_visible()
    server.kill()
    expect(page.locator(".page.frozen")).to_be_visible()
    expect(page.get_by_text(re.compile("^Frozen at"))).to_be_visible()


def test_a_change_that_does_not_reach_the_server_is_undone(page: Page, server: ServerProcess) -> None:
    task = add_task(server)
    open_view(page, server)
    expect(card(page, task)).to_be_visible()
    server.kill()
    card(page, task).get_by_role("link").press("Shift+ArrowRight")
    expect(toasts(page)).to_contain_text(f"{task} was not changed:")
    expect(column(page, "pending")).to_contain_text(task)


NOTES = """# Findings

Some *foreign* words, <b onclick="document.title=1">HTML</b>, a [link](https://example.com/) and a
[trap](javascript:document.title=1). ![a picture](https://example.com/track.png)

- [x] read
- [ ] write

| a | b |
|---|---|
| 1 | 2 |
"""


def test_a_file_is_shown_without_anything_of_it_being_run(page: Page, server: ServerProcess) -> None:
    folder = server.workspace / "agents/scout"
    folder.mkdir(parents=True)
    (folder / "SOUL.md").write_text("**Name:** Scout\n")
    (folder / "notes.md").write_text(NOTES)
    (folder / "data.json").write_text('{"b":[1,2]}')
    (folder / "page.html").write_text(MARKUP)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/agents/scout")
    page.get_by_role("link", name="notes.md").click()
    sheet = page.get_by_role("complementary", name="agents/scout/notes.md")
    expect(sheet.get_by_role("heading", name="Findings")).to_be_visible()
    expect(sheet).to_contain_text('<b onclick="document.title=1">HTML</b>')
    expect(sheet).to_contain_text("[a picture]")
    expect(sheet.get_by_role("link")).to_have_count(2)
    expect(sheet.get_by_role("link", name="link", exact=True)).to_have_attribute(
        "href", "https://example.com/"
    )
    expect(sheet.get_by_role("checkbox").first).to_be_checked()
    expect(sheet.get_by_role("cell", name="2")).to_be_visible()
    (folder / "notes.md").write_text("# Changed")
    expect(sheet.get_by_role("heading", name="Changed")).to_be_visible()
    for name, shown in (("data.json", '"b": ['), ("page.html", MARKUP)):
        page.goto(f"{server.url}/files/agents/scout/{name}")
        expect(page.locator(".file-text")).to_contain_text(shown)
    assert "1" not in page.title()
    assert all(url.startswith((server.url, server.ws_url, "data:")) for url in asked)


def test_a_file_that_is_not_there_is_said_to_be_missing(chromium: Browser, server: ServerProcess) -> None:
    # A page of its own: the browser reports the 404 in its console.
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}/files/agents/scout/none")
        expect(page.get_by_role("alert")).to_contain_text("There is no file")


TABLE = """# Queue

## Active Task Queue

| ID | Description | Status | Priority |
|---|---|---|---|
| TASK-0001 | Read | pending | P1 |
"""


def test_the_board_names_the_file_that_is_the_queue(page: Page, server: ServerProcess) -> None:
    folder = server.workspace / "mission-control"
    folder.mkdir()
    open_view(page, server, "/tasks")
    line = page.locator(".queue-file")
    expect(line).to_contain_text("There is no queue file yet")
    (folder / "TASK_QUEUE.md").write_text(TABLE)
    expect(page.get_by_role("link", name="mission-control/TASK_QUEUE.md")).to_be_visible()
    (folder / "TASK_QUEUE.json").write_text('{"tasks": [], "nextId": 2}')
    expect(line).to_contain_text("The queue is the file mission-control/TASK_QUEUE.json.")
    expect(line).to_contain_text("Other task lists next to it are not read.")
    (folder / "PENDING_TASKS.md").write_text("# Pending\n")
    page.goto(f"{server.url}/files/mission-control/PENDING_TASKS.md")
    expect(page.get_by_role("heading", name="Pending", exact=True)).to_be_visible()


def test_a_file_in_an_agents_own_workspace_is_reached_from_its_agent(
    page: Page, server: ServerProcess, tmp_path: Path
) -> None:
    own = tmp_path / "workspace-scout/memory"
    own.mkdir(parents=True)
    (own / "today.md").write_text("# Today")
    (own.parent / "IDENTITY.md").write_text("- **Name:** Lens")
    entries = {"main": {"workspace": str(server.workspace)}, "scout": {}}
    (tmp_path / "openclaw.json").write_text(json.dumps({"agents": {"entries": entries}}))
    page.goto(f"{server.url}/agents/scout")
    expect(page.get_by_role("heading", name="Lens").first).to_be_visible()
    page.get_by_role("link", name="../workspace-scout/memory/today.md").click()
    sheet = page.get_by_role("complementary", name="../workspace-scout/memory/today.md")
    expect(sheet.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    (own / "today.md").write_text("# Later today")
    expect(sheet.get_by_role("heading", name="Later today")).to_be_visible()
    page.reload()
    expect(sheet.get_by_role("heading", name="Later today")).to_be_visible()


def test_the_board_says_how_many_completed_tasks_are_in_the_history(page: Page, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[tasks]\nkeep_completed_hours = 0\n")
    with start_server(tmp_path / "workspace", tmp_path / "data", options=["--config", str(config)]) as server:
        folder = server.workspace / "mission-control"
        folder.mkdir()
        tasks = [
            {"id": f"TASK-000{number}", "description": f"Task {number}", "status": "pending"}
            for number in (1, 2)
        ]
        old = {"id": "TASK-0009", "description": "Of old", "status": "completed"}
        (folder / "TASK_QUEUE.json").write_text(json.dumps({"tasks": tasks, "history": [old], "nextId": 10}))
        page.goto(f"{server.url}/tasks")
        column = page.locator('[data-column="completed"]')
        expect(column).to_contain_text("1 in the history")
        httpx.patch(f"{server.url}/api/tasks/TASK-0001", json={"status": "completed"}).raise_for_status()
        expect(column).to_contain_text("2 in the history")
        expect(page.locator('[data-column="pending"]')).to_contain_text("Task 2")
