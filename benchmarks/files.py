"""Files: from the write of a file in the workspace to its event in a subscribed client.

Every file is written once while it is measured: half of them are new, the other half have been there and change. The
clock runs from just before the write to the arrival of the first `file:change` of that path over the WebSocket.

    python -m benchmarks.files --writes 300
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.servers import PEERS, BenchmarkError, Server, prepare, running
from benchmarks.targets import at_most, conclude

SUBJECT = PEERS["mission-control"]
INTERVAL = 0.04
"""Seconds between two writes."""

PATIENCE = 5.0
"""Seconds to wait for the events of the last writes."""

P99_MS = 150.0


async def collect(client: ClientConnection, arrivals: dict[str, float]) -> None:
    """Note when the first event of each path arrives (seconds of the monotonic clock)."""
    try:
        async for message in client:
            now = time.monotonic()
            event = json.loads(message)
            if event["type"] == "file:change":
                arrivals.setdefault(event["data"]["path"], now)
    except ConnectionClosed:
        return


async def latencies(server: Server, writes: int) -> list[float]:
    """Write so many files; give the milliseconds to each event, infinite for one that never came."""
    workspace = server.folder / "workspace"
    names = [f"notes/{number:04}.md" for number in range(writes)]
    arrivals: dict[str, float] = {}
    url = f"ws://127.0.0.1:{server.port}/api/ws?events=file:change"
    async with connect(url, max_size=None) as client:
        collector = asyncio.create_task(collect(client, arrivals))
        await asyncio.sleep(2)  # what was there before is the baseline by now
        written: dict[str, float] = {}
        arrivals.clear()
        for name in names:
            written[name] = time.monotonic()
            (workspace / name).write_text(f"# {name}, written at {written[name]}\n", encoding="utf-8")
            await asyncio.sleep(INTERVAL)
        deadline = time.monotonic() + PATIENCE
        while not arrivals.keys() >= written.keys() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        collector.cancel()
    return [
        (arrivals[name] - begin) * 1e3 if name in arrivals else math.inf for name, begin in written.items()
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value below which `share` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(writes: int) -> list[float]:
    """Start a server on a workspace whose even-numbered files exist, and measure."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        notes = Path(name) / "workspace" / "notes"
        notes.mkdir(parents=True)
        for number in range(0, writes, 2):
            (notes / f"{number:04}.md").write_text("# before\n", encoding="utf-8")
        with running(SUBJECT, Path(name)) as server:
            return asyncio.run(latencies(server, writes))


def main() -> int:
    """Measure once; 1 when a target is missed, 2 when the run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.files", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--writes", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write every latency to this file")
    arguments = parser.parse_args()
    if arguments.writes <= 0:
        parser.error("--writes must be above zero")
    prepare([SUBJECT.name])
    values: list[float] = []
    failures: list[str] = []
    try:
        values = measure(arguments.writes)
    except (BenchmarkError, OSError) as error:
        failures.append(str(error))
    checks = []
    if values:
        missing = sum(1 for value in values if math.isinf(value))
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        print(
            f"{len(values)} writes: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(values):.1f} ms, {missing} missing"
        )
        checks.append(at_most("file write to event, p99", p99, P99_MS, "ms"))
        checks.append(at_most("file write to event", missing, 0, "missing"))
    arrived = [value for value in values if math.isfinite(value)]
    return conclude(checks, failures, {"latencies_ms": arrived}, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
