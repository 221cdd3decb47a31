"""Questions over HTTP: asking, waiting, answering."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.server.site import PUBLISHER, READER, TOKENS, Site, check_problem

from missioncontrol.fleet.questions import id_of_key

pytestmark = pytest.mark.anyio


async def ask(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/api/questions", json={"text": "Deploy?", **fields})
    assert response.status_code == 201, response.text
    asked: dict[str, Any] = response.json()
    return asked


async def ask_permission(
    site: Site, details: dict[str, Any], options: tuple[str, ...] = ("allow", "deny")
) -> str:
    """Ask as a part of the server does."""
    question = {
        "id": f"Q-{site.log.head}",
        "kind": "permission",
        "text": "Allow Bash: ls",
        "options": list(options),
        "details": details,
    }
    await site.tell("question:asked", question=question)
    return str(question["id"])


@pytest.mark.parametrize("kind", ["permission", "budget"])
async def test_permissions_and_budgets_are_asked_by_the_server_alone(
    site: Site, client: httpx.AsyncClient, kind: str
) -> None:
    forged = {"text": "Go on?", "kind": kind, "options": ["continue", "stop"], "details": {"scope": "fleet"}}
    for token in ("", site.owner):
        if token:
            client.headers["authorization"] = f"Bearer {token}"
        problem = check_problem(await client.post("/api/questions", json=forged), 403, "reserved_kind")
        assert "Ask a question with options instead" in problem["detail"]
    assert (await ask(client, kind="question"))["kind"] == "question"


@pytest.mark.parametrize("kind", ["permission", "budget"])
async def test_what_the_server_asks_is_withdrawn_by_a_person_alone(
    site: Site, client: httpx.AsyncClient, kind: str
) -> None:
    # As an earlier release has asked it, under a key that can be guessed.
    key = "budget:agent:scout:2026-11-23"
    question = {"id": id_of_key(key), "kind": kind, "text": "Go on?", "options": ["continue", "stop"]}
    await site.tell("question:asked", question=question)
    path = f"/api/questions/{question['id']}"
    check_problem(await client.request("DELETE", path, json={"key": key}), 403, "forbidden")
    assert (await client.get(path)).json()["status"] == "open"
    async with site.client(site.owner) as person:
        assert (await person.delete(path)).json()["reason"] == "withdrawn"


async def test_what_cannot_be_shown_whole_is_answered_in_the_terminal_alone(
    site: Site, client: httpx.AsyncClient
) -> None:
    id_ = await ask_permission(site, {"tool": "Bash", "summary": "ls", "tooLong": "90,000 bytes"})
    asked = (await client.get(f"/api/questions/{id_}")).json()
    assert asked["review"]["complete"] is False
    async with site.client(site.owner) as person:
        answer = {"answer": "allow", "digest": asked["digest"]}
        problem = check_problem(
            await person.post(f"/api/questions/{id_}/answer", json=answer), 409, "conflict"
        )
    assert "cannot be shown whole" in problem["detail"]
    assert "in the terminal" in problem["detail"]


async def test_whoever_asks_gets_the_answer_as_soon_as_it_is_given(
    site: Site, client: httpx.AsyncClient
) -> None:
    asked = await ask(client, agentId="scout", options=["yes", "no"], details={"branch": "main"})
    assert (asked["status"], asked["agentId"], asked["details"]) == ("open", "scout", {"branch": "main"})
    path = f"/api/questions/{asked['id']}"
    assert (await client.get(path)).json() == asked
    waiting = asyncio.create_task(client.get(path, params={"wait": 30}))
    await asyncio.sleep(0.05)
    other = await ask(client, text="Another one?")
    async with site.client(site.owner) as person:
        response = await person.post(f"{path}/answer", json={"answer": "yes", "answeredBy": "anna"})
    assert response.status_code == 200
    assert (await asyncio.wait_for(waiting, 5)).json() == response.json()
    listed = (await client.get("/api/questions")).json()
    assert [one["id"] for one in listed["questions"]] == [other["id"], asked["id"]]
    assert listed["open"] == 1


async def test_a_permission_is_given_with_the_digest_of_its_review(
    site: Site, client: httpx.AsyncClient
) -> None:
    client.headers["authorization"] = f"Bearer {site.owner}"
    details = {"tool": "Bash", "summary": "ls", "input": {"command": "ls \u202e"}}
    id_ = await ask_permission(site, details)
    path = f"/api/questions/{id_}"
    asked = (await client.get(path)).json()
    review = asked["review"]
    assert {"kind": "code", "label": "Command", "text": "ls ⟦U+202E⟧"} in review["parts"]
    assert [(one["text"], one.get("dangerous", False)) for one in review["options"]] == [
        ("deny", False),
        ("allow", True),
    ]
    assert asked["digest"] == review["digest"]
    assert (await client.get("/api/questions")).json()["questions"][0]["digest"] == asked["digest"]
    wrong: list[dict[str, str]] = [{}, {"digest": "0" * 64}]
    for digest in wrong:
        answer = {"answer": "allow", **digest}
        problem = check_problem(await client.post(f"{path}/answer", json=answer), 409, "not_shown")
        assert f"GET {path}" in problem["detail"]
    answer = {"answer": "allow", "digest": asked["digest"]}
    assert (await client.post(f"{path}/answer", json=answer)).json()["answer"] == "allow"


async def test_a_question_that_is_over_cannot_be_answered(site: Site, client: httpx.AsyncClient) -> None:
    client.headers["authorization"] = f"Bearer {site.owner}"
    asked = await ask(client)
    path = f"/api/questions/{asked['id']}"
    assert (await client.delete(path)).json()["reason"] == "withdrawn"
    check_problem(await client.post(f"{path}/answer", json={"answer": "yes"}), 409, "conflict")
    check_problem(await client.delete(path), 409, "conflict")
    assert (await client.get("/api/questions", params={"status": "closed"})).json()["questions"][0][
        "id"
    ] == asked["id"]


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"text": 3}', b'{"text": "?", "colour": "red"}', b'{"text": "?", "options": [1]}', b"[]"],
)
async def test_a_body_that_is_not_as_it_should_be_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    check_problem(await client.post("/api/questions", content=body), 400, "bad_question")


async def test_a_body_that_is_no_json_and_a_question_that_is_not_there_are_said_so(
    client: httpx.AsyncClient,
) -> None:
    check_problem(await client.post("/api/questions", content=b"{"), 400, "bad_message")
    check_problem(await client.get("/api/questions/Q-NONE"), 404, "not_found")
    check_problem(await client.get("/api/questions", params={"status": "over"}), 400, "bad_question")


async def test_asking_needs_the_scope_to_publish_and_answering_that_of_a_person() -> None:
    site = Site(tokens=TOKENS)
    async with site.client(READER) as reader, site.client(PUBLISHER) as publisher:
        check_problem(await reader.post("/api/questions", json={"text": "?"}), 403, "forbidden")
        asked = await ask(publisher)
        path = f"/api/questions/{asked['id']}"
        for client in (reader, publisher):
            check_problem(await client.post(f"{path}/answer", json={"answer": "yes"}), 403, "forbidden")
        check_problem(await reader.delete(path), 403, "forbidden")
        assert (await reader.get(path)).status_code == 200
