"""The terminal's commands under load: an export of a million events in bounded memory, a busy fleet on the screen."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from missioncontrol.client import Publisher
from missioncontrol.events import Draft
from missioncontrol.store import SqliteLog
from missioncontrol.testing import start_server
from tests.terminal import Terminal

pytestmark = [pytest.mark.stress, pytest.mark.process, pytest.mark.anyio, pytest.mark.timeout(300)]

EVENTS = 1_000_000
BATCH = 20_000


async def fill(folder: Path) -> None:
    log = await SqliteLog.open(folder)
    for start in range(0, EVENTS, BATCH):
        await log.append(
            [
                Draft("file:change", {"action": "modified", "path": f"notes/{number}.md", "agentId": "scout"})
                for number in range(start, start + BATCH)
            ]
        )
    await log.close()


@pytest.mark.parametrize(("form", "most"), [("ndjson", 100), ("csv", 100), ("parquet", 300)])
async def test_a_million_events_are_exported_in_bounded_memory(tmp_path: Path, form: str, most: int) -> None:
    await fill(tmp_path / "data")
    # In a process of its own, whose children's peak is the export's alone.
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        command = [sys.executable, "-m", "missioncontrol.cli", "export", "events", "--url", server.url]
        target = ["--format", form, "--output", str(tmp_path / "out")]
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code, *command, *target],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "1,000,00" in done.stderr
    assert int(done.stdout) < most, f"{done.stdout.strip()} MiB"


async def test_a_thousand_events_a_second_cost_the_screen_little(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 120, 40)
    try:
        with start_server(tmp_path / "workspace") as server:
            terminal.type(f"exec {sys.executable} -m missioncontrol.cli top --url {server.url}")
            terminal.press("Enter")
            terminal.wait_for("● Live")
            pid = int(terminal.ask("#{pane_pid}"))
            async with Publisher(server.url) as publisher:
                await tell(publisher, 2.0)
                before = cpu_seconds(pid)
                await tell(publisher, 10.0)
                used = cpu_seconds(pid) - before
            assert used < 2.0, f"{used:.2f} s of CPU in 10 s"
            terminal.wait_for("● Live")
    finally:
        terminal.close()


async def tell(publisher: Publisher, seconds: float) -> None:
    """Publish 1,000 events a second."""
    began, told = monotonic(), 0
    while (passed := monotonic() - began) < seconds:
        if told >= passed * 1000:
            await asyncio.sleep(0.01)
            continue
        data = [{"agentId": f"a{number % 50}", "status": "busy"} for number in range(100)]
        await publisher.publish_many([{"type": "agent:statusChange", "data": each} for each in data])
        told += 100


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
