"""The table of routes, scopes and callers: each caller reaches the routes of its scopes, and no others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import msgspec
import pytest
from tests.server.site import Site, check_problem

from missioncontrol.config import Scope, TokenConfig
from missioncontrol.events import Draft
from missioncontrol.events.event import read_record
from missioncontrol.events.reduced import HIDDEN_TEXT
from missioncontrol.server.access import tokens
from missioncontrol.server.http import ROUTES
from missioncontrol.server.responses import DEFAULT_SCOPE, PUBLIC
from missioncontrol.state import FleetState

pytestmark = pytest.mark.anyio

SCOPES: tuple[Scope, ...] = ("read", "fleet", "publish", "answer", "admin")
SECRET = "the passphrase of the vault"

REACHES: dict[str, set[str]] = {
    "read": {"read", "fleet"},
    "fleet": {"fleet"},
    "publish": {"publish"},
    "answer": {"answer"},
    "admin": set(SCOPES),
    "owner": set(SCOPES),
    "program": {"read", "fleet", "publish"},
    "other port": {"fleet"},
    "named page": {"read", "fleet", "publish"},
    "nobody": set(),
}
"""What each caller reaches: tokens of one scope, the owner, and on a server without tokens what needs none."""


def token_of(scope: str) -> str:
    return f"token-with-the-scope-{scope}"


def token(name: str, *scopes: Scope, agent: str | None = None) -> TokenConfig:
    digest = sha256(token_of(name).encode()).hexdigest()
    return TokenConfig(name=name, sha256=digest, scopes=list(scopes), agent=agent)


def operations() -> list[tuple[str, str, str]]:
    """Return method, path and scope of every route, as the application has them."""
    found = []
    for handler in ROUTES:
        scope = str(handler.opt.get("scope", DEFAULT_SCOPE))
        for method in sorted(getattr(handler, "http_methods", [])):
            if scope != PUBLIC and method != "OPTIONS":
                path = re.sub(r"\{[a-z_]+:str\}", "x", sorted(handler.paths)[0])
                found.append((str(method), path, scope))
    return found


@pytest.fixture
async def guarded(anyio_backend: str) -> AsyncIterator[Site]:
    made = Site(
        tokens=[*(token(scope, scope) for scope in SCOPES), token("scout", "read", "publish", agent="scout")]
    )
    yield made
    made.hub.close()


@pytest.fixture
async def open_site(anyio_backend: str) -> AsyncIterator[Site]:
    made = Site(allowed_origins=["http://localhost:8080"])
    yield made
    made.hub.close()


def client_of(caller: str, guarded: Site, open_site: Site) -> httpx.AsyncClient:
    match caller:
        case "program":
            return open_site.client()
        case "other port" | "named page":
            client = open_site.client()
            client.headers["origin"] = f"http://localhost:{5173 if caller == 'other port' else 8080}"
            return client
        case "owner":
            return guarded.client(guarded.owner)
        case "nobody":
            return guarded.client()
    return guarded.client(token_of(caller))


@pytest.mark.parametrize("caller", REACHES)
async def test_each_caller_reaches_the_routes_of_its_scopes_alone(
    guarded: Site, open_site: Site, caller: str
) -> None:
    table = operations()
    assert {scope for _, _, scope in table} == set(SCOPES)
    async with client_of(caller, guarded, open_site) as client:
        for method, path, scope in table:
            if path == "/api/events/stream":
                # It does not end; see the tests of transports.
                continue
            response = await client.request(method, path, content=b"x" if method != "GET" else None)
            reached = response.status_code not in (401, 403)
            assert reached is (scope in REACHES[caller]), f"{caller}: {method} {path} {response.text}"


async def test_every_route_that_looks_at_a_token_slows_wrong_ones_and_counts_each_once(
    guarded: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    delay = 0.05
    monkeypatch.setattr(tokens, "FAILURE_DELAY_SECONDS", delay)
    wrong = guarded.service.access.wrong_tokens
    public = [("GET", "/api/session"), ("POST", "/api/session"), ("GET", "/api/health"), ("GET", "/health")]
    table = [*public, *((method, path) for method, path, _ in operations())]
    async with guarded.client("a-token-that-is-wrong") as client:
        for _ in range(tokens.FREE_FAILURES):
            await client.get("/api/session")
        for number, (method, path) in enumerate(table, tokens.FREE_FAILURES + 1):
            began = monotonic()
            response = await client.request(method, path)
            assert monotonic() - began >= delay, f"{method} {path} {response.text}"
            assert wrong.count == number, f"{method} {path}"
    assert wrong.delayed == 0


async def test_a_page_of_another_port_reads_no_file_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(SECRET)
    path = "/api/files/content?path=notes.md"
    async with Site(workspace=tmp_path).client() as program:
        assert (await program.get(path)).text == SECRET
        program.headers["origin"] = "http://localhost:5173"
        check_problem(await program.get(path), 403, "forbidden")
        del program.headers["origin"]
        # As an image or a script of that page asks for it.
        program.headers["sec-fetch-site"] = "same-site"
        check_problem(await program.get(path), 403, "forbidden")


async def ask(site: Site) -> None:
    question = {
        "id": "Q-1",
        "kind": "permission",
        "text": SECRET,
        "options": [SECRET],
        "details": {"command": SECRET},
    }
    await site.log.append([Draft("question:asked", {"question": question})])
    await site.log.append(
        [Draft("question:answered", {"questionId": "Q-1", "answer": SECRET, "answeredBy": "me"})]
    )
    await site.log.append([Draft("notification:sent", {"title": SECRET, "body": SECRET, "count": 1})])
    agents = [{"agentId": "scout", "questions": {"total": 1, "newest": [{"id": "Q-1", "text": SECRET}]}}]
    await site.log.append([Draft("standup:held", {"standup": {"id": "S-1", "agents": agents}})])
    await site.tell("build:done", branch="main")


async def work(site: Site) -> None:
    """Let an agent work: what it calls and why it waits is in its records and events, and in alerts about it."""
    agent = {"id": "scout", "name": "Scout", "role": "Finder", "status": "waiting", "statusDetail": SECRET}
    await site.log.append([Draft("state:baseline", {"agents": [{**agent, "activity": SECRET}]})])
    await site.tell(
        "agent:statusChange", agentId="scout", status="waiting", agent={**agent, "currentTask": "T"}
    )
    await site.tell("agent:updated", agentId="scout", updates={"statusDetail": SECRET, "model": "gpt"})
    await site.tell("agent:activity", agentId="scout", activity=SECRET, fileCount=3)
    loop = {"runaway": "calls", "tool": "Bash", "call": SECRET, "count": 10, "agentId": "scout"}
    await site.tell("system:alert", level="warning", message=f"again and again: {SECRET}", details=loop)
    late = {"source": "questions", "questionId": "Q-1"}
    await site.tell("system:alert", level="warning", message=f"too late: {SECRET}", details=late)
    alert = {"id": 1, "level": "warning", "message": SECRET}
    await site.log.append(
        [Draft("standup:held", {"standup": {"id": "S-2", "agents": [], "alerts": [alert]}})]
    )


READS = (
    "/api/events?since={}:0",
    "/api/system/events",
    "/api/snapshot",
    "/api/snapshot?at={}:2",
    "/api/logs/activity",
)
WORK_READS = (*READS, "/api/agents", "/api/agents/scout", "/api/system/status")


@pytest.mark.parametrize("path", READS)
async def test_without_the_scope_read_no_text_of_a_question_is_told(guarded: Site, path: str) -> None:
    await ask(guarded)
    path = path.format(guarded.log.epoch)
    async with guarded.client(token_of("fleet")) as fleet, guarded.client(token_of("read")) as reader:
        reduced, whole = await fleet.get(path), await reader.get(path)
    assert whole.status_code == reduced.status_code == 200
    assert SECRET in whole.text
    assert SECRET not in reduced.text
    assert "Q-1" in reduced.text


@pytest.mark.parametrize("path", WORK_READS)
async def test_without_the_scope_read_nothing_is_told_of_what_agents_call_and_why_they_wait(
    guarded: Site, open_site: Site, path: str
) -> None:
    for site in (guarded, open_site):
        await work(site)
    page = {"origin": "http://localhost:5173"}
    async with guarded.client(token_of("read")) as reader:
        whole = await reader.get(path.format(guarded.log.epoch))
    async with guarded.client(token_of("fleet")) as fleet, open_site.client() as other_port:
        reduced = [
            await fleet.get(path.format(guarded.log.epoch)),
            await other_port.get(path.format(open_site.log.epoch), headers=page),
        ]
    assert SECRET in whole.text
    for answer in reduced:
        assert answer.status_code == 200
        assert SECRET not in answer.text


async def test_no_route_of_the_scope_fleet_tells_of_it(guarded: Site) -> None:
    await ask(guarded)
    await work(guarded)
    async with guarded.client(token_of("fleet")) as fleet:
        for method, path, scope in operations():
            if (method, scope) == ("GET", "fleet") and path != "/api/events/stream":
                assert SECRET not in (await fleet.get(path)).text, path


async def test_what_the_earlier_systems_pages_show_of_an_agent_stays(guarded: Site) -> None:
    await work(guarded)
    async with guarded.client(token_of("fleet")) as fleet, guarded.client(token_of("read")) as reader:
        reduced, whole = [(await one.get("/api/agents/scout")).json() for one in (fleet, reader)]
        state = (await fleet.get("/api/snapshot")).json()["state"]
    assert whole["statusDetail"] == whole["activity"] == SECRET
    assert reduced == {**whole, "statusDetail": HIDDEN_TEXT, "activity": HIDDEN_TEXT}
    assert (reduced["role"], reduced["status"], reduced["currentTask"]) == ("Finder", "waiting", "T")
    assert [one["details"] for one in state["system"]["alerts"]] == [
        {"source": "questions", "questionId": "Q-1"},
        {"runaway": "calls", "count": 10, "agentId": "scout"},
    ]


async def test_a_fold_of_reduced_events_is_the_reduced_state(guarded: Site) -> None:
    await work(guarded)
    async with guarded.client(token_of("fleet")) as fleet:
        events = (await fleet.get(f"/api/events?since={guarded.cursor(0)}")).json()["events"]
        state = (await fleet.get("/api/snapshot")).json()["state"]
    folded = FleetState()
    folded.apply(read_record(msgspec.json.encode(event)) for event in events)
    assert msgspec.json.decode(folded.encoded()) == state


async def test_reduced_events_have_the_same_ids_and_the_other_types_whole(guarded: Site) -> None:
    await ask(guarded)
    path = f"/api/events?since={guarded.cursor(0)}"
    async with guarded.client(token_of("fleet")) as fleet, guarded.client(token_of("read")) as reader:
        reduced, whole = (await fleet.get(path)).json(), (await reader.get(path)).json()
    assert (
        [event["id"] for event in reduced["events"]]
        == [event["id"] for event in whole["events"]]
        == [1, 2, 3, 4, 5]
    )
    assert reduced["cursor"] == whole["cursor"]
    assert reduced["events"][4] == whole["events"][4]
    assert reduced["events"][0]["data"]["question"] == {
        "id": "Q-1",
        "kind": "permission",
        "text": HIDDEN_TEXT,
        "options": [],
    }


async def test_a_caller_that_may_only_publish_gets_ids_and_statuses(guarded: Site) -> None:
    task = {"description": SECRET, "assignedTo": "scout"}
    async with guarded.client(token_of("admin")) as admin, guarded.client(token_of("publish")) as publisher:
        made = (await publisher.post("/api/tasks", json=task)).json()
        id_ = made["id"]
        assert made == {"id": id_, "status": "pending"}
        answers: list[Any] = [
            await publisher.patch(f"/api/tasks/{id_}", json={"notes": SECRET}),
            await publisher.put(
                "/api/tasks/bulk", json={"ids": [id_, "TASK-9999"], "updates": {"tags": ["a"]}}
            ),
            await publisher.put(f"/api/tasks/{id_}/priority", json={"priority": "P0"}),
            await publisher.post(f"/api/tasks/{id_}/assign", json={"agentId": "scout"}),
            await publisher.post(f"/api/tasks/{id_}/subtasks", json={"description": SECRET}),
            await publisher.post("/api/questions", json={"text": SECRET, "key": "k"}),
            await publisher.post(f"/api/tasks/{id_}/claim", json={"agentId": "writer"}),
            await publisher.delete(f"/api/tasks/{id_}"),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 201, 201, 409, 200]
        for answer in answers:
            assert SECRET not in answer.text
            assert "scout" not in answer.text
        assert answers[1].json()[0] == {"id": id_, "status": "pending"}
        question = (await admin.get("/api/questions")).json()["questions"][0]["id"]
        await admin.post(f"/api/questions/{question}/answer", json={"answer": SECRET})
        refused = await publisher.request("DELETE", f"/api/questions/{question}", json={"key": "k"})
        assert SECRET not in check_problem(refused, 409, "conflict")["detail"]


async def test_only_its_asker_withdraws_a_question_without_being_a_person(guarded: Site) -> None:
    async with guarded.client(token_of("publish")) as publisher:
        id_ = (await publisher.post("/api/questions", json={"text": "Go on?", "key": "mine"})).json()["id"]
        for body in ({}, {"key": "another"}):
            refused = await publisher.request("DELETE", f"/api/questions/{id_}", json=body)
            check_problem(refused, 403, "forbidden")
        withdrawn = await publisher.request("DELETE", f"/api/questions/{id_}", json={"key": "mine"})
    assert withdrawn.json() == {"id": id_, "status": "closed"}


async def test_a_token_of_an_agent_publishes_asks_and_claims_for_that_agent_alone(guarded: Site) -> None:
    await guarded.tell("task:created", task={"id": "TASK-1", "description": "a", "status": "pending"})
    async with guarded.client(token_of("scout")) as scout:
        for agent, status in (("scout", 201), ("writer", 403)):
            event = {"type": "agent:activity", "data": {"agentId": agent}}
            assert (await scout.post("/api/events", json=event)).status_code == status
            question = {"text": "Go on?", "agentId": agent}
            assert (await scout.post("/api/questions", json=question)).status_code == status
        assert (await scout.post("/api/questions", json={"text": "And now?"})).json()["agentId"] == "scout"
        claim = await scout.post("/api/tasks/TASK-1/claim", json={"agentId": "writer"})
        check_problem(claim, 403, "forbidden")


SPEAKS_FOR_ANOTHER: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/events", {"type": "agent:activity", "data": {"agentId": "writer"}}),
    ("POST", "/api/events", {"type": "agent:activity", "data": {"agentId": "scout@", "agent": "x"}}),
    (
        "POST",
        "/api/events",
        {"type": "agent:statusChange", "data": {"agentId": "scout", "agent": {"id": "writer"}}},
    ),
    (
        "POST",
        "/api/events",
        {"type": "question:asked", "data": {"question": {"id": "Q", "text": "?", "agentId": "writer"}}},
    ),
    ("POST", "/api/events", {"type": "task:created", "data": {"task": {"id": "T", "createdBy": "writer"}}}),
    (
        "POST",
        "/api/events",
        {"type": "task:updated", "data": {"taskId": "T", "updates": {"completedBy": "writer"}}},
    ),
    (
        "POST",
        "/api/events",
        {"type": "task:assigned", "data": {"taskId": "T", "agentId": "scout", "assignedBy": "writer"}},
    ),
    ("POST", "/api/events", {"type": "lead:added", "data": {"lead": {"id": "L", "foundBy": "writer"}}}),
    ("POST", "/api/events", {"type": "token:usage", "data": {"agent": "writer", "cost": 1}}),
    (
        "POST",
        "/api/events",
        {"type": "token:usage", "data": {"agent": "scout", "delta": {"movedFrom": "writer"}}},
    ),
    (
        "POST",
        "/api/events",
        {"type": "system:alert", "data": {"message": "!", "details": {"agentId": "writer"}}},
    ),
    ("POST", "/api/events", {"type": "build:done", "data": {"by": "writer"}}),
    ("POST", "/api/questions", {"text": "Go on?", "agentId": "writer"}),
    ("POST", "/api/tasks", {"description": "a", "createdBy": "writer"}),
    ("POST", "/api/tasks", {"description": "a", "subtasks": [{"id": "S", "completedBy": "writer"}]}),
    ("PATCH", "/api/tasks/TASK-1", {"createdBy": "writer"}),
    ("PUT", "/api/tasks/TASK-1", {"completedBy": "writer"}),
    ("PUT", "/api/tasks/bulk", {"ids": ["TASK-1"], "updates": {"updatedBy": "writer"}}),
    ("POST", "/api/tasks/TASK-1/assign", {"agentId": "scout", "assignedBy": "writer"}),
    ("POST", "/api/tasks/TASK-1/claim", {"agentId": "writer"}),
    ("POST", "/api/tasks/TASK-1/subtasks", {"description": "a", "createdBy": ["writer"]}),
    ("POST", "/api/hooks/claude", {"hook_event_name": "Stop", "session_id": "s"}),
    ("POST", "/v1/traces", {}),
    ("POST", "/v1/metrics", {}),
    ("POST", "/v1/logs", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), SPEAKS_FOR_ANOTHER)
async def test_a_token_of_an_agent_names_no_other_one_as_who_did_something(
    guarded: Site, method: str, path: str, body: dict[str, Any]
) -> None:
    task = {"id": "TASK-1", "description": "a", "status": "pending", "createdBy": "someone"}
    head = await guarded.tell("task:created", task=task)
    async with guarded.client(token_of("scout")) as scout:
        refused = check_problem(await scout.request(method, path, json=body), 403, "forbidden")
    assert "'scout'" in refused["detail"]
    if path.startswith(("/v1/", "/api/hooks/")):
        assert "use a token without `agent`" in refused["detail"]
    assert guarded.log.head == head


async def test_a_token_of_an_agent_is_who_adds_and_assigns_and_may_repeat_what_is_there(
    guarded: Site,
) -> None:
    task = {"id": "TASK-1", "description": "a", "status": "pending", "createdBy": "someone"}
    await guarded.tell("task:created", task=task)
    async with guarded.client(token_of("scout")) as scout:
        made = (await scout.post("/api/tasks", json={"description": "a", "assignedTo": "writer"})).json()
        assert (made["createdBy"], made["assignedTo"]) == ("scout", "writer")
        whole = {**(await scout.get("/api/tasks/TASK-1")).json(), "notes": "n"}
        assert (await scout.put("/api/tasks/TASK-1", json=whole)).json()["createdBy"] == "someone"
        await scout.post("/api/tasks/TASK-1/assign", json={"agentId": "scout"})
        (event,) = (await scout.get("/api/system/events?events=task:assigned")).json()
        assert event["data"]["assignedBy"] == "scout"
        odd = {"type": "build:done", "data": {"input": {"agentId": "writer"}, "files": [{"by": "scout"}]}}
        assert (await scout.post("/api/events", json=odd)).status_code == 201


async def test_every_event_says_who_has_published_it_whatever_it_says_itself(guarded: Site) -> None:
    async with guarded.client(token_of("publish")) as publisher, guarded.client(guarded.owner) as owner:
        await publisher.post("/api/events", json={"type": "a:b", "by": "operator", "source": "operator"})
        await owner.post("/api/events", json=[{"type": "a:b"}])
        await publisher.post("/api/tasks", json={"description": "a"})
        await publisher.post("/api/questions", json={"text": "Go on?"})
        await guarded.log.append([Draft("a:b", source="files")])
        events = (await owner.get(f"/api/events?since={guarded.cursor(0)}")).json()["events"]
    assert [(event["type"], event["by"]) for event in events] == [
        ("a:b", "publish"),
        ("a:b", "operator"),
        ("task:created", "publish"),
        ("question:asked", "publish"),
        ("a:b", "files"),
    ]


async def test_without_a_token_the_source_cannot_pretend_to_be_a_person(open_site: Site) -> None:
    async with open_site.client() as client:
        await client.post("/api/events", json={"type": "a:b", "source": "operator"})
        (event,) = (await client.get("/api/system/events")).json()
    assert event["by"] == "api"
