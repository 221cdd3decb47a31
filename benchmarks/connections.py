"""Connections: memory of an idle one, and how many handshakes a second one core makes.

Opens 5,000 WebSocket connections, 64 at a time, and leaves them alone. Memory is the growth of the server's
proportional set size (PSS) over the state after a small warm-up, divided by the connections. Handshakes are given for
one second of the server's CPU time, and for one second on the clock.

    python -m benchmarks.connections --rounds 3 --peers mission-control,bun,ws,websockets
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.servers import PEERS, BenchmarkError, Load, Peer, Server, prepare, running
from benchmarks.targets import at_least, at_most, conclude

SUBJECT = "mission-control"
DEFAULT_PEERS = (SUBJECT, "bun", "ws", "websockets")
WARM_UP = 200
SETTLE = 2.0
"""Seconds between the last handshake and the look at the memory."""

MEMORY_KIB = 8.0
HANDSHAKES = 5_000.0


@dataclass(frozen=True)
class Run:
    """One peer, once: KiB for one idle connection, handshakes per CPU second and per second on the clock."""

    peer: str
    round: int
    kib: float
    handshakes_per_cpu_s: float
    handshakes_per_s: float


def hold(server: Server, clients: int) -> tuple[int, float, float]:
    """Hold `clients` connections for a moment: the PSS in bytes, the server's CPU seconds, the wall seconds."""
    before = server.cpu_seconds()
    with Load(server, "--shape", "idle", "--clients", str(clients)) as load:
        load.wait_ready()
        cpu = server.cpu_seconds() - before
        time.sleep(SETTLE)
        pss = server.pss_bytes()
        load.begin()
        return pss, cpu, load.result().connect_s


def measure(peer: Peer, clients: int, number: int) -> Run:
    """Start a server, warm it up, open the connections."""
    with running(peer) as server:
        hold(server, WARM_UP)
        time.sleep(SETTLE)
        base = server.pss_bytes()
        pss, cpu, seconds = hold(server, clients)
        return Run(peer.name, number, (pss - base) / clients / 1024, clients / cpu, clients / seconds)


def median_of(runs: Sequence[Run]) -> Run:
    """Take the median of each figure."""
    return Run(
        runs[0].peer,
        len(runs),
        statistics.median(run.kib for run in runs),
        statistics.median(run.handshakes_per_cpu_s for run in runs),
        statistics.median(run.handshakes_per_s for run in runs),
    )


def main() -> int:
    """Run what the command line asks for; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.connections", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=lambda text: str(text).split(","), default=list(DEFAULT_PEERS))
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--json", type=Path, help="write every run and the medians to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.peers) - set(PEERS):
        parser.error(f"{', '.join(sorted(unknown))}: none of {', '.join(PEERS)}")
    prepare(arguments.peers)
    runs: list[Run] = []
    failures: list[str] = []
    for number in range(1, arguments.rounds + 1):
        for name in arguments.peers:
            print(f"round {number}: {name} …", file=sys.stderr, flush=True)
            try:
                runs.append(measure(PEERS[name], arguments.clients, number))
            except BenchmarkError as error:
                failures.append(f"{name}: {error}")
    groups = [[run for run in runs if run.peer == name] for name in arguments.peers]
    medians = [median_of(group) for group in groups if group]
    print(f"{'':16}{'KiB each':>12}{'handshakes per CPU s':>24}{'per s':>10}")
    for row in medians:
        print(
            f"{row.peer:16}{row.kib:>12.2f}{row.handshakes_per_cpu_s:>24,.0f}{row.handshakes_per_s:>10,.0f}"
        )
    checks = []
    for row in medians:
        if row.peer == SUBJECT:
            checks.append(at_most("memory of an idle connection", row.kib, MEMORY_KIB, "KiB"))
            checks.append(at_least("handshakes", row.handshakes_per_s, HANDSHAKES, "a second"))
    figures = {
        "clients": arguments.clients,
        "runs": [asdict(r) for r in runs],
        "medians": [asdict(r) for r in medians],
    }
    return conclude(checks, failures, figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
