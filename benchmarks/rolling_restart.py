"""A rolling restart: 10,000 clients of one node are told when to come back, and come to another one.

Two nodes over one NATS server; all clients are WebSockets at the first. It is stopped with SIGTERM, and each client
goes to the second after the seconds that it was told. Counted is when the second one has greeted each, in quarters of a
second.

    python -m benchmarks.rolling_restart --clients 10000
"""

import argparse
import asyncio
import re
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop
from tests.nats_process import NatsProcess
from tests.process.raw_socket import handshake

from benchmarks.targets import at_least, at_most, conclude
from missioncontrol.app.drain import drain_window
from missioncontrol.testing import start_server

BIN_SECONDS = 0.25
PEAK = 1.5
AT_A_TIME = 200
_AFTER = re.compile(rb'"reconnectAfter":([0-9.]+)')


@dataclass(frozen=True)
class Run:
    """The fullest quarter of a second over the even spread, and how long it took until all were there."""

    clients: int
    came: int
    peak_ratio: float
    seconds: float


class Client(asyncio.Protocol):
    """A WebSocket that waits for its greeting, then for the word to go."""

    def __init__(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[float] = loop.create_future()
        self.told: asyncio.Future[float] = loop.create_future()
        self._host = host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        # uvloop's transports are not of asyncio's classes.
        self.transport = cast("asyncio.WriteTransport", transport)
        self.transport.write(handshake(self._host, "?events=none:at-all"))

    def data_received(self, data: bytes) -> None:
        """Look for the greeting, and for the word to go."""
        if not self.greeted.done():
            if b'"connected"' in data:
                self.greeted.set_result(time.monotonic())
        elif not self.told.done() and (found := _AFTER.search(data)) is not None:
            self.told.set_result(float(found[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Go at once where no word came."""
        if not self.told.done():
            self.told.set_result(0.0)


async def connect(url: str) -> Client:
    """Open one connection and wait until it is greeted."""
    parts = urlsplit(url)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(parts.netloc), parts.hostname or "", parts.port or 0
    )
    await client.greeted
    return client


async def run(clients: int, folder: Path) -> Run:
    """Connect all, stop their node, and see when they have come to the other."""
    with NatsProcess(folder / "nats") as nats:
        nats.start()
        env = {"MISSION_CONTROL_MAX_CLIENTS": str(clients + 100)}
        options = ["--log", nats.url]
        with (
            start_server(folder / "a", options=options, env=env) as first,
            start_server(folder / "b", options=options, env=env) as second,
        ):
            gate = asyncio.Semaphore(AT_A_TIME)

            async def join() -> Client:
                async with gate:
                    return await connect(first.url)

            there = await asyncio.gather(*(join() for _ in range(clients)))
            stopping = asyncio.create_task(asyncio.to_thread(first.stop))

            async def move(client: Client) -> float:
                after = await client.told
                await asyncio.sleep(after)
                return await (await connect(second.url)).greeted

            times = sorted(await asyncio.gather(*(move(client) for client in there)))
            await stopping
    window = drain_window(clients)
    bins = Counter(int((at - times[0]) / BIN_SECONDS) for at in times)
    return Run(
        clients, len(times), max(bins.values()) / (clients * BIN_SECONDS / window), times[-1] - times[0]
    )


def main() -> int:
    """Run what the command line asks for; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rolling_restart", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write every run to this file")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    runs: list[Run] = []
    failures: list[str] = []
    try:
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
                runs.append(uvloop.run(run(arguments.clients, Path(name))))
            print(runs[-1], file=sys.stderr, flush=True)
    except OSError as error:
        failures.append(str(error))
    checks = []
    if runs:
        peak = statistics.median(one.peak_ratio for one in runs)
        checks.append(at_most("peak of reconnects", peak, PEAK, "× the even spread"))
        checks.append(
            at_least("clients that came", min(one.came for one in runs), arguments.clients, "clients")
        )
    return conclude(checks, failures, {"runs": [asdict(one) for one in runs]}, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
