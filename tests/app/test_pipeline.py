"""The commit pipeline: its door, which is the same for every transport, and its steps, which do not need each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.mcp.callers import connect

from missioncontrol import Client, Event, MissionControl
from missioncontrol.config import Config, QuotasConfig
from missioncontrol.errors import BadEvent, InputError, QuotaExceeded, ReservedType, TooLarge
from missioncontrol.events import EVERYTHING, Draft

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

Publish = Callable[[Any], Awaitable[tuple[str, str]]]
"""Publishes one event over a transport, and returns the code and the reason of the refusal, or twice nothing."""


@pytest.fixture
async def mc(tmp_path: Path) -> AsyncIterator[MissionControl]:
    (tmp_path / "workspace").mkdir()
    quotas = QuotasConfig(agents=3, tasks=2, leads=1, record_bytes=1_000, questions=4, questions_reserved=1)
    quotas.questions_per_asker = 2
    config = Config(workspace=str(tmp_path / "workspace"), data=str(tmp_path / "data"), quotas=quotas)
    async with MissionControl(config, port=0) as running:
        yield running


async def over_http(mc: MissionControl, body: str) -> tuple[str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{mc.url}/api/events", data=body) as answer,
    ):
        page = await answer.json()
        return (page["code"], page["detail"]) if answer.status >= 400 else ("", "")


async def over_websocket(mc: MissionControl, event: Any) -> tuple[str, str]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{mc.ws_url}?events=none:x") as socket:
        await socket.send_json({"type": "publish", "events": [event], "ref": 1})
        while True:
            message = await socket.receive_json()
            if message["type"] in ("published", "error"):
                data = message["data"]
                return (data["code"], data["message"]) if message["type"] == "error" else ("", "")


async def over_broadcast(mc: MissionControl, event: Any) -> tuple[str, str]:
    try:
        await mc.broadcast(event)
    except InputError as error:
        return error.code, str(error)
    return "", ""


async def over_mcp(mc: MissionControl, event: Any) -> tuple[str, str]:
    async with connect(mc.url) as client:
        result = await client.call_tool("publish_event", {"type": event["type"], "data": event["data"]})
        text = str(getattr(result.content[0], "text", ""))
        return (text, text) if result.is_error else ("", "")


@pytest.fixture(params=["http", "array", "ndjson", "websocket", "broadcast", "mcp"])
def publish(request: pytest.FixtureRequest, mc: MissionControl) -> Publish:
    other = {"type": "custom:other", "data": {}}
    ways: dict[str, Publish] = {
        "http": lambda event: over_http(mc, json.dumps(event)),
        "array": lambda event: over_http(mc, json.dumps([other, event])),
        "ndjson": lambda event: over_http(mc, f"{json.dumps(other)}\n{json.dumps(event)}"),
        "websocket": lambda event: over_websocket(mc, event),
        "broadcast": lambda event: over_broadcast(mc, event),
        "mcp": lambda event: over_mcp(mc, event),
    }
    return ways[request.param]


async def test_the_same_checks_hold_for_every_transport(mc: MissionControl, publish: Publish) -> None:
    head = mc.log.head
    for type_ in ("state:baseline", "notification:sent", "log:a", "question:answered", "message:failed"):
        code, reason = await publish({"type": type_, "data": {}})
        assert code == ReservedType.code or "by the server alone" in code
        assert "by the server alone" in reason
    code, reason = await publish({"type": "agent:statusChange", "data": {"agentId": "a", "status": 5}})
    assert code == BadEvent.code or "`status` must be a string" in code
    assert "`status` must be a string" in reason
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    _, reason = await publish({"type": "custom:a", "data": {"a": deep}})
    assert "more than 64 levels deep" in reason
    _, reason = await publish({"type": "task:created", "data": {"task": {"id": "t", "notes": "x" * 1_001}}})
    assert "a record may have 1,000" in reason
    # Nothing of all that was kept, but for what is reported of it.
    page = await mc.log.read(head, EVERYTHING)
    assert all(b'"quotas"' in body for body in page.bodies)
    assert await publish({"type": "task:assigned", "data": {"taskId": "t", "agentId": "a"}}) == ("", "")
    body = json.loads((await mc.log.read(mc.log.head - 1, EVERYTHING)).bodies[0])
    assert body["data"].items() >= {"assignedBy": None, "updates": None, "taskId": "t"}.items()


async def test_a_question_is_asked_once_over_every_transport(mc: MissionControl, publish: Publish) -> None:
    shown = {"id": "q", "text": "Run ls?", "options": ["yes", "no"]}
    await mc.broadcast({"type": "question:asked", "data": {"question": shown}})
    before, head = mc.state.snapshot()["questions"], mc.log.head
    other = {**shown, "text": "Run curl x | sh?"}
    code, reason = await publish({"type": "question:asked", "data": {"question": other}})
    assert code == "conflict" or "There is a question 'q' already" in code
    assert "ask under an id of its own" in reason
    assert (mc.state.snapshot()["questions"], mc.log.head) == (before, head)


@pytest.mark.parametrize("kind", ["permission", "budget", "mood", 5])
async def test_no_client_asks_what_the_server_alone_asks(
    mc: MissionControl, publish: Publish, kind: object
) -> None:
    forged = {"id": "q", "text": "Go on?", "kind": kind, "options": ["continue", "stop"]}
    head = mc.log.head
    code, reason = await publish({"type": "question:asked", "data": {"question": forged}})
    assert code == "reserved_kind" or "by the server alone" in code
    assert "Ask a question with options instead" in reason
    assert mc.log.head == head


ODD_OPTIONS: list[Any] = [
    ["deny", "Deny "],
    ["ALLOW", "allow"],
    [" "],
    [5],
    ["x" * 201],
    [str(number) for number in range(21)],
    "a",
]


async def test_options_of_an_event_are_as_distinct_as_those_over_http(
    mc: MissionControl, publish: Publish
) -> None:
    for options in ODD_OPTIONS:
        asked = {"id": "q", "text": "Which?", "options": options}
        code, reason = await publish({"type": "question:asked", "data": {"question": asked}})
        assert code == "bad_event" or "option" in code
        assert "option" in reason
    assert mc.state.snapshot()["questions"] == []


async def test_of_two_that_ask_under_one_id_at_the_same_time_one_is_refused(mc: MissionControl) -> None:
    def asked(text: str) -> dict[str, Any]:
        return {"type": "question:asked", "data": {"question": {"id": "q", "text": text}}}

    results = await asyncio.gather(
        mc.broadcast(asked("ls")), mc.broadcast(asked("rm")), return_exceptions=True
    )
    (refused,) = [result for result in results if isinstance(result, InputError)]
    assert refused.status == 409
    assert [one["text"] for one in mc.state.snapshot()["questions"]] == ["ls"]
    with pytest.raises(InputError, match="already"):
        await mc.broadcast(asked("rm"))


async def test_quotas_refuse_what_is_new_and_never_what_is_there(mc: MissionControl) -> None:
    for number in range(3):
        await mc.broadcast_agent_status(f"a{number}", "idle")
    for number in range(2):
        await mc.broadcast_task_created({"id": f"t{number}"})
    await mc.broadcast_lead_added({"id": "l"})
    with pytest.raises(QuotaExceeded, match=r"There are 3 agents.*quotas\.agents"):
        await mc.broadcast_agent_status("one more", "idle")
    with pytest.raises(QuotaExceeded, match="3 agents"):
        await mc.broadcast_token_usage("one more", 1, 1)
    with pytest.raises(QuotaExceeded, match="2 tasks"):
        await mc.broadcast_task_created({"id": "one more"})
    with pytest.raises(QuotaExceeded, match="1 leads"):
        await mc.broadcast_lead_added({"leadId": "one more"})
    with pytest.raises(TooLarge, match="1,000"):
        await mc.broadcast_task_updated("t0", {"notes": "x" * 1_000})
    await mc.broadcast_agent_status("a0", "busy")
    await mc.broadcast_token_usage("a0", 1, 1)
    await mc.broadcast_task_updated("t0", {"status": "review"})
    await mc.broadcast({"type": "task:deleted", "data": {"taskId": "t1"}})
    await mc.broadcast_task_created({"id": "another"})
    state = mc.state.snapshot()
    assert [task["id"] for task in state["tasks"]] == ["another", "t0"]
    # Each quota is reported once, however often it refuses.
    async with asyncio.timeout(10):
        while len(_of_quotas(mc)) < 4:  # noqa: ASYNC110 - the state knows of no test
            await asyncio.sleep(0.01)
    figures = mc.metrics()["figures"]
    assert figures["mission_control_quota_refused_total"] == {
        "agents": 2.0,
        "tasks": 1.0,
        "leads": 1.0,
        "questions": 0.0,
        "record": 1.0,
    }
    assert figures["mission_control_quota"]["agents"] == 3.0
    assert figures["mission_control_state_records"]["tasks"] == 2.0
    assert len(_of_quotas(mc)) == 4


def _of_quotas(mc: MissionControl) -> list[Any]:
    alerts = mc.state.snapshot()["system"]["alerts"]
    return [alert for alert in alerts if alert["details"]["source"] == "quotas"]


async def test_questions_have_quotas_with_a_reserve_for_permissions(mc: MissionControl) -> None:
    async def ask(id_: str, agent: str, kind: str = "question") -> None:
        question = {"id": id_, "text": "?", "agentId": agent, "kind": kind}
        # As a part of the server asks: from others the kind is refused.
        await mc._running.publish([Draft("question:asked", {"question": question})])

    await ask("q1", "a")
    with pytest.raises(InputError, match="There is a question 'q1' already") as refused:
        await ask("q1", "b")
    assert refused.value.status == 409
    await ask("q2", "a")
    with pytest.raises(QuotaExceeded, match="2 questions of 'a'"):
        await ask("q3", "a")
    await ask("q3", "b")
    with pytest.raises(QuotaExceeded, match="3 questions wait"):
        await ask("q4", "c")
    await ask("q4", "c", "permission")
    with pytest.raises(QuotaExceeded, match="4 questions wait"):
        await ask("q5", "d", "permission")


async def test_a_step_that_fails_is_named_in_health_and_does_not_skip_the_next(
    mc: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def health() -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(f"{mc.url}/health") as answer:
            return answer.status, await answer.json()

    async with Client(mc.url, events="*") as client:
        await client.ready()
        with monkeypatch.context() as broken:
            broken.setattr(type(mc.state), "apply", _fail)
            first = await mc.broadcast({"type": "custom:a", "data": {}})
            status, page = await health()
        assert status == 503
        assert "'project'" in page["reason"]
        pipeline = page["services"]["pipeline"]
        assert pipeline["status"] == "failed"
        steps = {step["name"]: step for step in pipeline["steps"]}
        assert list(steps)[:2] == ["project", "deliver"]
        assert (steps["project"]["failures"], steps["project"]["error"]) == (1, "ZeroDivisionError: broken")
        assert steps["deliver"]["failures"] == 0
        second = await mc.broadcast({"type": "custom:b", "data": {}})
        seen = [item.id for item in [await anext(client), await anext(client)] if isinstance(item, Event)]
        assert seen == [first, second]
    status, page = await health()
    assert (status, page["services"]["pipeline"]["status"]) == (200, "ok")
    assert page["services"]["pipeline"]["steps"][0]["failures"] == 1


def _fail(*_: Any) -> None:
    raise ZeroDivisionError("broken")


async def test_a_commit_that_the_fan_out_missed_is_read_from_the_log(
    mc: MissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = mc._running.hub
    async with Client(mc.url, events="*") as client, Client(mc.url, events="custom:a") as other:
        await client.ready()
        await other.ready()
        ids = [await mc.broadcast({"type": "custom:a", "data": {}})]
        publish = hub.publish
        with monkeypatch.context() as broken:
            # The step keeps the method that it was given; what it stands on is broken beneath it.
            broken.setattr(hub, "_in_sequence", _fail)
            broken.setattr(hub, "head", -5)
            ids.append(await mc.broadcast({"type": "custom:a", "data": {}}))
        assert publish == hub.publish
        ids.append(await mc.broadcast({"type": "custom:a", "data": {}}))
        for reader in (client, other):
            assert [item.id for item in [await anext(reader) for _ in ids] if isinstance(item, Event)] == ids
    assert mc.metrics()["figures"]["mission_control_hub_holes_total"] == 1
