"""The REST API of the earlier system: each route's shape and codes, as its pages read them.

The schemas are the recorded answers' field names and types. They leave room for more fields: what a page does not
know it does not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.server.site import Site, check_problem

from missioncontrol.fleet.agent_workspaces import FoundWorkspaces, Owned
from missioncontrol.fleet.sentry import read_report
from missioncontrol.watch.tree import look

pytestmark = pytest.mark.anyio

STR: dict[str, Any] = {"type": "string"}
NUM: dict[str, Any] = {"type": "number"}
BOOL: dict[str, Any] = {"type": "boolean"}
TIME: dict[str, Any] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}


def obj(**fields: Any) -> dict[str, Any]:
    """Describe an object; a field whose name ends with `_or_null` may be null."""
    properties = {
        name.removesuffix("_or_null"): (
            {"anyOf": [schema, {"type": "null"}]} if name.endswith("_or_null") else schema
        )
        for name, schema in fields.items()
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


AGENT = obj(
    id=STR,
    name=STR,
    role=STR,
    codename_or_null=STR,
    division_or_null=STR,
    specialties={"type": "array"},
    status=STR,
    lastActive_or_null=STR,
    stats=obj(tasksCompleted=NUM, tasksActive=NUM),
)
FILE = obj(
    path=STR, relativePath=STR, name=STR, extension=STR, size=NUM, created=TIME, modified=TIME, agentId=STR
)
FILE_WATCH = obj(
    isWatching=BOOL,
    watchedDirectories={"type": "array", "items": obj(path=STR, relativePath=STR)},
    trackedFiles=NUM,
    timestamp=TIME,
)
SUMMARY = obj(pending=NUM, completed=NUM, critical=NUM, high=NUM, total=NUM)
TASK = obj(id=STR, description=STR, status=STR, priority=STR, created=STR, updated=STR)
LEAD_SUMMARY = obj(
    totalLeads=NUM,
    averageScore=NUM,
    tierDistribution=obj(P0=NUM, P1=NUM, P2=NUM, P3=NUM),
    scoredAt_or_null=STR,
)
OPPORTUNITY_SUMMARY = obj(
    totalOpportunities=NUM, averageScore=NUM, highPriority=NUM, mediumPriority=NUM, lowPriority=NUM
)

ROUTES: dict[str, dict[str, Any]] = {
    "/api/health": obj(status=STR, timestamp=TIME, services=obj(fileWatcher=BOOL, taskQueue=BOOL)),
    "/api/agents": array(AGENT),
    "/api/agents/scout": AGENT,
    "/api/agents/SCOUT": AGENT,
    "/api/agents/scout/files": array(FILE),
    "/api/files/agents/scout": array(FILE),
    "/api/files/agents/scout?since=2001-01-01T00:00:00Z": array(FILE),
    "/api/files/activity?limit=50": array(obj(path=STR, relativePath=STR, modified=TIME, hash_or_null=STR)),
    "/api/files/watch": FILE_WATCH,
    "/api/system/status": obj(
        system=obj(gatewayStatus=STR, gatewayPid_or_null=NUM, lastCheck_or_null=STR, uptime_or_null={}),
        sessions=obj(total=NUM, active=NUM, failed=NUM, mainSession_or_null={}),
        agents=obj(deployed={"type": "array"}, pending={"type": "array"}),
        alerts={"type": "array"},
        fileWatcher=FILE_WATCH,
        taskQueue=SUMMARY,
    ),
    "/api/system/events?limit=50": array(
        obj(id=NUM, type=STR, data={"type": "object"}, timestamp=TIME, _timestamp=TIME)
    ),
    "/api/tokens": obj(
        lastUpdated=TIME,
        totalTokens=NUM,
        totalCost=NUM,
        period={"const": "all"},
        agents=array(
            obj(name=STR, role=STR, tokens=NUM, tokensIn=NUM, tokensOut=NUM, cost=NUM, sessions=NUM)
        ),
        summary=obj(today=obj(cost=NUM, tokens=NUM)),
        dailyUsage=array(obj(date=STR, tokens=NUM, cost=NUM, sessions=NUM)),
        recentSessions=array(obj(sessionId=STR, agent=STR, timestamp=TIME, tokens=NUM, cost=NUM)),
        meta=obj(sessionCount=NUM, agentCount=NUM),
    ),
    "/api/leads": obj(
        success={"const": True},
        scoredLeads=array(obj(company=STR, totalScore=NUM, priorityTier=STR)),
        summary=LEAD_SUMMARY,
        lastUpdated_or_null=STR,
    ),
    "/api/opportunities": obj(
        success={"const": True},
        opportunities=array(obj(id=STR, title=STR, score=NUM)),
        top5=array(obj(id=STR, score=NUM)),
        summary=OPPORTUNITY_SUMMARY,
        lastUpdated=TIME,
    ),
    "/api/logs/activity?limit=100": obj(
        success={"const": True},
        logs=array(obj(timestamp=TIME, agent_or_null=STR, type=STR, message=STR, sessionId_or_null=STR)),
        meta=obj(total=NUM, returned=NUM, limit=NUM, timestamp=TIME),
    ),
    "/api/tasks": obj(tasks=array(TASK)),
    "/api/tasks/summary": SUMMARY,
    "/api/tasks/TASK-0001": TASK,
}


@pytest.fixture
async def earlier(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A site over a workspace on disk, with one of everything that the earlier system's pages show."""
    folder = tmp_path / "mission-control"
    for name, content in {
        "agents/scout/SOUL.md": "**Name:** Scout\n",
        "agents/scout/reports/first.md": "# First\n",
        "agents/scout/.secret": "hidden",
        "data/opportunities.json": msgspec.json.encode(
            {"opportunities": [{"id": f"o{n}", "title": f"T{n}", "score": n * 20} for n in range(6)]}
        ).decode(),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    site = Site(tmp_path)
    site.known_files.update(
        (path, signature)
        for path, signature in look(tmp_path, ["mission-control/agents/scout/reports/first.md"]).items()
        if signature is not None
    )
    site.sources["files"] = {"status": "running"}
    scout = {"id": "scout", "name": "Scout", "status": "busy", "activeProjects": [{"id": "p"}]}
    await site.tell("agent:statusChange", agentId="scout", status="busy", agent=scout)
    await site.tell("agent:statusChange", agentId="bare", status="unknown")
    async with site.client() as client:
        await client.post("/api/tasks", json={"description": "Look"})
    lead = {
        "id": "l1",
        "leadId": "l1",
        "company": "Acme",
        "totalScore": 81,
        "score": 81,
        "priorityTier": "P1",
    }
    await site.tell("lead:added", lead=lead)
    await site.tell("lead:added", lead={"id": "l2", "company": "Plain", "score": 10})
    use = {
        "session": "s1",
        "runtime": "openclaw",
        "model": "m",
        "day": "2026-11-23",
        "tokens": 100,
        "input": 60,
        "output": 25,
        "cacheRead": 10,
        "cacheWrite": 5,
        "calls": 1,
        "cost": 0.5,
        "costSource": "transcript",
    }
    await site.tell(
        "token:usage", agent="scout", tokens=100, cost=0.5, session={"id": "s1"}, delta={"uses": [use]}
    )
    yield site
    site.hub.close()


@pytest.fixture
async def page(earlier: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with earlier.client() as client:
        yield client


async def get(page: httpx.AsyncClient, path: str) -> Any:
    response = await page.get(path)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("path", ROUTES)
async def test_each_route_has_the_shape_that_the_earlier_pages_read(
    page: httpx.AsyncClient, path: str
) -> None:
    Draft202012Validator(ROUTES[path]).validate(await get(page, path))


async def test_an_agent_has_what_pages_count_without_asking(page: httpx.AsyncClient) -> None:
    agents = {agent["id"]: agent for agent in await get(page, "/api/agents")}
    assert agents["scout"]["stats"] == {"tasksCompleted": 0, "tasksActive": 1}
    assert (agents["bare"]["role"], agents["bare"]["status"]) == ("Unknown", "offline")


async def test_the_files_of_an_agent_are_those_on_disk(
    page: httpx.AsyncClient, earlier: Site, tmp_path: Path
) -> None:
    files = await get(page, "/api/agents/scout/files")
    names = {file["name"]: file for file in files}
    assert names.keys() == {"SOUL.md", "first.md"}
    report = names["first.md"]
    assert report["path"] == str(tmp_path / report["relativePath"])
    assert (report["extension"], report["size"], report["agentId"]) == (".md", 8, "scout")
    assert await get(page, "/api/agents/no-such-agent/files") == []
    (tmp_path / report["relativePath"]).unlink()
    assert [file["name"] for file in await get(page, "/api/agents/scout/files")] == ["SOUL.md"]


async def test_only_files_modified_after_a_time_are_listed(page: httpx.AsyncClient, tmp_path: Path) -> None:
    old = tmp_path / "mission-control/agents/scout/SOUL.md"
    os.utime(old, (1_000_000_000, 1_000_000_000))
    files = await get(page, "/api/files/agents/scout?since=2020-01-01T00:00:00Z")
    assert [file["name"] for file in files] == ["first.md"]
    check_problem(await page.get("/api/files/agents/scout?since=yesterday"), 400, "bad_request")


async def test_a_link_out_of_the_workspace_lists_nothing(page: httpx.AsyncClient, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tmp_path / "mission-control/agents/link").symlink_to(outside)
    assert await get(page, "/api/agents/link/files") == []
    assert await get(page, "/api/agents/%2E%2E/files") == []
    assert (await page.get("/api/agents/..%2f..%2f..%2fetc/files")).status_code == 404
    refused = await page.post("/api/files/refresh", json={"path": "mission-control/agents/link"})
    assert refused.status_code == 404


async def test_refreshing_a_folder_lists_it_and_has_it_scanned_again(
    page: httpx.AsyncClient, earlier: Site, tmp_path: Path
) -> None:
    for path in ("mission-control/agents/scout", str(tmp_path / "mission-control/agents/scout")):
        response = await page.post("/api/files/refresh", json={"path": path})
        assert response.status_code == 200
        Draft202012Validator(array(FILE)).validate(response.json())
    assert earlier.rescanned == ["mission-control/agents/scout"] * 2


@pytest.mark.parametrize("body", [{}, {"path": ""}, {"path": 7}, []])
async def test_refreshing_without_a_path_is_refused(page: httpx.AsyncClient, body: Any) -> None:
    problem = check_problem(await page.post("/api/files/refresh", json=body), 400, "bad_request")
    assert problem["error"] == "Path required"


@pytest.mark.parametrize("path", ["..", "/etc", "mission-control/none", "a\0b", "../" * 30])
async def test_refreshing_what_is_no_folder_of_the_workspace_is_refused(
    page: httpx.AsyncClient, path: str
) -> None:
    check_problem(await page.post("/api/files/refresh", json={"path": path}), 404, "not_found")


async def test_the_content_of_a_file_is_shown_as_plain_text_or_an_image(
    page: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = tmp_path / "mission-control/agents/scout"
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    for name, content, media_type in [
        ("a.md", b"# One \xff", "text/plain; charset=utf-8"),
        ("a.html", b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain; charset=utf-8"),
        ("a.png", png, "image/png"),
        ("not-an-image.png", b"text", "text/plain; charset=utf-8"),
    ]:
        (folder / name).write_bytes(content)
        response = await page.get(
            "/api/files/content", params={"path": f"mission-control/agents/scout/{name}"}
        )
        assert (response.status_code, response.headers["content-type"]) == (200, media_type)
        assert "sandbox" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.content == ("# One ÿ".encode() if name == "a.md" else content)


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("a.bin", b"a\0b", 415, "unsupported_media_type"),
        ("a.txt", b"a" * (1024 * 1024 + 1), 413, "too_large"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(8 * 1024 * 1024), 413, "too_large"),
        (".hidden", b"a", 404, "not_found"),
    ],
)
async def test_what_cannot_be_shown_is_refused(
    page: httpx.AsyncClient, tmp_path: Path, name: str, content: bytes, status: int, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    check_problem(await page.get("/api/files/content", params={"path": name}), status, code)


@pytest.mark.parametrize(
    "path", ["", "..", "../secret", "/etc/passwd", "none", "link", "mission-control", "a\0"]
)
async def test_what_is_no_file_of_the_workspace_has_no_content(
    page: httpx.AsyncClient, tmp_path: Path, path: str
) -> None:
    (tmp_path.parent / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path.parent / "secret")
    response = await page.get("/api/files/content", params={"path": path})
    assert response.status_code == 404
    assert b"secret" not in response.content.replace(b"../secret", b"")


@pytest.fixture
def own_workspace(earlier: Site, tmp_path: Path) -> Path:
    """Make a workspace of the agent Scout next to the watched one."""
    folder = tmp_path.parent / f"{tmp_path.name}-scout"
    (folder / "memory").mkdir(parents=True)
    (folder / "IDENTITY.md").write_text("- **Name:** Scout")
    (folder / "memory/day.md").write_text("# Today")
    (folder / ".secret").write_text("hidden")
    (folder / "out").symlink_to(tmp_path.parent)
    owned = {f"../{folder.name}": Owned("scout", folder.stat().st_ino)}
    earlier.agent_workspaces.replace(FoundWorkspaces(owned, None, 0))
    return folder


async def test_the_files_in_an_agents_own_workspace_are_listed_and_shown(
    page: httpx.AsyncClient, tmp_path: Path, own_workspace: Path
) -> None:
    for address in ("/api/agents/scout/files", "/api/files/agents/Scout"):
        files = {file["name"]: file for file in await get(page, address)}
        assert files.keys() == {"SOUL.md", "first.md", "IDENTITY.md", "day.md"}
        day = files["day.md"]
        assert day["path"] == str(own_workspace / "memory/day.md")
        assert day["relativePath"] == f"../{own_workspace.name}/memory/day.md"
        assert day["agentId"] == "scout"
    for path in (day["path"], day["relativePath"]):
        assert (await page.get("/api/files/content", params={"path": path})).text == "# Today"
    for path in (f"../{own_workspace.name}", str(own_workspace / "memory")):
        response = await page.post("/api/files/refresh", json={"path": path})
        assert {file["agentId"] for file in response.json()} == {"scout"}
    watched = (await get(page, "/api/files/watch"))["watchedDirectories"]
    assert watched[1] == {"path": str(own_workspace), "relativePath": f"../{own_workspace.name}"}


@pytest.mark.parametrize(
    "path", ["{}/.secret", "{}/out/secret", "{}/../secret", "{}s/a.md", "{}", "{}/memory", "../secret"]
)
async def test_nothing_else_outside_of_the_workspace_is_shown(
    page: httpx.AsyncClient, tmp_path: Path, own_workspace: Path, path: str
) -> None:
    (tmp_path.parent / "secret").write_text("secret")
    for start in (f"../{own_workspace.name}", str(own_workspace)):
        response = await page.get("/api/files/content", params={"path": path.format(start)})
        assert response.status_code == 404


@pytest.mark.parametrize(
    "path", ["memory/2026-11-30.md", "mission-control/PENDING_TASKS.md", "mission-control/TASK_QUEUE.md"]
)
async def test_notes_next_to_the_queue_are_listed_and_shown(
    page: httpx.AsyncClient, tmp_path: Path, path: str
) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("# Pending")
    assert (await page.get("/api/files/content", params={"path": path})).text == "# Pending"
    folder = path.rpartition("/")[0]
    listed = (await page.post("/api/files/refresh", json={"path": folder})).json()
    assert path in [file["relativePath"] for file in listed]


async def test_the_summary_names_the_file_that_is_the_queue(page: httpx.AsyncClient, earlier: Site) -> None:
    assert (await get(page, "/api/tasks/summary"))["queueFile"] is None
    earlier.queue.path = "mission-control/TASK_QUEUE.md"
    assert (await get(page, "/api/tasks/summary"))["queueFile"] == "mission-control/TASK_QUEUE.md"
    assert (await get(page, "/api/tasks"))["summary"]["queueFile"] == "mission-control/TASK_QUEUE.md"
    status = await get(page, "/api/system/status")
    assert status["taskQueue"]["queueFile"] == "mission-control/TASK_QUEUE.md"


async def test_scored_leads_are_the_scored_ones_with_the_best_first(page: httpx.AsyncClient) -> None:
    leads = await get(page, "/api/leads")
    assert [lead["company"] for lead in leads["scoredLeads"]] == ["Acme"]
    assert leads["summary"]["tierDistribution"] == {"P0": 0, "P1": 1, "P2": 0, "P3": 0}
    assert (leads["summary"]["averageScore"], leads["summary"]["totalLeads"]) == (81.0, 1)
    assert [lead["id"] for lead in leads["leads"]] == ["l1", "l2"]


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"caf\xe9 \x80 \x81", "café € \\x81", "windows-1252"),
        ("café".encode() + b"\xe9", "café\\xe9", "utf-8"),
        ("café".encode(), "café", "utf-8"),
    ],
    ids=["Windows-1252", "UTF-8 that is damaged", "UTF-8"],
)
async def test_text_that_is_not_utf_8_is_read_as_what_it_most_likely_is(
    page: httpx.AsyncClient, tmp_path: Path, data: bytes, text: str, encoding: str
) -> None:
    (tmp_path / "mission-control/agents/scout/text.txt").write_bytes(data)
    response = await page.get("/api/files/content", params={"path": "mission-control/agents/scout/text.txt"})
    assert (response.text, response.headers["x-encoding"]) == (text, encoding)
    assert response.headers["x-size"] == str(len(data))


async def test_as_many_files_are_tracked_as_are_listed(page: httpx.AsyncClient) -> None:
    listed = await page.get("/api/files/activity?limit=1")
    watch = await get(page, "/api/files/watch")
    assert str(watch["trackedFiles"]) == listed.headers["x-total-count"] != "0"


async def test_the_five_best_opportunities_come_first(page: httpx.AsyncClient) -> None:
    found = await get(page, "/api/opportunities")
    assert [one["id"] for one in found["top5"]] == ["o5", "o4", "o3", "o2", "o1"]
    assert found["summary"] == {
        "totalOpportunities": 6,
        "averageScore": 50.0,
        "highPriority": 2,
        "mediumPriority": 1,
        "lowPriority": 3,
    }


async def test_without_a_file_of_opportunities_there_are_none(
    page: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "mission-control/data/opportunities.json"
    file.unlink()
    found = await get(page, "/api/opportunities")
    assert (found["success"], found["opportunities"], found["top5"]) == (False, [], [])
    for broken in (b"", b"{", b"7", b'{"opportunities": 7}', b"\xff", b"[" * 100_000):
        file.write_bytes(broken)
        problem = check_problem(await page.get("/api/opportunities"), 503, "unavailable")
        assert "opportunities.json" in problem["detail"]


async def test_while_the_file_of_opportunities_cannot_be_read_they_are_those_of_before(
    page: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "mission-control/data/opportunities.json"
    whole = await get(page, "/api/opportunities")
    assert whole["note"] is None
    for broken in (b"", b'{"opportunities": [{"id": "o1", ', b"\xff"):
        file.write_bytes(broken)
        found = await get(page, "/api/opportunities")
        assert "opportunities.json cannot be used as it is" in found["note"]
        assert {**found, "note": None} == whole
    file.write_text('{"opportunities": []}')
    assert (await get(page, "/api/opportunities"))["note"] is None


async def test_a_score_that_is_written_as_a_text_counts(page: httpx.AsyncClient, tmp_path: Path) -> None:
    scores = ["85", "60.5", " 100 ", "high", "nan", "inf", True, None, 7]
    file = tmp_path / "mission-control/data/opportunities.json"
    file.write_bytes(msgspec.json.encode([{"id": str(score), "score": score} for score in scores]))
    found = await get(page, "/api/opportunities")
    assert [one["score"] for one in found["top5"][:4]] == [" 100 ", "85", "60.5", 7]
    assert (found["summary"]["highPriority"], found["summary"]["mediumPriority"]) == (2, 1)


async def test_tokens_in_and_out_add_up(page: httpx.AsyncClient) -> None:
    tokens = await get(page, "/api/tokens")
    (scout,) = tokens["agents"]
    assert (scout["tokensIn"], scout["tokensOut"], scout["tokens"]) == (75, 25, 100)
    assert (scout["name"], scout["sessions"]) == ("Scout", 1)
    assert [(day["date"], day["tokens"]) for day in tokens["dailyUsage"]] == [("2026-11-23", 100)]
    assert tokens["recentSessions"][0]["sessionId"] == "s1"


async def test_all_sessions_of_an_agent_are_counted_not_only_the_newest(
    page: httpx.AsyncClient, earlier: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"old-{number}": "scout" for number in range(499)} | {"s1": "scout", "other": "quill"}
    monkeypatch.setattr(earlier.service.tokens, "agents_of_sessions", lambda: known)
    tokens = await get(page, "/api/tokens")
    scout = next(agent for agent in tokens["agents"] if agent["id"] == "scout")
    assert scout["sessions"] == 500
    assert tokens["meta"]["sessionCount"] == 501


async def test_the_activity_log_has_sentences(page: httpx.AsyncClient) -> None:
    log = await get(page, "/api/logs/activity?limit=2")
    assert log["meta"]["returned"] == 2
    assert log["meta"]["total"] == 6
    assert log["logs"][0]["agent"] == "scout"
    assert log["logs"][0]["sessionId"] == "s1"
    assert "100 tokens" in log["logs"][0]["message"]


async def test_the_activity_log_can_be_narrowed_and_read_on(page: httpx.AsyncClient) -> None:
    every = await get(page, "/api/logs/activity")
    assert every["meta"]["next"] is None
    found: list[int] = []
    path = "/api/logs/activity?limit=2"
    while True:
        log = await get(page, path)
        found += [entry["id"] for entry in log["logs"]]
        if log["meta"]["next"] is None:
            break
        path = f"/api/logs/activity?limit=2&before={log['meta']['next']}"
    assert found == [entry["id"] for entry in every["logs"]] == sorted(found, reverse=True)
    tokens = await get(page, "/api/logs/activity?events=token")
    assert {entry["type"] for entry in tokens["logs"]} == {"token:usage"}
    assert (await page.get("/api/logs/activity?events=")).status_code == 400
    assert (await page.get("/api/logs/activity?before=x")).status_code == 400


async def test_the_gateway_is_as_sentry_reports_it(page: httpx.AsyncClient, earlier: Site) -> None:
    assert (await get(page, "/api/system/status"))["system"]["gatewayStatus"] == "unknown"
    details = {"gatewayPid": 4375, "uptime": 12, "sessions": {"total": 12, "active": 11, "failed": 1}}
    await earlier.tell("system:status", status="running", details=details)
    status = await get(page, "/api/system/status")
    assert status["system"]["gatewayStatus"] == "running"
    assert (status["system"]["gatewayPid"], status["system"]["uptime"]) == (4375, 12)
    assert status["sessions"] == {"total": 12, "active": 11, "failed": 1, "mainSession": None}
    assert status["agents"] == {"deployed": [], "pending": []}


async def test_what_sentry_reports_is_there_as_it_wrote_it(page: httpx.AsyncClient, earlier: Site) -> None:
    alert = {"level": "warning", "id": "SEC-002", "message": "Old", "timestamp": "2026-11-23T10:00:00Z"}
    system = {
        "gatewayStatus": "running",
        "gatewayPid": 999,
        "lastCheck": "2026-11-30T10:00:00Z",
        "uptime": "4 days",
    }
    agents = {"deployed": ["a", "b"], "pending": []}
    written = {"system": system, "sessions": {"total": 20}, "agents": agents, "alerts": [alert]}
    report = read_report(json.dumps(written).encode())
    # What the log has of it is older, and the gateway itself cannot be reached.
    await earlier.tell("system:status", status="unreachable", details={"gatewayPid": 4375})
    await earlier.tell("system:alert", level="critical", message="Ours")
    earlier.service.sentry = lambda: report
    status = await get(page, "/api/system/status")
    assert status["system"] == {**system, "gatewayStatus": "unreachable"}
    assert status["sessions"] == {"total": 20, "active": 0, "failed": 0, "mainSession": None}
    assert (status["agents"], status["alerts"]) == (agents, [alert])


async def test_metrics_say_how_much_history_there_may_be(page: httpx.AsyncClient) -> None:
    response = await page.get("/metrics", headers={"accept": "application/json"})
    metrics = response.json()
    assert metrics["messages"] == {"historySize": 6, "maxHistory": 100}
    assert metrics["clients"].keys() == {"total", "max"}


ARRAYS = [path for path, schema in ROUTES.items() if schema.get("type") == "array"]


@pytest.mark.parametrize("path", ARRAYS)
async def test_an_array_says_how_many_there_are_and_leads_on(page: httpx.AsyncClient, path: str) -> None:
    whole = await page.get(path)
    assert len(whole.json()) == int(whole.headers["x-total-count"])
    assert "link" not in whole.headers
    base = path.partition("?")[0]
    link: str | None = f"{base}?limit=1"
    found = []
    while link is not None:
        response = await page.get(link)
        found += response.json()
        assert int(response.headers["x-total-count"]) == len(whole.json())
        link = response.links.get("next", {}).get("url")
    assert found == whole.json()
