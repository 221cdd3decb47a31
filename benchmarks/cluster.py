"""Several nodes: what JetStream adds to publishing, and how long a node takes to make its copy again.

Publishing: one event after the other over one HTTP connection, each when the one before was acknowledged; and 1,000
events a request, one request after the other. SQLite alone and a node over one NATS server take turns. Rebuilding: a
node that has lost its data starts next to a stream of 1,000,000 events, until the line `ready`, which it prints when it
has all of them.

    python -m benchmarks.cluster --rounds 3 --events 1000000

Fan-out: 1,000 subscribers at each node, events published at the first one, 1,000 in a request. The CPU seconds of a
node for a million messages say whether a second node adds to its work. Whether two deliver twice as many a second needs
a core for each node, each load client and NATS: with fewer than six that is left out, and said so.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.nats_process import NatsProcess

from benchmarks.log import BATCH, body, post
from benchmarks.servers import PEERS, BenchmarkError, Load, mission_control_command, prepare
from benchmarks.servers import running as running_peer
from benchmarks.targets import at_least, at_most, conclude
from missioncontrol.testing import ServerProcess, start_server

ONE_BY_ONE = 1_000
BULK = 50
NEEDED_CORES = 6
LATENCY_RATIO = 6.0
REBUILD_SECONDS = 90.0
FAN_OUT_EVENTS = 4_000
FAN_OUT_CLIENTS = 1_000
FAN_OUT_COST = 1.25
FAN_OUT_SUM = 1.8


@dataclass(frozen=True)
class Publishing:
    """Milliseconds for one event, and events a second in bulk."""

    log: str
    median_ms: float
    p99_ms: float
    bulk_per_s: float


@contextmanager
def running(log: str, folder: Path) -> Iterator[ServerProcess]:
    """Run one server over SQLite, or over a NATS server of its own."""
    if log == "sqlite":
        with start_server(folder / "workspace") as server:
            yield server
        return
    with NatsProcess(folder / "nats") as nats:
        nats.start()
        with start_server(folder / "workspace", options=["--log", nats.url]) as server:
            yield server


def publish(log: str) -> Publishing:
    """Publish one by one, then in bulk, into a new log."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, running(log, Path(name)) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        one = json.dumps({"type": "bench:event", "data": {"pad": "0" * 180}}).encode()
        latencies = []
        for _ in range(ONE_BY_ONE):
            began = time.perf_counter()
            post(connection, one)
            latencies.append((time.perf_counter() - began) * 1000)
        latencies = sorted(latencies[ONE_BY_ONE // 10 :])
        content = body(1)
        began = time.perf_counter()
        for _ in range(BULK):
            post(connection, content)
        seconds = time.perf_counter() - began
        connection.close()
        return Publishing(
            log,
            statistics.median(latencies),
            latencies[int(len(latencies) * 0.99)],
            BULK * BATCH / seconds,
        )


def rebuild(events: int, rounds: int) -> list[float]:
    """Fill a stream, then start new nodes next to it; the seconds until each is ready."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        with NatsProcess(folder / "nats") as nats:
            nats.start()
            options = ["--log", nats.url]
            with start_server(folder / "first", options=options) as server:
                connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
                for first in range(1, events + 1, BATCH):
                    post(connection, body(first))
                connection.close()
            seconds = []
            for number in range(rounds):
                began = time.perf_counter()
                with start_server(folder / f"new-{number}", options=options, timeout=600):
                    seconds.append(time.perf_counter() - began)
            return seconds


@dataclass(frozen=True)
class FanOut:
    """CPU seconds of the dearest node for a million messages, messages a second at all nodes, and what went wrong."""

    nodes: int
    cpu_s_per_million: float
    messages_per_s: float
    faults: int


def fan_out(nodes: int) -> FanOut:
    """Deliver the same events to 1,000 subscribers at each of so many nodes."""
    enough = (os.cpu_count() or 1) >= NEEDED_CORES
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        nats = stack.enter_context(NatsProcess(folder / "nats"))
        nats.start()

        def command(place: Path) -> list[str]:
            return [*mission_control_command(place), "--log", nats.url]

        peer = replace(PEERS["mission-control"], command=command)
        servers, loads = [], []
        for number in range(nodes):
            place = folder / f"node-{number}"
            place.mkdir()
            core = {"core": number} if enough else {}
            servers.append(stack.enter_context(running_peer(peer, place, **core)))
        options = ("--messages", str(FAN_OUT_EVENTS), "--clients", str(FAN_OUT_CLIENTS))
        for number, server in enumerate(servers):
            shape = ("burst", "--batch", "1000") if number == 0 else ("none",)
            core = {"core": nodes + number} if enough else {}
            loads.append(stack.enter_context(Load(server, "--shape", *shape, *options, **core)))
        loads[0].wait_ready()
        time.sleep(1.0)
        before = [server.cpu_seconds() for server in servers]
        loads[0].begin()
        results = [load.result() for load in loads]
        spent = [server.cpu_seconds() - cpu for server, cpu in zip(servers, before, strict=True)]
        return FanOut(
            nodes,
            max(cpu * 1e6 / result.delivered for cpu, result in zip(spent, results, strict=True)),
            sum(result.delivered for result in results) / results[0].seconds,
            sum(result.faults for result in results),
        )


def main() -> int:
    """Run what the command line asks for; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the stream to rebuild from")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    arguments = parser.parse_args()
    runs: list[Publishing] = []
    fans: list[FanOut] = []
    seconds: list[float] = []
    failures: list[str] = []
    try:
        for number in range(1, arguments.rounds + 1):
            for log in ("sqlite", "jetstream"):
                print(f"round {number}: publish over {log} …", file=sys.stderr, flush=True)
                runs.append(publish(log))
        prepare(["mission-control"])
        for number in range(1, arguments.rounds + 1):
            for nodes in (1, 2):
                print(f"round {number}: fan-out of {nodes} …", file=sys.stderr, flush=True)
                fans.append(fan_out(nodes))
        print(f"rebuild from {arguments.events:,} events …", file=sys.stderr, flush=True)
        seconds = rebuild(arguments.events, arguments.rounds)
    except (BenchmarkError, OSError) as error:
        failures.append(str(error))
    checks = []
    medians: dict[str, float] = {}
    for log in ("sqlite", "jetstream"):
        some = [run for run in runs if run.log == log]
        if some:
            medians[log] = statistics.median(run.median_ms for run in some)
            print(
                f"{log:<10} one by one {medians[log]:.2f} ms (p99 "
                f"{statistics.median(run.p99_ms for run in some):.2f}), in bulk "
                f"{statistics.median(run.bulk_per_s for run in some):,.0f} events/s"
            )
    if len(medians) == 2:
        ratio = medians["jetstream"] / medians["sqlite"]
        checks.append(at_most("JetStream's latency", ratio, LATENCY_RATIO, "× SQLite alone"))
    if seconds:
        median = statistics.median(seconds)
        print(f"rebuild of {arguments.events:,} events: {median:.1f} s")
        checks.append(at_most("rebuild", median * 1e6 / arguments.events, REBUILD_SECONDS, "s a million"))
    alone, both = ([fan for fan in fans if fan.nodes == nodes] for nodes in (1, 2))
    if alone and both:
        costs = [statistics.median(fan.cpu_s_per_million for fan in some) for some in (alone, both)]
        print(
            f"fan-out: a node alone {costs[0]:.3f}, next to another {costs[1]:.3f} CPU s a million messages"
        )
        checks.append(at_most("a node next to another", costs[1] / costs[0], FAN_OUT_COST, "× alone"))
        checks.append(at_most("fan-out", sum(fan.faults for fan in fans), 0, "lost, doubled or reordered"))
        rates = [statistics.median(fan.messages_per_s for fan in some) for some in (alone, both)]
        if (os.cpu_count() or 1) >= NEEDED_CORES:
            checks.append(at_least("two nodes", rates[1] / rates[0], FAN_OUT_SUM, "× the messages of one"))
        else:
            print(
                f"whether two deliver twice as many a second needs {NEEDED_CORES} cores, here are {os.cpu_count()}"
            )
    figures = {
        "publish": [asdict(run) for run in runs],
        "fan_out": [asdict(fan) for fan in fans],
        "rebuild_s": seconds,
    }
    return conclude(checks, failures, figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
