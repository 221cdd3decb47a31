"""A disk that is full, or cannot be written: nothing is accepted that is not kept, and everybody hears why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol.client import Client, Event
from missioncontrol.events import Event as LogEvent
from missioncontrol.testing import start_server
from tests.process.history import read_log
from tests.process.raw_socket import RawSocket, message
from tests.process.server_probe import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(90)]

STEP = "custom:step"
EVENT_BYTES = 20_000
LEFT_FREE = 64 * 1024


def mount(folder: Path, *options: str) -> None:
    """Mount a small file system, or skip the test where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "size=4m")
    yield folder
    # Lazily, so that a server that still lets go of its files is in nobody's way.
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Publishing:
    """Publishes numbered events, and keeps the numbers of those that were acknowledged."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._next = 0
        self.acknowledged: list[int] = []
        self.problem: dict[str, Any] = {}

    def event(self) -> dict[str, Any]:
        self._next += 1
        return {"type": STEP, "key": f"n{self._next}", "data": {"n": self._next, "pad": "x" * EVENT_BYTES}}

    async def publish(self) -> int:
        """Publish one event; returns the status of the answer, which is checked."""
        event = self.event()
        async with self._session.post("/api/events", json=event) as answer:
            if answer.status == 201:
                self.acknowledged.append(event["data"]["n"])
            else:
                assert answer.content_type == "application/problem+json"
                assert float(answer.headers["Retry-After"]) > 0
                self.problem = await answer.json(content_type="application/problem+json")
            return answer.status


def fill(disk: Path) -> Path:
    """Write a file that leaves little room."""
    room = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - LEFT_FREE))
    return ballast


def numbers(log: list[LogEvent]) -> list[int]:
    return [event.data["n"] for event in log if event.type == STEP]


async def test_a_full_disk_is_said_by_everybody_and_goes_by_without_a_restart_or_a_loss(
    small_disk: Path, tmp_path: Path
) -> None:
    with start_server(tmp_path / "workspace", small_disk / "data") as server:
        async with (
            aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=20)) as session,
            Client(server.url, events=STEP) as reader,
        ):
            await reader.ready()
            publishing = Publishing(session)

            async def is_well() -> bool:
                async with session.get("/health") as health:
                    return health.status == 200

            assert await publishing.publish() == 201
            ballast = fill(small_disk)
            statuses = [await publishing.publish() for _ in range(40)]
            assert set(statuses) == {201, 503}
            assert statuses[-1] == 503
            assert publishing.problem["status"] == 503
            assert "disk" in publishing.problem["detail"]
            assert "room" in publishing.problem["detail"]

            async with session.get("/health") as health:
                assert health.status == 503
                assert "disk" in await health.text()
            async with session.get("/metrics") as metrics:
                assert "mission_control_log_up 0.0" in await metrics.text()
            async with await RawSocket.websocket(server.url, "?events=none:of-them") as socket:
                await socket.send(message("publish", events=[publishing.event()], ref=7))
                refused = await socket.receive_message("error", "published")
                assert refused["type"] == "error"
                assert refused["ref"] == 7
                assert "disk" in refused["data"]["message"]
            # What is there can still be read.
            assert numbers((await read_log(server.url))[1]) == publishing.acknowledged

            ballast.unlink()
            await eventually(is_well)
            assert [await publishing.publish() for _ in range(10)] == [201] * 10
            epoch, log = await read_log(server.url)
            assert numbers(log) == publishing.acknowledged
            for number in publishing.acknowledged:
                item = await anext(reader)
                assert isinstance(item, Event)
                assert item.data["n"] == number
        server.kill()
        server.start()
        assert await read_log(server.url) == (epoch, log)
        assert "Traceback" not in server.log


async def test_a_server_that_is_killed_while_the_disk_is_full_starts_again_with_all_that_was_acknowledged(
    small_disk: Path, tmp_path: Path
) -> None:
    with start_server(tmp_path / "workspace", small_disk / "data") as server:
        async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=20)) as session:
            publishing = Publishing(session)
            assert await publishing.publish() == 201
            ballast = fill(small_disk)
            assert [await publishing.publish() for _ in range(40)][-1] == 503
            epoch, _ = await read_log(server.url)
        server.kill()
        ballast.unlink()
        server.start()
        epoch_after, log = await read_log(server.url)
        assert (epoch_after, numbers(log)) == (epoch, publishing.acknowledged)


def serve(workspace: Path, data: Path) -> subprocess.CompletedProcess[str]:
    """Try to start a server; it is expected to give up."""
    command = [
        "serve",
        "--workspace",
        str(workspace),
        "--data",
        str(data),
        "--port",
        "0",
        "--ws-port",
        "none",
    ]
    return subprocess.run(
        [sys.executable, "-m", "missioncontrol.cli", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_data_folder_on_a_disk_that_cannot_be_written_is_refused_with_one_line_and_left_as_it_was(
    small_disk: Path, tmp_path: Path
) -> None:
    data = small_disk / "data"
    with start_server(tmp_path / "workspace", data) as server:
        server.stop()
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    refused = serve(tmp_path / "workspace", data)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert str(data) in refused.stderr
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()} == before
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with start_server(tmp_path / "workspace", data):
        pass


def test_a_data_folder_of_somebody_else_is_refused_with_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the disk that cannot be written stands in for this")
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    refused = serve(tmp_path, data)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert str(data) in refused.stderr


def test_a_disk_without_any_room_is_refused_with_one_line(small_disk: Path, tmp_path: Path) -> None:
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize))
    refused = serve(tmp_path, small_disk / "data")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert "room" in refused.stderr or "No space" in refused.stderr
