"""Questions in the office: a raised hand, and an answer from wherever it is seen."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.browser.test_views import open_view, put_state

from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def ask(server: ServerProcess, text: str, **fields: Any) -> str:
    asked = {"text": text, "agentId": "scout", **fields}
    return str(httpx.post(f"{server.url}/api/questions", json=asked).raise_for_status().json()["id"])


def answered(server: ServerProcess, id_: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(
        f"{server.url}/api/questions/{id_}", params={"wait": 10}, timeout=20
    ).json()
    return told


def question(page: Page, text: str) -> Locator:
    return page.locator(".question", has_text=text)


def test_a_question_raises_a_hand_and_is_answered_on_the_floor(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    open_view(page, server, "/")
    expect(page.locator(".sentence")).to_contain_text("is at work")
    id_ = ask(server, "Shall I deploy?", options=["yes", "no"])
    expect(page.locator(".question-box")).to_contain_text("Shall I deploy?")
    expect(page.locator(".sentence")).to_contain_text("waits")
    expect(page.locator(".place-count")).to_contain_text("1")
    page.locator(".question-box").get_by_role("button", name="yes").click()
    assert answered(server, id_)["answer"] == "yes"
    expect(page.locator(".question-box")).to_have_count(0)
    expect(page.locator(".sentence")).not_to_contain_text("waits")


def test_questions_are_answered_by_keyboard(page: Page, server: ServerProcess) -> None:
    choice = ask(server, "Which one?", options=["this", "that"])
    free = ask(server, "What tone?")
    open_view(page, server, "/questions")
    question(page, "Which one?").get_by_role("button").first.focus()
    page.keyboard.press("2")
    assert answered(server, choice)["answer"] == "that"
    question(page, "What tone?").get_by_label("Your answer").fill("A calm one")
    page.keyboard.press("Enter")
    assert answered(server, free)["answer"] == "A calm one"
    expect(page.get_by_text("Nobody waits for an answer")).to_be_visible()
    expect(question(page, "What tone?")).to_contain_text("A calm one")


def test_of_two_people_the_first_answers_and_the_other_sees_it(
    page: Page, chromium: Browser, server: ServerProcess
) -> None:
    id_ = ask(server, "Which one?", options=["this", "that"])
    open_view(page, server, "/alerts")
    with chromium.new_context(service_workers="block") as context:
        other = context.new_page()
        open_view(other, server, "/questions")
        question(other, "Which one?").get_by_role("button", name="that").click()
        assert answered(server, id_)["answer"] == "that"
        expect(question(page, "Which one?")).to_have_count(0)
        expect(question(other, "Which one?")).to_contain_text("dashboard")


def test_an_answer_that_is_refused_says_so_and_can_be_given_again(page: Page, server: ServerProcess) -> None:
    id_ = ask(server, "Which one?", options=["this", "that"])
    open_view(page, server, "/questions")
    page.route(f"**/api/questions/{id_}/answer", lambda route: route.abort("connectionrefused"))
    question(page, "Which one?").get_by_role("button", name="this").click()
    expect(question(page, "Which one?").get_by_role("alert")).to_contain_text("Not answered")
    page.unroute(f"**/api/questions/{id_}/answer")
    question(page, "Which one?").get_by_role("button", name="this").click()
    assert answered(server, id_)["answer"] == "this"


def test_a_permission_that_the_terminal_gives_has_no_buttons(page: Page, server: ServerProcess) -> None:
    details = {"command": "rm -rf build", "note": "It is answered in the terminal."}
    ask(server, "Bash", kind="permission", details=details)
    open_view(page, server, "/questions")
    expect(question(page, "Bash")).to_contain_text("rm -rf build")
    expect(question(page, "Bash")).to_contain_text("It is answered in the terminal.")
    expect(question(page, "Bash").get_by_role("button")).to_have_count(0)


def test_a_question_stands_on_its_agent_s_sheet(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    ask(server, "Which one?", options=["this", "that"])
    open_view(page, server, "/agents/scout")
    expect(question(page, "Which one?").get_by_role("button")).to_have_count(2)
    expect(page.locator(".identity")).to_contain_text("asks you")
