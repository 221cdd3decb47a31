"""Questions to a person: what may be asked, who is first, what expires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.world import World

from missioncontrol.errors import (
    BadQuestion,
    Conflict,
    NotFound,
    NotShown,
    QuotaExceeded,
    StoreError,
    Unavailable,
)
from missioncontrol.events import Draft
from missioncontrol.events.author import act_as
from missioncontrol.fleet.questions import Questions, _chosen
from missioncontrol.review import digest_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    world.kinds = [Questions]
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
def questions(world: World) -> Questions:
    assert world.supervisor is not None
    return world.supervisor.source(Questions)


async def test_who_waits_gets_the_answer_when_it_is_given(world: World, questions: Questions) -> None:
    asked = await questions.ask("Deploy?", agent_id="scout", options=["Yes", "No"], details={"where": "prod"})
    assert asked["status"] == "open"
    waiting = asyncio.create_task(questions.wait(asked["id"], 10))
    await asyncio.sleep(0)
    answered = await questions.answer(asked["id"].lower(), " yes ", by="anna")
    assert (answered["answer"], answered["answeredBy"]) == ("Yes", "anna")
    assert await waiting == answered
    assert [record.type for record in world.records] == ["question:asked", "question:answered"]


async def test_of_two_answers_the_first_counts_and_the_other_is_told_so(questions: Questions) -> None:
    asked = await questions.ask("Which?")
    results = await asyncio.gather(
        questions.answer(asked["id"], "this", by="anna"),
        questions.answer(asked["id"], "that", by="ben"),
        return_exceptions=True,
    )
    (lost,) = [result for result in results if isinstance(result, Conflict)]
    assert questions.find(asked["id"])["answer"] == "this"
    assert "answered by anna already: 'this'" in str(lost)
    with pytest.raises(Conflict, match="answered by anna"):
        await questions.close(asked["id"])


async def test_a_question_that_nobody_answers_expires(world: World, questions: Questions) -> None:
    asked = await questions.ask("Now?", expires_in=1)
    assert (await questions.wait(asked["id"], 0.01))["status"] == "open"
    ended = await questions.wait(asked["id"], 10)
    assert (ended["status"], ended["reason"]) == ("closed", "expired")


async def test_a_question_that_expired_while_the_server_was_down_is_closed(world: World) -> None:
    assert world.supervisor is not None
    questions = world.supervisor.source(Questions)
    asked = await questions.ask("Now?", expires_in=1)
    await world.stop()
    await asyncio.sleep(1.0)
    await world.start()
    await world.until(lambda: world.told("question:closed"))
    assert world.folded.table("questions")[asked["id"]]["reason"] == "expired"


async def test_asked_again_under_the_same_key_it_is_the_same_question(
    world: World, questions: Questions
) -> None:
    first = await questions.ask("Deploy?", key="deploy-7")
    await questions.answer(first["id"], "yes")
    again = await questions.ask("Deploy?", key="deploy-7")
    assert (again["id"], again["answer"]) == (first["id"], "yes")
    assert len(world.told("question:asked")) == 1


async def test_another_question_under_the_same_key_is_refused(world: World, questions: Questions) -> None:
    first = await questions.ask("Deploy?", key="deploy-7", options=["yes", "no"])
    changes: list[dict[str, Any]] = [
        {"text": "Drop the database?"},
        {"options": ["no", "yes"]},
        {"details": {"to": "prod"}},
    ]
    for change in changes:
        with pytest.raises(Conflict, match=f"another question was asked already .{first['id']}"):
            await questions.ask(**{"text": "Deploy?", "key": "deploy-7", "options": ["yes", "no"], **change})
    assert questions.find(first["id"]) == first
    assert len(world.told("question:asked")) == 1


async def test_an_answer_approves_what_was_shown_and_nothing_else(questions: Questions) -> None:
    asked = await questions.ask("Deploy?", options=["yes", "no"])
    with pytest.raises(NotShown, match=f"not the one that was shown.*GET /api/questions/{asked['id']}"):
        await questions.answer(asked["id"], "yes", digest="0" * 64)
    assert questions.find(asked["id"])["status"] == "open"
    assert (await questions.answer(asked["id"], "yes", digest=digest_of(asked)))["answer"] == "yes"
    other = await questions.ask("And now?")
    assert (await questions.answer(other["id"], "go"))["answer"] == "go"


async def test_a_permission_is_given_only_with_the_digest_of_what_was_shown(questions: Questions) -> None:
    asked = await questions.ask("Allow Bash: ls", kind="permission", options=["allow", "deny"])
    with pytest.raises(NotShown, match="send the `digest`"):
        await questions.answer(asked["id"], "allow")
    await questions.answer(asked["id"], "allow", digest=digest_of(asked))
    shown = await questions.ask("Allow Bash: ls", kind="permission")
    with pytest.raises(Conflict, match="in the terminal of the agent"):
        await questions.answer(shown["id"], "allow", digest=digest_of(shown))


async def test_who_waits_is_let_go_when_the_server_stops(world: World, questions: Questions) -> None:
    asked = await questions.ask("Deploy?")
    waiting = asyncio.create_task(questions.wait(asked["id"], 60))
    await asyncio.sleep(0)
    await world.stop()
    assert (await asyncio.wait_for(waiting, 5))["status"] == "open"
    with pytest.raises(Unavailable):
        await questions.answer(asked["id"], "yes")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"text": "  "}, "text must be"),
        ({"text": "x" * 4_001}, "4,000"),
        ({"text": "?", "options": ["a"] * 21}, "at most 20"),
        ({"text": "?", "options": ["yes", "YES "]}, "the same"),
        ({"text": "?", "options": [" "]}, "1 to 200"),
        ({"text": "?", "kind": "riddle"}, "question, permission, budget"),
        ({"text": "?", "agent_id": ""}, "agentId"),
        ({"text": "?", "expires_in": 0.5}, "expiresIn"),
    ],
)
async def test_what_is_not_as_it_should_be_is_refused(
    world: World, questions: Questions, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadQuestion, match=said):
        await questions.ask(**wrong)
    assert not world.records


async def test_answers_are_held_against_the_options(questions: Questions) -> None:
    asked = await questions.ask("Deploy?", options=["yes", "no"])
    with pytest.raises(BadQuestion, match="none of the answers there are: yes, no"):
        await questions.answer(asked["id"], "perhaps")
    with pytest.raises(BadQuestion, match="1 to 20,000"):
        await questions.answer(asked["id"], " ")
    with pytest.raises(NotFound):
        await questions.answer("Q-NONE", "yes")
    with pytest.raises(BadQuestion, match="none of withdrawn"):
        await questions.close(asked["id"], "bored")
    with pytest.raises(BadQuestion, match="none of open"):
        questions.listed("over")
    assert questions.find(asked["id"])["status"] == "open"


async def test_no_more_questions_are_open_than_a_person_could_ever_answer(
    world: World, questions: Questions
) -> None:
    quotas = world.config.quotas
    for number in range(quotas.questions - quotas.questions_reserved):
        await questions.ask(f"{number}?", agent_id=f"agent-{number // quotas.questions_per_asker}")
    with pytest.raises(QuotaExceeded, match="800 questions wait for an answer"):
        await questions.ask("One more?")
    for number in range(quotas.questions_reserved):
        await questions.ask("May I?", kind="permission", agent_id=f"asker-{number // 20}")
    with pytest.raises(QuotaExceeded, match="1,000 questions wait for an answer"):
        await questions.ask("May I, too?", kind="permission")
    # Whether an agent may spend more is asked in any case: the settings bound how often.
    await questions.ask("Go on?", kind="budget")
    assert [one["text"] for one in questions.listed("open")[:2]] == ["0?", "1?"]


async def test_an_asker_waits_for_twenty_answers_at_most(world: World, questions: Questions) -> None:
    for number in range(20):
        await questions.ask(f"{number}?", agent_id="scout", key=f"k{number}")
    with pytest.raises(QuotaExceeded, match="20 questions of 'scout'"):
        await questions.ask("One more?", agent_id="scout")
    again = await questions.ask("0?", agent_id="scout", key="k0")
    await questions.ask("I, too?", agent_id="forge")
    await questions.answer(again["id"], "yes")
    await questions.ask("One more?", agent_id="scout")


async def test_an_asker_with_twenty_questions_can_still_ask_for_permission(questions: Questions) -> None:
    for number in range(20):
        await questions.ask(f"{number}?", agent_id="scout")
    for number in range(20):
        await questions.ask(f"May I {number}?", agent_id="scout", kind="permission")
    with pytest.raises(QuotaExceeded, match="20 permissions of 'scout'"):
        await questions.ask("May I?", agent_id="scout", kind="permission")


async def test_no_event_under_a_key_that_is_known_keeps_a_question_out(
    world: World, questions: Questions
) -> None:
    await world.log.append([Draft("custom:a", {}, "question:deploy-7")])
    asked = await questions.ask("Deploy?", key="deploy-7")
    assert asked["id"] in world.folded.table("questions")


@pytest.mark.parametrize("kind", ["question", "permission"])
async def test_one_token_asks_a_hundred_at_most_under_whatever_names(questions: Questions, kind: str) -> None:
    act_as("flood")
    for number in range(100):
        await questions.ask("Noise?", agent_id=f"agent-{number // 20}", kind=kind)
    with pytest.raises(QuotaExceeded, match=r"100 .* that 'flood' has asked"):
        await questions.ask("Noise?", agent_id="another", kind=kind)
    # What it asks under the name of an agent uses up nothing of what that one may ask itself.
    act_as("scout")
    for _ in range(20):
        await questions.ask("May I?", agent_id="agent-0", kind=kind)
    with pytest.raises(QuotaExceeded, match=r"20 .* of 'agent-0'"):
        await questions.ask("May I?", agent_id="agent-0", kind=kind)
    assert {one["askedBy"] for one in questions.listed("open")} == {"flood", "scout"}


async def test_an_option_is_chosen_as_it_is_written_before_one_that_is_alike() -> None:
    # As a log of an earlier release may have them.
    options = ["deny", "Deny ", "DENY"]
    assert [_chosen(one, options) for one in (*options, "dEnY")] == [*options, "deny"]


async def test_what_cannot_be_kept_is_not_asked(world: World, questions: Questions) -> None:
    world.log.trouble = "The log is away."
    with pytest.raises(StoreError):
        await questions.ask("Deploy?")
    world.log.trouble = None
    assert questions.listed() == []
