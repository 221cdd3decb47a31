"""The simulated fleet of `demo` lives on whatever its users do with its files and tasks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event
from missioncontrol.temporary import LEFT_OVER_SECONDS
from tests.process.started import Started, clean_environment

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(180)]


class Demo:
    """A running demo, seen as its users see it."""

    def __init__(self, started: Started, folder: Path, http: aiohttp.ClientSession) -> None:
        self.started = started
        self.folder = folder
        self.http = http

    @property
    def queue(self) -> Path:
        return self.folder / "mission-control" / "TASK_QUEUE.json"

    def home(self, agent: str) -> Path:
        return self.folder / "mission-control" / "agents" / agent

    async def lives_on(self, count: int = 2) -> None:
        """Wait until agents have done something from now on."""
        async with asyncio.timeout(60), Client(self.started.url, events="agent:statusChange") as client:
            seen = 0
            async for item in client:
                if isinstance(item, Event):
                    seen += 1
                    if seen == count:
                        return

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await condition():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)


@asynccontextmanager
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    folder = tmp_path / "fleet"
    arguments = ["demo", "--workspace", str(folder), "--port", "0", "--ws-port", "none"]
    with Started(arguments, env=clean_environment(tmp_path), folder=tmp_path) as started:
        started.ready()
        async with aiohttp.ClientSession(started.url) as http:
            running = Demo(started, folder, http)
            yield running

            async def well() -> bool:
                async with http.get("/health") as health:
                    return health.status == 200

            # A source that failed with the workspace is back after a moment.
            await running.until(well)
        started.signal(signal.SIGTERM)
        assert started.status() == 0
        # A source that fails with the workspace is started again; the simulation has nothing to be surprised at.
        surprises = [
            line for line in started.stderr.splitlines() if "Traceback" in line and "app.simulation" in line
        ]
        assert not surprises, surprises


async def test_the_simulation_outlives_many_tasks_that_users_add_complete_and_delete(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.lives_on()

        async def use(number: int) -> None:
            for step in range(15):
                task = await running.call("POST", "/api/tasks", {"description": f"mine {number}.{step}"})
                id_ = task.get("id") or task["task"]["id"]
                if step % 3 == 0:
                    await running.call("PATCH", f"/api/tasks/{id_}", {"status": "completed"})
                elif step % 3 == 1:
                    await running.call("DELETE", f"/api/tasks/{id_}")

        await asyncio.gather(*(use(number) for number in range(4)))
        await running.lives_on()
        assert not list(running.folder.rglob(".*.tmp"))


async def test_an_agent_leaves_a_task_that_a_user_has_completed_deleted_or_given_away(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:

        async def tasks() -> dict[str, Any]:
            found = await running.call("GET", "/api/tasks?limit=500")
            return {task["id"]: task for task in found["tasks"]}

        async def work_of(count: int) -> list[dict[str, Any]]:
            async def enough() -> bool:
                working = [task for task in (await tasks()).values() if task["status"] == "in_progress"]
                return len(working) >= count

            await running.until(enough)
            return [task for task in (await tasks()).values() if task["status"] == "in_progress"]

        first, second, third = (await work_of(3))[:3]
        await running.call("DELETE", f"/api/tasks/{first['id']}")
        await running.call("PATCH", f"/api/tasks/{second['id']}", {"status": "cancelled"})
        other = next(agent for agent in ("forge", "quill") if agent != third["assignedTo"])
        await running.call("POST", f"/api/tasks/{third['id']}/assign", {"agentId": other})

        async def left() -> bool:
            states = [
                json.loads((running.home(task["assignedTo"]) / "state.json").read_text())
                for task in (first, second, third)
            ]
            current = [(state["current_task"] or {}).get("id") for state in states]
            return not {first["id"], second["id"], third["id"]} & set(current)

        await running.until(left)
        await running.lives_on(4)
        now = await tasks()
        assert first["id"] not in now
        assert now[second["id"]]["status"] == "cancelled"
        assert now[third["id"]]["assignedTo"] == other


async def test_what_users_write_into_the_files_of_the_fleet_is_kept(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        soul = running.home("scout") / "SOUL.md"
        soul.write_text("**Name:** Mine\n")
        shutil.rmtree(running.home("quill"))
        await running.lives_on(4)
        assert soul.read_text() == "**Name:** Mine\n"
        assert not running.home("quill").exists()
        running.home("quill").mkdir()

        async def back() -> bool:
            return (running.home("quill") / "state.json").exists()

        await running.until(back)


ABUSES: dict[str, Callable[[Demo], None]] = {}


def abuse(act: Callable[[Demo], None]) -> Callable[[Demo], None]:
    ABUSES[act.__name__] = act
    return act


@abuse
def the_queue_is_edited_to_hold_other_things(running: Demo) -> None:
    running.queue.write_text(
        json.dumps(
            {
                "tasks": [
                    7,
                    None,
                    {"id": 3},
                    {"status": "pending"},
                    {"id": "TASK-x", "status": "pending", "priority": 3},
                ],
                "nextId": "many",
                "history": 7,
            }
        )
    )


@abuse
def the_queue_is_deleted(running: Demo) -> None:
    running.queue.unlink(missing_ok=True)


@abuse
def the_leads_are_edited_to_hold_other_things(running: Demo) -> None:
    leads = running.folder / "mission-control" / "data" / "leads.json"
    leads.parent.mkdir(exist_ok=True)
    leads.write_text(
        json.dumps([1, {"id": 5}, {"id": "lead_x", "score": "high"}, {"id": "lead_9", "score": 3}])
    )


@abuse
def files_and_folders_of_agents_change_their_kind(running: Demo) -> None:
    for agent in ("scout", "forge", "atlas"):
        shutil.rmtree(running.home(agent))
    running.home("scout").write_text("a file")
    running.home("forge").mkdir()
    (running.home("forge") / "state.json").mkdir()
    running.home("atlas").symlink_to(running.folder / "nowhere")


@abuse
def all_transcripts_are_removed(running: Demo) -> None:
    shutil.rmtree(running.folder.with_name(f"{running.folder.name}-openclaw"))


@abuse
def all_agents_are_removed(running: Demo) -> None:
    shutil.rmtree(running.folder / "mission-control" / "agents")


@abuse
def the_whole_workspace_is_removed(running: Demo) -> None:
    shutil.rmtree(running.folder, ignore_errors=True)
    shutil.rmtree(running.folder, ignore_errors=True)


async def test_the_simulation_goes_on_whatever_happens_to_its_files(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.lives_on(1)
        for act in ABUSES.values():
            act(running)
            await running.lives_on()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("chattr") is None, reason="needs root and chattr")
async def test_the_simulation_waits_while_its_folder_is_read_only_and_goes_on_afterwards(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path) as running:
        await running.lives_on()
        homes = [str(running.home(agent.name)) for agent in running.home("scout").parent.iterdir()]
        setting = await asyncio.create_subprocess_exec("chattr", "+i", *homes)
        if await setting.wait():
            pytest.skip("this file system knows no immutable folders")
        try:

            async def failing() -> bool:
                return "simulation.step_failed" in running.started.stderr

            await running.until(failing)
        finally:
            await (await asyncio.create_subprocess_exec("chattr", "-i", *homes)).wait()
        await running.lives_on()


async def test_what_a_crashed_process_left_behind_is_removed_and_what_is_being_written_is_not(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "fleet" / "mission-control"
    folder.mkdir(parents=True)
    (tmp_path / "fleet" / ".mission-control-demo").touch()
    # No process has this id: it is above the highest that Linux gives.
    old, new = (folder / f".TASK_QUEUE.json.4194305-{part}.tmp" for part in ("00aa11bb22cc", "33dd44ee55ff"))
    alive = folder / f".TASK_QUEUE.json.{os.getpid()}-00aa11bb22cc.tmp"
    other = folder / ".TASK_QUEUE.json.mine.tmp"
    for path in (old, new, alive, other):
        path.write_text("{")
    for path in (old, alive, other):
        before = path.stat().st_mtime - LEFT_OVER_SECONDS - 5
        os.utime(path, (before, before))
    async with demo(tmp_path) as running:
        await running.lives_on()
        assert not old.exists()
        assert new.exists()
        assert alive.exists()
        assert other.exists()


def test_the_folder_of_a_demo_that_was_killed_is_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    env = clean_environment(tmp_path, TMPDIR=str(tmp_path / "tmp"))
    arguments = ["demo", "--port", "0", "--ws-port", "none"]

    def folders() -> list[Path]:
        return list((tmp_path / "tmp").glob("mission-control-demo-*"))

    with (
        Started(arguments, env=env, folder=tmp_path) as killed,
        Started(arguments, env=env, folder=tmp_path) as alive,
    ):
        killed.ready()
        alive.ready()
        killed.signal(signal.SIGKILL)
        assert killed.status() == -signal.SIGKILL
        assert len(folders()) == 2
        for folder in folders():
            os.utime(folder, (1_000_000_000, 1_000_000_000))
        with Started(arguments, env=env, folder=tmp_path) as next_:
            next_.ready()
            # That of the killed one is gone, that of the running one is not.
            assert len(folders()) == 2
            next_.signal(signal.SIGTERM)
            assert next_.status() == 0
        assert len(folders()) == 1
        alive.signal(signal.SIGTERM)
        assert alive.status() == 0
        assert folders() == []
