"""Questions in the office: a raised hand, and an answer from wherever it is seen."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.asking import ask_permission
from tests.browser.signing_in import sign_in
from tests.browser.test_views import open_view as open_signed_out
from tests.browser.test_views import put_state

from missioncontrol.testing import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def open_view(page: Page, server: ServerProcess, path: str) -> None:
    sign_in(page, server)
    open_signed_out(page, server, path)


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
    # The box is on the floor, which keeps its size.
    floor, box = page.locator(".floor").bounding_box(), page.locator(".question-box").bounding_box()
    assert floor is not None
    assert box is not None
    assert floor["y"] < box["y"]
    assert box["y"] + box["height"] < floor["y"] + floor["height"]
    page.locator(".question-box").get_by_role("button", name="yes").click()
    expect(page.locator(".question-box")).to_contain_text("scout: yes")
    assert answered(server, id_)["answer"] == "yes"
    expect(page.locator(".question-box")).to_have_count(0)
    expect(page.locator(".sentence")).not_to_contain_text("waits")


def test_questions_are_answered_by_keyboard(page: Page, server: ServerProcess) -> None:
    choice = ask(server, "Which one?", options=["this", "that"])
    free = ask(server, "What tone?")
    open_view(page, server, "/questions")
    expect(question(page, "Which one?").get_by_role("button", name="this")).to_be_enabled()
    question(page, "Which one?").get_by_role("button").first.focus()
    page.keyboard.press("2")
    assert answered(server, choice)["answer"] == "that"
    expect(question(page, "What tone?").get_by_role("button")).to_be_enabled()
    question(page, "What tone?").get_by_label("Your answer").fill("A calm one")
    page.keyboard.press("Enter")
    assert answered(server, free)["answer"] == "A calm one"
    expect(page.get_by_text("Nobody waits for an answer")).to_be_visible(timeout=10_000)
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
    expect(question(page, "Which one?").get_by_role("alert")).to_contain_text("Not answered", timeout=10_000)
    page.unroute(f"**/api/questions/{id_}/answer")
    question(page, "Which one?").get_by_role("button", name="this").click()
    assert answered(server, id_)["answer"] == "this"


def test_a_permission_that_the_terminal_gives_has_no_buttons(page: Page, server: ServerProcess) -> None:
    ask_permission(server, "Bash", {"command": "rm -rf build"}, held=False)
    open_view(page, server, "/questions")
    expect(question(page, "Bash")).to_contain_text("rm -rf build")
    expect(question(page, "Bash")).to_contain_text("It is answered in the terminal.")
    expect(question(page, "Bash").get_by_role("button")).to_have_count(0)


def open_ids(server: ServerProcess) -> list[str]:
    found = httpx.get(f"{server.url}/api/questions", params={"status": "open"}).json()["questions"]
    return [one["id"] for one in found]


def middle(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("view", ["/", "/questions"])
def test_a_double_click_answers_one_question_only(page: Page, server: ServerProcess, view: str) -> None:
    first = ask(server, "Which branch?", options=["yes", "no"])
    second = ask(server, "And this one?", options=["yes", "no"])
    open_view(page, server, view)
    yes = question(page, "Which branch?").get_by_role("button", name="yes")
    expect(yes).to_be_enabled()
    page.mouse.dblclick(*middle(yes))
    expect(page.locator(".given-line")).to_contain_text("yes")
    # Where the pointer still is, nothing else takes a click.
    page.mouse.down()
    page.mouse.up()
    assert answered(server, first)["answer"] == "yes"
    expect(page.locator(".given-line")).to_have_count(0)
    assert open_ids(server) == [second]


def test_two_taps_on_a_phone_answer_one_question_only(chromium: Browser, server: ServerProcess) -> None:
    ids = {
        ask(server, "Which branch?", options=["yes", "no"]),
        ask(server, "And this one?", options=["yes", "no"]),
    }
    with chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, service_workers="block"
    ) as context:
        page = context.new_page()
        open_view(page, server, "/")
        yes = page.locator(".question-box").get_by_role("button", name="yes")
        expect(yes).to_be_enabled()
        place = middle(yes)
        for _ in range(3):
            page.touchscreen.tap(*place)
        expect(page.locator(".given-line")).to_have_count(1)
        expect(yes).to_be_enabled()
        expect(page.locator(".given-line")).to_have_count(1)
        page.wait_for_function("() => !document.querySelector('.given-line')", timeout=15_000)
        left = set(open_ids(server))
        assert len(left) == 1
        assert left < ids


# Clicks on a button in the moment in which it appears, and says how long it takes no click after that.
CLICK_AT_ONCE = """() => new Promise(resolve => {
  let appeared = null;
  const look = () => {
    const button = document.querySelector(".question .answers button");
    if (!button) return;
    if (appeared === null) {
      appeared = performance.now();
      button.click();
      button.dispatchEvent(new KeyboardEvent("keydown", { key: "1", bubbles: true }));
    }
    if (!button.disabled) {
      watcher.disconnect();
      resolve(performance.now() - appeared);
    }
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { subtree: true, childList: true, attributes: true });
})"""


def test_a_card_that_has_just_appeared_takes_no_click_and_no_key(page: Page, server: ServerProcess) -> None:
    open_view(page, server, "/questions")
    page.evaluate(f"() => {{ globalThis.passed = ({CLICK_AT_ONCE})() }}")
    ask(server, "Which one?", options=["this", "that"])
    assert page.evaluate("globalThis.passed") >= 700
    expect(page.locator(".given-line")).to_have_count(0)
    expect(question(page, "Which one?").get_by_role("button", name="this")).to_be_enabled()


@pytest.mark.parametrize("view", ["/", "/questions"])
def test_a_question_that_is_withdrawn_does_not_slide_the_next_one_under_the_pointer(
    page: Page, server: ServerProcess, view: str
) -> None:
    first = ask(server, "Which branch?", options=["yes", "no"])
    second = ask(server, "DROP the production database?", options=["yes", "no"])
    open_view(page, server, view)
    yes = question(page, "Which branch?").get_by_role("button", name="yes")
    expect(yes).to_be_enabled()
    place = middle(yes)
    page.mouse.move(*place)
    owner = {"Authorization": f"Bearer {server.owner_secret}"}
    httpx.delete(f"{server.url}/api/questions/{first}", headers=owner).raise_for_status()
    expect(question(page, "Which branch?")).to_contain_text("Withdrawn")
    # It stays for as long as the pointer is there, not only for a moment.
    page.wait_for_timeout(4_500)
    page.mouse.click(*place)
    expect(question(page, "Which branch?")).to_contain_text("Withdrawn")
    expect(page.locator(".given-line")).to_have_count(0)
    page.mouse.move(5, 5)
    expect(question(page, "Which branch?").locator(".answers")).to_have_count(0)
    expect(question(page, "DROP").get_by_role("button", name="yes")).to_be_enabled()
    assert open_ids(server) == [second]


def test_an_answer_that_is_taken_back_is_never_sent(page: Page, server: ServerProcess) -> None:
    id_ = ask(server, "Which one?", options=["this", "that"])
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    open_view(page, server, "/questions")
    question(page, "Which one?").get_by_role("button", name="this").click()
    expect(page.locator(".given-line")).to_contain_text("scout: this")
    page.get_by_role("button", name="Undo").click()
    expect(question(page, "Which one?").get_by_role("button", name="that")).to_be_enabled()
    page.wait_for_timeout(4_500)
    assert [url for url in sent if id_ in url] == []
    assert open_ids(server) == [id_]
    question(page, "Which one?").get_by_role("button", name="that").click()
    assert answered(server, id_)["answer"] == "that"


def test_a_dangerous_option_is_never_the_first_and_the_warning_is_in_sight(
    page: Page, server: ServerProcess
) -> None:
    id_ = ask_permission(server, "Bash", {"command": "ls \u202e", "dangerouslyDisableSandbox": True})
    open_view(page, server, "/questions")
    card = question(page, "Allow Bash")
    expect(card.locator(".part-warning").first).to_contain_text("dangerouslyDisableSandbox is true")
    expect(card.locator("pre mark")).to_have_text("⟦U+202E⟧")
    expect(card.locator(".answers button").first).to_contain_text("deny")
    card.get_by_role("button", name="allow").click()
    assert answered(server, id_)["answer"] == "allow"


def test_a_diff_of_two_hundred_lines_is_read_and_allowed_on_a_phone(
    chromium: Browser, server: ServerProcess
) -> None:
    before = "\n".join(f"const item{number} = price({number}) * quantity({number});" for number in range(200))
    after = before.replace("price(199)", "free(199)").replace("price(7)", "free(7)")
    given = {"file_path": "/shop/src/checkout.ts", "old_string": before, "new_string": after}
    id_ = ask_permission(server, "Edit", given)
    with chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, service_workers="block"
    ) as context:
        page = context.new_page()
        open_view(page, server, "/questions")
        card = question(page, "Allow Edit")
        expect(card.get_by_role("button", name="deny")).to_be_enabled()
        expect(card.get_by_role("button", name="allow")).to_be_disabled()
        expect(card.locator(".diff-line")).to_have_count(202)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        review = card.locator(".review")
        assert review.evaluate("box => box.scrollWidth <= box.clientWidth")
        review.evaluate("box => box.scrollTo(0, box.scrollHeight / 2)")
        expect(card.get_by_role("button", name="allow")).to_be_disabled()
        review.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        expect(card.locator(".diff-line.added").last).to_be_in_viewport()
        card.get_by_role("button", name="allow").tap()
        expect(page.locator(".given-line")).to_contain_text("scout: allow")
        assert answered(server, id_)["answer"] == "allow"


def test_an_answer_approves_what_this_page_has_shown(chromium: Browser, server: ServerProcess) -> None:
    id_ = ask_permission(server, "Bash", {"command": "ls"})

    def another(route: Route) -> None:
        body = route.fetch().json()
        body["review"]["digest"] = "0" * 64
        route.fulfill(json=body)

    # The page's console shows the refusal, which the fixture would not have.
    with chromium.new_context(service_workers="block") as context:
        page = context.new_page()
        page.route(f"**/api/questions/{id_}", another)
        open_view(page, server, "/questions")
        question(page, "Allow Bash").get_by_role("button", name="allow").click()
        refusal = question(page, "Allow Bash").get_by_role("alert")
        expect(refusal).to_contain_text("not the one that was shown", timeout=10_000)
        assert open_ids(server) == [id_]


def test_what_cannot_be_shown_has_no_answers_until_it_can(page: Page, server: ServerProcess) -> None:
    id_ = ask(server, "Which one?", options=["this", "that"])
    page.route(f"**/api/questions/{id_}", lambda route: route.abort("connectionrefused"))
    open_view(page, server, "/questions")
    expect(question(page, "Which one?").get_by_role("alert")).to_contain_text("cannot be shown whole")
    expect(question(page, "Which one?").locator(".answers")).to_have_count(0)
    page.unroute(f"**/api/questions/{id_}")
    question(page, "Which one?").get_by_role("button", name="Try again").click()
    question(page, "Which one?").get_by_role("button", name="this").click()
    assert answered(server, id_)["answer"] == "this"


def test_a_question_stands_on_its_agent_s_sheet(page: Page, server: ServerProcess) -> None:
    put_state(server, "scout", status="busy")
    ask(server, "Which one?", options=["this", "that"])
    open_view(page, server, "/agents/scout")
    expect(question(page, "Which one?").get_by_role("button")).to_have_count(2)
    expect(page.locator(".identity")).to_contain_text("asks you")
