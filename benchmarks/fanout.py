"""The fan-out: CPU seconds of the server for a million delivered messages, latency, and nothing lost.

Peers take turns within each round, so that a slow minute of the machine meets all of them. The server's CPU is
measured from the moment all subscribers are connected until the last of them has the last event. Every figure in the
table is the median over the rounds.

    python -m benchmarks.fanout --rounds 3 --peers mission-control,bun --shapes burst,tick --json result.json

The exit status is 1 when Mission Control misses a target of `TARGETS`, or loses, doubles or reorders anything.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.servers import PEERS, BenchmarkError, Load, LoadResult, Peer, prepare, running
from benchmarks.targets import Check, at_most, conclude

SUBJECT = "mission-control"
YARDSTICK = "bun"
SETTLE = 1.5
"""Seconds between the last connection and the measurement: what connecting has stirred up comes to rest."""


@dataclass(frozen=True)
class Shape:
    """One way of publishing: `messages` events to every subscriber."""

    title: str
    messages: int
    options: Sequence[str]


SHAPES = {
    "burst": Shape("1,000 events in one request", 2000, ("--shape", "burst", "--batch", "1000")),
    "tick": Shape("10 events per tick, at saturation", 1000, ("--shape", "tick", "--batch", "10")),
    "rate": Shape("100 events/s, one by one", 500, ("--shape", "rate", "--rate", "100")),
    "quiet": Shape("1 event/s", 6, ("--shape", "rate", "--rate", "1")),
}


@dataclass(frozen=True)
class Target:
    """What Mission Control must reach: `figure` at most `factor` times Bun's, and p99 at most so many ms."""

    figure: str
    factor: float
    p99_ms: float | None = None


TARGETS = {
    "burst": Target("cpu_s_per_million", 0.4),
    "tick": Target("cpu_s_per_million", 1.2),
    "rate": Target("cpu_s_per_million", 0.6, p99_ms=40.0),
    "quiet": Target("p50_ms", 1.5),
}


@dataclass(frozen=True)
class Run:
    """One peer under one shape, once. `server_cpu_s` is CPU time in seconds."""

    peer: str
    shape: str
    round: int
    server_cpu_s: float
    load: LoadResult

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds of the server for a million messages delivered."""
        return self.server_cpu_s / self.load.delivered * 1e6 if self.load.delivered else float("inf")


@dataclass(frozen=True)
class Summary:
    """The medians of one peer under one shape; `faults` is the sum of everything that must be zero."""

    peer: str
    shape: str
    rounds: int
    cpu_s_per_million: float
    cpu_low: float
    cpu_high: float
    p50_ms: float
    p99_ms: float
    per_second: float
    load_cpu_s_per_million: float
    bytes: float
    lost: int
    faults: int


def measure(peer: Peer, shape_name: str, clients: int, number: int, *, spin: bool = False) -> Run:
    """Start a server, connect `clients` subscribers, publish one shape."""
    shape = SHAPES[shape_name]
    options = [*shape.options, "--messages", str(shape.messages), "--clients", str(clients)]
    if spin:
        options.append("--spin")
    with running(peer) as server, Load(server, *options) as load:
        load.wait_ready()
        time.sleep(SETTLE)
        before = server.cpu_seconds()
        load.begin()
        result = load.result()
        return Run(peer.name, shape_name, number, server.cpu_seconds() - before, result)


def summarize(runs: Sequence[Run]) -> Summary:
    """Take the medians of the runs of one peer under one shape."""
    cpu = [run.cpu_s_per_million for run in runs]
    median = statistics.median
    return Summary(
        peer=runs[0].peer,
        shape=runs[0].shape,
        rounds=len(runs),
        cpu_s_per_million=median(cpu),
        cpu_low=min(cpu),
        cpu_high=max(cpu),
        p50_ms=median(run.load.p50_ms for run in runs),
        p99_ms=median(run.load.p99_ms for run in runs),
        per_second=median(run.load.delivered / max(run.load.seconds, 1e-9) for run in runs),
        load_cpu_s_per_million=median(run.load.own_cpu_s / max(run.load.delivered, 1) * 1e6 for run in runs),
        bytes=median(run.load.bytes for run in runs),
        lost=sum(run.load.lost for run in runs),
        faults=sum(run.load.faults for run in runs),
    )


def show(summaries: Sequence[Summary]) -> None:
    """Print one table for each shape."""
    head = (
        "CPU s/M",
        "low-high",
        "x Bun",
        "p50 ms",
        "p99 ms",
        "msgs/s",
        "load s/M",
        "bytes",
        "lost",
        "faults",
    )
    for name in dict.fromkeys(row.shape for row in summaries):
        rows = [row for row in summaries if row.shape == name]
        bun = next((row.cpu_s_per_million for row in rows if row.peer == YARDSTICK), None)
        print(f"\n{SHAPES[name].title}")
        print(f"  {'':16}" + "".join(f"{title:>{14 if title == 'low-high' else 10}}" for title in head))
        for row in rows:
            ratio = f"{row.cpu_s_per_million / bun:.2f}" if bun else "-"
            spread = f"{row.cpu_low:.3f}-{row.cpu_high:.3f}"
            print(
                f"  {row.peer:16}{row.cpu_s_per_million:>10.3f}{spread:>14}{ratio:>10}{row.p50_ms:>10.2f}"
                f"{row.p99_ms:>10.2f}{row.per_second:>10,.0f}{row.load_cpu_s_per_million:>10.3f}"
                f"{row.bytes:>10.1f}{row.lost:>10}{row.faults:>10}"
            )


def verdicts(summaries: Sequence[Summary]) -> list[Check]:
    """Hold the subject to its targets; a shape without the subject or without the yardstick gives no verdict."""
    found = {(row.peer, row.shape): row for row in summaries}
    result: list[Check] = []
    for name, target in TARGETS.items():
        own, bun = found.get((SUBJECT, name)), found.get((YARDSTICK, name))
        if own is None:
            continue
        result.append(at_most(name, own.faults, 0, "lost, doubled, reordered or refused"))
        if target.p99_ms is not None:
            result.append(at_most(f"{name}: p99", own.p99_ms, target.p99_ms, "ms"))
        if bun is not None:
            ratio = float(getattr(own, target.figure)) / float(getattr(bun, target.figure))
            result.append(at_most(f"{name}: {target.figure}", ratio, target.factor, "x Bun"))
    return result


def chosen(text: str, known: Sequence[str]) -> list[str]:
    """Read a comma-separated choice out of `known`."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return names


def main() -> int:
    """Run what the command line asks for; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fanout", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=lambda text: chosen(text, list(PEERS)), default=list(PEERS))
    parser.add_argument("--shapes", type=lambda text: chosen(text, list(SHAPES)), default=list(SHAPES))
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument(
        "--spin", action="store_true", help="the load client never sleeps: no server pays for waking it"
    )
    parser.add_argument("--json", type=Path, help="write every run and the medians to this file")
    arguments = parser.parse_args()
    prepare(arguments.peers)
    runs: list[Run] = []
    failures: list[str] = []
    for number in range(1, arguments.rounds + 1):
        for shape in arguments.shapes:
            for name in arguments.peers:
                print(f"round {number}: {shape}, {name} …", file=sys.stderr, flush=True)
                try:
                    runs.append(measure(PEERS[name], shape, arguments.clients, number, spin=arguments.spin))
                except BenchmarkError as error:
                    failures.append(f"{shape}, {name}: {error}")
    pairs = [(shape, name) for shape in arguments.shapes for name in arguments.peers]
    groups = [[run for run in runs if (run.shape, run.peer) == pair] for pair in pairs]
    summaries = [summarize(group) for group in groups if group]
    show(summaries)
    figures = {
        "clients": arguments.clients,
        "spin": arguments.spin,
        "runs": [asdict(run) for run in runs],
        "medians": [asdict(row) for row in summaries],
    }
    return conclude(verdicts(summaries), failures, figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
