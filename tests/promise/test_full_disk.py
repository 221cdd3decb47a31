"""A disk that is full: nothing is accepted that is not kept, everybody hears why, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from tests.promise.history import whole_log

from missioncontrol.testing import start_server

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_said_and_survived(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"
    with start_server(tmp_path / "workspace", small_disk / "data") as server:
        async with aiohttp.ClientSession(server.url) as session:
            accepted: list[str] = []
            number = 0

            async def publish() -> int:
                nonlocal number
                number += 1
                event = {"type": "custom:step", "data": {"n": f"n{number}", "pad": "x" * 20_000}}
                async with session.post("/api/events", json=event) as answer:
                    if answer.status == 201:
                        accepted.append(event["data"]["n"])  # type: ignore[index]
                    else:
                        assert answer.content_type == "application/problem+json"
                        assert answer.headers["Retry-After"]
                        assert "disk" in (await answer.json())["detail"]
                    return answer.status

            assert await publish() == 201
            room = os.statvfs(small_disk)
            ballast.write_bytes(b"\0" * (room.f_bavail * room.f_frsize - 64 * 1024))
            statuses = [await publish() for _ in range(40)]
            assert statuses[-1] == 503
            async with session.get("/health") as health:
                assert health.status == 503
                assert "disk" in await health.text()

            ballast.unlink()
            for _ in range(300):
                async with session.get("/health") as health:
                    if health.status == 200:
                        break
            assert [await publish() for _ in range(10)] == [201] * 10

            kept = [
                event["data"]["n"] for event in await whole_log(server.url) if event["type"] == "custom:step"
            ]
            assert kept == accepted
        server.kill()
        server.start()
        after = [
            event["data"]["n"] for event in await whole_log(server.url) if event["type"] == "custom:step"
        ]
        assert after == accepted
