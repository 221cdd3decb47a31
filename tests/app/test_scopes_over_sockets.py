"""Scopes over each transport that stays open: what comes in, and what is delivered, live and from the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.runtimes.telemetry import exports

from missioncontrol import MissionControl
from missioncontrol.config import BudgetConfig, Config, Scope, ServerConfig, TokenConfig
from missioncontrol.events import Draft

pytestmark = pytest.mark.anyio

SECRET = "the passphrase of the vault"
SCOPES: tuple[Scope, ...] = ("read", "fleet", "publish", "answer", "admin")


def headers(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-with-the-scope-{scope}"}


@pytest.fixture
async def mc(tmp_path: Path, anyio_backend: str) -> AsyncIterator[MissionControl]:
    tokens = [
        TokenConfig(
            name=scope, sha256=sha256(f"token-with-the-scope-{scope}".encode()).hexdigest(), scopes=[scope]
        )
        for scope in SCOPES
    ]
    (tmp_path / "workspace").mkdir()
    server = ServerConfig(port=0, ws_port="none", tokens=tokens)
    budgets = BudgetConfig(daily=0.1, on_exceed="ask")
    config = Config(
        workspace=str(tmp_path / "workspace"), data=str(tmp_path / "data"), server=server, budgets=budgets
    )
    async with MissionControl(config) as running:
        yield running


@pytest.fixture
async def session(mc: MissionControl) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(mc.url, timeout=aiohttp.ClientTimeout(20)) as opened:
        yield opened


async def ask(mc: MissionControl, id_: str) -> None:
    question = {"id": id_, "kind": "permission", "text": SECRET, "details": {"command": SECRET}}
    await mc.log.append([Draft("question:asked", {"question": question})])


async def reply(socket: aiohttp.ClientWebSocketResponse, message: dict[str, Any]) -> dict[str, Any]:
    await socket.send_json({**message, "ref": 1})
    while (found := await socket.receive_json()).get("ref") != 1:
        pass
    answer: dict[str, Any] = found
    return answer


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_websocket_reads_and_publishes_by_its_scopes(
    mc: MissionControl, session: aiohttp.ClientSession, scope: str
) -> None:
    reads, publishes = scope in ("read", "fleet", "admin"), scope in ("publish", "admin")
    async with session.ws_connect("/api/ws", headers=headers(scope)) as socket:
        await socket.receive_json()
        assert (await reply(socket, {"type": "getHistory"}))["type"] == ("history" if reads else "error")
        subscribed = await reply(socket, {"type": "subscribe", "events": ["*"], "snapshot": True})
        assert subscribed["type"] == ("subscribed" if reads else "error")
        published = await reply(socket, {"type": "publish", "events": [{"type": "a:b", "by": "operator"}]})
        assert published["type"] == ("published" if publishes else "error")
    if publishes:
        async with session.get("/api/system/events?events=a:b", headers=headers("read")) as response:
            assert [event["by"] for event in await response.json()] == [scope]


@pytest.mark.parametrize("scope", ["read", "fleet"])
async def test_the_texts_of_questions_are_told_to_who_may_read_alone_live_and_from_the_log(
    mc: MissionControl, session: aiohttp.ClientSession, scope: str
) -> None:
    await ask(mc, "Q-OLD")
    since = f"{mc.log.epoch}:0"
    seen: list[str] = []
    async with (
        session.ws_connect(f"/api/ws?since={since}&events=question", headers=headers(scope)) as caught_up,
        session.ws_connect("/api/ws?snapshot=1", headers=headers(scope)) as live,
        session.get(f"/api/events/stream?since={since}", headers=headers(scope)) as stream,
    ):
        seen.append(json.dumps(await reply(live, {"type": "getHistory"})))
        await ask(mc, "Q-NEW")
        for socket in (caught_up, live):
            text = ""
            while "Q-NEW" not in text:
                text += await socket.receive_str()
            seen.append(text)
        text = ""
        while "Q-NEW" not in text:
            text += (await stream.content.readline()).decode()
        seen.append(text)
        async with session.get(f"/api/events?since={since}&wait=15", headers=headers(scope)) as response:
            seen.append(await response.text())
    assert all("Q-" in text for text in seen)
    assert [SECRET in text for text in seen] == [scope == "read"] * 5


@pytest.mark.parametrize("scope", ["read", "fleet"])
async def test_what_agents_call_is_told_to_who_may_read_alone_over_every_transport(
    mc: MissionControl, session: aiohttp.ClientSession, scope: str
) -> None:
    def work(detail: str) -> list[Draft]:
        agent = {"id": "scout", "status": detail, "statusDetail": SECRET}
        return [
            Draft("agent:statusChange", {"agentId": "scout", "status": detail, "agent": agent}),
            Draft("agent:activity", {"agentId": "scout", "activity": SECRET}),
        ]

    async def text_until(read: Callable[[], Awaitable[str]], end: str) -> str:
        text = ""
        while end not in text or "agent:activity" not in text.rpartition(end)[2]:
            text += await read()
        return text

    await mc.log.append(work("waiting-old"))
    since = f"{mc.log.epoch}:0"
    seen: dict[str, str] = {}
    async with (
        session.ws_connect(f"/api/ws?since={since}&events=agent", headers=headers(scope)) as caught_up,
        session.ws_connect("/api/ws?snapshot=1", headers=headers(scope)) as live,
        session.get("/api/events/stream?snapshot=1", headers=headers(scope)) as stream,
    ):

        async def line() -> str:
            return (await stream.content.readline()).decode()

        seen["history"] = json.dumps(await reply(live, {"type": "getHistory"}))
        seen["subscribe"] = json.dumps(
            await reply(live, {"type": "subscribe", "events": ["agent"], "snapshot": True})
        )
        await mc.log.append(work("waiting-new"))
        seen["caught up"] = await text_until(caught_up.receive_str, "waiting-new")
        seen["live"] = await text_until(live.receive_str, "waiting-new")
        seen["stream"] = await text_until(line, "waiting-new")
        for path in (f"/api/events?since={since}", "/api/snapshot", "/api/agents"):
            async with session.get(path, headers=headers(scope)) as response:
                seen[path] = await response.text()
    told = {name for name, text in seen.items() if SECRET in text}
    assert told == (seen.keys() - {"subscribe"} if scope == "read" else set())


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        ("read", (200, 403, 403)),
        ("fleet", (200, 403, 403)),
        ("publish", (403, 204, 200)),
        ("answer", (403, 403, 403)),
        ("admin", (200, 204, 200)),
    ],
)
async def test_streams_hooks_and_telemetry_need_their_scopes(
    mc: MissionControl, session: aiohttp.ClientSession, scope: str, statuses: tuple[int, ...]
) -> None:
    found = []
    for method, path, body in (
        ("GET", "/api/events/stream", None),
        ("POST", "/api/hooks/claude", {"hook_event_name": "Stop", "session_id": "s"}),
        ("POST", "/v1/logs", {}),
    ):
        async with session.request(method, path, json=body, headers=headers(scope)) as response:
            found.append(response.status)
    assert tuple(found) == statuses


async def test_what_hooks_and_exports_bring_about_is_published_by_their_token(
    mc: MissionControl, session: aiohttp.ClientSession
) -> None:
    async def send(path: str, body: dict[str, Any]) -> None:
        async with session.post(path, json=body, headers=headers("publish")) as response:
            assert response.status in (200, 204), await response.text()

    async def told() -> dict[str, set[str]]:
        by: dict[str, set[str]] = {}
        async with session.get("/api/system/events", headers=headers("read")) as response:
            for event in await response.json():
                by.setdefault(event["type"], set()).add(event["by"])
        return by

    hook = {"session_id": "s-1", "cwd": "/projects/site", "transcript_path": "/nowhere/s-1.jsonl"}
    call = {"tool_name": "Bash", "tool_input": {"command": "make"}, "tool_use_id": "c-1"}
    used = {
        "session.id": "s-2",
        "agent.name": "writer",
        "model": "claude-sonnet-4-6",
        "input_tokens": 100,
        "output_tokens": 7,
        "cost_usd": 0.5,
        "request_id": "r-1",
    }
    await send("/api/hooks/claude", {"hook_event_name": "UserPromptSubmit", "prompt": "Go", **hook})
    await send("/api/hooks/claude", {"hook_event_name": "PreToolUse", **call, **hook})
    await send("/v1/logs", json.loads(exports.logs(exports.CLAUDE, ("claude_code.api_request", used))))
    expected = ("agent:statusChange", "agent:activity", "token:usage", "token:threshold")
    async with asyncio.timeout(15):
        while not set(expected) <= (by := await told()).keys():  # noqa: ASYNC110 - told over HTTP
            await asyncio.sleep(0.05)
    # The budget is asked about by the server itself.
    assert by["question:asked"] == {"tokens"}
    await send("/api/hooks/claude", {"hook_event_name": "PermissionRequest", **call, **hook})
    async with asyncio.timeout(15):
        while len((by := await told())["question:asked"]) < 2:  # noqa: ASYNC110 - told over HTTP
            await asyncio.sleep(0.05)
    assert by["question:asked"] == {"tokens", "publish"}
    for type_ in expected:
        assert by[type_] == {"publish"}, type_
