"""Notifications of real servers: killed, several, and from the command line; told to a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server
from tests.nats_process import NatsProcess
from tests.notify.receiver import SECRETS, Receiver
from tests.process.nodes import Campus, get
from tests.process.server_probe import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


def write_config(folder: Path, receiver: Receiver, **rule: Any) -> Path:
    """Write settings with one rule that tells alerts to the receiver."""
    lines = ["[[notify.rules]]", 'name = "ops"', f'urls = ["{receiver.url}"]', 'events = ["system:alert"]']
    lines += [f"{key} = {json.dumps(value)}" for key, value in rule.items()]
    file = folder / "mission-control.toml"
    file.write_text("\n".join(lines))
    return file


async def alert(url: str, message: str, level: str = "critical") -> None:
    await asyncio.to_thread(publish, url, "system:alert", {"level": level, "message": message})


async def run(*arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "missioncontrol.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def own_alerts(receiver: Receiver) -> list[str]:
    """What was told of the alerts of the test, in order; a real machine may have alerts of its own."""
    return re.findall(r"alert \d+", "\n".join(receiver.bodies))


async def test_killed_again_and_again_nothing_is_missing(tmp_path: Path, receiver: Receiver) -> None:
    config = write_config(tmp_path, receiver, storm_seconds=0.0, per_hour=1000)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        number = 0
        for turn in range(5):
            for _ in range(4):
                await alert(server.url, f"alert {number}")
                number += 1
                await asyncio.sleep(0.03 * turn)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        expected = [f"alert {n}" for n in range(number)]

        async def all_told() -> bool:
            return set(own_alerts(receiver)) == set(expected)

        await eventually(all_told, 30.0)
        page = await get(server.url, "/api/notifications?limit=500")
        assert page["active"] is True
        assert page["destinations"][0]["status"] == "working"
        told = own_alerts(receiver)
        # At least once: a message can only come again where the kill was between sending it and noting that.
        assert len(told) - len(set(told)) <= 4 * 5
        assert list(dict.fromkeys(told)) == expected


async def test_what_waits_for_a_receiver_that_is_away_survives_a_kill(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.status = 500
    config = write_config(tmp_path, receiver, storm_seconds=0.0)
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        await alert(server.url, "alert 1")
        await receiver.is_tried(1)
        await alert(server.url, "alert 2")
        await receiver.is_tried(2)
        await asyncio.to_thread(server.kill)
        receiver.status = 200
        await asyncio.to_thread(server.start)

        async def told() -> bool:
            return {"alert 1", "alert 2"} <= set(own_alerts(receiver))

        await eventually(told, 30.0)
        assert list(dict.fromkeys(own_alerts(receiver))) == ["alert 1", "alert 2"]
        page = await get(server.url, "/api/notifications")
        assert page["notifications"][-1]["data"]["attempts"] >= 1
        shown = json.dumps(page) + server.log
        assert not any(secret in shown for secret in SECRETS)


async def test_the_command_tries_lists_and_explains(tmp_path: Path, receiver: Receiver) -> None:
    config = write_config(tmp_path, receiver, quiet_hours="00:00-23:59", quiet_zone="UTC")
    with start_server(tmp_path / "workspace", options=["--config", str(config)]) as server:
        owner = ("--token", server.owner_secret)
        status, output, _ = await run("notify", "test", "--url", server.url, *owner)
        assert (status, output.split()[:2]) == (0, ["sent", "ops"])
        receiver.status = 418
        status, output, _ = await run(
            "notify", "test", "--rule", "ops", "--url", server.url, "--token", server.owner_secret
        )
        assert status == 1
        assert "error=418" in output
        status, output, _ = await run("notify", "log", "--url", server.url, "--json")
        assert [one["type"] for one in json.loads(output)] == ["notification:failed", "notification:sent"]
        status, output, _ = await run("notify", "rules", "--url", server.url)
        assert status == 0
        assert "00:00-23:59" in output
        status, _, complaint = await run(
            "notify", "test", "--rule", "nobody", "--url", server.url, "--token", server.owner_secret
        )
        assert (status, "there are: ops" in complaint) == (1, True)
    receiver.status = 200
    direct = await run("notify", "test", "--config", str(config))
    assert (direct[0], direct[1].split()[:2]) == (0, ["sent", "ops"])
    status, output, complaint = await run("notify", "test", "--to", receiver.url)
    assert status == 0
    assert not any(secret in output + complaint for secret in SECRETS)
    status, _, complaint = await run("notify", "test", "--to", "slack://pa55w0rd")
    assert (status, "pa55w0rd" in complaint, "slack://" in complaint) == (2, False, True)
    assert receiver.titles == ["Test"] * 3


async def test_a_url_that_cannot_be_used_ends_the_start_without_being_repeated(
    tmp_path: Path, receiver: Receiver
) -> None:
    config = tmp_path / "mission-control.toml"
    config.write_text('[notify]\nurls = ["slack://pa55w0rd/s3cr3t"]')
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    status, output, complaint = await run(
        "serve", "--port", "0", "--ws-port", "none", "--workspace", str(workspace), "--config", str(config)
    )
    assert (status, output) == (2, "")
    assert complaint.startswith("mission-control: The rule 'default': apprise cannot use the URL 1")
    assert len(complaint.splitlines()) == 1
    assert "pa55w0rd" not in complaint
    assert "s3cr3t" not in complaint


@pytest.mark.nats
async def test_of_two_nodes_one_sends_and_the_other_goes_on(
    nats: NatsProcess, tmp_path: Path, receiver: Receiver
) -> None:
    config = write_config(tmp_path, receiver, storm_seconds=0.0, per_hour=1000)
    campus = Campus(tmp_path, nats.url, "--config", str(config))
    try:
        alpha = await asyncio.to_thread(campus.add, "alpha")
        beta = await asyncio.to_thread(campus.add, "beta")
        await campus.in_step()
        nodes: list[ServerProcess] = [alpha, beta]
        pages = [await get(node.url, "/api/notifications") for node in nodes]
        assert sorted(page["active"] for page in pages) == [False, True]
        for number in range(10):
            await alert(nodes[number % 2].url, f"alert {number}")
            await receiver.has(number + 1)
        await campus.in_step()
        assert own_alerts(receiver) == [f"alert {number}" for number in range(10)]
        # Whoever sends is killed with something waiting, and the other one has never sent anything.
        sends, other = (alpha, beta) if pages[0]["active"] else (beta, alpha)
        receiver.status = 500
        await alert(sends.url, "alert 10")
        await receiver.is_tried(11)
        await campus.in_step()
        await asyncio.to_thread(sends.kill)
        await alert(other.url, "alert 11")
        receiver.status = 200

        async def told() -> bool:
            return own_alerts(receiver)[10:] == ["alert 10", "alert 11"]

        await eventually(told, 40.0)
        assert (await get(other.url, "/api/notifications"))["active"] is True
        await asyncio.to_thread(sends.start)
        await campus.in_step()
        await alert(sends.url, "alert 12")

        async def all_told() -> bool:
            return own_alerts(receiver) == [f"alert {number}" for number in range(13)]

        await eventually(all_told, 20.0)
    finally:
        await asyncio.to_thread(campus.close)
