"""A rolling restart: 10,000 clients are told when to come back, and come to another node, or to the same server.

All clients are WebSockets at one server, which is stopped with SIGTERM; each comes back after the seconds that it was
told. With two nodes over one NATS server they come to the second one. With `--alone` the server starts again on the
same port and folder; who comes before it is there tries again as the Python client does. Counted is when each has been
greeted again, in tenths of a second.

    python -m benchmarks.rolling_restart --clients 10000
    python -m benchmarks.rolling_restart --clients 10000 --alone
"""

import argparse
import asyncio
import gc
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
from tests.process.raw_socket import CLOSE, frame, handshake

from benchmarks.targets import at_least, at_most, conclude
from missioncontrol.app.drain import drain_window
from missioncontrol.client.route import reconnect_backoff
from missioncontrol.testing import ServerProcess, start_server

BIN_SECONDS = 0.1
PEAK = 1.5
AT_A_TIME = 200
_AFTER = re.compile(rb'"reconnectAfter":([0-9.]+)')


@dataclass(frozen=True)
class Run:
    """The fullest tenth of a second over the even spread, and how long it took until all were there.

    `told_ratio` is the same for the moments at which they were told to come, `late_ms` the median and the longest time
    from that moment to the greeting; `before` is how many came before there was a server, and `away` for how many
    seconds there was none.
    """

    clients: int
    came: int
    peak_ratio: float
    told_ratio: float
    seconds: float
    late_ms: tuple[float, float]
    before: int
    away: float


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
            # The good-bye is answered, as browsers do: else the server waits for it.
            self.transport.write(frame((1001).to_bytes(2, "big"), CLOSE))

    def connection_lost(self, exc: Exception | None) -> None:
        """Go at once where no word came."""
        if not self.told.done():
            self.told.set_result(0.0)
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionResetError("The server went away before it had greeted."))
            # Whoever waits hears of it; where nobody does any more, nothing is to be said.
            self.greeted.exception()


async def connect(url: str) -> Client:
    """Open one connection and wait until it is greeted."""
    parts = urlsplit(url)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(parts.netloc), parts.hostname or "", parts.port or 0
    )
    await client.greeted
    return client


async def come_back(url: str) -> tuple[float, bool]:
    """Connect until it works; return when it did, and whether nobody was there at first."""
    backoff = reconnect_backoff()
    early = False
    while True:
        try:
            return await (await connect(url)).greeted, early
        except OSError:
            early = True
            await asyncio.sleep(backoff.next())


def fullest(moments: list[float], window: float) -> float:
    """Return how much more than its even share the fullest tenth of a second has."""
    bins = Counter(int((moment - moments[0]) / BIN_SECONDS) for moment in moments)
    return max(bins.values()) / (len(moments) * BIN_SECONDS / window)


async def restart(first: ServerProcess, second: ServerProcess | None, clients: int) -> Run:
    """Connect all to the first, stop it, and see when they have come to the second, or back."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def join() -> Client:
        async with gate:
            return await connect(first.url)

    there = await asyncio.gather(*(join() for _ in range(clients)))

    def stop_and_start() -> float:
        begun = time.monotonic()
        if second is not None:
            first.stop()
            return 0.0
        first.restart(timeout=60.0)
        return time.monotonic() - begun

    stopping = asyncio.create_task(asyncio.to_thread(stop_and_start))

    async def move(client: Client) -> tuple[float, float, bool]:
        after = await client.told
        due = time.monotonic() + after
        await asyncio.sleep(after)
        greeted, early = await come_back(first.url if second is None else second.url)
        return due, greeted, early

    moves = await asyncio.gather(*(move(client) for client in there))
    window = drain_window(clients)
    greetings = sorted(greeted for _, greeted, _ in moves)
    late = sorted(1000 * (greeted - due) for due, greeted, _ in moves)
    return Run(
        clients,
        len(greetings),
        fullest(greetings, window),
        fullest(sorted(due for due, _, _ in moves), window),
        greetings[-1] - greetings[0],
        (statistics.median(late), late[-1]),
        sum(early for _, _, early in moves),
        await stopping,
    )


async def run(clients: int, folder: Path, *, alone: bool) -> Run:
    """Start what is needed, and restart it."""
    env = {"MISSION_CONTROL_MAX_CLIENTS": str(clients + 100)}
    if alone:
        with start_server(folder / "a", env=env) as server:
            return await restart(server, None, clients)
    with NatsProcess(folder / "nats") as nats:
        nats.start()
        options = ["--log", nats.url]
        with (
            start_server(folder / "a", options=options, env=env) as first,
            start_server(folder / "b", options=options, env=env) as second,
        ):
            return await restart(first, second, clients)


def main() -> int:
    """Run what the command line asks for; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rolling_restart", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--alone", action="store_true", help="one server, which starts again")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A collection over so many clients takes this process a tenth of a second, in which it greets nobody.
    gc.disable()
    runs: list[Run] = []
    failures: list[str] = []
    try:
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
                runs.append(uvloop.run(run(arguments.clients, Path(name), alone=arguments.alone)))
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
