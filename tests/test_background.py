"""Background tasks go on after a failure, and what fails shows."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

import missioncontrol
from missioncontrol import background
from missioncontrol.background import BackgroundTasks

pytestmark = pytest.mark.anyio

SOURCES = Path(missioncontrol.__file__).parent

AWAITED = {
    "app/mission_control.py": "the stop and the restart are awaited by the stop",
    "app/http_server.py": "the ticker is awaited at the end of the drain",
    "app/cluster.py": "the lease: each turn catches what fails, and reports it",
    "background.py": "supervised",
    "cli/": "a command's own: they end with it",
    "client/": "the client library's: `Client` awaits them and raises what they raise",
    "hub/connection.py": "catching up catches everything; a request's failure closes the connection",
    "search/search.py": "follows the log: catches everything, and reports it",
    "server/event_stream.py": "awaited by the request",
    "server/mcp/endpoint.py": "awaited by the requests",
    "server/mcp/protocol.py": "reports its end, after which the next request begins another one",
    "fleet/files.py": "the source awaits its walk",
    "fleet/gateway.py": "task groups of the source",
    "runtimes/openclaw/gateway.py": "task groups of the source",
    "fleet/hooks.py": "a report: its failure is counted",
    "watch/notifications.py": "following moves: its failure ends the watch, which is begun again",
    "fleet/tasks/rounds.py": "a check: those who ask await it",
    "fleet/tasks/sync.py": "a round: the source awaits it",
    "fleet/supervisor.py": "the sources themselves, and their alerts, whose failures are logged",
    "fleet/usage/transcript_watcher.py": "a watch: falls back on polling when it fails",
    "fleet/watcher.py": "a task group of the source",
    "notify/notifier.py": "a task group of the notifier",
    "server/routes/tasks.py": "the route that creates a task",
    "store/": "tasks of the log, which look after themselves",
}
"""Where tasks are created, and why none of them can die silently."""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(background, "WELL_SECONDS", 0.05)


def test_every_task_that_is_created_is_awaited_or_supervised() -> None:
    creating: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".create_task"):
                creating.add(path.relative_to(SOURCES).as_posix())
    unknown = {path for path in creating if not path.startswith(tuple(AWAITED))}
    assert unknown == set(), "run it with BackgroundTasks, or say here who awaits it"


async def test_a_task_that_fails_is_run_again_and_shows_until_it_is_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks, runs = BackgroundTasks(), list[int]()

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ValueError("not yet")
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        tasks.keep("work", work)
        await until(lambda: len(runs) == 2)
        health = tasks.health()["work"]
        assert (health.status, health.error) == ("failed", "ValueError: not yet")
        await until(lambda: tasks.health()["work"].status == "ok")
    assert tasks.health()["work"].failures == 2
    assert caplog.text.count("ValueError: not yet") == 2
    await tasks.stop()


async def test_a_task_that_ends_by_itself_is_run_again() -> None:
    tasks, runs = BackgroundTasks(), list[int]()

    async def work() -> None:
        runs.append(1)

    tasks.keep("work", work)
    await until(lambda: len(runs) == 3)
    assert tasks.health()["work"].error == "it ended by itself"
    await tasks.stop()


async def test_a_failure_of_what_is_run_once_shows_until_the_next_of_its_name_succeeds() -> None:
    tasks = BackgroundTasks()

    async def work(error: Exception | None) -> None:
        if error is not None:
            raise error

    await tasks.begin("saved state", work(None))
    assert tasks.health() == {}
    await tasks.begin("saved state", work(OSError(28, "No space left on device", "/data/state")))
    assert tasks.health()["saved state"].error == "No space left on device: /data/state"
    await tasks.begin("saved state", work(None))
    assert tasks.health()["saved state"].status == "ok"


async def test_a_stop_ends_all_tasks_and_does_not_wait_for_one_that_will_not() -> None:
    tasks, ended, go_on = BackgroundTasks(), list[str](), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await go_on.wait()

    tasks.keep("work", work)
    left = tasks.begin("stubborn", stubborn())
    await asyncio.sleep(0)
    await tasks.stop(seconds=0.05)
    assert ended == ["work"]
    assert not left.done()
    go_on.set()
    await left
