"""Pages of the kind that the earlier system's users have, unchanged, in real Chromium against the two ports.

They are served by a server of files on a port of its own, read arrays with `filter`, `slice` and `map`, poll, write
with a partial PUT, and use a copy of the client next to them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.browser.tabs import files_on_a_port

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Show = Callable[[str], None]
PAGES = Path(__file__).parent / "pages"

WORKSPACE = {
    "agents/scout/SOUL.md": "**Name:** Scout\n**Role:** Research\n**Specialties**\n- Markets\n- Maps\n",
    "agents/scout/state.json": {
        "status": "busy",
        "active_projects": [{"id": "p1"}],
        "stats": {"tasksCompleted": 3},
    },
    "agents/scout/report.md": "# Report\n",
    "agents/sentry/state.json": {
        "status": "online",
        "system": {"gatewayStatus": "running", "gatewayPid": 4375},
        "sessions": {"total": 12, "active": 12, "failed": 0},
    },
    "data/scored-leads-v2.json": {
        "scoredLeads": [
            {
                "leadId": "lead_001",
                "company": "Acme",
                "totalScore": 91,
                "priorityTier": "P0",
                "breakdown": {"fit": {"score": 9}},
            },
            {"leadId": "lead_002", "company": "Later", "totalScore": 20, "priorityTier": "P3"},
        ]
    },
    "data/opportunities.json": {"opportunities": [{"id": "o1", "title": "Ports", "score": 85}]},
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of the pages."""
    folder = tmp_path / "pages"
    folder.mkdir()
    with files_on_a_port(folder) as found:
        yield found


@pytest.fixture
def server(tmp_path: Path, address: str) -> Iterator[ServerProcess]:
    """A server whose config file lets the pages write."""
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nallowed_origins = ["{address}"]\n')
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as started:
        yield started


@pytest.fixture
def pages(tmp_path: Path, server: ServerProcess, address: str) -> str:
    """The address of the pages, with a workspace full of what they show behind the server."""
    for name, content in WORKSPACE.items():
        path = server.workspace / "mission-control" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    folder = tmp_path / "pages"
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    (folder / "js").mkdir()
    (folder / "js/realtime.js").write_bytes(httpx.get(f"{server.url}/js/realtime.js").content)
    return address


@pytest.fixture
def show(page: Page, pages: str, server: ServerProcess) -> Iterator[Show]:
    """Shows one of the pages, until the test is over."""
    query = urlencode({"api": server.url, "ws": server.ws_url})

    def open_page(name: str) -> None:
        page.goto(f"{pages}/{name}.html?{query}")

    yield open_page
    # It polls until it is closed.
    page.goto("about:blank")


def test_a_page_of_agents_shows_them_with_their_files_and_the_gateway(
    page: Page, show: Show, server: ServerProcess
) -> None:
    show("agents")
    expect(page.locator("#agents")).to_contain_text("Scout, Research: 1 active, 3 done, Markets/Maps")
    expect(page.locator("#agents")).to_contain_text("Unknown: 0 active, 0 done")
    expect(page.locator("#online")).to_have_text("2 of 2 online")
    expect(page.locator("#files")).to_contain_text("report.md 9")
    expect(page.locator("#gateway")).to_contain_text("Gateway: running")


def test_a_page_of_tokens_shows_totals_agents_and_days(page: Page, show: Show, server: ServerProcess) -> None:
    use = {
        "session": "s1",
        "model": "m",
        "day": "2026-11-23",
        "tokens": 1500,
        "input": 1000,
        "output": 500,
        "calls": 1,
        "cost": 0.5,
        "costSource": "transcript",
    }
    publish(
        server.url, "token:usage", {"agent": "scout", "tokens": 1500, "cost": 0.5, "delta": {"uses": [use]}}
    )
    show("tokens")
    expect(page.locator("#total")).to_have_text("1,500 tokens, $0.50, 1 agents")
    expect(page.locator("#top")).to_have_text("Scout: 1000 in, 500 out")
    expect(page.locator("#days")).to_have_text("2026-11-23 $0.50")
    expect(page.locator("#today")).to_have_text("Today $0.00")


def test_a_page_of_leads_shows_scores_opportunities_and_logs(
    page: Page, show: Show, server: ServerProcess
) -> None:
    show("leads")
    expect(page.locator("#summary")).to_have_text("2 leads, 56 on average, 1 at once")
    expect(page.locator("#leads")).to_have_text("Acme 91 fit")
    expect(page.locator("#opportunities")).to_have_text("Ports 85 of 1")
    expect(page.locator("#logs")).to_contain_text("lead:added")


def test_a_board_follows_events_and_a_partial_put_loses_nothing(
    page: Page, show: Show, server: ServerProcess
) -> None:
    task = {"description": "Read the market", "priority": "P0", "tags": ["a"], "assignedTo": "scout"}
    made = httpx.post(f"{server.url}/api/tasks", json=task).json()
    show("board")
    expect(page.locator("#state")).to_have_text("connected")
    expect(page.locator("#tasks")).to_have_text(f"{made['id']} Read the market pending P0")
    changed = page.evaluate("id => review(id)", made["id"])
    expect(page.locator("#tasks")).to_have_text(f"{made['id']} Looked through review P0")
    assert (changed["tags"], changed["assignedTo"], changed["created"]) == (["a"], "scout", made["created"])
    expect(page.locator("#events")).to_contain_text("task:updated true")
    file = json.loads((server.workspace / "mission-control/TASK_QUEUE.json").read_text())
    assert file["tasks"][0]["tags"] == ["a"]
