"""Each tool, as an agent's client calls it, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation, ResourceTemplateReference

from mcp import Client
from missioncontrol.server.mcp.tools import TOOLS
from missioncontrol.server.routes.agents import agent_body
from missioncontrol.testing import ServerProcess, start_server
from tests.asking import ask_permission, budgets_of, spend
from tests.mcp.callers import BRIDGES, ERAS, connect, do, get, post, read, refused
from tests.process.server_probe import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture(params=(*ERAS, *BRIDGES))
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_client_is_told_what_each_tool_takes_and_gives(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode) as client:
        assert client.instructions is not None
        assert "report_status" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == list(TOOLS)
    for name, tool in tools.items():
        assert tool.description
        assert tool.title
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert all(one.get("description") for one in tool.input_schema["properties"].values()), name
        assert tool.output_schema is not None
        assert "message" in tool.output_schema["required"]
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == (TOOLS[name].scope == "read")
    assert tools["complete_task"].annotations.idempotent_hint  # type: ignore[union-attr]
    assert not tools["claim_task"].annotations.idempotent_hint  # type: ignore[union-attr]


async def test_an_agent_says_what_it_does(server: ServerProcess, mode: str) -> None:
    me = f"reporter-{mode}".replace(" ", "-")
    async with connect(server.url, mode=mode, agent=me) as client:
        told = await do(client, "report_status", status="busy", task="TASK-7", role="Reader", detail="Page 3")
        agent = get(server.url, f"/api/agents/{me}")
        assert agent_body(told["agent"]) == agent
        wanted = {"status": "busy", "kind": "busy", "statusSource": "mcp", "previousStatus": None}
        wanted |= {"currentTask": "TASK-7", "role": "Reader", "statusDetail": "Page 3", "name": me}
        assert wanted.items() <= agent.items()
        await do(client, "report_status", status="busy", task="TASK-7")
        assert get(server.url, f"/api/agents/{me}") == agent, "what is not new is not told"
        await do(client, "report_status", status="waiting for a build", task="-", name="Rita")
        agent = get(server.url, f"/api/agents/{me}")
        wanted = {"status": "waiting for a build", "kind": "waiting", "previousStatus": "busy"}
        wanted |= {"currentTask": None, "role": "Reader", "statusDetail": None, "name": "Rita"}
        assert wanted.items() <= agent.items()
        await do(client, "report_status", status="offline")
        assert get(server.url, f"/api/agents/{me}")["kind"] == "offline"


async def test_who_the_agent_is_stands_in_the_argument_the_header_the_query_or_the_clients_name(
    server: ServerProcess, mode: str
) -> None:
    async with connect(server.url, mode=mode, agent="of-the-header") as client:
        assert (await do(client, "report_status", status="idle"))["agent"]["id"] == "of-the-header"
        told = await do(client, "report_status", status="idle", agent="of-the-argument")
        assert told["agent"]["id"] == "of-the-argument"
    async with Client(f"{server.url}/mcp?agent=of%20the%20query") as client:
        assert (await do(client, "report_status", status="idle"))["agent"]["id"] == "of the query"
    info = Implementation(name="Claude Code (beta)", version="1")
    async with connect(server.url, mode=mode, client_info=info) as client:
        assert (await do(client, "report_status", status="idle"))["agent"]["id"] == "Claude-Code-beta"
        for wrong in (" ", "a/b", "x" * 101, "a\nb"):
            assert "agent" in await refused(client, "report_status", status="idle", agent=wrong)


async def test_a_task_is_added_claimed_updated_and_completed(server: ServerProcess, mode: str) -> None:
    me, tag = f"worker-{mode}", f"tag-{mode}"
    async with connect(server.url, mode=mode, agent=me) as client:
        assert not (await do(client, "claim_task", tags=[tag]))["claimed"]
        fields = {
            "priority": "high",
            "tags": [tag],
            "notes": "From the review",
            "due": "2027-01-01T00:00:00Z",
        }
        added = (await do(client, "add_task", description="Read the report", **fields))["task"]
        assert added["createdBy"] == me
        assert (added["priority"], added["status"]) == ("P1", "pending")
        claim = await do(client, "claim_task", tags=[tag])
        assert claim["claimed"]
        assert claim["task"]["id"] == added["id"]
        assert claim["task"]["assignedTo"] == me
        assert claim["task"]["status"] == "in_progress"
        mine = await do(client, "list_tasks", mine=True, status=["in_progress", "review"])
        assert [task["id"] for task in mine["tasks"]] == [added["id"]]
        assert mine["count"] == 1
        for note in ("Half of it", "Nearly"):
            await do(client, "update_task", task=added["id"], progress=50, note=note, status="review")
        task = (await do(client, "get_task", task=added["id"]))["task"]
        assert (task["status"], task["progress"]) == ("review", 50)
        first, *lines = task["notes"].splitlines()
        assert first == "From the review"
        assert [line.partition("] ")[2] for line in lines] == [f"{me}: Half of it", f"{me}: Nearly"]
        for _ in range(2):
            done = (await do(client, "complete_task", task=added["id"], result="All read"))["task"]
            assert (done["status"], done["result"], done["progress"]) == ("completed", "All read", 100)
        assert get(server.url, f"/api/tasks/{added['id']}") == done


async def test_what_somebody_else_has_is_neither_claimed_nor_changed(
    server: ServerProcess, mode: str
) -> None:
    task = post(server.url, "/api/tasks", {"description": "Theirs", "assignedTo": "owner"})["id"]
    async with connect(server.url, mode=mode, agent="other") as client:
        for tool in ("claim_task", "update_task", "complete_task"):
            said = await refused(
                client, tool, task=task, **({"status": "review"} if tool == "update_task" else {})
            )
            assert "owner's" in said
        assert "no task" in await refused(client, "get_task", task="TASK-NONE")
        assert "none of" in await refused(client, "list_tasks", status="whatever")
        unassigned = {"task": task, "assignedTo": "Unassigned", "status": "pending"}
        await do(client, "update_task", agent="owner", **unassigned)
        assert (await do(client, "claim_task", task=task, start=False))["task"]["status"] == "pending"
        await do(client, "update_task", task=task, status="cancelled")
        assert "cancelled" in await refused(client, "complete_task", task=task)


async def test_a_lead_an_alert_and_any_event_are_told(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode, agent="finder") as client:
        lead = {
            "name": "Ada",
            "company": "Analytical",
            "score": 71,
            "fields": {"region": "EU"},
            "id": f"ada-{mode}",
        }
        kept = (await do(client, "add_lead", **lead))["lead"]
        leads = {one["id"]: one for one in get(server.url, "/api/leads")["leads"]}
        assert leads[f"ada-{mode}"] == kept
        assert (kept["region"], kept["score"], kept["foundBy"]) == ("EU", 71, "finder")
        assert "already" in await refused(client, "add_lead", **lead)
        alert = (await do(client, "raise_alert", alert="The disk is full", level="critical"))["event"]
        first = get(server.url, "/api/system/status")["alerts"][0]
        assert (first["id"], first["level"], first["message"]) == (alert, "critical", "The disk is full")
        assert first["details"] == {"agentId": "finder"}
        told = [
            (await do(client, "publish_event", type="build:finished", data={"ok": True}, key=f"once-{mode}"))[
                "event"
            ]
            for _ in range(2)
        ]
        assert told[0] == told[1]
        event = get(server.url, "/api/system/events?limit=1")[0]
        assert (event["id"], event["source"], event["data"]) == (
            told[0],
            "mcp",
            {"ok": True, "agentId": "finder"},
        )
        assert "server" in await refused(client, "publish_event", type="server:draining")


async def test_how_the_fleet_is_fits_into_a_sentence(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode, agent="looker") as client:
        await do(client, "report_status", status="busy")
        status = await do(client, "fleet_status")
    assert status["agents"]["busy"] >= 1
    assert status["tasks"]["total"] == get(server.url, "/api/tasks/stats")["total"]
    assert "busy" in status["message"]
    assert "spent today" in status["message"]


async def test_a_person_is_asked_and_the_answer_waited_for(server: ServerProcess, mode: str) -> None:
    heard: list[str | None] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async def answer() -> None:
        def found() -> list[Any]:
            questions = get(server.url, "/api/questions?status=open")["questions"]
            return [one for one in questions if one["agentId"] == f"asker-{mode}"]

        async def asked() -> bool:
            return bool(await asyncio.to_thread(found))

        await eventually(asked)
        question = found()[0]
        assert question["options"] == ["yes", "no"]
        post(
            server.url,
            f"/api/questions/{question['id']}/answer",
            {"answer": "yes", "answeredBy": "Ada"},
            server.owner_secret,
        )

    async with (
        connect(server.url, mode=mode, agent=f"asker-{mode}") as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(answer)
        question = {"text": "Shall I deploy?", "options": ["yes", "no"], "wait": 30}
        result = await client.call_tool("ask_person", question, progress_callback=told)
        content: Any = result.structured_content
        assert content["answer"] == "yes"
        assert content["status"] == "answered"
        assert content["message"] == "The answer (Ada): yes"
        assert heard
        assert content["question"]["id"] in str(heard[0])


async def test_a_question_without_an_answer_is_waited_for_later(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode, agent="patient") as client:
        asked = await do(client, "ask_person", text="Which colour?", wait=0.1)
        id_ = asked["question"]["id"]
        assert asked["status"] == "open"
        assert id_ in asked["message"]
        assert (await do(client, "get_answer", question=id_, wait=0))["status"] == "open"
        post(server.url, f"/api/questions/{id_}/answer", {"answer": "blue"}, server.owner_secret)
        assert (await do(client, "get_answer", question=id_))["answer"] == "blue"
        asked = await do(client, "ask_person", text="And now?", wait=0)
        taken = await do(client, "get_answer", question=asked["question"]["id"], wait=0, withdraw=True)
        assert taken["status"] == "closed"
        assert "no question" in await refused(client, "get_answer", question="Q-NONE")


async def test_an_agent_withdraws_neither_another_s_question_nor_a_permission(
    server: ServerProcess, mode: str
) -> None:
    theirs = post(server.url, "/api/questions", {"text": "Mine?", "agentId": "other"})
    permission = ask_permission(server, "Bash", {"command": "ls"}, agent="hasty")
    async with connect(server.url, mode=mode, agent="claude-hasty") as client:
        for id_ in (theirs["id"], permission):
            arguments = {"question": id_, "wait": 0, "withdraw": True}
            assert "can withdraw it" in await refused(client, "get_answer", **arguments)
            assert get(server.url, f"/api/questions/{id_}")["status"] == "open"
        for kind in ("permission", "budget"):
            question = {"id": f"Q-{kind}-{mode}", "kind": kind, "text": "Run it?", "options": ["allow"]}
            data = {"question": question}
            said = await refused(client, "publish_event", type="question:asked", data=data)
            assert "by the server alone" in said


@pytest.mark.parametrize("withdraw", [True, False])
async def test_a_cancelled_question_stays_open_unless_it_is_to_be_withdrawn(
    server: ServerProcess, mode: str, withdraw: bool
) -> None:
    text = f"Cancelled, {mode}, {withdraw}?"

    def status() -> str:
        found = [one for one in get(server.url, "/api/questions")["questions"] if one["text"] == text]
        return str(found[0]["status"]) if found else "none"

    async def is_now(wanted: str) -> None:
        async def there() -> bool:
            return await asyncio.to_thread(status) == wanted

        await eventually(there)

    async with connect(server.url, mode=mode, agent="hasty") as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(
                    client.call_tool, "ask_person", {"text": text, "wait": 60, "withdraw": withdraw}
                )
                await is_now("open")
                scope.cancel()
        await do(client, "fleet_status")
        await is_now("closed" if withdraw else "open")


async def test_wrong_arguments_are_named(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode, agent="careless") as client:
        assert "$.limit" in await refused(client, "list_tasks", limit="many")
        assert ">= 1" in await refused(client, "list_tasks", limit=0)
        said = await refused(client, "claim_task", taks="TASK-1")
        assert "taks" in said
        assert "task, tags, start, agent" in said
        assert "description" in await refused(client, "add_task")
        assert "critical" in await refused(client, "raise_alert", alert="x", level="loud")
        with pytest.raises(MCPError, match="no tool 'fly'"):
            await client.call_tool("fly", {})


@pytest.fixture
def counting(tmp_path: Path, mode: str) -> Iterator[ServerProcess]:
    """A server that asks about the budget of one agent."""
    options = budgets_of(tmp_path, f"spender-{mode}")
    with start_server(tmp_path / "workspace", options=options) as running:
        yield running


async def test_an_agent_that_was_told_to_stop_is_told_so_where_it_would_begin(
    counting: ServerProcess, mode: str
) -> None:
    me, server = f"spender-{mode}", counting
    asked = spend(server, me)
    async with connect(server.url, mode=mode, agent=me) as client:
        assert not (await do(client, "claim_task")).get("stop")
        post(server.url, f"/api/questions/{asked['id']}/answer", {"answer": "stop"}, server.owner_secret)
        for tool, arguments in (("claim_task", {}), ("report_status", {"status": "busy"})):
            told = await do(client, tool, **arguments)
            assert told["stop"]
            assert "end" in told["message"]
        assert not (await do(client, "report_status", status="idle")).get("stop")


async def test_resources_are_the_state_its_parts_and_the_newest_events(
    server: ServerProcess, mode: str
) -> None:
    async with connect(server.url, mode=mode, agent="reader@home") as client:
        await do(client, "report_status", status="idle")
        task = (await do(client, "add_task", description="To be read"))["task"]
        state = await read(client, "mission-control://state")
        snapshot = get(server.url, "/api/snapshot")
        assert state["state"].keys() == snapshot["state"].keys()
        for part in state["state"]:
            assert (await read(client, f"mission-control://state/{part}"))[part] == get(
                server.url, "/api/snapshot"
            )["state"][part]
        assert (await read(client, "mission-control://agents/reader%40home"))["id"] == "reader@home"
        assert await read(client, f"mission-control://tasks/{task['id']}") == task
        events = await read(client, "mission-control://events")
        assert events[0]["id"] > events[1]["id"]
        listed = {str(one.uri) for one in (await client.list_resources()).resources}
        for uri in listed:
            await read(client, uri)
        templates = {one.uri_template for one in (await client.list_resource_templates()).resource_templates}
        assert "mission-control://tasks/{id}" in templates
        for uri in ("mission-control://tasks/TASK-NONE", "mission-control://nothing", "file:///etc/passwd"):
            with pytest.raises(MCPError, match="no"):
                await client.read_resource(uri)


async def test_the_addresses_of_resources_are_completed(server: ServerProcess, mode: str) -> None:
    async with connect(server.url, mode=mode, agent=f"completed-{mode.replace(' ', '-')}") as client:
        me = (await do(client, "report_status", status="idle"))["agent"]["id"]
        task = (await do(client, "add_task", description="Found by its beginning"))["task"]["id"]
        for uri, begun, wanted in (
            ("mission-control://agents/{id}", me[:-1], me),
            ("mission-control://tasks/{id}", task[:-1], task),
            ("mission-control://state/{part}", "que", "questions"),
        ):
            name = uri.partition("{")[2].rstrip("}")
            found = await client.complete(ResourceTemplateReference(uri=uri), {"name": name, "value": begun})
            assert wanted in found.completion.values
            assert all(value.startswith(begun) for value in found.completion.values)


async def test_what_was_just_written_into_the_queues_file_is_known(server: ServerProcess) -> None:
    path = server.workspace / "mission-control/TASK_QUEUE.json"

    def add_by_hand(description: str) -> str:
        whole = json.loads(path.read_bytes())
        id_ = f"TASK-{whole['nextId']:04}"
        task = {"id": id_, "description": description, "status": "pending", "priority": "P3"}
        path.write_text(
            json.dumps({**whole, "tasks": [*whole["tasks"], task], "nextId": whole["nextId"] + 1})
        )
        return id_

    def in_file(id_: str) -> dict[str, Any]:
        whole = json.loads(path.read_bytes())
        return next(task for task in (*whole["tasks"], *whole["history"]) if task["id"] == id_)

    async with connect(server.url, agent="scribe") as client:
        added = (await do(client, "add_task", description="By tool"))["task"]
        assert in_file(added["id"])["description"] == "By tool"
        shown = add_by_hand("Shown")
        assert (await do(client, "get_task", task=shown))["task"]["description"] == "Shown"
        listed = add_by_hand("Listed by hand")
        page = await do(client, "list_tasks", text="listed by hand")
        assert [task["id"] for task in page["tasks"]] == [listed]
        resource = add_by_hand("Resource")
        assert (await read(client, f"mission-control://tasks/{resource}"))["description"] == "Resource"
        claimed = add_by_hand("Claimed")
        assert (await do(client, "claim_task", task=claimed))["claimed"]
        assert in_file(claimed)["assignedTo"] == "scribe"
        completed = add_by_hand("Completed")
        await do(client, "complete_task", task=completed, result="Done")
        assert in_file(completed)["result"] == "Done"
        last = add_by_hand("Last")
        assert (await do(client, "add_task", description="After it"))["task"]["id"] != last
        assert in_file(last)["description"] == "Last"
