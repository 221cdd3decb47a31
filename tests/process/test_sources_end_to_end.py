"""What is written into a workspace is seen by everybody, also what was written while no server was there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event
from missioncontrol.testing import ServerProcess, start_server
from tests.process.history import read_log
from tests.process.traffic import TRANSPORTS

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(60)]

PATTERNS = ["agent", "file"]
SOON = 5.0
"""Seconds in which a change must be seen; a machine that is busy with other things has its time too."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with two agents and a few files."""
    folder = tmp_path / "workspace"
    for agent in ("scout", "sentry"):
        (folder / "agents" / agent).mkdir(parents=True)
        set_status(folder, agent, "idle")
    (folder / "agents" / "scout" / "SOUL.md").write_text("**Name:** Scout\n**Role:** Research\n")
    (folder / "notes").mkdir()
    for number in range(20):
        (folder / "notes" / f"{number}.md").write_text(f"note {number}")
    return folder


def set_status(workspace: Path, agent: str, status: str) -> None:
    """Write an agent's state as agents do: next to it, then renamed over it."""
    state = workspace / "agents" / agent / "state.json"
    beside = state.with_suffix(".tmp")
    beside.write_text(json.dumps({"status": status, "lastActive": "2026-11-23T10:15:00Z"}))
    beside.rename(state)


def is_status(event: Event, agent: str, status: str) -> bool:
    return (event.type, event.data.get("agentId"), event.data.get("status")) == (
        *("agent:statusChange", agent),
        status,
    )


def is_file(event: Event, action: str, path: str) -> bool:
    return (event.type, event.data.get("action"), event.data.get("path")) == ("file:change", action, path)


class Watch:
    """A running `mission-control watch --json`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def next(self) -> Event:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return Event(**line)


@asynccontextmanager
async def watching(url: str, since: str) -> AsyncIterator[Watch]:
    command = ["watch", *PATTERNS, "--json", "--url", url, "--since", since]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "missioncontrol.cli", *command), stdout=PIPE, stderr=PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            assert b"connected" in await process.stderr.readline()
        yield Watch(process)
    finally:
        process.kill()
        await process.communicate()


async def cursor_of(server: ServerProcess) -> str:
    async with Client(server.url) as client:
        await client.ready()
        return str(client.cursor)


async def test_a_status_and_a_file_are_seen_on_every_transport_and_in_the_terminal(workspace: Path) -> None:
    with start_server(workspace) as server:
        async with AsyncExitStack() as stack:
            watch = await stack.enter_async_context(watching(server.url, await cursor_of(server)))
            clients = [
                await stack.enter_async_context(Client(server.url, events=PATTERNS, transport=transport))
                for transport in TRANSPORTS
            ]
            await asyncio.gather(*(client.ready() for client in clients))

            async def next_of(client: Client) -> Event:
                item = await anext(client)
                assert isinstance(item, Event)
                return item

            async def seen_by_all() -> list[Event]:
                async with asyncio.timeout(SOON):
                    return list(await asyncio.gather(watch.next(), *(next_of(client) for client in clients)))

            set_status(workspace, "scout", "busy")
            told = await seen_by_all()
            assert all(is_status(event, "scout", "busy") for event in told), told
            assert told[0].data["previousStatus"] == "idle"
            (workspace / "notes" / "plan.md").write_text("a plan")
            told += (created := await seen_by_all())
            assert all(is_file(event, "created", "notes/plan.md") for event in created), created
            assert {event.data["size"] for event in created} == {6}
            (workspace / "notes" / "plan.md").unlink()
            deleted = await seen_by_all()
            assert all(is_file(event, "deleted", "notes/plan.md") for event in deleted), deleted
            # The same event is the same everywhere, to the letter.
            for each in (told[:4], created, deleted):
                assert len({json.dumps([event.id, event.time, event.data]) for event in each}) == 1
            assert not any(event.data.get("foundAtStart") for event in (*told, *deleted))
            async with aiohttp.ClientSession(server.url) as session, session.get("/api/agents") as answer:
                agents = await answer.json()
            assert {agent["id"]: agent["status"] for agent in agents} == {"scout": "busy", "sentry": "idle"}


async def test_what_changed_while_the_server_was_dead_is_told_after_its_restart(workspace: Path) -> None:
    with start_server(workspace) as server:
        async with Client(server.url, events=PATTERNS) as client:
            await client.ready()
            set_status(workspace, "scout", "busy")
            async with asyncio.timeout(SOON):
                first = await anext(client)
            assert isinstance(first, Event)
            assert is_status(first, "scout", "busy")
            await asyncio.to_thread(server.kill)
            set_status(workspace, "sentry", "error")
            (workspace / "notes" / "new.md").write_text("new")
            (workspace / "notes" / "1.md").write_text("something else")
            (workspace / "notes" / "2.md").unlink()
            (workspace / "notes" / "3.md").rename(workspace / "notes" / "three.md")
            await asyncio.to_thread(server.start)
            told: list[Event] = []
            async with asyncio.timeout(20):
                while len(told) < 6:
                    item = await anext(client)
                    assert isinstance(item, Event), item
                    told.append(item)
            assert all(event.data["foundAtStart"] is True for event in told), told
            assert [event for event in told if is_status(event, "sentry", "error")]
            changes = {(e.data["path"], e.data["action"]) for e in told if e.type == "file:change"}
            assert changes == {
                ("notes/new.md", "created"),
                ("notes/1.md", "modified"),
                ("notes/2.md", "deleted"),
                ("notes/3.md", "deleted"),
                ("notes/three.md", "created"),
            }
            # And once only: what comes next is something new.
            set_status(workspace, "sentry", "idle")
            async with asyncio.timeout(SOON):
                last = await anext(client)
            assert isinstance(last, Event)
            assert is_status(last, "sentry", "idle")
            assert not last.data.get("foundAtStart")


async def test_kills_while_files_change_tell_each_change_exactly_once(workspace: Path) -> None:
    files = [f"notes/made-{number}.md" for number in range(300)]
    created: list[str] = []
    with start_server(workspace) as server:
        async with Client(server.url, events=PATTERNS) as client:
            await client.ready()

            async def take() -> Event:
                async with asyncio.timeout(20):
                    item = await anext(client)
                assert isinstance(item, Event), item
                if item.data.get("action") == "created":
                    created.append(item.data["path"])
                return item

            for start in range(0, len(files), 100):
                for path in files[start : start + 100]:
                    (workspace / path).write_text(path)
                # In the middle of telling: some are in the log already, the next start finds the others.
                await take()
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            while len(created) < len(files):
                await take()
            set_status(workspace, "scout", "busy")
            while not is_status(await take(), "scout", "busy"):
                pass
    assert sorted(created) == sorted(files)


async def test_a_first_start_takes_what_it_finds_as_the_baseline_and_a_second_one_tells_nothing(
    workspace: Path,
) -> None:
    with start_server(workspace) as server:
        for path in ("notes/first.md", "notes/second.md"):
            async with Client(server.url, events=PATTERNS) as client:
                await client.ready()
                (workspace / path).write_text("new")
                # It comes after whatever the server has found at its start.
                async with asyncio.timeout(SOON):
                    item = await anext(client)
                assert isinstance(item, Event)
                assert is_file(item, "created", path), item
            assert await asyncio.to_thread(server.stop) == 0
            await asyncio.to_thread(server.restart)
        _, log = await read_log(server.url)
    told = [(event.type, event.data.get("path")) for event in log if event.type != "state:baseline"]
    assert told == [("file:change", "notes/first.md"), ("file:change", "notes/second.md")]


async def test_a_file_that_is_replaced_many_times_in_a_moment_ends_with_its_last_state(
    workspace: Path,
) -> None:
    with start_server(workspace) as server:
        async with Client(server.url, events="agent:statusChange") as client:
            await client.ready()
            deadline = monotonic() + 1
            statuses = ["busy", "idle"]
            number = 0
            while monotonic() < deadline:
                set_status(workspace, "scout", statuses[number % 2])
                number += 1
                os.sched_yield()
            set_status(workspace, "scout", "waiting")
            told: list[Event] = []
            async with asyncio.timeout(SOON):
                while not told or not is_status(told[-1], "scout", "waiting"):
                    item = await anext(client)
                    assert isinstance(item, Event)
                    told.append(item)
            before = "idle"
            for event in told:
                assert event.data["previousStatus"] == before
                before = event.data["status"]
