"""Standups, conversations and logs in real Chromium: held, found, narrowed and followed live."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.signing_in import sign_in
from tests.browser.test_views import MARKUP, add_task, open_view, put_state, say, toasts

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_standup_is_held_by_a_click_and_says_what_each_agent_did(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    put_state(server, "forge", status="idle")
    open_view(page, server, "/standups")
    expect(page.get_by_text("No standup was held yet")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text('at = "09:00"')
    done, begun = (
        add_task(server, MARKUP, assignedTo="scout"),
        add_task(server, "Build it", assignedTo="scout"),
    )
    publish(server.url, "task:completed", {"taskId": done})
    httpx.patch(f"{server.url}/api/tasks/{begun}", json={"status": "blocked"}).raise_for_status()
    publish(server.url, "system:alert", {"level": "critical", "message": MARKUP})
    page.get_by_role("button", name="Hold standup").click()
    report = page.get_by_role("list", name="Reports of the agents").get_by_role("listitem").first
    expect(report).to_contain_text("Completed")
    expect(report.get_by_role("link", name=MARKUP)).to_have_attribute("href", f"/tasks/{done}")
    expect(report).to_contain_text("Blocked")
    expect(page.get_by_role("list", name="Alerts of the period")).to_contain_text(MARKUP)
    expect(page.get_by_role("region", name="Nothing to report")).to_contain_text("forge")
    kept = httpx.get(f"{server.url}/api/standups").json()
    assert [page.url] == [f"{server.url}/standups/{one['id']}" for one in kept]
    # One that is held elsewhere shows up in the list, and the one that is read stays.
    httpx.post(f"{server.url}/api/standups").raise_for_status()
    entries = page.get_by_role("navigation", name="Standups").get_by_role("link")
    expect(entries).to_have_count(2)
    expect(entries.nth(1)).to_have_attribute("aria-current", "page")
    entries.first.click()
    expect(page.get_by_role("region", name="Nothing to report")).to_contain_text("scout")
    assert page.evaluate("document.title").startswith("S-")


def test_a_standup_is_still_there_after_a_restart(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    held = httpx.post(f"{server.url}/api/standups").raise_for_status().json()
    server.restart()
    open_view(page, server, f"/standups/{held['id']}")
    expect(page.locator("article.standup")).to_contain_text("Markdown")
    assert httpx.get(f"{server.url}/api/standups").json() == [held]
    page.goto(f"{server.url}/standups/S-NONE")
    expect(page.get_by_role("alert")).to_contain_text("There is no standup S-NONE")


def test_a_standup_is_downloaded_as_markdown_from_a_server_with_tokens(page: Page, tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", options=["--token", "a-token-of-the-operator"]) as server:
        owner = {"Authorization": f"Bearer {server.owner_secret}"}
        held = httpx.post(f"{server.url}/api/standups", headers=owner).raise_for_status().json()
        sign_in(page, server)
        open_view(page, server, f"/standups/{held['id']}")
        with page.expect_download() as begun:
            page.get_by_role("button", name="Markdown").click()
        saved = begun.value
        assert saved.suggested_filename == f"{held['id']}.md"
        path = f"{server.url}/api/standups/{held['id']}?format=markdown"
        assert Path(saved.path()).read_text(encoding="utf-8") == httpx.get(path, headers=owner).text
        server.kill()
        page.get_by_role("button", name="Markdown").click()
        expect(page.get_by_role("alert")).to_contain_text("It was not downloaded")


def test_leads_are_downloaded_as_csv(page: Page, server: ServerProcess) -> None:
    publish(server.url, "lead:added", {"lead": {"id": "L-1", "company": "Acme", "score": 80}})
    open_view(page, server, "/leads")
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    assert begun.value.suggested_filename == "leads.csv"
    assert "Acme" in Path(begun.value.path()).read_text(encoding="utf-8")


def test_a_standup_that_is_refused_says_why(chromium: Browser, server: ServerProcess) -> None:
    # A page of its own: Chromium notes the refusal on the console.
    with chromium.new_context(service_workers="block") as context:
        page = context.new_page()
        open_view(page, server, "/standups")
        problem = {"status": 503, "detail": "The disk is full.", "title": "Not now"}
        page.route("**/api/standups", lambda route: route.fulfill(status=503, json=problem))
        page.get_by_role("button", name="Hold standup").click()
        expect(page.get_by_role("alert")).to_contain_text("The standup was not held. The disk is full.")
        expect(page.get_by_role("button", name="Hold standup")).to_be_enabled()


def test_conversations_are_found_under_the_earlier_address_and_lead_to_their_transcripts(
    page: Page, tmp_path: Path
) -> None:
    say(
        tmp_path,
        {"role": "user", "content": "Review the importer"},
        {"role": "assistant", "content": "I do."},
    )
    with start_server(tmp_path / "workspace") as server:
        page.goto(f"{server.url}/#/archive")
        expect(page).to_have_url(f"{server.url}/archive")
        expect(page).to_have_title("Conversations · Mission Control")
        line = page.get_by_role("link", name="Review the importer")
        expect(line).to_be_visible()
        search = page.get_by_role("searchbox", name="Search what was said")
        search.fill("importer")
        expect(page.get_by_text("1 found")).to_be_visible()
        expect(page.get_by_role("link", name="Read on in its transcript")).to_be_visible()
        search.fill("nowhere")
        expect(page.get_by_text("Nothing that was said has these words.")).to_be_visible()
        search.fill("")
        line.click()
        expect(page).to_have_url(f"{server.url}/sessions/scout-main")
        expect(page.get_by_role("main")).to_contain_text("I do.")


def test_the_logs_are_narrowed_and_followed(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    put_state(server, "forge", status="idle")
    open_view(page, server, "/events")
    page.evaluate("location.hash = '#/logs'")
    page.goto(f"{server.url}/#/logs")
    expect(page).to_have_url(f"{server.url}/logs")
    task = add_task(server, MARKUP)
    entries = page.locator(".log-entry")
    expect(entries.filter(has_text=f"{task} was added: {MARKUP}")).to_have_count(1)
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "error"})
    expect(entries.first).to_contain_text("scout is now error")
    page.get_by_role("combobox", name="Type").select_option("task")
    expect(entries.first).to_contain_text(task)
    expect(entries.filter(has_text="agent:")).to_have_count(0)
    page.get_by_role("combobox", name="Type").select_option("")
    page.get_by_role("combobox", name="Of agent").select_option("scout")
    expect(entries.first).to_contain_text("scout is now error")
    expect(entries.filter(has_text=task)).to_have_count(0)
    page.get_by_role("searchbox", name="Search the logs").fill("nowhere")
    expect(page.get_by_text("No entry is like that")).to_be_visible()
    expect(toasts(page)).not_to_contain_text("nowhere")


def test_the_views_of_records_are_one_click_from_each_other(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/events")
    for name, path in (("Logs", "/logs"), ("Conversations", "/archive"), ("Search", "/search")):
        page.get_by_role("navigation", name="Records").get_by_role("link", name=name).click()
        expect(page).to_have_url(f"{server.url}{path}")
        menu = page.get_by_role("navigation", name="Views")
        expect(menu.get_by_role("link", name="Events")).to_have_attribute("aria-current", "page")
