"""A real server over an install of OpenClaw whose agents have workspaces of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.runtimes.installs import install

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PATIENCE = 20.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """OpenClaw's state folder, with a workspace for each of its three agents and notes in each."""
    state = install(tmp_path, "2026.9.6-sqlite")
    config = (state / "openclaw.json").read_text()
    (state / "openclaw.json").write_text(config.replace("/home/user/.openclaw", str(state)))
    for name in ("workspace", "workspace-scout", "workspace-forge"):
        (state / name / "memory").mkdir(parents=True)
        (state / name / "AGENTS.md").write_text("# AGENTS.md\n")
        (state / name / "memory/2026-11-29.md").write_text(f"# {name}\n")
    (state / "workspace-scout/IDENTITY.md").write_text(
        "# IDENTITY.md\n\n- **Name:** Lens\n- **Role:** Reader\n"
    )
    (state / "workspace/mission-control/agents/bare").mkdir(parents=True)
    (state / "workspace/mission-control/TASK_QUEUE.json").write_text('{"tasks": [], "nextId": 1}')
    (state / "workspace/mission-control/TASK_QUEUE.md").write_text("# Old queue\n")
    return state


def get(server: ServerProcess, address: str, **params: str) -> Any:
    response = httpx.get(f"{server.url}{address}", params=params)
    response.raise_for_status()
    return response.json() if response.headers["content-type"] == "application/json" else response.text


def until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "it has not come about in time"
        sleep(0.1)


def changes(server: ServerProcess) -> list[tuple[str, str, str]]:
    events = get(server, "/api/system/events", events="file:change", limit="100")
    return [(data["action"], data["path"], data["agentId"]) for data in (event["data"] for event in events)]


def names(server: ServerProcess, agent: str) -> set[str]:
    return {file["relativePath"] for file in get(server, f"/api/agents/{agent}/files")}


def test_every_agents_files_are_listed_watched_and_shown(state: Path) -> None:
    with start_server(state / "workspace") as server:
        until(
            lambda: (
                {agent["id"] for agent in get(server, "/api/agents")} == {"bare", "forge", "main", "scout"}
            )
        )
        agents = {agent["id"]: agent for agent in get(server, "/api/agents")}
        assert (agents["scout"]["name"], agents["scout"]["role"]) == ("Lens", "Reader")
        assert agents["bare"]["status"] == "offline"
        assert get(server, "/api/agents/Lens/files")[0]["agentId"] == "scout"
        assert names(server, "scout") == {
            "../workspace-scout/AGENTS.md",
            "../workspace-scout/IDENTITY.md",
            "../workspace-scout/memory/2026-11-29.md",
        }
        day = "../workspace-forge/memory/2026-11-29.md"
        assert get(server, "/api/files/content", path=day) == "# workspace-forge\n"
        known = {file["relativePath"] for file in get(server, "/api/files/activity", limit="100")}
        assert {day, "mission-control/TASK_QUEUE.md", "memory/2026-11-29.md"} <= known
        for path in ("../openclaw.json", str(state / "openclaw.json"), "../agents/scout/agent/a"):
            refused = httpx.get(f"{server.url}/api/files/content", params={"path": path})
            assert refused.status_code == 404
            assert "dummy-token" not in refused.text
        # A first start is state, and no flood of events.
        assert changes(server) == []
        (state / "workspace-forge/memory/2026-11-30.md").write_text("# Today\n")
        (state / "workspace/mission-control/TASK_QUEUE.md").write_text("# Changed\n")
        until(lambda: len(changes(server)) == 2)
        assert set(changes(server)) == {
            ("created", "../workspace-forge/memory/2026-11-30.md", "forge"),
            ("modified", "mission-control/TASK_QUEUE.md", None),
        }
        assert get(server, "/api/tasks/summary")["queueFile"] == "mission-control/TASK_QUEUE.json"
        assert get(server, "/health")["status"] == "ok"


def test_workspaces_that_come_and_go_are_followed_over_a_restart(state: Path) -> None:
    with start_server(state / "workspace") as server:
        until(lambda: len(names(server, "forge")) == 2)
        config = json.loads((state / "openclaw.json").read_text())
        config["agents"]["entries"]["quill"] = {"workspace": str(state.parent / "elsewhere/quill")}
        (state.parent / "elsewhere/quill").mkdir(parents=True)
        (state / "openclaw.json").write_text(json.dumps(config))
        (state.parent / "elsewhere/quill/SOUL.md").write_text("**Name:** Quill\n")
        until(lambda: ("created", "../../elsewhere/quill/SOUL.md", "quill") in changes(server))
        until(lambda: "Quill" in {agent["name"] for agent in get(server, "/api/agents")})
        server.kill()
        shutil.rmtree(state / "workspace-scout")
        (state.parent / "elsewhere/quill/notes.md").write_text("while nobody watched")
        server.restart()
        until(lambda: len(changes(server)) == 5)
        assert set(changes(server)[:4]) == {
            ("created", "../../elsewhere/quill/notes.md", "quill"),
            ("deleted", "../workspace-scout/AGENTS.md", "scout"),
            ("deleted", "../workspace-scout/IDENTITY.md", "scout"),
            ("deleted", "../workspace-scout/memory/2026-11-29.md", "scout"),
        }
        until(lambda: "Lens" not in {agent["name"] for agent in get(server, "/api/agents")})
        assert get(server, "/health")["status"] == "ok"
