"""The gateway, as Sentry writes of it and as it says itself."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.world import World
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.gateway import Gateway
from missioncontrol.fleet.sentry import SentryReport, level_of
from missioncontrol.runtimes.openclaw import gateway as link

pytestmark = pytest.mark.anyio

SENTRY = "mission-control/agents/sentry/state.json"


def state(status: str, *alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": "online",
        "system": {"gatewayStatus": status, "gatewayPid": 4375, "lastCheck": "2026-11-23T10:15:00Z"},
        "sessions": {"total": 12, "active": 12, "failed": 0},
        "alerts": list(alerts),
    }


SHORT = {"level": "warning", "id": "SEC-002", "message": "Headers not trusted", "timestamp": "2026-11-23"}


async def gateway(world: World) -> Any:
    return (await world.state())["system"]["gateway"]


async def test_the_first_sight_is_state_and_its_alerts_are_no_news(world: World) -> None:
    world.write(SENTRY, state("running", SHORT))
    await world.start()
    await world.until(lambda: "gateway" in str(world.told("state:baseline")))
    assert (await gateway(world))["status"] == "running"
    assert (await gateway(world))["details"]["sessions"]["total"] == 12
    await world.silence()
    assert world.alerts() == []


async def test_a_report_in_a_folder_that_is_made_later_is_read(world: World) -> None:
    await world.start()
    # Without a pause between the folders and the file: the notification names the highest new folder alone.
    world.write(SENTRY, state("running"))
    await world.until(lambda: world.told("system:status"))
    assert (await gateway(world))["status"] == "running"


async def test_the_last_report_is_there_though_the_status_stays(world: World) -> None:
    world.write(SENTRY, state("running", SHORT))
    await world.start()
    assert world.supervisor is not None
    source = world.supervisor.source(Gateway)

    async def until(condition: Callable[[], bool]) -> None:
        # Nothing is published of it that could be awaited.
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def report() -> SentryReport:
        return source.report or SentryReport(None, {}, [])

    await until(lambda: report().listed == [SHORT])
    assert report().last_check == "2026-11-23T10:15:00Z"
    world.replace(SENTRY, {**state("running"), "sessions": {"total": 20}})
    await until(lambda: report().details.get("sessions") == {"total": 20})
    assert report().listed == []
    (world.root / SENTRY).unlink()
    await until(lambda: source.report is None)
    assert world.told("system:status") == []


async def test_leaving_running_is_a_critical_alert_once(world: World) -> None:
    world.write(SENTRY, state("running"))
    await world.start()
    await world.until(lambda: world.told("state:baseline"))
    world.write(SENTRY, state("stopped"))
    await world.until(lambda: world.alerts())
    (status,) = world.told("system:status")
    assert (status["status"], status["previousStatus"]) == ("stopped", "running")
    (alert,) = world.told("system:alert")
    assert (alert["level"], alert["message"]) == ("critical", "Gateway status changed to stopped")
    world.write(SENTRY, {**state("stopped"), "sessions": {"total": 13}})
    await world.restart()
    await world.silence()
    assert len(world.told("system:alert")) == 1
    world.write(SENTRY, state("running"))
    await world.until(lambda: len(world.told("system:alert")) == 2)
    assert world.told("system:alert")[-1]["level"] == "info"


async def test_an_alert_of_sentrys_is_told_once_for_as_long_as_it_stands(world: World) -> None:
    world.write(SENTRY, state("running"))
    await world.start()
    await world.until(lambda: world.told("state:baseline"))
    world.write(SENTRY, state("running", SHORT))
    await world.until(lambda: world.alerts())
    world.write(SENTRY, {**state("running", SHORT, {"level": "CRITICAL", "message": "Down"}), "n": 1})
    await world.until(lambda: len(world.alerts()) == 2)
    await world.restart()
    await world.silence()
    told = [(alert["level"], alert["message"]) for alert in world.told("system:alert")]
    assert told == [("warning", "Headers not trusted"), ("critical", "Down")]
    assert world.told("system:alert")[0]["details"]["id"] == "SEC-002"


async def test_what_changed_while_nobody_watched_is_told_at_the_next_start(world: World) -> None:
    world.write(SENTRY, state("running"))
    await world.start()
    await world.until(lambda: world.told("state:baseline"))
    await world.stop()
    world.write(SENTRY, state("degraded"))
    await world.start()
    await world.until(lambda: world.told("system:status"))
    assert world.told("system:status")[0]["foundAtStart"]


async def test_a_broken_file_says_nothing_of_the_gateway(world: World) -> None:
    world.write(SENTRY, state("running"))
    await world.start()
    await world.until(lambda: world.told("state:baseline"))
    world.write(SENTRY, b'{"system": {"gatewayStatus": "sto')
    os.utime(world.root / SENTRY, (1, 1))
    await world.silence()
    assert (await gateway(world))["status"] == "running"


@pytest.mark.parametrize(("word", "level"), [("CRITICAL", "critical"), ("warn", "warning"), ("?", "info")])
def test_a_level_in_anybodys_words_is_one_of_three(word: str, level: str) -> None:
    assert level_of(word) == level


class FakeGateway:
    """OpenClaw's gateway, as far as the link talks to it."""

    def __init__(self) -> None:
        self.port = 0
        self.token = "secret"
        self.healthy = True
        self.hello: dict[str, Any] = {}
        self.asked: list[str] = []
        self.sockets: list[ServerConnection] = []
        self.tick = 30_000

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade"):
            return None
        if request.path != "/health":
            return Response(404, "Not Found", Headers())
        body = json.dumps({"ok": self.healthy, "status": "live"}).encode()
        headers = Headers([("Content-Length", str(len(body))), ("Connection", "close")])
        return Response(200 if self.healthy else 503, "OK", headers, body)

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        await self.tell(socket, "connect.challenge", {"nonce": "n", "ts": 1})
        async for text in socket:
            request = json.loads(text)
            self.asked.append(request["method"])
            answer: dict[str, Any] = {"type": "res", "id": request["id"], "ok": True, "payload": {}}
            if request["method"] == "connect":
                self.hello = request["params"]
                if self.hello.get("auth") != {"token": self.token}:
                    answer |= {"ok": False, "error": {"message": "unauthorized"}}
                answer["payload"] = {"type": "hello-ok", "policy": {"tickIntervalMs": self.tick}}
            if request["method"] == "sessions.list":
                session = {"key": "agent:scout:main", "agentId": "scout", "hasActiveRun": False}
                answer["payload"] = {"sessions": [session]}
            await socket.send(json.dumps(answer))

    async def tell(self, socket: ServerConnection, event: str, payload: Any) -> None:
        await socket.send(json.dumps({"type": "event", "event": event, "payload": payload}))

    async def changed(self, agent: str, running: bool) -> None:
        payload = {"agentId": agent, "sessionKey": f"agent:{agent}:main", "hasActiveRun": running}
        await self.tell(self.sockets[-1], "sessions.changed", payload)


@asynccontextmanager
async def fake_gateway(port: int = 0) -> AsyncIterator[FakeGateway]:
    fake = FakeGateway()
    async with serve(fake.serve, "127.0.0.1", port, process_request=fake.answer) as server:
        fake.port = next(iter(server.sockets)).getsockname()[1]
        yield fake


@pytest.fixture
def openclaw(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "openclaw"
    folder.mkdir()
    world.config.sources = SourcesConfig(places={"openclaw": str(folder), "claude": "off", "codex": "off"})
    monkeypatch.setattr(link, "HEALTH_SECONDS", 0.05)
    monkeypatch.setattr(link, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(link, "LONGEST_PAUSE", 0.1)
    return folder


def configure(openclaw: Path, fake: FakeGateway, token: str = "secret") -> None:
    settings = {"gateway": {"port": fake.port, "auth": {"mode": "token", "token": token}}}
    (openclaw / "openclaw.json").write_text("// written by hand\n" + json.dumps(settings))


def status_of(world: World, agent: str) -> Any:
    return world.folded.table("agents").get(agent, {}).get("status")


async def test_the_gateway_itself_says_whether_it_runs_and_who_is_busy(world: World, openclaw: Path) -> None:
    async with fake_gateway() as fake:
        configure(openclaw, fake)
        await world.start()
        await world.until(lambda: "sessions.list" in fake.asked and status_of(world, "scout") == "idle")
        assert (fake.hello["role"], fake.hello["scopes"]) == ("operator", ["operator.read"])
        assert set(fake.asked) <= {"connect", "sessions.subscribe", "sessions.list"}
        await fake.changed("scout", True)
        await world.until(lambda: status_of(world, "scout") == "busy")
        assert (await world.agent("scout"))["statusSource"] == "OpenClaw gateway"
        await fake.changed("scout", False)
        await world.until(lambda: status_of(world, "scout") == "idle")
        await world.eventually(lambda: "running" in str(world.folded.part("system")))
        assert "secret" not in json.dumps(await world.state())
    await world.until(lambda: world.alerts())
    assert (await gateway(world))["status"] == "unreachable"
    assert world.alerts() == ["Gateway status changed to unreachable"]


async def test_a_gateway_that_is_not_well_and_gets_well_is_told_each_time(
    world: World, openclaw: Path
) -> None:
    async with fake_gateway() as fake:
        configure(openclaw, fake)
        await world.start()
        await world.until(lambda: "running" in str(world.folded.part("system")))
        fake.healthy = False
        await world.until(lambda: world.told("system:alert"))
        fake.healthy = True
        await world.until(lambda: len(world.told("system:alert")) == 2)
    assert [alert["level"] for alert in world.told("system:alert")[:2]] == ["critical", "info"]


async def test_a_wrong_token_is_no_failure_and_is_said(world: World, openclaw: Path) -> None:
    async with fake_gateway() as fake:
        configure(openclaw, fake, token="wrong")
        await world.start()
        assert world.supervisor is not None
        health = world.supervisor.health
        await world.eventually(lambda: "does not let" in (health()["gateway"].note or ""))
        assert health()["gateway"].status == "running"
        assert "wrong" not in (health()["gateway"].note or "")


async def test_a_link_that_breaks_or_falls_silent_is_made_again(world: World, openclaw: Path) -> None:
    async with fake_gateway() as fake:
        fake.tick = 40
        configure(openclaw, fake)
        await world.start()
        await world.until(lambda: status_of(world, "scout") == "idle")
        # It says nothing more, not even its tick; then it sends what is no message, and hangs up.
        await world.eventually(lambda: fake.asked.count("sessions.list") == 2)
        await fake.sockets[-1].send(b"\xff\x00 not json")
        await fake.sockets[-1].send("[1, 2")
        await fake.sockets[-1].close()
        await world.eventually(lambda: fake.asked.count("sessions.list") >= 3)
    assert world.supervisor is not None
    assert world.supervisor.health()["gateway"].restarts == 0
