"""The day's ledger in real Chromium: what it says is what was done."""

from __future__ import annotations

from datetime import date, timedelta

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def finish(server: ServerProcess, description: str, agent: str) -> None:
    task = httpx.post(f"{server.url}/api/tasks", json={"description": description, "assignedTo": agent})
    path = f"{server.url}/api/tasks/{task.raise_for_status().json()['id']}"
    httpx.patch(path, json={"status": "completed"}).raise_for_status()


def spend(server: ServerProcess, agent: str, cost: float) -> None:
    uses = [{"day": today(server), "tokens": 9000, "cost": cost, "costSource": "prices"}]
    publish(
        server.url, "token:usage", {"agent": agent, "tokens": 9000, "cost": cost, "delta": {"uses": uses}}
    )


def today(server: ServerProcess) -> str:
    return str(httpx.get(f"{server.url}/api/ledger").raise_for_status().json()["day"])


def test_the_ledger_has_what_was_done_and_follows(page: Page, server: ServerProcess) -> None:
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "busy"})
    finish(server, "Read the market", "scout")
    finish(server, "Match the invoices", "forge")
    spend(server, "scout", 1.5)
    page.goto(f"{server.url}/ledger")
    income = page.get_by_role("region", name="Income")
    expect(income).to_contain_text("2 tasks finished")
    expect(income).to_contain_text("Read the market")
    expect(page.get_by_role("region", name="Expense")).to_contain_text("$1.50")
    expect(page.get_by_role("region", name="Ahead today")).to_contain_text("forge")
    expect(page.get_by_text("A finished task costs $0.75.")).to_be_visible()
    finish(server, "Draft the report", "scout")
    expect(income).to_contain_text("3 tasks finished")
    expect(page.get_by_role("region", name="Ahead today")).to_contain_text("scout")


def test_days_are_turned_over_and_an_unknown_one_says_so(page: Page, server: ServerProcess) -> None:
    publish(server.url, "custom:event", {})
    yesterday = str(date.fromisoformat(today(server)) - timedelta(days=1))
    page.goto(server.url)
    page.locator("a.calendar").click()
    expect(page).to_have_url(f"{server.url}/ledger")
    page.get_by_role("link", name="The day before").click()
    expect(page).to_have_url(f"{server.url}/ledger/{yesterday}")
    expect(page.get_by_text("The log knows nothing of this day")).to_be_visible()
    expect(page.get_by_text("Nobody finished a task, so there is no award.")).to_be_visible()
    page.get_by_role("link", name="The day after").click()
    expect(page.get_by_text("so far")).to_be_visible()


def test_a_ledger_that_cannot_be_read_says_why_and_can_be_asked_for_again(
    page: Page, server: ServerProcess
) -> None:
    page.goto(server.url)
    expect(page.locator(".lamp")).to_contain_text("Live")
    page.route("**/api/ledger*", lambda route: route.fulfill(status=200, json={}))
    page.locator("a.calendar").click()
    expect(page.get_by_role("alert")).to_contain_text("The server's answer is not a ledger.")
    page.unroute("**/api/ledger*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("region", name="Income")).to_be_visible()


def test_when_a_day_is_over_its_ledger_is_offered(page: Page, server: ServerProcess) -> None:
    finish(server, "Read the market", "scout")
    day = today(server)
    tomorrow = str(date.fromisoformat(day) + timedelta(days=1))
    page.clock.install()
    page.goto(server.url)
    expect(page.locator(".purse")).to_contain_text("left")

    def turn(route: Route) -> None:
        told = httpx.get(f"{server.url}/api/tokens").json()
        told["budgets"]["day"] = tomorrow
        route.fulfill(json=told)

    page.route("**/api/tokens", turn)
    page.clock.fast_forward("31:00")
    note = page.locator(".toast").filter(has_text="is over: 1 task finished, $0.00 spent.")
    expect(note).to_be_visible()
    note.get_by_role("link").click()
    expect(page).to_have_url(f"{server.url}/ledger/{day}")
