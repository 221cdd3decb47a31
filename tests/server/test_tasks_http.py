"""Tasks over HTTP, as the users of the earlier server know them."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.server.site import PUBLISHER, READER, TOKENS, Site, check_problem

from missioncontrol.server.routes.task_shapes import MAX_BULK

pytestmark = pytest.mark.anyio


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/api/tasks", json=fields)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


async def events(client: httpx.AsyncClient, site: Site) -> list[tuple[str, dict[str, Any]]]:
    page = (await client.get("/api/events", params={"since": site.cursor(0)})).json()
    return [(event["type"], event["data"]) for event in page["events"]]


async def test_a_new_task_has_an_id_its_defaults_and_is_told(client: httpx.AsyncClient, site: Site) -> None:
    task = await create(client, description="Read the report", priority="high", effort=3)
    assert task["id"] == "TASK-0001"
    assert (task["status"], task["priority"], task["assignedTo"]) == ("pending", "P1", "Unassigned")
    assert (task["tags"], task["metadata"], task["subtasks"], task["due"]) == ([], {}, [], None)
    assert task["effort"] == 3
    assert task["created"] == task["updated"]
    assert (await client.get("/api/tasks/TASK-0001")).json() == task
    ((type_, data),) = await events(client, site)
    assert (type_, data["task"]) == ("task:created", task)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("In Progress", "in_progress"),
        ("🔵 IN PROGRESS", "in_progress"),
        ("done", "completed"),
        ("todo", "pending"),
    ],
)
async def test_a_status_in_any_spelling_is_understood(
    client: httpx.AsyncClient, word: str, status: str
) -> None:
    await create(client)
    assert (await client.patch("/api/tasks/TASK-0001", json={"status": word})).json()["status"] == status


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"status": "perhaps"}, "pending, in_progress"),
        ({"priority": "P9"}, "P0, P1"),
        ({"tags": "one"}, "tags must be"),
        ({"tags": [1]}, "tags must be"),
        ({"metadata": []}, "metadata must be"),
        ({"description": 5}, "description must be"),
        ({"id": ""}, "id must be"),
        ({"id": "team/7"}, "no address"),
        ({"id": ".."}, "no address"),
        ({"id": "stats"}, "no address"),
        ([], "JSON object"),
    ],
)
async def test_what_no_task_can_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, site: Site, fields: Any, wrong: str
) -> None:
    problem = check_problem(await client.post("/api/tasks", json=fields), 400, "bad_task")
    assert wrong in problem["detail"]
    assert (await client.get("/api/tasks")).json()["count"] == 0


async def test_null_in_a_new_task_is_the_same_as_left_out(client: httpx.AsyncClient) -> None:
    names = ("id", "description", "status", "priority", "assignedTo", "createdBy", "due", "tags", "metadata")
    task = await create(client, **dict.fromkeys((*names, "notes", "parentId", "subtasks")))
    plain = await create(client)
    times = ("id", "created", "updated")
    assert {name: value for name, value in task.items() if name not in times} == {
        name: value for name, value in plain.items() if name not in times
    }


async def test_null_takes_away_what_a_task_has(client: httpx.AsyncClient) -> None:
    await create(
        client,
        assignedTo="scout",
        due="2026-12-01T00:00:00Z",
        tags=["a"],
        metadata={"a": 1},
        notes="n",
        parentId="TASK-9",
        subtasks=[{"id": "1"}],
        priority="P0",
    )
    names = ("assignedTo", "due", "tags", "metadata", "notes", "parentId", "subtasks", "priority")
    kept = (await client.patch("/api/tasks/TASK-0001", json={"metadata": {}})).json()
    assert kept["metadata"] == {"a": 1}
    response = await client.put("/api/tasks/TASK-0001", json=dict.fromkeys(names))
    assert response.status_code == 200, response.text
    assert [response.json()[name] for name in names] == ["Unassigned", None, [], {}, "", None, [], "P2"]


@pytest.mark.parametrize("name", ["description", "status"])
async def test_a_task_cannot_be_without_what_every_task_has(client: httpx.AsyncClient, name: str) -> None:
    await create(client, description="Read", status="review")
    problem = check_problem(await client.patch("/api/tasks/TASK-0001", json={name: None}), 400, "bad_task")
    assert problem["detail"].startswith(name)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "odd",
    [
        dict.fromkeys(
            (
                "priority",
                "assignedTo",
                "createdBy",
                "due",
                "tags",
                "metadata",
                "notes",
                "parentId",
                "subtasks",
            )
        ),
        {"assignedTo": ["scout"], "tags": "x", "notes": ["n"], "metadata": [], "subtasks": {"a": 1}},
        {"description": None, "status": 5, "priority": "whenever", "due": "soon", "parentId": 7, "tags": [1]},
        {"description": {}, "status": "some day", "subtasks": ["one"], "createdBy": 3},
    ],
)
async def test_a_task_that_was_read_can_be_sent_back_with_one_field_changed(
    client: httpx.AsyncClient, site: Site, method: str, odd: dict[str, Any]
) -> None:
    """Agents write anything into the file, and pages send back the whole task."""
    odd = {"id": "TASK-0007", "status": "pending", **odd}
    await site.tell("task:created", task=odd)
    read = (await client.get("/api/tasks/TASK-0007")).json()
    same = await client.request(method, "/api/tasks/TASK-0007", json=read)
    assert (same.status_code, same.json()) == (200, read)
    response = await client.request(method, "/api/tasks/TASK-0007", json={**read, "effort": 3})
    assert response.status_code == 200, response.text
    assert {**response.json(), "updated": read.get("updated")} == {
        **read,
        "effort": 3,
        "updated": read.get("updated"),
    }
    for name, value in (("tags", 5), ("notes", {}), ("metadata", "m"), ("due", "never"), ("priority", "P7")):
        wrong = {**read, name: value}
        problem = check_problem(
            await client.request(method, "/api/tasks/TASK-0007", json=wrong), 400, "bad_task"
        )
        assert problem["detail"].startswith(name)


async def test_a_body_that_is_not_json_is_refused(client: httpx.AsyncClient) -> None:
    check_problem(await client.post("/api/tasks", content=b'{"a": '), 400, "bad_message")


async def test_an_id_that_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    await create(client, id="mine")
    check_problem(await client.post("/api/tasks", json={"id": "mine"}), 409, "conflict")


async def test_patch_changes_what_is_given_and_tells_that_alone(
    client: httpx.AsyncClient, site: Site
) -> None:
    await create(client, description="One", metadata={"a": 1})
    answer = await client.patch("/api/tasks/TASK-0001", json={"metadata": {"b": 2}, "notes": "n"})
    assert answer.json()["metadata"] == {"a": 1, "b": 2}
    type_, data = (await events(client, site))[-1]
    assert type_ == "task:updated"
    assert data["updates"].keys() == {"metadata", "notes", "updated"}
    before = len(await events(client, site))
    await client.patch("/api/tasks/TASK-0001", json={"notes": "n"})
    assert len(await events(client, site)) == before


async def test_put_changes_what_is_given_and_loses_nothing(client: httpx.AsyncClient) -> None:
    task = await create(client, description="One", notes="old", tags=["a"], owner="me", priority="P0")
    changed = (await client.put("/api/tasks/TASK-0001", json={"status": "review"})).json()
    assert (changed["description"], changed["notes"], changed["status"]) == ("One", "old", "review")
    renamed = (await client.put("/api/tasks/TASK-0001", json={"description": "Two"})).json()
    assert renamed == {**changed, "description": "Two", "updated": renamed["updated"]}
    assert (renamed["created"], renamed["owner"], renamed["priority"]) == (task["created"], "me", "P0")


async def test_delete_returns_the_task_and_it_is_gone(client: httpx.AsyncClient, site: Site) -> None:
    task = await create(client)
    assert (await client.delete("/api/tasks/TASK-0001")).json() == task
    check_problem(await client.get("/api/tasks/TASK-0001"), 404, "not_found")
    check_problem(await client.delete("/api/tasks/TASK-0001"), 404, "not_found")
    assert (await events(client, site))[-1][0] == "task:deleted"
    assert (await create(client))["id"] == "TASK-0002"


async def test_completing_and_assigning_are_told_as_such(client: httpx.AsyncClient, site: Site) -> None:
    await create(client)
    answer = await client.post(
        "/api/tasks/TASK-0001/assign", json={"agentId": "scout", "assignedBy": "nexus"}
    )
    assert answer.json()["assignedTo"] == "scout"
    type_, data = (await events(client, site))[-1]
    assert (type_, data["agentId"], data["assignedBy"]) == ("task:assigned", "scout", "nexus")
    await client.patch("/api/tasks/TASK-0001", json={"status": "completed", "result": "All read"})
    type_, data = (await events(client, site))[-1]
    assert (type_, data["result"], data["updates"]["completedAt"] != "") == (
        "task:completed",
        "All read",
        True,
    )


async def test_assigning_may_start_and_take_notes(client: httpx.AsyncClient) -> None:
    await create(client, notes="Before")
    body = {"agentId": "scout", "options": {"autoStart": True, "notes": "soon"}}
    task = (await client.post("/api/tasks/TASK-0001/assign", json=body)).json()
    assert task["status"] == "in_progress"
    assert task["startedAt"]
    assert task["notes"].startswith("Before\n[")
    assert task["notes"].endswith("Assigned to scout: soon")


async def test_of_many_who_claim_a_task_exactly_one_gets_it(client: httpx.AsyncClient) -> None:
    await create(client)
    agents = [f"agent-{number}" for number in range(20)]
    answers = await asyncio.gather(
        *(
            client.post(
                "/api/tasks/TASK-0001/claim" if number % 2 else "/api/tasks/TASK-0001/assign",
                json={"agentId": agent, "claim": True},
            )
            for number, agent in enumerate(agents)
        )
    )
    (winner,) = [answer.json()["assignedTo"] for answer in answers if answer.status_code == 200]
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert (await client.get("/api/tasks/TASK-0001")).json()["assignedTo"] == winner
    again = await client.post("/api/tasks/TASK-0001/claim", json={"agentId": winner})
    assert again.status_code == 200


async def test_what_is_over_cannot_be_claimed(client: httpx.AsyncClient) -> None:
    await create(client, status="completed")
    check_problem(await client.post("/api/tasks/TASK-0001/claim", json={"agentId": "a"}), 409, "conflict")


async def test_of_two_with_the_same_etag_exactly_one_gets_it(client: httpx.AsyncClient) -> None:
    await create(client)
    etag = (await client.get("/api/tasks/TASK-0001")).headers["etag"]
    answers = await asyncio.gather(
        *(
            client.post("/api/tasks/TASK-0001/assign", json={"agentId": agent}, headers={"if-match": etag})
            for agent in ("scout", "forge")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    stale = await client.patch("/api/tasks/TASK-0001", json={"notes": "x"}, headers={"if-match": etag})
    check_problem(stale, 412, "precondition_failed")
    check_problem(
        await client.delete("/api/tasks/TASK-0001", headers={"if-match": etag}), 412, "precondition_failed"
    )
    fresh = (await client.get("/api/tasks/TASK-0001")).headers["etag"]
    done = await client.patch("/api/tasks/TASK-0001", json={"notes": "x"}, headers={"if-match": fresh})
    assert done.status_code == 200
    assert done.headers["etag"] not in (etag, fresh)


async def test_when_all_subtasks_are_complete_the_task_goes_into_review(client: httpx.AsyncClient) -> None:
    await create(client)
    for number in (1, 2):
        subtask = await client.post("/api/tasks/TASK-0001/subtasks", json={"description": f"Step {number}"})
        assert subtask.status_code == 201
        assert subtask.json()["id"] == f"TASK-0001-SUB-{number}"
    first = await client.post("/api/tasks/TASK-0001/subtasks/TASK-0001-SUB-1/complete")
    assert (first.json()["completed"], first.json()["status"]) == (True, "completed")
    assert (await client.get("/api/tasks/TASK-0001")).json()["status"] == "pending"
    await client.put("/api/tasks/TASK-0001/subtasks/TASK-0001-SUB-2/complete")
    assert (await client.get("/api/tasks/TASK-0001")).json()["status"] == "review"
    missing = await client.post("/api/tasks/TASK-0001/subtasks/none/complete")
    check_problem(missing, 404, "not_found")


async def test_the_list_is_sorted_filtered_and_comes_in_pages(client: httpx.AsyncClient) -> None:
    for priority in ("P3", "P1", "P0", "P1", "P2"):
        await create(client, priority=priority, tags=[priority.lower()], assignedTo=f"Agent-{priority}")
    listed = (await client.get("/api/tasks")).json()
    assert [task["priority"] for task in listed["tasks"]] == ["P0", "P1", "P1", "P2", "P3"]
    assert listed["summary"]["critical"] == 1
    found: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/api/tasks", params=params)).json()
        found += [task["id"] for task in page["tasks"]]
        if "next" not in page:
            break
        params["after"] = page["next"]
    assert found == [task["id"] for task in listed["tasks"]]
    for query, count in (
        ("priority=P1", 2),
        ("priority=P1,P0", 3),
        ("priority=P1&priority=critical", 3),
        ("status=In%20Progress", 0),
        ("assignedTo=agent-p2", 1),
        ("tags=p3,p0", 2),
    ):
        assert (await client.get(f"/api/tasks?{query}")).json()["count"] == count, query


async def test_a_due_time_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    problem = check_problem(
        await client.post("/api/tasks", json={"description": "x", "due": "Friday"}), 400, "bad_task"
    )
    assert "2026-11-23T18:00:00Z" in problem["detail"]
    for due in (None, "2026-12-01", "2026-12-01T10:00:00+02:00"):
        assert (await create(client, due=due))["due"] == due


async def test_stats_summary_due_and_search(client: httpx.AsyncClient) -> None:
    await create(client, description="Write the letter", priority="P0", due="2026-01-01T00:00:00Z")
    await create(client, status="completed", due="2026-01-01T00:00:00Z", tags=["Post"])
    await create(client, assignedTo="scout", due="2099-01-01T00:00:00Z", notes="about the LETTER")
    stats = (await client.get("/api/tasks/stats")).json()
    assert (stats["total"], stats["byStatus"]["completed"], stats["byAssignee"]["scout"]) == (3, 1, 1)
    summary = (await client.get("/api/tasks/summary")).json()
    assert (summary["pending"], summary["completed"], summary["critical"]) == (2, 1, 1)
    due = (await client.get("/api/tasks/due?hours=48")).json()
    assert [task["id"] for task in due] == ["TASK-0001"]
    search = (await client.get("/api/tasks/search?q=letter")).json()
    assert [task["id"] for task in search] == ["TASK-0001", "TASK-0003"]
    assert [task["id"] for task in (await client.get("/api/tasks/search?q=post")).json()] == ["TASK-0002"]


async def test_bulk_changes_what_it_can_and_says_what_it_cannot(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await create(client)
    body = {"ids": ["TASK-0001", "none", "TASK-0002"], "updates": {"priority": "urgent"}}
    answers = (await client.put("/api/tasks/bulk", json=body)).json()
    assert [answer.get("priority") for answer in answers] == ["P0", None, "P0"]
    assert answers[1]["id"] == "none"
    assert "none" in answers[1]["error"]
    wrong = {"ids": ["TASK-0001"], "updates": {"status": "perhaps"}}
    check_problem(await client.put("/api/tasks/bulk", json=wrong), 400, "bad_task")
    many = {"ids": [str(number) for number in range(MAX_BULK + 1)], "updates": {}}
    check_problem(await client.put("/api/tasks/bulk", json=many), 400, "bad_task")


async def test_the_export_is_json_or_a_markdown_table(client: httpx.AsyncClient) -> None:
    await create(client, description="A | B\nC", priority="P1")
    exported = (await client.get("/api/export/tasks")).json()
    assert [task["id"] for task in exported["tasks"]] == ["TASK-0001"]
    assert exported["history"] == []
    answer = await client.get("/api/export/tasks?format=markdown")
    assert answer.headers["content-disposition"] == 'attachment; filename="TASK_QUEUE.md"'
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "| TASK-0001 | A \\| B<br>C | 🟡 PENDING | Unassigned | P1 |" in answer.text
    assert (await client.get("/api/export/tasks?format=pdf")).status_code == 400


async def test_reading_and_changing_need_their_scopes() -> None:
    site = Site(tokens=TOKENS)
    async with site.client(READER) as reader, site.client(PUBLISHER) as publisher:
        assert (await publisher.post("/api/tasks", json={})).status_code == 201
        assert (await reader.get("/api/tasks")).json()["count"] == 1
        check_problem(await reader.post("/api/tasks", json={}), 403, "forbidden")
        check_problem(await reader.delete("/api/tasks/TASK-0001"), 403, "forbidden")


async def test_a_log_in_trouble_refuses_what_it_cannot_keep(client: httpx.AsyncClient, site: Site) -> None:
    site.log.trouble = "The disk is full."
    assert (await client.post("/api/tasks", json={})).status_code == 503
    site.log.trouble = None
    assert (await client.get("/api/tasks")).json()["count"] == 0


SLASHED = {
    "id": "team/red/7",
    "description": "Paint it",
    "status": "pending",
    "priority": "P2",
    "subtasks": [],
}
PATH = "/api/tasks/team%2Fred%2F7"


async def test_a_task_whose_id_has_slashes_is_reached_by_every_route(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.tell("task:created", task=SLASHED)
    found = await client.get(PATH)
    assert (found.status_code, found.json()["id"]) == (200, "team/red/7")
    assert (await client.get(PATH.replace("%2F", "%2f"))).json() == found.json()
    assert (await client.head(PATH)).status_code == 200
    assert "PATCH" in (await client.options(PATH)).headers["allow"]
    assert (await client.patch(PATH, json={"notes": "edited"})).json()["notes"] == "edited"
    assert (await client.put(PATH, json={"effort": 3})).json()["effort"] == 3
    assert (await client.put(f"{PATH}/priority", json={"priority": "P1"})).json()["priority"] == "P1"
    assert (await client.post(f"{PATH}/claim", json={"agentId": "scout"})).json()["assignedTo"] == "scout"
    assert (await client.post(f"{PATH}/assign", json={"agentId": "nexus"})).json()["assignedTo"] == "nexus"
    added = (await client.post(f"{PATH}/subtasks", json={"description": "First"})).json()
    done = await client.post(f"{PATH}/subtasks/{quote(added['id'], safe='')}/complete")
    assert done.status_code == 200, done.text
    assert (await client.delete(PATH)).json()["id"] == "team/red/7"
    problem = check_problem(await client.get(PATH), 404, "not_found")
    assert problem["instance"] == PATH


async def test_the_next_request_of_a_route_has_its_own_parameters(
    client: httpx.AsyncClient, site: Site
) -> None:
    await site.tell("task:created", task=SLASHED)
    await site.tell("task:created", task={**SLASHED, "id": "plain"})
    for _ in range(2):
        assert (await client.get(PATH)).json()["id"] == "team/red/7"
        assert (await client.get("/api/tasks/plain")).json()["id"] == "plain"
    check_problem(await client.get("/api/tasks/team/red/7"), 404, "not_found")
    check_problem(await client.get("/api/tasks%2Fplain/x%2Fy"), 404, "not_found")
