"""Churn: a workspace of many files, its first look, and then a thousand changes a second for as long as one likes.

Measured are the time from the start until every file is known, next to the time that a bare walk over the same files
takes; the time from a write to its event in a subscribed client; and the server's memory over the time.

    python -m benchmarks.churn --files 50000 --rate 1000 --seconds 60
    python -m benchmarks.churn --seconds 3600          # memory over an hour
"""

import argparse
import asyncio
import json
import math
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.files import quantile
from benchmarks.servers import PEERS, BenchmarkError, Server, prepare, running
from benchmarks.targets import at_most, conclude

SUBJECT = PEERS["mission-control"]
PER_FOLDER = 100
CHANGING = 5_000
"""How many of the files change in turn: each one seldom enough to be told every time."""

TICK = 0.01
PATIENCE = 10.0
KNOWN_SECONDS = 3.0
P99_MS = 300.0
GROWTH_MB = 10.0


def make_files(workspace: Path, count: int) -> list[Path]:
    """Write so many small files, and return them."""
    paths = [workspace / f"area-{number // PER_FOLDER:04}" / f"{number:06}.md" for number in range(count)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# before\n", encoding="utf-8")
    return paths


def bare_walk(workspace: Path) -> float:
    """Return the seconds that it takes to see every file's size and time, and do nothing with them."""
    started = time.perf_counter()
    waiting = [str(workspace)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
    return time.perf_counter() - started


def until_known(server: Server, deadline: float) -> None:
    """Wait until the source of files has had its first look."""
    url = f"http://127.0.0.1:{server.port}/health"
    request = urllib.request.Request(url, headers={"accept": "application/json"})
    while True:
        with urllib.request.urlopen(request) as answer:
            sources = json.load(answer)["services"]
        if sources["files"]["status"] == "running":
            return
        if time.monotonic() > deadline:
            raise BenchmarkError(f"the files were not known in time: {sources['files']}")
        time.sleep(0.01)


def resident(server: Server) -> float:
    """Return the server's resident memory in MB."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def collect(client: ClientConnection, written: dict[str, float], took: list[float]) -> None:
    """Note how long each write took to arrive, in milliseconds."""
    try:
        async for message in client:
            now = time.monotonic()
            event = json.loads(message)
            began = written.pop(event["data"].get("path", ""), None)
            if began is not None:
                took.append((now - began) * 1e3)
    except ConnectionClosed:
        return


async def churn(
    server: Server, workspace: Path, paths: list[Path], rate: int, seconds: float
) -> tuple[list[float], list[tuple[float, float]]]:
    """Change files at a steady rate; give the latencies (infinite for a change never told) and the memory."""
    written: dict[str, float] = {}
    took: list[float] = []
    memory: list[tuple[float, float]] = []
    changing = paths[:CHANGING]
    url = f"ws://127.0.0.1:{server.port}/api/ws?events=file:change"
    async with connect(url, max_size=None) as client:
        collector = asyncio.create_task(collect(client, written, took))
        began = time.monotonic()
        done = 0
        next_look = 0.0
        while (passed := time.monotonic() - began) < seconds:
            for number in range(done, min(int(passed * rate), done + rate)):
                path = changing[number % len(changing)]
                written[path.relative_to(workspace).as_posix()] = time.monotonic()
                path.write_text(f"# {number}\n", encoding="utf-8")
                done = number + 1
            if passed >= next_look:
                memory.append((passed, resident(server)))
                next_look = passed + max(5.0, seconds / 60)
            await asyncio.sleep(TICK)
        deadline = time.monotonic() + PATIENCE
        while written and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        memory.append((time.monotonic() - began, resident(server)))
        collector.cancel()
    return took + [math.inf] * len(written), memory


def main() -> int:
    """Measure once; 1 when a target is missed, 2 when the run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.churn", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=1_000, help="changes a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    prepare([SUBJECT.name])
    checks, failures = [], []
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        workspace = Path(name) / "workspace"
        paths = make_files(workspace, arguments.files)
        try:
            walk = min(bare_walk(workspace) for _ in range(3))
            with running(SUBJECT, Path(name)) as server:
                ready = time.monotonic()
                until_known(server, ready + 120)
                known = server.start_seconds + time.monotonic() - ready
                first = resident(server)
                took, memory = asyncio.run(churn(server, workspace, paths, arguments.rate, arguments.seconds))
        except (BenchmarkError, OSError) as error:
            failures.append(str(error))
        else:
            missing = sum(1 for value in took if math.isinf(value))
            p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
            settled = next((mb for at, mb in memory if at >= arguments.seconds / 4), memory[-1][1])
            print(
                f"{arguments.files:,} files known {known:.2f} s after the start (a bare walk: {walk:.2f} s), "
                f"{first:.0f} MB"
            )
            print(
                f"{len(took):,} changes at {len(took) / arguments.seconds:,.0f}/s: p50 {p50:.0f} ms, "
                f"p99 {p99:.0f} ms, max {max(took):.0f} ms, {missing} missing"
            )
            print(
                "memory: "
                + ", ".join(f"{at:.0f} s {mb:.0f} MB" for at, mb in memory[:: max(1, len(memory) // 12)])
            )
            checks = [
                at_most("files known", known, KNOWN_SECONDS, "s"),
                at_most("change to event, p99", p99, P99_MS, "ms"),
                at_most("changes never told", missing, 0, "missing"),
                at_most(
                    "memory from a quarter of the time on", memory[-1][1] - settled, GROWTH_MB, "MB more"
                ),
            ]
            figures = {"known_s": known, "walk_s": walk, "p50_ms": p50, "p99_ms": p99, "memory": memory}
    return conclude(checks, failures, figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
